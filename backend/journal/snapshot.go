package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"plait/backend/item"
	"plait/backend/seal"
)

// A SnapshotRef names a snapshot.
type SnapshotRef struct {
	Name   item.Hash   // SHA-256 of the object: snapshots/<hex>
	Author item.Author // who made it
	N      uint64      // its maker's number for it
	Size   int64       // of the object, in bytes
}

// Object is the snapshot's name in a store.
func (r SnapshotRef) Object() string { return "snapshots/" + r.Name.String() }

// SnapshotInfo says of what a snapshot is.
type SnapshotInfo struct {
	Author item.Author
	N      uint64
	Time   item.HLC
	Tips   []Tip // how far each journal is in it, by author; the whole hashes, so that chains can be followed on
}

// Vector is what the snapshot covers.
func (i SnapshotInfo) Vector() item.Vector {
	v := make(item.Vector, len(i.Tips))
	for _, t := range i.Tips {
		v[t.Author] = item.Tip{Seq: t.Seq, Hash: t.Hash.Short()}
	}
	return v
}

// A SnapshotItem is one item's state, in package state's own encoding.
type SnapshotItem struct {
	Name  item.Name
	State []byte
}

type (
	wireSnapshot struct {
		Name   []byte `cbor:"1,keyasint"`
		Device []byte `cbor:"2,keyasint"`
		Inc    uint64 `cbor:"3,keyasint"`
		N      uint64 `cbor:"4,keyasint"`
		Size   int64  `cbor:"5,keyasint"`
	}
	// wirePiece is one part of a snapshot.
	wirePiece struct {
		Version uint       `cbor:"1,keyasint"`
		Rows    []byte     `cbor:"2,keyasint,omitempty"` // zstd of wireRows
		Size    int        `cbor:"3,keyasint,omitempty"` // of it, unpacked
		Plain   []wireItem `cbor:"4,keyasint,omitempty"` // items that are not compressed
		Info    *wireInfo  `cbor:"5,keyasint,omitempty"` // in the first part
	}
	wireRows struct {
		Items []wireItem `cbor:"1,keyasint,omitempty"`
		Packs []wirePack `cbor:"2,keyasint,omitempty"`
	}
	wireItem struct {
		Name  cbor.ByteString `cbor:"1,keyasint"`
		State []byte          `cbor:"2,keyasint"`
	}
	wireInfo struct {
		Device []byte `cbor:"1,keyasint"`
		Inc    uint64 `cbor:"2,keyasint"`
		N      uint64 `cbor:"3,keyasint"`
		Time   uint64 `cbor:"4,keyasint"`
		Tips   []byte `cbor:"5,keyasint,omitempty"` // 64 bytes each: author, sequence, hash
	}
)

const tipSize = authorSize + 8 + 32

func (r *SnapshotRef) wire() *wireSnapshot {
	return &wireSnapshot{Name: r.Name[:], Device: r.Author.Device[:], Inc: r.Author.Inc, N: r.N, Size: r.Size}
}

func (w *wireSnapshot) ref() (*SnapshotRef, error) {
	name, err := readHash(w.Name)
	if err != nil {
		return nil, err
	}
	if len(w.Device) != len(item.Device{}) {
		return nil, fmt.Errorf("%w: device of %d bytes", ErrFormat, len(w.Device))
	}
	if checkNumbers.fails(w.N == 0 || w.N > MaxSeq || w.Size <= 0) {
		return nil, fmt.Errorf("%w: snapshot %d of %d bytes", ErrLimit, w.N, w.Size)
	}
	return &SnapshotRef{name, item.Author{Device: item.Device(w.Device), Inc: w.Inc}, w.N, w.Size}, nil
}

func encodeInfo(i SnapshotInfo) (*wireInfo, error) {
	if len(i.Tips) > MaxAuthors || i.N == 0 || i.N > MaxSeq || i.Time > MaxTime {
		return nil, fmt.Errorf("%w: snapshot %d of %d journals", ErrLimit, i.N, len(i.Tips))
	}
	w := &wireInfo{Device: i.Author.Device[:], Inc: i.Author.Inc, N: i.N, Time: uint64(i.Time)}
	tips := slices.SortedFunc(slices.Values(i.Tips), func(a, b Tip) int { return a.Author.Compare(b.Author) })
	for n, t := range tips {
		if t.Seq == 0 || t.Seq > MaxSeq || (n > 0 && tips[n-1].Author == t.Author) {
			return nil, fmt.Errorf("%w: journal %s at %d", ErrFormat, t.Author, t.Seq)
		}
		w.Tips = appendAuthor(w.Tips, t.Author)
		w.Tips = binary.BigEndian.AppendUint64(w.Tips, t.Seq)
		w.Tips = append(w.Tips, t.Hash[:]...)
	}
	return w, nil
}

