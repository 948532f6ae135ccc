package engine

import (
	"errors"
	"fmt"
	"slices"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/localdb"
	"plait/backend/state"
)

// A change is what is to become one entry (or several, where one would be too
// large): writes, and the packs that they are first to name.
type change struct {
	action item.Action
	note   string
	writes []item.Write
	packs  []item.Pack
	// also runs in the same transaction, once every write has its dot.
	also func(tx localdb.Tx, dots []item.Dot) error
	// clean says that every replica that holds the items already shows the writes.
	clean bool
}

// record appends to this device's journal, with the state that it makes (E3).
// Nothing is recorded for a change without writes and packs, though also runs.
func (e *Engine) record(c change) ([]item.Dot, error) {
	var records []journal.Record
	touched := map[item.Name]bool{}
	var dots []item.Dot
	b := &batch{}
	m := e.meta
	m.Vector = e.meta.Vector.Clone()
	now := m.Clock
	if len(c.writes)+len(c.packs) > 0 {
		now = e.now()
		m.Clock = e.meta.Clock
	}
	packs := c.packs
	for start := 0; start < len(c.writes) || len(packs) > 0; {
		end, weight := start, 0
		for end < len(c.writes) && end-start < journal.MaxWrites {
			w := journal.Weight(&c.writes[end])
			if end > start && weight+w > maxEntryWeight {
				break
			}
			weight += w
			end++
		}
		deps := m.Vector.Clone()
		delete(deps, m.Me)
		en := &item.Entry{Author: m.Me, Seq: m.Seq + 1, Prev: m.Chain, Time: now, Deps: deps, Action: c.action, Note: c.note,
			Writes: c.writes[start:end], Packs: packs}
		packs = nil
		r, depths, err := e.encode(en)
		if err != nil {
			return nil, e.undo(fmt.Errorf("encoding an entry: %w", err))
		}
		for i, d := range depths {
			if d > 0 {
				e.setDepth(b, en.Writes[i].Item, en.Writes[i].Key, en.Dot(), d)
			}
		}
		records = append(records, r)
		for i := range en.Writes {
			w := &en.Writes[i]
			it, err := e.item(w.Item)
			if err != nil {
				return nil, e.undo(err)
			}
			it.Apply(en, *w)
			touched[w.Item] = true
			dots = append(dots, en.Dot())
		}
		m.Seq, m.Chain = en.Seq, r.Hash
		m.Vector[m.Me] = item.Tip{Seq: en.Seq, Hash: r.Hash.Short()}
		now++
		m.Clock = max(m.Clock, now)
		start = end
	}
	e.policyTouched(touched)
	err := e.commit(func(tx localdb.Tx) error {
		for i, r := range records {
			d := item.Dot{Author: m.Me, Seq: m.Seq - uint64(len(records)-1-i)}
			if err := putRecord(tx, d, r); err != nil {
				return err
			}
		}
		for _, row := range b.rows {
			if err := row(tx); err != nil {
				return err
			}
		}
		for _, p := range c.packs {
			if err := setCBOR(tx, rowPack+p.Name.String(), p); err != nil {
				return err
			}
			if err := tx.Set(rowPackOut+p.Name.String(), nil); err != nil {
				return err
			}
		}
		if err := e.putItems(tx, touched, !c.clean); err != nil {
			return err
		}
		if len(records) > 0 {
			if err := setCBOR(tx, rowMeta, m); err != nil {
				return err
			}
		}
		if c.also != nil {
			return c.also(tx, dots)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	e.meta, e.past = m, nil
	return dots, nil
}

// maxEntryWeight bounds an entry's plain size, so that a reader can bound what it
// unpacks; journal refuses more.
const maxEntryWeight = journal.MaxWeight

// undo drops what was changed in memory after an error before a commit.
func (e *Engine) undo(err error) error { return errors.Join(err, e.load()) }

// encode encodes an entry with texts that its writes replace as dictionaries. Only
// live ones: what was replaced before, others may have forgotten.
func (e *Engine) encode(en *item.Entry) (journal.Record, journal.Depths, error) {
	return journal.Encode(en, func(w *item.Write) (journal.Text, bool) {
		for _, d := range w.Replaces {
			if it, err := e.item(w.Item); err != nil || it.Atoms[w.Key] == nil || !slices.Contains(it.Atoms[w.Key].Dots(), d) {
				continue
			}
			if data, depth, ok := e.text(w.Item, w.Key, d); ok && depth >= 0 {
				return journal.Text{Dot: d, Data: data, Depth: depth}, true
			}
		}
		return journal.Text{}, false
	})
}

// text finds an earlier value of an atom in state, and how many dictionaries deep
// it travels.
func (e *Engine) text(n item.Name, k item.Key, d item.Dot) ([]byte, int, bool) {
	it, err := e.item(n)
	if err != nil {
		return nil, 0, false
	}
	a := it.Atoms[k]
	if a == nil {
		return nil, 0, false
	}
	for _, list := range [][]state.Sibling{a.Live, a.Past} {
		for _, s := range list {
			if s.Dot == d && (s.Value.Kind == item.Text || s.Value.Kind == item.JSON) {
				return s.Value.Data, e.depth(n, k, d), true
			}
		}
	}
	return nil, 0, false
}

// textEver is text, and also finds what state has forgotten and history has not.
func (e *Engine) textEver(n item.Name, k item.Key, d item.Dot) ([]byte, int, bool) {
	if data, depth, ok := e.text(n, k, d); ok {
		return data, depth, ok
	}
	if v, ok := e.Wrote(n, k, d); ok && len(v.Data) > 0 {
		return v.Data, e.depth(n, k, d), true
	}
	return nil, 0, false
}

func putRecord(tx localdb.Tx, d item.Dot, r journal.Record) error {
	return setCBOR(tx, entryRow(d), r)
}

// putItems writes the states of items that were touched, marks what of them is in
// conflict, and, if dirty, that replicas may lag behind.
func (e *Engine) putItems(tx localdb.Tx, touched map[item.Name]bool, dirty bool) error {
	for _, n := range sortedNames(touched) {
		it, err := e.item(n)
		if err != nil {
			return err
		}
		if crowded(it, e.cfg.sizes.past) {
			it.Prune(e.seenByAll)
		}
		if err := tx.Set(rowState+string(n), it.Marshal()); err != nil {
			return err
		}
		if err := e.markOpen(tx, n, it); err != nil {
			return err
		}
		if n == StrategyItem {
			if err := tx.Set(rowMoved, nil); err != nil {
				return err
			}
		}
		if n.Type() == item.Policy {
			continue
		}
		// An edit may leave other siblings, with which what is shown is a merge of theirs
		// and the disk's.
		if dirty || e.sharedHere(n) || divided(it) {
			if err := tx.Set(rowDirty+string(n.Shared()), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// divided says whether an atom has several siblings.
func divided(it *state.Item) bool {
	for _, a := range it.Atoms {
		if len(a.Live) > 1 {
			return true
		}
	}
	return false
}

// crowded says whether an item keeps so many replaced writes that it is worth dropping
// those that every live device has seen. They are few and small, and serve as bases
// for edits of a replica whose disk lags behind what its device has seen: so they
// are kept while they are no burden.
func crowded(it *state.Item, most int) bool {
	past, live := 0, 0
	for _, a := range it.Atoms {
		past, live = past+len(a.Past), live+len(a.Live)
	}
	return past > most+live
}

// sharedHere says whether more than one replica on this device holds the item.
func (e *Engine) sharedHere(n item.Name) bool {
	c, count := n.Collection(), 0
	for _, r := range e.reps {
		if r.src.Collection() == c {
			count++
		}
	}
	return count > 1
}

// markOpen keeps the list of items with open conflicts.
func (e *Engine) markOpen(tx localdb.Tx, n item.Name, it *state.Item) error {
	shown, err := e.view(n, it)
	if err != nil {
		return err
	}
	for _, s := range shown {
		if s.Conflict != nil {
			return tx.Set(rowOpen+string(n), nil)
		}
	}
	return tx.Delete(rowOpen + string(n))
}

// recordObserved records what was observed, and moves the bases of what was read.
func (e *Engine) recordObserved(o *observed, packs []item.Pack) (int, error) {
	moved := o.looks[:0:0]
	for _, l := range o.looks {
		if l.moved {
			moved = append(moved, l)
		}
	}
	if len(moved) == 0 && len(o.writes) == 0 && len(packs) == 0 {
		return 0, nil
	}
	dirty := map[item.Name]bool{}
	remasked := map[item.Name]bool{}
	for _, l := range moved {
		remasked[l.item] = remasked[l.item] || l.remask
		// A first contact may have found values here or there only: the replica
		// is looked at again once the state holds both.
		if !l.had || l.remask {
			dirty[l.item] = true
		}
	}
	_, err := e.record(change{action: item.Edit, writes: o.writes, packs: packs, clean: true, also: func(tx localdb.Tx, dots []item.Dot) error {
		i := 0
		for _, l := range o.looks {
			// A look's writes may have been split over entries.
			dot := item.Dot{}
			basis := l.basis.Put(l.seen.Adopt)
			for _, w := range l.seen.Writes {
				if dots[i] != dot {
					dot = dots[i]
					basis = basis.Put(l.seen.Basis(l.basis, dot))
				}
				if b, ok := basis[w.Key]; ok {
					b.Dots = []item.Dot{dots[i]}
					basis[w.Key] = b
				}
				i++
			}
			l.basis = basis
		}
		if err := putRows(tx, moved...); err != nil {
			return err
		}
		for _, n := range sortedNames(dirty) {
			if it, err := e.item(n); err != nil {
				return err
			} else if remasked[n] || !e.contactDone(n, it, moved) {
				if err := tx.Set(rowDirty+string(n), nil); err != nil {
					return err
				}
			}
		}
		return nil
	}})
	if err != nil {
		return 0, err
	}
	items := map[item.Name]bool{}
	for _, w := range o.writes {
		items[w.Item] = true
	}
	return len(items), nil
}

// contactDone says whether a replica that just met an item holds all that state
// shows of it: the common case of a first sync, where nothing is left to write.
func (e *Engine) contactDone(n item.Name, it *state.Item, looks []*look) bool {
	for _, name := range e.layersOf(n) {
		if name == n {
			continue
		}
		if o, err := e.item(name); err != nil || len(o.Atoms) > 0 {
			return false
		}
	}
	for _, a := range it.Atoms {
		if len(a.Live) != 1 || a.Live[0].Dot.Author != e.meta.Me {
			return false
		}
	}
	count := 0
	for _, r := range e.reps {
		if r.src.Collection() == n.Collection() {
			count++
		}
	}
	return count == 1
}
