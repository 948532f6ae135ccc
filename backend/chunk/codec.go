package chunk

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// How the plain bytes stand in a sealed chunk: its first byte.
const (
	methodRaw  = 0
	methodZstd = 1
)

// A squeezer compresses chunks, several at a time.
type squeezer struct{ enc func() *zstd.Encoder }

func newSqueezer(workers int) squeezer {
	// Made when first needed: most syncs have no chunk to compress.
	return squeezer{sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(workers),
			zstd.WithWindowSize(Max), zstd.WithEncoderCRC(false)) // names and seals check enough
		if err != nil {
			panic("chunk: zstd options are fixed: " + err.Error())
		}
		return e
	})}
}

// squeeze appends the method and the plain bytes, compressed where that is shorter.
func (s squeezer) squeeze(dst, plain []byte) []byte {
	start := len(dst)
	dst = s.enc().EncodeAll(plain, append(dst, methodZstd))
	if len(dst)-start > len(plain) {
		dst = append(append(dst[:start], methodRaw), plain...)
	}
	return dst
}

// An inflater undoes squeeze, within bounds.
type inflater struct {
	dec    func() *zstd.Decoder
	checks check
}

func newInflater(workers int, checks check) inflater {
	options := []zstd.DOption{
		zstd.WithDecoderConcurrency(workers),
		zstd.WithDecoderLowmem(true),
	}
	if checks.has(checkBomb) {
		// A frame says how long it inflates and how much memory that takes. It may say
		// so of a chunk's size, and of no more than was asked for (the result's capacity).
		options = append(options, zstd.WithDecoderMaxMemory(Max), zstd.WithDecoderMaxWindow(Max), zstd.WithDecodeAllCapLimit(true))
	}
	return inflater{checks: checks, dec: sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, options...)
		if err != nil {
			panic("chunk: zstd options are fixed: " + err.Error())
		}
		return d
	})}
}

// inflate returns the plain bytes, of which there must be size, at most Max.
func (f inflater) inflate(body []byte, size uint32) ([]byte, error) {
	if f.checks.has(checkSize) && (size == 0 || size > Max) {
		return nil, fmt.Errorf("a chunk of %d bytes: %w", size, ErrChanged)
	}
	if len(body) == 0 {
		return nil, fmt.Errorf("an empty chunk: %w", ErrChanged)
	}
	var plain []byte
	switch body[0] {
	case methodRaw:
		plain = body[1:]
	case methodZstd:
		var err error
		if plain, err = f.dec().DecodeAll(body[1:], make([]byte, 0, min(size, Max))); err != nil {
			return nil, fmt.Errorf("inflate (%v): %w", err, ErrChanged)
		}
	default:
		return nil, fmt.Errorf("method %d: %w", body[0], ErrChanged)
	}
	if f.checks.has(checkSize) && len(plain) != int(size) {
		return nil, fmt.Errorf("%d plain bytes, not %d: %w", len(plain), size, ErrChanged)
	}
	return plain, nil
}
