package plan

import (
	"slices"

	"plait/backend/item"
	"plait/backend/state"
)

// Observed is what a disk says that was not recorded.
type Observed struct {
	Writes []item.Write // by path, then lane; all for one entry
	Adopt  Basis        // what atoms stand for that have no basis, or another; before the writes
	// Atoms of the value lane among the writes.
	Added, Changed, Removed int

	disk map[item.Key]item.Value
}

// Observe compares a disk with its basis.
//
//	basis  disk       →
//	v      v            nothing
//	v      w            a write of w that replaces the basis' dots
//	v      –            a tombstone that replaces them; in an overlay "absent here"
//	–      w            a write of w, into the topmost layer that holds the key, else into the shared item
//	any    w, written   w's dots are adopted, if a sibling that descends from the basis means w:
//	                    it was recorded, but the basis not moved; or another replica made the same change
//
// Without a basis, values equal to what is shown, or to a sibling, adopt its dots;
// differing ones are written as siblings, replacing nothing; what only the state
// has is left to Target; a key that the state knows only as removed is added
// again. That is first contact, per atom. contact says that the replica as a whole
// never met the item, or lost what it knew of it: then nothing is removed, whatever
// the basis says, which is nil or what Recall found.
//
// Layouts are written along with other changes only. Orders are written if elements
// change places that were there before and still are, and of keybindings, where
// order has a meaning, when they are met first. Else both are adopted.
func Observe(t item.Type, layers []Layer, disk map[item.Key]item.Value, basis Basis, contact bool) Observed {
	o := observer{t: t, layers: layers, out: Observed{Adopt: Basis{}, disk: disk}}
	for k, v := range disk {
		if v.Kind == item.Absent {
			continue
		}
		if b, ok := basis[k]; ok {
			o.known(k, v, b)
		} else {
			o.fresh(k, v)
		}
	}
	for k, b := range basis {
		if _, on := present(disk, k); !on && !contact {
			o.known(k, item.Value{}, b)
		}
	}
	o.layouts()
	return o.out
}

// present is the disk's value of k, if it has one.
func present(disk map[item.Key]item.Value, k item.Key) (item.Value, bool) {
	v := disk[k]
	return v, v.Kind != item.Absent
}

type observer struct {
	t      item.Type
	layers stack
	out    Observed
	layout []pending // layouts that differ: written if anything else is
}

type pending struct {
	write item.Write
	adopt BasisAtom
}

// known looks at an atom that has a basis.
func (o *observer) known(k item.Key, v item.Value, b BasisAtom) {
	if state.Same(o.t, k, v, b.Value) {
		if !v.Same(b.Value) {
			// Written otherwise, or an order with other elements: what is compared next is this.
			o.out.Adopt[k] = BasisAtom{b.Layer, v, b.Dots}
		}
		return
	}
	if l, ok := o.layers.named(b.Layer); ok {
		if b.Value.Kind == item.Absent && b.Layer.Overlay() != "" && !l.holds(k) {
			o.fresh(k, v) // the overlay let go of it
			return
		}
		for _, s := range l.atom(k).Descending(b.Dots) {
			// Orders of other elements mean the same as any; only the very one was recorded.
			if sameOnDisk(o.t, k, v, s.Value) && (k.Lane != item.LaneOrder || v.Same(s.Value)) {
				o.out.Adopt[k] = BasisAtom{b.Layer, v, []item.Dot{s.Dot}}
				return
			}
		}
	}
	w := item.Write{Item: b.Layer, Key: k, Value: v, Replaces: b.Dots}
	if v.Kind == item.Absent && b.Layer.Overlay() != "" {
		w.Value = item.Value{Kind: item.Hidden}
	}
	adopt := BasisAtom{b.Layer, v, b.Dots}
	switch {
	case k.Lane == item.LaneSkeleton:
		o.layout = append(o.layout, pending{w, adopt})
	case k.Lane == item.LaneOrder && (v.Kind == item.Absent || b.Value.Kind == item.Absent):
		o.out.Adopt[k] = adopt // too few elements now, or before: nothing changed places
	default:
		o.write(w)
		o.count(k, b.Value.Kind != item.Absent, v.Kind != item.Absent)
	}
}

