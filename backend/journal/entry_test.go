package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"plait/backend/item"
)

var (
	alice = item.Author{Device: item.Device{1, 2, 3}, Inc: 7}
	bob   = item.Author{Device: item.Device{9}, Inc: 1 << 63}
	start = item.HLC(1_800_000_000_000 << 16)
)

// sample is an entry of n settings and one of everything else.
func sample(n int) *item.Entry {
	e := &item.Entry{
		Author: alice, Seq: 3, Prev: item.Hash{5}, Time: start, Action: item.Edit, Note: "not \xff UTF-8",
		Deps: item.Vector{bob: {Seq: 12, Hash: [8]byte{1}}, {Device: item.Device{200}}: {Seq: 1}},
	}
	for i := range n {
		e.Writes = append(e.Writes, item.Write{
			Item: "default/settings", Key: item.Key{Path: fmt.Sprintf("/editor.setting%d", i)},
			Value:    item.Value{Kind: item.JSON, Data: fmt.Appendf(nil, `"value %d"`, i)},
			Replaces: []item.Dot{{Author: bob, Seq: uint64(i + 1)}},
		})
	}
	e.Writes = append(e.Writes,
		item.Write{Item: "default/settings", Key: item.Key{Path: "/gone"}, Replaces: []item.Dot{{Author: alice, Seq: 1}, {Author: bob, Seq: 2}}, Time: start - 5},
		item.Write{Item: "default/settings@linux", Key: item.Key{Path: "/here"}, Value: item.Value{Kind: item.Hidden}},
		item.Write{Item: "n/files/\xfe", Value: item.Value{Kind: item.Blob, Mode: 0o755, Large: &item.Content{
			Size: 30, Hash: item.Hash{1}, Chunks: []item.Chunk{{Name: item.Hash{2}, Size: 10}, {Name: item.Hash{3}, Size: 20}},
		}}},
		item.Write{Item: "n/files/list", Value: item.Value{Kind: item.Blob, Large: &item.Content{
			Size: 1 << 40, Hash: item.Hash{1}, List: true, Chunks: []item.Chunk{{Name: item.Hash{2}, Size: 10}},
		}}},
		item.Write{Item: "default/settings", Key: item.Key{Path: "/api.token"}, Value: item.Value{Kind: item.JSON, Data: []byte(`"s3cr3t"`)}},
		item.Write{Item: "default/future", Key: item.Key{Lane: 77}, Value: item.Value{Kind: 99, Data: []byte("whatever")}},
	)
	e.Packs = []item.Pack{{Name: item.Hash{8}, Size: 100, Chunks: []item.PackedChunk{
		{Name: item.Hash{2}, Offset: 0, Size: 40, Epoch: item.Hash{6}}, {Name: item.Hash{3}, Offset: 40, Size: 60, Epoch: item.Hash{7}},
	}}}
	return e
}

func mustEncode(t testing.TB, e *item.Entry, dict Dict) Record {
	t.Helper()
	r, _, err := Encode(e, dict)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// J3
func TestRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 5000} {
		e := sample(n)
		r := mustEncode(t, e, nil)
		got, _, err := Decode(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, e) {
			t.Fatalf("got  %.2000v\nwant %.2000v", got, e)
		}
		h, err := r.Open()
		if err != nil || h.Dot() != e.Dot() || h.Action != e.Action || h.Time != e.Time {
			t.Fatalf("header %+v, %v", h, err)
		}
		if again := mustEncode(t, e, nil); again.Hash != r.Hash {
			t.Error("encoding twice gives two records")
		}
		if h2, err := r.Drop().Open(); err != nil || !reflect.DeepEqual(h, h2) || r.Drop().Hash != r.Hash {
			t.Errorf("without payload: %+v, %v", h2, err)
		}
		if _, _, err := Decode(r.Drop(), nil); !errors.Is(err, ErrDropped) {
			t.Errorf("decode without payload: %v", err)
		}
	}
}

func prose(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "  \"editor.%x\": %d,\n", r.Uint64(), r.IntN(1000))
	}
	return b.Bytes()
}

