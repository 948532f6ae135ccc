package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/localdb"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// cursor is what this device has sent to one store, under its present incarnation.
type cursor struct {
	Seq      uint64               `cbor:"1,keyasint"` // entries up to here are covered by our head there
	SegSeq   uint64               `cbor:"2,keyasint"` // entries up to here are in segments
	N        uint64               `cbor:"3,keyasint"` // number of our newest head
	Head     string               `cbor:"4,keyasint"` // its name
	Old      []string             `cbor:"5,keyasint"` // earlier heads that are still there, oldest first
	Segments []journal.Ref        `cbor:"6,keyasint"` // newest first, at most sizes.refs
	Snapshot *journal.SnapshotRef `cbor:"7,keyasint"`
	SnapSeq  int                  `cbor:"8,keyasint"` // entries of all authors covered by it
	Bytes    int64                `cbor:"9,keyasint"` // of segments since the snapshot
	Time     time.Time            `cbor:"10,keyasint"`
	Covered  item.Vector          `cbor:"11,keyasint"` // what the head says we applied
	Signed   []item.Hash          `cbor:"12,keyasint"` // snapshots that it countersigns
}

// outbox is a push that was sealed and not yet confirmed: it is sent again as it is.
type outbox struct {
	Names []string    `cbor:"1,keyasint"`           // in the order of sending; bytes under rowOut
	Next  cursor      `cbor:"2,keyasint"`           // in force once all are sent
	Keys  []item.Hash `cbor:"3,keyasint,omitempty"` // statements of ours that its head is the first to name
	Items int         `cbor:"4,keyasint,omitempty"` // how many items its entries are about
}

const (
	keepHeads  = 2              // that stay when earlier ones are deleted
	renewAfter = 24 * time.Hour // a head that only covers more is renewed at most so often
)

func (e *Engine) loadCursor() (cursor, *outbox, error) {
	var c cursor
	var o outbox
	var pending bool
	err := e.db.View(func(tx localdb.Tx) (err error) {
		if _, err = getCBOR(tx, rowCursor+e.cfg.StoreID, &c); err != nil {
			return err
		}
		pending, err = getCBOR(tx, rowOut+e.cfg.StoreID, &o)
		return err
	})
	if err != nil || !pending {
		return c, nil, err
	}
	return c, &o, nil
}

// own says whether the store's newest head of this device is the one that it wrote
// last (E6). rolled: the store has lost it.
func (e *Engine) own(l *listing) (mine, rolled bool, err error) {
	c, o, err := e.loadCursor()
	if err != nil {
		return false, false, err
	}
	names := l.heads[e.meta.Me]
	if len(names) == 0 {
		return true, c.N > 0, nil
	}
	top := names[0].String()
	switch {
	case top == c.Head:
		return true, false, nil
	case o != nil && slices.Contains(o.Names, top):
		return true, false, nil
	case names[0].N < c.N:
		return true, true, nil
	}
	return false, false, nil
}

// push sends what the store lacks of this device's, in the order of E4. sent is how many
// items the entries were about.
func (e *Engine) push(ctx context.Context) (sent int, err error) {
	c, o, err := e.loadCursor()
	if err != nil {
		return 0, err
	}
	if o != nil {
		if err := e.send(ctx, o); err != nil {
			return 0, err
		}
		sent += o.Items
		c = o.Next
	}
	if err := e.pushPacks(ctx); err != nil {
		return sent, err
	}
	// What the keys need comes before the head, which names it. Somebody may lack a
	// key that this device has, also when it has nothing to say.
	if e.ringMoved || e.headDue(&c) {
		if _, _, err := e.epoch(); err != nil {
			return sent, err
		}
		e.ringMoved = false
	}
	if !e.headDue(&c) {
		return sent, nil
	}
	keys, err := e.pushKeys(ctx)
	if err != nil {
		return sent, err
	}
	o, err = e.sealPush(ctx, c, keys)
	if err != nil {
		return sent, err
	}
	if err := e.send(ctx, o); err != nil {
		return sent, err
	}
	return sent + o.Items, e.dropOldHeads(ctx, o.Next)
}

