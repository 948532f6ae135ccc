package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"plait/backend/item"
	"plait/backend/state"
)

// large is an item of n atoms as a settings file of many keys has them: one live
// write each, of a few authors, every tenth with a replaced one and every hundredth
// with siblings.
func large(n int) *state.Item {
	it := &state.Item{}
	entry := func(device byte, seq, time uint64) *item.Entry {
		return &item.Entry{Author: item.Author{Device: item.Device{15: device}}, Seq: seq, Time: item.HLC(time) << 16, Action: item.Edit}
	}
	for i := range n {
		k := key(fmt.Sprintf("/extension%d.section/some.setting.name%d", i%97, i))
		first := entry(1, 1, uint64(i))
		it.Apply(first, item.Write{Key: k, Value: jsonValue(fmt.Sprintf("%q", fmt.Sprint("value ", i)))})
		if i%10 == 0 {
			it.Apply(entry(2, uint64(i+1), uint64(2*i)), item.Write{Key: k, Value: jsonValue("true"), Replaces: []item.Dot{first.Dot()}})
		}
		if i%100 == 0 {
			it.Apply(entry(3, uint64(i+1), uint64(3*i)), item.Write{Key: k, Value: jsonValue("false"), Replaces: []item.Dot{first.Dot()}})
		}
	}
	return it
}

// odd is an item with every part that values can have.
func odd() *state.Item {
	it := &state.Item{}
	for i, v := range []item.Value{
		{}, {Kind: item.Hidden}, jsonValue("[1, // one\n]"), textValue(""), textValue("\xff\x00"),
		{Kind: item.Text, Data: []byte("#!/bin/sh"), Mode: 0o755},
		{Kind: item.Blob, Mode: 0o644, Large: &item.Content{Size: 1 << 40, List: true, Chunks: []item.Chunk{{Size: 7}}}},
	} {
		e := &item.Entry{Author: item.Author{Device: item.Device{byte(i)}, Inc: 1 << 63}, Seq: 1 << 50, Time: 1<<64 - 1, Action: item.Restore}
		it.Apply(e, item.Write{Key: item.Key{Lane: item.Lane(i % 5), Path: fmt.Sprintf("/\xfe%d", i)}, Value: v,
			Replaces: []item.Dot{{Author: item.Author{Inc: 9}, Seq: 3}, {Author: item.Author{Inc: 9}, Seq: 2}}})
	}
	return it
}

func TestCodecRoundTrip(t *testing.T) {
	for name, it := range map[string]*state.Item{"empty": {}, "odd": odd(), "large": large(500)} {
		b := it.Marshal()
		got, err := state.Unmarshal(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(got.Atoms) != len(it.Atoms) {
			t.Errorf("%s: %d atoms, want %d", name, len(got.Atoms), len(it.Atoms))
		}
		for k, want := range it.Atoms {
			if g := got.Atoms[k]; g == nil || fmt.Sprintf("%v", deref(g)) != fmt.Sprintf("%v", deref(want)) {
				t.Errorf("%s: %v = %v, want %v", name, k, g, want)
			}
		}
		if !bytes.Equal(got.Marshal(), b) {
			t.Errorf("%s: encodes differently again", name)
		}
	}
}

// deref prints what pointers point to.
func deref(a *state.Atom) string {
	s := fmt.Sprintf("%+v", *a)
	for _, x := range append(a.Live, a.Past...) {
		if x.Value.Large != nil {
			s = fmt.Sprintf("%+v %+v", x.Dot, *x.Value.Large)
		}
	}
	return s
}

// TestCodecKeepsWorlds is S6 over states that really come about.
func TestCodecKeepsWorlds(t *testing.T) {
	for seed := range uint64(scaled(50)) {
		w := newWorld(rand.New(rand.NewPCG(seed, 7)), 3, honest)
		w.run(t, 40, nil)
		got, err := state.Unmarshal(w.all[0].it.Marshal())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.log.Check(doc, got, nil); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if a, b := meaning(state.View(item.Settings, got, nil)), meaning(state.View(item.Settings, w.all[0].it, nil)); fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("seed %d: decoded shows %v, want %v", seed, a, b)
		}
	}
}

