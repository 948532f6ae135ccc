package localdb

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// A crash before a commit leaves nothing of it, one after it all; either way the
// database is out of use until it is opened again.
func TestMemoryCrash(t *testing.T) {
	crash := errors.New("crash")
	for _, panics := range []bool{false, true} {
		for at := 1; at <= 4; at++ {
			t.Run(fmt.Sprintf("panic=%v point=%d", panics, at), func(t *testing.T) {
				m := NewMemory()
				m.SetHook(func(point int, committed bool) error {
					if committed != (point%2 == 0) {
						t.Errorf("point %d: committed %v", point, committed)
					}
					if point != at {
						return nil
					}
					if panics {
						panic(crash)
					}
					return crash
				})
				done := 0
				func() {
					defer func() {
						if p := recover(); (p != nil) != panics {
							t.Errorf("panic %v", p)
						}
					}()
					for i := range 2 {
						err := m.Update(func(tx Tx) error { return tx.Set("n", fmt.Append(nil, i+1)) })
						if err != nil {
							if !errors.Is(err, crash) || !errors.Is(err, ErrBroken) {
								t.Errorf("got %v", err)
							}
							return
						}
						done++
					}
				}()
				if err := m.Update(func(Tx) error { return nil }); !errors.Is(err, ErrBroken) {
					t.Errorf("update after a crash: %v", err)
				}
				m.Reopen()
				all, err := Dump(m)
				if err != nil {
					t.Fatal(err)
				}
				if want := fmt.Sprint(at / 2); string(all["n"]) != want && at > 1 {
					t.Errorf("got %q, want %q", all["n"], want)
				}
				if m.Points() != at || done != (at-1)/2 {
					t.Errorf("%d points, %d acknowledged", m.Points(), done)
				}
				m.SetHook(nil)
				setKey(t, m, "n", "after")
			})
		}
	}
}

func TestMemoryFull(t *testing.T) {
	m := NewMemory()
	m.SetHook(func(int, bool) error { return ErrFull })
	if err := m.Update(func(tx Tx) error { return tx.Set("a", nil) }); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	m.SetHook(nil)
	setKey(t, m, "a", "1") // nothing is broken
}

func TestClone(t *testing.T) {
	m := NewMemory()
	setKey(t, m, "a", "1")
	c := m.Clone(Info{Copied: true})
	setKey(t, m, "a", "2")
	setKey(t, c, "b", "3")
	got, _ := Dump(c)
	if string(got["a"]) != "1" || string(got["b"]) != "3" {
		t.Errorf("clone: %q", got)
	}
	if i := c.Info(); i != (Info{Copied: true, Counter: 2}) {
		t.Errorf("clone: %+v", i)
	}
	if err := c.Accept(); err != nil || c.Info() != (Info{Counter: 3}) {
		t.Errorf("accepted: %+v, %v", c.Info(), err)
	}
	if got, _ := Dump(m); string(got["a"]) != "2" || len(got) != 1 {
		t.Errorf("original: %q", got)
	}
}

func TestTreap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var root *node
	all := map[string][]byte{}
	for range 3000 {
		k := fmt.Sprint(r.IntN(500))
		if r.IntN(3) == 0 {
			delete(all, k)
			root = root.without(k)
		} else {
			all[k] = []byte(k)
			root = root.with(k, []byte(k))
		}
	}
	var keys []string
	root.scan("", func(k string, _ []byte) error { keys = append(keys, k); return nil })
	if want := slices.Sorted(maps.Keys(all)); !slices.Equal(keys, want) {
		t.Fatalf("%d keys, want %d", len(keys), len(want))
	}
	var deep func(*node) int
	deep = func(n *node) int {
		if n == nil {
			return 0
		}
		return 1 + max(deep(n.left), deep(n.right))
	}
	if d := deep(root); d > 40 {
		t.Errorf("%d deep", d)
	}
}