// headDue says whether there is reason for a new head: entries, new statements, or a day
// in which we covered more than our head says. Renewals call for none: devices do not chatter.
func (e *Engine) headDue(c *cursor) bool {
	if e.meta.Seq > c.Seq || c.N == 0 {
		return true
	}
	if out, err := e.keysOut(); err != nil || len(out) > 0 {
		return true // a head has to name them
	}
	return e.cfg.Clock().Sub(c.Time) >= renewAfter && !sameCover(c.Covered, e.meta.Vector)
}

func sameCover(a, b item.Vector) bool {
	for x, t := range b {
		if a[x].Seq != t.Seq {
			return false
		}
	}
	return true
}

// cleanSpool deletes, once, what a crash left in the spool that no entry names.
func (e *Engine) cleanSpool() error {
	if e.spoolClean {
		return nil
	}
	keep := map[item.Hash]bool{}
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowPackOut, func(k string, _ []byte) error {
			h, err := parseHash(k[len(rowPackOut):])
			keep[h] = true
			return err
		})
	})
	if err != nil {
		return err
	}
	if err := e.cfg.Spool.Clean(keep); err != nil {
		return fmt.Errorf("cleaning the spool: %w", err)
	}
	e.spoolClean = true
	return nil
}

// pushPacks sends the packs that wait in the spool, a few at a time.
func (e *Engine) pushPacks(ctx context.Context) error {
	var names []item.Hash
	sizes := map[item.Hash]int64{}
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowPackOut, func(k string, _ []byte) error {
			h, err := parseHash(k[len(rowPackOut):])
			if err != nil {
				return err
			}
			names = append(names, h)
			return nil
		})
	})
	if err != nil || len(names) == 0 {
		return err
	}
	if e.heldBack() {
		return errHeldBack // they may be sealed under a key that somebody lost the right to
	}
	var total, done int64
	if err := e.db.View(func(tx localdb.Tx) error {
		for _, h := range names {
			var p item.Pack
			if _, err := getCBOR(tx, rowPack+h.String(), &p); err != nil {
				return err
			}
			sizes[h] = int64(p.Size)
			total += int64(p.Size)
		}
		return nil
	}); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.cfg.Workers)
	results := make(chan item.Hash, len(names))
	for _, h := range names {
		g.Go(func() error {
			err := e.cfg.Spool.Put(gctx, e.cfg.Store, h)
			if errors.Is(err, fs.ErrNotExist) {
				// Sent in a later life, of which the database knows nothing: a backup
				// of it was put back.
				_, err = e.cfg.Store.GetRange(gctx, packName(h), driver.Range{Size: 1})
			}
			if err != nil {
				return fmt.Errorf("sending %s: %w", packName(h), err)
			}
			results <- h
			return nil
		})
	}
	werr := g.Wait()
	close(results)
	var ok []item.Hash
	for h := range results {
		ok = append(ok, h)
		done += sizes[h]
	}
	e.progress("push", int64(len(ok)), int64(len(names)), done, total)
	slices.SortFunc(ok, func(a, b item.Hash) int { return slices.Compare(a[:], b[:]) })
	if err := e.commit(func(tx localdb.Tx) error {
		for _, h := range ok {
			if err := tx.Delete(rowPackOut + h.String()); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	for _, h := range ok {
		if err := e.cfg.Spool.Remove(h); err != nil {
			return err
		}
	}
	return werr
}

// sealPush seals the entries that the store lacks into a head, or a segment and a
// head, and keeps the sealed bytes with the cursor that they lead to. keys are this
// device's statements that were sent, and that no head of it has named yet.
func (e *Engine) sealPush(ctx context.Context, c cursor, keys []item.Hash) (*outbox, error) {
	sealer, err := e.sealer()
	if err != nil {
		return nil, err
	}
	recs, err := e.ownRecords(c.SegSeq + 1)
	if err != nil {
		return nil, err
	}
	news := recs[min(len(recs), int(c.Seq-c.SegSeq)):]
	next := c
	objects := map[string][]byte{}
	var names []string
	size := 0
	for _, r := range recs {
		size += len(r.Header) + len(r.Payload) + 16
	}
	for size > e.cfg.sizes.inline && len(recs) > 0 {
		n := 0
		weight := 0
		for n < len(recs) && (n == 0 || weight+len(recs[n].Payload) < maxSegment) {
			weight += len(recs[n].Header) + len(recs[n].Payload)
			n++
		}
		seg := &journal.Segment{Records: recs[:n]}
		if len(next.Segments) > 0 {
			prev := next.Segments[0]
			seg.Prev = &prev
		}
		obj, ref, err := sealer.Segment(seg)
		if err != nil {
			return nil, fmt.Errorf("sealing a segment: %w", err)
		}
		name := store.HashName(store.Segments, ref.Name)
		names, objects[name] = append(names, name), obj
		next.Segments = append([]journal.Ref{ref}, next.Segments...)
		if len(next.Segments) > e.cfg.sizes.refs {
			next.Segments = next.Segments[:e.cfg.sizes.refs]
		}
		next.SegSeq = ref.Last
		next.Bytes += int64(len(obj))
		recs, size = recs[n:], 0
		for _, r := range recs {
			size += len(r.Header) + len(r.Payload) + 16
		}
	}
	if snap, obj, err := e.snapshotDue(&next, sealer); err != nil {
		return nil, err
	} else if snap != nil {
		name := store.HashName(store.Snapshots, snap.Name)
		names, objects[name] = append(names, name), obj
		next.Snapshot, next.Bytes, next.SnapSeq = snap, 0, e.entryCount()
	}
	signed, err := e.countersigned()
	if err != nil {
		return nil, err
	}
	vector := e.meta.Vector.Clone()
	delete(vector, e.meta.Me)
	h := &journal.Head{Author: e.meta.Me, N: c.N + 1, Time: e.now(), Seq: e.meta.Seq, Hash: e.meta.Chain, Vector: vector,
		Keys: e.ring.Frontier(), Segments: next.Segments, Snapshot: next.Snapshot, Countersigned: signed, Inline: recs}
	obj, hn, err := sealer.Head(h, e.sign)
	if err != nil {
		return nil, fmt.Errorf("sealing a head: %w", err)
	}
	names, objects[hn.String()] = append(names, hn.String()), obj
	if next.Head != "" {
		next.Old = append(slices.Clone(next.Old), next.Head)
	}
	next.Seq, next.N, next.Head, next.Time = e.meta.Seq, h.N, hn.String(), e.cfg.Clock()
	next.Covered, next.Signed = e.meta.Vector.Clone(), signed
	o := &outbox{Names: names, Next: next, Keys: keys, Items: e.itemsIn(news)}
	m := e.meta
	return o, e.commit(func(tx localdb.Tx) error {
		for _, n := range names {
			if err := tx.Set(rowOut+e.cfg.StoreID+"/"+n, objects[n]); err != nil {
				return err
			}
		}
		if err := setCBOR(tx, rowMeta, m); err != nil {
			return err
		}
		return setCBOR(tx, rowOut+e.cfg.StoreID, o)
	})
}

// maxSegment bounds the entries of one segment, in bytes before sealing.
const maxSegment = 8 << 20

// send puts an outbox's objects, in order, and then moves the cursor.
func (e *Engine) send(ctx context.Context, o *outbox) error {
	for i, n := range o.Names {
		if err := ctx.Err(); err != nil {
			return err
		}
		var obj []byte
		err := e.db.View(func(tx localdb.Tx) error {
			b, ok, err := tx.Get(rowOut + e.cfg.StoreID + "/" + n)
			if err == nil && !ok {
				err = errors.New("spooled object is gone")
			}
			obj = b
			return err
		})
		if err != nil {
			return fmt.Errorf("sending %s: %w", n, err)
		}
		if err := e.cfg.Store.Put(ctx, n, obj); err != nil {
			return fmt.Errorf("sending %s: %w", n, err)
		}
		e.progress("push", int64(i+1), int64(len(o.Names)), 0, 0)
	}
	return e.commit(func(tx localdb.Tx) error {
		for _, n := range o.Names {
			if err := tx.Delete(rowOut + e.cfg.StoreID + "/" + n); err != nil {
				return err
			}
		}
		if err := tx.Delete(rowOut + e.cfg.StoreID); err != nil {
			return err
		}
		for _, h := range o.Keys {
			if err := tx.Delete(rowKeyOut + h.String()); err != nil {
				return err
			}
		}
		return setCBOR(tx, rowCursor+e.cfg.StoreID, o.Next)
	})
}

// dropOldHeads deletes this device's earlier heads, in batches; two stay, so that
// whoever lists while we write finds a whole one.
func (e *Engine) dropOldHeads(ctx context.Context, c cursor) error {
	if len(c.Old) < e.cfg.sizes.heads {
		return nil
	}
	for len(c.Old) > keepHeads-1 {
		if err := e.cfg.Store.Delete(ctx, c.Old[0]); err != nil {
			return nil // it is only in the way; the next batch takes it along
		}
		c.Old = c.Old[1:]
	}
	return e.commit(func(tx localdb.Tx) error { return setCBOR(tx, rowCursor+e.cfg.StoreID, c) })
}

// ownRecords reads this device's entries from seq on.
func (e *Engine) ownRecords(from uint64) ([]journal.Record, error) {
	var recs []journal.Record
	err := e.db.View(func(tx localdb.Tx) error {
		for s := from; s <= e.meta.Seq; s++ {
			var r journal.Record
			ok, err := getCBOR(tx, entryRow(item.Dot{Author: e.meta.Me, Seq: s}), &r)
			if err != nil {
				return err
			}
			if !ok {
				return fmt.Errorf("entry %d of this device is gone from the database", s)
			}
			recs = append(recs, r)
		}
		return nil
	})
	return recs, err
}

// entryCount is how many entries of all journals are applied.
func (e *Engine) entryCount() int {
	n := 0
	for _, t := range e.meta.Vector {
		n += int(t.Seq)
	}
	return n
}

// itemsIn is how many items of a person's some of this device's entries are about. An
// entry whose texts lean on ones that are no longer kept is not counted.
func (e *Engine) itemsIn(recs []journal.Record) int {
	names := map[item.Name]bool{}
	for _, r := range recs {
		en, _, err := journal.Decode(r, e.text)
		if err != nil {
			continue
		}
		for _, w := range en.Writes {
			if w.Item.Type() != item.Policy {
				names[w.Item.Shared()] = true
			}
		}
	}
	return len(names)
}

// Unsent is how many entries the store does not have.
func (e *Engine) Unsent() (int, error) {
	c, _, err := e.loadCursor()
	return int(e.meta.Seq - c.Seq), err
}

// sealer seals under the epoch in force.
func (e *Engine) sealer() (journal.Sealer, error) {
	epoch, key, err := e.epoch()
	return journal.Sealer{Vault: e.meta.Vault, Epoch: epoch, Key: key, Rand: e.cfg.Rand}, err
}

// sign signs a head as this device. message begins with the domain that Sign puts there itself.
func (e *Engine) sign(message []byte) []byte {
	return e.cfg.Keys.Sign("head", bytes.TrimPrefix(message, []byte("plait head 1\x00")))
}