// A line of a 20 kB text costs a few hundred bytes, however often it is edited,
// and the last of 40 versions needs no more than 16 before it.
func TestTexts(t *testing.T) {
	type kept struct {
		data  []byte
		depth int
	}
	all := map[item.Dot]kept{}
	lookup := func(_ item.Name, _ item.Key, d item.Dot) ([]byte, int, bool) {
		k, ok := all[d]
		return k.data, k.depth, ok
	}
	text := prose(1, 20_000)
	var last item.Dot
	deepest := 0
	for seq := uint64(1); seq <= 40; seq++ {
		text = append(bytes.Clone(text), fmt.Sprintf("line %d that is new\n", seq)...)
		w := item.Write{Item: "default/prompts/a.md", Value: item.Value{Kind: item.Text, Data: text}}
		if seq > 1 {
			w.Replaces = []item.Dot{last}
		}
		e := &item.Entry{Author: alice, Seq: seq, Time: start, Action: item.Edit, Writes: []item.Write{w}}
		if seq > 1 {
			e.Prev = item.Hash{1}
		}
		r, depths, err := Encode(e, func(w *item.Write) (Text, bool) {
			if len(w.Replaces) == 0 {
				return Text{}, false
			}
			k := all[w.Replaces[0]]
			return Text{Dot: w.Replaces[0], Data: k.data, Depth: k.depth}, true
		})
		if err != nil {
			t.Fatal(err)
		}
		if depths[0] > 0 && len(r.Payload) > 300 {
			t.Errorf("version %d: %d bytes for a line", seq, len(r.Payload))
		}
		got, back, err := Decode(r, lookup)
		if err != nil || !bytes.Equal(got.Writes[0].Value.Data, text) || back[0] != depths[0] {
			t.Fatalf("version %d: %v", seq, err)
		}
		deepest = max(deepest, int(depths[0]))
		if depths[0] > 0 {
			var need *NeedText
			if _, _, err := Decode(r, nil); !errors.As(err, &need) || need.Dot != last {
				t.Fatalf("without the earlier text: %v", err)
			}
		}
		last = e.Dot()
		all[last] = kept{text, int(depths[0])}
	}
	if deepest != MaxDepth {
		t.Errorf("texts lean on %d others at most, want %d", deepest, MaxDepth)
	}
}

// J5: what is likely secret has the same size whatever stands beside it.
func TestSplit(t *testing.T) {
	e := sample(0)
	heavy := item.Write{Item: "i", Key: item.Key{Path: "/p"}, Value: item.Value{Kind: item.JSON, Data: make([]byte, 64<<10)}}
	for range MaxPlain/(64<<10) + 1 {
		e.Writes = append(e.Writes, heavy)
	}
	if _, _, err := Encode(e, nil); !errors.Is(err, ErrLimit) {
		t.Fatalf("too heavy: %v", err)
	}
	weight := 0
	for i := range e.Writes {
		if weight += Weight(&e.Writes[i]); weight > MaxWeight {
			e.Writes = e.Writes[:i]
			break
		}
	}
	mustEncode(t, e, nil)
}

func BenchmarkEncode5000(b *testing.B) {
	e := sample(5000)
	b.ReportAllocs()
	for b.Loop() {
		mustEncode(b, e, nil)
	}
}

func BenchmarkDecode5000(b *testing.B) {
	r := mustEncode(b, sample(5000), nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Decode(r, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLean20kB(b *testing.B) {
	old := prose(1, 20_000)
	text := append(bytes.Clone(old), "one line more\n"...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := lean(text, old); err != nil {
			b.Fatal(err)
		}
		old[0] ^= 1 // another dictionary each time
	}
}

func BenchmarkUnlean20kB(b *testing.B) {
	old := prose(1, 20_000)
	text := append(bytes.Clone(old), "one line more\n"...)
	z, err := lean(text, old)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := unlean(z, old, len(text)); err != nil {
			b.Fatal(err)
		}
	}
}
