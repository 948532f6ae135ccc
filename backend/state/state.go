// Package state holds what an item's atoms have: the writes that no write
// replaced, and the replaced ones that a base may still need. It applies entries,
// joins whole states, and derives what is shown. It is pure.
//
//	entry ──CanApply──▶ Apply ──▶ Item ──View──▶ shown values, conflicts
//	snapshot ───────────Join────────┘
//
// # Guarantees
//
//   - S1 The live writes of an atom (its siblings) are exactly the applied
//     writes that no applied write replaced, in dot order, whatever the order in
//     which entries came, as long as each passed CanApply.
//   - S2 Apply removes exactly the dots that the write names. A write whose dot
//     the atom has already changes nothing.
//   - S3 Join is commutative, associative and idempotent, and changes neither
//     side: it keeps a write if both have it, or if the other's vector does not
//     cover its dot.
//   - S4 View is a function of type, item and strategy alone. It writes nothing,
//     and is the same on every device that has the same state.
//   - S5 A replaced write stays until Prune is told that every live device has
//     seen what replaced it, and longer where an open conflict can need it as base.
//   - S6 What Unmarshal accepts, Marshal writes again as a state of the same
//     meaning; no bytes make it panic or take memory out of proportion.
package state

import (
	"slices"

	"plait/backend/item"
)

// A Sibling is one write of one atom, as the state keeps it.
type Sibling struct {
	Dot        item.Dot
	Time       item.HLC
	Action     item.Action
	Value      item.Value
	Replaces   []item.Dot // in dot order
	ReplacedBy []item.Dot // in dot order; empty while live
}

// ByHand says whether a person made this write, as opposed to a strategy.
func (s Sibling) ByHand() bool {
	return s.Action != item.Settle && s.Action != item.Control
}

// An Atom is all that is known of one atom: its siblings, and replaced writes
// that are kept as bases. Both in dot order; no dot is in both.
type Atom struct {
	Live []Sibling
	Past []Sibling
}

// An Item is the state of one item. The zero Item is empty and ready to use.
// Values are shared between states and never changed in place.
type Item struct {
	Atoms map[item.Key]*Atom
}

// Apply applies one write of an entry. The caller guarantees causal order: the
// entry passed CanApply, and is applied whole before the next is asked about.
func (it *Item) Apply(e *item.Entry, w item.Write) {
	dot := e.Dot()
	a := it.Atoms[w.Key]
	if a == nil {
		if it.Atoms == nil {
			it.Atoms = make(map[item.Key]*Atom)
		}
		a = &Atom{}
		it.Atoms[w.Key] = a
	}
	if _, ok := find(a.Live, dot); ok {
		return
	}
	if _, ok := find(a.Past, dot); ok {
		return
	}
	s := Sibling{Dot: dot, Time: e.Time, Action: e.Action, Value: w.Value, Replaces: sorted(w.Replaces)}
	if w.Time != 0 {
		s.Time = w.Time
	}
	for _, d := range s.Replaces {
		a.replace(d, dot)
	}
	a.Live = insert(a.Live, s)
}

// replace moves the sibling named old, if the atom has it, to the past, and
// remembers what replaced it.
func (a *Atom) replace(old, by item.Dot) {
	if i, ok := find(a.Live, old); ok {
		s := a.Live[i]
		s.ReplacedBy = []item.Dot{by}
		a.Live = slices.Delete(slices.Clone(a.Live), i, i+1)
		a.Past = insert(a.Past, s)
		return
	}
	if i, ok := find(a.Past, old); ok {
		a.Past = slices.Clone(a.Past)
		a.Past[i].ReplacedBy = union(a.Past[i].ReplacedBy, []item.Dot{by})
	}
}

// Dots are the dots of the atom's siblings, in dot order.
func (a *Atom) Dots() []item.Dot { return dots(a.Live) }

// Clone returns a copy that may be changed without changing it. Values are shared.
func (it *Item) Clone() *Item {
	c := &Item{Atoms: make(map[item.Key]*Atom, len(it.Atoms))}
	for k, a := range it.Atoms {
		c.Atoms[k] = &Atom{Live: slices.Clone(a.Live), Past: slices.Clone(a.Past)}
	}
	return c
}

// Keys lists the item's keys in order: by path, then by lane.
func (it *Item) Keys() []item.Key {
	keys := make([]item.Key, 0, len(it.Atoms))
	for k := range it.Atoms {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, CompareKeys)
	return keys
}

// Find returns the write named d, live or past.
func (a *Atom) Find(d item.Dot) (Sibling, bool) {
	if i, ok := find(a.Live, d); ok {
		return a.Live[i], true
	}
	if i, ok := find(a.Past, d); ok {
		return a.Past[i], true
	}
	return Sibling{}, false
}
