package disk

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

// A walk that lists ahead comes by the same things in the same order as one that does not,
// whatever it leaves out.
func TestWalkAhead(t *testing.T) {
	for seed := range uint64(scale(30)) {
		r := rand.New(rand.NewPCG(seed, 0))
		tree := map[string][]Info{}
		var grow func(dir string, depth int)
		grow = func(dir string, depth int) {
			for n := range r.IntN(12) {
				i := Info{Path: filepath.Join(dir, fmt.Sprintf("%02d", n)), Name: fmt.Sprintf("%02d", n)}
				if depth < 5 && r.IntN(3) == 0 {
					i.Mode = fs.ModeDir
					grow(i.Path, depth+1)
				}
				tree[dir] = append(tree[dir], i)
			}
		}
		grow("/", 0)
		list := func() func(string) ([]Info, error) {
			return func(dir string) ([]Info, error) {
				if len(dir)%7 == 5 {
					return nil, fs.ErrPermission
				}
				return tree[dir], nil
			}
		}
		seen := func(workers int) (all []string) {
			err := walk("/", list, workers, func(i Info, err error) error {
				all = append(all, fmt.Sprint(i.Path, err))
				if i.Name == "03" {
					return fs.SkipDir
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		want := seen(0)
		for _, workers := range []int{1, 3} {
			if got := seen(workers); !slices.Equal(got, want) {
				t.Fatalf("seed %d, %d workers: %q, want %q", seed, workers, got, want)
			}
		}
	}
}
