package plan_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"plait/backend/item"
	"plait/backend/plan"
	"plait/backend/state"
	"plait/backend/state/statetest"
)

// A machine is a device with one replica, run by package plan alone.
type machine struct {
	name     string
	self     item.Author
	v        item.Vector
	it       *state.Item
	sent     []*item.Entry
	disk     map[item.Key]item.Value
	basis    plan.Basis
	strategy state.Strategy
}

type fleet struct {
	t    testing.TB
	r    *rand.Rand
	log  *statetest.Log
	all  []*machine
	keys []item.Key
	time item.HLC
}

func newFleet(t testing.TB, r *rand.Rand, n int, strategy func(i int) state.Strategy) *fleet {
	f := &fleet{t: t, r: r, log: statetest.New(), keys: []item.Key{
		key("/a"), key("/b"), key("/o"), key("/o/x"), key("/o/y"), {Lane: item.LaneComment, Path: "/a"},
	}}
	for i := range n {
		f.all = append(f.all, &machine{name: string(rune('a' + i)), self: item.Author{Device: item.Device{15: byte(i + 1)}},
			v: item.Vector{}, it: &state.Item{}, disk: map[item.Key]item.Value{}, basis: plan.Basis{}, strategy: strategy(i)})
	}
	return f
}

func hash(e *item.Entry) item.Hash { return sha256.Sum256([]byte(e.Dot().String())) }

func (m *machine) view() map[item.Key]state.Shown {
	return state.View(item.Settings, m.it, state.Always(m.strategy))
}

func (m *machine) layers() []plan.Layer {
	return []plan.Layer{{Name: shared, Item: m.it, Shown: m.view(), Vector: m.v}}
}

// record makes an entry and applies it at home.
func (f *fleet) record(m *machine, a item.Action, writes []item.Write) *item.Entry {
	f.time++
	e := &item.Entry{Author: m.self, Seq: uint64(len(m.sent) + 1), Time: f.time << 16, Deps: m.v.Clone(), Action: a, Writes: writes}
	delete(e.Deps, m.self)
	if n := len(m.sent); n > 0 {
		e.Prev = hash(m.sent[n-1])
	}
	if err := state.CanApply(m.v, e); err != nil {
		f.t.Fatalf("own entry: %v", err)
	}
	m.sent = append(m.sent, e)
	m.apply(e)
	return e
}

func (m *machine) apply(e *item.Entry) {
	for _, w := range e.Writes {
		m.it.Apply(e, w)
	}
	state.Advance(m.v, e, hash(e))
}

// edit changes the disk as a person would: it stays a document.
func (f *fleet) edit(m *machine) {
	k := f.keys[f.r.IntN(len(f.keys))]
	f.time++
	v := jsonValue(strconv.Itoa(int(f.time)))
	switch {
	case k.Lane == item.LaneComment:
		v = textValue("// " + strconv.Itoa(int(f.time)))
		if _, ok := m.disk[key("/a")]; !ok {
			return
		}
	case f.r.IntN(4) == 0:
		v = item.Value{}
	case k == key("/o") && f.r.IntN(2) == 0:
		v = jsonValue("{}")
	case f.r.IntN(4) == 0:
		v = jsonValue("1") // the same as others may write
	}
	m.disk = maps.Clone(m.disk)
	for other := range m.disk { // a value and values below it can't both be there
		if k.Lane == item.LaneValue && other.Lane == item.LaneValue && other != k &&
			(bytes.HasPrefix([]byte(other.Path), []byte(k.Path+"/")) || bytes.HasPrefix([]byte(k.Path), []byte(other.Path+"/"))) {
			delete(m.disk, other)
		}
	}
	m.disk[k] = v
	if v.Kind == item.Absent {
		delete(m.disk, k)
		if k == key("/a") {
			delete(m.disk, item.Key{Lane: item.LaneComment, Path: "/a"})
		}
	}
}

