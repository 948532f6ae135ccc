package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/merge"
	"plait/backend/store"
)

// RoundOptions say what a round does.
type RoundOptions struct {
	Types          map[item.Type]bool // nil: all
	NoPush         bool
	NoApply        bool
	NoObserve      bool // only read the store
	AcceptRemovals bool
}

// A Round is what a round did.
type Round struct {
	Pulled, Pushed, Applied int // items (Pushed: entries that the store took count by their items)
	Usage                   store.Usage
	Took                    time.Duration
	Waiting                 []Waiting
	Bad                     []*Bad
	Caught                  *Caught
	Offline                 error     // the store could not be reached, or refused
	Warnings                []Warning // what merging made: a keybinding clash, …
}

// A Warning is something that a merge made and nobody wrote.
type Warning struct {
	Item item.Name
	merge.Warning
}

// ErrNoStore is Round's Offline where there is no store to be had at all.
var ErrNoStore = errors.New("no store")

// SetStore gives the engine a store that could not be had before.
func (e *Engine) SetStore(s *store.Store) { e.cfg.Store = s }

// maxPasses bounds how often a round looks again because files changed under it.
const maxPasses = 5

// Round does one round. What is in Round is done, also beside an error. An error
// is about this device (database, spool) or ctx; what is wrong with the store or
// with single files is in Round.
func (e *Engine) Round(ctx context.Context, o RoundOptions) (r *Round, err error) {
	r = &Round{}
	start := e.cfg.Clock()
	var before store.Usage
	if e.cfg.Store != nil {
		before = e.cfg.Store.Usage()
	}
	defer func() {
		r.Took = e.since(start)
		if e.cfg.Store != nil {
			r.Usage = e.cfg.Store.Usage().Sub(before)
		}
		if err == nil {
			err = e.keepWaiting(o, r)
		}
	}()
	e.behind = false
	for _, rep := range e.reps {
		rep.rows = nil
	}
	if err := e.cleanSpool(); err != nil {
		return r, err
	}
	l := e.reach(ctx, r)
	if l != nil {
		if err := e.checkOwn(ctx, l, r); err != nil {
			var se *store.Error
			if !errors.As(err, &se) || ctx.Err() != nil {
				return r, err
			}
			r.Offline, l = err, nil
		}
	}
	doubt := e.meta.Doubt
	if doubt {
		// What an earlier life of this device wrote must be known before its files
		// are compared with a database that may be older than they are.
		if l == nil {
			return r, nil
		}
		if err := e.pullInto(ctx, l, r); err != nil {
			return r, err
		}
		if r.Offline != nil {
			return r, nil
		}
	}
	if o.NoObserve {
		if l != nil && !doubt {
			err = e.pullInto(ctx, l, r)
		}
		return r, err
	}
	if err := e.recoverAside(ctx); err != nil {
		return r, err
	}
	pushed := map[item.Name]bool{}
	if err := e.look(ctx, o, r, pushed); err != nil {
		return r, err
	}
	if doubt && r.Caught == nil && o.Types == nil {
		if err := e.endDoubt(); err != nil {
			return r, err
		}
	}
	if l != nil && !doubt {
		if err := e.pullInto(ctx, l, r); err != nil {
			return r, err
		}
	}
	if e.strategyMoved { // before what is settled by it
		if err := e.strategiesMoved(); err != nil {
			return r, err
		}
	}
	if err := e.settle(); err != nil {
		return r, err
	}
	if !o.NoApply {
		if err := e.apply(ctx, o, r, pushed); err != nil {
			return r, err
		}
	}
	if l != nil && !o.NoPush && !r.refusesPush() {
		n, perr := e.push(ctx)
		r.Pushed = n
		if perr != nil {
			if ctx.Err() != nil {
				return r, ctx.Err()
			}
			var se *store.Error
			var bad *Bad
			switch {
			case errors.As(perr, &se):
				r.Offline = perr
			case errors.As(perr, &bad):
				r.Bad = append(r.Bad, bad)
			default:
				r.Offline = perr
				return r, perr
			}
		}
	}
	return r, nil
}

