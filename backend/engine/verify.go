package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"plait/backend/chunk"
	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/localdb"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// A Check is one thing that was looked at.
type Check struct {
	What   string // chain, head, object, database, file
	Object string
	Device item.Device
	Err    error // nil: in order
	Count  int   // how many entries, objects, … this is about
}

// VerifyLog recomputes every journal's chain from what is kept here, and compares
// its end with the head that its device signed.
func (e *Engine) VerifyLog() ([]Check, error) {
	records, first, err := e.journals()
	if err != nil {
		return nil, err
	}
	var out []Check
	for _, a := range e.meta.Vector.Authors() {
		c := Check{What: "chain", Device: a.Device, Object: a.String(), Count: len(records[a])}
		c.Err = e.verifyChain(a, records[a], first[a])
		out = append(out, c)
	}
	return out, nil
}

func (e *Engine) verifyChain(a item.Author, recs []journal.Record, first uint64) error {
	tip := e.meta.Vector[a]
	want := e.meta.Tips[a]
	if a == e.meta.Me {
		want = e.meta.Chain
	}
	end := journal.Tip{Author: a, Seq: tip.Seq, Hash: want}
	if len(recs) > 0 {
		prev := journal.Tip{Author: a}
		if first > 1 {
			// What came before it came in a snapshot: its hash is in the first record itself.
			h, err := recs[0].Open()
			if err != nil {
				return err
			}
			prev.Seq, prev.Hash = first-1, h.Prev
		}
		got, err := journal.Verify(recs, prev)
		if err != nil {
			return err
		}
		if checkLog.fails(got != end) {
			return fmt.Errorf("it ends at entry %d, and %d were applied", got.Seq, tip.Seq)
		}
	}
	// Nothing may be missing at its beginning but what came in a snapshot, nor all of it.
	missing := len(recs) == 0 && tip.Seq > e.meta.Floor[a].Seq || first > e.meta.Floor[a].Seq+1
	if checkLog.fails(missing) {
		return errors.New("its beginning is missing")
	}
	h, ok := e.heads[a]
	if !ok {
		return nil // this device's own, or only heard of
	}
	name, err := journal.ParseHeadName(h.Name)
	if err != nil {
		return err
	}
	pub, ok := e.signer(a)
	if !ok {
		return errors.New("its device is no member")
	}
	head, err := e.openVault().Head(name, h.Object, pub)
	if err != nil {
		return fmt.Errorf("its signed head: %w", err)
	}
	if e.voided(a, head.Seq) {
		return nil
	}
	if checkLog.fails(head.Seq > tip.Seq) {
		return fmt.Errorf("its signed head ends at entry %d, and %d were applied", head.Seq, tip.Seq)
	}
	if checkLog.fails(head.Seq == tip.Seq && head.Hash != want) {
		return errors.New("its end is not what its device signed")
	}
	for _, r := range recs {
		if hd, err := r.Open(); err == nil && hd.Seq == head.Seq && checkLog.fails(r.Hash != head.Hash) {
			return errors.New("it is not what its device signed")
		}
	}
	return nil
}

