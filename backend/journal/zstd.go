package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Coders cost more to make than most entries cost to compress, so they are kept;
// the pools are emptied by the garbage collector.
var (
	packers = sync.Pool{New: func() any {
		return must(zstd.NewWriter(nil, packerOptions...))
	}}
	leaners = sync.Pool{New: func() any { return &leaner{} }}

	unpackers = sync.Pool{New: func() any { return must(zstd.NewReader(nil, unpackerOptions...)) }}
)

var (
	packerOptions = []zstd.EOption{
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false), // the hashes do that
		zstd.WithZeroFrames(true),
	}
	// The room that the caller makes is the limit: a frame that wants more is refused
	// before it gets any.
	unpackerOptions = []zstd.DOption{
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(max(MaxPlain, MaxPart)),
	}
)

func pack(plain []byte) []byte {
	e := packers.Get().(*zstd.Encoder)
	defer packers.Put(e)
	return e.EncodeAll(plain, make([]byte, 0, len(plain)/3+64))
}

// unpack is what pack undoes, if that is exactly size bytes.
func unpack(packed []byte, size, limit int) ([]byte, error) {
	d := unpackers.Get().(*zstd.Decoder)
	defer unpackers.Put(d)
	return unpackWith(d, packed, size, limit)
}

func unpackWith(d *zstd.Decoder, packed []byte, size, limit int) ([]byte, error) {
	if checkSize.fails(size < 0 || size > limit) {
		return nil, fmt.Errorf("%w: %d bytes to unpack", ErrLimit, size)
	}
	// No more room than packed can fill, whatever is claimed: a run-length block of 4
	// bytes makes 128 KiB.
	room := min(size, (len(packed)/3+1)<<17)
	if without[checkSize] {
		room = limit
	}
	plain, err := d.DecodeAll(packed, make([]byte, 0, room))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w: %w", ErrFormat, err)
	}
	if checkSize.fails(len(plain) != size) {
		return nil, fmt.Errorf("unpack: %w: %d bytes for %d", ErrFormat, len(plain), size)
	}
	return plain, nil
}

// A leaner compresses with an earlier text as dictionary. An encoder loads its
// dictionary anew only when the id changes, so the id has to say which it is.
type leaner struct {
	enc *zstd.Encoder
	sum [32]byte
	id  uint32
}

// dictID is the id that a text has as a dictionary; 0 would mean none.
func dictID(sum [32]byte) uint32 { return binary.BigEndian.Uint32(sum[:]) | 1<<31 }

// leanWindow lets every byte of a value reach back to every byte of its dictionary.
const leanWindow = 2 * MaxValue

func lean(plain, earlier []byte) ([]byte, error) {
	l := leaners.Get().(*leaner)
	sum := sha256.Sum256(earlier)
	id := dictID(sum)
	options := []zstd.EOption{zstd.WithEncoderDictRaw(id, earlier)}
	var err error
	switch {
	case l.enc == nil || (id == l.id && sum != l.sum):
		options = append(append([]zstd.EOption{zstd.WithWindowSize(leanWindow)}, packerOptions...), options...)
		l.enc, err = zstd.NewWriter(nil, options...)
	case sum != l.sum:
		err = l.enc.ResetWithOptions(nil, options...)
	}
	if err != nil {
		return nil, fmt.Errorf("compress with an earlier text: %w", err)
	}
	l.sum, l.id = sum, id
	defer leaners.Put(l)
	return l.enc.EncodeAll(plain, nil), nil
}

func unlean(packed, earlier []byte, size int) ([]byte, error) {
	options := append([]zstd.DOption{zstd.WithDecoderDictRaw(dictID(sha256.Sum256(earlier)), earlier)}, unpackerOptions...)
	d, err := zstd.NewReader(nil, options...)
	if err != nil {
		return nil, fmt.Errorf("unpack with an earlier text: %w", err)
	}
	defer d.Close()
	return unpackWith(d, packed, size, MaxValue)
}
