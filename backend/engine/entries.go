package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/localdb"
	"plait/backend/state"
	"plait/backend/store"
)

// Entries: brought from the store, verified, and applied in causal order (E5).

// fetchRecords brings the entries between what is applied here and the head.
func (e *Engine) fetchRecords(ctx context.Context, f *fetched, p *pulled) error {
	a := f.head.Author
	tip := e.meta.Vector[a]
	if checkTip.fails(f.head.Seq < tip.Seq || f.head.Seq == tip.Seq && tip.Seq > 0 && f.head.Hash.Short() != tip.Hash) {
		p.bad = append(p.bad, &Bad{Code: "forked", Device: a.Device, Object: f.name.String(), Detail: "it does not go on from what was read of this device before"})
		f.head = nil
		return nil
	}
	recs, bad, err := e.records(ctx, f, tip.Seq+1)
	if err != nil {
		return err
	}
	if bad != nil {
		p.bad = append(p.bad, bad)
		f.head = nil
		return nil
	}
	end, err := journal.Verify(recs, journal.Tip{Author: a, Seq: tip.Seq, Hash: e.meta.Tips[a]})
	if err == nil && checkEnd.fails(end.Seq != f.head.Seq || end.Hash != f.head.Hash) {
		err = errors.New("the entries do not add up to the head")
	}
	if checkChain.fails(err != nil) {
		code := openCode(err)
		if errors.Is(err, journal.ErrForked) {
			code = "forked"
		}
		p.bad = append(p.bad, &Bad{Code: code, Device: a.Device, Object: f.name.String(), Detail: "it does not go on from what was read of this device before", Err: err})
		f.head = nil
		return nil
	}
	f.records = recs
	return nil
}

// records collects an author's records from seq on, out of the head and the
// segments before it.
func (e *Engine) records(ctx context.Context, f *fetched, from uint64) ([]journal.Record, *Bad, error) {
	h := f.head
	if from > h.Seq {
		return nil, nil, nil
	}
	parts := [][]journal.Record{h.Inline}
	have := h.Seq + 1 - uint64(len(h.Inline)) // first sequence in hand
	next := 0
	var prev *journal.Ref
	for have > from {
		var ref journal.Ref
		switch {
		case next < len(h.Segments):
			ref = h.Segments[next]
			next++
		case prev != nil:
			ref = *prev
		default:
			return nil, &Bad{Code: "changed", Object: f.name.String(), Device: h.Author.Device, Detail: fmt.Sprintf("no segment leads to entry %d", have-1)}, nil
		}
		if ref.Author != h.Author || ref.Last+1 != have {
			return nil, &Bad{Code: "changed", Object: f.name.String(), Device: h.Author.Device, Detail: "its segments do not follow each other"}, nil
		}
		seg, bad, err := e.segment(ctx, ref)
		if bad != nil || err != nil {
			return nil, bad, err
		}
		parts = append(parts, seg.Records)
		have, prev = ref.First, seg.Prev
	}
	slices.Reverse(parts)
	all := slices.Concat(parts...)
	return all[from-have:], nil, nil
}

func (e *Engine) segment(ctx context.Context, ref journal.Ref) (*journal.Segment, *Bad, error) {
	name := store.HashName(store.Segments, ref.Name)
	obj, bad, err := e.get(ctx, name, ref.Author.Device)
	if bad != nil && bad.Code == "incomplete" && !checkThere.fails(true) {
		return &journal.Segment{}, nil, nil
	}
	if bad != nil || err != nil {
		return nil, bad, err
	}
	seg, err := e.openVault().Segment(ref, obj)
	if err != nil {
		return nil, &Bad{Code: openCode(err), Object: name, Device: ref.Author.Device, Err: err}, nil
	}
	return seg, nil, nil
}

// applyBatch is how many entries one transaction takes.
const applyBatch = 256

// applyAll applies what was fetched, in causal order; what must wait for something
// that the store does not show yet is left there.
func (e *Engine) applyAll(heads []*fetched, p *pulled) error {
	b := e.newBatch()
	for progress := true; progress; {
		progress = false
		for _, f := range heads {
			for f.head != nil && len(f.records) > 0 {
				ok, err := e.applyOne(b, f, p)
				if err != nil {
					return e.undo(err)
				}
				if !ok {
					break
				}
				f.records = f.records[1:]
				progress = true
				if b.entries >= applyBatch {
					if err := e.commitBatch(b, p); err != nil {
						return err
					}
					b = e.newBatch()
				}
			}
		}
	}
	return e.commitBatch(b, p)
}

