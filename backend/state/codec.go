package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"plait/backend/item"
)

// Limits of an encoded item. The format is in FORMAT.md.
const (
	codecVersion = 1
	maxEncoded   = 256 << 20 // bytes
	maxAtoms     = 1 << 20
	maxWrites    = 1 << 21 // live and past, of all atoms
	maxPath      = 64 << 10
	maxDots      = 1 << 23 // named by writes, of all atoms
)

var (
	// ErrNewer: a newer version wrote it. Keep its bytes; read only.
	ErrNewer = errors.New("written by a newer version")
	// ErrDamaged: the bytes are no encoded state.
	ErrDamaged = errors.New("state is damaged")
)

// A column is unsigned numbers, each as LEB128 in its shortest form.
type column []byte

func (c *column) add(n uint64) { *c = binary.AppendUvarint(*c, n) }

// columns is an item as it is encoded: one column for each field of all atoms or of
// all writes, so that thousands of atoms decode in a few large pieces.
type columns struct {
	Version uint64        `cbor:"1,keyasint"`
	Authors []item.Author `cbor:"2,keyasint,omitempty"` // in order; dots name them by index

	// One element an atom, in key order.
	Lanes []byte `cbor:"3,keyasint,omitempty"`
	Paths column `cbor:"4,keyasint,omitempty"` // bytes of each path
	Live  column `cbor:"5,keyasint,omitempty"` // how many writes are live
	Past  column `cbor:"6,keyasint,omitempty"` // and past

	// One element a write: each atom's live ones in dot order, then its past ones.
	Author  column `cbor:"7,keyasint,omitempty"`
	Seq     column `cbor:"8,keyasint,omitempty"`
	Time    column `cbor:"9,keyasint,omitempty"`
	Actions []byte `cbor:"10,keyasint,omitempty"`
	Kinds   []byte `cbor:"11,keyasint,omitempty"`
	Sizes   column `cbor:"12,keyasint,omitempty"` // bytes of Data
	Names   column `cbor:"13,keyasint,omitempty"` // how many dots it replaces
	NamedBy column `cbor:"14,keyasint,omitempty"` // how many replace it

	// The dots that writes name: of each write those it replaces, then those that replaced it.
	DotAuthor column `cbor:"15,keyasint,omitempty"`
	DotSeq    column `cbor:"16,keyasint,omitempty"`

	// Bytes, one after the other.
	Path []byte `cbor:"17,keyasint,omitempty"`
	Data []byte `cbor:"18,keyasint,omitempty"`

	// Rare parts of values, by the write's index.
	Modes map[uint32]uint32        `cbor:"19,keyasint,omitempty"`
	Large map[uint32]*item.Content `cbor:"20,keyasint,omitempty"`
}

var (
	encMode = must(cbor.CoreDetEncOptions().EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxArrayElements:  maxWrites,
		MaxMapPairs:       maxWrites,
		MaxNestedLevels:   8,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode())
	// The version alone, whatever else a newer one has.
	versionMode = must(cbor.DecOptions{MaxNestedLevels: 16, MaxArrayElements: maxWrites, MaxMapPairs: maxWrites, IndefLength: cbor.IndefLengthForbidden}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("state: cbor options: " + err.Error())
	}
	return v
}

// Marshal encodes the item. Equal items have equal bytes.
func (it *Item) Marshal() []byte {
	keys := slices.DeleteFunc(it.Keys(), func(k item.Key) bool { return len(it.Atoms[k].Live)+len(it.Atoms[k].Past) == 0 })
	w := writer{index: make(map[item.Author]uint64)}
	w.c.Version = codecVersion
	w.authors(it)
	for _, k := range keys {
		a := it.Atoms[k]
		w.c.Lanes = append(w.c.Lanes, byte(k.Lane))
		w.c.Path = append(w.c.Path, k.Path...)
		w.c.Paths.add(uint64(len(k.Path)))
		w.c.Live.add(uint64(len(a.Live)))
		w.c.Past.add(uint64(len(a.Past)))
		for i := range a.Live {
			w.sibling(&a.Live[i])
		}
		for i := range a.Past {
			w.sibling(&a.Past[i])
		}
	}
	out, err := encMode.Marshal(&w.c)
	if err != nil {
		panic("state: an item that can't be encoded: " + err.Error())
	}
	return out
}

type writer struct {
	c     columns
	index map[item.Author]uint64
}

// authors lists all authors that any dot names, in order.
func (w *writer) authors(it *Item) {
	note := func(a item.Author) {
		if _, ok := w.index[a]; !ok {
			w.index[a] = 0
			w.c.Authors = append(w.c.Authors, a)
		}
	}
	for _, a := range it.Atoms {
		for _, in := range [][]Sibling{a.Live, a.Past} {
			for i := range in {
				note(in[i].Dot.Author)
				for _, d := range in[i].Replaces {
					note(d.Author)
				}
				for _, d := range in[i].ReplacedBy {
					note(d.Author)
				}
			}
		}
	}
	slices.SortFunc(w.c.Authors, item.Author.Compare)
	for i, a := range w.c.Authors {
		w.index[a] = uint64(i)
	}
}

func (w *writer) sibling(s *Sibling) {
	c, n := &w.c, uint32(len(w.c.Actions))
	c.Author.add(w.index[s.Dot.Author])
	c.Seq.add(s.Dot.Seq)
	c.Time.add(uint64(s.Time))
	c.Actions = append(c.Actions, byte(s.Action))
	c.Kinds = append(c.Kinds, byte(s.Value.Kind))
	c.Sizes.add(uint64(len(s.Value.Data)))
	c.Data = append(c.Data, s.Value.Data...)
	c.Names.add(uint64(len(s.Replaces)))
	c.NamedBy.add(uint64(len(s.ReplacedBy)))
	for _, in := range [][]item.Dot{s.Replaces, s.ReplacedBy} {
		for _, d := range in {
			c.DotAuthor.add(w.index[d.Author])
			c.DotSeq.add(d.Seq)
		}
	}
	if s.Value.Mode != 0 {
		if c.Modes == nil {
			c.Modes = make(map[uint32]uint32)
		}
		c.Modes[n] = s.Value.Mode
	}
	if s.Value.Large != nil {
		if c.Large == nil {
			c.Large = make(map[uint32]*item.Content)
		}
		c.Large[n] = s.Value.Large
	}
}

// Unmarshal decodes an item, or fails with ErrNewer or ErrDamaged. Values point
// into memory of the item's own, never into in.
func Unmarshal(in []byte) (*Item, error) {
	if len(in) > maxEncoded {
		return nil, fmt.Errorf("%w: %d bytes", ErrDamaged, len(in))
	}
	var c columns
	if err := decMode.Unmarshal(in, &c); err != nil {
		var v struct {
			Version uint64 `cbor:"1,keyasint"`
		}
		if versionMode.Unmarshal(in, &v) == nil && v.Version > codecVersion {
			return nil, fmt.Errorf("%w: %d", ErrNewer, v.Version)
		}
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if c.Version > codecVersion {
		return nil, fmt.Errorf("%w: %d", ErrNewer, c.Version)
	}
	it, err := read(&c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return it, nil
}
