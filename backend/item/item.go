// Package item holds the words that everything else speaks in: devices, dots,
// vectors, clocks, item names, atoms, values and entries. It decides nothing
// and does nothing.
package item

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"
)

// A Device names one installation of Plait in a vault.
type Device [16]byte

func (d Device) String() string { return uuid.UUID(d).String() }

// ParseDevice reads what String wrote.
func ParseDevice(s string) (Device, error) {
	u, err := uuid.Parse(s)
	return Device(u), err
}

// An Author names one journal: a device in one incarnation. A device takes a
// fresh, random incarnation whenever it can't be sure that no other copy of
// it writes under the present one.
type Author struct {
	Device Device `cbor:"1,keyasint"`
	Inc    uint64 `cbor:"2,keyasint"`
}

func (a Author) String() string { return fmt.Sprintf("%s.%016x", a.Device, a.Inc) }

// Compare orders authors by device, then by incarnation.
func (a Author) Compare(b Author) int {
	return cmp.Or(slices.Compare(a.Device[:], b.Device[:]), cmp.Compare(a.Inc, b.Inc))
}

// A Dot names an entry, and with an atom's key the one write of that atom in it.
// Sequences start at 1; the zero Dot names nothing.
type Dot struct {
	Author Author `cbor:"1,keyasint"`
	Seq    uint64 `cbor:"2,keyasint"`
}

func (d Dot) String() string { return d.Author.String() + "." + strconv.FormatUint(d.Seq, 10) }

// Compare orders dots by author, then by sequence. This is "dot order": the
// order that breaks every tie, alike on all devices.
func (d Dot) Compare(b Dot) int {
	return cmp.Or(d.Author.Compare(b.Author), cmp.Compare(d.Seq, b.Seq))
}

// A Hash is a SHA-256.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short is what a vector carries of the hash of a journal's tip.
func (h Hash) Short() (s [8]byte) { copy(s[:], h[:]); return s }

// A Tip is how far a journal has been applied: the sequence of its last applied
// entry, and the first 8 bytes of that entry's hash.
type Tip struct {
	Seq  uint64  `cbor:"1,keyasint"`
	Hash [8]byte `cbor:"2,keyasint"`
}

// A Vector says how far each journal has been applied.
type Vector map[Author]Tip

// Covers says whether the entry that dot names has been applied.
func (v Vector) Covers(d Dot) bool { return d.Seq != 0 && d.Seq <= v[d.Author].Seq }

// Dominates says whether all that b covers v covers too.
func (v Vector) Dominates(b Vector) bool {
	for a, t := range b {
		if v[a].Seq < t.Seq {
			return false
		}
	}
	return true
}

// Join raises v to cover what b covers.
func (v Vector) Join(b Vector) {
	for a, t := range b {
		if v[a].Seq < t.Seq {
			v[a] = t
		}
	}
}

// Clone returns a copy that shares nothing.
func (v Vector) Clone() Vector {
	c := make(Vector, len(v))
	for a, t := range v {
		c[a] = t
	}
	return c
}

// Authors lists the vector's authors in order.
func (v Vector) Authors() []Author {
	as := make([]Author, 0, len(v))
	for a := range v {
		as = append(as, a)
	}
	slices.SortFunc(as, Author.Compare)
	return as
}
