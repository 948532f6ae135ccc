package text

import "bytes"

// Merge merges the changes that local and remote made to base, by lines.
// An empty base means that none is known. The result keeps the slices given:
// they must not change as long as it is used.
func Merge(base, local, remote []byte) Result {
	r := Result{base: cut(base), local: cut(local), remote: cut(remote)}
	switch {
	case bytes.Equal(local, remote), bytes.Equal(base, remote):
		r.whole, r.isWhole = local, true
	case bytes.Equal(base, local):
		r.whole, r.isWhole = remote, true
	}
	var blind bool
	r.eol, blind = ending(base, local, remote)
	if !blind {
		r.eol = asIs
	}
	in := make(interner, len(r.base.ends))
	in.number(&r.base, blind)
	in.number(&r.local, blind)
	in.number(&r.remote, blind)

	// Each comparison has its own allowance, or it would matter which side is local.
	toLocal, toRemote := newMatcher(len(in)), newMatcher(len(in))
	ls := toLocal.compare(r.base.ids, r.local.ids)
	rs := toRemote.compare(r.base.ids, r.remote.ids)
	between := newMatcher(len(in))
	r.join(ls, rs, between)
	r.Coarse = toLocal.coarse || toRemote.coarse || between.coarse
	r.Clean = r.Conflicts() == 0
	return r
}

// join walks both lists of changes along base. Changes of one side that the
// other's don't touch are taken; others form a region together.
func (r *Result) join(ls, rs []hunk, between *matcher) {
	var b, l, m int // how far base, local and remote are in chunks
	regions := 0
	for len(ls) > 0 || len(rs) > 0 {
		from, end, el, er := touching(ls, rs)
		same := from - b
		r.add(Unchanged, 0, b, from, l, l+same, m, m+same)
		b, l, m = from, l+same, m+same
		lEnd, mEnd := l+end-from+growth(ls[:el]), m+end-from+growth(rs[:er])
		switch {
		case er == 0:
			r.add(Local, 0, b, end, l, lEnd, m, mEnd)
		case el == 0:
			r.add(Remote, 0, b, end, l, lEnd, m, mEnd)
		default:
			z := zone{b, end, l, lEnd, m, mEnd, ls[:el], rs[:er]}
			regions = r.refine(z, regions, between)
		}
		b, l, m = end, lEnd, mEnd
		ls, rs = ls[el:], rs[er:]
	}
	r.add(Unchanged, 0, b, len(r.base.ends), l, len(r.local.ends), m, len(r.remote.ends))
}

// touching finds the first change, and how many of each side overlap or touch it,
// one through another: they cover lines [from, end) of base.
func touching(ls, rs []hunk) (from, end, el, er int) {
	if len(rs) == 0 || len(ls) > 0 && ls[0].A < rs[0].A {
		from, end, el = ls[0].A, ls[0].AEnd, 1
	} else {
		from, end, er = rs[0].A, rs[0].AEnd, 1
	}
	for {
		switch {
		case el < len(ls) && ls[el].A <= end:
			end, el = max(end, ls[el].AEnd), el+1
		case er < len(rs) && rs[er].A <= end:
			end, er = max(end, rs[er].AEnd), er+1
		default:
			return from, end, el, er
		}
	}
}

func growth(hs []hunk) (n int) {
	for _, h := range hs {
		n += h.BEnd - h.B - (h.AEnd - h.A)
	}
	return n
}

// add appends a chunk of lines, unless it is empty in all three.
func (r *Result) add(k Kind, region, b, bEnd, l, lEnd, m, mEnd int) {
	if b == bEnd && l == lEnd && m == mEnd {
		return
	}
	r.Chunks = append(r.Chunks, Chunk{
		Kind: k, Region: region,
		Base: r.base.span(b, bEnd), Local: r.local.span(l, lEnd), Remote: r.remote.span(m, mEnd),
	})
}
