package text

import (
	"fmt"
)

// A Hunk is a difference between two texts: lines A of one stand where lines B of
// the other do.
type Hunk struct{ A, B Range }

// Diff finds the lines in which b differs from a.
func Diff(a, b []byte) []Hunk {
	va, vb, hs := diff(a, b)
	out := make([]Hunk, len(hs))
	for i, h := range hs {
		out[i] = Hunk{va.span(h.A, h.AEnd), vb.span(h.B, h.BEnd)}
	}
	return out
}

func diff(a, b []byte) (va, vb version, hs []hunk) {
	va, vb = cut(a), cut(b)
	in := make(interner, len(va.ends))
	in.number(&va, false)
	in.number(&vb, false)
	return va, vb, newMatcher(len(in)).compare(va.ids, vb.ids)
}

// Unified prints the difference between a and b as `diff -u` does, with that many
// lines of context; nothing if they are equal.
func Unified(a, b []byte, labelA, labelB string, context int) []byte {
	va, vb, hs := diff(a, b)
	if len(hs) == 0 {
		return nil
	}
	out := fmt.Appendf(nil, "--- %s\n+++ %s\n", labelA, labelB)
	for len(hs) > 0 {
		n := 1
		for n < len(hs) && hs[n].A-hs[n-1].AEnd <= 2*context {
			n++
		}
		out = block(out, &va, &vb, hs[:n], context)
		hs = hs[n:]
	}
	return out
}

// block prints hunks whose contexts meet.
func block(out []byte, a, b *version, hs []hunk, context int) []byte {
	last := hs[len(hs)-1]
	before := min(context, hs[0].A)
	after := min(context, len(a.ends)-last.AEnd)
	from, to := hs[0].A-before, last.AEnd+after
	out = fmt.Appendf(out, "@@ -%s +%s @@\n", place(from, to-from), place(hs[0].B-before, last.BEnd+after-hs[0].B+before))
	at := from
	for _, h := range hs {
		out = prefixed(out, ' ', a, at, h.A)
		out = prefixed(out, '-', a, h.A, h.AEnd)
		out = prefixed(out, '+', b, h.B, h.BEnd)
		at = h.AEnd
	}
	return prefixed(out, ' ', a, at, to)
}

// place is "line,count" counted from 1; an empty one names the line before it.
func place(from, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", from)
	case 1:
		return fmt.Sprint(from + 1)
	}
	return fmt.Sprintf("%d,%d", from+1, n)
}

func prefixed(out []byte, mark byte, v *version, from, to int) []byte {
	for i := from; i < to; i++ {
		line := v.line(i)
		out = append(append(out, mark), line...)
		if line[len(line)-1] != '\n' {
			out = append(out, "\n\\ No newline at end of file\n"...)
		}
	}
	return out
}
