package text

import (
	"bytes"
	"slices"
	"unicode"
	"unicode/utf8"
)

// A zone is where changes of both sides overlap or touch: lines of base, local
// and remote, and the changes.
type zone struct {
	b, bEnd, l, lEnd, m, mEnd int
	ls, rs                    []hunk
}

// near is up to how many shared lines between two conflicts join them: fewer
// decisions read better than more. It is git's, of XDL_MERGE_ZEALOUS.
const near = 3

// refine compares the sides inside a zone: what they share is no conflict. It
// returns how many regions there are now.
func (r *Result) refine(z zone, regions int, between *matcher) int {
	local, remote := r.local.ids[z.l:z.lEnd], r.remote.ids[z.m:z.mEnd]
	if slices.Equal(local, remote) {
		r.add(Both, 0, z.b, z.bEnd, z.l, z.lEnd, z.m, z.mEnd)
		return regions
	}
	regions++
	var parts []hunk
	if r.localFirst(z) {
		parts = between.compare(local, remote)
	} else {
		parts = swapped(between.compare(remote, local))
	}
	parts = r.joinNear(parts, z.l)
	b, l, m := z.b, z.l, z.m
	for _, h := range parts {
		from, to := z.b, z.bEnd
		if len(parts) > 1 {
			from, to = z.share(h, len(local))
		}
		r.add(Both, regions, b, from, l, z.l+h.A, m, z.m+h.B)
		r.add(Conflict, regions, from, to, z.l+h.A, z.l+h.AEnd, z.m+h.B, z.m+h.BEnd)
		b, l, m = to, z.l+h.AEnd, z.m+h.BEnd
	}
	r.add(Both, regions, b, z.bEnd, l, z.lEnd, m, z.mEnd)
	return regions
}

// localFirst says in which direction to compare the sides of a zone, by what is in
// them, so that it does not matter which is called local; nor how lines end, where
// that makes no difference.
func (r *Result) localFirst(z zone) bool {
	for i := 0; z.l+i < z.lEnd && z.m+i < z.mEnd; i++ {
		l, m := r.local.line(z.l+i), r.remote.line(z.m+i)
		if r.eol != asIs {
			l, m = appendLine(nil, l, lf), appendLine(nil, m, lf)
		}
		if c := bytes.Compare(l, m); c != 0 {
			return c < 0
		}
	}
	return z.lEnd-z.l < z.mEnd-z.m
}

func swapped(hs []hunk) []hunk {
	for i, h := range hs {
		hs[i] = hunk{h.B, h.BEnd, h.A, h.AEnd}
	}
	return hs
}

// joinNear joins conflicts that are near each other, or have nothing between
// them that holds a letter or a digit: what they share there is chance.
func (r *Result) joinNear(parts []hunk, local int) []hunk {
	out := parts[:1]
	for _, h := range parts[1:] {
		last := &out[len(out)-1]
		if h.A-last.AEnd <= near || !telling(r.local.span(local+last.AEnd, local+h.A).Of(r.local.bytes)) {
			last.AEnd, last.BEnd = h.AEnd, h.BEnd
		} else {
			out = append(out, h)
		}
	}
	return out
}

func telling(s []byte) bool {
	for len(s) > 0 {
		c, n := utf8.DecodeRune(s)
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return true
		}
		s = s[n:]
	}
	return false
}

// share is the part of base that belongs to a part of the zone. What was removed
// where both sides then differ goes with what stands there.
func (z *zone) share(h hunk, localLen int) (from, to int) {
	from = max(above(z.ls, z.b, z.l, z.l+h.A), above(z.rs, z.b, z.m, z.m+h.B))
	to = max(below(z.ls, z.b, z.l, z.l+h.AEnd), below(z.rs, z.b, z.m, z.m+h.BEnd))
	if h.AEnd == localLen { // then it is remote's end, too: nothing shared follows
		to = z.bEnd
	}
	return min(from, z.bEnd), min(to, z.bEnd)
}

// above is the line of base just after the last one that a side keeps above its
// line at; b and s are where the zone begins in base and the side.
func above(hs []hunk, b, s, at int) int {
	base := b + at - s // if nothing changed
	for _, h := range hs {
		if at < h.B {
			break
		}
		if at <= h.BEnd {
			return h.A
		}
		base = h.AEnd + at - h.BEnd
	}
	return base
}

// below is the same, with what is removed at that place.
func below(hs []hunk, b, s, at int) int {
	base := b + at - s
	for _, h := range hs {
		if at < h.B {
			break
		}
		if at < h.BEnd {
			return h.A
		}
		base = h.AEnd + at - h.BEnd
	}
	return base
}
