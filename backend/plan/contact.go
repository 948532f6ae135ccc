package plan

import (
	"slices"

	"plait/backend/item"
	"plait/backend/state"
)

// A Contact counts the values of a first contact, for the person to see first.
type Contact struct {
	Here, Vault int // values on the disk, in the vault
	Equal       int // on both, of equal meaning
	Add         int // here alone: go to the vault
	Get         int // in the vault alone: come here
	Conflict    int // on both, differing, or in conflict in the vault already
}

// Preview counts what first contact would do for one item. It adds to c.
func (c *Contact) Preview(t item.Type, layers []Layer, disk map[item.Key]item.Value) {
	ls := stack(layers)
	var keys []item.Key
	for k := range disk {
		keys = append(keys, k)
	}
	for _, l := range ls {
		for k := range l.Shown {
			keys = append(keys, k)
		}
	}
	for _, k := range inOrder(keys) {
		if k.Lane != item.LaneValue {
			continue
		}
		v, here := present(disk, k)
		at, shown, held := ls.holder(k)
		there := held && (shown.Conflict != nil || state.Present(shown.Value))
		if here {
			c.Here++
		}
		if there {
			c.Vault++
		}
		switch {
		case here && held:
			if _, ok := stands(t, k, ls[at], shown, v); ok && shown.Conflict == nil {
				c.Equal++
			} else {
				c.Conflict++
			}
		case here:
			c.Add++
		case there:
			c.Get++
		}
	}
}

// Recall is the basis of a replica that lost it (a restored backup): a disk value
// that is, or once was, in the atom's history takes the dots of the latest write
// that means it. Observe with contact then writes only what was never recorded.
func Recall(t item.Type, layers []Layer, disk map[item.Key]item.Value) Basis {
	ls, out := stack(layers), Basis{}
	for k, v := range disk {
		if v.Kind == item.Absent {
			continue
		}
		at, shown, _ := ls.holder(k)
		if dots, ok := stands(t, k, ls[at], shown, v); ok {
			out[k] = BasisAtom{ls[at].Name, v, dots}
			continue
		}
		for _, l := range ls[at:] {
			past := slices.DeleteFunc(slices.Clone(l.atom(k).Past), func(s state.Sibling) bool { return !sameOnDisk(t, k, v, s.Value) })
			if len(past) > 0 {
				out[k] = BasisAtom{l.Name, v, []item.Dot{state.Newest(past).Dot}}
				break
			}
		}
	}
	return out
}
