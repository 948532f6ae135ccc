package state_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"plait/backend/item"
	"plait/backend/state"
)

// TestSiblings is S1, S2 and I2: whatever arrives in whatever order, each device
// has, at any time, exactly the writes that no write it knows replaced.
func TestSiblings(t *testing.T) {
	for seed := range uint64(scaled(400)) {
		w := newWorld(rand.New(rand.NewPCG(seed, 1)), 2+int(seed%4), honest)
		w.run(t, 60, func(d *device) {
			if err := w.log.Check(doc, d.it, d.v); err != nil {
				t.Fatalf("seed %d, device %s: %v", seed, d.name, err)
			}
		})
		for _, d := range w.all {
			if len(d.wait) > 0 {
				t.Fatalf("seed %d, device %s: %d entries wait for ever", seed, d.name, len(d.wait))
			}
			if err := w.log.Check(doc, d.it, nil); err != nil {
				t.Fatalf("seed %d, device %s: %v", seed, d.name, err)
			}
			if !same(d.it, w.all[0].it) {
				t.Fatalf("seed %d: devices %s and %s differ", seed, d.name, w.all[0].name)
			}
		}
	}
}

// same compares states by their bytes, which tell any difference.
func same(a, b *state.Item) bool { return string(a.Marshal()) == string(b.Marshal()) }

// TestJoin is S3: snapshots taken anywhere, anytime, join under the laws, and
// joining is what applying all the entries would have been.
func TestJoin(t *testing.T) {
	type snapshot struct {
		it *state.Item
		v  item.Vector
	}
	join := func(a, b snapshot) snapshot {
		v := a.v.Clone()
		v.Join(b.v)
		return snapshot{state.Join(a.it, b.it, a.v, b.v), v}
	}
	for seed := range uint64(scaled(300)) {
		r := rand.New(rand.NewPCG(seed, 2))
		w := newWorld(r, 2+int(seed%4), honest)
		var taken []snapshot
		w.run(t, 60, func(d *device) {
			if r.IntN(3) == 0 {
				taken = append(taken, snapshot{d.it.Clone(), d.v.Clone()})
			}
		})
		check := func(law string, x, y snapshot) {
			t.Helper()
			if !same(x.it, y.it) || !reflect.DeepEqual(x.v, y.v) {
				t.Fatalf("seed %d: %s", seed, law)
			}
		}
		for range 20 {
			a, b, c := taken[r.IntN(len(taken))], taken[r.IntN(len(taken))], taken[r.IntN(len(taken))]
			before := string(a.it.Marshal())
			ab := join(a, b)
			check("a∨a ≠ a", join(a, a), a)
			check("a∨b ≠ b∨a", ab, join(b, a))
			check("(a∨b)∨c ≠ a∨(b∨c)", join(ab, c), join(a, join(b, c)))
			check("(a∨b)∨b ≠ a∨b", join(ab, b), ab)
			if string(a.it.Marshal()) != before {
				t.Fatalf("seed %d: joining changed a side", seed)
			}
			if err := w.log.Check(doc, ab.it, ab.v); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			check("joined ≠ applied", ab, replay(w, ab.v))
		}
	}
}

// replay applies every entry that v covers, in causal order.
func replay(w *world, v item.Vector) (s struct {
	it *state.Item
	v  item.Vector
}) {
	d := &device{v: item.Vector{}, it: &state.Item{}}
	for _, from := range w.all {
		d.wait = append(d.wait, from.sent[:v[from.self].Seq]...)
	}
	d.receive(nil)
	s.it, s.v = d.it, d.v
	return s
}

// TestJoinAfterPrune joins states that pruned at different times: siblings are
// those of I2 all the same, and the laws hold.
func TestJoinAfterPrune(t *testing.T) {
	for seed := range uint64(scaled(200)) {
		r := rand.New(rand.NewPCG(seed, 3))
		w := newWorld(r, 3, honest)
		w.run(t, 60, func(d *device) {
			switch r.IntN(6) {
			case 0: // what every device has applied may go
				d.it.Prune(func(dot item.Dot) bool {
					for _, other := range w.all {
						if !other.v.Covers(dot) {
							return false
						}
					}
					return true
				})
			case 1: // a whole state instead of entries
				other := w.all[r.IntN(len(w.all))]
				d.it = state.Join(d.it, other.it, d.v, other.v)
				d.v.Join(other.v)
			}
			if err := w.log.Check(doc, d.it, d.v); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		})
		for _, d := range w.all {
			if err := w.log.Check(doc, d.it, nil); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

// TestPruneShowsTheSame is S5: pruning changes nothing that is shown, conflicts
// and their bases included.
func TestPruneShowsTheSame(t *testing.T) {
	for seed := range uint64(scaled(300)) {
		r := rand.New(rand.NewPCG(seed, 4))
		w := newWorld(r, 2+int(seed%3), honest)
		w.run(t, 50, nil)
		d := w.all[0]
		whole := state.View(item.Settings, d.it, nil)
		pruned := d.it.Clone()
		pruned.Prune(func(item.Dot) bool { return true })
		if got := state.View(item.Settings, pruned, nil); fmt.Sprint(meaning(got)) != fmt.Sprint(meaning(whole)) {
			t.Fatalf("seed %d: pruned shows\n%v, want\n%v", seed, meaning(got), meaning(whole))
		}
		// And later: somebody edits a side, having seen all.
		for _, x := range w.all {
			w.show(x)
		}
		e := w.all[1]
		w.edit(t, e)
		last := e.sent[len(e.sent)-1]
		pruned.Apply(last, last.Writes[0])
		d.apply(last)
		if got, want := state.View(item.Settings, pruned, nil), state.View(item.Settings, d.it, nil); fmt.Sprint(meaning(got)) != fmt.Sprint(meaning(want)) {
			t.Fatalf("seed %d: after another edit pruned shows\n%v, want\n%v", seed, meaning(got), meaning(want))
		}
	}
}

// meaning is what a view says, without pointers.
func meaning(view map[item.Key]state.Shown) map[string]string {
	out := map[string]string{}
	for k, s := range view {
		text := fmt.Sprintf("%d %s %d dots, how %d", s.Value.Kind, s.Value.Data, len(s.Dots), s.How)
		if c := s.Conflict; c != nil {
			text += fmt.Sprintf(", conflict %v of %d sides, below %d, %s", c.Keys, len(c.Sides), c.Below, c.Reason.Code)
			if c.Base != nil {
				text += fmt.Sprintf(", base %s %s", c.Base.Dot, c.Base.Value.Data)
			}
		}
		out[fmt.Sprint(k)] = text
	}
	return out
}
