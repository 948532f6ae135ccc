package state

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"plait/backend/item"
)

// reader turns columns into atoms. It trusts nothing: each index and length is
// checked before it is used, and what is allocated is bounded by what was read.
type reader struct {
	c     *columns
	dots  []item.Dot // all that writes name, cut up as they are read
	write int        // next write
	dot   int        // next of dots
	data  int        // next byte of Data
}

func (r *reader) item() (*Item, error) {
	c := r.c
	if err := c.check(); err != nil {
		return nil, err
	}
	r.dots = make([]item.Dot, len(c.DotSeq))
	for i := range r.dots {
		d, err := r.author(c.DotAuthor[i], c.DotSeq[i])
		if err != nil {
			return nil, err
		}
		r.dots[i] = d
	}
	it := &Item{Atoms: make(map[item.Key]*Atom, len(c.Paths))}
	atoms := make([]Atom, len(c.Paths))
	writes := make([]Sibling, len(c.Seq))
	var last item.Key
	for i, path := range c.Paths {
		k := item.Key{Lane: item.Lane(c.Lanes[i]), Path: path}
		if i > 0 && CompareKeys(last, k) >= 0 {
			return nil, fmt.Errorf("atom %d is out of order", i)
		}
		if len(path) > maxPath {
			return nil, fmt.Errorf("atom %d has a path of %d bytes", i, len(path))
		}
		live, past := int(c.Live[i]), int(c.Past[i])
		if live+past == 0 || live+past > len(writes) {
			return nil, fmt.Errorf("atom %d has %d writes, %d are left", i, live+past, len(writes))
		}
		a := &atoms[i]
		a.Live, a.Past = writes[:live:live], writes[live:live+past:live+past]
		writes = writes[live+past:]
		if err := r.siblings(a); err != nil {
			return nil, fmt.Errorf("atom %d: %w", i, err)
		}
		it.Atoms[k] = a
		last = k
	}
	if len(writes) > 0 || r.dot != len(r.dots) || r.data != len(c.Data) {
		return nil, errors.New("writes, dots or bytes are left over")
	}
	return it, nil
}

// check compares the columns' lengths.
func (c *columns) check() error {
	atoms, writes := len(c.Paths), len(c.Seq)
	switch {
	case c.Version == 0:
		return errors.New("no version")
	case atoms > maxAtoms || writes > maxWrites || len(c.DotSeq) > maxColumn:
		return fmt.Errorf("%d atoms, %d writes, %d dots are too many", atoms, writes, len(c.DotSeq))
	case len(c.Lanes) != atoms || len(c.Live) != atoms || len(c.Past) != atoms:
		return errors.New("columns of atoms differ in length")
	case len(c.Author) != writes || len(c.Time) != writes || len(c.Actions) != writes || len(c.Kinds) != writes ||
		len(c.Sizes) != writes || len(c.Names) != writes || len(c.NamedBy) != writes:
		return errors.New("columns of writes differ in length")
	case len(c.DotAuthor) != len(c.DotSeq):
		return errors.New("columns of dots differ in length")
	case len(c.Modes) > writes || len(c.Large) > writes:
		return errors.New("parts of values that are not there")
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
	return nil
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
	c, n := r.c, r.write
	r.write++
	if s.Dot, err = r.author(c.Author[n], c.Seq[n]); err != nil {
		return err
	}
	s.Time, s.Action = item.HLC(c.Time[n]), item.Action(c.Actions[n])
	if s.Replaces, err = r.take(c.Names[n]); err != nil {
		return err
	}
	if s.ReplacedBy, err = r.take(c.NamedBy[n]); err != nil {
		return err
	}
	if past != (len(s.ReplacedBy) > 0) {
		return fmt.Errorf("write %s is replaced by %d", s.Dot, len(s.ReplacedBy))
	}
	size := int(c.Sizes[n])
	if c.Sizes[n] > math.MaxInt32 || size > len(c.Data)-r.data {
		return fmt.Errorf("write %s has %d bytes, %d are left", s.Dot, c.Sizes[n], len(c.Data)-r.data)
	}
	s.Value.Kind = item.Kind(c.Kinds[n])
	if size > 0 {
		s.Value.Data = c.Data[r.data : r.data+size : r.data+size]
		r.data += size
	}
	if len(c.Modes) > 0 {
		s.Value.Mode = c.Modes[uint32(n)]
	}
	if len(c.Large) > 0 {
		s.Value.Large = c.Large[uint32(n)]
	}
	return checkValue(s.Value)
}

// take cuts the next n dots off.
func (r *reader) take(n uint32) ([]item.Dot, error) {
	if n == 0 {
		return nil, nil
	}
	if int64(n) > int64(len(r.dots)-r.dot) {
		return nil, fmt.Errorf("%d dots are named, %d are left", n, len(r.dots)-r.dot)
	}
	out := r.dots[r.dot : r.dot+int(n) : r.dot+int(n)]
	r.dot += int(n)
	if !slices.IsSortedFunc(out, item.Dot.Compare) {
		return nil, errors.New("dots are out of order")
	}
	for i := 1; i < len(out); i++ {
		if out[i-1] == out[i] {
			return nil, errors.New("a dot is named twice")
		}
	}
	return out, nil
}

func (r *reader) author(i uint32, seq uint64) (item.Dot, error) {
	if int64(i) >= int64(len(r.c.Authors)) || seq == 0 {
		return item.Dot{}, fmt.Errorf("author %d, sequence %d name no dot", i, seq)
	}
	return item.Dot{Author: r.c.Authors[i], Seq: seq}, nil
}

// checkValue says whether a value's parts fit its kind. Kinds that this version
// does not know are refused by name, so that the state's version has to rise with them.
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
