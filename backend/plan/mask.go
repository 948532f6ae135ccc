package plan

import (
	"plait/backend/item"
	"plait/backend/state"
)

// Masked says whether a mask takes the key, or anything above it. A mask may be
// nil: it takes nothing.
func Masked(mask func(item.Path) bool, k item.Key) bool {
	if mask == nil {
		return false
	}
	p := k.Segments()
	for i := 1; i <= len(p); i++ {
		if mask(p[:i]) {
			return true
		}
	}
	return false
}

// Split takes apart what a mask takes from a basis. Observe and Target get seen
// alone, as they get a disk taken apart under the same mask, so a changed mask
// writes nothing; aside is put back (Put) before the basis is kept, so that an
// unmasked key is compared with what was known before.
func (b Basis) Split(mask func(item.Path) bool) (seen, aside Basis) {
	seen, aside = make(Basis, len(b)), Basis{}
	for k, a := range b {
		if Masked(mask, k) {
			aside[k] = a
		} else {
			seen[k] = a
		}
	}
	return seen, aside
}

// Unmasked is what of a view a mask leaves.
func Unmasked(mask func(item.Path) bool, view map[item.Key]state.Shown) map[item.Key]state.Shown {
	if mask == nil {
		return view
	}
	out := make(map[item.Key]state.Shown, len(view))
	for k, s := range view {
		if !Masked(mask, k) {
			out[k] = s
		}
	}
	return out
}