// TestCodecRefuses changes one column at a time.
func TestCodecRefuses(t *testing.T) {
	whole := large(20).Marshal()
	for name, change := range map[string]func(m map[int]any){
		"no version":            func(m map[int]any) { m[1] = 0 },
		"an unknown column":     func(m map[int]any) { m[21] = 1 },
		"authors out of order":  func(m map[int]any) { a := m[2].([]any); a[0], a[1] = a[1], a[0] },
		"an author twice":       func(m map[int]any) { a := m[2].([]any); a[0] = a[1] },
		"a lane too few":        func(m map[int]any) { m[3] = m[3].([]byte)[1:] },
		"paths out of order":    func(m map[int]any) { m[17].([]byte)[0] = 'z' },
		"no path":               func(m map[int]any) { copy(m[17].([]byte), "x") },
		"a path too long":       func(m map[int]any) { m[4].([]byte)[19]++ },
		"paths left over":       func(m map[int]any) { m[17] = append(m[17].([]byte), 'z') },
		"an atom of no writes":  func(m map[int]any) { m[5].([]byte)[1] = 0 },
		"an atom of too many":   func(m map[int]any) { m[5].([]byte)[1] = 99 },
		"live that is replaced": func(m map[int]any) { m[5].([]byte)[0], m[6].([]byte)[0] = 3, 0 },
		"past that is not":      func(m map[int]any) { m[5].([]byte)[1], m[6].([]byte)[1] = 0, 1 },
		"an author beyond":      func(m map[int]any) { m[7].([]byte)[0] = 9 },
		"sequence 0":            func(m map[int]any) { m[8].([]byte)[0] = 0 },
		"a write too few":       func(m map[int]any) { m[10] = m[10].([]byte)[1:] },
		"a number too few":      func(m map[int]any) { m[7] = m[7].([]byte)[1:] },
		"a number too many":     func(m map[int]any) { m[7] = append(m[7].([]byte), 0) },
		"a long number":         func(m map[int]any) { m[7] = append([]byte{0x80, 0}, m[7].([]byte)[1:]...) },
		"a number beyond 64":    func(m map[int]any) { m[8] = append(bytes.Repeat([]byte{0xff}, 10), m[8].([]byte)...) },
		"a column cut":          func(m map[int]any) { m[7] = append(m[7].([]byte), 0x80) },
		"an unknown kind":       func(m map[int]any) { m[11].([]byte)[0] = 9 },
		"a tombstone of bytes":  func(m map[int]any) { m[11].([]byte)[0] = 0 },
		"a blob of bytes":       func(m map[int]any) { m[11].([]byte)[0] = 3 },
		"too many bytes":        func(m map[int]any) { m[12].([]byte)[0] += 100 },
		"bytes left over":       func(m map[int]any) { m[18] = append(m[18].([]byte), 0) },
		"bytes missing":         func(m map[int]any) { b := m[18].([]byte); m[18] = b[:len(b)-1] },
		"dots missing":          func(m map[int]any) { m[13].([]byte)[0] = 7 },
		"dots left over":        func(m map[int]any) { m[15], m[16] = append(m[15].([]byte), 0), append(m[16].([]byte), 1) },
		"dots of two lengths":   func(m map[int]any) { m[16] = m[16].([]byte)[1:] },
		"a mode of no write":    func(m map[int]any) { m[19] = map[int]int{1000: 1} },
		"a content of no write": func(m map[int]any) { m[20] = map[int]any{1000: map[int]any{1: 1, 2: make([]byte, 32), 3: []int{}}} },
	} {
		var m map[int]any
		if err := cbor.Unmarshal(whole, &m); err != nil {
			t.Fatal(err)
		}
		change(m)
		b, err := cbor.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := state.Unmarshal(b); !errors.Is(err, state.ErrDamaged) {
			t.Errorf("%s: err = %v, want %v", name, err, state.ErrDamaged)
		}
	}
	for name, b := range map[string][]byte{
		"nothing": {}, "cut": whole[:len(whole)-1], "more": append(bytes.Clone(whole), 0), "a bomb": {0xa1, 0x02, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"endless": {0xbf, 0x01, 0x01, 0xff},
	} {
		if _, err := state.Unmarshal(b); !errors.Is(err, state.ErrDamaged) {
			t.Errorf("%s: err = %v, want %v", name, err, state.ErrDamaged)
		}
	}
	newer, err := cbor.Marshal(map[int]any{1: 2, 77: "what this version can't know"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.Unmarshal(newer); !errors.Is(err, state.ErrNewer) {
		t.Errorf("newer: err = %v, want %v", err, state.ErrNewer)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, it := range []*state.Item{{}, odd(), large(3), large(101)} {
		f.Add(it.Marshal())
	}
	f.Add([]byte{0xa1, 0x01, 0x02})
	f.Fuzz(func(t *testing.T, in []byte) {
		it, err := state.Unmarshal(in)
		if err != nil {
			return
		}
		out := it.Marshal()
		again, err := state.Unmarshal(out)
		if err != nil {
			t.Fatalf("what was read can't be read again: %v", err)
		}
		if !bytes.Equal(again.Marshal(), out) {
			t.Fatal("what was read again is written otherwise")
		}
		for k, a := range it.Atoms {
			if len(a.Live) > 0 && len(a.Dots()) != len(a.Live) {
				t.Fatalf("%v: dots differ from siblings", k)
			}
		}
		for _, s := range []state.Strategy{state.Merge, state.Manual, state.Latest} {
			state.View(item.Settings, it, state.Always(s)) // must not panic
		}
		state.Join(it, again, item.Vector{}, item.Vector{})
		again.Prune(func(item.Dot) bool { return true })
	})
}

func BenchmarkUnmarshal4000(b *testing.B) {
	in := large(4000).Marshal()
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := state.Unmarshal(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshal4000(b *testing.B) {
	it := large(4000)
	b.ReportAllocs()
	for b.Loop() {
		it.Marshal()
	}
}

func BenchmarkView4000(b *testing.B) {
	it := large(4000)
	b.ReportAllocs()
	for b.Loop() {
		state.View(item.Settings, it, nil)
	}
}

func BenchmarkJoin4000(b *testing.B) {
	x, y := large(4000), large(4000)
	b.ReportAllocs()
	for b.Loop() {
		state.Join(x, y, item.Vector{}, item.Vector{})
	}
}

// TestCodecFixtures reads what every version that shipped wrote. Fixtures are
// added, never written anew.
func TestCodecFixtures(t *testing.T) {
	b, err := os.ReadFile("testdata/v1-odd.cbor")
	if err != nil {
		t.Fatal(err)
	}
	it, err := state.Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if !same(it, odd()) {
		t.Error("version 1 reads as another state")
	}
	if !bytes.Equal(it.Marshal(), b) {
		t.Error("version 1 is written otherwise")
	}
}
