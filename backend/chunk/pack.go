package chunk

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"plait/backend/item"
	"plait/backend/seal"
)

const (
	// packMagic starts a pack: "plp" and the format's version.
	packMagic = "plp\x01"

	// MaxPack is the largest pack that a reader takes: a full one, its last chunk, and padding.
	MaxPack = 20 << 20

	maxTarget = 16 << 20
	minTarget = 64 << 10

	// clear is what seal writes in clear before everything that looks random: "plt",
	// version, role, epoch. In a pack it would show where chunks start, so it is left
	// out, and put back from what the pack's index says.
	clear = 4 + 1 + 32

	maxSealed = 1 + Max + seal.Overhead - clear // bytes of one chunk in a pack
	minSealed = 1 + seal.Overhead - clear + 1
)

// clearPart is what was left out of a chunk sealed under the epoch.
func clearPart(epoch item.Hash) []byte {
	return append([]byte{'p', 'l', 't', 1, byte(seal.Chunk)}, epoch[:]...)
}

// A pack is one being written.
type pack struct {
	file SpoolFile
	sum  hash.Hash
	info item.Pack
}

func newPack(s Spool) (*pack, error) {
	f, err := s.Create()
	if err != nil {
		return nil, err
	}
	p := &pack{file: f, sum: sha256.New()}
	if err := p.write([]byte(packMagic)); err != nil {
		f.Discard()
		return nil, err
	}
	return p, nil
}

func (p *pack) write(b []byte) error {
	if _, err := p.file.Write(b); err != nil {
		return fmt.Errorf("write a pack: %w", err)
	}
	p.sum.Write(b)
	p.info.Size += uint32(len(b))
	return nil
}

// add appends a sealed chunk, its clear part left out.
func (p *pack) add(name, epoch item.Hash, bare []byte) error {
	at := p.info.Size
	if err := p.write(bare); err != nil {
		return err
	}
	p.info.Chunks = append(p.info.Chunks, item.PackedChunk{Name: name, Offset: at, Size: uint32(len(bare)), Epoch: epoch})
	return nil
}

// pad rounds the size up, with random bytes, which sealed chunks look like too.
func (p *pack) pad(rand io.Reader) error {
	pad := make([]byte, seal.Padme(int(p.info.Size))-int(p.info.Size))
	if _, err := io.ReadFull(rand, pad); err != nil {
		return fmt.Errorf("pad a pack: %w", err)
	}
	return p.write(pad)
}

// keep ends the pack.
func (p *pack) keep() (item.Pack, error) {
	p.sum.Sum(p.info.Name[:0])
	return p.info, p.file.Keep(p.info)
}

// CheckPack refuses an index that no writer makes: places outside the pack, or
// sizes that no chunk has. Journals hold indexes, so it is for whoever reads those.
func CheckPack(p item.Pack) error {
	if p.Size > MaxPack || len(p.Chunks) > int(p.Size)/minSealed {
		return fmt.Errorf("a pack of %d bytes with %d chunks: %w", p.Size, len(p.Chunks), ErrTooLarge)
	}
	for _, c := range p.Chunks {
		if err := checkInside(c.Offset, c.Size, p.Size); err != nil {
			return err
		}
	}
	return nil
}

func checkInside(offset, size, pack uint32) error {
	if size < minSealed || size > maxSealed || pack > MaxPack || offset < uint32(len(packMagic)) ||
		uint64(offset)+uint64(size) > uint64(pack) {
		return fmt.Errorf("a chunk of %d bytes at %d of a pack of %d: %w", size, offset, pack, ErrChanged)
	}
	return nil
}
