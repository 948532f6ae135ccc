package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/merge"
	"plait/backend/plan"
)

// errAgain says that a file changed between looking and writing: observe again.
var errAgain = errors.New("file changed meanwhile")

// errOrdered says that a written document has rules side by side that nobody had put in
// order: the order that they came to stand in is to be recorded before anybody else
// makes one of their own, and so in this round.
var errOrdered = fmt.Errorf("rules met: %w", errAgain)

// written is what a pass over the dirty items did.
type written struct {
	applied int // files written or removed
	waiting []Waiting
	bad     []*Bad // content that the store holds changed, or lacks
	offline error  // why content could not be fetched
	again   bool   // something changed meanwhile, or must be recorded: another pass is due
}

// write brings every replica that lags behind to what is shown. One file that
// can't be written stops no other.
func (e *Engine) write(ctx context.Context, types map[item.Type]bool) (*written, error) {
	var dirty []item.Name
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowDirty, func(k string, _ []byte) error {
			dirty = append(dirty, item.Name(k[len(rowDirty):]))
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	w := &written{}
	late, err := e.writeDirtyFiles(ctx, dirty, types, w)
	if err != nil {
		return w, err
	}
	var clean []item.Name
	for i, n := range dirty {
		if err := ctx.Err(); err != nil {
			return w, err
		}
		e.progress("apply", int64(i), int64(len(dirty)), 0, 0)
		if types != nil && !types[n.Type()] {
			continue
		}
		done := !late[n]
		for _, r := range e.reps {
			if r.src.Collection() != n.Collection() || n.Type() == item.Files {
				continue
			}
			if r.caught {
				done = false
				continue
			}
			if err := e.loadRows(r); err != nil {
				return w, err
			}
			applied, err := e.writeOne(r, n)
			if applied && (err == nil || errors.As(err, new(*forged)) || errors.Is(err, errOrdered)) {
				w.applied++
			}
			switch {
			case err == nil:
			case errors.Is(err, errAgain):
				w.again, done = true, false
			case ctx.Err() != nil:
				return w, ctx.Err()
			case errors.Is(err, errStop):
				return w, err
			default:
				w.waiting = append(w.waiting, e.waiting(r, n, e.pathOf(r, n), err))
				done = false
			}
		}
		if done {
			clean = append(clean, n)
		}
	}
	ended := e.writing
	if w.again || e.left || len(w.waiting) > 0 {
		ended = nil // something may still lie beside a file
	}
	if err := e.cfg.FS.Settle(); err != nil {
		ended = nil // nobody would look for what a power cut brings back
	}
	if len(clean)+len(ended) == 0 {
		return w, nil
	}
	err = e.commit(func(tx localdb.Tx) error {
		for id := range ended {
			if err := tx.Delete(rowWriting + id); err != nil {
				return err
			}
		}
		for _, n := range clean {
			if err := tx.Delete(rowDirty + string(n)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && ended != nil {
		e.writing = map[string]bool{}
	}
	return w, err
}

// beginWriting notes that displaced content may lie beside a replica's files from now
// on: without the note, no round has to look for any.
func (e *Engine) beginWriting(tx localdb.Tx, r *replica) error {
	if e.writing[r.src.ID()] {
		return nil
	}
	e.writing[r.src.ID()] = true
	return tx.Set(rowWriting+r.src.ID(), nil)
}

// writeDirtyFiles writes what lags behind of added folders, many at a time.
func (e *Engine) writeDirtyFiles(ctx context.Context, dirty []item.Name, types map[item.Type]bool, w *written) (map[item.Name]bool, error) {
	late := map[item.Name]bool{}
	if types != nil && !types[item.Files] {
		return late, nil
	}
	for _, r := range e.reps {
		var names []item.Name
		for _, n := range dirty {
			if n.Type() == item.Files && n.Collection() == r.src.Collection() {
				names = append(names, n)
			}
		}
		if r.caught {
			for _, n := range names {
				late[n] = true
			}
			continue
		}
		if len(names) == 0 {
			continue
		}
		if err := e.loadRows(r); err != nil {
			return late, err
		}
		l, err := e.writeFiles(ctx, r, names, w)
		for n := range l {
			late[n] = true
		}
		if err != nil {
			return late, err
		}
	}
	return late, nil
}

func (e *Engine) pathOf(r *replica, n item.Name) string {
	p, _, _ := r.src.Locate(n)
	return p
}

// errStop wraps errors of the database: nothing more can be done in this round.
var errStop = errors.New("local database")

func stop(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(errStop, err)
}

// writeOne brings one file to what is shown.
func (e *Engine) writeOne(r *replica, n item.Name) (applied bool, err error) {
	path, ok, err := r.src.Locate(n)
	if err != nil {
		return false, err
	}
	if !ok {
		return false, nil
	}
	row, had := r.rows[n]
	l := &look{rep: r, item: n, path: path, row: row, had: had}
	switch err := e.read(l); {
	case errors.Is(err, fs.ErrNotExist):
		l.atoms = map[item.Key]item.Value{}
	case err != nil:
		return false, err
	}
	if had && (row.present != l.exists || row.hash != l.hash) || !had && l.exists {
		return false, errAgain
	}
	target, layers, err := e.target(l)
	if err != nil {
		return false, err
	}
	if fileGone(target, layers) {
		if !l.exists {
			return false, e.settleRow(l, target)
		}
		return true, e.removeDoc(l, target)
	}
	var out []byte
	var left *forged
	if len(target.Want) > 0 || l.exists {
		if out, left, err = e.layOut(l, &target); err != nil {
			return false, err
		}
	}
	if l.exists && bytes.Equal(out, l.raw) || !l.exists && out == nil {
		err = e.settleRow(l, target)
	} else {
		applied, err = true, e.replaceDoc(l, target, out)
	}
	if err == nil && left != nil {
		err = left
	}
	return applied, err
}

// target says what a file is to hold, without what waits for approval.
func (e *Engine) target(l *look) (plan.Targeted, []plan.Layer, error) {
	basis, err := e.basisOf(l.rep, l.item)
	if err != nil {
		return plan.Targeted{}, nil, stop(err)
	}
	ignore := l.rep.src.Options(l.item, l.raw).Ignore
	l.basis, l.aside = basis.Split(ignore)
	layers, err := e.layers(l.item)
	if err != nil {
		return plan.Targeted{}, nil, stop(err)
	}
	for i := range layers {
		layers[i].Shown = plan.Unmasked(ignore, layers[i].Shown)
	}
	t := plan.Target(l.item.Type(), layers, l.atoms, l.basis)
	keepWhole(l, &t)
	if err := e.holdBack(l, &t, layers); err != nil {
		return t, nil, err
	}
	return t, layers, nil
}

// fileGone says whether an item was removed whole: nothing is wanted, and its
// layout is gone too (a document that is only empty keeps its layout).
func fileGone(t plan.Targeted, layers []plan.Layer) bool {
	if len(t.Conflicts) > 0 || len(layers) == 0 {
		return false
	}
	for k := range t.Want {
		if k.Lane == item.LaneValue {
			return false
		}
	}
	for _, l := range layers {
		for k, s := range l.Shown {
			if (k.Lane == item.LaneSkeleton || k.Lane == item.LaneValue) && s.Value.Kind != item.Absent {
				return false
			}
		}
	}
	return len(layers[len(layers)-1].Item.Atoms) > 0
}

// settleRow moves a basis where the file needs no writing, to what the file holds (E2):
// a comment for which an empty document has no place is not on this disk.
func (e *Engine) settleRow(l *look, t plan.Targeted) error {
	l.basis = asRead(l, t, l.atoms)
	if !l.had && !l.exists && len(t.Basis) == 0 {
		return nil
	}
	l.row.hash, l.row.present, l.row.mask = l.hash, l.exists, l.rep.src.MaskPrint()
	if l.exists {
		l.row.stamp = l.info.Stamp
	}
	l.row.sure = l.exists && l.info.Stamp.Settled(l.read)
	return stop(e.commit(func(tx localdb.Tx) error { return putRows(tx, l) }))
}

// intend records what is about to be written, and keeps the bytes that it takes
// the place of (E1).
func (e *Engine) intend(l *look, basis plan.Basis, out []byte) error {
	raw, err := encodeBasis(basis)
	if err != nil {
		return stop(err)
	}
	in := intent{basis: raw}
	if out != nil {
		in.hash = sha256.Sum256(out)
	}
	b := in.marshal()
	id := l.rep.src.ID() + "/" + string(l.item)
	kept := fmt.Sprintf("%s%s/%016x", rowKept, id, uint64(e.meta.Clock)+1)
	err = e.commit(func(tx localdb.Tx) error {
		if l.exists && l.raw != nil {
			if err := e.keep(tx, rowKept+id+"/", kept, l.raw); err != nil {
				return err
			}
		}
		if err := e.beginWriting(tx, l.rep); err != nil {
			return err
		}
		return tx.Set(rowIntent+id, b)
	})
	if err != nil {
		return stop(err)
	}
	l.rep.intents[l.item] = b
	return nil
}

// maxKept is how many overwritten versions of a document's exact bytes are kept
// here; what it said stays in history for good.
const maxKept = 20

func (e *Engine) keep(tx localdb.Tx, prefix, key string, raw []byte) error {
	var old []string
	var last []byte
	if err := tx.Scan(prefix, func(k string, b []byte) error { old, last = append(old, k), b; return nil }); err != nil {
		return err
	}
	if last != nil && bytes.Equal(last, raw) {
		return nil
	}
	for len(old) >= maxKept {
		if err := tx.Delete(old[0]); err != nil {
			return err
		}
		old = old[1:]
	}
	if len(old) > 0 && key <= old[len(old)-1] {
		key = old[len(old)-1] + "+"
	}
	return tx.Set(key, raw)
}

func expectation(l *look) disk.Expect {
	if !l.exists {
		return disk.Expect{Absent: true}
	}
	return disk.Expect{Stamp: l.info.Stamp}
}

// asRead is a document's basis once Plait wrote it and it reads as atoms. What was there
// before and did not come out is not there, which is no edit of anybody's (E2): a comment
// whose place is gone.
func asRead(l *look, t plan.Targeted, atoms map[item.Key]item.Value) plan.Basis {
	basis := t.ReadBack(l.item.Type(), l.basis, atoms)
	for k, b := range basis {
		if _, on := atoms[k]; !on && b.Value.Kind != item.Absent {
			b.Value = item.Value{}
			basis[k] = b
		}
	}
	return basis
}

// replaceDoc writes a document.
func (e *Engine) replaceDoc(l *look, t plan.Targeted, out []byte) error {
	doc, err := merge.Atomize(l.item.Type(), out, l.rep.src.Options(l.item, l.raw))
	if err != nil {
		return fmt.Errorf("reading %s back: %w", l.path, err)
	}
	basis := asRead(l, t, doc.Atoms)
	if err := e.intend(l, basis, out); err != nil {
		return err
	}
	sw, err := e.cfg.FS.Replace(l.path, bytes.NewReader(out), 0o644, expectation(l))
	if errors.Is(err, disk.ErrChanged) {
		return errAgain
	}
	if err != nil {
		return err
	}
	if same, err := e.takeAside(l, sw); err != nil || !same {
		return cmpErr(err, errAgain)
	}
	if err := e.moveBasis(l, basis, out, sw.After); err != nil {
		return err
	}
	if err := e.discard(sw); err != nil || !ordered(l, basis, doc.Atoms) {
		return err
	}
	return errOrdered
}

// ordered says whether keybindings came to stand in an order that nobody wrote.
func ordered(l *look, basis plan.Basis, atoms map[item.Key]item.Value) bool {
	for k := range atoms {
		if _, known := basis[k]; !known && k.Lane == item.LaneOrder && l.item.Type() == item.Keybindings {
			return true
		}
	}
	return false
}

func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// discard deletes displaced content. If a program that held the old file open wrote
// to it meanwhile, it stays, and the next round takes it up.
func (e *Engine) discard(sw disk.Swapped) error {
	if sw.Aside == "" {
		return nil
	}
	err := e.cfg.FS.Discard(sw)
	if err != nil {
		e.left = true
	}
	if errors.Is(err, disk.ErrChanged) {
		return errAgain
	}
	return err
}

// removeDoc removes a document that was removed elsewhere.
func (e *Engine) removeDoc(l *look, t plan.Targeted) error {
	if err := e.intend(l, t.Basis, nil); err != nil {
		return err
	}
	sw, err := e.cfg.FS.Remove(l.path, expectation(l))
	if errors.Is(err, disk.ErrChanged) {
		return errAgain
	}
	if err != nil {
		return err
	}
	if same, err := e.takeAside(l, sw); err != nil || !same {
		return cmpErr(err, errAgain)
	}
	l.basis, l.atoms, l.exists, l.hash = t.Basis, map[item.Key]item.Value{}, false, item.Hash{}
	l.row = fileRow{mask: l.rep.src.MaskPrint()}
	if err := stop(e.commit(func(tx localdb.Tx) error { return putRows(tx, l) })); err != nil {
		return err
	}
	return e.discard(sw)
}

// moveBasis notes what a file holds now that it was written and is the one that was
// meant (E2).
func (e *Engine) moveBasis(l *look, basis plan.Basis, out []byte, after disk.Info) error {
	old := l.basis
	l.basis = basis
	l.row.hash, l.row.present, l.row.mask, l.row.stamp = sha256.Sum256(out), true, l.rep.src.MaskPrint(), after.Stamp
	l.row.sure = after.Stamp.Exchanged()
	err := stop(e.commit(func(tx localdb.Tx) error { return putRows(tx, l) }))
	l.basis = old
	return err
}

// takeAside reads what came out of the exchange: true if it is what was observed.
// If not, somebody saved in between. Their bytes are put back, and the next look
// sees them as any other edit; if a third save came in the meantime, what came out
// is recorded as this device's change against the basis of before.
func (e *Engine) takeAside(l *look, sw disk.Swapped) (same bool, err error) {
	if sw.Aside == "" {
		return true, nil
	}
	raw, info, err := e.cfg.FS.Read(sw.Aside, MaxDocument)
	if err != nil {
		return false, fmt.Errorf("reading what came out of %s: %w", l.path, err)
	}
	if l.raw != nil && bytes.Equal(raw, l.raw) {
		return true, nil
	}
	older, err := e.giveBack(sw)
	if err != nil || older.Aside == "" {
		return false, err
	}
	if older.Aside != sw.Aside {
		if raw, info, err = e.cfg.FS.Read(older.Aside, MaxDocument); err != nil {
			return false, fmt.Errorf("reading what came out of %s: %w", l.path, err)
		}
	}
	if err := e.recordAside(l, raw, info); err != nil {
		return false, err
	}
	return false, e.discard(older)
}

// recordAside records bytes that were found beside a document, as an edit made on
// its old basis. Bytes that can't be taken apart are kept as they are.
func (e *Engine) recordAside(l *look, raw []byte, info disk.Info) error {
	id := l.rep.src.ID() + "/" + string(l.item)
	keep := func(tx localdb.Tx) error {
		return e.keep(tx, rowKept+id+"/", fmt.Sprintf("%s%s/%016x", rowKept, id, uint64(e.meta.Clock)+1), raw)
	}
	aside := &look{rep: l.rep, item: l.item, path: l.path}
	if err := e.take(aside, raw, info); err != nil {
		return stop(e.commit(keep))
	}
	layers, err := e.layers(l.item)
	if err != nil {
		return stop(err)
	}
	got := plan.Observe(l.item.Type(), layers, aside.atoms, l.basis, len(l.basis) == 0)
	_, err = e.record(change{action: item.Edit, note: "saved while Plait wrote the file", writes: got.Writes,
		also: func(tx localdb.Tx, _ []item.Dot) error { return keep(tx) }})
	return stop(err)
}

// recoverAside takes up what a crash left beside files, or a program that held the old
// file open and wrote to it late: displaced content that is not in history is recorded;
// then it is discarded. It runs before a look. What can't be taken up now stays, for the
// next round.
func (e *Engine) recoverAside(ctx context.Context) error {
	e.left = false
	for _, r := range e.reps {
		if !e.writing[r.src.ID()] {
			continue
		}
		if err := e.loadRows(r); err != nil {
			return err
		}
		if err := e.syncIntents(r); err != nil {
			return err
		}
		found, err := e.cfg.FS.Leftovers(r.src.Root())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			e.left = true
			e.log.Info("what lies beside files can't be looked at", "why", err)
		}
		at := e.itemsAt(r)
		for _, sw := range found {
			err := e.recoverOne(ctx, r, sw, at)
			if err == nil || errors.Is(err, errAgain) {
				continue
			}
			if errors.Is(err, errStop) || ctx.Err() != nil {
				return err
			}
			e.left = true
			e.log.Info("displaced content can't be taken up", "why", err)
		}
	}
	return nil
}

// syncIntents makes durable what a crash cut short of it: a file that is taken for
// written must not be gone after a power cut, which would read as a removal.
func (e *Engine) syncIntents(r *replica) error {
	var paths []string
	for _, n := range sortedNames(r.intents) {
		if p, ok, err := r.src.Locate(n); err == nil && ok {
			paths = append(paths, p)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	return e.cfg.FS.SyncNames(r.src.Root(), paths)
}

func (e *Engine) recoverOne(ctx context.Context, r *replica, sw disk.Swapped, at func(path string) (item.Name, bool)) error {
	if sw.Path == "" {
		return nil
	}
	n, ok := at(sw.Path)
	if !ok {
		return nil
	}
	l := &look{rep: r, item: n, path: sw.Path}
	l.row, l.had = r.rows[n]
	var err error
	if l.basis, err = e.basisOf(r, n); err != nil {
		return stop(err)
	}
	if r.intents[n] == nil {
		// The basis has moved to what was written; this stood there before.
		if l.basis, err = e.basisBefore(l); err != nil {
			return err
		}
	}
	if n.Type() == item.Files {
		return e.recoverFile(ctx, l, sw)
	}
	raw, info, err := e.cfg.FS.Read(sw.Aside, MaxDocument)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", sw.Aside, err)
	}
	known, err := e.kept(r, n, raw)
	if err != nil {
		return stop(err)
	}
	sum := item.Hash(sha256.Sum256(raw))
	if in, err := parseIntent(r.intents[n]); err == nil && in.hash == sum {
		known = true // what was about to be written, and nobody's edit
	}
	if !known && sum != l.row.hash {
		if err := e.recordAside(l, raw, info); err != nil {
			return err
		}
	}
	sw.Before = info
	return e.discard(sw)
}

// basisBefore is what a document stood for before it was overwritten last, as history
// and the bytes that were kept tell. Of a file nobody knows: it is met anew.
func (e *Engine) basisBefore(l *look) (plan.Basis, error) {
	var raw []byte
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowKept+l.rep.src.ID()+"/"+string(l.item)+"/", func(_ string, b []byte) error { raw = b; return nil })
	})
	if err != nil {
		return nil, stop(err)
	}
	before := &look{rep: l.rep, item: l.item}
	if raw == nil || e.take(before, raw, disk.Info{}) != nil {
		return plan.Basis{}, nil
	}
	layers, err := e.layers(l.item)
	if err != nil {
		return nil, stop(err)
	}
	return plan.Recall(l.item.Type(), layers, before.atoms), nil
}

// kept says whether exactly these bytes were kept before an overwrite.
func (e *Engine) kept(r *replica, n item.Name, raw []byte) (bool, error) {
	found := false
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowKept+r.src.ID()+"/"+string(n)+"/", func(_ string, b []byte) error {
			found = found || bytes.Equal(b, raw)
			return nil
		})
	})
	return found, err
}

// itemsAt finds the item that a path holds, or the target of a symlink at its path.
func (e *Engine) itemsAt(r *replica) func(path string) (item.Name, bool) {
	at := sync.OnceValue(func() map[string]item.Name {
		at := map[string]item.Name{}
		for _, names := range [][]item.Name{sortedNames(r.rows), sortedNames(r.intents)} {
			for _, n := range names {
				if p, ok, err := r.src.Locate(n); err == nil && ok {
					at[p] = n
				}
			}
		}
		if docs, err := r.src.Documents(e.cfg.FS); err == nil {
			for _, d := range docs {
				at[d.Path] = d.Item
			}
		}
		return at
	})
	targets := sync.OnceValue(func() map[string]item.Name {
		real := map[string]item.Name{}
		for p, n := range at() {
			if t, err := e.cfg.FS.Real(p); err == nil && t != p {
				real[t] = n
			}
		}
		return real
	})
	return func(path string) (item.Name, bool) {
		n, ok := at()[path]
		if !ok {
			n, ok = targets()[path]
		}
		return n, ok
	}
}
