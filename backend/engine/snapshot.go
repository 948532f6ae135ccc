package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/localdb"
	"plait/backend/state"
	"plait/backend/store"
)

// snapRow is what this device found of a snapshot that another one wrote.
type snapRow struct {
	Good bool `cbor:"1,keyasint"`
}

const rowSnap = "y/" // hash: a snapshot that this device checked

// snapshotDue seals a snapshot if one is due: nil if not.
func (e *Engine) snapshotDue(c *cursor, sealer journal.Sealer) (*journal.SnapshotRef, []byte, error) {
	many := e.entryCount()-c.SnapSeq >= e.cfg.sizes.snapshotEntries
	if c.N == 0 || c.Bytes < e.cfg.sizes.snapshotBytes && !many {
		return nil, nil, nil
	}
	if c.Snapshot != nil && c.Bytes < 2*c.Snapshot.Size && !many {
		return nil, nil, nil
	}
	var buf bytes.Buffer
	var tips []journal.Tip
	for _, a := range e.meta.Vector.Authors() {
		h := e.meta.Tips[a]
		if a == e.meta.Me {
			h = e.meta.Chain
		}
		tips = append(tips, journal.Tip{Author: a, Seq: e.meta.Vector[a].Seq, Hash: h})
	}
	w, err := sealer.Snapshot(&buf, journal.SnapshotInfo{Author: e.meta.Me, N: c.N + 1, Time: e.now(), Tips: tips})
	if err != nil {
		return nil, nil, err
	}
	names, err := e.Items()
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		it, err := e.item(n)
		if err != nil {
			return nil, nil, err
		}
		if err := w.Item(n, it.Marshal(), holdsSecret(it)); err != nil {
			return nil, nil, err
		}
	}
	packs, err := e.allPacks()
	if err != nil {
		return nil, nil, err
	}
	for _, p := range packs {
		if err := w.Pack(p); err != nil {
			return nil, nil, err
		}
	}
	ref, err := w.Close()
	if err != nil {
		return nil, nil, err
	}
	return &ref, buf.Bytes(), nil
}

func (e *Engine) allPacks() ([]item.Pack, error) {
	var ps []item.Pack
	return ps, e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowPack, func(k string, b []byte) error {
			var p item.Pack
			if err := decMode.Unmarshal(b, &p); err != nil {
				return fmt.Errorf("row %s: %w", k, err)
			}
			ps = append(ps, p)
			return nil
		})
	})
}

// A loaded snapshot.
type loaded struct {
	info   journal.SnapshotInfo
	vector item.Vector
	items  map[item.Name]*state.Item
	packs  []item.Pack
}

// readSnapshot fetches and opens a snapshot. Bad is about the object, err about the store.
func (e *Engine) readSnapshot(ctx context.Context, ref journal.SnapshotRef) (*loaded, *Bad, error) {
	name := store.HashName(store.Snapshots, ref.Name)
	bad := func(code string, err error) (*loaded, *Bad, error) {
		return nil, &Bad{Code: code, Object: name, Device: ref.Author.Device, Err: err}, nil
	}
	obj, missing, err := e.get(ctx, name, ref.Author.Device)
	if missing != nil || err != nil {
		return nil, missing, err
	}
	r, err := e.openVault().Snapshot(bytes.NewReader(obj), ref)
	if err != nil {
		return bad(openCode(err), err)
	}
	l := &loaded{info: r.Info, vector: r.Info.Vector(), items: map[item.Name]*state.Item{}}
	for {
		si, pk, err := r.Next()
		if errors.Is(err, io.EOF) {
			return l, nil, nil
		}
		if err != nil {
			return bad(openCode(err), err)
		}
		switch {
		case si != nil:
			it, err := state.Unmarshal(si.State)
			if err != nil {
				return bad("changed", err)
			}
			l.items[si.Name] = it
		case pk != nil:
			l.packs = append(l.packs, *pk)
		}
	}
}

