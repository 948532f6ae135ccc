package journal

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"plait/backend/item"
	"plait/backend/seal"
)

// coded says whether the error is one that callers can act on.
func coded(err error) bool {
	var c Code
	var s seal.Code
	var need *NeedText
	return errors.As(err, &c) || errors.As(err, &s) || errors.As(err, &need)
}

func FuzzHeader(f *testing.F) {
	r := mustEncode(f, sample(3), nil)
	f.Add(r.Header)
	f.Add(chainOf(f, alice, 1, "a")[0].Header)
	f.Add(withField(r.Header, nested(3)))
	f.Add(nested(100))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err != nil {
			if !coded(err) {
				t.Errorf("no code: %v", err)
			}
			return
		}
		again, err := encodeHeader(&h)
		if err != nil {
			t.Fatalf("%+v does not encode: %v", h, err)
		}
		if h2, err := ParseHeader(again); err != nil || h2.Dot() != h.Dot() || h2.Payload != h.Payload || len(h2.Deps) != len(h.Deps) {
			t.Errorf("%+v became %+v, %v", h, h2, err)
		}
	})
}

// FuzzPayload takes the payload of a record whose header fits it.
func FuzzPayload(f *testing.F) {
	f.Add(mustEncode(f, sample(3), nil).Payload)
	f.Add(forgeMain(sampleMain()).Payload)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		checkDecoded(t, forgeBytes(b))
	})
}

// FuzzMain takes what is in the payload, so that compression does not stand in the way.
func FuzzMain(f *testing.F) {
	f.Add(encode(sampleMain()), []byte("part"))
	f.Add(encode(&wireMain{Note: "x", Writes: []wireWrite{{Part: &wirePart{Coding: codeLean, Size: 9, Seq: 1, Depth: 1}}}}), []byte{})
	f.Fuzz(func(t *testing.T, main, part []byte) {
		checkDecoded(t, forge(&wirePayload{Main: pack(main), Size: len(main), Parts: [][]byte{part}}))
	})
}

func sampleMain() *wireMain {
	p, _ := encodePack(sample(0).Packs[0])
	return &wireMain{
		Authors: appendAuthor(nil, bob), Packs: []wirePack{p}, Note: "note",
		Writes: []wireWrite{
			{Path: "/a", Kind: 1, Data: []byte("1"), Replaces: []uint64{0, 3}},
			{Kind: 3, Large: encodeContent(&item.Content{Size: 1, Chunks: []item.Chunk{{Size: 1}}})},
			{Path: "/b", Kind: 2, Part: &wirePart{Coding: codeZstd, Size: 3, Sum: make([]byte, 32)}},
		},
	}
}

func checkDecoded(t *testing.T, r Record) {
	e, _, err := Decode(r, func(item.Name, item.Key, item.Dot) ([]byte, int, bool) { return []byte("earlier"), 0, true })
	if err != nil {
		if !coded(err) {
			t.Errorf("no code: %v", err)
		}
		return
	}
	if len(e.Writes) > MaxWrites {
		t.Fatalf("%d writes", len(e.Writes))
	}
	again, _, err := Encode(e, nil)
	if err != nil {
		if !errors.Is(err, ErrLimit) { // what leaned on a text may be too much without
			t.Fatalf("does not encode: %v", err)
		}
		return
	}
	e2, _, err := Decode(again, nil)
	if err != nil || len(e2.Writes) != len(e.Writes) {
		t.Fatalf("second time: %v", err)
	}
	for i := range e.Writes {
		a, b := e.Writes[i], e2.Writes[i]
		if a.Item != b.Item || a.Key != b.Key || !a.Value.Same(b.Value) && a.Value.Kind != item.Blob || len(a.Replaces) != len(b.Replaces) {
			t.Fatalf("write %d: %+v became %+v", i, a, b)
		}
	}
}

