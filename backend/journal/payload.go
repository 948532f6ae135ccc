package journal

import (
	"encoding/binary"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"plait/backend/item"
)

// The payload. Strings that people chose (names, paths, notes) are byte strings:
// nothing makes a file's name valid UTF-8.
type (
	wirePayload struct {
		Main  []byte   `cbor:"1,keyasint"`           // zstd of a wireMain
		Size  int      `cbor:"2,keyasint"`           // of it, unpacked
		Parts [][]byte `cbor:"3,keyasint,omitempty"` // values kept apart
	}
	wireMain struct {
		Items   []cbor.ByteString `cbor:"1,keyasint,omitempty"`
		Authors []byte            `cbor:"2,keyasint,omitempty"` // 24 bytes each
		Writes  []wireWrite       `cbor:"3,keyasint,omitempty"`
		Packs   []wirePack        `cbor:"4,keyasint,omitempty"`
		Note    cbor.ByteString   `cbor:"5,keyasint,omitempty"`
	}
	wireWrite struct {
		Item     uint32          `cbor:"1,keyasint"` // index into Items
		Lane     uint8           `cbor:"2,keyasint,omitempty"`
		Path     cbor.ByteString `cbor:"3,keyasint,omitempty"`
		Kind     uint8           `cbor:"4,keyasint,omitempty"`
		Data     []byte          `cbor:"5,keyasint,omitempty"`
		Part     *wirePart       `cbor:"6,keyasint,omitempty"` // instead of Data
		Mode     uint32          `cbor:"7,keyasint,omitempty"`
		Replaces []uint64        `cbor:"8,keyasint,omitempty"` // index into Authors, sequence, …
		Time     uint64          `cbor:"9,keyasint,omitempty"`
		Large    *wireContent    `cbor:"10,keyasint,omitempty"`
	}
	wirePart struct {
		Index  uint32 `cbor:"1,keyasint"` // into Parts
		Coding uint8  `cbor:"2,keyasint,omitempty"`
		Size   int    `cbor:"3,keyasint"`
		Sum    []byte `cbor:"4,keyasint"`           // SHA-256 of the value
		Author uint32 `cbor:"5,keyasint,omitempty"` // of the earlier text; index into Authors
		Seq    uint64 `cbor:"6,keyasint,omitempty"`
		Depth  uint8  `cbor:"7,keyasint,omitempty"`
	}
	wireContent struct {
		Size   int64  `cbor:"1,keyasint"`
		Hash   []byte `cbor:"2,keyasint"`
		Chunks []byte `cbor:"3,keyasint"` // 36 bytes each: name, size
		List   bool   `cbor:"4,keyasint,omitempty"`
	}
	wirePack struct {
		Name   []byte `cbor:"1,keyasint"`
		Size   uint32 `cbor:"2,keyasint"`
		Epochs []byte `cbor:"3,keyasint"` // 32 bytes each
		Chunks []byte `cbor:"4,keyasint"` // 42 bytes each: name, offset, size, index into Epochs
	}
)

// How a part is coded.
const (
	codeRaw  = 0
	codeZstd = 1 // alone
	codeLean = 2 // with an earlier text of the same atom
)

const (
	chunkSize  = 32 + 4
	packedSize = 32 + 4 + 4 + 2
)

func encodeContent(c *item.Content) *wireContent {
	if c == nil {
		return nil
	}
	b := make([]byte, 0, chunkSize*len(c.Chunks))
	for _, k := range c.Chunks {
		b = binary.BigEndian.AppendUint32(append(b, k.Name[:]...), k.Size)
	}
	return &wireContent{Size: c.Size, Hash: c.Hash[:], Chunks: b, List: c.List}
}

func decodeContent(w *wireContent) (*item.Content, error) {
	if w == nil {
		return nil, nil
	}
	hash, err := readHash(w.Hash)
	if err != nil {
		return nil, err
	}
	if w.Size < 0 || len(w.Chunks)%chunkSize != 0 {
		return nil, fmt.Errorf("%w: content of %d bytes, chunks in %d", ErrFormat, w.Size, len(w.Chunks))
	}
	c := &item.Content{Size: w.Size, Hash: hash, List: w.List}
	sum := int64(0)
	for b := w.Chunks; len(b) > 0; b = b[chunkSize:] {
		k := item.Chunk{Name: item.Hash(b[:32]), Size: binary.BigEndian.Uint32(b[32:])}
		c.Chunks = append(c.Chunks, k)
		sum += int64(k.Size)
	}
	if checkSize.fails(!c.List && sum != c.Size) { // a bomb would claim 2^60
		return nil, fmt.Errorf("%w: chunks of %d bytes for %d", ErrFormat, sum, c.Size)
	}
	return c, nil
}

func encodePack(p item.Pack) (wirePack, error) {
	w := wirePack{Name: p.Name[:], Size: p.Size, Chunks: make([]byte, 0, packedSize*len(p.Chunks))}
	epochs := map[item.Hash]uint16{}
	for _, k := range p.Chunks {
		at, ok := epochs[k.Epoch]
		if !ok {
			if len(epochs) == 1<<16-1 {
				return w, fmt.Errorf("%w: pack of %d epochs", ErrLimit, len(epochs))
			}
			at = uint16(len(epochs))
			epochs[k.Epoch] = at
			w.Epochs = append(w.Epochs, k.Epoch[:]...)
		}
		w.Chunks = append(w.Chunks, k.Name[:]...)
		w.Chunks = binary.BigEndian.AppendUint32(w.Chunks, k.Offset)
		w.Chunks = binary.BigEndian.AppendUint32(w.Chunks, k.Size)
		w.Chunks = binary.BigEndian.AppendUint16(w.Chunks, at)
	}
	return w, nil
}

func decodePack(w wirePack) (p item.Pack, err error) {
	if p.Name, err = readHash(w.Name); err != nil {
		return p, err
	}
	epochs, err := decodeHashes(w.Epochs, 1<<16-1)
	if err != nil {
		return p, err
	}
	if len(w.Chunks)%packedSize != 0 {
		return p, fmt.Errorf("%w: chunks in %d bytes", ErrFormat, len(w.Chunks))
	}
	p.Size = w.Size
	p.Chunks = make([]item.PackedChunk, 0, len(w.Chunks)/packedSize)
	for b := w.Chunks; len(b) > 0; b = b[packedSize:] {
		k := item.PackedChunk{
			Name: item.Hash(b[:32]), Offset: binary.BigEndian.Uint32(b[32:]), Size: binary.BigEndian.Uint32(b[36:]),
		}
		if at := binary.BigEndian.Uint16(b[40:]); int(at) < len(epochs) {
			k.Epoch = epochs[at]
		} else {
			return p, fmt.Errorf("%w: epoch %d of %d", ErrFormat, at, len(epochs))
		}
		if checkRange.fails(uint64(k.Offset)+uint64(k.Size) > uint64(p.Size)) {
			return p, fmt.Errorf("%w: chunk beyond its pack", ErrFormat)
		}
		p.Chunks = append(p.Chunks, k)
	}
	return p, nil
}

// A table gives each name, or author, one index.
type table[K comparable] struct {
	at  map[K]uint32
	all []K
}

func (t *table[K]) index(k K) uint32 {
	if i, ok := t.at[k]; ok {
		return i
	}
	if t.at == nil {
		t.at = map[K]uint32{}
	}
	i := uint32(len(t.all))
	t.at[k] = i
	t.all = append(t.all, k)
	return i
}