func decodeInfo(w *wireInfo) (i SnapshotInfo, err error) {
	if w == nil || len(w.Device) != len(item.Device{}) || len(w.Tips)%tipSize != 0 {
		return i, fmt.Errorf("%w: first part of a snapshot", ErrFormat)
	}
	if checkCount.fails(len(w.Tips)/tipSize > MaxAuthors) || checkNumbers.fails(item.HLC(w.Time) > MaxTime) {
		return i, fmt.Errorf("%w: %d journals, clock %d", ErrLimit, len(w.Tips)/tipSize, w.Time)
	}
	i = SnapshotInfo{Author: item.Author{Device: item.Device(w.Device), Inc: w.Inc}, N: w.N, Time: item.HLC(w.Time)}
	for b := w.Tips; len(b) > 0; b = b[tipSize:] {
		t := Tip{readAuthor(b), binary.BigEndian.Uint64(b[authorSize:]), item.Hash(b[authorSize+8:])}
		if n := len(i.Tips); n > 0 && i.Tips[n-1].Author.Compare(t.Author) >= 0 {
			return i, fmt.Errorf("%w: journals out of order", ErrFormat)
		}
		if checkNumbers.fails(t.Seq == 0 || t.Seq > MaxSeq) {
			return i, fmt.Errorf("%w: journal at %d", ErrLimit, t.Seq)
		}
		i.Tips = append(i.Tips, t)
	}
	return i, nil
}

// partTarget is about how many plain bytes go into a part.
const partTarget = 4 << 20

// A SnapshotWriter seals a whole state part by part.
type SnapshotWriter struct {
	sealer Sealer
	w      io.Writer
	ref    SnapshotRef
	info   *wireInfo // until it is written, with the first part
	sum    hash.Hash
	index  uint64
	rows   wireRows
	plain  []wireItem
	size   int // of what waits
	last   item.Name
	err    error
}

// Snapshot begins a snapshot. The object is what was written to w when Close
// returns; its name is known only then.
func (s Sealer) Snapshot(w io.Writer, info SnapshotInfo) (*SnapshotWriter, error) {
	wire, err := encodeInfo(info)
	if err != nil {
		return nil, fmt.Errorf("begin snapshot: %w", err)
	}
	return &SnapshotWriter{sealer: s, w: w, info: wire, sum: sha256.New(), ref: SnapshotRef{Author: info.Author, N: info.N}}, nil
}

// Item adds an item. Items come in the order of their names. alone: the state holds
// something that is likely secret, and is not compressed (J5).
func (s *SnapshotWriter) Item(name item.Name, state []byte, alone bool) error {
	if s.err == nil && (name <= s.last || len(name) > MaxName || len(state) > MaxPart/2) {
		s.err = fmt.Errorf("snapshot: %w: item of %d bytes, or out of order", ErrLimit, len(state))
	}
	if err := s.add(len(name) + len(state) + 16); err != nil {
		return err
	}
	s.last = name
	row := wireItem{cbor.ByteString(name), state}
	if alone {
		s.plain = append(s.plain, row)
	} else {
		s.rows.Items = append(s.rows.Items, row)
	}
	return nil
}

// Pack adds where chunks are.
func (s *SnapshotWriter) Pack(p item.Pack) error {
	w, err := encodePack(p)
	if s.err == nil && err != nil {
		s.err = fmt.Errorf("snapshot: %w", err)
	}
	if err := s.add(64 + len(w.Chunks) + len(w.Epochs)); err != nil {
		return err
	}
	s.rows.Packs = append(s.rows.Packs, w)
	return nil
}

func (s *SnapshotWriter) add(size int) error {
	const most = maxItems / 8 // rows in a part
	if s.err == nil && s.size > 0 && (s.size+size > partTarget || len(s.rows.Items)+len(s.rows.Packs)+len(s.plain) >= most) {
		s.flush(false)
	}
	s.size += size
	return s.err
}

// A part is its sealed length in 4 bytes, and the sealed bytes. Each is bound to
// its index, and to whether it is the last.
func (s *SnapshotWriter) flush(last bool) {
	p := wirePiece{Version: 1, Plain: s.plain, Info: s.info}
	if len(s.rows.Items)+len(s.rows.Packs) > 0 {
		rows := encode(&s.rows)
		p.Rows, p.Size = pack(rows), len(rows)
	}
	sealed := s.sealer.seal(seal.Snapshot, partBind(s.ref, s.index, last), encode(&p), seal.Padme, 0)
	if len(sealed) > MaxPart || p.Size > MaxPart {
		s.err = fmt.Errorf("snapshot: %w: part of %d bytes", ErrLimit, len(sealed))
		return
	}
	s.index++
	s.info, s.rows, s.plain, s.size = nil, wireRows{}, nil, 0
	out := io.MultiWriter(s.w, s.sum)
	for _, b := range [][]byte{binary.BigEndian.AppendUint32(nil, uint32(len(sealed))), sealed} {
		n, err := out.Write(b)
		s.ref.Size += int64(n)
		if err != nil {
			s.err = fmt.Errorf("write snapshot: %w", err)
			return
		}
	}
}

func partBind(r SnapshotRef, index uint64, last bool) []byte {
	end := uint64(0)
	if last {
		end = 1
	}
	return bind(r.Author, r.N, index, end)
}

// Close writes the last part, and returns the snapshot's name.
func (s *SnapshotWriter) Close() (SnapshotRef, error) {
	if s.err == nil {
		s.flush(true)
	}
	if s.err != nil {
		return SnapshotRef{}, s.err
	}
	s.ref.Name = item.Hash(s.sum.Sum(nil))
	return s.ref, nil
}
