package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"

	"plait/backend/item"
	"plait/backend/seal"
)

func sampleHead(t testing.TB) (*Head, []Record) {
	records := chainOf(t, alice, 9, "a")
	s := testSealer()
	_, first, err := s.Segment(&Segment{Records: records[:4]})
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := s.Segment(&Segment{Prev: &first, Records: records[4:7]})
	if err != nil {
		t.Fatal(err)
	}
	tip := tipOf(t, records)
	return &Head{
		Author: alice, N: 12, Time: start, Seq: tip.Seq, Hash: tip.Hash,
		Vector:   item.Vector{bob: {Seq: 3, Hash: [8]byte{1}}},
		Keys:     []item.Hash{{1}, {2}},
		Segments: []Ref{second, first}, Snapshot: &SnapshotRef{Name: item.Hash{4}, Author: bob, N: 3, Size: 999},
		Countersigned: []item.Hash{{4}}, Inline: records[7:],
	}, records
}

func TestSegment(t *testing.T) {
	records := chainOf(t, alice, 5, "a")
	records[1] = records[1].Drop()
	s, o := testSealer(), testOpener()
	object, ref, err := s.Segment(&Segment{Records: records[:3]})
	if err != nil {
		t.Fatal(err)
	}
	if ref.First != 1 || ref.Last != 3 || int(ref.Size) != len(object) || ref.Author != alice {
		t.Errorf("%+v", ref)
	}
	next, ref2, err := s.Segment(&Segment{Prev: &ref, Records: records[3:]})
	if err != nil {
		t.Fatal(err)
	}
	g, err := o.Segment(ref2, next)
	if err != nil || *g.Prev != ref || !reflect.DeepEqual(g.Records, records[3:]) {
		t.Fatalf("%+v, %v", g, err)
	}
	g, err = o.Segment(ref, object)
	if err != nil || g.Prev != nil || !reflect.DeepEqual(g.Records, records[:3]) {
		t.Fatalf("%+v, %v", g, err)
	}
	n := uint64(0)
	for _, h := range g.Headers() {
		if n++; h.Seq != n {
			t.Errorf("header %d is of %d", n, h.Seq)
		}
	}
	if _, err := (Opener{Vault: item.Hash{'w'}, Key: o.Key}).Segment(ref, object); err == nil {
		t.Error("opens in another vault")
	}
	o.Key = func(item.Hash) (k seal.Key, ok bool) { return }
	if _, err := o.Segment(ref, object); !errors.Is(err, ErrKey) {
		t.Errorf("without the key: %v", err)
	}
}

func TestHead(t *testing.T) {
	h, _ := sampleHead(t)
	object, name, err := testSealer().Head(h, sign)
	if err != nil {
		t.Fatal(err)
	}
	if len(object) != 1<<10 {
		t.Errorf("%d bytes", len(object))
	}
	got, err := testOpener().Head(name, object, verifyBy)
	if err != nil || !reflect.DeepEqual(got, h) {
		t.Fatalf("got  %+v\nwant %+v\n%v", got, h, err)
	}
	parsed, err := ParseHeadName(name.String())
	if err != nil || parsed != name {
		t.Errorf("%+v, %v", parsed, err)
	}
	empty := &Head{Author: alice, N: 1}
	object, name, err = testSealer().Head(empty, sign)
	if err != nil || len(object) != 1<<10 {
		t.Fatalf("%d bytes, %v", len(object), err)
	}
	if _, err := testOpener().Head(name, object, verifyBy); err != nil {
		t.Error(err)
	}
	if v := h.Covered(); v[alice].Seq != 9 || v[bob].Seq != 3 || len(h.Vector) != 1 {
		t.Errorf("covered %v", v)
	}
}

func TestHeadNames(t *testing.T) {
	h, _ := sampleHead(t)
	_, name, err := testSealer().Head(h, sign)
	if err != nil {
		t.Fatal(err)
	}
	good := name.String()
	for _, bad := range []string{
		"", "heads/", good + "0", good[:len(good)-1], good[6:], "heads/" + good, good + ".x",
		string(bytes.ToUpper([]byte(good))),
		fmt.Sprintf("heads/%s.0012.%s", name.Author, name.Hash),
		fmt.Sprintf("heads/%s.+12.%s", name.Author, name.Hash),
		fmt.Sprintf("heads/%s.-1.%s", name.Author, name.Hash),
		fmt.Sprintf("heads/%s.0.%s", name.Author, name.Hash),
		fmt.Sprintf("heads/%s.9223372036854775808.%s", name.Author, name.Hash),
		fmt.Sprintf("heads/{%s}.%016x.12.%s", name.Author.Device, name.Author.Inc, name.Hash),
		fmt.Sprintf("heads/%s.%x.12.%s", name.Author.Device, name.Author.Inc, name.Hash),
	} {
		if n, err := ParseHeadName(bad); err == nil {
			t.Errorf("%q parses: %+v", bad, n)
		}
	}
}

