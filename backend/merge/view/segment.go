package view

import (
	"plait/backend/merge/jsonc"
)

// segments cuts a JSON document at its outermost container's members. Each takes
// the lines that are its own: what stands before it since the member before, and
// the rest of its last line. head is all before the first, tail all after the last.
type segments struct {
	tree    *jsonc.Tree
	nodes   []int32
	from    []int // where each begins, and at the end where the tail begins
	open    byte  // the container's brackets
	close   byte
	comma   bool // the last member has a comma
	members int
}

// cut takes doc apart; ok is false if it is no container, or has errors.
func cut(doc []byte) (s segments, ok bool) {
	t, err := jsonc.Parse(doc)
	if err != nil || len(t.Errors) > 0 || t.Root() == jsonc.None {
		return s, false
	}
	s = segments{tree: t, open: '{', close: '}'}
	switch t.Nodes[0].Kind {
	case jsonc.Object:
	case jsonc.Array:
		s.open, s.close = '[', ']'
	default:
		return s, false
	}
	s.nodes = t.Children(t.Root())
	s.members = len(s.nodes)
	s.from = append(s.from, ownLine(doc, int(t.Nodes[0].Start)+1))
	for _, n := range s.nodes {
		end := t.Nodes[n].End
		if c := t.Nodes[n].Comma; c >= 0 {
			end = c + 1
		}
		s.comma = t.Nodes[n].Comma >= 0
		s.from = append(s.from, ownLine(doc, int(end)))
	}
	return s, true
}

// head is what stands before the first member, tail what stands after the last.
func (s *segments) head() []byte { return s.tree.Src[:s.from[0]] }
func (s *segments) tail() []byte { return s.tree.Src[s.from[len(s.nodes)]:] }

// run is members [i, j) as a piece, which must not be empty.
func (s *segments) run(i, j int) piece {
	src := s.tree.Src
	n := &s.tree.Nodes[s.nodes[j-1]]
	p := piece{there: true, sep: []byte{','}}
	if n.Comma >= 0 {
		p.a, p.b = src[s.from[i]:n.Comma], src[n.Comma+1:s.from[j]]
	} else {
		p.a, p.b = src[s.from[i]:n.End], src[n.End:s.from[j]]
	}
	return p
}

// ownLine is where the line that at stands in ends, its end included, if only
// white space and comments follow there; else at.
func ownLine(doc []byte, at int) int {
	for i := at; i < len(doc); {
		switch c := doc[i]; {
		case c == ' ' || c == '\t':
			i++
		case c == '\n':
			return i + 1
		case c == '\r':
			if i+1 < len(doc) && doc[i+1] == '\n' {
				return i + 2
			}
			return i + 1
		case c == '/' && i+1 < len(doc) && doc[i+1] == '/':
			for i < len(doc) && doc[i] != '\n' && doc[i] != '\r' {
				i++
			}
		case c == '/' && i+1 < len(doc) && doc[i+1] == '*':
			for i += 2; i < len(doc) && (doc[i] != '*' || i+1 == len(doc) || doc[i+1] != '/'); i++ {
				if doc[i] == '\n' || doc[i] == '\r' {
					return at // it spans lines: it heads what follows
				}
			}
			i += 2
		default:
			return at
		}
	}
	return at
}

// enclose makes a document of one member's piece, whose own lines stay lines.
func enclose(c piece, open, close byte, eol string) []byte {
	out := []byte{open}
	body := c.text(false)
	if n := len(body); n > 0 && (body[n-1] == '\n' || body[n-1] == '\r') {
		out = append(out, eol...)
	}
	return append(append(out, body...), close)
}
