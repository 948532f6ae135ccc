package state

import (
	"plait/backend/item"
	"plait/backend/merge"
)

// How says how a shown value came about.
type How uint8

const (
	HowOne    How = iota // the only sibling
	HowSame              // several siblings that mean the same
	HowMerged            // several, merged cleanly over their base
	HowLatest            // several; the strategy shows the latest
	HowChosen            // several comments, orders or layouts, which never ask: see show
)

// Shown is what a view shows of one atom.
type Shown struct {
	Value    item.Value // Kind Absent: nothing is shown, but bases know the dots. With a conflict: undefined
	Dots     []item.Dot // all siblings, in dot order: what an edit of the shown value replaces
	How      How
	Conflict *Conflict  // not nil: not decided. Atoms of one subtree share theirs
	Subtree  []item.Key // of a subtree that a strategy decided, its root first: what Settle settles as one
}

// A Conflict is what has to be decided about one atom, or about one subtree: a
// value at a path, and values below it.
type Conflict struct {
	Key    item.Key
	Keys   []item.Key // all atoms that it is about, Key first
	Base   *Sibling   // nil: none is known
	Sides  []Sibling  // in dot order. Of a subtree: the present values at Key, and one that stands for all below it
	Below  int        // which side stands for all below Key, as a JSON object for people to read; -1: none
	Reason merge.Reason
}

// View derives what is shown. Atoms that have only tombstones are there, as
// Absent with their dots. A nil strategy is Merge everywhere.
func View(t item.Type, it *Item, strategy func(item.Key) Strategy) map[item.Key]Shown {
	if strategy == nil {
		strategy = Always(Merge)
	}
	view := make(map[item.Key]Shown, len(it.Atoms))
	dots := make([]item.Dot, 0, len(it.Atoms)) // of all atoms, in one piece where it lasts
	for k, a := range it.Atoms {
		if len(a.Live) == 0 {
			continue
		}
		n := len(dots)
		for i := range a.Live {
			dots = append(dots, a.Live[i].Dot)
		}
		view[k] = show(t, k, a, dots[n:len(dots):len(dots)], strategy(k))
	}
	showSubtrees(t, it, view, strategy)
	return view
}

// show decides one atom by itself.
//
//	siblings            merge          latest, local, remote   manual
//	one                 it             it                      it
//	of equal meaning    first          first                   first
//	clean over base     merged         latest                  asks
//	layouts             latest         latest                  latest
//	comments, orders    merged, first  latest                  asks
//	else                asks           latest                  asks
//
// First is by dot order, and passes over tombstones.
func show(t item.Type, k item.Key, a *Atom, dots []item.Dot, s Strategy) Shown {
	out := Shown{Value: a.Live[0].Value, Dots: dots}
	if len(a.Live) == 1 {
		return out
	}
	if k.Lane != item.LaneOrder && alike(t, k, a.Live) {
		out.How = HowSame
		return out
	}
	switch {
	case k.Lane == item.LaneSkeleton:
		out.Value, out.How = Newest(present(a.Live)).Value, HowChosen
	case !s.merges() && !s.asks():
		out.Value, out.How = Newest(a.Live).Value, HowLatest
	default:
		base := a.Base(t, k)
		if s.merges() {
			if v, ok := fold(t, k, base, a.Live); ok {
				out.Value, out.How = v, HowMerged
				return out
			}
			if k.Lane != item.LaneValue {
				out.Value, out.How = present(a.Live)[0].Value, HowChosen
				return out
			}
			if !s.asks() {
				out.Value, out.How = Newest(a.Live).Value, HowLatest
				return out
			}
		}
		out.Value = item.Value{}
		out.Conflict = &Conflict{Key: k, Keys: []item.Key{k}, Base: base, Sides: a.Live, Below: -1, Reason: reason(t, k, base, a.Live)}
	}
	return out
}

// alike says whether all siblings mean the same.
func alike(t item.Type, k item.Key, in []Sibling) bool {
	for _, s := range in[1:] {
		if !Same(t, k, in[0].Value, s.Value) {
			return false
		}
	}
	return true
}

// present leaves out tombstones, unless there is nothing else.
func present(in []Sibling) []Sibling {
	out := make([]Sibling, 0, len(in))
	for _, s := range in {
		if Present(s.Value) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return in
	}
	return out
}

// reason says why the sides conflict, the first in dot order being local.
func reason(t item.Type, k item.Key, base *Sibling, sides []Sibling) merge.Reason {
	r := merge.Reason{Args: map[string]string{"key": merge.Label(t, k)}}
	kept := present(sides)
	switch {
	case len(kept) < len(sides) && Present(sides[0].Value):
		r.Code = merge.ChangedRemoved
	case len(kept) < len(sides):
		r.Code = merge.RemovedChanged
	case k.Lane == item.LaneOrder:
		r.Code = merge.OrderDiffers
	case k.Lane != item.LaneValue:
		r.Code = merge.CommentDiffers
	case base == nil || !Present(base.Value):
		r.Code = merge.BothAdded
	case kept[0].Value.Kind == item.Text:
		r.Code = merge.TextDiffers
	default:
		r.Code = merge.BothChanged
	}
	return r
}
