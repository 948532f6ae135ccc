package merge

import (
	"bytes"
	"slices"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// MaxOrder is how large an order atom may be. A longer one is left out: new members
// then find their place by the skeleton alone.
const MaxOrder = 48 << 10

// orders adds the order atoms of container i, whose live members stand in order.
//
// Keybindings have one atom for each first chord that several rules share, since
// only there the order has a meaning: the last rule that fits wins.
func (d *doc) orders(i int32, r *rule, order []int32) {
	if len(order) < 2 {
		return
	}
	if d.t == item.Keybindings && r == keybindingsRule {
		groups := map[string][]string{}
		var chords []string
		for _, c := range order {
			segs, _ := r.list(d.tree, c)
			chord := firstChord(segs[0])
			if groups[chord] == nil {
				chords = append(chords, chord)
			}
			groups[chord] = append(groups[chord], item.Path(segs).String())
		}
		for _, chord := range chords {
			if g := groups[chord]; len(g) > 1 {
				d.add(item.Key{Lane: item.LaneOrder, Path: item.Path{chord}.String()}, list(unique(g)), i)
			}
		}
		return
	}
	if !r.order {
		return
	}
	size := 0
	for _, c := range order {
		n := &d.tree.Nodes[c]
		size += int(n.KeyEnd-n.Key) + 1
	}
	if size > MaxOrder {
		return
	}
	out := make([]byte, 0, size+2)
	out = append(out, '[')
	for n, c := range order {
		if d.inert[c] {
			continue
		}
		if n > 0 && len(out) > 1 {
			out = append(out, ',')
		}
		if r.list != nil {
			segs, _ := r.list(d.tree, c)
			out = append(out, jsonc.Quote(segs[0])...)
		} else {
			out = append(out, jsonc.Quote(d.segment(i, c, r))...)
		}
		if len(out) > MaxOrder {
			return
		}
	}
	out = append(out, ']')
	d.add(item.Key{Lane: item.LaneOrder, Path: string(d.path)}, out, i)
}

// unique keeps the last of equal names.
func unique(names []string) []string {
	last := make(map[string]int, len(names))
	for i, n := range names {
		last[n] = i
	}
	out := names[:0:0]
	for i, n := range names {
		if last[n] == i {
			out = append(out, n)
		}
	}
	return out
}

// list writes names as a JSON array of strings.
func list(names []string) []byte {
	out := []byte{'['}
	for i, n := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, jsonc.Quote(n)...)
	}
	return append(out, ']')
}

// names reads what list wrote; what is no array of strings gives nil.
func names(raw []byte) []string {
	t, err := jsonc.Parse(raw)
	if err != nil || len(t.Errors) > 0 || t.Root() == jsonc.None || t.Nodes[0].Kind != jsonc.Array {
		return nil
	}
	out := make([]string, 0, t.Nodes[0].Len)
	for c := t.First(0); c != jsonc.None; c = t.After(c) {
		s, ok := t.Text(c)
		if !ok {
			return nil
		}
		out = append(out, s)
	}
	return out
}

// sameOrder says whether the names that a and b share stand in the same order.
func sameOrder(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	as, bs := names(a), names(b)
	return slices.Equal(only(as, bs), only(bs, as))
}

// only is a without what b lacks.
func only(a, b []string) []string {
	in := make(map[string]bool, len(b))
	for _, n := range b {
		in[n] = true
	}
	out := make([]string, 0, len(a))
	for _, n := range a {
		if in[n] {
			out = append(out, n)
		}
	}
	return out
}

