package merge

import (
	"bytes"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// Same says whether two values of one atom mean the same: JSON whatever its white
// space, number and string forms and key order, but with the same comments; an
// order if what both name stands alike; all else byte for byte. Of a file's
// permission bits only the owner's execute bit counts.
func Same(t item.Type, k item.Key, a, b item.Value) bool {
	if a.Kind != b.Kind || (a.Mode^b.Mode)&0o100 != 0 {
		return false
	}
	switch a.Kind {
	case item.Absent, item.Hidden:
		return true
	case item.Blob:
		return a.Large != nil && b.Large != nil && a.Large.Hash == b.Large.Hash
	}
	if bytes.Equal(a.Data, b.Data) {
		return true
	}
	if k.Lane == item.LaneOrder {
		return sameOrder(a.Data, b.Data)
	}
	return a.Kind == item.JSON && jsonc.Equal(a.Data, b.Data) && jsonc.SameComments(a.Data, b.Data)
}