// reach lists the store. nil: it can't be reached, and r says why.
func (e *Engine) reach(ctx context.Context, r *Round) *listing {
	if e.cfg.Store == nil {
		r.Offline = ErrNoStore
		return nil
	}
	l, err := e.list(ctx)
	if err != nil {
		r.Offline = err
		return nil
	}
	return l
}

// checkOwn makes sure that no other copy of this device wrote (E6).
func (e *Engine) checkOwn(ctx context.Context, l *listing, r *Round) error {
	bads, err := e.foreignOwn(ctx, l)
	r.Bad = append(r.Bad, bads...)
	if err != nil {
		return err
	}
	mine, rolled, err := e.own(l)
	if err != nil {
		return err
	}
	if checkGone.fails(rolled) {
		// Another vault in the store's place has lost it too, and is another matter.
		bad, err := e.vaultThere(ctx)
		if err != nil {
			return err
		}
		if bad == nil {
			bad = &Bad{Code: "rollback", Device: e.meta.Me.Device, Detail: "the store has lost what this device sent there"}
		}
		r.Bad = append(r.Bad, bad)
	}
	if mine && !rolled {
		if bads, err = e.twinOwn(ctx, l); err != nil {
			return err
		}
		r.Bad = append(r.Bad, bads...)
		mine = !slices.ContainsFunc(bads, func(b *Bad) bool { return b.Code == "forked" })
	}
	if checkOwn.fails(!mine) {
		return e.newIncarnation(l)
	}
	return nil
}

// endDoubt notes that the files were compared with all that this device wrote in
// earlier lives. What they lack was not taken for removed: it is to be written again.
func (e *Engine) endDoubt() error {
	if err := e.markAll(nil); err != nil {
		return err
	}
	m := e.meta
	m.Doubt = false
	err := e.commit(func(tx localdb.Tx) error { return setCBOR(tx, rowMeta, m) })
	if err == nil {
		e.meta = m
	}
	return err
}

// refusesPush says whether the store is in a state in which nothing more is to be
// sent: it is older than what was seen, or not ours.
func (r *Round) refusesPush() bool {
	for _, b := range r.Bad {
		if b.Code == "rollback" || b.Code == "foreign" {
			return true
		}
	}
	return false
}

func (e *Engine) pullInto(ctx context.Context, l *listing, r *Round) error {
	before := e.meta.Vector.Clone()
	p, err := e.pull(ctx, l)
	if err == nil && incomplete(p.bad) {
		// A listing is no snapshot: what one head names may have come while the
		// others were read. One more look tells late from missing.
		if again, lerr := e.list(ctx); lerr == nil {
			first := p
			if p, err = e.pull(ctx, again); p != nil {
				maps.Copy(p.items, first.items)
				for n, v := range first.from {
					if p.from[n] == nil {
						p.from[n] = item.Vector{}
					}
					p.from[n].Join(v)
				}
				for _, b := range first.bad { // what is told once
					if b.Code != "incomplete" && !slices.ContainsFunc(p.bad, b.same) {
						p.bad = append(p.bad, b)
					}
				}
			}
		}
	}
	if p != nil {
		r.Pulled += len(p.items)
		for _, b := range p.bad {
			if !slices.ContainsFunc(r.Bad, b.same) {
				r.Bad = append(r.Bad, b)
			}
		}
		if err == nil {
			err = e.warn(r, before, p.from)
		}
	}
	if err == nil {
		return nil
	}
	var se *store.Error
	if errors.As(err, &se) && ctx.Err() == nil {
		r.Offline = err
		return nil
	}
	return err
}

func incomplete(bad []*Bad) bool {
	for _, b := range bad {
		if b.Code == "incomplete" {
			return true
		}
	}
	return false
}