// A batch is entries that were applied in memory and are to be committed.
type batch struct {
	meta    meta
	entries int
	rows    []func(localdb.Tx) error
	touched map[item.Name]bool
}

func (e *Engine) newBatch() *batch {
	m := e.meta
	m.Vector, m.Tips = m.Vector.Clone(), cloneTips(m.Tips)
	return &batch{meta: m, touched: map[item.Name]bool{}}
}

// applyOne applies an author's next entry; false if it has to wait.
func (e *Engine) applyOne(b *batch, f *fetched, p *pulled) (bool, error) {
	r := f.records[0]
	hd, err := r.Open()
	if err != nil {
		return false, e.refuse(f, p, "changed", err)
	}
	if checkRevoked.fails(e.voided(hd.Author, hd.Seq)) {
		f.records = nil // what a revoked device went on to write
		return false, nil
	}
	probe := &item.Entry{Author: hd.Author, Seq: hd.Seq, Prev: hd.Prev, Time: hd.Time, Deps: hd.Deps, Action: hd.Action}
	var missing *state.Missing
	switch err := state.CanApply(b.meta.Vector, probe); {
	case err == nil:
	case errors.As(err, &missing):
		if checkCausal.fails(true) {
			return false, nil
		}
	case checkCausal.fails(true):
		return false, e.refuse(f, p, applyCode(err), err)
	}
	en, depths, err := journal.Decode(r, e.textEver)
	if err != nil {
		return false, e.refuse(f, p, openCode(err), err)
	}
	// Now with its writes: what they replace must have been seen, and what they are
	// must be something that state can hold.
	if err := state.CanApply(b.meta.Vector, en); checkSane.fails(err != nil) && checkCausal.fails(true) {
		return false, e.refuse(f, p, applyCode(err), err)
	}
	for i := range en.Writes {
		w := &en.Writes[i]
		it, err := e.item(w.Item)
		if err != nil {
			return false, err
		}
		it.Apply(en, *w)
		b.touched[w.Item] = true
		if w.Item.Type() != item.Policy {
			p.items[w.Item.Shared()] = true
		}
		if w.Key.Lane == item.LaneValue { // orders and layouts follow what was merged
			p.saw(w.Item, en)
		}
		if depths[i] > 0 {
			e.setDepth(b, w.Item, w.Key, en.Dot(), depths[i])
		}
	}
	dot := en.Dot()
	b.rows = append(b.rows, func(tx localdb.Tx) error { return putRecord(tx, dot, r) })
	for _, pk := range en.Packs {
		if e.packs != nil {
			e.packs.add(pk)
		}
		b.rows = append(b.rows, func(tx localdb.Tx) error { return setCBOR(tx, rowPack+pk.Name.String(), pk) })
	}
	e.hear(en.Time)
	b.meta.Clock = e.meta.Clock
	b.meta.Vector[hd.Author] = item.Tip{Seq: hd.Seq, Hash: r.Hash.Short()}
	b.meta.Tips[hd.Author] = r.Hash
	b.entries++
	return true, nil
}

// refuse gives up an author's journal for this round, saying why.
func (e *Engine) refuse(f *fetched, p *pulled, code string, err error) error {
	p.bad = append(p.bad, &Bad{Code: code, Device: f.name.Author.Device, Object: f.name.String(), Err: err})
	f.head, f.records = nil, nil
	return nil
}

func (e *Engine) commitBatch(b *batch, p *pulled) error {
	if b.entries == 0 {
		return nil
	}
	e.policyTouched(b.touched)
	err := e.commit(func(tx localdb.Tx) error {
		for _, row := range b.rows {
			if err := row(tx); err != nil {
				return err
			}
		}
		if err := e.putItems(tx, b.touched, true); err != nil {
			return err
		}
		return setCBOR(tx, rowMeta, b.meta)
	})
	if err == nil {
		e.meta, e.past = b.meta, nil
	}
	return err
}
