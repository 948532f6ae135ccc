package text

import "bytes"

// A style is how a document ends its lines.
type style uint8

const (
	asIs style = iota // both ways, or unknown: leave each as it is
	lf
	crlf
)

// A version is a document cut into lines. A line includes its line feed; the
// last one may lack it. A carriage return on its own ends no line, as in git.
type version struct {
	bytes []byte
	ends  []int   // ends[i] is the offset just after line i
	ids   []int32 // equal for equal lines, in all documents that were interned together
}

func cut(doc []byte) version {
	v := version{bytes: doc, ends: make([]int, 0, bytes.Count(doc, newline)+1)}
	for at := 0; at < len(doc); {
		n := bytes.IndexByte(doc[at:], '\n')
		if n < 0 {
			n = len(doc) - at - 1
		}
		at += n + 1
		v.ends = append(v.ends, at)
	}
	return v
}

var newline = []byte{'\n'}

// start is the offset of line i; i may be the number of lines.
func (v *version) start(i int) int {
	if i == 0 {
		return 0
	}
	return v.ends[i-1]
}

func (v *version) span(from, to int) Range {
	return Range{Start: v.start(from), End: v.start(to), Line: from, LineEnd: to}
}

func (v *version) line(i int) []byte { return v.bytes[v.start(i):v.ends[i]] }

// styleOf is the document's line ending. mixed is true if there are two;
// a document without any has style asIs and is not mixed.
func styleOf(doc []byte) (s style, mixed bool) {
	feeds, pairs := bytes.Count(doc, newline), bytes.Count(doc, []byte("\r\n"))
	switch {
	case feeds == 0:
		return asIs, false
	case pairs == 0:
		return lf, false
	case pairs == feeds:
		return crlf, false
	}
	return asIs, true
}

// ending decides the merged document's line ending, and says whether lines are
// to be compared without theirs: so if the versions differ only in which ending
// they use throughout. A document without line ends follows base, or else the other.
func ending(base, local, remote []byte) (write style, blind bool) {
	b, mb := styleOf(base)
	l, ml := styleOf(local)
	r, mr := styleOf(remote)
	if mb || ml || mr {
		return asIs, false
	}
	known := lf // of two new documents that differ; one must be chosen, whichever side it came from
	for _, s := range []style{r, l, b} {
		if s != asIs {
			known = s
		}
	}
	if b == asIs {
		if l != asIs && r != asIs && l != r {
			known = lf
		}
		b = known
	}
	if l == asIs {
		l = b
	}
	if r == asIs {
		r = b
	}
	write = l
	if l == b {
		write = r
	}
	return write, l != b || r != b
}

// An interner numbers distinct lines from 0 in order of first appearance.
type interner map[string]int32

// number sets v.ids. If blind, CR LF counts as LF.
func (in interner) number(v *version, blind bool) {
	doc := v.bytes
	s := string(doc) // one copy, so that the table's keys need none
	v.ids = make([]int32, len(v.ends))
	from := 0
	for i, to := range v.ends {
		key := s[from:to]
		if n := len(key); blind && n >= 2 && key[n-2:] == "\r\n" {
			key = key[:n-2] + "\n"
		}
		id, ok := in[key]
		if !ok {
			id = int32(len(in))
			in[key] = id
		}
		v.ids[i] = id
		from = to
	}
}

// write appends lines [from, to), with the line ending to be written.
func (v *version) write(out []byte, from, to int, eol style) []byte {
	if eol == asIs {
		return append(out, v.bytes[v.start(from):v.start(to)]...)
	}
	for i := from; i < to; i++ {
		out = appendLine(out, v.line(i), eol)
	}
	return out
}

func appendLine(out, line []byte, eol style) []byte {
	n := len(line)
	paired := n >= 2 && line[n-2] == '\r' && line[n-1] == '\n'
	switch {
	case eol == crlf && !paired && n >= 1 && line[n-1] == '\n':
		return append(append(out, line[:n-1]...), '\r', '\n')
	case eol == lf && paired:
		return append(append(out, line[:n-2]...), '\n')
	}
	return append(out, line...)
}
