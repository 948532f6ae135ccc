package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"plait/backend/item"
)

// reader turns columns into atoms. It trusts nothing: each index and length is
// checked before it is used, and what is allocated is bounded by what was read.
type reader struct {
	c      *columns
	paths  []uint64
	live   []uint64
	past   []uint64
	author []uint64
	seq    []uint64
	time   []uint64
	sizes  []uint64
	names  []uint64
	named  []uint64
	dots   []item.Dot // all that writes name; those not yet taken
	data   []byte     // of values; not yet taken
	write  int        // next write
}

func read(c *columns) (*Item, error) {
	r := &reader{c: c, data: c.Data}
	if err := r.columns(); err != nil {
		return nil, err
	}
	var (
		it     = &Item{Atoms: make(map[item.Key]*Atom, len(c.Lanes))}
		atoms  = make([]Atom, len(c.Lanes))
		writes = make([]Sibling, len(r.seq))
		path   = string(c.Path) // all paths are cut from one string
		last   item.Key
	)
	for i := range atoms {
		if r.paths[i] > uint64(len(path)) {
			return nil, fmt.Errorf("atom %d has a path of %d bytes, %d are left", i, r.paths[i], len(path))
		}
		k := item.Key{Lane: item.Lane(c.Lanes[i]), Path: path[:r.paths[i]]}
		if !isPath(k.Path) {
			return nil, fmt.Errorf("atom %d has no path, but %.100q", i, k.Path)
		}
		path = path[r.paths[i]:]
		if i > 0 && CompareKeys(last, k) >= 0 {
			return nil, fmt.Errorf("atom %d is out of order", i)
		}
		left := uint64(len(writes))
		live, past := r.live[i], r.past[i]
		if live > left || past > left-live || live+past == 0 {
			return nil, fmt.Errorf("atom %d has %d and %d writes, %d are left", i, live, past, left)
		}
		atoms[i] = Atom{Live: writes[:live:live], Past: writes[live : live+past : live+past]}
		writes = writes[live+past:]
		if err := r.siblings(&atoms[i]); err != nil {
			return nil, fmt.Errorf("atom %d: %w", i, err)
		}
		it.Atoms[k] = &atoms[i]
		last = k
	}
	if len(writes)+len(r.dots)+len(r.data)+len(path) > 0 {
		return nil, errors.New("writes, dots or bytes are left over")
	}
	return it, nil
}

// columns reads the columns, compares their lengths, and puts the dots together.
func (r *reader) columns() error {
	c := r.c
	atoms, writes := len(c.Lanes), len(c.Actions)
	if c.Version == 0 || atoms > maxAtoms || writes > maxWrites || len(c.Kinds) != writes {
		return fmt.Errorf("version %d, %d atoms, %d writes, %d kinds", c.Version, atoms, writes, len(c.Kinds))
	}
	for _, x := range []struct {
		into *[]uint64
		from column
		n    int
	}{
		{&r.paths, c.Paths, atoms}, {&r.live, c.Live, atoms}, {&r.past, c.Past, atoms},
		{&r.author, c.Author, writes}, {&r.seq, c.Seq, writes}, {&r.time, c.Time, writes},
		{&r.sizes, c.Sizes, writes}, {&r.names, c.Names, writes}, {&r.named, c.NamedBy, writes},
	} {
		var err error
		if *x.into, err = x.from.read(x.n); err != nil {
			return err
		}
	}
	for i := 1; i < len(c.Authors); i++ {
		if c.Authors[i-1].Compare(c.Authors[i]) >= 0 {
			return errors.New("authors are out of order")
		}
	}
	for n, m := range c.Modes {
		if int64(n) >= int64(writes) || m == 0 {
			return errors.New("a mode of no write")
		}
	}
	for n, l := range c.Large {
		if int64(n) >= int64(writes) || l == nil {
			return errors.New("a content of no write")
		}
	}
	return r.readDots()
}

func (r *reader) readDots() error {
	n := r.c.DotSeq.count()
	if n > maxDots {
		return fmt.Errorf("%d dots", n)
	}
	authors, err := r.c.DotAuthor.read(n)
	if err != nil {
		return err
	}
	seqs, err := r.c.DotSeq.read(n)
	if err != nil {
		return err
	}
	r.dots = make([]item.Dot, n)
	for i := range r.dots {
		if r.dots[i], err = r.dot(authors[i], seqs[i]); err != nil {
			return err
		}
	}
	return nil
}

