package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"plait/backend/item"
)

// vector reads a file of hex digits from testdata/vectors. Vectors are what some
// version wrote, and every later one reads: they are added, never regenerated. A
// missing one is written, from made, only if PLAIT_VECTORS is set.
func vector(t *testing.T, name string, made []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", "vectors", name+".hex")
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) && os.Getenv("PLAIT_VECTORS") != "" {
		err = os.WriteFile(path, []byte(hex.EncodeToString(made)+"\n"), 0o644)
		text = []byte(hex.EncodeToString(made))
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	e := sample(3)
	old, text := prose(1, 1000), append(prose(1, 1000), "and a new line\n"...)
	e.Writes = append(e.Writes, item.Write{
		Item: "default/prompts/a.md", Value: item.Value{Kind: item.Text, Data: text}, Replaces: []item.Dot{{Author: bob, Seq: 4}},
	})
	r := mustEncode(t, e, func(w *item.Write) (Text, bool) {
		return Text{Dot: item.Dot{Author: bob, Seq: 4}, Data: old, Depth: 2}, w.Item == "default/prompts/a.md"
	})
	header, payload := vector(t, "entry-header", r.Header), vector(t, "entry-payload", r.Payload)
	got, depths, err := Decode(Record{header, payload, HashOf(header)}, func(_ item.Name, _ item.Key, d item.Dot) ([]byte, int, bool) {
		return old, 2, d.Seq == 4
	})
	if err != nil || !reflect.DeepEqual(got, e) || depths[len(depths)-1] != 3 {
		t.Fatalf("entry: %v, %v\ngot  %.1500v\nwant %.1500v", depths, err, got, e)
	}
	if hash := vector(t, "entry-hash", r.Hash[:]); HashOf(header) != item.Hash(hash) {
		t.Errorf("entry: hash %s", HashOf(header))
	}

	records := chainOf(t, alice, 5, "vector")
	s, o := testSealer(), testOpener()
	first, ref, err := s.Segment(&Segment{Records: records[:3]})
	if err != nil {
		t.Fatal(err)
	}
	first = vector(t, "segment-first", first)
	ref = Ref{Name: nameOf(first), Author: alice, First: 1, Last: 3, Size: uint32(len(first))}
	second, _, err := s.Segment(&Segment{Prev: &ref, Records: records[3:]})
	if err != nil {
		t.Fatal(err)
	}
	second = vector(t, "segment-second", second)
	g, err := o.Segment(ref, first)
	if err != nil {
		t.Fatal(err)
	}
	ref2 := Ref{Name: nameOf(second), Author: alice, First: 4, Last: 5, Size: uint32(len(second))}
	g2, err := o.Segment(ref2, second)
	if err != nil || *g2.Prev != ref {
		t.Fatalf("%+v, %v", g2, err)
	}
	tip, err := Verify(append(g.Records, g2.Records...), Tip{Author: alice})
	if err != nil || tip.Seq != 5 {
		t.Errorf("%+v, %v", tip, err)
	}

	h := &Head{
		Author: alice, N: 12, Time: start, Seq: tip.Seq, Hash: tip.Hash, Vector: item.Vector{bob: {Seq: 3, Hash: [8]byte{1}}},
		Keys: []item.Hash{{1}, {2}}, Segments: []Ref{ref}, Snapshot: &SnapshotRef{Name: item.Hash{4}, Author: bob, N: 3, Size: 999},
		Countersigned: []item.Hash{{4}}, Inline: g2.Records,
	}
	head, name, err := s.Head(h, sign)
	if err != nil {
		t.Fatal(err)
	}
	head = vector(t, "head", head)
	name.Hash = nameOf(head)
	if got, err := o.Head(name, head, verifyBy); err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("head: %v\ngot  %+v\nwant %+v", err, got, h)
	}

	c := snapshotContent{items: []SnapshotItem{{"a", []byte("one")}, {"b", []byte("two")}}, packs: sampleContent().packs}
	object, sref := writeSnapshot(t, c)
	object = vector(t, "snapshot", object)
	sref.Name, sref.Size = nameOf(object), int64(len(object))
	if got, info, err := readSnapshot(o, object, sref); err != nil || !reflect.DeepEqual(got, c) || !reflect.DeepEqual(info, sampleInfo) {
		t.Errorf("snapshot: %v", err)
	}
}

func nameOf(object []byte) item.Hash { return sha256.Sum256(object) }

// TestDamagedVectors reads headers and payloads that must be refused, each with the
// code that its file's name ends in.
func TestDamagedVectors(t *testing.T) {
	codes := map[string]Code{"format": ErrFormat, "limit": ErrLimit, "newer": ErrNewer}
	made := map[string][]byte{
		"header-cut.format":         mustEncode(t, sample(0), nil).Header[:20],
		"header-nothing.format":     {},
		"header-deep.limit":         nested(12),
		"header-indefinite.format":  {0xbf, 0xff},
		"payload-rubbish.format":    []byte("rubbish"),
		"payload-bomb.format":       encode(&wirePayload{Main: pack(make([]byte, 1<<20)), Size: 10}),
		"payload-huge.limit":        encode(&wirePayload{Main: pack(nil), Size: 1 << 60}),
		"payload-coding-9.newer":    forgeMain(&wireMain{Writes: []wireWrite{{Part: &wirePart{Coding: 9}}}}, []byte("x")).Payload,
		"payload-duplicate.format":  {0xa2, 1, 0x40, 1, 0x40},
		"payload-item-index.format": forgeMain(&wireMain{Writes: []wireWrite{{Item: 5}}}).Payload,
	}
	for name, b := range made {
		t.Run(name, func(t *testing.T) {
			b := vector(t, name, b)
			var err error
			if strings.HasPrefix(name, "header") {
				_, err = ParseHeader(b)
			} else {
				_, _, err = Decode(forgeBytes(b), nil)
			}
			want := codes[strings.TrimPrefix(filepath.Ext(name), ".")]
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
}
