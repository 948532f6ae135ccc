package journal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"runtime"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"plait/backend/item"
)

// forge makes a record of a payload that no writer makes.
func forge(p *wirePayload) Record { return forgeBytes(encode(p)) }

func forgeBytes(payload []byte) Record {
	h := Header{Version: 1, Author: alice, Seq: 1, Time: start, Action: item.Edit, Payload: sha256.Sum256(payload), Size: uint32(len(payload))}
	b := must(encodeHeader(&h))
	return Record{b, payload, HashOf(b)}
}

// forgeMain makes one of writes that no writer makes.
func forgeMain(m *wireMain, parts ...[]byte) Record {
	if m.Items == nil {
		m.Items = []cbor.ByteString{"default/settings"}
	}
	main := encode(m)
	return forge(&wirePayload{Main: pack(main), Size: len(main), Parts: parts})
}

func decodes(r Record, texts Texts) func() error {
	return func() error { _, _, err := Decode(r, texts); return err }
}

// nested is n lists in one another.
func nested(n int) []byte { return append(bytes.Repeat([]byte{0x81}, n), 0) }

// withField adds a field that no version knows to an encoded map of fewer than 23.
func withField(m []byte, value []byte) []byte {
	out := append([]byte{m[0] + 1}, m[1:]...)
	return append(append(out, 0x18, 99), value...)
}

