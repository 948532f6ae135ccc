package engine

import (
	"slices"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/localdb"
	"plait/backend/plan"
	"plait/backend/state"
)

// newIncarnation makes this device go on under a fresh, random incarnation, because
// a copy of it may write under the present one, or entries that it sent may be
// missing here. Entries that no store has move along, under new dots; those that
// were sent stay what they are, and what else the store has of the old incarnation
// is read like another device's. l, if there is one, tells whether a push whose
// answer was lost arrived.
func (e *Engine) newIncarnation(l *listing) error {
	inc, err := freshIncarnation(e.cfg.Rand)
	if err != nil {
		return err
	}
	c, out, err := e.loadCursor()
	if err != nil {
		return err
	}
	old := e.meta.Me
	sent := c.Seq
	if out != nil && l != nil && l.has(old, out.Next.Head) {
		sent = out.Next.Seq
	}
	unsent, err := e.ownRecords(sent + 1)
	if err != nil {
		return err
	}
	me := item.Author{Device: old.Device, Inc: inc}
	move := func(d item.Dot) item.Dot {
		if d.Author == old && d.Seq > sent {
			return item.Dot{Author: me, Seq: d.Seq - sent}
		}
		return d
	}
	m := e.meta
	m.Me, m.Seq, m.Chain = me, 0, item.Hash{}
	m.Vector, m.Tips = m.Vector.Clone(), cloneTips(m.Tips)
	m.Old = append(slices.Clone(m.Old), old)
	m.Doubt = true
	if sent > 0 {
		prev, err := e.tipAt(old, sent)
		if err != nil {
			return err
		}
		m.Vector[old], m.Tips[old] = item.Tip{Seq: sent, Hash: prev.Short()}, prev
	} else {
		delete(m.Vector, old)
		delete(m.Tips, old)
	}
	b := &batch{}
	var records []journal.Record
	var entries []*item.Entry
	touched := map[item.Name]bool{}
	// Decoded with the state as it is, in which texts still have their old dots.
	for _, r := range unsent {
		en, _, err := journal.Decode(r, e.textEver)
		if err != nil {
			return err
		}
		for i := range en.Writes {
			touched[en.Writes[i].Item] = true
			moved := make([]item.Dot, len(en.Writes[i].Replaces))
			for j, d := range en.Writes[i].Replaces {
				moved[j] = move(d)
			}
			en.Writes[i].Replaces = moved
		}
		entries = append(entries, en)
	}
	for n := range touched {
		it, err := e.item(n)
		if err != nil {
			return e.undo(err)
		}
		renameDots(it, move)
	}
	for _, en := range entries {
		en.Author, en.Seq, en.Prev = me, m.Seq+1, m.Chain
		if sent > 0 {
			en.Deps[old] = m.Vector[old]
		}
		r, depths, err := e.encode(en)
		if err != nil {
			return e.undo(err)
		}
		for i, d := range depths {
			if d > 0 {
				e.setDepth(b, en.Writes[i].Item, en.Writes[i].Key, en.Dot(), d)
			}
		}
		records = append(records, r)
		m.Seq, m.Chain = en.Seq, r.Hash
	}
	if m.Seq > 0 {
		m.Vector[me], m.Tips[me] = item.Tip{Seq: m.Seq, Hash: m.Chain.Short()}, m.Chain
	}
	err = e.commit(func(tx localdb.Tx) error {
		for s := sent + 1; s <= e.meta.Seq; s++ {
			if err := tx.Delete(entryRow(item.Dot{Author: old, Seq: s})); err != nil {
				return err
			}
		}
		for i, r := range records {
			if err := putRecord(tx, item.Dot{Author: me, Seq: uint64(i + 1)}, r); err != nil {
				return err
			}
		}
		for _, row := range b.rows {
			if err := row(tx); err != nil {
				return err
			}
		}
		if out != nil {
			for _, n := range out.Names {
				if err := tx.Delete(rowOut + e.cfg.StoreID + "/" + n); err != nil {
					return err
				}
			}
			if err := tx.Delete(rowOut + e.cfg.StoreID); err != nil {
				return err
			}
		}
		if err := tx.Delete(rowCursor + e.cfg.StoreID); err != nil {
			return err
		}
		if err := e.putItems(tx, touched, true); err != nil {
			return err
		}
		if err := e.renameBases(tx, touched, move); err != nil {
			return err
		}
		return setCBOR(tx, rowMeta, m)
	})
	if err != nil {
		return err
	}
	e.meta, e.past = m, nil
	for _, r := range e.reps {
		r.rows = nil
	}
	return nil
}

