// Package keyring says who belongs to a vault and holds its keys. It works on bytes:
// what is fetched from a store comes in, what is to be put there goes out. Only
// local.go touches a disk, and the system's keychain.
//
//	vault.json ─┐
//	            ├─ Build ──▶ Ring (who, what) ── Unlock(device or words) ──▶ Keys
//	keys/* ─────┘                                                            │
//	keys/* ◀── []Statement ── Admit, Revoke, Rotate, Maintain, NewRecovery ──┘
//
// Formats and the rules of membership are in FORMAT.md.
//
// # Guarantees
//
//   - K1 Membership is a function of the set of statements: neither their order nor
//     when they arrived matters.
//   - K2 Who owns the store can leave statements out, and nothing else. It cannot add
//     a device, change a key, bring one back or make an epoch.
//   - K3 A statement that a device made and its revoker had not seen counts for nothing.
//   - K4 Two devices that revoke each other are both out. No device can revoke the
//     recovery key; it may only be replaced.
//   - K5 An epoch is current only if exactly the live devices and the present
//     recovery keys were given its key.
//   - K6 A device that may not change what runs elsewhere can't give that right away,
//     not by admitting and not by changing the recovery words.
//   - K7 No secret is printed or logged, whichever way a value holding one is.
package keyring

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"unicode"

	"github.com/fxamacker/cbor/v2"

	"plait/backend/item"
)

// A Code says what a caller can do about an error.
type Code string

func (c Code) Error() string { return string(c) }

const (
	// Of what a store holds.
	Damaged    Code = "damaged"                          // not what it should be: cut, changed, or something else
	Newer      Code = "made by a newer version of Plait" // update
	OtherVault Code = "belongs to another vault"
	Forged     Code = "signature does not match"
	Stranger   Code = "author is not known"     // never admitted, or the admission is not here yet
	Incomplete Code = "statements are missing"  // may still be on their way: read again
	Void       Code = "void"                    // its author was revoked by somebody who had not seen it, or never admitted
	Weak       Code = "key derivation too weak" // a passphrase slot below the floor is not tried

	// Of the person or this device.
	NotMember       Code = "not a live member"
	NoKey           Code = "key was not given to this device" // another member has to share it
	WrongWords      Code = "wrong recovery words"
	Replaced        Code = "recovery words were replaced"
	BadWords        Code = "not a valid list of words" // misspelt, missing, in another order
	NoSlot          Code = "no passphrase is set"
	WrongPassphrase Code = "wrong passphrase"
	Locked          Code = "locked" // the keychain or a passphrase is needed
	Missing         Code = "no keys here"
	Exists          Code = "keys are here already"

	// Of pairing.
	WrongCode Code = "wrong pairing code"
	Expired   Code = "pairing code expired"
	Used      Code = "pairing code was used"
)

const redacted = "[secret]"

// A Secret is bytes that never get printed or logged.
type Secret []byte

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Secret) Format(f fmt.State, _ rune)   { io.WriteString(f, redacted) }

// hidden makes whatever embeds it print and log as a Secret does, fields and all.
type hidden struct{}

func (hidden) String() string               { return redacted }
func (hidden) GoString() string             { return redacted }
func (hidden) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (hidden) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (hidden) Format(f fmt.State, _ rune)   { io.WriteString(f, redacted) }

// Limits on what is read from outside. They are generous: a vault of 64 devices and
// a hundred rotations stays under them by a factor of ten.
const (
	maxStatement  = 1 << 20
	maxStatements = 1 << 13
	maxSeen       = 1 << 10
	maxShares     = 512 // a statement; more epochs or members take more statements
	maxGenesis    = 64 << 10
	maxMessage    = 256 << 10
	maxLocal      = 1 << 20
)

var (
	encoder = must(cbor.CoreDetEncOptions().EncMode())
	decoder = must(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		MaxArrayElements: 4096,
		MaxMapPairs:      4096,
		MaxNestedLevels:  8,
		TagsMd:           cbor.TagsForbidden,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("keyring: " + err.Error())
	}
	return v
}

func encode(v any) []byte { return must(encoder.Marshal(v)) }

// decode reads exactly what encode wrote: other encodings of the same, more
// fields, and trailing bytes are Damaged. So a thing has one encoding, and one hash.
func decode(b []byte, v any, limit int) error {
	if len(b) > limit {
		return fmt.Errorf("%w: %d bytes", Damaged, len(b))
	}
	if err := decoder.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %v", Damaged, err)
	}
	if string(encode(v)) != string(b) {
		return fmt.Errorf("%w: not in the one encoding", Damaged)
	}
	return nil
}

func hash(domain string, parts ...[]byte) item.Hash {
	h := sha256.New()
	h.Write([]byte(domain + "\x00"))
	for _, p := range parts {
		h.Write(p)
	}
	return item.Hash(h.Sum(nil))
}

func read(rand io.Reader, n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(rand, b); err != nil {
		panic("keyring: no randomness: " + err.Error())
	}
	return b
}

// printable keeps a name that somebody else chose from playing with a terminal.
func printable(s string, limit int) string {
	out := make([]rune, 0, limit)
	for _, r := range s {
		if len(out) == limit {
			break
		}
		if !unicode.IsPrint(r) {
			r = '?'
		}
		out = append(out, r)
	}
	return string(out)
}

var b64 = base64.StdEncoding.Strict()
