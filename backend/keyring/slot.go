package keyring

import (
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"plait/backend/item"
	"plait/backend/seal"
)

// A KDF is what Argon2id costs.
type KDF struct {
	Time    uint32 `cbor:"1,keyasint"` // passes
	Memory  uint32 `cbor:"2,keyasint"` // KiB
	Threads uint8  `cbor:"3,keyasint"`
}

var (
	// DefaultKDF takes about a third of a second on two cores.
	DefaultKDF = KDF{Time: 3, Memory: 256 << 10, Threads: 4}
	// FloorKDF is the least that is made or believed: the second recommendation of
	// RFC 9106, section 4. Who owns the store can't make a device do less.
	FloorKDF = KDF{Time: 3, Memory: 64 << 10, Threads: 4}
	// maxKDF keeps a slot from being an attack on the reader's memory and time.
	maxKDF = KDF{Time: 32, Memory: 2 << 20, Threads: 16}
)

func (k KDF) valid() error {
	if checkKDF.fails(k.Time < FloorKDF.Time || k.Memory < FloorKDF.Memory || k.Threads < 1) {
		return fmt.Errorf("%w: Argon2id with %d passes over %d KiB", Weak, k.Time, k.Memory)
	}
	if k.Time > maxKDF.Time || k.Memory > maxKDF.Memory || k.Threads > maxKDF.Threads {
		return fmt.Errorf("%w: Argon2id with %d passes over %d KiB", Damaged, k.Time, k.Memory)
	}
	return nil
}

// key derives a key from a passphrase; the same letters give the same key however a
// system composes them.
func (k KDF) key(passphrase Secret, salt []byte) seal.Key {
	return seal.Key(argon2.IDKey(norm.NFKC.Bytes(passphrase), salt, k.Time, k.Memory, k.Threads, 32))
}

const kdfSalt = 16

// slotBody is a recovery seed under a passphrase.
type slotBody struct {
	Recovery item.Hash `cbor:"1,keyasint"` // whose seed
	KDF      KDF       `cbor:"2,keyasint"`
	Salt     []byte    `cbor:"3,keyasint"`
	Sealed   []byte    `cbor:"4,keyasint"`
}

// context binds a slot to its vault, its recovery key and its parameters.
func (s *slotBody) context(vault item.Hash) seal.Context {
	if checkSlot.skipped() {
		return seal.Context{Role: seal.Slot}
	}
	return seal.Context{Vault: vault, Role: seal.Slot, Bind: encode([]any{s.Recovery, s.KDF, s.Salt})}
}

// slot makes a slot for a seed.
func (t *draft) slot(rand io.Reader, s Seed, passphrase Secret, cost KDF) error {
	if err := cost.valid(); err != nil {
		return err
	}
	b := slotBody{Recovery: s.Recovery().ID(), KDF: cost, Salt: read(rand, kdfSalt)}
	b.Sealed = seal.Seal(rand, cost.key(passphrase, b.Salt), b.context(t.ring.vault), s[:])
	return t.say(body{Kind: KindSlot, Slot: &b})
}

// slots lists the slots of present recovery keys, the newest first.
func (r *Ring) slots() (ss []*slotBody) {
	for i := len(r.nodes) - 1; i >= 0; i-- {
		n := &r.nodes[i]
		if n.verdict != counts || !n.known || n.body.Slot == nil {
			continue
		}
		if k := r.recovery[n.body.Slot.Recovery]; k != nil && !checkWords.fails(k.replaced) {
			ss = append(ss, n.body.Slot)
		}
	}
	return ss
}

// HasPassphrase says whether the present recovery seed is also under a passphrase.
func (r *Ring) HasPassphrase() bool { return len(r.slots()) > 0 }

// OpenSlot gets the recovery seed by the passphrase. It takes as long as the slot's
// KDF. The seed still has to be checked with Recognise, as typed words have.
// Codes: NoSlot, WrongPassphrase, Weak.
func (r *Ring) OpenSlot(passphrase Secret) (Seed, error) {
	slots := r.slots()
	if len(slots) == 0 {
		return Seed{}, NoSlot
	}
	// Each costs time and memory, and a thief of a device could make many.
	for _, s := range slots[:min(len(slots), 4)] {
		if err := s.KDF.valid(); err != nil {
			return Seed{}, err
		}
		b, err := seal.Open(s.KDF.key(passphrase, s.Salt), s.context(r.vault), s.Sealed)
		if err != nil || len(b) != len(Seed{}) {
			continue
		}
		if seed := Seed(b); !checkSlot.fails(seed.Recovery().ID() != s.Recovery) {
			return seed, nil
		}
	}
	return Seed{}, WrongPassphrase
}
