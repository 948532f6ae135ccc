package plan

import "strings"

// up is the path above p; "" is above all.
func up(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

// below says whether path lies below top.
func below(path, top string) bool {
	return len(path) > len(top) && path[:len(top)] == top && path[len(top)] == '/'
}

// slots are how the paths of comments end that stand inside a container or before a
// section of it, not before a key (merge's own names for them).
var slots = [...]string{"//section", "//header", "//footer"}

// owner is the path of what a comment belongs to.
func owner(path string) string {
	for _, s := range slots {
		if p, ok := strings.CutSuffix(path, s); ok {
			return p
		}
	}
	return path
}
