// Package plan decides what to do next for one item of one replica: what the disk
// says that is not recorded (Observe), what the disk should hold (Target), what a
// strategy or a person settles (Settle, Resolve), and when to stop and ask
// (Catch). It is pure.
//
//	disk ─┐                    ┌▶ writes ─▶ entry
//	basis ┼▶ Observe, Target ──┤
//	state ┘                    └▶ wanted atoms ─▶ disk ─▶ read back ─▶ basis
//
// # Guarantees
//
//   - P1 A write of Observe replaces exactly the dots that the disk's value stands
//     for, as the basis has them. The basis is never computed anew from the state.
//   - P2 Target overwrites nothing that Observe would still record: an atom whose
//     disk value is not its basis' stays as it is.
//   - P3 Until a conflict is decided, a disk keeps its own side.
//   - P4 Only Observe, Settle, Resolve and Keep make writes. Views, masks,
//     overlays and layouts never do, and nothing here removes an atom because
//     state, basis or mask lacks it.
//   - P5 Settle ends: each of its writes replaces a sibling made by hand and is
//     none itself.
package plan

import (
	"maps"
	"slices"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/state"
)

// A BasisAtom is what a replica's disk has of one atom, as read back, and the
// writes that this stands for.
type BasisAtom struct {
	Layer item.Name  // whose dots they are: the item, or one of its overlays
	Value item.Value // Kind Absent: not on this disk
	Dots  []item.Dot // in dot order
}

// A Basis is what a replica's disk has of one item.
type Basis map[item.Key]BasisAtom

// A Layer is an item, or one of its overlays, as this replica sees it.
type Layer struct {
	Name  item.Name
	Shown map[item.Key]state.Shown
	Item  *state.Item
	// Vector is what Item has applied. Where it covers all of a basis' dots and
	// Item lacks the atom, the atom was removed and its tombstone collected.
	// Nil: not known; then such atoms stay.
	Vector item.Vector
}

// LayerNames lists the layers of a shared item for a device, topmost first.
// platform is linux, mac or windows.
func LayerNames(shared item.Name, me item.Device, platform string) []item.Name {
	collection, t, _, rest, _ := shared.Split()
	return []item.Name{
		item.NewName(collection, t, "device-"+me.String(), rest),
		item.NewName(collection, t, platform, rest),
		item.NewName(collection, t, "", rest),
	}
}

// stack is layers, topmost first; the last one is the shared item itself.
type stack []Layer

// holder is the topmost layer that holds the key. If none does, held is false, and
// it is the shared item, with the dots of what was removed there.
func (ls stack) holder(k item.Key) (at int, s state.Shown, held bool) {
	at = len(ls) - 1
	for i, l := range ls {
		if l.holds(k) {
			return i, l.Shown[k], true
		}
		if i == at {
			s = l.Shown[k]
		}
	}
	return at, s, false
}

// shadowed says whether a layer above the one at holds a value where k, which shows
// shown, has to lie in, or below k: a document can't have both, and the upper layer
// wins. Empty objects yield, as they do within a layer.
func (ls stack) shadowed(at int, k item.Key, shown state.Shown) bool {
	for _, l := range ls[:at] {
		for u, s := range l.Shown {
			if u.Lane != item.LaneValue || s.Conflict == nil && !state.Present(s.Value) {
				continue
			}
			if below(k.Path, u.Path) && !isPlace(s) || below(u.Path, k.Path) && !isPlace(shown) {
				return true
			}
		}
	}
	return false
}

// isPlace says whether an empty object is shown.
func isPlace(s state.Shown) bool {
	return s.Conflict == nil && s.Value.Kind == item.JSON && len(s.Value.Data) >= 2 && s.Value.Data[0] == '{' &&
		merge.Same(item.Settings, item.Key{}, s.Value, item.Value{Kind: item.JSON, Data: []byte("{}")})
}

// named is the layer of that name.
func (ls stack) named(n item.Name) (Layer, bool) {
	i := slices.IndexFunc(ls, func(l Layer) bool { return l.Name == n })
	if i < 0 {
		return Layer{}, false
	}
	return ls[i], true
}

// holds says whether the layer shows a value, "absent here", or a conflict.
func (l Layer) holds(k item.Key) bool {
	s, ok := l.Shown[k]
	return ok && (s.Conflict != nil || s.Value.Kind != item.Absent)
}

// atom is a layer's atom, or an empty one.
func (l Layer) atom(k item.Key) *state.Atom {
	if l.Item != nil {
		if a := l.Item.Atoms[k]; a != nil {
			return a
		}
	}
	return &state.Atom{}
}

// Clone returns a copy that may be changed without changing the basis.
func (b Basis) Clone() Basis { return maps.Clone(b) }

// Put returns the basis with what over has put over it.
func (b Basis) Put(over Basis) Basis {
	out := make(Basis, len(b)+len(over))
	maps.Copy(out, b)
	maps.Copy(out, over)
	return out
}

// inOrder lists keys in order, each once.
func inOrder(ks []item.Key) []item.Key {
	slices.SortFunc(ks, state.CompareKeys)
	return slices.Compact(ks)
}
