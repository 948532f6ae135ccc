package keyring

import (
	"crypto/hpke"
	"fmt"
	"maps"
	"slices"

	"plait/backend/item"
	"plait/backend/seal"
)

// Keys is a Ring unlocked: the epoch keys that one device, or the recovery key,
// was given. It does not change; after new statements Build and Unlock anew.
type Keys struct {
	hidden

	ring   *Ring
	me     Holder
	epochs map[item.Hash]seal.Key
	old    map[item.Hash]seal.Key // shared by void statements alone: see Opens
}

// Unlock opens the epoch keys that were shared with h. A share that does not open is
// as one that was never made. Codes: NotMember, WrongWords, Replaced.
func (r *Ring) Unlock(h Holder) (*Keys, error) {
	me := h.Principal()
	if err := r.present(me); err != nil {
		return nil, err
	}
	k := &Keys{ring: r, me: h, epochs: map[item.Hash]seal.Key{}, old: map[item.Hash]seal.Key{}}
	for i := range r.nodes {
		n := &r.nodes[i]
		into := k.epochs
		if n.verdict != counts {
			into = k.old
		}
		if n.verdict != counts && !n.once || !n.known || n.body.Wrap == nil {
			continue
		}
		for _, s := range n.body.Wrap.Shares {
			if s.To != me {
				continue
			}
			if _, have := into[s.Epoch]; have {
				continue
			}
			if key, err := openShare(h, r.vault, s); err == nil {
				into[s.Epoch] = key
			}
		}
	}
	return k, nil
}

// Ring is what the keys were unlocked from.
func (k *Keys) Ring() *Ring { return k.ring }

// Epoch returns an epoch's key, to open what was sealed under it. Code: NoKey.
func (k *Keys) Epoch(id item.Hash) (seal.Key, error) {
	key, ok := k.epochs[id]
	if !ok {
		return seal.Key{}, fmt.Errorf("epoch %s: %w", id.String()[:16], NoKey)
	}
	return key, nil
}

// Opens is Epoch for who only reads: also a key that somebody shared who was put out
// by one who did not know of that. Others may have sealed under it before they knew,
// and what they sealed counts. Nobody seals under it again: not all who have it are
// members, see Current.
func (k *Keys) Opens(id item.Hash) (seal.Key, error) {
	if key, ok := k.old[id]; ok {
		return key, nil
	}
	return k.Epoch(id)
}

// Current is the epoch to seal under: one whose key exactly the live members and the
// present recovery keys were given; of several the newest, then the lowest id.
// ok is false if there is none: Maintain makes one.
func (k *Keys) Current() (id item.Hash, key seal.Key, ok bool) {
	want := k.ring.recipients()
	depth := -1
	for _, e := range sorted(slices.Collect(maps.Keys(k.ring.epochs))) {
		ep := k.ring.epochs[e]
		mine, have := k.epochs[e]
		if have && ep.depth > depth && !checkRecipients.fails(!exactly(ep.to, want)) {
			id, key, ok, depth = e, mine, true, ep.depth
		}
	}
	return id, key, ok
}

func exactly(have map[Principal]bool, want []Principal) bool {
	for _, p := range want {
		if !have[p] {
			return false
		}
	}
	return len(have) == len(want)
}

// ChunkNames is the key that chunks and contents are named under, the vault's whole
// life long, whoever shared it: what genesis says of it tells that it is the one. A
// member whose share was void since its giver is put out could not even start. Code: NoKey.
func (k *Keys) ChunkNames() (seal.Key, error) {
	first, err := k.Opens(k.ring.genesis.Epoch)
	if err != nil {
		return seal.Key{}, err
	}
	return first.Derive("chunk names"), nil
}

// EpochID names an epoch key by its hash.
func EpochID(k seal.Key) item.Hash { return hash("plait epoch 1", k[:]) }

// shareInfo binds a share to its vault, its epoch and its recipient.
func shareInfo(vault, epoch item.Hash, to Principal) []byte {
	if checkShare.skipped() {
		return nil
	}
	return encode([]any{"plait share 1", vault, epoch, to})
}

// newShare seals an epoch key to a principal. Its randomness is the system's: the
// standard library's HPKE takes no other.
func newShare(vault item.Hash, key seal.Key, to Principal, keys Public) (share, error) {
	pk, err := kem.NewPublicKey(keys.Receive)
	if err != nil {
		return share{}, fmt.Errorf("share with %s: %w: %v", to, Damaged, err)
	}
	id := EpochID(key)
	sealed, err := hpke.Seal(pk, kdf, aead, shareInfo(vault, id, to), key[:])
	if err != nil {
		return share{}, fmt.Errorf("share with %s: %w: %v", to, Damaged, err)
	}
	return share{id, to, sealed}, nil
}

func openShare(h Holder, vault item.Hash, s share) (seal.Key, error) {
	b, err := h.open(shareInfo(vault, s.Epoch, s.To), s.Sealed)
	if err != nil || len(b) != len(seal.Key{}) {
		return seal.Key{}, Damaged
	}
	key := seal.Key(b)
	if checkEpochID.fails(EpochID(key) != s.Epoch) {
		return seal.Key{}, fmt.Errorf("%w: a key that is not the epoch's", Damaged)
	}
	return key, nil
}
