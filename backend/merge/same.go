package merge

import (
	"bytes"
	"maps"

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
	if t == item.Keybindings && a.Kind == item.JSON {
		return sameRule(a.Data, b.Data)
	}
	return a.Kind == item.JSON && jsonc.Equal(a.Data, b.Data) && jsonc.SameComments(a.Data, b.Data)
}

// sameRule compares two rules of one name: what the name says they share, however it
// is written.
func sameRule(a, b []byte) bool {
	ta, tb := tree(a), tree(b)
	if ta == nil || tb == nil || ta.Nodes[0].Kind != jsonc.Object || tb.Nodes[0].Kind != jsonc.Object {
		return jsonc.Equal(a, b) && jsonc.SameComments(a, b)
	}
	rest := func(t *jsonc.Tree) map[string]string {
		m := map[string]string{}
		for c := t.First(0); c != jsonc.None; c = t.After(c) {
			if k := t.Key(c); !named(k) {
				m[k] = string(t.Canonical(c))
			}
		}
		return m
	}
	return maps.Equal(rest(ta), rest(tb)) && jsonc.SameComments(a, b)
}

// named says whether a rule's field is part of its name.
func named(field string) bool {
	return field == "key" || field == "command" || field == "when" || field == "args"
}
