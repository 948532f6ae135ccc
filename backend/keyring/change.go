package keyring

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"plait/backend/item"
	"plait/backend/seal"
)

// The functions here return statements to put into the store, in their order, and
// change nothing themselves. Put some and not all of them, after a crash say, and the
// vault stands: Maintain of any member makes up for what is missing.

// Found begins a vault with its first device and recovery seed: its vault.json, and
// the statements that share out the first epoch key. With a passphrase (nil: none)
// there is a slot for the seed too.
func Found(rand io.Reader, now time.Time, d *Device, s Seed, passphrase Secret, cost KDF) (genesis []byte, _ []Statement, _ error) {
	rec := s.Recovery()
	first := seal.NewKey(rand)
	genesis = makeGenesis(d, rec, EpochID(first), now)
	ring, _, err := Build(VaultID(genesis), genesis, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("found a vault: %w", err)
	}
	t := draft{ring: ring, me: d, now: now, epochs: map[item.Hash]seal.Key{}}
	if err := t.epoch(first); err != nil {
		return nil, nil, err
	}
	if passphrase != nil {
		if err := t.slot(rand, s, passphrase, cost); err != nil {
			return nil, nil, err
		}
	}
	return genesis, t.made, nil
}

// Admit makes a device a member, with the right to change what runs on others or
// without, and shares every epoch key with it. Codes: NotMember if it was revoked (it
// needs new keys), Damaged if its keys are.
func (k *Keys) Admit(now time.Time, d Public, run bool) ([]Statement, error) {
	t := k.draft(now)
	id := d.Device()
	if err := t.say(body{Kind: KindAdmit, Admit: &admitBody{id, d, run}}); err != nil {
		return nil, fmt.Errorf("admit %s: %w", id, err)
	}
	if m, ok := t.ring.Member(id); !ok || m.Revoked {
		return nil, fmt.Errorf("admit %s: %w", id, NotMember)
	}
	if err := t.share(); err != nil {
		return nil, fmt.Errorf("admit %s: %w", id, err)
	}
	return t.made, nil
}

// Revoke ends a device's membership, and makes a new epoch without it. seen is how
// far this device had applied the journals; what of the revoked device's is beyond
// that counts only where a live device covers it. Code: NotMember.
//
// With disown, which names statements of that device, these and all that it said
// after them count for nothing: how the recovery words undo what a thief did with a
// device, revocations too.
func (k *Keys) Revoke(rand io.Reader, now time.Time, d item.Device, seen item.Vector, disown ...item.Hash) ([]Statement, error) {
	t := k.draft(now)
	if m, ok := t.ring.Member(d); !ok || m.Revoked {
		return nil, fmt.Errorf("revoke %s: %w", d, NotMember)
	}
	b := body{Kind: KindRevoke, Revoke: &revokeBody{d, limitsOf(d, seen)}}
	if len(disown) > 0 {
		b.Seen = t.ring.frontier(disown)
	}
	err := t.say(b)
	// Who leaves by itself leaves the new epoch to the others.
	if err == nil && t.ring.present(k.me.Principal()) == nil {
		err = t.rotate(rand)
	}
	if err != nil {
		return nil, fmt.Errorf("revoke %s: %w", d, err)
	}
	return t.made, nil
}

// Rotate makes a new epoch, whatever the present one is.
func (k *Keys) Rotate(rand io.Reader, now time.Time) ([]Statement, error) {
	t := k.draft(now)
	if err := t.rotate(rand); err != nil {
		return nil, fmt.Errorf("make an epoch: %w", err)
	}
	return t.made, nil
}