// Row 21: bombs.
func TestBombs(t *testing.T) {
	one := encode(&wireMain{Items: []cbor.ByteString{"i"}, Writes: []wireWrite{{}}})
	zeros := make([]byte, 1<<20)
	sum := func(b []byte) []byte { h := sha256.Sum256(b); return h[:] }
	write := func(w wireWrite, parts ...[]byte) Record {
		return forgeMain(&wireMain{Writes: []wireWrite{w}}, parts...)
	}
	content := func(size int64) Record {
		return write(wireWrite{Kind: uint8(item.Blob), Large: &wireContent{Size: size, Hash: make([]byte, 32), Chunks: make([]byte, chunkSize)}})
	}
	many := func() Record { // 16 parts' worth of memory from each of few bytes
		z := pack(make([]byte, MaxValue))
		m := &wireMain{}
		for range 2 * MaxPlain / MaxValue {
			m.Writes = append(m.Writes, wireWrite{Part: &wirePart{Coding: codeZstd, Size: MaxValue, Sum: sum(make([]byte, MaxValue))}})
		}
		return forgeMain(m, z)
	}()
	padded := encode(&wireMain{Items: []cbor.ByteString{cbor.ByteString(zeros)}, Writes: nil})
	runAttacks(t, []attack{
		{"unpacks to more than it says", 21, checkSize, decodes(forge(&wirePayload{Main: pack(padded), Size: 10}), nil)},
		{"says 2^60", 21, checkSize, decodes(forge(&wirePayload{Main: pack(one), Size: 1 << 60}), nil)},
		{"says -1", 21, checkSize, decodes(forge(&wirePayload{Main: pack(one), Size: -1}), nil)},
		{"a value that unpacks to more than it says", 21, checkSize, decodes(write(wireWrite{Part: &wirePart{Coding: codeZstd, Size: 5, Sum: sum(zeros)}}, pack(zeros)), nil)},
		{"a value of 2^60", 21, checkSize, decodes(write(wireWrite{Part: &wirePart{Coding: codeZstd, Size: 1 << 60, Sum: sum(zeros)}}, pack(zeros)), nil)},
		{"one part, many values", 21, checkSize, decodes(many, nil)},
		{"content of 2^60", 21, checkSize, decodes(content(1<<60), nil)},
		{"item name of 1 MiB", 21, checkSize, decodes(forgeMain(&wireMain{Items: []cbor.ByteString{cbor.ByteString(zeros)}, Writes: []wireWrite{{}}}), nil)},
		{"value of 5 MiB", 21, checkSize, decodes(write(wireWrite{Data: make([]byte, 5<<20)}), nil)},

		{"100,000 atoms", 21, checkCount, decodes(forgeMain(&wireMain{Writes: make([]wireWrite, 100_000)}), nil)},
		{"2 million dots", 21, checkCount, decodes(forgeMain(&wireMain{
			Authors: appendAuthor(nil, bob), Writes: []wireWrite{{Replaces: dots(600_000)}, {Replaces: dots(600_000)}},
		}), nil)},
		{"a note of 1 MiB", 21, checkCount, decodes(forgeMain(&wireMain{Note: cbor.ByteString(zeros)}), nil)},

		{"deep in the header", 21, checkNest, func() error {
			_, err := ParseHeader(withField(chainOf(t, alice, 1, "")[0].Header, nested(12)))
			return err
		}},
		{"deep in the payload", 21, checkNest, decodes(forgeBytes(withField(encode(&wirePayload{Main: pack(one), Size: len(one)}), nested(12))), nil)},
		{"deep in the writes", 21, checkNest, func() error {
			main := withField(one, nested(14))
			return decodes(forge(&wirePayload{Main: pack(main), Size: len(main)}), nil)()
		}},
	})
	for name, b := range map[string][]byte{
		"string of 2^60":       {0x5b, 0x10, 0, 0, 0, 0, 0, 0, 0},
		"list of 2^60":         {0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0},
		"map of 2^63":          {0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0},
		"indefinite list":      {0x9f, 0xff},
		"tag":                  {0xc1, 0},
		"2 million deep":       nested(2 << 20),
		"more behind":          {0xa0, 0},
		"nothing":              {},
		"list longer than all": {0x9a, 0, 1, 0, 0},
	} {
		var m wireMain
		if err := decode(b, &m); !errors.Is(err, ErrFormat) && !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func dots(n int) []uint64 {
	d := make([]uint64, 2*n)
	for i := 1; i < len(d); i += 2 {
		d[i] = 1
	}
	return d
}

// J6: the worst that fits takes memory in proportion.
func TestBombMemory(t *testing.T) {
	r := forgeMain(&wireMain{Writes: make([]wireWrite, MaxWrites)})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := Decode(r, nil); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 64 {
		t.Errorf("%d bytes of payload take %d MiB", len(r.Payload), used)
	}
}

// Texts that lean on others: changed ones, endless chains, another text.
func TestTextAttacks(t *testing.T) {
	old, other := prose(1, 4000), prose(2, 4000)
	text := append(bytes.Clone(old), "new line\n"...)
	z, err := lean(text, old)
	if err != nil {
		t.Fatal(err)
	}
	good := sha256.Sum256(text)
	m := func(depth uint8, sum []byte) Record {
		return forgeMain(&wireMain{Authors: appendAuthor(nil, bob), Writes: []wireWrite{{
			Kind: uint8(item.Text), Part: &wirePart{Coding: codeLean, Size: len(text), Sum: sum, Seq: 4, Depth: depth},
		}}}, z)
	}
	texts := func(data []byte, depth int) Texts {
		return func(_ item.Name, _ item.Key, d item.Dot) ([]byte, int, bool) {
			return data, depth, d == item.Dot{Author: bob, Seq: 4}
		}
	}
	if err := decodes(m(3, good[:]), texts(old, 2))(); err != nil {
		t.Fatal(err)
	}
	raw := forgeMain(&wireMain{Writes: []wireWrite{{Part: &wirePart{Size: 5, Sum: good[:]}}}}, []byte("hello"))
	packed := forgeMain(&wireMain{Writes: []wireWrite{{Part: &wirePart{Coding: codeZstd, Size: 5, Sum: good[:]}}}}, pack([]byte("hello")))
	runAttacks(t, []attack{
		{"another value under a sum", 7, checkText, decodes(raw, nil)},
		{"another packed value under a sum", 7, checkText, decodes(packed, nil)},
		{"no sum", 7, checkText, decodes(m(3, nil), texts(old, 2))},
		{"leans on 17", 21, checkDepth, decodes(m(17, good[:]), texts(old, 16))},
		{"leans on none", 21, checkDepth, decodes(m(0, good[:]), texts(old, -1))},
		{"leans on fewer than it does", 21, checkDepth, decodes(m(3, good[:]), texts(old, 15))},
	})
	// The wrong earlier text: the dictionary's id does not fit.
	if _, _, err := Decode(m(3, good[:]), texts(other, 2)); !errors.Is(err, ErrFormat) {
		t.Errorf("another earlier text: %v", err)
	}
	var need *NeedText
	if _, _, err := Decode(m(3, good[:]), nil); !errors.As(err, &need) || need.Dot.Seq != 4 {
		t.Errorf("no earlier text: %v", err)
	}
}

// J1: what a later version adds is kept, and does no harm.
func TestUnknown(t *testing.T) {
	r := chainOf(t, alice, 1, "a")[0]
	header := withField(r.Header, []byte{0x63, 'n', 'e', 'w'})
	later := Record{header, r.Payload, HashOf(header)}
	e, _, err := Decode(later, nil)
	if err != nil || len(e.Writes) != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	if tip, err := Verify([]Record{later}, Tip{Author: alice}); err != nil || tip.Hash == r.Hash {
		t.Errorf("%+v, %v", tip, err)
	}
	main := withField(encode(&wireMain{Items: []cbor.ByteString{"i"}, Writes: []wireWrite{{Kind: 200, Data: []byte("x")}}}), nested(3))
	e, _, err = Decode(forge(&wirePayload{Main: pack(main), Size: len(main)}), nil)
	if err != nil || e.Writes[0].Value.Kind != 200 {
		t.Fatalf("%+v, %v", e, err)
	}
	// A later format of the payload: the chain still verifies, the entry waits.
	h, _ := ParseHeader(r.Header)
	h.Version, h.Action = 2, 250
	b := must(encodeHeader(&h))
	newer := Record{b, r.Payload, HashOf(b)}
	if _, err := Verify([]Record{newer}, Tip{Author: alice}); err != nil {
		t.Error(err)
	}
	if _, _, err := Decode(newer, nil); !errors.Is(err, ErrNewer) {
		t.Errorf("newer: %v", err)
	}
	coding := forgeMain(&wireMain{Writes: []wireWrite{{Part: &wirePart{Coding: 9}}}}, []byte("x"))
	if _, _, err := Decode(coding, nil); !errors.Is(err, ErrNewer) {
		t.Errorf("coding: %v", err)
	}
}
