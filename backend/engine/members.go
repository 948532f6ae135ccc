package engine

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plait/backend/chunk"
	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/localdb"
	"plait/backend/seal"
	"plait/backend/store"
)

func vaultID(genesis []byte) item.Hash { return keyring.VaultID(genesis) }

func parseHash(s string) (h item.Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("%q is no hash", s)
	}
	copy(h[:], b)
	return h, nil
}

// loadRing adds up what this device knows of the vault's members and keys.
func (e *Engine) loadRing() error {
	var genesis []byte
	known := map[item.Hash][]byte{}
	err := e.db.View(func(tx localdb.Tx) error {
		b, ok, err := tx.Get(rowGenesis)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNoVault
		}
		genesis = b
		return tx.Scan(rowKey, func(k string, b []byte) error {
			h, err := parseHash(k[len(rowKey):])
			known[h] = b
			return err
		})
	})
	if err != nil {
		return err
	}
	ring, rejected, err := keyring.Build(e.meta.Vault, genesis, known)
	if err != nil {
		return err
	}
	for _, r := range rejected {
		e.log.Info("a statement does not count", "name", r.Name.String(), "why", r.Err)
	}
	keys, err := ring.Unlock(e.cfg.Keys)
	if err != nil {
		return err
	}
	names, err := keys.ChunkNames()
	if err != nil {
		return err
	}
	e.ring, e.keys, e.namer = ring, keys, chunk.NewNamer(names)
	e.known, e.ringMoved = known, true
	return nil
}

// genesis is the vault's file, as this device has it.
func (e *Engine) genesis() (genesis []byte, err error) {
	return genesis, e.db.View(func(tx localdb.Tx) error {
		b, ok, err := tx.Get(rowGenesis)
		if err == nil && !ok {
			err = ErrNoVault
		}
		genesis = b
		return err
	})
}

// Ring is the vault's members, as known here.
func (e *Engine) Ring() *keyring.Ring { return e.ring }

// Keys are the epoch keys that this device was given.
func (e *Engine) Keys() *keyring.Keys { return e.keys }

