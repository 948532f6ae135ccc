package journal

import (
	"bytes"
	"errors"
	"testing"

	"plait/backend/item"
)

func verify(records []Record, prev Tip) func() error {
	return func() error { _, err := Verify(records, prev); return err }
}

// Rows 6, 14 and 28: records cut, reordered, doubled, spliced, forked, changed.
func TestChainAttacks(t *testing.T) {
	good := chainOf(t, alice, 6, "a")
	zero := Tip{Author: alice}
	if tip, err := Verify(good, zero); err != nil || tip != tipOf(t, good) {
		t.Fatalf("%+v, %v", tip, err)
	}
	if tip, err := Verify(good[3:], tipOf(t, good[:3])); err != nil || tip.Seq != 6 {
		t.Fatalf("%+v, %v", tip, err)
	}
	other := chainOf(t, alice, 6, "b") // a second history of the same author
	bobs := chainOf(t, bob, 6, "a")
	with := func(i int, r Record) []Record {
		out := append([]Record{}, good...)
		out[i] = r
		return out
	}
	payload := func(i, from int) []Record {
		return with(i, Record{good[i].Header, good[from].Payload, good[i].Hash})
	}
	changed := func(i int) Record {
		r := good[i]
		r.Payload = bytes.Clone(r.Payload)
		r.Payload[len(r.Payload)-1] ^= 1
		return r
	}
	// An entry that depends on a vector whose hash it keeps, and that claims another place.
	resequenced := func(i int, seq uint64, prev item.Hash) Record {
		e, _, err := Decode(good[i], nil)
		if err != nil {
			t.Fatal(err)
		}
		e.Seq, e.Prev = seq, prev
		return mustEncode(t, e, nil)
	}
	header := func(i int) Record { // another header under the old hash
		return Record{other[i].Header, other[i].Payload, good[i].Hash}
	}
	spliced := append(append([]Record{}, good[:3]...), other[3:]...)

	runAttacks(t, []attack{
		{"splice two histories", 28, checkPrev, verify(spliced, zero)},
		{"go on from another tip", 28, checkPrev, verify(good[3:], tipOf(t, other[:3]))},
		{"go on from a made-up tip", 28, checkPrev, verify(good[3:], Tip{alice, 3, item.Hash{1}})},

		{"leave one out", 28, checkSeq, verify([]Record{good[0], good[1], resequenced(2, 4, good[1].Hash)}, zero)},
		{"start late", 28, checkSeq, verify([]Record{resequenced(1, 2, item.Hash{1})}, Tip{alice, 0, item.Hash{1}})},
		{"go back", 28, checkSeq, verify([]Record{good[0], good[1], good[2], resequenced(2, 2, good[2].Hash)}, zero)},

		{"swap payloads", 6, checkPayload, verify(payload(2, 4), zero)},
		{"repeat a payload", 6, checkPayload, verify(payload(3, 2), zero)},
		{"change a payload", 6, checkPayload, verify(with(2, changed(2)), zero)},

		{"change a record's name", 6, checkHash, verify(append(with(5, header(5))[:5:5], Record{good[5].Header, nil, item.Hash{9}}), zero)},
		{"another header under a known hash", 6, checkHash, func() error { _, err := header(3).Open(); return err }},
		{"a header without its action", 6, checkHash, func() error {
			h, _ := ParseHeader(good[3].Header)
			h.Action = item.Restore
			b := must(encodeHeader(&h))
			_, err := Record{b, good[3].Payload, good[3].Hash}.Open()
			return err
		}},

		{"another author's records", 7, checkAuthor, verify(bobs, Tip{Author: alice})},
		{"another incarnation's records", 7, checkAuthor, verify(chainOf(t, item.Author{Device: alice.Device, Inc: 8}, 2, "a"), zero)},
		{"another author's record in between", 7, checkAuthor, func() error {
			e, _, _ := Decode(good[1], nil)
			e.Author = bob
			_, err := Verify([]Record{good[0], mustEncode(t, e, nil)}, zero)
			return err
		}},
	})

	// These hold by two checks each; both have codes.
	for name, records := range map[string][]Record{
		"reordered":           {good[0], good[2], good[1], good[3]},
		"doubled":             {good[0], good[1], good[1], good[2]},
		"dropped":             {good[0], good[1], good[3]},
		"begun in the middle": good[2:],
	} {
		tip, err := Verify(records, zero)
		var c *ChainError
		if !errors.As(err, &c) || c.Author != alice || c.Seq != tip.Seq+1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Row 28 and 14: against a signed head.
func TestAudit(t *testing.T) {
	good := chainOf(t, alice, 6, "a")
	other := extend(t, good[:4], alice, 2, "b")
	zero := Tip{Author: alice}
	headAt := func(records []Record) *Head {
		tip := tipOf(t, records)
		return &Head{Author: tip.Author, N: 1, Seq: tip.Seq, Hash: tip.Hash}
	}
	audit := func(records []Record, prev Tip, h *Head) func() error {
		return func() error { _, err := Audit(records, prev, h); return err }
	}
	for _, h := range []*Head{headAt(good), headAt(good[:3]), {Author: alice, N: 1}} {
		if tip, err := Audit(good, zero, h); err != nil || tip.Seq != 6 {
			t.Fatalf("%+v, %v", tip, err)
		}
	}
	runAttacks(t, []attack{
		{"cut the end off", 28, checkEnd, audit(good[:4], zero, headAt(good))},
		{"cut all off", 28, checkEnd, audit(nil, zero, headAt(good))},
		{"another last record", 28, checkEnd, audit(other, zero, headAt(good))},
		{"two histories, the other one longer", 14, checkEnd, audit(extend(t, other, alice, 3, "b"), zero, headAt(good))},
		{"two histories, the other one shorter", 14, checkEnd, audit(good, zero, headAt(other[:5]))},
		{"two histories from the start", 14, checkEnd, audit(chainOf(t, alice, 6, "c"), zero, headAt(good))},
		{"another journal's head", 7, checkAuthor, audit(nil, zero, &Head{Author: bob, N: 1})},
	})
	var c *ChainError
	if _, err := Audit(good[:4], zero, headAt(good)); !errors.As(err, &c) || c.Seq != 5 || !errors.Is(err, ErrGap) {
		t.Errorf("cut: %v", err)
	}
	if _, err := Audit(other, zero, headAt(good)); !errors.Is(err, ErrForked) {
		t.Errorf("forked: %v", err)
	}
}

// Row 27: numbers beyond reason. encode keeps a writer from making them, so they
// are made by taking its check out.
func TestNumberAttacks(t *testing.T) {
	forge := func(change func(*Header)) []byte {
		without[checkNumbers], without[checkOwn] = true, true
		defer func() { without[checkNumbers], without[checkOwn] = false, false }()
		h := Header{Version: 1, Author: alice, Seq: 5, Prev: item.Hash{1}, Time: start, Action: item.Edit, Payload: item.Hash{2}, Size: 9}
		change(&h)
		return must(encodeHeader(&h))
	}
	deps := func(rows []byte) []byte {
		h := wireHeader{Version: 1, Device: alice.Device[:], Inc: alice.Inc, Seq: 5, Prev: make([]byte, 32), Payload: make([]byte, 32), Deps: rows}
		h.Prev[0] = 1
		return encode(&h)
	}
	row := func(a item.Author, seq uint64) []byte {
		b := appendAuthor(nil, a)
		for i := range 8 {
			b = append(b, byte(seq>>(56-8*i)))
		}
		return append(b, make([]byte, 8)...)
	}
	parse := func(b []byte) func() error { return func() error { _, err := ParseHeader(b); return err } }
	runAttacks(t, []attack{
		{"sequence 2^63", 27, checkNumbers, parse(forge(func(h *Header) { h.Seq = 1 << 63 }))},
		{"sequence 2^64-1", 27, checkNumbers, parse(forge(func(h *Header) { h.Seq = 1<<64 - 1 }))},
		{"sequence just over", 27, checkNumbers, parse(forge(func(h *Header) { h.Seq = MaxSeq + 1 }))},
		{"negative clock", 27, checkNumbers, parse(forge(func(h *Header) { h.Time = 1 << 63 }))},
		{"clock of -1", 27, checkNumbers, parse(forge(func(h *Header) { h.Time = 1<<64 - 1 }))},
		{"vector of 2^63", 27, checkNumbers, parse(deps(row(bob, 1<<63)))},
		{"vector of 2^64-1", 27, checkNumbers, parse(deps(row(bob, 1<<64-1)))},
		{"vector of 0", 27, checkNumbers, parse(deps(row(bob, 0)))},
		{"depends on itself", 27, checkOwn, parse(deps(row(alice, 4)))},
		{"depends on its future", 27, checkOwn, parse(deps(row(alice, 6)))},
		{"depends on itself, among others", 27, checkOwn, parse(deps(append(row(alice, 4), row(bob, 1)...)))},
		{"vector of 2,000 authors", 27, checkCount, parse(deps(func() (b []byte) {
			for i := range 1500 {
				b = append(b, row(item.Author{Device: item.Device{9, byte(i >> 8), byte(i)}}, 1)...)
			}
			return b
		}()))},
	})
	for _, rows := range [][]byte{append(row(bob, 1), row(bob, 2)...), append(row(bob, 1), row(alice, 2)...), row(bob, 1)[:39]} {
		if _, err := ParseHeader(deps(rows)); !errors.Is(err, ErrFormat) {
			t.Errorf("disordered vector: %v", err)
		}
	}
	// And a writer does not make them.
	for _, e := range []*item.Entry{
		{Author: alice, Seq: 1 << 63, Prev: item.Hash{1}}, {Author: alice, Seq: 0}, {Author: alice, Seq: 1, Time: 1 << 63},
		{Author: alice, Seq: 1, Deps: item.Vector{bob: {Seq: 1 << 63}}},
		{Author: alice, Seq: 1, Writes: []item.Write{{Time: 1 << 63}}},
		{Author: alice, Seq: 1, Writes: []item.Write{{Replaces: []item.Dot{{Author: bob, Seq: 1 << 63}}}}},
	} {
		if _, _, err := Encode(e, nil); !errors.Is(err, ErrLimit) {
			t.Errorf("encode %+v: %v", e, err)
		}
	}
}

func TestDisagree(t *testing.T) {
	a := item.Vector{alice: {Seq: 3, Hash: [8]byte{1}}, bob: {Seq: 3, Hash: [8]byte{1}}}
	b := item.Vector{alice: {Seq: 3, Hash: [8]byte{2}}, bob: {Seq: 4, Hash: [8]byte{2}}}
	if got := Disagree(a, b); len(got) != 1 || got[0] != alice {
		t.Errorf("got %v, want %v", got, alice)
	}
	if got := Disagree(a, a.Clone()); got != nil {
		t.Errorf("with itself: %v", got)
	}
}
