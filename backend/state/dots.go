package state

import (
	"cmp"
	"slices"
	"strings"

	"plait/backend/item"
)

// CompareKeys orders keys by path, then by lane. A path comes before those below it.
func CompareKeys(a, b item.Key) int {
	return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Lane, b.Lane))
}

func find(in []Sibling, d item.Dot) (int, bool) {
	return slices.BinarySearchFunc(in, d, func(s Sibling, d item.Dot) int { return s.Dot.Compare(d) })
}

// insert returns in with s at its place. It never writes into in's array, which
// another state may share.
func insert(in []Sibling, s Sibling) []Sibling {
	i, _ := find(in, s.Dot)
	out := make([]Sibling, 0, len(in)+1)
	return append(append(append(out, in[:i]...), s), in[i:]...)
}

func dots(in []Sibling) []item.Dot {
	out := make([]item.Dot, len(in))
	for i, s := range in {
		out[i] = s.Dot
	}
	return out
}

// sorted returns the dots in dot order, each once, in an array of its own.
func sorted(in []item.Dot) []item.Dot {
	if len(in) == 0 {
		return nil
	}
	out := slices.Clone(in)
	slices.SortFunc(out, item.Dot.Compare)
	return slices.Compact(out)
}

func union(a, b []item.Dot) []item.Dot { return sorted(slices.Concat(a, b)) }

// Later says whether a wins over b where the latest wins: the hybrid clock
// decides, ties go to the higher dot.
func Later(a, b Sibling) bool {
	if a.Time != b.Time {
		return a.Time > b.Time
	}
	return a.Dot.Compare(b.Dot) > 0
}

// Newest is the latest of siblings; there must be one.
func Newest(in []Sibling) Sibling {
	best := in[0]
	for _, s := range in[1:] {
		if Later(s, best) {
			best = s
		}
	}
	return best
}
