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
	"plait/backend/plan"
	"plait/backend/state"
)

// What came out of an exchange, or was left beside a file by a crash: it is put back,
// recorded or discarded, and never lost.

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

// takeFileAside handles a save that fell between looking and exchanging: what came
// out is put back, and seen as an edit by the next look. If a third save came in
// the meantime, what came out is recorded from where it lies.
func (e *Engine) takeFileAside(ctx context.Context, l *look, sw disk.Swapped) error {
	older, err := e.giveBack(sw)
	if err != nil || older.Aside == "" {
		return cmpErr(err, errAgain)
	}
	return cmpErr(e.recoverFile(ctx, l, older), errAgain)
}

// giveBack gives a file the content back that an exchange took out of it, and with it
// whoever saved. older is what is left to be recorded, from where it lies: what came out,
// if another save stands there already; or, if one fell between again, the older
// of the two, since the newest belongs in the file.
func (e *Engine) giveBack(sw disk.Swapped) (older disk.Swapped, err error) {
	back, err := e.putBack(sw)
	if err != nil {
		return sw, nil
	}
	if back.Aside == "" || !back.Raced && back.Before.Stamp.Same(sw.After.Stamp) {
		return disk.Swapped{}, e.discard(back)
	}
	if older, err = e.putBack(back); err != nil {
		return back, nil
	}
	return older, nil
}

// putBack gives a file the content back that an exchange took out.
func (e *Engine) putBack(sw disk.Swapped) (disk.Swapped, error) {
	f, _, err := e.cfg.FS.Open(sw.Aside)
	if err != nil {
		return disk.Swapped{}, err
	}
	defer f.Close()
	expect := disk.Expect{Stamp: sw.After.Stamp}
	if sw.After.Stamp == (disk.Stamp{}) {
		expect = disk.Expect{Absent: true}
	}
	back, err := e.cfg.FS.Replace(sw.Path, f, sw.Before.Mode, expect)
	if err != nil {
		return disk.Swapped{}, err
	}
	return back, e.discard(sw)
}

// recoverFile records displaced content that is not in history, then discards it.
func (e *Engine) recoverFile(ctx context.Context, l *look, sw disk.Swapped) error {
	aside := &look{rep: l.rep, item: l.item, path: sw.Aside}
	switch info, err := e.cfg.FS.Stat(sw.Aside); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("reading %s: %w", sw.Aside, err)
	default:
		aside.info = info
	}
	// Only for its hash at first: chunks of what nobody saved are to be in no pack.
	if err := e.glance(ctx, aside); err != nil {
		return err
	}
	sw.Before = aside.info
	if !e.fileKnown(l, aside.hash) {
		o := &observed{}
		if err := e.readFile(ctx, aside, o); err != nil {
			return err
		}
		sw.Before = aside.info
		packs, err := e.flush(ctx, o)
		if err != nil {
			return err
		}
		layers, err := e.layers(l.item)
		if err != nil {
			return stop(err)
		}
		got := plan.Observe(l.item.Type(), layers, aside.atoms, l.basis, len(l.basis) == 0)
		if _, err := e.record(change{action: item.Edit, note: "saved while Plait wrote the file", writes: got.Writes, packs: packs}); err != nil {
			return stop(err)
		}
	}
	return e.discard(sw)
}

// fileKnown says whether content is in history, or was only about to be written.
func (e *Engine) fileKnown(l *look, h item.Hash) bool {
	if h == l.row.hash {
		return true
	}
	if in, err := parseIntent(l.rep.intents[l.item]); err == nil && in.hash == h {
		return true
	}
	it, err := e.item(l.item)
	if err != nil || it.Atoms[theFile] == nil {
		return false
	}
	for _, list := range [][]state.Sibling{it.Atoms[theFile].Live, it.Atoms[theFile].Past} {
		for _, s := range list {
			if s.Value.Kind != item.Absent && e.contentHash(s.Value) == h {
				return true
			}
		}
	}
	return false
}