// count is how many numbers the column has, if it is whole: each ends in a byte
// without the high bit.
func (c column) count() (n int) {
	for _, b := range c {
		if b < 0x80 {
			n++
		}
	}
	return n
}

// read takes the column's numbers, which must be n.
func (c column) read(n int) ([]uint64, error) {
	if c.count() != n {
		return nil, fmt.Errorf("a column of %d elements, want %d", c.count(), n)
	}
	out := make([]uint64, n)
	for i := range out {
		x, size := binary.Uvarint(c)
		if size <= 0 || size > 1 && c[size-1] == 0 {
			return nil, errors.New("a number is not in its shortest form")
		}
		out[i], c = x, c[size:]
	}
	if len(c) > 0 {
		return nil, errors.New("a column is cut")
	}
	return out, nil
}

// siblings fills in an atom's writes.
func (r *reader) siblings(a *Atom) error {
	for i := range a.Live {
		if err := r.sibling(&a.Live[i], false); err != nil {
			return err
		}
	}
	for i := range a.Past {
		if err := r.sibling(&a.Past[i], true); err != nil {
			return err
		}
	}
	outOfOrder := func(in []Sibling) bool {
		for i := 1; i < len(in); i++ {
			if in[i-1].Dot.Compare(in[i].Dot) >= 0 {
				return true
			}
		}
		return false
	}
	if outOfOrder(a.Live) || outOfOrder(a.Past) {
		return errors.New("writes are out of order")
	}
	if len(a.Past) > 0 {
		for _, s := range a.Live {
			if _, both := find(a.Past, s.Dot); both {
				return fmt.Errorf("write %s is live and past", s.Dot)
			}
		}
	}
	return nil
}

func (r *reader) sibling(s *Sibling, past bool) (err error) {
	n := r.write
	r.write++
	if s.Dot, err = r.dot(r.author[n], r.seq[n]); err != nil {
		return err
	}
	s.Time, s.Action = item.HLC(r.time[n]), item.Action(r.c.Actions[n])
	if s.Replaces, err = r.take(r.names[n]); err != nil {
		return err
	}
	if s.ReplacedBy, err = r.take(r.named[n]); err != nil {
		return err
	}
	if past != (len(s.ReplacedBy) > 0) {
		return fmt.Errorf("write %s is replaced by %d", s.Dot, len(s.ReplacedBy))
	}
	size := r.sizes[n]
	if size > uint64(len(r.data)) {
		return fmt.Errorf("write %s has %d bytes, %d are left", s.Dot, size, len(r.data))
	}
	s.Value.Kind = item.Kind(r.c.Kinds[n])
	if size > 0 {
		s.Value.Data = r.data[:size:size]
		r.data = r.data[size:]
	}
	if len(r.c.Modes) > 0 {
		s.Value.Mode = r.c.Modes[uint32(n)]
	}
	if len(r.c.Large) > 0 {
		s.Value.Large = r.c.Large[uint32(n)]
	}
	return checkValue(s.Value)
}

// take cuts the next n dots off.
func (r *reader) take(n uint64) ([]item.Dot, error) {
	if n == 0 {
		return nil, nil
	}
	if n > uint64(len(r.dots)) {
		return nil, fmt.Errorf("%d dots are named, %d are left", n, len(r.dots))
	}
	out := r.dots[:n:n]
	r.dots = r.dots[n:]
	for i := 1; i < len(out); i++ {
		if out[i-1].Compare(out[i]) >= 0 {
			return nil, errors.New("dots are out of order")
		}
	}
	return out, nil
}

func (r *reader) dot(author, seq uint64) (item.Dot, error) {
	if author >= uint64(len(r.c.Authors)) || seq == 0 {
		return item.Dot{}, fmt.Errorf("author %d, sequence %d name no dot", author, seq)
	}
	return item.Dot{Author: r.c.Authors[author], Seq: seq}, nil
}

// checkValue says whether a value's parts fit its kind. A kind that this version
// does not know is damage: a version that brings one raises the state's too.
func checkValue(v item.Value) error {
	switch v.Kind {
	case item.Absent, item.Hidden:
		if len(v.Data) > 0 || v.Large != nil {
			return errors.New("a removed value has content")
		}
	case item.JSON, item.Text:
		if v.Large != nil {
			return errors.New("a small value has chunks")
		}
	case item.Blob:
		if v.Large == nil || len(v.Data) > 0 {
			return errors.New("a large value has no chunks")
		}
	default:
		return fmt.Errorf("unknown kind of value %d", v.Kind)
	}
	return nil
}
