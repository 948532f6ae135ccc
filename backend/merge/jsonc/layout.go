package jsonc

import (
	"bytes"
	"strings"
)

// A Layout is how a document is written.
type Layout struct {
	EOL  string // "\n", "\r\n" or "\r"
	Unit string // one level of indentation
}

// DefaultUnit is what documents that show none of their own are indented with:
// VS Code's own default for settings files.
const DefaultUnit = "    "

// Layout finds out how the document is written; d fills in what it does not show.
func (t *Tree) Layout(d Layout) Layout {
	l := Layout{EOL: eol(t.Src), Unit: t.unit()}
	if l.EOL == "" {
		if l.EOL = d.EOL; l.EOL == "" {
			l.EOL = "\n"
		}
	}
	if l.Unit == "" {
		if l.Unit = d.Unit; l.Unit == "" {
			l.Unit = DefaultUnit
		}
	}
	return l
}

// eol is the first line end in s, "" if there is none.
func eol(s []byte) string {
	i := bytes.IndexAny(s, "\r\n")
	switch {
	case i < 0:
		return ""
	case s[i] == '\n':
		return "\n"
	case i+1 < len(s) && s[i+1] == '\n':
		return "\r\n"
	}
	return "\r"
}

// unit is by how much the first child that starts a line is indented more than its
// parent's line.
func (t *Tree) unit() string {
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if n.Parent < 0 {
			continue
		}
		start := n.Start
		if n.Key >= 0 {
			start = n.Key
		}
		own, ok := t.startsLine(start)
		if !ok {
			continue
		}
		up := t.lineIndent(t.Nodes[n.Parent].Start)
		if len(own) > len(up) && strings.HasPrefix(own, up) {
			return own[len(up):]
		}
	}
	return ""
}

// startsLine gives the white space before at, if nothing else is before it on its line.
func (t *Tree) startsLine(at int32) (string, bool) {
	i := at
	for i > 0 && (t.Src[i-1] == ' ' || t.Src[i-1] == '\t') {
		i--
	}
	if i == 0 || t.Src[i-1] != '\n' && t.Src[i-1] != '\r' {
		return "", false
	}
	return string(t.Src[i:at]), true
}

// Reindent lays out raw, a value that may span lines, for a member whose line is
// indented by indent. Strings and what is on one line stay as they are; raw that
// already stands as it should stays byte for byte.
func Reindent(raw []byte, indent string, l Layout) []byte {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw
	}
	if fits(raw, indent, l) {
		return raw
	}
	out := make([]byte, 0, len(raw)+len(raw)/4)
	depth := 0
	line := func(next byte) {
		d := depth
		if next == ']' || next == '}' {
			d--
		}
		out = append(append(out, l.EOL...), indent...)
		for ; d > 0; d-- {
			out = append(out, l.Unit...)
		}
	}
	for i := 0; i < len(raw); {
		switch c := raw[i]; c {
		case '"':
			n := stringLen(raw[i:])
			out = append(out, raw[i:i+n]...)
			i += n
		case '/':
			end := commentEnd(raw, i)
			if end < 0 {
				end = len(raw)
			}
			end = max(end, i+1)
			for j, s := range bytes.Split(newlines(raw[i:end]), []byte("\n")) {
				if j > 0 {
					line(0)
					if s = bytes.TrimLeft(s, " \t"); len(s) > 0 && s[0] == '*' {
						out = append(out, ' ')
					}
				}
				out = append(out, s...)
			}
			i = end
		case '\r', '\n':
			ends := 0
			for i < len(raw) && white(raw[i]) {
				if raw[i] == '\n' || raw[i] == '\r' && (i+1 == len(raw) || raw[i+1] != '\n') {
					ends++
				}
				i++
			}
			out = bytes.TrimRight(out, " \t")
			for ; ends > 1; ends-- {
				out = append(out, l.EOL...)
			}
			if i < len(raw) {
				line(raw[i])
			}
		default:
			switch c {
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			out = append(out, c)
			i++
		}
	}
	return out
}

func white(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// fits says whether raw's first inner line and its last already stand as Reindent
// would put them, with the right line ends.
func fits(raw []byte, indent string, l Layout) bool {
	if eol(raw) != l.EOL {
		return false
	}
	lines := strings.Split(string(raw), l.EOL)
	last := lines[len(lines)-1]
	if strings.TrimLeft(last, " \t") != last[min(len(indent), len(last)):] || !strings.HasPrefix(last, indent) {
		return false
	}
	return len(lines) < 3 || strings.HasPrefix(lines[1], indent+l.Unit) &&
		!strings.HasPrefix(lines[1][len(indent)+len(l.Unit):], " ") && !strings.HasPrefix(lines[1][len(indent)+len(l.Unit):], "\t")
}
