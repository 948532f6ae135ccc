package chunk

import (
	"fmt"
	"io"
)

// Where a chunk ends: at the first byte past Min where the hash of the last 64
// bytes has its topmost bits zero, at Max at the latest. Up to normal bytes 17
// bits are asked for, after that 13: normalized chunking (Xia et al., FastCDC,
// USENIX ATC 2016). It keeps sizes close together, about 60 KiB, so that a byte changed in
// random data costs 100 KB at worst in 99 of 100 places (see TestCost).
const (
	normal     = 56 << 10
	maskBefore = 1<<17 - 1
	maskAfter  = 1<<13 - 1

	window = 64 // bytes that the gear hash depends on: one shift a byte
)

// end returns the length of the first chunk of b, which must hold Max bytes or all
// that is left.
func (n *Namer) end(b []byte) int {
	if len(b) <= Min {
		return len(b)
	}
	b = b[:min(len(b), Max)]
	var h uint64
	for _, c := range b[Min-window : Min] {
		h = h<<1 + n.gear[c]
	}
	i, mid := Min, min(len(b), normal)
	for ; i < mid; i++ {
		h = h<<1 + n.gear[b[i]]
		if h&(maskBefore<<(64-17)) == 0 {
			return i + 1
		}
	}
	for ; i < len(b); i++ {
		h = h<<1 + n.gear[b[i]]
		if h&(maskAfter<<(64-13)) == 0 {
			return i + 1
		}
	}
	return len(b)
}

// A Cutter cuts what a reader gives into chunks. It is for one goroutine.
type Cutter struct {
	n    *Namer
	r    io.Reader
	buf  []byte
	data []byte // of buf, what is read and not yet returned
	err  error  // what reading ended with
}

// cutBuffer is read at a time: so much that moving what is left to its front costs little.
const cutBuffer = 8 * Max

// Cutter returns a Cutter over r.
func (n *Namer) Cutter(r io.Reader) *Cutter {
	c := &Cutter{n: n}
	c.reset(r)
	return c
}

func (c *Cutter) reset(r io.Reader) { c.r, c.data, c.err = r, c.buf[:0], nil }

// Next returns the next chunk, valid until the next call; at the end io.EOF, or
// the reader's error, before which a last chunk may be missing.
func (c *Cutter) Next() ([]byte, error) {
	if len(c.data) < Max && c.err == nil {
		c.fill()
	}
	if c.err != nil && c.err != io.EOF {
		return nil, c.err
	}
	if len(c.data) == 0 {
		return nil, io.EOF
	}
	end := c.n.end(c.data)
	chunk := c.data[:end:end]
	c.data = c.data[end:]
	return chunk, nil
}

// last says whether the chunk that Next returned is known to be the last.
func (c *Cutter) last() bool { return len(c.data) == 0 && c.err == io.EOF }

// fill reads until Max bytes are there, and as much more as comes with them.
func (c *Cutter) fill() {
	if c.buf == nil {
		c.buf = make([]byte, cutBuffer)
	}
	n := copy(c.buf, c.data)
	for empty := 0; n < Max && c.err == nil; {
		var m int
		m, c.err = c.r.Read(c.buf[n:])
		if m < 0 || m > len(c.buf)-n {
			c.err = fmt.Errorf("reader returned %d bytes for %d", m, len(c.buf)-n)
			break
		}
		if n += m; m > 0 {
			empty = 0
		} else if empty++; empty == 100 && c.err == nil {
			c.err = io.ErrNoProgress
		}
	}
	c.data = c.buf[:n]
}