// mergeOrder merges two orders of one container. A side that only added or removed
// names follows the other. meant says that the order has a meaning: then two
// different ones conflict; else the one that sorts first is taken.
//
//	base local remote → merged
//	abc  abxc  cab      cabx   only remote moved what both have
//	abc  abcx  abyc     abcx with y after b
//	abc  cab   bac      conflict if meant
func mergeOrder(base, local, remote []byte, known, meant bool) ([]byte, bool) {
	l, r, b := names(local), names(remote), names(base)
	// What one side removed says nothing about the order of the rest.
	bothL, bothR := only(l, r), only(r, l)
	if !slices.Equal(bothL, bothR) {
		keptL := known && slices.Equal(only(b, bothL), only(bothL, b))
		keptR := known && slices.Equal(only(b, bothR), only(bothR, b))
		switch {
		case keptL && !keptR:
			return list(weave(r, l)), true
		case keptR && !keptL:
			return list(weave(l, r)), true
		case meant:
			return nil, false
		}
	}
	// By the names that both have, lest merging again chooses otherwise.
	if c := slices.Compare(bothL, bothR); c > 0 || c == 0 && bytes.Compare(local, remote) > 0 {
		l, r = r, l
	}
	return list(weave(l, r)), true
}

// weave puts what only other has into order, each after its predecessor there.
func weave(order, other []string) []string {
	have := make(map[string]bool, len(order))
	for _, n := range order {
		have[n] = true
	}
	after := map[string][]string{} // by predecessor; "" stands for none, prefixed names for others
	prev := ""
	extra := false
	for _, n := range other {
		if have[n] {
			prev = "=" + n
			continue
		}
		after[prev] = append(after[prev], n)
		extra = true
	}
	if !extra {
		return order
	}
	out := append(make([]string, 0, len(order)+len(other)), after[""]...)
	for _, n := range order {
		out = append(append(out, n), after["="+n]...)
	}
	return out
}

// arrange moves as few of the things named in seq as give those that want names its
// order; the others stay after what they stand after.
func arrange(seq []string, want []string) []int {
	rank := make(map[string]int, len(want))
	for i, n := range want {
		rank[n] = i + 1
	}
	idx := make([]int, len(seq))
	var listed, ranks []int
	for i, n := range seq {
		idx[i] = i
		if r := rank[n]; r > 0 {
			listed, ranks = append(listed, i), append(ranks, r)
		}
	}
	if slices.IsSorted(ranks) {
		return idx
	}
	stay := rising(ranks)
	fixed := make([]bool, len(listed))
	for _, i := range stay {
		fixed[i] = true
	}
	// moved things go right after their predecessor in want, or before all listed ones
	byRank := slices.Clone(listed)
	slices.SortFunc(byRank, func(a, b int) int { return rank[seq[a]] - rank[seq[b]] })
	moved := map[int]bool{}
	for i, at := range listed {
		moved[at] = !fixed[i]
	}
	follow := map[int][]int{} // by the staying thing they come after; -1: before the first
	last := -1
	for _, at := range byRank {
		if moved[at] {
			follow[last] = append(follow[last], at)
		} else {
			last = at
		}
	}
	out := make([]int, 0, len(seq))
	first := true
	for i := range seq {
		if moved[i] {
			continue
		}
		if first && rank[seq[i]] > 0 {
			out = append(out, follow[-1]...)
			first = false
		}
		out = append(append(out, i), follow[i]...)
	}
	return out
}

// rising gives the positions of a longest rising run of xs, in order
// (patience sorting, O(n log n)).
func rising(xs []int) []int {
	var tops []int // of each pile: the position of its top
	prev := make([]int, len(xs))
	for i, x := range xs {
		n, _ := slices.BinarySearchFunc(tops, x, func(at, x int) int { return xs[at] - x })
		prev[i] = -1
		if n > 0 {
			prev[i] = tops[n-1]
		}
		if n == len(tops) {
			tops = append(tops, i)
		} else {
			tops[n] = i
		}
	}
	out := make([]int, len(tops))
	at := -1
	if len(tops) > 0 {
		at = tops[len(tops)-1]
	}
	for n := len(tops) - 1; n >= 0; n-- {
		out[n] = at
		at = prev[at]
	}
	return out
}