func FuzzSegment(f *testing.F) {
	records := chainOf(f, alice, 3, "a")
	f.Add(encode(&wireSegment{Version: 1, Records: flat(records)}))
	p := Ref{Author: alice, First: 1, Last: 1}.wire()
	f.Add(encode(&wireSegment{Version: 1, Prev: &p, Records: flat(records[1:])}))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := parseSegment(b, alice)
		if err == nil {
			_, err = g.span()
		}
		if err != nil {
			if !coded(err) {
				t.Errorf("no code: %v", err)
			}
			return
		}
		for range g.Headers() {
		}
		if _, _, err := testSealer().Segment(g); err != nil {
			t.Errorf("does not seal: %v", err)
		}
	})
}

func FuzzHead(f *testing.F) {
	h, _ := sampleHead(f)
	f.Add(encode(must(h.wire())))
	f.Add(encode(must((&Head{Author: alice, N: 1}).wire())))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHead(b)
		if err == nil {
			err = h.sane()
		}
		if err != nil {
			if !coded(err) {
				t.Errorf("no code: %v", err)
			}
			return
		}
		object, name, err := testSealer().Head(h, sign)
		if err != nil {
			t.Fatalf("does not seal: %v", err)
		}
		if _, err := testOpener().Head(name, object, verifyBy); err != nil {
			t.Errorf("does not open: %v", err)
		}
	})
}

func FuzzHeadName(f *testing.F) {
	f.Add(HeadName{alice, 12, item.Hash{1}}.String())
	f.Add("heads/x.y.z.w")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseHeadName(s); err == nil && n.String() != s {
			t.Errorf("%q is also %q", s, n)
		}
	})
}

// FuzzSealed takes whole objects: nothing opens that was not sealed.
func FuzzSealed(f *testing.F) {
	s, o := testSealer(), testOpener()
	object, ref, err := s.Segment(&Segment{Records: chainOf(f, alice, 2, "a")})
	if err != nil {
		f.Fatal(err)
	}
	h, _ := sampleHead(f)
	head, name, err := s.Head(h, sign)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(object)
	f.Add(head)
	f.Fuzz(func(t *testing.T, b []byte) {
		without[checkHash] = true // or nothing would be looked at
		defer func() { without[checkHash] = false }()
		if _, err := o.segment(ref, b); err == nil && !bytes.Equal(b, object) {
			t.Error("a segment opens that was never sealed")
		}
		if _, err := o.head(name, b, verifyBy); err == nil && !bytes.Equal(b, head) {
			t.Error("a head opens that was never sealed")
		}
	})
}

// FuzzSnapshot takes a snapshot's parts, opened, and the object.
func FuzzSnapshot(f *testing.F) {
	small := snapshotContent{items: []SnapshotItem{{"a", []byte("state")}}, packs: sampleContent().packs}
	object, ref := writeSnapshot(f, small)
	o := testOpener()
	plain := must(o.open(seal.Snapshot, partBind(ref, 0, true), object[4:]))
	f.Add(plain, object)
	f.Fuzz(func(t *testing.T, plain, object []byte) {
		s := &SnapshotReader{ref: ref}
		if err := s.parse(plain, true); err != nil && !coded(err) {
			t.Errorf("no code: %v", err)
		}
		r, err := o.Snapshot(bytes.NewReader(object), ref)
		for err == nil {
			_, _, err = r.Next()
		}
		if err != io.EOF && !coded(err) {
			t.Errorf("no code: %v", err)
		}
	})
}

func FuzzGuard(f *testing.F) {
	f.Add(encode(sampleMain()))
	f.Add(nested(200))
	f.Add([]byte{0xf8, 29}) // a simple value in two bytes that has to be one
	f.Fuzz(func(t *testing.T, b []byte) {
		err := guard(b, 1000, 8)
		if err != nil {
			if !coded(err) {
				t.Errorf("no code: %v", err)
			}
			return
		}
		var v any
		if err := decMode.Unmarshal(b, &v); err != nil && decMode.Wellformed(b) != nil {
			t.Errorf("guard lets through what is not well-formed: %x, %v", b, err)
		}
	})
}