// CheckStore reads every object that the newest heads lead to, and every other one
// that is there. found is told of each as it is read.
func (e *Engine) CheckStore(ctx context.Context, found func(Check)) error {
	l, err := e.list(ctx)
	if err != nil {
		return err
	}
	packs, err := e.allPacks()
	if err != nil {
		return err
	}
	named := map[string]item.Device{}
	bad, err := e.vaultThere(ctx)
	if err != nil {
		return err
	}
	found(Check{What: "object", Object: store.VaultFile, Err: asErr(bad), Count: 1})
	for _, a := range l.authors() {
		for _, n := range l.heads[a] {
			f, bad, err := e.readHead(ctx, n)
			if err != nil {
				return err
			}
			if bad != nil {
				found(Check{What: "object", Object: n.String(), Device: a.Device, Err: bad, Count: 1})
				continue
			}
			found(Check{What: "object", Object: n.String(), Device: a.Device, Count: 1})
			if n != l.heads[a][0] {
				continue
			}
			if err := e.checkSegments(ctx, f.head, named, found); err != nil {
				return err
			}
			if s := f.head.Snapshot; s != nil {
				named[store.HashName(store.Snapshots, s.Name)] = a.Device
				_, bad, err := e.readSnapshot(ctx, *s)
				if err != nil {
					return err
				}
				found(Check{What: "object", Object: store.HashName(store.Snapshots, s.Name), Device: a.Device, Err: asErr(bad), Count: 1})
			}
		}
	}
	for _, p := range packs {
		if err := e.checkPack(ctx, p, found); err != nil {
			return err
		}
		named[packName(p.Name)] = item.Device{}
	}
	infos, err := e.cfg.Store.List(ctx, "")
	if err != nil {
		return err
	}
	for _, i := range infos {
		if _, ok := named[i.Name]; ok {
			continue
		}
		if _, ok := store.HashOf(i.Name); !ok {
			continue
		}
		_, err := e.cfg.Store.Get(ctx, i.Name)
		if errors.Is(err, driver.NotFound) {
			continue
		}
		if err != nil && !errors.Is(err, store.Changed) && !errors.Is(err, store.TooLarge) {
			return err
		}
		found(Check{What: "object", Object: i.Name, Err: err, Count: 1})
	}
	return nil
}

func asErr(b *Bad) error {
	if b == nil {
		return nil
	}
	return b
}

func (e *Engine) checkSegments(ctx context.Context, h *journal.Head, named map[string]item.Device, found func(Check)) error {
	refs := slices.Clone(h.Segments)
	for i := 0; i < len(refs); i++ {
		name := store.HashName(store.Segments, refs[i].Name)
		if _, ok := named[name]; ok {
			continue
		}
		named[name] = h.Author.Device
		seg, bad, err := e.segment(ctx, refs[i])
		if err != nil {
			return err
		}
		found(Check{What: "object", Object: name, Device: h.Author.Device, Err: asErr(bad), Count: 1})
		if bad == nil && i == len(refs)-1 && seg.Prev != nil {
			refs = append(refs, *seg.Prev)
		}
	}
	return nil
}

// checkPack reads a whole pack, and opens every chunk in it.
func (e *Engine) checkPack(ctx context.Context, p item.Pack, found func(Check)) error {
	name := packName(p.Name)
	if e.waitsToBeSent(p.Name) {
		return nil
	}
	obj, bad, err := e.get(ctx, name, item.Device{})
	if err != nil {
		return err
	}
	if bad != nil {
		found(Check{What: "object", Object: name, Err: bad.Err, Count: 1})
		return nil
	}
	for _, c := range p.Chunks {
		if uint64(c.Offset)+uint64(c.Size) > uint64(len(obj)) {
			found(Check{What: "object", Object: name, Err: errors.New("a chunk lies beyond its end"), Count: 1})
			return nil
		}
		key, ok := e.epochKey(c.Epoch)
		if !ok {
			found(Check{What: "object", Object: name, Err: errors.New("a chunk is sealed under an unknown epoch"), Count: 1})
			return nil
		}
		if err := chunk.Verify(key, e.meta.Vault, c, obj[c.Offset:c.Offset+c.Size]); err != nil {
			found(Check{What: "object", Object: name, Err: err, Count: 1})
			return nil
		}
	}
	found(Check{What: "object", Object: name, Count: 1})
	return nil
}

func (e *Engine) waitsToBeSent(h item.Hash) bool {
	waits := false
	err := e.db.View(func(tx localdb.Tx) error {
		_, ok, err := tx.Get(rowPackOut + h.String())
		waits = ok
		return err
	})
	return err == nil && waits
}

// LastHeads is when each device's newest known head was made, by its own clock.
func (e *Engine) LastHeads() map[item.Device]time.Time {
	out := map[item.Device]time.Time{}
	for a, h := range e.heads {
		if t := h.Time.Time(); t.After(out[a.Device]) {
			out[a.Device] = t
		}
	}
	return out
}
