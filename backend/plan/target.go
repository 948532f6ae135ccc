package plan

import (
	"maps"
	"slices"

	"plait/backend/item"
	"plait/backend/state"
)

// Targeted is what a disk should hold.
type Targeted struct {
	Want      map[item.Key]item.Value // all atoms; what is not here is not to be there
	Basis     Basis                   // what the disk stands for once Want is on it; see ReadBack
	Conflicts []Open                  // by key
	Changed   bool                    // the disk differs from Want in meaning. Layouts alone never do
}

// Open is a conflict that waits, as seen from this replica.
type Open struct {
	Layer    item.Name
	Conflict *state.Conflict
	Own      int // which side this disk has; -1: none of them
}

// Target says what a disk should hold: the topmost layer's shown value, or nothing
// where that is a tombstone or "absent here".
//
// Where an upper layer has a value at a path and a lower one below it, or the other way
// round, the upper layer's is wanted: both can't be in one document.
//
// Of an atom in conflict a disk keeps its own side: the only sibling that descends
// from its basis. If none or several do, it stays as it is. An empty replica (no
// basis, nothing on disk) gets the latest. In a subtree's conflict no atom leaves
// the disk and none comes that it has not; those that are there follow their side.
//
// An atom whose disk value is not what the basis says was not recorded yet, and
// stays; so does one that no layer knows, unless its layer's vector says that it
// was removed and collected.
func Target(t item.Type, layers []Layer, disk map[item.Key]item.Value, basis Basis) Targeted {
	tg := targeter{
		t: t, layers: layers, disk: disk, basis: basis,
		empty: len(basis) == 0 && len(disk) == 0,
		out:   Targeted{Want: make(map[item.Key]item.Value, len(disk)), Basis: make(Basis, len(disk))},
	}
	keys := make([]item.Key, 0, len(disk)+len(basis))
	keys = slices.AppendSeq(keys, maps.Keys(disk))
	keys = slices.AppendSeq(keys, maps.Keys(basis))
	for _, l := range layers {
		keys = slices.AppendSeq(keys, maps.Keys(l.Shown))
	}
	keys = inOrder(keys)
	for _, k := range keys {
		tg.atom(k)
	}
	tg.orphans(keys)
	tg.changed(keys)
	return tg.out
}

type targeter struct {
	t      item.Type
	layers stack
	disk   map[item.Key]item.Value
	basis  Basis
	empty  bool
	out    Targeted
}

func (tg *targeter) atom(k item.Key) {
	at, shown, held := tg.layers.holder(k)
	layer := tg.layers[at]
	if !held && shown.Dots == nil {
		// Only upper layers know it, as removed there, or nobody does.
		if b, ok := tg.basis[k]; ok {
			if l, ok := tg.layers.named(b.Layer); ok {
				layer = l
				shown = l.Shown[k]
			}
		}
	}
	if at > 0 && k.Lane == item.LaneValue && tg.recorded(k) && tg.layers.shadowed(at, k, shown) {
		tg.shadow(k, layer, shown)
		return
	}
	if shown.Conflict != nil {
		tg.conflict(k, layer, shown)
		return
	}
	if !tg.recorded(k) && !(held && tg.same(k, tg.disk[k], shown.Value)) {
		tg.stay(k)
		return
	}
	if shown.Dots == nil {
		tg.unknown(k, layer)
		return
	}
	tg.take(k, layer.Name, shown.Value, shown.Dots)
}

// shadow leaves an atom off the disk for which an upper layer's value leaves no place.
// The basis says that it is not there, which is no edit.
func (tg *targeter) shadow(k item.Key, layer Layer, shown state.Shown) {
	b, had := tg.basis[k]
	switch {
	case had && b.Layer == layer.Name:
		tg.out.Basis[k] = BasisAtom{b.Layer, item.Value{}, b.Dots}
	case shown.Conflict == nil && shown.Dots != nil:
		tg.out.Basis[k] = BasisAtom{layer.Name, item.Value{}, shown.Dots}
	}
}

// recorded says whether the disk has what the basis says. Layouts always count as
// recorded: each disk has its own, and Render keeps it.
func (tg *targeter) recorded(k item.Key) bool {
	return k.Lane == item.LaneSkeleton || tg.same(k, tg.disk[k], tg.basis[k].Value)
}

func (tg *targeter) same(k item.Key, disk, v item.Value) bool { return sameOnDisk(tg.t, k, disk, v) }

// take wants a value, which stands for dots; as the disk has it, where that means
// the same.
func (tg *targeter) take(k item.Key, layer item.Name, v item.Value, dots []item.Dot) {
	have, on := present(tg.disk, k)
	switch {
	case !state.Present(v):
		v = item.Value{}
	case on && k.Lane != item.LaneSkeleton && tg.same(k, have, v):
		v = have
		tg.out.Want[k] = v
	default:
		tg.out.Want[k] = v
	}
	tg.out.Basis[k] = BasisAtom{layer, v, dots}
}

// stay wants what is there.
func (tg *targeter) stay(k item.Key) {
	if v, on := present(tg.disk, k); on {
		tg.out.Want[k] = v
	}
	if b, ok := tg.basis[k]; ok {
		tg.out.Basis[k] = b
	}
}

