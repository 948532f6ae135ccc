package text

import (
	"bytes"
	"slices"
)

// Suggest proposes a merge of two changes of the same lines, by words: what either
// side removed is gone, what either added is there. ok is false if both added
// something at one place, since nobody can know the order, if either is too long
// to compare by words, or if a text is not worth a proposal.
//
//	base     local      remote     → proposal
//	x x x    x Y x x    x x Z x    x Y x Z x   both changes
//	x X x    x x        x X Y x    x Y x       removed here, added there
//	x X Y x  x X x      x Y x      x x         both removals
//	x x      x Y x      x Z x      none        both added
//
// It is for a person to accept, never for a merge by itself: words may read badly
// that no two people wrote together. The rules are those of JetBrains' greedy resolver.
func Suggest(base, local, remote []byte) (merged []byte, ok bool) {
	if max(len(base), len(local), len(remote)) > wordBytes {
		return nil, false
	}
	in := interner{}
	b, l, r := tokens(base), tokens(local), tokens(remote)
	for _, v := range []*version{&b, &l, &r} {
		in.number(v, false)
	}
	m := newMatcher(len(in))
	m.left = wordSteps
	ls, rs := m.upwards(b.ids, l.ids), m.upwards(b.ids, r.ids)
	if m.coarse {
		return nil, false
	}
	return combine(&b, &l, &r, ls, rs)
}

// upwards compares from the end, so that what could stand in several places is
// taken to have changed at the first: of "x X x" to "x x", that " X" was removed.
func (m *matcher) upwards(a, b []int32) []hunk {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Reverse(a)
	slices.Reverse(b)
	hs := m.compare(a, b)
	slices.Reverse(hs)
	for i, h := range hs {
		hs[i] = hunk{len(a) - h.AEnd, len(a) - h.A, len(b) - h.BEnd, len(b) - h.B}
	}
	return hs
}

func combine(b, l, r *version, ls, rs []hunk) (merged []byte, ok bool) {
	at := 0 // of base, up to where all is written or gone
	keep := func(to int) {
		if at < to {
			merged = append(merged, b.bytes[b.start(at):b.start(to)]...)
			at = to
		}
	}
	for len(ls) > 0 || len(rs) > 0 {
		if len(rs) > 0 && (len(ls) == 0 || rs[0].A < ls[0].A || rs[0].A == ls[0].A && rs[0].AEnd < ls[0].AEnd) {
			l, r, ls, rs = r, l, rs, ls // from here on the first change is ls[0]
		}
		h := ls[0]
		ls = ls[1:]
		added := l.bytes[l.start(h.B):l.start(h.BEnd)]
		for i, o := range rs {
			if o.A > h.AEnd {
				break
			}
			others := r.bytes[r.start(o.B):r.start(o.BEnd)]
			if len(added) == 0 || len(others) == 0 {
				continue
			}
			if !bytes.Equal(added, others) {
				return nil, false
			}
			rs[i].BEnd = o.B // added once
		}
		keep(h.A)
		merged = append(merged, added...)
		at = max(at, h.AEnd)
	}
	keep(len(b.ends))
	return merged, true
}
