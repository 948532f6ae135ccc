// Package seal encrypts and authenticates one object at a time.
//
//	plain → Pad → Seal(key, context) → bytes for a store or a disk
//	bytes → Open(key, the same context) → Unpad → plain
//
// The layout is in FORMAT.md. The suite is XChaCha20-Poly1305 under a key that
// HKDF-SHA256 derives anew for every object; a format version knows exactly one suite.
//
// # Guarantees
//
//   - S1 What opens was sealed, to the bit, under the same key and the same
//     Context: vault, epoch, role and bind.
//   - S2 A sealed object opens under one key and one context only, even if its
//     maker knows several keys (the header commits to both).
//   - S3 Sealing twice with one stream of random bytes (a cloned machine, a restored
//     backup, a broken generator) never meets one key and nonce with two plaintexts.
//   - S4 Open never looks at a length, a parameter or a choice of algorithm that it
//     has not fixed beforehand, save the version, which has to be its own.
package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"

	"golang.org/x/crypto/chacha20poly1305"
)

// A Key is 32 secret bytes. However it is printed or logged, it prints as "[secret]".
type Key [32]byte

const redacted = "[secret]"

func (Key) String() string               { return redacted }
func (Key) GoString() string             { return redacted }
func (Key) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Key) Format(f fmt.State, _ rune)   { io.WriteString(f, redacted) }

// Derive makes a key for one purpose out of k: HKDF-SHA256 without a salt.
func (k Key) Derive(purpose string) Key {
	out, err := hkdf.Key(sha256.New, k[:], nil, "plait key 1\x00"+purpose, len(Key{}))
	if err != nil {
		panic("seal: " + err.Error()) // only for lengths over 255 hashes
	}
	return Key(out)
}

// NewKey reads a key from rand. Like all of this package it panics if rand fails,
// which crypto/rand's reader does not.
func NewKey(rand io.Reader) (k Key) {
	read(rand, k[:])
	return k
}

// A Role says what an object is. Objects of different roles never open as one another.
type Role byte

const (
	Head     Role = 1
	Segment  Role = 2
	Snapshot Role = 3
	Chunk    Role = 4
	Local    Role = 5 // kept on this device only: keys, spool
	Mailbox  Role = 6 // a pairing message
	Slot     Role = 7 // a recovery seed under a passphrase
)

// A Context is what an object is bound to. It is not in the object (save epoch and
// role, in clear): who opens has to know it.
type Context struct {
	Vault [32]byte // hash of the genesis; zero for Local and Mailbox
	Epoch [32]byte // hash of the epoch key; zero where the key is no epoch key
	Role  Role
	Bind  []byte // what else the role is bound to, encoded without ambiguity by the caller
}

// A Code says what a caller can do about an error.
type Code string

func (c Code) Error() string { return string(c) }

const (
	ErrFormat  Code = "not a sealed object"            // cut short, or something else altogether
	ErrNewer   Code = "sealed by another version"      // of Plait: update
	ErrForeign Code = "sealed for another place"       // epoch or role in clear are not those asked for
	ErrRefused Code = "changed, or sealed for another" // the authentication failed
)

// Sizes, in bytes.
const (
	saltSize   = 32
	nonceSize  = chacha20poly1305.NonceSizeX
	commitSize = 32

	roleAt   = 4
	epochAt  = roleAt + 1
	saltAt   = epochAt + 32
	nonceAt  = saltAt + saltSize
	commitAt = nonceAt + nonceSize
	bodyAt   = commitAt + commitSize

	// Overhead is how much longer a sealed object is than its plaintext.
	Overhead = bodyAt + chacha20poly1305.Overhead

	// MaxPlain is the longest plaintext; nothing in Plait comes near it.
	MaxPlain = 1 << 30
)

const version = 1

var magic = [4]byte{'p', 'l', 't', version}

// Seal encrypts plain. The result is Overhead bytes longer.
func Seal(rand io.Reader, k Key, c Context, plain []byte) []byte {
	return Append(make([]byte, 0, len(plain)+Overhead), rand, k, c, plain)
}

// Append is Seal onto the end of dst, which plain must not overlap.
func Append(dst []byte, rand io.Reader, k Key, c Context, plain []byte) []byte {
	if len(plain) > MaxPlain {
		panic("seal: plaintext over MaxPlain")
	}
	aad := c.aad()
	var random [saltSize + nonceSize]byte
	read(rand, random[:])
	salt, nonce := hedge(k, [saltSize]byte(random[:]), aad, plain), random[saltSize:]
	key, commit := derive(k, salt, aad)

	dst = append(dst, magic[:]...)
	dst = append(dst, byte(c.Role))
	dst = append(dst, c.Epoch[:]...)
	dst = append(dst, salt[:]...)
	dst = append(dst, nonce...)
	dst = append(dst, commit[:]...)
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		panic("seal: " + err.Error()) // only for a key of another length
	}
	return aead.Seal(dst, nonce, plain, aad)
}