// observe records the disk. With crash, the basis is lost on the way and the disk
// observed again.
func (f *fleet) observe(m *machine, crash bool) (wrote bool) {
	contact := len(m.basis) == 0
	o := plan.Observe(item.Settings, m.layers(), m.disk, m.basis, contact)
	if len(o.Writes) > 0 {
		f.adopted(m, o.Adopt)
		e := f.record(m, item.Edit, o.Writes)
		if err := f.log.RecordFrom(m.name, e); err != nil {
			f.t.Fatal(err)
		}
		if crash {
			again := plan.Observe(item.Settings, m.layers(), m.disk, m.basis, contact)
			if len(again.Writes) > 0 {
				f.t.Fatalf("%s: after a crash %v is written again", m.name, again.Writes)
			}
			m.basis = again.Basis(m.basis, item.Dot{})
			f.adopted(m, m.basis)
			return true
		}
		m.basis = o.Basis(m.basis, e.Dot())
		return true
	}
	m.basis = o.Basis(m.basis, item.Dot{})
	f.adopted(m, o.Adopt)
	return false
}

func (f *fleet) adopted(m *machine, b plan.Basis) {
	for k, a := range b {
		f.log.Applied(m.name, shared, k, a.Dots)
	}
}

// write brings the disk to what is wanted; some of it, if torn.
func (f *fleet) write(m *machine, torn bool) (changed bool) {
	tg := plan.Target(item.Settings, m.layers(), m.disk, m.basis)
	f.document(m, tg.Want)
	disk := tg.Want
	if torn {
		disk = maps.Clone(m.disk) // an editor that is open: nothing gets there
	}
	m.basis = tg.ReadBack(item.Settings, m.basis, disk)
	m.disk = disk
	f.adopted(m, m.basis)
	return tg.Changed
}

// document checks that what is wanted is one: no value above another.
func (f *fleet) document(m *machine, want map[item.Key]item.Value) {
	if _, ok := want[key("/o")]; !ok {
		return
	}
	for _, k := range []item.Key{key("/o/x"), key("/o/y")} {
		if _, ok := want[k]; ok {
			f.t.Fatalf("%s: wants a value at /o and at %s", m.name, k.Path)
		}
	}
}

func (f *fleet) settle(m *machine) (wrote bool) {
	ws := plan.Settle(m.self.Device, shared, m.it, m.view(), state.Always(m.strategy))
	if len(ws) == 0 {
		return false
	}
	if err := f.log.Record(f.record(m, item.Settle, ws)); err != nil {
		f.t.Fatal(err)
	}
	return true
}

func (f *fleet) resolve(m *machine) {
	view := m.view()
	for _, k := range slices.SortedFunc(maps.Keys(view), state.CompareKeys) {
		c := view[k].Conflict
		if c == nil {
			continue
		}
		ws, err := plan.Resolve(shared, m.it, view, c, plan.Choice{Side: f.r.IntN(len(c.Sides))})
		if err != nil {
			f.t.Fatal(err)
		}
		if err := f.log.Record(f.record(m, item.Resolve, ws)); err != nil {
			f.t.Fatal(err)
		}
		return
	}
}

// pull applies some or all of what another has sent, in causal order.
func (f *fleet) pull(m, from *machine, all bool) {
	for _, e := range from.sent {
		if !all && f.r.IntN(4) == 0 {
			return
		}
		if err := state.CanApply(m.v, e); err == nil {
			m.apply(e)
		}
	}
}

// quiesce goes round until nobody has anything to do; it fails after 50 rounds.
func (f *fleet) quiesce(what string) {
	for round := range 50 {
		busy := false
		for _, m := range f.all {
			for range f.all {
				for _, from := range f.all {
					f.pull(m, from, true)
				}
			}
			if f.observe(m, false) {
				busy = true
			}
			if f.settle(m) {
				busy = true
			}
			if f.write(m, false) {
				busy = true
			}
		}
		if !busy {
			if round > 6 {
				f.t.Logf("%s: quiet after %d rounds", what, round)
			}
			return
		}
	}
	f.t.Fatalf("%s: not quiet after 50 rounds", what)
}