// joinSnapshot lets a newcomer start from a whole state instead of from everybody's
// first entry. Snapshots that others countersigned are preferred, then what covers most.
func (e *Engine) joinSnapshot(ctx context.Context, heads []*fetched, p *pulled) error {
	for a := range e.meta.Vector {
		if a != e.meta.Me {
			return nil
		}
	}
	signed := map[item.Hash]int{}
	trusted := map[item.Hash]bool{}
	var refs []journal.SnapshotRef
	for _, f := range heads {
		if f.head == nil || e.voided(f.head.Author, f.head.Seq) {
			continue
		}
		for _, h := range f.head.Countersigned {
			signed[h]++
			trusted[h] = trusted[h] || e.trusted(f.head.Author.Device)
		}
		if s := f.head.Snapshot; s != nil {
			refs = append(refs, *s)
			trusted[s.Name] = trusted[s.Name] || e.trusted(f.head.Author.Device)
		}
	}
	// A snapshot says of every value who wrote it, and what may run here hangs on
	// that. The word of one that may not change what runs is not enough: then the
	// journals are read from their beginning, in which everybody signed for themselves.
	refs = slices.DeleteFunc(refs, func(r journal.SnapshotRef) bool { return checkSnapFrom.fails(!trusted[r.Name]) })
	slices.SortFunc(refs, func(a, b journal.SnapshotRef) int {
		if d := signed[b.Name] - signed[a.Name]; d != 0 {
			return d
		}
		if a.Size != b.Size {
			return int(b.Size - a.Size)
		}
		return slices.Compare(a.Name[:], b.Name[:])
	})
	for _, ref := range refs {
		l, bad, err := e.readSnapshot(ctx, ref)
		if err != nil {
			return err
		}
		if bad != nil {
			p.bad = append(p.bad, bad)
			continue
		}
		if a, ahead := aheadOf(l.vector, heads); checkSnapAhead.fails(ahead) {
			p.bad = append(p.bad, &Bad{Code: "incomplete", Object: store.HashName(store.Snapshots, ref.Name), Device: a.Device,
				Detail: fmt.Sprintf("a snapshot covers entry %d of it, and its own head does not", l.vector[a].Seq)})
			continue
		}
		return e.adoptSnapshot(l, p)
	}
	return nil
}

// aheadOf says whether a vector covers more of a journal than the journal's own head
// shows: then what is wrong is the snapshot, or the head is held back.
func aheadOf(v item.Vector, heads []*fetched) (item.Author, bool) {
	for _, f := range heads {
		if f.head == nil {
			continue
		}
		if a := f.head.Author; v[a].Seq > f.head.Seq || v[a].Seq == f.head.Seq && f.head.Seq > 0 && v[a].Hash != f.head.Hash.Short() {
			return a, true
		}
	}
	return item.Author{}, false
}

func (e *Engine) adoptSnapshot(l *loaded, p *pulled) error {
	m := e.meta
	m.Vector, m.Tips = m.Vector.Clone(), cloneTips(m.Tips)
	touched := map[item.Name]bool{}
	for n, theirs := range l.items {
		ours, err := e.item(n)
		if err != nil {
			return e.undo(err)
		}
		e.items[n] = state.Join(ours, theirs, e.meta.Vector, l.vector)
		touched[n] = true
		if n.Type() != item.Policy {
			p.items[n.Shared()] = true
		}
	}
	m.Vector.Join(l.vector)
	m.Floor = l.vector
	for _, t := range l.info.Tips {
		if t.Author != m.Me {
			m.Tips[t.Author] = t.Hash
		}
	}
	if e.packs != nil {
		for _, pk := range l.packs {
			e.packs.add(pk)
		}
	}
	e.policyTouched(touched)
	err := e.commit(func(tx localdb.Tx) error {
		for _, pk := range l.packs {
			if err := setCBOR(tx, rowPack+pk.Name.String(), pk); err != nil {
				return err
			}
		}
		if err := e.putItems(tx, touched, true); err != nil {
			return err
		}
		return setCBOR(tx, rowMeta, m)
	})
	if err == nil {
		e.meta = m
	}
	return err
}

// checkSnapshots checks snapshots of others that are covered by what is applied
// here, so that this device's next head can countersign them: a snapshot is one
// device's word until others agree.
func (e *Engine) checkSnapshots(ctx context.Context, heads []*fetched, p *pulled) error {
	for _, f := range heads {
		if f.head == nil || f.head.Snapshot == nil {
			continue
		}
		ref := *f.head.Snapshot
		row := rowSnap + ref.Name.String()
		known := false
		if err := e.db.View(func(tx localdb.Tx) error {
			_, ok, err := tx.Get(row)
			known = ok
			return err
		}); err != nil || known {
			if err != nil {
				return err
			}
			continue
		}
		l, bad, err := e.readSnapshot(ctx, ref)
		if err != nil {
			return err
		}
		if bad != nil {
			p.bad = append(p.bad, bad)
			continue
		}
		if !e.meta.Vector.Dominates(l.vector) {
			continue
		}
		why := e.disagrees(l)
		if why == cantTell {
			continue
		}
		if checkSnapSame.fails(why != "") {
			p.bad = append(p.bad, &Bad{Code: "changed", Object: store.HashName(store.Snapshots, ref.Name), Device: ref.Author.Device,
				Detail: "the snapshot is not what the journals say: " + why})
		}
		if err := e.commit(func(tx localdb.Tx) error { return setCBOR(tx, row, snapRow{Good: !checkSnapSame.fails(why != "")}) }); err != nil {
			return err
		}
	}
	return nil
}

