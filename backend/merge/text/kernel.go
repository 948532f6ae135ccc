package text

import (
	"unicode/utf8"

	"github.com/sergi/go-diff/diffmatchpatch"
)

const (
	// maxRunes is how many numbers have a rune of their own: Unicode's, without
	// the surrogates and U+FFFD, which go-diff's conversions would make alike.
	maxRunes = utf8.MaxRune - (0xDFFF - 0xD800 + 1) - 1

	// freely is up to how many lines, of both sides, are compared without counting.
	freely = 1 << 11

	// allowance is how many steps a comparison may take in all; a step takes a few
	// nanoseconds. Counted, so that every device gives up at the same place.
	allowance = 1 << 24
)

// toRune gives the n-th number its rune.
func toRune(n int32) rune {
	r := rune(n)
	if r >= 0xD800 {
		r += 0xDFFF - 0xD800 + 1
	}
	if r >= utf8.RuneError {
		r++
	}
	return r
}

// kernel finds a longest common subsequence, and calls same for each pair of its
// elements, in order. It never sees a timeout: go-diff's would make the result
// depend on the machine's speed.
func kernel(a, b []rune, same func(i, j int)) {
	d := diffmatchpatch.New()
	d.DiffTimeout = 0
	i, j := 0, 0
	for _, e := range d.DiffMainRunes(a, b, false) {
		n := utf8.RuneCountInString(e.Text)
		switch e.Type {
		case diffmatchpatch.DiffDelete:
			i += n
		case diffmatchpatch.DiffInsert:
			j += n
		case diffmatchpatch.DiffEqual:
			for range n {
				same(i, j)
				i, j = i+1, j+1
			}
		}
	}
}

// cost counts the steps that the kernel would take for a and b, roughly, and
// stops counting above limit. It walks Myers' greedy algorithm (An O(ND)
// Difference Algorithm, 1986) forward without recording the way; and go-diff's
// search for the shorter inside the longer, which is plain and can be quadratic.
func cost(a, b []rune, limit int) int {
	steps := searchCost(a, b, limit)
	v := []int{0, 0, 0} // furthest x on diagonal k, at k+len/2
	for d := 0; steps <= limit; d++ {
		if need := 2*d + 3; len(v) < need {
			grown := make([]int, 2*need+1)
			copy(grown[(len(grown)-len(v))/2:], v)
			v = grown
		}
		mid := len(v) / 2
		for k := -d; k <= d; k += 2 {
			x := 0
			switch {
			case d == 0:
			case k == -d || k != d && v[mid+k-1] < v[mid+k+1]:
				x = v[mid+k+1]
			default:
				x = v[mid+k-1] + 1
			}
			from := x
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			v[mid+k] = x
			steps += 1 + x - from
			if x >= len(a) && x-k >= len(b) {
				return steps
			}
		}
	}
	return steps
}

func searchCost(a, b []rune, limit int) int {
	if len(a) < len(b) {
		a, b = b, a
	}
	steps := 0
	for i := 0; i+len(b) <= len(a) && steps <= limit; i++ {
		n := 0
		for n < len(b) && a[i+n] == b[n] {
			n++
		}
		if steps += n + 1; n == len(b) {
			break
		}
	}
	return steps
}
