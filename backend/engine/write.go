package engine

import (
	"context"
	"errors"
	"fmt"

	"plait/backend/item"
	"plait/backend/localdb"
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

func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