// disagrees says how a snapshot differs from what the journals made here: it must
// hold every write that is live here and that its vector covers (save tombstones
// that were collected), and no other but such as were replaced after that vector.
func (e *Engine) disagrees(l *loaded) string {
	names, err := e.Items()
	if err != nil {
		return err.Error()
	}
	for _, n := range names {
		ours, err := e.item(n)
		if err != nil {
			return err.Error()
		}
		theirs := l.items[n]
		for _, k := range ours.Keys() {
			for _, s := range ours.Atoms[k].Live {
				if !l.vector.Covers(s.Dot) || s.Value.Kind == item.Absent {
					continue
				}
				if theirs == nil || theirs.Atoms[k] == nil {
					return fmt.Sprintf("%s lacks a write", n)
				}
				t, ok := theirs.Atoms[k].Find(s.Dot)
				if !ok || !t.Value.Same(s.Value) {
					return fmt.Sprintf("%s has another value than was written", n)
				}
			}
		}
		if theirs == nil {
			continue
		}
		for _, k := range theirs.Keys() {
			for _, s := range theirs.Atoms[k].Live {
				if !l.vector.Covers(s.Dot) {
					return fmt.Sprintf("%s has a write beyond the snapshot's own vector", n)
				}
				a := ours.Atoms[k]
				if a == nil {
					if s.Value.Kind == item.Absent {
						continue
					}
					return fmt.Sprintf("%s has a write that nobody made", n)
				}
				o, ok := a.Find(s.Dot)
				if !ok {
					// Replaced so long ago that state has forgotten it; the journal has not.
					switch made, known := e.wrote(s.Dot, n, k, s.Value); {
					case !known:
						return cantTell
					case !made:
						return fmt.Sprintf("%s has a write that nobody made", n)
					}
				}
				if ok && !o.Value.Same(s.Value) {
					return fmt.Sprintf("%s has another value than was written", n)
				}
				if ok && len(o.ReplacedBy) > 0 && slices.ContainsFunc(o.ReplacedBy, l.vector.Covers) {
					return fmt.Sprintf("%s brings back a value that was replaced", n)
				}
			}
		}
	}
	for n := range l.items {
		if !slices.Contains(names, n) && len(l.items[n].Atoms) > 0 {
			return fmt.Sprintf("%s was never written", n)
		}
	}
	return ""
}

// cantTell is disagrees' answer where what would tell came in a snapshot itself.
const cantTell = "can't tell"

// wrote says whether an entry wrote that value there; known: its journal is here.
func (e *Engine) wrote(d item.Dot, n item.Name, k item.Key, v item.Value) (made, known bool) {
	if e.meta.Floor.Covers(d) {
		return false, false
	}
	w, _ := e.recorded(n, k, d)
	return w != nil && w.Value.Same(v), e.past != nil
}

// countersigned are the snapshots of others that this device found right.
func (e *Engine) countersigned() ([]item.Hash, error) {
	var good []item.Hash
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowSnap, func(k string, b []byte) error {
			var r snapRow
			if err := decMode.Unmarshal(b, &r); err != nil {
				return fmt.Errorf("row %s: %w", k, err)
			}
			h, err := parseHash(k[len(rowSnap):])
			if err != nil || !r.Good {
				return err
			}
			for _, o := range e.heads {
				if o.Snapshot != nil && *o.Snapshot == h {
					good = append(good, h)
					break
				}
			}
			return nil
		})
	})
	return good, err
}

// holdsSecret says whether an item's state holds something that is likely secret:
// such states are compressed with nothing.
func holdsSecret(it *state.Item) bool {
	for k, a := range it.Atoms {
		for _, list := range [][]state.Sibling{a.Live, a.Past} {
			for _, s := range list {
				if item.LikelySecret(k.Segments(), s.Value.Data) {
					return true
				}
			}
		}
	}
	return false
}
