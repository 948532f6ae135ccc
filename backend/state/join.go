package state

import (
	"slices"

	"plait/backend/item"
)

// Join is the state of somebody who has seen all that a (at vector av) and b (at
// bv) have. It keeps a write if both have it, or if the other's vector does not
// cover its dot: covered and absent means replaced or collected. A write that is
// past on either side is past.
func Join(a, b *Item, av, bv item.Vector) *Item {
	out := &Item{Atoms: make(map[item.Key]*Atom, max(len(a.Atoms), len(b.Atoms)))}
	for k, x := range a.Atoms {
		if j := joinAtoms(x, b.Atoms[k], av, bv); j != nil {
			out.Atoms[k] = j
		}
	}
	for k, y := range b.Atoms {
		if _, both := a.Atoms[k]; both {
			continue
		}
		if j := joinAtoms(nil, y, av, bv); j != nil {
			out.Atoms[k] = j
		}
	}
	return out
}

// joinAtoms joins one atom, either of which may be nil; nil if nothing is left.
func joinAtoms(a, b *Atom, av, bv item.Vector) *Atom {
	if a == nil {
		a = &Atom{}
	}
	if b == nil {
		b = &Atom{}
	}
	out := &Atom{}
	keep := func(in []Sibling, past bool, other *Atom, ov item.Vector, first bool) {
		for _, s := range in {
			o, both := other.Find(s.Dot)
			switch {
			case both && !first:
				// taken when the first side was walked
			case both:
				s.ReplacedBy = union(s.ReplacedBy, o.ReplacedBy)
				out.put(s, past || len(o.ReplacedBy) > 0)
			case !ov.Covers(s.Dot):
				out.put(s, past)
			}
		}
	}
	keep(a.Live, false, b, bv, true)
	keep(a.Past, true, b, bv, true)
	keep(b.Live, false, a, av, false)
	keep(b.Past, true, a, av, false)
	if len(out.Live)+len(out.Past) == 0 {
		return nil
	}
	inOrder := func(x, y Sibling) int { return x.Dot.Compare(y.Dot) }
	slices.SortFunc(out.Live, inOrder)
	slices.SortFunc(out.Past, inOrder)
	return out
}

func (a *Atom) put(s Sibling, past bool) {
	if past {
		a.Past = append(a.Past, s)
	} else {
		a.Live = append(a.Live, s)
	}
}

// Prune drops replaced writes all of whose replacers seen accepts, and reports
// how many. seen must be true only for dots that every live device has applied,
// and that no replica's basis lags behind: a write that still names a dropped dot
// is kept, but its conflicts have no base.
//
// While an atom has several siblings, all that their bases can need stays: only
// what lies before the nearest write that all of them descend from is dropped.
// So every device shows the same, whether it has pruned yet or not.
func (it *Item) Prune(seen func(item.Dot) bool) (dropped int) {
	for _, a := range it.Atoms {
		if len(a.Past) == 0 {
			continue
		}
		needed := func(item.Dot) bool { return false }
		if len(a.Live) > 1 {
			needed = a.graph().needed()
		}
		kept := a.Past[:0:0]
		for _, s := range a.Past {
			if needed(s.Dot) || slices.ContainsFunc(s.ReplacedBy, func(d item.Dot) bool { return !seen(d) }) {
				kept = append(kept, s)
			}
		}
		dropped += len(a.Past) - len(kept)
		a.Past = kept
	}
	return dropped
}

// Collect removes atoms whose sole survivor is a tombstone that gone accepts, and
// reports how many. gone must be true only if every live device has seen the
// tombstone and retention has passed.
func (it *Item) Collect(gone func(Sibling) bool) (collected int) {
	for k, a := range it.Atoms {
		if len(a.Live) == 1 && a.Live[0].Value.Kind == item.Absent && gone(a.Live[0]) {
			delete(it.Atoms, k)
			collected++
		}
	}
	return collected
}
