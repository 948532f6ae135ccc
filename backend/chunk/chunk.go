// Package chunk keeps large content: it cuts it into chunks by what it holds, names
// each by a keyed hash, and packs them, compressed and sealed, into objects of a
// few megabytes; and it reads them back, believing nothing.
//
//	content → Cutter → chunks → named → known? → compressed → sealed → pack → Spool
//	                              └→ item.Content: the names, or a list of them kept as chunks
//
// FORMAT.md has the bytes.
//
// # Guarantees
//
//   - C1 Equal content has equal chunks under one key, wherever it lies; a change
//     costs the chunks it touches, and one or two pieces of the list.
//   - C2 Names and cuts depend on the vault's chunk-name key: without it nobody can
//     tell whether the vault holds a given file.
//   - C3 A pack shows its size, rounded up, and random bytes: neither how many
//     chunks it holds nor where one ends.
//   - C4 A reader returns the bytes that were named, or an error: every chunk is
//     checked against its name, the whole against its hash and size.
//   - C5 What a reader allocates is bounded by what the caller asked for, whatever
//     lengths stand in what it reads.
//   - C6 With one worker everything is a function of input, key and randomness.
package chunk

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"

	"plait/backend/item"
	"plait/backend/seal"
)

// Sizes of chunks, in plain bytes. Max is a promise to readers; Min and the
// typical size may change without anybody noticing but that old content is not
// found again.
const (
	Min = 16 << 10
	Max = 256 << 10
)

// A Namer names and cuts under one key. It may be used concurrently.
type Namer struct {
	gear [256]uint64
	macs sync.Pool // of hash.Hash, reset
}

// NewNamer derives what names and cuts need from the vault's chunk-name key, which
// never changes, else nothing would be found again.
func NewNamer(key seal.Key) *Namer { return newNamer(key, allChecks) }

func newNamer(key seal.Key, checks check) *Namer {
	n := new(Namer)
	n.macs.New = func() any {
		if !checks.has(checkKeyed) {
			return sha256.New()
		}
		return hmac.New(sha256.New, key[:])
	}
	if !checks.has(checkGear) {
		key = seal.Key{}
	}
	table, err := hkdf.Key(sha256.New, key[:], nil, "plait chunk gear table 1", 8*len(n.gear))
	if err != nil {
		panic("chunk: 2,048 bytes are within HKDF's limit: " + err.Error())
	}
	for i := range n.gear {
		n.gear[i] = binary.LittleEndian.Uint64(table[8*i:])
	}
	return n
}

// Name is HMAC-SHA256 of plain bytes under the key: a chunk's name, and a whole
// content's hash.
func (n *Namer) Name(plain []byte) (h item.Hash) {
	m := n.macs.Get().(hash.Hash)
	defer n.macs.Put(m)
	m.Reset()
	m.Write(plain)
	m.Sum(h[:0])
	return h
}

// hash is a running Name.
func (n *Namer) hash() hash.Hash { return n.macs.New().(hash.Hash) }
