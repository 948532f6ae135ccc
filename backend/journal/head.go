package journal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"maps"

	"plait/backend/item"
	"plait/backend/seal"
)

// A Head is what a device says of itself and of the others, newest first: how far
// its journal goes, what it has applied, and where to find the rest.
type Head struct {
	Author        item.Author
	N             uint64 // goes up by one or more with each head
	Time          item.HLC
	Seq           uint64      // the journal's last entry; 0: none yet
	Hash          item.Hash   // and its hash
	Vector        item.Vector // what it has applied of the others
	Keys          []item.Hash // the newest statements that it knows: keys/<hex>
	Segments      []Ref       // the newest of its own, newest first
	Snapshot      *SnapshotRef
	Countersigned []item.Hash // snapshots that it has checked
	Inline        []Record    // the newest entries, where they are small
}

// Limits of a head.
const (
	MaxRefs   = 16      // segments
	MaxInline = 2 << 10 // bytes of records that a writer puts into a head
	maxKeys   = 4096
	maxSigned = 256
)

type wireHead struct {
	Version       uint          `cbor:"1,keyasint"`
	Device        []byte        `cbor:"2,keyasint"`
	Inc           uint64        `cbor:"3,keyasint"`
	N             uint64        `cbor:"4,keyasint"`
	Time          uint64        `cbor:"5,keyasint"`
	Seq           uint64        `cbor:"6,keyasint,omitempty"`
	Hash          []byte        `cbor:"7,keyasint,omitempty"`
	Vector        []byte        `cbor:"8,keyasint,omitempty"`
	Keys          []byte        `cbor:"9,keyasint,omitempty"`
	Segments      []wireRef     `cbor:"10,keyasint,omitempty"`
	Snapshot      *wireSnapshot `cbor:"11,keyasint,omitempty"`
	Countersigned []byte        `cbor:"12,keyasint,omitempty"`
	Inline        [][]byte      `cbor:"13,keyasint,omitempty"`
}

func signed(sealed []byte) []byte { return append([]byte("plait head 1\x00"), sealed...) }

// Covered is the head's vector with its own journal.
func (h *Head) Covered() item.Vector {
	v := maps.Clone(h.Vector)
	if v == nil {
		v = item.Vector{}
	}
	if h.Seq > 0 {
		v[h.Author] = item.Tip{Seq: h.Seq, Hash: h.Hash.Short()}
	}
	return v
}

// Head seals and signs a head. sign makes the device's Ed25519 signature.
func (s Sealer) Head(h *Head, sign func(message []byte) []byte) (object []byte, name HeadName, err error) {
	name = HeadName{Author: h.Author, N: h.N}
	w, err := h.wire()
	if err == nil {
		err = h.sane()
	}
	if err != nil {
		return nil, name, fmt.Errorf("seal head: %w", err)
	}
	sealed := s.seal(seal.Head, bind(h.Author, h.N), encode(w), seal.Heads, ed25519.SignatureSize)
	if len(sealed)+ed25519.SignatureSize > MaxHead {
		return nil, name, fmt.Errorf("seal head: %w: %d bytes", ErrLimit, len(sealed))
	}
	signature := sign(signed(sealed))
	if len(signature) != ed25519.SignatureSize {
		panic("journal: not an Ed25519 signature")
	}
	object = append(signature[:len(signature):len(signature)], sealed...)
	name.Hash = sha256.Sum256(object)
	return object, name, nil
}

func (h *Head) wire() (*wireHead, error) {
	vector, err := encodeVector(h.Vector, h.Author)
	if err != nil {
		return nil, err
	}
	w := &wireHead{
		Version: 1, Device: h.Author.Device[:], Inc: h.Author.Inc, N: h.N, Time: uint64(h.Time), Seq: h.Seq,
		Vector: vector, Keys: encodeHashes(h.Keys), Countersigned: encodeHashes(h.Countersigned),
	}
	if h.Seq > 0 {
		w.Hash = h.Hash[:]
	}
	for _, r := range h.Segments {
		if r.Author != h.Author {
			return nil, fmt.Errorf("%w: a segment of %s", ErrForeign, r.Author)
		}
		w.Segments = append(w.Segments, r.wire())
	}
	if h.Snapshot != nil {
		w.Snapshot = h.Snapshot.wire()
	}
	if len(h.Inline) > 0 {
		w.Inline = flat(h.Inline)
	}
	return w, nil
}

