package journal

import (
	"crypto/sha256"
	"fmt"

	"plait/backend/item"
)

// version is the payload's format that this code writes, and the newest it reads.
// Headers of any later version keep the fields of this one.
const version = 1

type wireHeader struct {
	Version uint   `cbor:"1,keyasint"`
	Device  []byte `cbor:"2,keyasint"`
	Inc     uint64 `cbor:"3,keyasint"`
	Seq     uint64 `cbor:"4,keyasint"`
	Prev    []byte `cbor:"5,keyasint,omitempty"` // none at Seq 1
	Time    uint64 `cbor:"6,keyasint"`
	Deps    []byte `cbor:"7,keyasint,omitempty"`
	Action  uint8  `cbor:"8,keyasint"`
	Payload []byte `cbor:"9,keyasint"`
	Size    uint32 `cbor:"10,keyasint"`
}

// HashOf is the hash of a record with this header: SHA-256 over a domain tag and
// the header's bytes.
func HashOf(header []byte) item.Hash {
	h := sha256.New()
	h.Write([]byte("plait entry 1\x00"))
	h.Write(header)
	return item.Hash(h.Sum(nil))
}

func encodeHeader(h *Header) ([]byte, error) {
	deps, err := encodeVector(h.Deps, h.Author)
	if err != nil {
		return nil, err
	}
	if err := h.sane(); err != nil {
		return nil, err
	}
	w := wireHeader{
		Version: h.Version, Device: h.Author.Device[:], Inc: h.Author.Inc, Seq: h.Seq,
		Time: uint64(h.Time), Deps: deps, Action: uint8(h.Action), Payload: h.Payload[:], Size: h.Size,
	}
	if h.Seq > 1 {
		w.Prev = h.Prev[:]
	}
	return encode(w), nil
}

func (h *Header) sane() error {
	switch {
	case h.Version == 0:
		return fmt.Errorf("%w: no version", ErrFormat)
	case checkNumbers.fails(h.Seq == 0 || h.Seq > MaxSeq):
		return fmt.Errorf("%w: sequence %d", ErrLimit, h.Seq)
	case checkNumbers.fails(h.Time > MaxTime):
		return fmt.Errorf("%w: clock %d", ErrLimit, h.Time)
	case h.Seq > 1 == (h.Prev == item.Hash{}):
		return fmt.Errorf("%w: sequence %d and the record before disagree", ErrFormat, h.Seq)
	case checkSize.fails(h.Size > MaxPayload):
		return fmt.Errorf("%w: payload of %d bytes", ErrLimit, h.Size)
	}
	return nil
}

// ParseHeader reads a record's header, of this version or a later one.
func ParseHeader(b []byte) (Header, error) {
	if checkSize.fails(len(b) > maxHeader) {
		return Header{}, fmt.Errorf("record header: %w: %d bytes", ErrLimit, len(b))
	}
	h, err := parseHeader(b)
	if err != nil {
		return Header{}, fmt.Errorf("record header: %w", err)
	}
	return h, nil
}

func parseHeader(b []byte) (h Header, err error) {
	var w wireHeader
	if err := decode(b, &w); err != nil {
		return h, err
	}
	if len(w.Device) != len(h.Author.Device) {
		return h, fmt.Errorf("%w: device of %d bytes", ErrFormat, len(w.Device))
	}
	h = Header{
		Version: w.Version, Author: item.Author{Device: item.Device(w.Device), Inc: w.Inc}, Seq: w.Seq,
		Time: item.HLC(w.Time), Action: item.Action(w.Action), Size: w.Size,
	}
	if w.Prev != nil {
		if h.Prev, err = readHash(w.Prev); err != nil {
			return h, err
		}
	}
	if h.Payload, err = readHash(w.Payload); err != nil {
		return h, err
	}
	if h.Deps, err = decodeVector(w.Deps, h.Author); err != nil {
		return h, err
	}
	return h, h.sane()
}

// Open reads the record's header, and checks that the record's hash and its
// payload, if it still has one, are those of the header.
func (r Record) Open() (Header, error) {
	if checkHash.fails(HashOf(r.Header) != r.Hash) {
		return Header{}, fmt.Errorf("record %.8s: %w", r.Hash, ErrChanged)
	}
	h, err := ParseHeader(r.Header)
	if err != nil {
		return Header{}, err
	}
	if r.Payload == nil {
		return h, nil
	}
	if checkPayload.fails(len(r.Payload) != int(h.Size) || sha256.Sum256(r.Payload) != h.Payload) {
		return Header{}, fmt.Errorf("payload of %s: %w", h.Dot(), ErrChanged)
	}
	return h, nil
}

// Drop returns the record without its payload, which changes no hash.
func (r Record) Drop() Record { return Record{Header: r.Header, Hash: r.Hash} }

// Size is how many bytes the record takes.
func (r Record) Size() int { return len(r.Header) + len(r.Payload) }
