package state_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"plait/backend/item"
	"plait/backend/state"
	"plait/backend/state/statetest"
)

// scaled multiplies a number of cases by PLAIT_SCALE.
func scaled(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("PLAIT_SCALE"), 64); err == nil && f > 0 {
		return max(1, int(float64(n)*f))
	}
	return n
}

const doc = item.Name("default/settings")

func key(path string) item.Key { return item.Key{Lane: item.LaneValue, Path: path} }

func jsonValue(s string) item.Value { return item.Value{Kind: item.JSON, Data: []byte(s)} }

func textValue(s string) item.Value { return item.Value{Kind: item.Text, Data: []byte(s)} }

// broken says which rule a device breaks.
type broken int

const (
	honest       broken = iota
	anyOrder            // applies entries as they happen to arrive
	adoptsVector        // raises its vector by what a head claims
	basisAnew           // computes what its disk stands for from the state
)

// A device is a model of one, with one replica of one item.
type device struct {
	name  string
	how   broken
	self  item.Author
	v     item.Vector
	it    *state.Item
	basis map[item.Key][]item.Dot
	wait  []*item.Entry
	sent  []*item.Entry // its journal
	heads []item.Vector // its vector after each of its entries
}

// A world is devices that exchange journals in any order and any part.
type world struct {
	r     *rand.Rand
	log   *statetest.Log
	all   []*device
	keys  []item.Key
	count int
}

func newWorld(r *rand.Rand, n int, how broken) *world {
	w := &world{r: r, log: statetest.New()}
	for i := range n {
		var id item.Device
		id[15] = byte(i + 1)
		w.all = append(w.all, &device{
			name: string(rune('a' + i)), how: how, self: item.Author{Device: id, Inc: uint64(i) * 7},
			v: item.Vector{}, it: &state.Item{}, basis: map[item.Key][]item.Dot{},
		})
	}
	for i := range 1 + r.IntN(4) {
		w.keys = append(w.keys, key(fmt.Sprintf("/k%d", i)))
	}
	return w
}

func entryHash(e *item.Entry) item.Hash { return sha256.Sum256([]byte(e.Dot().String())) }

// write makes, records and applies an entry of d with one write.
func (w *world) write(d *device, k item.Key, v item.Value, a item.Action, replaces []item.Dot) *item.Entry {
	w.count++
	e := &item.Entry{Author: d.self, Seq: uint64(len(d.sent) + 1), Time: item.HLC(w.count), Deps: d.v.Clone(), Action: a,
		Writes: []item.Write{{Item: doc, Key: k, Value: v, Replaces: replaces}}}
	delete(e.Deps, d.self)
	if n := len(d.sent); n > 0 {
		e.Prev = entryHash(d.sent[n-1])
	}
	d.sent = append(d.sent, e)
	d.apply(e)
	d.heads = append(d.heads, d.v.Clone())
	return e
}

func (d *device) apply(e *item.Entry) {
	for _, w := range e.Writes {
		d.it.Apply(e, w)
	}
	if d.v[e.Author].Seq < e.Seq { // always, unless the device is broken
		state.Advance(d.v, e, entryHash(e))
	}
}

// edit is a person changing the disk.
func (w *world) edit(t testing.TB, d *device) {
	k := w.keys[w.r.IntN(len(w.keys))]
	v := jsonValue(strconv.Itoa(w.count + 1))
	if w.r.IntN(6) == 0 {
		v = item.Value{}
	}
	replaces := d.basis[k]
	if d.how == basisAnew && d.it.Atoms[k] != nil {
		replaces = d.it.Atoms[k].Dots()
	}
	e := w.write(d, k, v, item.Edit, replaces)
	d.basis[k] = []item.Dot{e.Dot()}
	if err := w.log.RecordFrom(d.name, e); err != nil && d.how == honest {
		t.Fatal(err)
	}
}

// decide is a person deciding a conflict.
func (w *world) decide(t testing.TB, d *device) {
	k := w.keys[w.r.IntN(len(w.keys))]
	a := d.it.Atoms[k]
	if a == nil || len(a.Live) < 2 {
		return
	}
	e := w.write(d, k, a.Live[w.r.IntN(len(a.Live))].Value, item.Resolve, a.Dots())
	if err := w.log.Record(e); err != nil {
		t.Fatal(err)
	}
}

// pull brings some of another's journal, from anywhere in it, shuffled and repeated.
func (w *world) pull(d, from *device) {
	if len(from.sent) == 0 {
		return
	}
	upTo := 1 + w.r.IntN(len(from.sent))
	if d.how == adoptsVector && w.r.IntN(4) == 0 {
		d.v.Join(from.heads[upTo-1])
	}
	first := w.r.IntN(upTo)
	batch := append([]*item.Entry(nil), from.sent[first:upTo]...)
	batch = append(batch, batch[w.r.IntN(len(batch))])
	w.r.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	d.receive(batch)
}

// pullAll brings all of another's journal.
func (d *device) pullAll(from *device) { d.receive(from.sent) }

func (d *device) receive(batch []*item.Entry) {
	d.wait = append(d.wait, batch...)
	if d.how == anyOrder {
		for _, e := range d.wait {
			d.apply(e)
		}
		d.wait = nil
		return
	}
	for again := true; again; {
		again = false
		left := d.wait[:0:0]
		for _, e := range d.wait {
			switch err := state.CanApply(d.v, e); err {
			case nil:
				d.apply(e)
				again = true
			case state.ErrKnown:
			default:
				left = append(left, e)
			}
		}
		d.wait = left
	}
}

// show writes to the disk what is not in conflict, and its own side of what is.
func (w *world) show(d *device) {
	for k, a := range d.it.Atoms {
		on := a.Live
		if len(on) > 1 {
			on = a.Descending(d.basis[k])
		}
		if len(on) == 1 {
			d.basis[k] = []item.Dot{on[0].Dot}
			w.log.Applied(d.name, doc, k, d.basis[k])
		}
	}
}

// run takes steps random steps, then brings everything everywhere.
func (w *world) run(t testing.TB, steps int, each func(*device)) {
	for range steps {
		d := w.all[w.r.IntN(len(w.all))]
		switch n := w.r.IntN(10); {
		case n < 3:
			w.edit(t, d)
		case n < 4:
			w.decide(t, d)
		case n < 8:
			w.pull(d, w.all[w.r.IntN(len(w.all))])
		default:
			w.show(d)
		}
		if each != nil {
			each(d)
		}
	}
	for range len(w.all) {
		for _, d := range w.all {
			for _, from := range w.all {
				d.pullAll(from)
			}
		}
	}
}
