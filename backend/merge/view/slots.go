package view

import (
	"bytes"
	"math/bits"
)

// A piece is a slot's text: a, then sep if another piece follows that is there,
// then b. Of a JSON member, a is all up to its value, sep the comma, b the rest of
// its line; of text, sep is the line end that a lacks.
type piece struct {
	a, sep, b []byte
	there     bool // counts as something that separators stand between
	keep      bool // sep was typed, and stays
}

func (c piece) text(sep bool) []byte {
	if !sep {
		return bytes.Join([][]byte{c.a, c.b}, nil)
	}
	return bytes.Join([][]byte{c.a, c.sep, c.b}, nil)
}

// join writes pieces one after another: the one place that knows where separators go.
func (p *Plan) join(pieces []piece) []byte {
	var out []byte
	last := p.last(pieces)
	for i, c := range pieces {
		out = append(out, c.a...)
		if p.separated(i, last, c) {
			out = append(out, c.sep...)
		}
		out = append(out, c.b...)
	}
	return out
}

// last is the last slot between separators that holds something; -1 if none does.
func (p *Plan) last(pieces []piece) int {
	for i := p.group[1] - 1; i >= p.group[0]; i-- {
		if pieces[i].there {
			return i
		}
	}
	return -1
}

func (p *Plan) separated(i, last int, c piece) bool {
	return c.there && i >= p.group[0] && i < p.group[1] && (c.keep || i < last || i == last && p.always)
}

// sums holds lengths, and finds the sum of those before any in logarithmic time:
// Fenwick's tree (A new data structure for cumulative frequency tables, 1994).
type sums []int

func newSums(lengths []int) sums {
	s := make(sums, len(lengths)+1)
	for i, n := range lengths {
		i++
		s[i] += n
		if up := i + i&-i; up < len(s) {
			s[up] += s[i]
		}
	}
	return s
}

// add lets the i-th length grow by n.
func (s sums) add(i, n int) {
	for i++; i < len(s); i += i & -i {
		s[i] += n
	}
}

// before is the sum of the lengths before the i-th.
func (s sums) before(i int) (n int) {
	for ; i > 0; i -= i & -i {
		n += s[i]
	}
	return n
}

// find is the last i whose sum before is at most n.
func (s sums) find(n int) int {
	at := 0
	for step := 1 << bits.Len(uint(len(s)-1)); step > 0; step /= 2 {
		if at+step < len(s) && s[at+step] <= n {
			at += step
			n -= s[at]
		}
	}
	return at
}