// tipAt is the hash of an entry of which the record is here.
func (e *Engine) tipAt(a item.Author, seq uint64) (item.Hash, error) {
	if e.meta.Vector[a].Seq == seq {
		if a == e.meta.Me {
			return e.meta.Chain, nil
		}
		return e.meta.Tips[a], nil
	}
	var r journal.Record
	err := e.db.View(func(tx localdb.Tx) error {
		_, err := getCBOR(tx, entryRow(item.Dot{Author: a, Seq: seq}), &r)
		return err
	})
	return r.Hash, err
}

// renameDots renames dots throughout an item.
func renameDots(it *state.Item, move func(item.Dot) item.Dot) {
	dots := func(in []item.Dot) []item.Dot {
		if in == nil {
			return nil
		}
		out := make([]item.Dot, len(in))
		for i, d := range in {
			out[i] = move(d)
		}
		slices.SortFunc(out, item.Dot.Compare)
		return out
	}
	siblings := func(in []state.Sibling) []state.Sibling {
		out := make([]state.Sibling, len(in))
		for i, s := range in {
			s.Dot, s.Replaces, s.ReplacedBy = move(s.Dot), dots(s.Replaces), dots(s.ReplacedBy)
			out[i] = s
		}
		slices.SortFunc(out, func(a, b state.Sibling) int { return a.Dot.Compare(b.Dot) })
		return out
	}
	for k, a := range it.Atoms {
		it.Atoms[k] = &state.Atom{Live: siblings(a.Live), Past: siblings(a.Past)}
	}
}

// renameBases renames dots in what the replicas are known to have on disk.
func (e *Engine) renameBases(tx localdb.Tx, touched map[item.Name]bool, move func(item.Dot) item.Dot) error {
	names := map[item.Name]bool{}
	for n := range touched {
		names[n.Shared()] = true
	}
	rename := func(raw []byte) ([]byte, error) {
		b, err := decodeBasis(raw)
		if err != nil {
			return nil, err
		}
		out := plan.Basis{}
		for k, a := range b {
			ds := make([]item.Dot, len(a.Dots))
			for i, d := range a.Dots {
				ds[i] = move(d)
			}
			slices.SortFunc(ds, item.Dot.Compare)
			a.Dots = ds
			out[k] = a
		}
		return encodeBasis(out)
	}
	for _, r := range e.reps {
		for _, n := range sortedNames(names) {
			id := r.src.ID() + "/" + string(n)
			if raw, ok, err := tx.Get(rowBasis + id); err != nil {
				return err
			} else if ok {
				b, err := rename(raw)
				if err != nil {
					return err
				}
				if err := tx.Set(rowBasis+id, b); err != nil {
					return err
				}
			}
			if raw, ok, err := tx.Get(rowIntent + id); err != nil {
				return err
			} else if ok {
				in, err := parseIntent(raw)
				if err != nil {
					return err
				}
				if in.basis, err = rename(in.basis); err != nil {
					return err
				}
				if err := tx.Set(rowIntent+id, in.marshal()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func cloneTips(m map[item.Author]item.Hash) map[item.Author]item.Hash {
	c := make(map[item.Author]item.Hash, len(m))
	for a, h := range m {
		c[a] = h
	}
	return c
}
