package keyring

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/tyler-smith/go-bip39"
	"github.com/tyler-smith/go-bip39/wordlists"

	"plait/backend/item"
)

// A Seed is what the 24 recovery words stand for. It never leaves the device but as
// the words, and in a passphrase slot.
type Seed [32]byte

func (Seed) String() string               { return redacted }
func (Seed) GoString() string             { return redacted }
func (Seed) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Seed) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Seed) Format(f fmt.State, _ rune)   { io.WriteString(f, redacted) }

// NewSeed makes a seed.
func NewSeed(rand io.Reader) Seed { return Seed(read(rand, 32)) }

// Words is the seed as 24 English words with a checksum (BIP 39).
func (s Seed) Words() string { return words(s[:]) }

// ParseWords reads what a person typed: any case, any space between, and the first
// four letters of a word suffice. Code: BadWords, saying which word is none.
func ParseWords(typed string) (Seed, error) {
	b, err := parseWords(typed, 24)
	if err != nil {
		return Seed{}, err
	}
	return Seed(b), nil
}

// Recovery makes the recovery keys of a seed.
func (s Seed) Recovery() *Recovery {
	part := func(of string) []byte { return must(hkdf.Key(sha256.New, s[:], nil, "plait recovery 1 "+of, 32)) }
	return &Recovery{must(newPrivate(part("sign"), part("receive")))}
}

// A Recovery is the keys that the recovery words stand for.
type Recovery struct{ private }

// ID is the hash of the public halves.
func (r Recovery) ID() item.Hash { return r.public.Recovery() }

// Principal names the recovery key.
func (r Recovery) Principal() Principal { return Principal{Recovery: r.ID()} }

func (r Recovery) String() string               { return r.Principal().String() }
func (r Recovery) GoString() string             { return r.String() }
func (r Recovery) LogValue() slog.Value         { return slog.StringValue(r.String()) }
func (r Recovery) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
func (r Recovery) Format(f fmt.State, _ rune)   { io.WriteString(f, r.String()) }

func words(entropy []byte) string {
	w, err := bip39.NewMnemonic(entropy)
	if err != nil {
		panic("keyring: " + err.Error()) // only for lengths that BIP 39 has not
	}
	return w
}

func parseWords(typed string, n int) ([]byte, error) {
	fields := strings.Fields(strings.ToLower(typed))
	if len(fields) != n {
		return nil, fmt.Errorf("%w: %d words, not %d", BadWords, len(fields), n)
	}
	for i, f := range fields {
		full, ok := fullWord(f)
		if !ok {
			return nil, fmt.Errorf("%w: word %d is not on the list", BadWords, i+1)
		}
		fields[i] = full
	}
	b, err := bip39.EntropyFromMnemonic(strings.Join(fields, " "))
	if err != nil {
		return nil, fmt.Errorf("%w: the checksum does not match", BadWords)
	}
	return b, nil
}

// fullWord finds the word that f is, or is the first four letters or more of.
func fullWord(f string) (string, bool) {
	for _, w := range wordlists.English {
		if w == f || len(f) >= 4 && strings.HasPrefix(w, f) {
			return w, true
		}
	}
	return "", false
}
