package state_test

import (
	"errors"
	"strings"
	"testing"

	"plait/backend/item"
	"plait/backend/state"
)

// TestCanApply is what an entry has to be for it to be applied here and now.
func TestCanApply(t *testing.T) {
	a, b := item.Author{Device: item.Device{1}}, item.Author{Device: item.Device{2}}
	h := func(n byte) item.Hash { return item.Hash{n} }
	tip := func(seq uint64, n byte) item.Tip { return item.Tip{Seq: seq, Hash: h(n).Short()} }
	known := item.Vector{a: tip(3, 33), b: tip(5, 55)}
	good := func() *item.Entry {
		return &item.Entry{Author: a, Seq: 4, Prev: h(33), Deps: item.Vector{b: tip(5, 55)}, Writes: []item.Write{{
			Item: doc, Key: key("/x"), Value: jsonValue("1"), Replaces: []item.Dot{{Author: a, Seq: 3}, {Author: b, Seq: 5}},
		}}}
	}
	for name, c := range map[string]struct {
		change func(e *item.Entry)
		want   error
	}{
		"the next":                     {func(*item.Entry) {}, nil},
		"it saw less than we":          {func(e *item.Entry) { e.Deps[b] = tip(4, 1); e.Writes = nil }, nil},
		"the first of a journal":       {func(e *item.Entry) { e.Author, e.Seq, e.Prev, e.Writes = item.Author{Inc: 9}, 1, item.Hash{}, nil }, nil},
		"known":                        {func(e *item.Entry) { e.Seq = 3; e.Writes = nil }, state.ErrKnown},
		"one is missing between":       {func(e *item.Entry) { e.Seq = 5 }, state.ErrSkips},
		"another one before it":        {func(e *item.Entry) { e.Prev = h(34) }, state.ErrForked},
		"it saw another branch":        {func(e *item.Entry) { e.Deps[b] = tip(5, 56) }, state.ErrForked},
		"sequence 0":                   {func(e *item.Entry) { e.Seq = 0 }, state.ErrMalformed},
		"nothing before it":            {func(e *item.Entry) { e.Prev = item.Hash{} }, state.ErrMalformed},
		"a first one that has before":  {func(e *item.Entry) { e.Seq = 1; e.Writes = nil }, state.ErrMalformed},
		"it depends on itself":         {func(e *item.Entry) { e.Deps[a] = tip(4, 1) }, state.ErrMalformed},
		"it replaces itself":           {func(e *item.Entry) { e.Writes[0].Replaces[0].Seq = 4 }, state.ErrMalformed},
		"it replaces what is to come":  {func(e *item.Entry) { e.Writes[0].Replaces[1].Seq = 6 }, state.ErrMalformed},
		"it replaces nothing's dot":    {func(e *item.Entry) { e.Writes[0].Replaces[1].Seq = 0 }, state.ErrMalformed},
		"it replaces 2^63":             {func(e *item.Entry) { e.Writes[0].Replaces[0].Seq = 1 << 63 }, state.ErrMalformed},
		"a key that is no path":        {func(e *item.Entry) { e.Writes[0].Key.Path = "x" }, state.ErrMalformed},
		"a key without end":            {func(e *item.Entry) { e.Writes[0].Key.Path = "/" + strings.Repeat("x", 1<<16) }, state.ErrMalformed},
		"a tombstone with content":     {func(e *item.Entry) { e.Writes[0].Value.Kind = item.Absent }, state.ErrMalformed},
		"a kind of value of tomorrow":  {func(e *item.Entry) { e.Writes[0].Value.Kind = 77 }, state.ErrNewer},
		"a large value without chunks": {func(e *item.Entry) { e.Writes[0].Value = item.Value{Kind: item.Blob} }, state.ErrMalformed},
	} {
		e := good()
		c.change(e)
		if err := state.CanApply(known, e); !errors.Is(err, c.want) {
			t.Errorf("%s: err = %v, want %v", name, err, c.want)
		}
	}
	e := good()
	e.Deps[b] = tip(6, 66)
	var missing *state.Missing
	if err := state.CanApply(known, e); !errors.As(err, &missing) || missing.Dot != (item.Dot{Author: b, Seq: 6}) || missing.Hash != h(66).Short() {
		t.Errorf("err = %v, want the dot that is missing, and its hash", err)
	}
}

// TestApplyTwice: a dot that is known changes nothing (S2), live or past, nor does
// a second write of one atom in an entry.
func TestApplyTwice(t *testing.T) {
	x := key("/x")
	e := &item.Entry{Author: item.Author{Inc: 1}, Seq: 1}
	f := &item.Entry{Author: item.Author{Inc: 2}, Seq: 1}
	first := item.Write{Key: x, Value: jsonValue("1")}
	second := item.Write{Key: x, Value: jsonValue("2"), Replaces: []item.Dot{e.Dot()}}
	it := &state.Item{}
	it.Apply(e, first)
	it.Apply(e, item.Write{Key: x, Value: jsonValue("other")})
	it.Apply(f, second)
	want := it.Clone()
	it.Apply(e, first)
	it.Apply(f, second)
	if !same(it, want) || len(it.Atoms[x].Live) != 1 || string(it.Atoms[x].Past[0].Value.Data) != "1" {
		t.Errorf("atom %+v, want %+v", it.Atoms[x], want.Atoms[x])
	}
}

// TestCollect removes sole tombstones, and a join does not bring them back.
func TestCollect(t *testing.T) {
	h := newHistory(t)
	x, y := key("/x"), key("/y")
	h.write("a", x, jsonValue("1"), "").write("b", x, item.Value{}, "a")
	h.write("c", y, item.Value{}, "").write("d", y, item.Value{}, "")
	before := h.it.Clone()
	if n := h.it.Collect(func(state.Sibling) bool { return true }); n != 1 || h.it.Atoms[x] != nil || h.it.Atoms[y] == nil {
		t.Errorf("collected %d, left %v", n, h.it.Atoms)
	}
	v := item.Vector{}
	for _, d := range h.by {
		v[d.Author] = item.Tip{Seq: max(v[d.Author].Seq, d.Seq)}
	}
	if j := state.Join(before, h.it, v, v); j.Atoms[x] != nil || j.Atoms[y] == nil {
		t.Errorf("joined %v", j.Atoms)
	}
}
