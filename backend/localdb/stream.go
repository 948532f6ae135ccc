package localdb

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// A stream is a file sealed block by block, so that sealing and opening need
// one block of memory: the STREAM construction (Hoang, Reyhanitabar, Rogaway,
// Vizár 2015) over XChaCha20-Poly1305. Cut, reordered or lengthened, it does not open.
const (
	streamMagic  = "PLs1"
	streamPrefix = 19       // random bytes; 4 of counter and 1 of "last" make a nonce
	streamHeader = 4 + 19   // magic and prefix
	streamBlock  = 64 << 10 // plain bytes in all blocks but the last
	streamTag    = chacha20poly1305.Overhead
)

var errStream = errors.New("sealed file does not open")

// sealedSize is the length of a stream that holds n plain bytes.
func sealedSize(n int64) int64 {
	blocks := max((n+streamBlock-1)/streamBlock, 1)
	return streamHeader + n + blocks*streamTag
}

type nonce [chacha20poly1305.NonceSizeX]byte

func (n *nonce) next(last bool) error {
	c := binary.BigEndian.Uint32(n[streamPrefix:])
	if c+1 == 0 {
		return errors.New("sealed file too long")
	}
	binary.BigEndian.PutUint32(n[streamPrefix:], c+1)
	if last {
		n[len(n)-1] = 1
	}
	return nil
}

// A sealer writes a stream. Close writes the last block; it does not close w.
type sealer struct {
	w     io.Writer
	aead  cipher.AEAD
	aad   []byte
	nonce nonce
	buf   []byte // 0 < len ≤ streamBlock once anything was written
	out   []byte
}

func newSealer(w io.Writer, aead cipher.AEAD, aad []byte, rand io.Reader) (*sealer, error) {
	s := &sealer{w: w, aead: aead, aad: aad, buf: make([]byte, 0, streamBlock)}
	if _, err := io.ReadFull(rand, s.nonce[:streamPrefix]); err != nil {
		return nil, fmt.Errorf("draw nonce: %w", err)
	}
	_, err := w.Write(append([]byte(streamMagic), s.nonce[:streamPrefix]...))
	return s, err
}

func (s *sealer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		// A full block waits: it may be the last, which is marked.
		if len(s.buf) == streamBlock {
			if err := s.flush(false); err != nil {
				return 0, err
			}
		}
		k := copy(s.buf[len(s.buf):streamBlock], p)
		s.buf, p = s.buf[:len(s.buf)+k], p[k:]
	}
	return n, nil
}

func (s *sealer) flush(last bool) error {
	if err := s.nonce.next(last); err != nil {
		return err
	}
	s.out = s.aead.Seal(s.out[:0], s.nonce[:], s.buf, s.aad)
	s.buf = s.buf[:0]
	_, err := s.w.Write(s.out)
	return err
}

func (s *sealer) Close() error { return s.flush(true) }

// An opener reads a stream. It returns io.EOF only at the stream's true end,
// and errStream for anything that is not a whole stream under this key and aad.
type opener struct {
	r     io.Reader
	aead  cipher.AEAD
	aad   []byte
	nonce nonce
	in    []byte // one sealed block, and one byte more that tells whether it is the last
	have  int
	buf   []byte // the opened block
	plain []byte // what of it is not read yet
	last  bool
}

func newOpener(r io.Reader, aead cipher.AEAD, aad []byte) (*opener, error) {
	o := &opener{r: r, aead: aead, aad: aad, in: make([]byte, streamBlock+streamTag+1)}
	var h [streamHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil || string(h[:4]) != streamMagic {
		return nil, errStream
	}
	copy(o.nonce[:], h[4:])
	return o, nil
}

func (o *opener) Read(p []byte) (int, error) {
	for len(o.plain) == 0 {
		if o.last {
			return 0, io.EOF
		}
		if err := o.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, o.plain)
	o.plain = o.plain[n:]
	return n, nil
}

func (o *opener) fill() error {
	n, err := io.ReadFull(o.r, o.in[o.have:])
	n += o.have
	switch {
	case err == nil:
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		o.last = true
	default:
		return err
	}
	block := o.in[:min(n, streamBlock+streamTag)]
	extra := o.in[len(block):n]
	if o.nonce.next(o.last) != nil {
		return errStream
	}
	plain, err := o.aead.Open(o.buf[:0], o.nonce[:], block, o.aad)
	if err != nil {
		return errStream
	}
	o.buf, o.plain = plain, plain
	o.have = copy(o.in, extra)
	return nil
}
