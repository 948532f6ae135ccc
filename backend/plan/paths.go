package plan

import (
	"encoding/json"
	"slices"
	"strings"

	"plait/backend/item"
)

// reordered says whether elements that both orders have stand in another order.
// An order that can't be read counts as another.
func reordered(a, b item.Value) bool {
	var as, bs []string
	if json.Unmarshal(a.Data, &as) != nil || json.Unmarshal(b.Data, &bs) != nil {
		return true
	}
	return !slices.Equal(common(as, bs), common(bs, as))
}

// common keeps what the other list has too.
func common(list, other []string) []string {
	has := make(map[string]bool, len(other))
	for _, s := range other {
		has[s] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !has[s] })
}

// up is the path above p; "" is above all.
func up(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

// owner is the path of what a comment that stands at a container's end belongs to;
// of any other comment, its own path.
func owner(k item.Key) string {
	if p, ok := strings.CutSuffix(k.Path, "//footer"); ok {
		return p // the segments "" and "footer"
	}
	return k.Path
}