// AddStatements takes in statements that this device made: they are sent before
// the next head, which names them.
func (e *Engine) AddStatements(ss []keyring.Statement) error {
	if len(ss) == 0 {
		return nil
	}
	err := e.commit(func(tx localdb.Tx) error {
		for _, s := range ss {
			if err := tx.Set(rowKey+s.Name.String(), s.Bytes); err != nil {
				return err
			}
			if err := tx.Set(rowKeyOut+s.Name.String(), nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.loadRing()
}

// syncKeys reads the statements that the store has and this device lacks.
func (e *Engine) syncKeys(ctx context.Context) ([]*Bad, error) {
	infos, err := e.cfg.Store.List(ctx, store.Keys)
	if err != nil {
		return nil, err
	}
	var bad []*Bad
	fresh := map[item.Hash][]byte{}
	size := 0
	for _, i := range infos {
		h, err := parseHash(strings.TrimPrefix(i.Name, store.Keys))
		if err != nil || e.known[h] != nil {
			continue
		}
		if len(fresh) >= maxFreshKeys || size >= maxFreshBytes {
			bad = append(bad, &Bad{Code: "changed", Object: i.Name, Detail: "there are more statements than a vault has"})
			break
		}
		b, odd, err := e.get(ctx, i.Name, item.Device{})
		if err != nil {
			return bad, err
		}
		if odd != nil {
			if odd.Code != "incomplete" { // one that is named and not there is told of where it is named
				bad = append(bad, odd)
			}
			continue
		}
		fresh[h] = b
		size += len(b)
	}
	if len(fresh) == 0 {
		return bad, nil
	}
	genesis, err := e.genesis()
	if err != nil {
		return bad, err
	}
	if fresh, err = e.sift(genesis, fresh); err != nil || len(fresh) == 0 {
		return bad, err
	}
	err = e.commit(func(tx localdb.Tx) error {
		for h, b := range fresh {
			if err := tx.Set(rowKey+h.String(), b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return bad, err
	}
	return bad, e.loadRing()
}

// signer is the key that an author's heads must be signed with.
func (e *Engine) signer(a item.Author) (ed25519.PublicKey, bool) {
	m, ok := e.ring.Member(a.Device)
	if !ok {
		m.Keys, ok = e.ring.Former(a.Device)
	}
	return ed25519.PublicKey(m.Keys.Sign), ok
}

func (e *Engine) epochKey(id item.Hash) (seal.Key, bool) {
	k, err := e.keys.Opens(id)
	return k, err == nil
}

// errHeldBack says that statements are named that the store does not show: a
// revocation may be among them, so nothing is sealed until they are here.
var errHeldBack = &Bad{Code: "incomplete", Detail: "statements of the vault's members are named that the store does not show yet; nothing is sent until they are here"}

// epoch is what to seal under: the epoch whose key exactly the live members have.
// If there is none, this device makes one.
func (e *Engine) epoch() (item.Hash, seal.Key, error) {
	if e.heldBack() {
		return item.Hash{}, seal.Key{}, errHeldBack
	}
	ss, err := e.keys.Maintain(e.cfg.Rand, e.cfg.Clock())
	if err != nil {
		return item.Hash{}, seal.Key{}, err
	}
	if err := e.AddStatements(ss); err != nil {
		return item.Hash{}, seal.Key{}, err
	}
	id, key, ok := e.keys.Current()
	if !ok {
		return item.Hash{}, seal.Key{}, errors.New("no epoch whose key exactly the live members have")
	}
	return id, key, nil
}

// heldBack says whether a statement is known to be lacking here.
func (e *Engine) heldBack() bool {
	return checkStatement.fails(e.behind || len(e.ring.Missing(e.namedKeys()...)) > 0)
}

// namedKeys are the statements that the newest heads of live devices name. A revoked
// one's don't count: it could name what is not there, and nobody would ever send again.
func (e *Engine) namedKeys() []item.Hash {
	var names []item.Hash
	for a, h := range e.heads {
		if m, ok := e.ring.Member(a.Device); ok && !m.Revoked {
			names = append(names, h.Keys...)
		}
	}
	return names
}

// pushKeys sends this device's own statements, and returns them. Their rows stay until
// a head names them.
func (e *Engine) pushKeys(ctx context.Context) ([]item.Hash, error) {
	out, err := e.keysOut()
	if err != nil {
		return nil, err
	}
	// Each after what its author had seen: cut in between, what is there stands by itself.
	place := map[item.Hash]int{}
	for i, ev := range e.ring.Events() {
		place[ev.Name] = i - 1<<30 // what has no place goes last
	}
	slices.SortStableFunc(out, func(a, b item.Hash) int { return place[a] - place[b] })
	for _, h := range out {
		name := store.HashName(store.Keys, h)
		if err := e.cfg.Store.Put(ctx, name, e.known[h]); err != nil {
			return nil, fmt.Errorf("sending %s: %w", name, err)
		}
	}
	return out, nil
}

func (e *Engine) keysOut() ([]item.Hash, error) {
	var out []item.Hash
	return out, e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowKeyOut, func(k string, _ []byte) error {
			h, err := parseHash(k[len(rowKeyOut):])
			out = append(out, h)
			return err
		})
	})
}

// limit is how far a journal counts: without end for a live member; for a revoked
// one, as far as its revoker or a live member had seen.
func (e *Engine) limit(a item.Author) (uint64, bool) {
	m, ok := e.ring.Member(a.Device)
	if ok && !m.Revoked {
		return 0, false
	}
	top := m.Limit[a].Seq
	for by, h := range e.heads {
		if o, ok := e.ring.Member(by.Device); ok && !o.Revoked {
			top = max(top, h.Vector[a].Seq)
		}
	}
	return top, true
}

// voided says whether an entry is beyond what counts of a revoked device.
func (e *Engine) voided(a item.Author, seq uint64) bool {
	top, limited := e.limit(a)
	return limited && seq > top
}

// loadHeads reads the newest head of every author.
func (e *Engine) loadHeads() error {
	e.heads = map[item.Author]headRow{}
	return e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowHead, func(k string, b []byte) error {
			a, ok := parseAuthor(k[len(rowHead):])
			if !ok {
				return fmt.Errorf("row %s is damaged", k)
			}
			var h headRow
			if err := decMode.Unmarshal(b, &h); err != nil {
				return fmt.Errorf("row %s: %w", k, err)
			}
			e.heads[a] = h
			return nil
		})
	})
}

// seenByAll says whether every live device has applied the entry, and in each of its
// incarnations: a former one may go on in a copy of the device, of which nobody can tell
// whether it is in use. (So after a copy, or a backup that was put back, what was
// replaced later stays in state until the device is revoked.)
func (e *Engine) seenByAll(d item.Dot) bool {
	for _, m := range e.ring.Live() {
		seen := m.Device == d.Author.Device
		if m.Device == e.meta.Me.Device {
			if !e.meta.Vector.Covers(d) {
				return false
			}
			seen = true
		}
		for a, h := range e.heads {
			if a.Device != m.Device || a == e.meta.Me {
				continue
			}
			if a != d.Author && !h.Vector.Covers(d) {
				return false
			}
			seen = true
		}
		if !seen {
			return false
		}
	}
	return true
}