// check holds all invariants of a quiet fleet.
func (f *fleet) check(what string, oneStrategy bool) {
	for _, m := range f.all {
		if err := f.log.Check(shared, m.it, nil); err != nil {
			f.t.Fatalf("%s, %s: %v", what, m.name, err)
		}
		if !bytes.Equal(m.it.Marshal(), f.all[0].it.Marshal()) {
			f.t.Fatalf("%s: %s and %s differ", what, m.name, f.all[0].name)
		}
		if o := plan.Observe(item.Settings, m.layers(), m.disk, m.basis, false); len(o.Writes) > 0 {
			f.t.Fatalf("%s, %s: still writes %v", what, m.name, o.Writes)
		}
		view := m.view()
		for k, s := range view {
			if s.Conflict != nil || !oneStrategy {
				continue
			}
			have := m.disk[k]
			if k.Lane == item.LaneComment && m.disk[key("/a")].Kind == item.Absent {
				continue
			}
			want := s.Value
			if !state.Same(item.Settings, k, have, want) {
				f.t.Fatalf("%s, %s: the disk has %v=%s, shown is %s", what, m.name, k, show(have), show(want))
			}
		}
	}
}

func (f *fleet) run(steps int) {
	for range steps {
		m := f.all[f.r.IntN(len(f.all))]
		switch n := f.r.IntN(12); {
		case n < 3:
			f.edit(m)
		case n < 6:
			f.observe(m, f.r.IntN(3) == 0)
		case n < 8:
			f.pull(m, f.all[f.r.IntN(len(f.all))], false)
		case n < 10:
			f.observe(m, false)
			f.write(m, f.r.IntN(4) == 0)
		case n < 11:
			f.settle(m)
		default:
			f.resolve(m)
		}
	}
}

// TestConverge: replicas that observe, pull, apply, fail to apply, crash between
// record and basis, resolve and settle, in any order, end equal, with exactly the
// siblings that no write replaced, and disks that hold what is shown.
func TestConverge(t *testing.T) {
	for seed := range uint64(scaled(300)) {
		r := rand.New(rand.NewPCG(seed, 9))
		f := newFleet(t, r, 2+int(seed%4), func(int) state.Strategy { return state.Merge })
		f.run(80)
		f.quiesce(fmt.Sprint("seed ", seed))
		f.check(fmt.Sprint("seed ", seed), true)
	}
}

// TestStrategiesSettle: any mix of strategies over devices settles (P5), and where
// all have one that does not ask, nothing is left to ask.
func TestStrategiesSettle(t *testing.T) {
	all := []state.Strategy{state.Merge, state.Latest, state.Local, state.Remote, state.Manual, state.MergeLatest, state.MergeLocal, state.MergeRemote}
	for seed := range uint64(scaled(400)) {
		r := rand.New(rand.NewPCG(seed, 10))
		one := all[r.IntN(len(all))]
		mixed := seed%2 == 0
		f := newFleet(t, r, 2+int(seed%4), func(int) state.Strategy {
			if mixed {
				return all[r.IntN(len(all))]
			}
			return one
		})
		what := fmt.Sprintf("seed %d, %s, mixed %v", seed, one, mixed)
		f.run(60)
		f.quiesce(what)
		f.check(what, !mixed)
		if mixed || one == state.Merge || one == state.Manual {
			continue
		}
		for k, s := range f.all[0].view() {
			if s.Conflict != nil {
				t.Fatalf("%s: %v asks", what, k)
			}
			for _, m := range f.all[1:] {
				if k.Lane == item.LaneValue && !state.Same(item.Settings, k, m.disk[k], f.all[0].disk[k]) {
					t.Fatalf("%s: %v differs on %s", what, k, m.name)
				}
			}
		}
	}
}
