package journal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"

	"plait/backend/item"
	"plait/backend/seal"
)

// off makes what a writer of this package refuses to make.
func off[T any](fn func() T, cs ...check) T {
	for _, c := range cs {
		without[c] = true
		defer func() { without[c] = false }()
	}
	return fn()
}

// Rows 6, 7, 14: segments swapped, cut, relinked; by a store, or by a device of the vault
// (which has the keys).
func TestSegmentAttacks(t *testing.T) {
	s, o := testSealer(), testOpener()
	good := chainOf(t, alice, 6, "a")
	other := chainOf(t, alice, 6, "b")
	object, ref, err := s.Segment(&Segment{Records: good[:3]})
	if err != nil {
		t.Fatal(err)
	}
	seg := func(g *Segment) []byte {
		b, _, err := s.Segment(g)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	open := func(ref Ref, object []byte) func() error {
		return func() error { _, err := o.Segment(ref, object); return err }
	}
	// as seals records under a range that is not theirs.
	as := func(a item.Author, first, last uint64, prev *Ref, records []Record) func() error {
		w := wireSegment{Version: 1, Records: flat(records)}
		if prev != nil {
			p := prev.wire()
			w.Prev = &p
		}
		b := s.seal(seal.Segment, bind(a, first, last), encode(&w), seal.Padme, 0)
		return open(Ref{sha256.Sum256(b), a, first, last, uint32(len(b))}, b)
	}
	linked := func(prev *Ref, records []Record) func() error {
		h, _ := ParseHeader(records[0].Header)
		return as(alice, h.Seq, h.Seq+uint64(len(records))-1, prev, records)
	}
	gap := ref
	gap.Last--
	bobs := ref
	bobs.Author = bob
	runAttacks(t, []attack{
		{"another history under the name", 7, checkHash, open(ref, seg(&Segment{Records: other[:3]}))},
		{"the same records, sealed anew", 7, checkHash, open(ref, seg(&Segment{Records: good[:3]}))},
		{"records without payloads", 6, checkHash, open(ref, seg(&Segment{Records: []Record{good[0].Drop(), good[1].Drop(), good[2].Drop()}}))},

		{"fewer records than said", 6, checkRange, as(alice, 1, 3, nil, good[:2])},
		{"more records than said", 6, checkRange, as(alice, 1, 3, nil, good[:4])},
		{"another author's records", 7, checkRange, as(bob, 1, 3, nil, good[:3])},

		{"link over a gap", 6, checkLink, linked(&gap, good[3:])},
		{"no link", 6, checkLink, linked(nil, good[3:])},
		{"link before the beginning", 6, checkLink, linked(&ref, good[:2])},

		{"spliced inside", 28, checkPrev, linked(nil, []Record{good[0], other[1], other[2]})},
		{"payload of another history inside", 6, checkPayload, linked(nil, []Record{{good[0].Header, other[0].Payload, good[0].Hash}})},
	})
	for _, r := range []Ref{{First: 1, Last: 1 << 60}, {First: 3, Last: 1}, {First: 1 << 63, Last: 1 << 63}, {First: 0, Last: 1}, {First: 1, Last: 1, Size: MaxSegment + 1}} {
		if _, err := o.Segment(r, object); !errors.Is(err, ErrLimit) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	// What seal binds: another range, author or vault, a changed bit.
	for i := range len(object) {
		if i%37 == 0 {
			b := bytes.Clone(object)
			b[i] ^= 1
			r := ref
			r.Name = sha256.Sum256(b)
			if open(r, b)() == nil {
				t.Fatalf("bit %d changed: opens", i)
			}
		}
	}
	for _, change := range []func(*Ref){
		func(r *Ref) { r.Last++ }, func(r *Ref) { r.First++ }, func(r *Ref) { r.Author = bob }, func(r *Ref) { r.Author.Inc++ },
	} {
		r := ref
		change(&r)
		if err := open(r, object)(); !errors.Is(err, seal.ErrRefused) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// Rows 2, 7, 9, 13, 14, 17, 27: heads forged, renamed, rolled back, forked.
func TestHeadAttacks(t *testing.T) {
	s, o := testSealer(), testOpener()
	h, records := sampleHead(t)
	object, name, err := s.Head(h, sign)
	if err != nil {
		t.Fatal(err)
	}
	open := func(name HeadName, object []byte) func() error {
		return func() error { _, err := o.Head(name, object, verifyBy); return err }
	}
	renamed := func(object []byte, change func(*HeadName)) HeadName {
		n := name
		n.Hash = sha256.Sum256(object)
		change(&n)
		return n
	}
	stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	signedBy := func(sig []byte) func() error {
		b := append(bytes.Clone(sig), object[ed25519.SignatureSize:]...)
		return open(renamed(b, func(*HeadName) {}), b)
	}
	// as seals what says to be one head under the name of another, or what a writer refuses.
	as := func(n HeadName, change func(*Head)) func() error {
		c := *h
		change(&c)
		w := off(func() *wireHead { return must(c.wire()) }, checkNumbers, checkCount)
		sealed := s.seal(seal.Head, bind(n.Author, n.N), encode(w), seal.Heads, ed25519.SignatureSize)
		b := append(sign(signed(sealed)), sealed...)
		n.Hash = sha256.Sum256(b)
		return open(n, b)
	}
	if err := as(name, func(*Head) {})(); err != nil {
		t.Fatal(err)
	}
	follows := func(change func(*Head)) func() error {
		return func() error {
			c := *h
			c.Vector = h.Vector.Clone()
			change(&c)
			return c.Follows(h)
		}
	}
	next := name
	next.N++
	refs := func(n int) (rs []Ref) {
		for i := range n {
			rs = append(rs, Ref{Author: alice, First: uint64(n - i), Last: uint64(n - i)})
		}
		return rs
	}
	runAttacks(t, []attack{
		{"signed by a stranger", 2, checkSigned, signedBy(ed25519.Sign(stranger, signed(object[64:])))},
		{"not signed", 9, checkSigned, signedBy(make([]byte, 64))},
		{"signature of another message", 9, checkSigned, signedBy(sign(object[64:]))},

		{"an older head under a newer number", 13, checkName, as(next, func(*Head) {})},
		{"under another device", 7, checkName, as(HeadName{Author: bob, N: 12}, func(*Head) {})},
		{"under another incarnation", 7, checkName, as(HeadName{Author: item.Author{Device: alice.Device, Inc: 8}, N: 12}, func(*Head) {})},

		{"other bytes under the name", 7, checkHash, func() error {
			again, _, _ := testSealer().Head(&Head{Author: alice, N: 12}, sign)
			return open(name, again)()
		}},
		{"a name with another hash", 7, checkHash, open(HeadName{name.Author, name.N, item.Hash{1}}, object)},
		{"the head before under the new name", 13, checkHash, func() error {
			c := *h
			c.Time--
			b, _, err := s.Head(&c, sign)
			return errors.Join(err, open(name, b)())
		}},

		{"entries missing at the end", 6, checkInline, as(name, func(h *Head) { h.Inline = records[7:8] })},
		{"entries missing in between", 6, checkInline, as(name, func(h *Head) { h.Inline = records[8:] })},
		{"no entries", 6, checkInline, as(name, func(h *Head) { h.Inline = nil })},
		{"entries of another history", 14, checkInline, as(name, func(h *Head) { h.Inline = extend(t, records[:7], alice, 2, "b")[7:] })},

		{"segment missing", 6, checkLink, as(name, func(h *Head) {
			far := h.Segments[1]
			far.Last--
			h.Segments = []Ref{h.Segments[0], far}
		})},
		{"segments out of order", 6, checkLink, as(name, func(h *Head) { h.Segments = []Ref{h.Segments[1], h.Segments[0]}; h.Inline = records[4:] })},
		{"segment twice", 6, checkLink, as(name, func(h *Head) { h.Segments = []Ref{h.Segments[0], h.Segments[0]} })},

		{"sequence back", 13, checkBack, follows(func(h *Head) { h.N++; h.Seq--; h.Hash = item.Hash{3} })},
		{"number back", 13, checkBack, follows(func(h *Head) { h.N-- })},
		{"vector back", 13, checkBack, follows(func(h *Head) { h.N++; h.Vector[bob] = item.Tip{Seq: 2} })},
		{"vector forgets", 17, checkBack, follows(func(h *Head) { h.N++; delete(h.Vector, bob) })},

		{"another entry, the same head", 14, checkFork, follows(func(h *Head) { h.Hash = item.Hash{3} })},
		{"another entry, a later head", 14, checkFork, follows(func(h *Head) { h.N += 5; h.Hash = item.Hash{3} })},
		{"another entry, and more applied", 14, checkFork, follows(func(h *Head) { h.N++; h.Vector[bob] = item.Tip{Seq: 9}; h.Hash[31] ^= 1 })},
		{"another journal's head", 7, checkAuthor, follows(func(h *Head) { h.Author = bob })},

		{"clock of 2^63", 27, checkNumbers, as(name, func(h *Head) { h.Time = 1 << 63 })},
		{"number of 2^63", 27, checkNumbers, as(HeadName{Author: alice, N: 1 << 63}, func(h *Head) { h.N = 1 << 63 })},
		{"a segment of no records", 27, checkNumbers, as(name, func(h *Head) { h.Segments = append(h.Segments[:2:2], Ref{Author: alice, First: 0, Last: 0}) })},

		{"17 segments", 21, checkCount, as(name, func(h *Head) { h.Segments = refs(17); h.Inline = nil; h.Seq = 17 })},
		{"5,000 statements", 21, checkCount, as(name, func(h *Head) { h.Keys = make([]item.Hash, 5000) })},
		{"300 snapshots", 21, checkCount, as(name, func(h *Head) { h.Countersigned = make([]item.Hash, 300) })},
	})
	if err := h.Follows(h); err != nil {
		t.Errorf("a head after itself: %v", err)
	}
	if err := open(HeadName{Author: alice, N: 13, Hash: name.Hash}, object)(); !errors.Is(err, seal.ErrRefused) {
		t.Errorf("renumbered: %v", err)
	}
}

// Rows 6 and 7: snapshots cut and swapped.
func TestSnapshotAttacks(t *testing.T) {
	o := testOpener()
	object, ref := writeSnapshot(t, sampleContent())
	all := parts(object)
	read := func(object []byte, ref SnapshotRef) func() error {
		return func() error { _, _, err := readSnapshot(o, object, ref); return err }
	}
	// cut gives the first n parts a name and a size of their own.
	cut := func(n int) func() error {
		b := bytes.Join(all[:n], nil)
		return read(b, SnapshotRef{sha256.Sum256(b), ref.Author, ref.N, int64(len(b))})
	}
	// as seals one part that says to be of info.
	as := func(ref SnapshotRef, info SnapshotInfo) func() error {
		p := wirePiece{Version: 1, Info: must(encodeInfo(info))}
		sealed := testSealer().seal(seal.Snapshot, partBind(ref, 0, true), encode(&p), seal.Padme, 0)
		b := append([]byte{0, 0, byte(len(sealed) >> 8), byte(len(sealed))}, sealed...)
		ref.Name, ref.Size = sha256.Sum256(b), int64(len(b))
		return read(b, ref)
	}
	withInfo := func(change func(*SnapshotInfo)) SnapshotInfo {
		i := sampleInfo
		change(&i)
		return i
	}
	content := sampleContent()
	for i := range content.items {
		content.items[i].State[0]++
	}
	again, _ := writeSnapshot(t, content)
	renamed := ref
	renamed.Name[0] ^= 1
	sized := func(b []byte) SnapshotRef { r := ref; r.Size = int64(len(b)); return r }
	mixed := bytes.Join(append([][]byte{parts(again)[0]}, all[1:]...), nil) // one of two of the same number
	runAttacks(t, []attack{
		{"last part gone", 6, checkLast, cut(len(all) - 1)},
		{"first part only", 6, checkLast, cut(1)},
		{"two parts only", 6, checkLast, cut(2)},

		{"another name", 7, checkHash, read(object, renamed)},
		{"another of the same number", 7, checkHash, read(again, sized(again))},
		{"parts of two mixed", 7, checkHash, read(mixed, sized(mixed))},

		{"another number inside", 7, checkName, as(ref, withInfo(func(i *SnapshotInfo) { i.N = 3 }))},
		{"another device inside", 7, checkName, as(ref, withInfo(func(i *SnapshotInfo) { i.Author = bob }))},
		{"another incarnation inside", 7, checkName, as(ref, withInfo(func(i *SnapshotInfo) { i.Author.Inc++ }))},
	})
	for _, change := range []func(*SnapshotRef){
		func(r *SnapshotRef) { r.N++ }, func(r *SnapshotRef) { r.Author = bob }, func(r *SnapshotRef) { r.Size-- }, func(r *SnapshotRef) { r.Size++ },
	} {
		r := ref
		change(&r)
		if err := read(object, r)(); err == nil {
			t.Errorf("%+v: opens", r)
		}
	}
	for _, size := range []uint32{0, 1, 1 << 31, 1<<32 - 1} {
		b := bytes.Clone(object)
		copy(b, []byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)})
		if err := read(b, ref)(); err == nil {
			t.Errorf("a part of %d bytes: opens", size)
		}
	}
}

// Row 26, at this level: a pack that says that chunks lie beyond it.
func TestPackAttacks(t *testing.T) {
	pack := func(offset, size uint32) func() error {
		w := must(encodePack(item.Pack{Size: 100, Chunks: []item.PackedChunk{{Offset: offset, Size: size}}}))
		return decodes(forgeMain(&wireMain{Packs: []wirePack{w}}), nil)
	}
	runAttacks(t, []attack{
		{"beyond the end", 26, checkRange, pack(90, 11)},
		{"offset beyond the end", 26, checkRange, pack(101, 0)},
		{"offset and size that wrap", 26, checkRange, pack(1<<32-1, 2)},
	})
	if err := pack(90, 10)(); err != nil {
		t.Error(err)
	}
}
