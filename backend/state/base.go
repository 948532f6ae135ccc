package state

import (
	"slices"

	"plait/backend/item"
	"plait/backend/merge"
)

// graph walks an atom's writes along the dots that they replaced.
type graph struct {
	at map[item.Dot]Sibling
	of []item.Dot // the live ones
}

func (a *Atom) graph() graph {
	g := graph{at: make(map[item.Dot]Sibling, len(a.Live)+len(a.Past)), of: a.Dots()}
	for _, s := range a.Live {
		g.at[s.Dot] = s
	}
	for _, s := range a.Past {
		g.at[s.Dot] = s
	}
	return g
}

// ancestors are the dots that d replaced, and what those replaced, and so on;
// d is not among them. Dots that were pruned are, by name, where they are
// replaced by one that is still there.
func (g graph) ancestors(d item.Dot) map[item.Dot]bool {
	found := make(map[item.Dot]bool)
	todo := slices.Clone(g.at[d].Replaces)
	for len(todo) > 0 {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !found[d] {
			found[d] = true
			todo = append(todo, g.at[d].Replaces...)
		}
	}
	return found
}

// nearest are the common ancestors of all of the given writes that have no common
// ancestor after them, in dot order. ok is false if one of them was pruned.
func (g graph) nearest(of []item.Dot) (near []item.Dot, ok bool) {
	common := g.ancestors(of[0])
	for _, d := range of[1:] {
		other := g.ancestors(d)
		for c := range common {
			if !other[c] {
				delete(common, c)
			}
		}
	}
	// What a common ancestor replaced is common too, so one is nearest exactly
	// if no common ancestor replaced it.
	behind := make(map[item.Dot]bool)
	for c := range common {
		for _, d := range g.at[c].Replaces {
			behind[d] = true
		}
	}
	ok = true
	for c := range common {
		if behind[c] {
			continue
		}
		near = append(near, c)
		if _, there := g.at[c]; !there {
			ok = false
		}
	}
	slices.SortFunc(near, item.Dot.Compare)
	return near, ok
}

// maxCriss bounds how deep bases of bases are looked for. Honest histories
// criss-cross a few times; each further level costs a walk over the atom.
const maxCriss = 32

// base is the value that all of the given writes descend from: their nearest
// common ancestor; of several, their merge if it is clean. nil if there is none.
// A merged base has the dot and time of the latest that went into it.
func (g graph) base(t item.Type, k item.Key, of []item.Dot, depth int) *Sibling {
	near, ok := g.nearest(of)
	if !ok || len(near) == 0 {
		return nil
	}
	if len(near) == 1 {
		s := g.at[near[0]]
		return &s
	}
	if depth >= maxCriss {
		return nil
	}
	sides := make([]Sibling, len(near))
	for i, d := range near {
		sides[i] = g.at[d]
	}
	v, ok := fold(t, k, g.base(t, k, near, depth+1), sides)
	if !ok {
		return nil
	}
	s := Newest(sides)
	s.Value = v
	return &s
}

// needed says which past writes a base may still need: all but those before the
// nearest single write that all siblings descend from.
func (g graph) needed() func(item.Dot) bool {
	of := g.of
	for range maxCriss {
		near, ok := g.nearest(of)
		if !ok || len(near) == 0 {
			break
		}
		if len(near) == 1 {
			before := g.ancestors(near[0])
			return func(d item.Dot) bool { return !before[d] }
		}
		of = near
	}
	return func(item.Dot) bool { return true }
}

// Base is the value that the atom's siblings descend from, or nil. It is the same
// on every device, whatever each has pruned.
func (a *Atom) Base(t item.Type, k item.Key) *Sibling {
	if len(a.Live) < 2 {
		return nil
	}
	return a.graph().base(t, k, a.Dots(), 0)
}

// Descending lists the siblings that descend from all of the given dots, or are
// the only one of them. Without dots, none does.
func (a *Atom) Descending(from []item.Dot) []Sibling {
	if len(from) == 0 {
		return nil
	}
	g := a.graph()
	var out []Sibling
	for _, s := range a.Live {
		anc := g.ancestors(s.Dot)
		if !slices.ContainsFunc(from, func(d item.Dot) bool { return d != s.Dot && !anc[d] }) {
			out = append(out, s)
		}
	}
	return out
}

// fold merges values over their base, in dot order, if every step is clean.
// Sides that mean what the base means yield to those that changed it.
func fold(t item.Type, k item.Key, base *Sibling, sides []Sibling) (item.Value, bool) {
	if k.Lane == item.LaneOrder {
		return foldOrders(t, k, base, sides)
	}
	changed := make([]item.Value, 0, len(sides))
	for _, s := range sides {
		if base != nil && Same(t, k, s.Value, base.Value) {
			continue
		}
		if !slices.ContainsFunc(changed, func(v item.Value) bool { return Same(t, k, v, s.Value) }) {
			changed = append(changed, s.Value)
		}
	}
	if len(changed) == 0 {
		return sides[0].Value, true
	}
	v := changed[0]
	if len(changed) == 1 {
		return v, true
	}
	over := presentBase(base)
	for _, next := range changed[1:] {
		if !Present(v) || !Present(next) {
			return item.Value{}, false // removed here, changed there
		}
		merged, ok := merge.Value(t, k, over, v, next)
		if !ok {
			return item.Value{}, false
		}
		v = merged
	}
	return v, true
}

// foldOrders merges orders, each step over the base. Orders of other elements mean
// the same as any, so none is left out for meaning what another does; removed ones,
// which say nothing, are.
func foldOrders(t item.Type, k item.Key, base *Sibling, sides []Sibling) (item.Value, bool) {
	sides = present(sides)
	v := sides[0].Value
	for _, next := range sides[1:] {
		var ok bool
		if v, ok = merge.Value(t, k, presentBase(base), v, next.Value); !ok {
			return item.Value{}, false
		}
	}
	return v, true
}

// presentBase is the base's value, if it has one.
func presentBase(base *Sibling) *item.Value {
	if base == nil || !Present(base.Value) {
		return nil
	}
	return &base.Value
}

// Present says whether the value is one: neither a tombstone nor "absent here".
func Present(v item.Value) bool { return v.Kind != item.Absent && v.Kind != item.Hidden }

// Same says whether two values mean the same, tombstones included.
func Same(t item.Type, k item.Key, a, b item.Value) bool {
	if !Present(a) || !Present(b) {
		return a.Kind == b.Kind
	}
	return merge.Same(t, k, a, b)
}
