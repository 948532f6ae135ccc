package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"plait/backend/item"
	"plait/backend/seal"
)

// A SnapshotReader opens a snapshot part by part. What it returned counts only
// once Next has returned io.EOF: only then is it known to be the whole of what
// its name says.
type SnapshotReader struct {
	Info SnapshotInfo

	opener Opener
	r      io.Reader
	ref    SnapshotRef
	sum    hash.Hash
	index  uint64
	left   int64
	done   bool // the last part has been opened
	err    error
	items  []SnapshotItem
	packs  []item.Pack
	last   item.Name
}

// Snapshot begins to read the object that ref names.
func (o Opener) Snapshot(r io.Reader, ref SnapshotRef) (*SnapshotReader, error) {
	s := &SnapshotReader{opener: o, r: r, ref: ref, sum: sha256.New(), left: ref.Size}
	if err := s.part(); err != nil {
		return nil, s.wrap(err)
	}
	return s, nil
}

func (s *SnapshotReader) wrap(err error) error {
	return fmt.Errorf("snapshot %.8s: %w", s.ref.Name, err)
}

// Next returns the next item, or the next pack (one of them is nil), and io.EOF
// at the end. Within a part, items come in order, before packs.
func (s *SnapshotReader) Next() (*SnapshotItem, *item.Pack, error) {
	for s.err == nil {
		switch {
		case len(s.items) > 0:
			i := s.items[0]
			s.items = s.items[1:]
			return &i, nil, nil
		case len(s.packs) > 0:
			p := s.packs[0]
			s.packs = s.packs[1:]
			return nil, &p, nil
		case s.done:
			s.err = s.end()
		default:
			s.err = s.part()
		}
		if s.err != nil && !errors.Is(s.err, io.EOF) {
			s.err = s.wrap(s.err)
		}
	}
	return nil, nil, s.err
}

// end checks, after the last part, that the whole is what its name says.
func (s *SnapshotReader) end() error {
	if checkHash.fails(item.Hash(s.sum.Sum(nil)) != s.ref.Name) {
		return ErrChanged
	}
	return io.EOF
}

func (s *SnapshotReader) part() error {
	var n [4]byte
	if err := s.read(n[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(n[:])
	if checkSize.fails(size > MaxPart) || int64(size) > s.left {
		return fmt.Errorf("%w: part of %d bytes, %d left", ErrLimit, size, s.left)
	}
	sealed := make([]byte, size)
	if err := s.read(sealed); err != nil {
		return err
	}
	last := s.left == 0
	plain, err := s.opener.open(seal.Snapshot, partBind(s.ref, s.index, last), sealed)
	if without[checkLast] && err != nil {
		plain, err = s.opener.open(seal.Snapshot, partBind(s.ref, s.index, !last), sealed)
	}
	if err != nil {
		return err
	}
	first := s.index == 0
	s.index++
	s.done = last
	return s.parse(plain, first)
}

func (s *SnapshotReader) read(b []byte) error {
	if int64(len(b)) > s.left {
		return fmt.Errorf("%w: cut short", ErrFormat)
	}
	_, err := io.ReadFull(s.r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: cut short", ErrFormat)
	}
	if err != nil {
		return err
	}
	s.left -= int64(len(b))
	s.sum.Write(b)
	return nil
}

// parse takes a part to pieces. It fails whole.
func (s *SnapshotReader) parse(plain []byte, first bool) error {
	p, rows, err := parsePiece(plain)
	if err != nil {
		return err
	}
	if first != (p.Info != nil) {
		return fmt.Errorf("%w: what it is stands in another than the first part", ErrFormat)
	}
	if first {
		if s.Info, err = decodeInfo(p.Info); err != nil {
			return err
		}
		if checkName.fails(s.Info.Author != s.ref.Author || s.Info.N != s.ref.N) {
			return fmt.Errorf("%w: it is number %d of %s", ErrForeign, s.Info.N, s.Info.Author)
		}
	}
	a, b := rows.Items, p.Plain
	for len(a)+len(b) > 0 { // both are in order: merge them
		take := &a
		if len(a) == 0 || (len(b) > 0 && b[0].Name < a[0].Name) {
			take = &b
		}
		i := SnapshotItem{item.Name((*take)[0].Name), (*take)[0].State}
		*take = (*take)[1:]
		if i.Name <= s.last || len(i.Name) > MaxName {
			return fmt.Errorf("%w: items out of order", ErrFormat)
		}
		s.last = i.Name
		s.items = append(s.items, i)
	}
	for _, w := range rows.Packs {
		k, err := decodePack(w)
		if err != nil {
			return err
		}
		s.packs = append(s.packs, k)
	}
	return nil
}

func parsePiece(plain []byte) (p wirePiece, rows wireRows, err error) {
	if err := decode(plain, &p); err != nil {
		return p, rows, err
	}
	if p.Version != 1 {
		return p, rows, fmt.Errorf("%w: format %d", ErrNewer, p.Version)
	}
	if p.Rows == nil {
		return p, rows, nil
	}
	unpacked, err := unpack(p.Rows, p.Size, MaxPart)
	if err != nil {
		return p, rows, err
	}
	return p, rows, decode(unpacked, &rows)
}