// look observes and records. Replicas of one collection meet like devices do: what the
// files of an earlier one say is recorded before those of a later one are compared.
func (e *Engine) look(ctx context.Context, o RoundOptions, r *Round, pushed map[item.Name]bool) error {
	r.Waiting, r.Caught = nil, nil
	// What lay beside files, and is recorded or was nobody's edit, must not come back after
	// the notes that tell what it was (intents) are gone.
	if err := e.cfg.FS.Settle(); err != nil {
		return fmt.Errorf("discarding what lay beside files: %w", err)
	}
	for _, reps := range apart(e.reps) {
		ob, err := e.observe(ctx, reps, o.Types, o.AcceptRemovals)
		if err != nil {
			return err
		}
		r.Caught = cmp.Or(r.Caught, ob.caught)
		packs, err := e.flush(ctx, ob)
		if err != nil {
			return err
		}
		if _, err := e.recordObserved(ob, packs); err != nil {
			return err
		}
		for _, w := range ob.writes {
			pushed[w.Item] = true
		}
		r.Waiting = append(r.Waiting, ob.waiting...)
	}
	return nil
}

// apart groups replicas, in order, so that no group has two of one collection.
func apart(reps []*replica) [][]*replica {
	var groups [][]*replica
	count := map[string]int{}
	for _, r := range reps {
		n := count[r.src.Collection()]
		count[r.src.Collection()]++
		if n == len(groups) {
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], r)
	}
	return groups
}

// apply writes the replicas, and looks again where files changed meanwhile.
func (e *Engine) apply(ctx context.Context, o RoundOptions, r *Round, pushed map[item.Name]bool) error {
	for pass := 0; ; pass++ {
		w, err := e.write(ctx, o.Types)
		if w != nil {
			r.Applied += w.applied
		}
		if err != nil {
			return err
		}
		if !w.again || pass == maxPasses {
			for _, x := range w.waiting {
				// What could not be read was told of when it was looked at.
				if !slices.ContainsFunc(r.Waiting, func(y Waiting) bool { return y.Replica == x.Replica && y.Item == x.Item && y.Code == x.Code }) {
					r.Waiting = append(r.Waiting, x)
				}
			}
			r.Bad = append(r.Bad, slices.DeleteFunc(w.bad, e.ofRevoked)...)
			if r.Offline == nil {
				r.Offline = w.offline
			}
			return nil
		}
		if err := e.recoverAside(ctx); err != nil {
			return err
		}
		if err := e.look(ctx, o, r, pushed); err != nil {
			return err
		}
	}
}

// keepWaiting stores what could not be read or written, for status. What a round did
// not look at stays as it was.
func (e *Engine) keepWaiting(o RoundOptions, r *Round) error {
	if o.NoObserve {
		return nil
	}
	var old []string
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowWaiting, func(k string, b []byte) error {
			var w Waiting
			if err := decMode.Unmarshal(b, &w); err != nil {
				return fmt.Errorf("row %s: %w", k, err)
			}
			if o.Types == nil || w.Item == "" || o.Types[w.Item.Type()] {
				old = append(old, k)
			}
			return nil
		})
	})
	if err != nil || len(old)+len(r.Waiting) == 0 {
		return err
	}
	return e.commit(func(tx localdb.Tx) error {
		for _, k := range old {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		for i, w := range r.Waiting {
			if err := setCBOR(tx, fmt.Sprintf("%s%s/%s/%d", rowWaiting, w.Replica, w.Item, i), w); err != nil {
				return err
			}
		}
		return nil
	})
}

// WaitingItems lists what the last round could not read or write.
func (e *Engine) WaitingItems() ([]Waiting, error) {
	var ws []Waiting
	return ws, e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowWaiting, func(k string, b []byte) error {
			var w Waiting
			if err := decMode.Unmarshal(b, &w); err != nil {
				return fmt.Errorf("row %s: %w", k, err)
			}
			ws = append(ws, w)
			return nil
		})
	})
}