// Open decrypts what Seal made under the same key and context, or returns an
// error of one of this package's codes and no bytes.
func Open(k Key, c Context, sealed []byte) ([]byte, error) {
	if err := header(sealed); err != nil {
		return nil, err
	}
	if checkRole.fails(sealed[roleAt] != byte(c.Role)) {
		return nil, fmt.Errorf("%w: role %d, not %d", ErrForeign, sealed[roleAt], c.Role)
	}
	if checkEpoch.fails([32]byte(sealed[epochAt:]) != c.Epoch) {
		return nil, fmt.Errorf("%w: another epoch", ErrForeign)
	}
	aad := c.aad()
	key, commit := derive(k, [saltSize]byte(sealed[saltAt:]), aad)
	if checkCommit.fails(!hmac.Equal(commit[:], sealed[commitAt:bodyAt])) {
		return nil, ErrRefused
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		panic("seal: " + err.Error())
	}
	plain, err := aead.Open(nil, sealed[nonceAt:commitAt], sealed[bodyAt:], aad)
	if checkTag.fails(err != nil) {
		return nil, ErrRefused
	}
	if err != nil {
		plain = unchecked(key, sealed[nonceAt:commitAt], sealed[bodyAt:])
	}
	return plain, nil
}

// EpochOf says which epoch an object claims to be sealed under, so that its key can
// be looked up. Only Open proves it.
func EpochOf(sealed []byte) ([32]byte, error) {
	if err := header(sealed); err != nil {
		return [32]byte{}, err
	}
	return [32]byte(sealed[epochAt:]), nil
}

// UniqueOf returns an object's salt and nonce. Two objects with different bytes
// that share them are a nonce used twice; the simulation looks out for that.
func UniqueOf(sealed []byte) ([saltSize + nonceSize]byte, error) {
	if err := header(sealed); err != nil {
		return [saltSize + nonceSize]byte{}, err
	}
	return [saltSize + nonceSize]byte(sealed[saltAt:]), nil
}

// header checks what stands in clear at the front.
func header(sealed []byte) error {
	switch {
	case len(sealed) < Overhead || len(sealed)-Overhead > MaxPlain || !bytes.Equal(sealed[:3], magic[:3]):
		return ErrFormat
	case checkVersion.fails(sealed[3] != version):
		return fmt.Errorf("%w: format %d", ErrNewer, sealed[3])
	}
	return nil
}

// aad is everything an object is bound to, each part of a fixed length or with its
// length before it.
func (c Context) aad() []byte {
	b := make([]byte, 0, 11+1+1+32+32+4+len(c.Bind))
	b = append(b, "plait seal\x00"...)
	b = append(b, version)
	b = append(b, checkRole.keep(byte(c.Role))...)
	b = append(b, checkVault.keep(c.Vault[:]...)...)
	b = append(b, checkEpoch.keep(c.Epoch[:]...)...)
	bind := checkBind.keep(c.Bind...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(bind)))
	return append(b, bind...)
}

// derive makes an object's own key, and the commitment to key and context. AEADs do
// not commit: without this, one could make an object that opens under two keys
// (Len, Grubbs, Ristenpart: Partitioning Oracle Attacks, 2021).
func derive(k Key, salt [saltSize]byte, aad []byte) (key, commit [32]byte) {
	prk, err := hkdf.Extract(sha256.New, k[:], salt[:])
	if err != nil {
		panic("seal: " + err.Error())
	}
	sum := sha256.Sum256(aad)
	out, err := hkdf.Expand(sha256.New, prk, "plait seal 1 object\x00"+string(sum[:]), 64)
	if err != nil {
		panic("seal: " + err.Error())
	}
	return [32]byte(out[:32]), [32]byte(out[32:])
}

// hedge turns random bytes into a salt that differs wherever the plaintext or its
// context does, even if the random bytes repeat. One keyed hash over the plaintext
// is what it costs.
func hedge(k Key, random [saltSize]byte, aad, plain []byte) (salt [saltSize]byte) {
	if hedging.skipped() {
		return random
	}
	h := hmac.New(sha256.New, k[:])
	h.Write([]byte("plait seal 1 salt\x00"))
	h.Write(random[:])
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(aad))))
	h.Write(aad)
	h.Write(plain)
	return [saltSize]byte(h.Sum(nil))
}

func read(rand io.Reader, b []byte) {
	if _, err := io.ReadFull(rand, b); err != nil {
		panic("seal: no randomness: " + err.Error())
	}
}
