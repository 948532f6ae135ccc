package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/localdb"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// pulled is what reading the store brought.
type pulled struct {
	items    map[item.Name]bool
	from     map[item.Name]item.Vector // what the authors of entries about an item had seen
	bad      []*Bad
	keysRead bool // statements were listed in this pull
}

// saw notes what the author of an entry about an item had seen, the entry itself too.
func (p *pulled) saw(n item.Name, en *item.Entry) {
	if p.from[n] == nil {
		p.from[n] = item.Vector{}
	}
	p.from[n].Join(en.Deps)
	p.from[n].Join(item.Vector{en.Author: item.Tip{Seq: en.Seq}})
}

// fetched is one author's head as read in this round, with the records that this
// device lacks.
type fetched struct {
	name    journal.HeadName
	head    *journal.Head
	object  []byte
	records []journal.Record
}

// pull reads every head that is new, and applies what it leads to, in causal order (E5).
func (e *Engine) pull(ctx context.Context, l *listing) (*pulled, error) {
	p := &pulled{items: map[item.Name]bool{}, from: map[item.Name]item.Vector{}}
	seen, err := e.loadSeen()
	if err != nil {
		return nil, err
	}
	if bad, err := e.sameVault(ctx, l, seen); err != nil || bad != nil {
		if bad != nil {
			p.bad = append(p.bad, bad)
		}
		return p, err
	}
	var heads []*fetched
	for _, a := range l.authors() {
		if a == e.meta.Me {
			continue
		}
		if err := ctx.Err(); err != nil {
			return p, err
		}
		f, err := e.fetchHead(ctx, a, l.heads[a], seen[a], p)
		if err != nil {
			return p, err
		}
		if f != nil {
			heads = append(heads, f)
		}
	}
	for _, a := range sortedAuthors(seen) {
		if _, ok := l.heads[a]; a != e.meta.Me && checkGone.fails(!ok) {
			p.bad = append(p.bad, &Bad{Code: "rollback", Device: a.Device, Detail: fmt.Sprintf("head %d was seen here, and none is there now", seen[a].N)})
		}
	}
	if err := e.joinSnapshot(ctx, heads, p); err != nil {
		return p, err
	}
	for _, f := range heads {
		if err := e.fetchRecords(ctx, f, p); err != nil {
			return p, err
		}
	}
	if err := e.applyAll(heads, p); err != nil {
		return p, err
	}
	if err := e.settleHeads(heads, p); err != nil {
		return p, err
	}
	err = e.checkSnapshots(ctx, heads, p)
	p.bad = slices.DeleteFunc(p.bad, e.ofRevoked)
	return p, err
}

// sameVault notices a store that holds another vault, or none any more.
func (e *Engine) sameVault(ctx context.Context, l *listing, seen map[item.Author]seenRow) (*Bad, error) {
	known := len(seen) == 0
	for a := range seen {
		if len(l.heads[a]) > 0 {
			known = true
		}
	}
	if known {
		return nil, nil
	}
	return e.vaultThere(ctx)
}

// vaultThere looks whose vault the store holds; nil: this device's.
func (e *Engine) vaultThere(ctx context.Context) (*Bad, error) {
	b, err := e.cfg.Store.Get(ctx, store.VaultFile)
	switch {
	case errors.Is(err, driver.NotFound) && !checkVault.fails(true):
	case errors.Is(err, driver.NotFound):
		return &Bad{Code: "rollback", Object: store.VaultFile, Detail: "the store is empty, though this device has synced with it"}, nil
	case err != nil:
		return nil, err
	case checkVault.fails(vaultID(b) != e.meta.Vault):
		return &Bad{Code: "foreign", Object: store.VaultFile, Detail: "the store holds another vault"}, nil
	}
	return nil, nil
}

// readKeys reads statements, once a pull.
func (e *Engine) readKeys(ctx context.Context, p *pulled) error {
	if p.keysRead {
		return nil
	}
	p.keysRead = true
	bad, err := e.syncKeys(ctx)
	p.bad = append(p.bad, bad...)
	return err
}

// settleHeads notes which heads were taken in whole, and what the heads of others
// say that this store does not show.
func (e *Engine) settleHeads(heads []*fetched, p *pulled) error {
	if len(heads) == 0 {
		return nil
	}
	type claim struct {
		seq uint64
		by  journal.HeadName
	}
	missing := map[item.Author]claim{}
	// What of a revoked device counts hangs on what these say.
	for _, f := range heads {
		if f.head != nil {
			e.heads[f.head.Author] = newHeadRow(f)
		}
	}
	err := e.commit(func(tx localdb.Tx) error {
		for _, f := range heads {
			if f.head == nil {
				continue
			}
			// What of a revoked device counts may yet grow: then its head is read again.
			done := e.meta.Vector[f.head.Author].Seq >= f.head.Seq
			if len(e.ring.Missing(f.head.Keys...)) > 0 {
				done = false
			}
			a := f.head.Author
			for b, t := range f.head.Vector {
				if e.voided(b, t.Seq) {
					continue
				}
				if checkSeen.fails(e.meta.Vector[b].Seq < t.Seq) {
					if t.Seq > missing[b].seq {
						missing[b] = claim{t.Seq, f.name}
					}
					done = false
				}
				same, err := e.sameHistory(tx, b, t)
				if err != nil {
					return err
				}
				if checkSeen.fails(!same) {
					done = false // to be told again each round
					p.bad = append(p.bad, &Bad{Code: "forked", Device: b.Device, Object: f.name.String(),
						Detail: fmt.Sprintf("another device saw another entry %d of it than this one", t.Seq)})
				}
			}
			if checkSeen.fails(len(f.records) > 0 && len(missing) == 0) {
				p.bad = append(p.bad, &Bad{Code: "incomplete", Device: a.Device, Object: f.name.String(),
					Detail: "its entries build on some that the store does not show"})
			}
			if err := setCBOR(tx, rowSeen+e.cfg.StoreID+"/"+a.String(), seenRow{N: f.name.N, Hash: f.name.Hash, Done: done}); err != nil {
				return err
			}
			if err := setCBOR(tx, rowHead+a.String(), newHeadRow(f)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, a := range sortedAuthors(missing) {
		by := missing[a].by
		p.bad = append(p.bad, &Bad{Code: "incomplete", Device: a.Device, Object: by.String(),
			Detail: fmt.Sprintf("%s saw entry %d of it, and the store shows %d", e.DeviceName(by.Author.Device), missing[a].seq, e.meta.Vector[a].Seq)})
	}
	return nil
}