// Maintain returns what is to be put before this device may seal: shares for members
// who lack an epoch key that it has, and a new epoch if none is current. Mostly none.
func (k *Keys) Maintain(rand io.Reader, now time.Time) ([]Statement, error) {
	t := k.draft(now)
	err := t.share()
	if err == nil {
		after := Keys{ring: t.ring, me: k.me, epochs: t.epochs}
		if _, _, ok := after.Current(); !ok {
			err = t.rotate(rand)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("maintain keys: %w", err)
	}
	return t.made, nil
}

// NewRecovery replaces all recovery words with new ones: their seed, a statement of
// their keys, shares of every earlier epoch key, a new epoch. A passphrase slot ends with its words.
func (k *Keys) NewRecovery(rand io.Reader, now time.Time) (Seed, []Statement, error) {
	return k.newRecovery(rand, now, nil, KDF{})
}

// SetPassphrase sets or changes the passphrase. No device keeps the seed, so there are
// new recovery words too, to be shown. Code: Weak.
func (k *Keys) SetPassphrase(rand io.Reader, now time.Time, passphrase Secret, cost KDF) (Seed, []Statement, error) {
	return k.newRecovery(rand, now, passphrase, cost)
}

func (k *Keys) newRecovery(rand io.Reader, now time.Time, passphrase Secret, cost KDF) (Seed, []Statement, error) {
	t := k.draft(now)
	seed := NewSeed(rand)
	rec := seed.Recovery()
	var old []item.Hash
	for id, r := range k.ring.recovery {
		if !r.replaced {
			old = append(old, id)
		}
	}
	err := t.sign(body{Kind: KindWords, Words: &wordsBody{rec.Public(), sorted(old)}}, rec)
	// The old words, if it is they who sign, can go on to share what they hold.
	if k.me.Principal().IsRecovery() {
		t.me = rec
	}
	if err == nil {
		err = t.share()
	}
	if err == nil {
		err = t.rotate(rand)
	}
	if err == nil && passphrase != nil {
		err = t.slot(rand, seed, passphrase, cost)
	}
	if err != nil {
		return Seed{}, nil, fmt.Errorf("change the recovery words: %w", err)
	}
	return seed, t.made, nil
}

// RequireVersions asks that nobody writes who is older than the versions given, by
// what they are of. It can't be taken back.
func (k *Keys) RequireVersions(now time.Time, least map[string]uint64) ([]Statement, error) {
	t := k.draft(now)
	if err := t.say(body{Kind: KindLeast, Least: &leastBody{least}}); err != nil {
		return nil, fmt.Errorf("require versions: %w", err)
	}
	return t.made, nil
}

// A draft makes statements, each having seen the one before.
type draft struct {
	ring   *Ring // with what was made
	me     Holder
	now    time.Time
	epochs map[item.Hash]seal.Key
	made   []Statement
}

func (k *Keys) draft(now time.Time) *draft {
	epochs := maps.Clone(k.old)
	maps.Copy(epochs, k.epochs)
	return &draft{ring: k.ring, me: k.me, now: now, epochs: epochs}
}

// say makes a statement, and is certain that it counts.
func (t *draft) say(b body) error { return t.sign(b, nil) }

func (t *draft) sign(b body, introduced *Recovery) error {
	b.Format, b.Vault, b.Author = format, t.ring.vault, t.me.Principal()
	b.Time = t.now.Unix()
	if b.Seen == nil {
		b.Seen = t.ring.Frontier()
	}
	s := newStatement(t.me, b, introduced)
	ring, err := t.ring.with([]Statement{s})
	if err != nil {
		return err
	}
	t.ring, t.made = ring, append(t.made, s)
	return nil
}

// rotate makes an epoch key.
func (t *draft) rotate(rand io.Reader) error { return t.epoch(seal.NewKey(rand)) }

// epoch shares a new key with everybody whom it is for.
func (t *draft) epoch(key seal.Key) error {
	var shares []share
	for _, p := range t.ring.recipients() {
		s, err := newShare(t.ring.vault, key, p, t.ring.public(p))
		if err != nil {
			return err
		}
		shares = append(shares, s)
	}
	if len(shares) > maxShares {
		return fmt.Errorf("%d members: more than %d", len(shares), maxShares)
	}
	t.epochs[EpochID(key)] = key
	return t.say(body{Kind: KindWrap, Wrap: &wrapBody{shares}})
}

// share gives everybody every epoch key that they lack and that is at hand.
func (t *draft) share() error {
	var shares []share
	for _, id := range sorted(slices.Collect(maps.Keys(t.epochs))) {
		for _, p := range t.ring.recipients() {
			if e := t.ring.epochs[id]; e != nil && e.to[p] {
				continue
			}
			s, err := newShare(t.ring.vault, t.epochs[id], p, t.ring.public(p))
			if err != nil {
				return err
			}
			shares = append(shares, s)
		}
	}
	for some := range slices.Chunk(shares, maxShares) {
		if err := t.say(body{Kind: KindWrap, Wrap: &wrapBody{some}}); err != nil {
			return err
		}
	}
	return nil
}
