package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"plait/backend/item"
	"plait/backend/seal"
)

// A Sealer seals objects for one vault under one epoch.
type Sealer struct {
	Vault item.Hash // hash of the genesis
	Epoch item.Hash // names Key
	Key   seal.Key
	Rand  io.Reader
}

// An Opener opens the objects of one vault. Key finds an epoch's key.
type Opener struct {
	Vault item.Hash
	Key   func(epoch item.Hash) (seal.Key, bool)
}

func (s Sealer) seal(role seal.Role, bind, plain []byte, p seal.Policy, around int) []byte {
	c := seal.Context{Vault: s.Vault, Epoch: s.Epoch, Role: role, Bind: bind}
	return seal.Seal(s.Rand, s.Key, c, seal.Pad(plain, p, seal.Overhead+around))
}

func (o Opener) open(role seal.Role, bind, sealed []byte) ([]byte, error) {
	epoch, err := seal.EpochOf(sealed)
	if err != nil {
		return nil, err
	}
	key, ok := o.Key(epoch)
	if !ok {
		return nil, fmt.Errorf("%w: epoch %.8s", ErrKey, item.Hash(epoch))
	}
	padded, err := seal.Open(key, seal.Context{Vault: o.Vault, Epoch: epoch, Role: role, Bind: bind}, sealed)
	if err != nil {
		return nil, err
	}
	return seal.Unpad(padded)
}

// bind encodes what a sealed object is bound to: author, then numbers.
func bind(a item.Author, numbers ...uint64) []byte {
	b := appendAuthor(make([]byte, 0, authorSize+8*len(numbers)), a)
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

// named checks that an object's bytes are those that its name says.
func named(object []byte, name item.Hash, limit int) error {
	if checkSize.fails(len(object) > limit) {
		return fmt.Errorf("%w: %d bytes", ErrLimit, len(object))
	}
	if checkHash.fails(sha256.Sum256(object) != name) {
		return ErrChanged
	}
	return nil
}