// unknown decides an atom that its layer's state does not have.
func (tg *targeter) unknown(k item.Key, layer Layer) {
	b, ok := tg.basis[k]
	collected := ok && layer.Vector != nil && len(b.Dots) > 0 &&
		!slices.ContainsFunc(b.Dots, func(d item.Dot) bool { return !layer.Vector.Covers(d) })
	if !collected {
		tg.stay(k)
	}
}

// conflict decides an atom that waits for a decision.
func (tg *targeter) conflict(k item.Key, layer Layer, shown state.Shown) {
	c := shown.Conflict
	atom := layer.atom(k)
	b := tg.basis[k]
	var own []state.Sibling
	switch {
	case !tg.recorded(k):
	case tg.empty:
		own = tg.latest(c, k, atom)
	case b.Layer == layer.Name:
		own = atom.Descending(b.Dots)
		if c.Below >= 0 {
			own = presentOnly(own)
			if b.Value.Kind == item.Absent {
				own = nil // not on this disk's side
			}
		}
	}
	if len(own) == 1 {
		tg.take(k, layer.Name, own[0].Value, []item.Dot{own[0].Dot})
	} else {
		tg.stay(k)
	}
	if k == c.Key {
		tg.out.Conflicts = append(tg.out.Conflicts, Open{layer.Name, c, -1})
	}
	tg.side(k, c, own)
}

// latest is what an empty replica gets: the latest side's writes.
func (tg *targeter) latest(c *state.Conflict, k item.Key, atom *state.Atom) []state.Sibling {
	newest := state.Newest(c.Sides)
	switch {
	case c.Below < 0:
		return []state.Sibling{newest}
	case (k == c.Key) != (newest.Dot != c.Sides[c.Below].Dot):
		return nil // of the other side
	}
	if in := presentOnly(atom.Live); len(in) > 0 {
		return []state.Sibling{state.Newest(in)}
	}
	return nil
}

// side remembers which side of its conflict the disk has.
func (tg *targeter) side(k item.Key, c *state.Conflict, own []state.Sibling) {
	if len(own) != 1 {
		return
	}
	i := slices.IndexFunc(tg.out.Conflicts, func(o Open) bool { return o.Conflict == c })
	if i < 0 || tg.out.Conflicts[i].Own >= 0 {
		return
	}
	if k != c.Key {
		tg.out.Conflicts[i].Own = c.Below
		return
	}
	tg.out.Conflicts[i].Own = slices.IndexFunc(c.Sides, func(s state.Sibling) bool { return s.Dot == own[0].Dot })
}

func presentOnly(in []state.Sibling) []state.Sibling {
	return slices.DeleteFunc(slices.Clone(in), func(s state.Sibling) bool { return !state.Present(s.Value) })
}

// orphans leaves out comments whose owner is not wanted: they have no place. The
// basis says that they are not on this disk, which is no edit.
func (tg *targeter) orphans(keys []item.Key) {
	owned := make(map[string]bool, len(tg.out.Want)+1)
	owned[""] = true // the document itself
	for k := range tg.out.Want {
		if k.Lane != item.LaneValue {
			continue
		}
		owned[k.Path] = true
		for p := k.Path; !owned[up(p)]; {
			p = up(p)
			owned[p] = true
		}
	}
	for _, k := range keys {
		v, wanted := tg.out.Want[k]
		if !wanted || (k.Lane != item.LaneComment && k.Lane != item.LaneTrail) || owned[k.Path] || owned[owner(k.Path)] {
			continue
		}
		b := tg.out.Basis[k]
		if _, on := present(tg.disk, k); on && !tg.same(k, v, b.Value) {
			continue // not recorded yet
		}
		delete(tg.out.Want, k)
		b.Value = item.Value{}
		tg.out.Basis[k] = b
	}
}

// changed compares what is wanted with what is there.
func (tg *targeter) changed(keys []item.Key) {
	for _, k := range keys {
		want, have := tg.out.Want[k], tg.disk[k]
		if k.Lane == item.LaneSkeleton || tg.same(k, have, want) {
			continue
		}
		if k.Lane == item.LaneOrder {
			// An order that was applied as far as this disk's elements allow is applied.
			b, n := tg.basis[k], tg.out.Basis[k]
			if want.Kind == item.Absent || b.Layer == n.Layer && slices.Equal(b.Dots, n.Dots) {
				continue
			}
		}
		tg.out.Changed = true
		return
	}
}

// ReadBack is the basis after Want was applied and the disk read again. An atom
// that is as wanted moves to its new dots; any other (it could not be applied)
// keeps its basis, and is wanted again. Of layouts and orders a disk has what its
// own elements make of them: they move as they are.
func (tg Targeted) ReadBack(t item.Type, old Basis, disk map[item.Key]item.Value) Basis {
	out := make(Basis, len(tg.Basis))
	for k, b := range tg.Basis {
		have := disk[k]
		was, had := old[k]
		switch {
		case k.Lane == item.LaneSkeleton || k.Lane == item.LaneOrder || state.Same(t, k, have, b.Value):
			out[k] = BasisAtom{b.Layer, have, b.Dots}
		case had:
			out[k] = was
		}
	}
	// Atoms that were to go and did not keep their basis too.
	for k, was := range old {
		if _, moved := tg.Basis[k]; !moved {
			if _, on := present(disk, k); on {
				out[k] = was
			}
		}
	}
	return out
}
