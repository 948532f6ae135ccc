package plan

import (
	"slices"

	"plait/backend/item"
)

// Counts is how much a replica has, of what its basis knows.
type Counts struct {
	Root  bool        // the folder or profile is there
	Items int         // items with at least one value
	Atoms int         // values
	Cut   []item.Name // items whose file is there, but empty, and was not
}

// Count adds one item: what its basis knows to was, what of that is still on the
// disk to is. exists says whether its file is there.
func Count(was, is *Counts, name item.Name, basis Basis, disk map[item.Key]item.Value, exists bool) {
	had, have, full := 0, 0, false
	for k, b := range basis {
		if k.Lane != item.LaneValue || b.Value.Kind == item.Absent {
			continue
		}
		had++
		full = full || hasContent(b.Value)
		if _, on := present(disk, k); on {
			have++
		}
	}
	if had == 0 {
		return
	}
	was.Items++
	was.Atoms += had
	is.Atoms += have
	if have > 0 {
		is.Items++
	}
	for k, v := range disk {
		full = full && (k.Lane != item.LaneValue || !hasContent(v))
	}
	if exists && full {
		is.Cut = append(is.Cut, name)
	}
}

// hasContent says whether the value is more than an empty text.
func hasContent(v item.Value) bool {
	return len(v.Data) > 0 || v.Large != nil && v.Large.Size > 0
}

// Caught says why nothing is recorded until the person says so.
type Caught struct {
	Why                Why
	Items, Atoms       int         // lost
	HadItems, HadAtoms int         // before
	Cut                []item.Name // for WhyCut
}

// Why names a reason of the safety catch.
type Why string

const (
	WhyRoot Why = "root" // the root vanished
	WhyCut  Why = "cut"  // a file was cut to nothing
	WhyMany Why = "many" // more than a fifth and at least ten items or atoms went at once
)

// catchLeast and catchShare: a loss is caught from ten items or atoms on, if it is
// more than a fifth of them (design: safety catch).
const (
	catchLeast = 10
	catchShare = 5
)

// Catch says whether a loss is so large that the person is asked first; nil if
// not. before is what the bases know, after what of that is still there.
func Catch(before, after Counts) *Caught {
	c := &Caught{
		Items: before.Items - after.Items, Atoms: before.Atoms - after.Atoms,
		HadItems: before.Items, HadAtoms: before.Atoms,
		Cut: slices.Clone(after.Cut),
	}
	many := func(lost, had int) bool { return lost >= catchLeast && lost*catchShare > had }
	switch {
	case before.Root && !after.Root && before.Items > 0:
		c.Why = WhyRoot
	case len(after.Cut) > 0:
		c.Why = WhyCut
	case many(c.Items, before.Items), many(c.Atoms, before.Atoms):
		c.Why = WhyMany
	default:
		return nil
	}
	return c
}
