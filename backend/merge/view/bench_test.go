package view

import (
	"fmt"
	"testing"
	"time"

	"plait/backend/item"
)

// conflicting is a settings document of n keys that both sides changed.
func conflicting(n int) Input {
	doc := func(v int) []byte {
		out := []byte("{\n")
		for i := range n {
			out = fmt.Appendf(out, "    // about key %d\n    \"group%d.key%d\": %d,\n", i, i%50, i, v+i)
		}
		return append(out, "    \"last\": true\n}\n"...)
	}
	return Input{Type: item.Settings, Base: doc(0), Local: doc(1), Remote: doc(2)}
}

func lines(n int) Input {
	doc := func(v int) []byte {
		var out []byte
		for i := range n {
			out = fmt.Appendf(out, "line %d\nvalue %d\n", i, v+i*10)
		}
		return out
	}
	return Input{Type: item.Prompts, Base: doc(0), Local: doc(1), Remote: doc(2)}
}

// Resolving one of many conflicts renders its own slot and no other.
func TestResolvingIsLocal(t *testing.T) {
	for _, in := range []Input{conflicting(2_000), lines(2_000)} {
		start := time.Now()
		p := build(t, in)
		built := time.Since(start)
		s := p.Session()
		ids := s.Left()
		if len(ids) != 2_000 {
			t.Fatalf("%d conflicts", len(ids))
		}
		allocs := testing.AllocsPerRun(20, func() {
			for _, o := range []OptionID{TakeRemote, TakeLocal} {
				if d, err := s.Resolve(ids[1_000], o, nil); err != nil || o == TakeRemote && len(d) != 1 {
					t.Fatal(d, err)
				}
			}
		})
		t.Logf("%s: plan in %v; %v allocations for two clicks", in.Type, built, allocs)
		if allocs > 1000 {
			t.Errorf("%v allocations for two clicks: something renders all of it", allocs)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	for name, in := range map[string]Input{"keys": conflicting(10_000), "lines": lines(10_000)} {
		p := build(b, in)
		s := p.Session()
		ids := s.Left()
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				o := []OptionID{TakeRemote, TakeLocal}[i/len(ids)%2]
				if _, err := s.Resolve(ids[i%len(ids)], o, nil); err != nil {
					b.Fatal(err)
				}
				s.RangeOf(ids[i%len(ids)])
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for name, in := range map[string]Input{"keys": conflicting(10_000), "lines": lines(10_000), "100 keys": conflicting(100)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				build(b, in).Session()
			}
		})
	}
}