// sane checks that the parts of a head agree: its entries and segments end where
// it says that the journal does, without a gap.
func (h *Head) sane() error {
	switch {
	case checkNumbers.fails(h.N == 0 || h.N > MaxSeq || h.Seq > MaxSeq || h.Time > MaxTime):
		return fmt.Errorf("%w: number %d, sequence %d, clock %d", ErrLimit, h.N, h.Seq, h.Time)
	case (h.Seq == 0) != (h.Hash == item.Hash{}):
		return fmt.Errorf("%w: sequence %d and hash disagree", ErrFormat, h.Seq)
	case checkCount.fails(len(h.Segments) > MaxRefs || len(h.Keys) > maxKeys || len(h.Countersigned) > maxSigned):
		return fmt.Errorf("%w: %d segments, %d statements, %d snapshots", ErrLimit, len(h.Segments), len(h.Keys), len(h.Countersigned))
	}
	end := uint64(0) // of the segments
	for i, r := range h.Segments {
		if err := r.sane(); err != nil {
			return err
		}
		if i == 0 {
			end = r.Last
		} else if checkLink.fails(h.Segments[i-1].First != r.Last+1) {
			return fmt.Errorf("%w: between segments to %d and from %d", ErrGap, r.Last, h.Segments[i-1].First)
		}
	}
	if len(h.Inline) == 0 {
		if checkInline.fails(end != h.Seq) {
			return fmt.Errorf("%w: segments end at %d of %d", ErrGap, end, h.Seq)
		}
		return nil
	}
	first, err := h.Inline[0].Open()
	if err != nil {
		return err
	}
	tip, err := Verify(h.Inline, Tip{h.Author, first.Seq - 1, first.Prev})
	if err != nil {
		return err
	}
	if checkInline.fails(tip != h.Tip() || first.Seq > end+1) {
		return fmt.Errorf("%w: entries from %d to %d after segments to %d, of %d", ErrGap, first.Seq, tip.Seq, end, h.Seq)
	}
	return nil
}

// Head opens the object of that name, if its device signed it: key is the
// device's, as its admission has it.
func (o Opener) Head(name HeadName, object []byte, key ed25519.PublicKey) (*Head, error) {
	h, err := o.head(name, object, key)
	if err != nil {
		return nil, fmt.Errorf("head %d of %s: %w", name.N, name.Author, err)
	}
	return h, nil
}

func (o Opener) head(name HeadName, object []byte, key ed25519.PublicKey) (*Head, error) {
	if err := named(object, name.Hash, MaxHead); err != nil {
		return nil, err
	}
	if len(object) < ed25519.SignatureSize {
		return nil, ErrFormat
	}
	signature, sealed := object[:ed25519.SignatureSize], object[ed25519.SignatureSize:]
	if checkSigned.fails(len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, signed(sealed), signature)) {
		return nil, ErrSignature
	}
	plain, err := o.open(seal.Head, bind(name.Author, name.N), sealed)
	if err != nil {
		return nil, err
	}
	h, err := parseHead(plain)
	if err != nil {
		return nil, err
	}
	if checkName.fails(h.Author != name.Author || h.N != name.N) {
		return nil, fmt.Errorf("%w: it is head %d of %s", ErrForeign, h.N, h.Author)
	}
	return h, h.sane()
}

func parseHead(plain []byte) (*Head, error) {
	var w wireHead
	if err := decode(plain, &w); err != nil {
		return nil, err
	}
	if w.Version != 1 {
		return nil, fmt.Errorf("%w: format %d", ErrNewer, w.Version)
	}
	if len(w.Device) != len(item.Device{}) {
		return nil, fmt.Errorf("%w: device of %d bytes", ErrFormat, len(w.Device))
	}
	h := &Head{
		Author: item.Author{Device: item.Device(w.Device), Inc: w.Inc},
		N:      w.N, Time: item.HLC(w.Time), Seq: w.Seq,
	}
	var err error
	if w.Hash != nil {
		if h.Hash, err = readHash(w.Hash); err != nil {
			return nil, err
		}
	}
	if h.Vector, err = decodeVector(w.Vector, h.Author); err != nil {
		return nil, err
	}
	if h.Keys, err = decodeHashes(w.Keys, maxKeys); err != nil {
		return nil, err
	}
	if h.Countersigned, err = decodeHashes(w.Countersigned, maxSigned); err != nil {
		return nil, err
	}
	if checkCount.fails(len(w.Segments) > MaxRefs) {
		return nil, fmt.Errorf("%w: %d segments", ErrLimit, len(w.Segments))
	}
	for _, s := range w.Segments {
		r, err := s.ref(h.Author)
		if err != nil {
			return nil, err
		}
		h.Segments = append(h.Segments, r)
	}
	if w.Snapshot != nil {
		if h.Snapshot, err = w.Snapshot.ref(); err != nil {
			return nil, err
		}
	}
	h.Inline, err = unflat(w.Inline)
	return h, err
}

// Follows says whether h can come after prev, both heads of one journal: nil,
// ErrRolledBack or ErrForked. Where two heads have one number, the caller sees a
// fork in their names already.
func (h *Head) Follows(prev *Head) error {
	switch {
	case checkAuthor.fails(h.Author != prev.Author):
		return fmt.Errorf("%w: heads of %s and %s", ErrForeign, h.Author, prev.Author)
	case checkBack.fails(h.N < prev.N || h.Seq < prev.Seq):
		return fmt.Errorf("%w: head %d at %d after %d at %d", ErrRolledBack, h.N, h.Seq, prev.N, prev.Seq)
	case checkBack.fails(!h.Vector.Dominates(prev.Vector)):
		return fmt.Errorf("%w: head %d had applied more than %d", ErrRolledBack, prev.N, h.N)
	case checkFork.fails(h.Seq == prev.Seq && h.Hash != prev.Hash):
		return fmt.Errorf("%w: two records at %d", ErrForked, h.Seq)
	}
	return nil
}