type snapshotContent struct {
	items []SnapshotItem
	packs []item.Pack
}

func sampleContent() (c snapshotContent) {
	for i := range 30 {
		c.items = append(c.items, SnapshotItem{item.Name(fmt.Sprintf("default/snippets/%03d", i)), bytes.Repeat([]byte{byte(i)}, 400<<10)})
	}
	for i := range 3 {
		c.packs = append(c.packs, item.Pack{Name: item.Hash{byte(i)}, Size: 100, Chunks: []item.PackedChunk{{Name: item.Hash{9}, Offset: 4, Size: 50, Epoch: item.Hash{1}}}})
	}
	return c
}

var sampleInfo = SnapshotInfo{Author: alice, N: 4, Time: start, Tips: []Tip{{alice, 9, item.Hash{1}}, {bob, 3, item.Hash{2}}}}

func writeSnapshot(t testing.TB, c snapshotContent) ([]byte, SnapshotRef) {
	t.Helper()
	var out bytes.Buffer
	w, err := testSealer().Snapshot(&out, sampleInfo)
	if err != nil {
		t.Fatal(err)
	}
	for n, i := range c.items {
		if err := w.Item(i.Name, i.State, n%7 == 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range c.packs {
		if err := w.Pack(p); err != nil {
			t.Fatal(err)
		}
	}
	ref, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), ref
}

func readSnapshot(o Opener, object []byte, ref SnapshotRef) (c snapshotContent, info SnapshotInfo, err error) {
	r, err := o.Snapshot(bytes.NewReader(object), ref)
	if err != nil {
		return c, info, err
	}
	for {
		i, p, err := r.Next()
		switch {
		case err == io.EOF:
			return c, r.Info, nil
		case err != nil:
			return c, r.Info, err
		case i != nil:
			c.items = append(c.items, *i)
		case p != nil:
			c.packs = append(c.packs, *p)
		}
	}
}

func TestSnapshot(t *testing.T) {
	for _, c := range []snapshotContent{{}, sampleContent()} {
		object, ref := writeSnapshot(t, c)
		if ref.Size != int64(len(object)) || ref.Author != alice || ref.N != 4 {
			t.Errorf("%+v", ref)
		}
		got, info, err := readSnapshot(testOpener(), object, ref)
		if err != nil || !reflect.DeepEqual(got, c) || !reflect.DeepEqual(info, sampleInfo) {
			t.Fatalf("%d items, %d packs, %+v, %v", len(got.items), len(got.packs), info, err)
		}
	}
	if v := sampleInfo.Vector(); v[bob].Seq != 3 || v[alice].Hash != [8]byte{1} {
		t.Errorf("vector %v", v)
	}
	w := must(testSealer().Snapshot(io.Discard, sampleInfo))
	if err := errors.Join(w.Item("b", nil, false), w.Item("a", nil, false)); !errors.Is(err, ErrLimit) {
		t.Errorf("out of order: %v", err)
	}
	if _, err := w.Close(); err == nil {
		t.Error("closes after an error")
	}
}

// parts takes a snapshot's object apart.
func parts(object []byte) (all [][]byte) {
	for len(object) > 0 {
		n := 4 + int(uint32(object[0])<<24|uint32(object[1])<<16|uint32(object[2])<<8|uint32(object[3]))
		all = append(all, object[:n])
		object = object[n:]
	}
	return all
}

func TestSnapshotParts(t *testing.T) {
	object, ref := writeSnapshot(t, sampleContent())
	all := parts(object)
	if len(all) < 3 {
		t.Fatalf("%d parts", len(all))
	}
	for name, order := range map[string][]int{"swapped": {1, 0, 2}, "doubled": {0, 0, 1, 2}, "one gone": {0, 2}, "first gone": {1, 2}} {
		var b [][]byte
		for _, i := range order {
			b = append(b, all[i])
		}
		joined := bytes.Join(b, nil)
		r := ref
		r.Size = int64(len(joined))
		if _, _, err := readSnapshot(testOpener(), joined, r); err == nil {
			t.Errorf("%s: opens", name)
		}
	}
	if !slices.Equal(bytes.Join(all, nil), object) {
		t.Error("parts do not add up")
	}
}