// fresh looks at an atom that has no basis.
func (o *observer) fresh(k item.Key, v item.Value) {
	at, shown, held := o.layers.holder(k)
	layer := o.layers[at]
	if dots, ok := stands(o.t, k, layer, shown, v); ok {
		o.out.Adopt[k] = BasisAtom{layer.Name, v, dots}
		return
	}
	w := item.Write{Item: layer.Name, Key: k, Value: v}
	if !held && len(shown.Dots) > 0 && removed(layer.atom(k)) {
		// Removed there, and here again: as if this disk had seen it go, and now added it.
		w.Replaces = shown.Dots
		o.out.Adopt[k] = BasisAtom{layer.Name, item.Value{}, shown.Dots}
	}
	switch {
	case k.Lane == item.LaneSkeleton && held:
		o.out.Adopt[k] = BasisAtom{layer.Name, v, shown.Dots} // each disk has a layout of its own
	case k.Lane == item.LaneSkeleton:
		o.layout = append(o.layout, pending{w, BasisAtom{layer.Name, v, shown.Dots}})
	case k.Lane == item.LaneOrder && !held && o.t != item.Keybindings:
		// Nobody changed it yet, and it has no meaning: the layout says it. Of rules for
		// one key the last one wins, so there the first one to come says the order.
		o.out.Adopt[k] = BasisAtom{layer.Name, v, shown.Dots}
	default:
		o.write(w)
		o.count(k, false, true)
	}
}

// removed says whether an atom has tombstones alone.
func removed(a *state.Atom) bool {
	return !slices.ContainsFunc(a.Live, func(s state.Sibling) bool { return s.Value.Kind != item.Absent })
}

// stands says which dots a disk's value stands for that was never read back here:
// those shown, or that of a sibling which means the same.
func stands(t item.Type, k item.Key, l Layer, shown state.Shown, v item.Value) ([]item.Dot, bool) {
	if shown.Conflict == nil && sameOnDisk(t, k, v, shown.Value) {
		return shown.Dots, true
	}
	for _, s := range l.atom(k).Live {
		if sameOnDisk(t, k, v, s.Value) {
			return []item.Dot{s.Dot}, true
		}
	}
	return nil, false
}

// sameOnDisk says whether a disk that has v has what a write of w asks for.
func sameOnDisk(t item.Type, k item.Key, v, w item.Value) bool {
	if w.Kind == item.Hidden {
		w = item.Value{}
	}
	return state.Same(t, k, v, w)
}

func (o *observer) write(w item.Write) { o.out.Writes = append(o.out.Writes, w) }

func (o *observer) count(k item.Key, before, after bool) {
	switch {
	case k.Lane != item.LaneValue:
	case before && after:
		o.out.Changed++
	case after:
		o.out.Added++
	case before:
		o.out.Removed++
	}
}

// layouts writes the differing layouts if anything else is written. A layout
// alone is no edit: masks and tables change it too, and applying keeps it.
func (o *observer) layouts() {
	if len(o.out.Writes) == 0 {
		for _, p := range o.layout {
			o.out.Adopt[p.write.Key] = p.adopt
		}
		return
	}
	for _, p := range o.layout {
		o.write(p.write)
	}
	slices.SortFunc(o.out.Writes, func(a, b item.Write) int { return state.CompareKeys(a.Key, b.Key) })
}

// Basis is the basis once the writes were recorded in the entry that dot names.
func (o Observed) Basis(old Basis, dot item.Dot) Basis {
	out := old.Put(o.Adopt)
	for _, w := range o.Writes {
		out[w.Key] = BasisAtom{w.Item, o.disk[w.Key], []item.Dot{dot}}
	}
	return out
}
