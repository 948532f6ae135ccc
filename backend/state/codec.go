package state

import (
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
	maxColumn    = 1 << 23 // dots named by writes, of all atoms
)

var (
	// ErrNewer: a newer version wrote the state. Keep its bytes; read only.
	ErrNewer = errors.New("state is of a newer version")
	// ErrDamaged: the bytes are no encoded state.
	ErrDamaged = errors.New("state is damaged")
)

// columns is an item as it is encoded: one array for each field of all atoms or
// of all writes, so that thousands of atoms decode in a few large pieces.
type columns struct {
	Version uint64        `cbor:"1,keyasint"`
	Authors []item.Author `cbor:"2,keyasint,omitempty"` // in order; dots name them by index

	// One element an atom, in key order.
	Lanes []byte   `cbor:"3,keyasint,omitempty"`
	Paths []string `cbor:"4,keyasint,omitempty"`
	Live  []uint32 `cbor:"5,keyasint,omitempty"` // how many writes are live
	Past  []uint32 `cbor:"6,keyasint,omitempty"` // and past

	// One element a write: each atom's live ones in dot order, then its past ones.
	Author  []uint32 `cbor:"7,keyasint,omitempty"`
	Seq     []uint64 `cbor:"8,keyasint,omitempty"`
	Time    []uint64 `cbor:"9,keyasint,omitempty"`
	Actions []byte   `cbor:"10,keyasint,omitempty"`
	Kinds   []byte   `cbor:"11,keyasint,omitempty"`
	Sizes   []uint32 `cbor:"12,keyasint,omitempty"` // bytes of Data
	Names   []uint32 `cbor:"13,keyasint,omitempty"` // how many dots it replaces
	NamedBy []uint32 `cbor:"14,keyasint,omitempty"` // how many replace it

	Data []byte `cbor:"15,keyasint,omitempty"` // the values' bytes, one after the other

	// The dots that writes name: of each write those it replaces, then those that replaced it.
	DotAuthor []uint32 `cbor:"16,keyasint,omitempty"`
	DotSeq    []uint64 `cbor:"17,keyasint,omitempty"`

	// Rare parts of values, by the write's index.
	Modes map[uint32]uint32        `cbor:"18,keyasint,omitempty"`
	Large map[uint32]*item.Content `cbor:"19,keyasint,omitempty"`
}

var (
	encMode = must(cbor.CoreDetEncOptions().EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		UTF8:              cbor.UTF8DecodeInvalid, // paths hold keys as they were written, broken ones too
		MaxArrayElements:  maxColumn,
		MaxMapPairs:       maxWrites,
		MaxNestedLevels:   8,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode())
	// The version alone, whatever else a newer one has.
	versionMode = must(cbor.DecOptions{MaxNestedLevels: 16, MaxArrayElements: maxColumn, MaxMapPairs: maxWrites, IndefLength: cbor.IndefLengthForbidden}.DecMode())
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
	w := writer{index: make(map[item.Author]uint32)}
	w.c.Version = codecVersion
	w.authors(it)
	for _, k := range keys {
		a := it.Atoms[k]
		w.c.Lanes = append(w.c.Lanes, byte(k.Lane))
		w.c.Paths = append(w.c.Paths, k.Path)
		w.c.Live = append(w.c.Live, uint32(len(a.Live)))
		w.c.Past = append(w.c.Past, uint32(len(a.Past)))
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
	index map[item.Author]uint32
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
		w.index[a] = uint32(i)
	}
}

func (w *writer) sibling(s *Sibling) {
	c, n := &w.c, uint32(len(w.c.Seq))
	c.Author = append(c.Author, w.index[s.Dot.Author])
	c.Seq = append(c.Seq, s.Dot.Seq)
	c.Time = append(c.Time, uint64(s.Time))
	c.Actions = append(c.Actions, byte(s.Action))
	c.Kinds = append(c.Kinds, byte(s.Value.Kind))
	c.Sizes = append(c.Sizes, uint32(len(s.Value.Data)))
	c.Data = append(c.Data, s.Value.Data...)
	c.Names = append(c.Names, uint32(len(s.Replaces)))
	c.NamedBy = append(c.NamedBy, uint32(len(s.ReplacedBy)))
	for _, in := range [][]item.Dot{s.Replaces, s.ReplacedBy} {
		for _, d := range in {
			c.DotAuthor = append(c.DotAuthor, w.index[d.Author])
			c.DotSeq = append(c.DotSeq, d.Seq)
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
	r := reader{c: &c}
	it, err := r.item()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return it, nil
}
