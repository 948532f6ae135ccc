package vault

import (
	"context"
	"time"

	"plait/backend/disk"
	"plait/backend/store"
	"plait/backend/watch"
)

// lookAgain is how often files and store are looked at even if nobody says that
// they changed: events get lost, and some stores can't push.
const lookAgain = time.Minute

// retryAfter bounds how long a round that failed waits for the next.
const (
	retryFirst = 2 * time.Second
	retryLast  = time.Minute
)

// Watch syncs whenever files or the store change, and calls report after each
// round, until ctx ends. It lets go of the database between rounds, so that other
// commands work meanwhile.
func Watch(ctx context.Context, o Options, s SyncOptions, report func(SyncResult, error)) error {
	o.fill()
	w := &watching{o: o, s: s, report: report}
	defer w.end()
	wait := time.Duration(0)
	for {
		err := w.round(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			wait = min(max(2*wait, retryFirst), retryLast)
		} else {
			wait = 0
		}
		if !w.idle(ctx, wait) {
			return nil
		}
	}
}

type watching struct {
	o      Options
	s      SyncOptions
	report func(SyncResult, error)
	files  *watch.Watcher
	store  <-chan struct{}
	stop   context.CancelFunc
}

func (w *watching) end() {
	if w.files != nil {
		w.files.Close()
	}
	if w.stop != nil {
		w.stop()
	}
}

// round opens the vault, syncs once, and lets go.
func (w *watching) round(ctx context.Context) error {
	v, err := Open(ctx, w.o)
	if err != nil {
		if ctx.Err() == nil {
			w.report(SyncResult{Conflicts: []ItemConflicts{}}, err)
		}
		return err
	}
	res, err := v.Sync(ctx, w.s)
	if err == nil {
		w.s.AcceptRemovals = false // it was said of what is gone now
	}
	targets := v.targets()
	if werr := w.follow(ctx, v, targets); werr != nil {
		w.o.Log.Warn("changes can't be watched; looking every minute", "why", werr)
	}
	if cerr := v.Close(); err == nil {
		err = cerr
	}
	if ctx.Err() == nil {
		w.report(res, err)
	}
	return err
}

// follow watches the files, and the store where it can tell.
func (w *watching) follow(ctx context.Context, v *Vault, targets []watch.Target) error {
	if w.store == nil && v.store != nil {
		sctx, cancel := context.WithCancel(ctx)
		if c, err := v.store.Watch(sctx, store.Heads); err == nil {
			w.store, w.stop = c, cancel
		} else {
			cancel()
		}
	}
	if w.files != nil {
		w.files.Set(targets)
		return nil
	}
	f, err := watch.Open(targets, watch.Options{Ignore: disk.Own})
	if err == nil {
		w.files = f
	}
	return err
}

// idle waits until there is reason for another round; false: ctx ended.
func (w *watching) idle(ctx context.Context, failed time.Duration) bool {
	next := lookAgain
	if failed > 0 {
		next = failed
	}
	t := time.NewTimer(next)
	defer t.Stop()
	var events <-chan watch.Event
	if w.files != nil {
		events = w.files.Events()
	}
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-events:
	case _, ok := <-w.store:
		if !ok {
			w.store = nil
		}
	}
	return ctx.Err() == nil
}

// targets are the folders in which something of what is attached lies.
func (v *Vault) targets() []watch.Target {
	sources, err := v.sources()
	if err != nil {
		return nil
	}
	var out []watch.Target
	for _, s := range sources {
		switch s := s.(type) {
		case *folderSource:
			out = append(out, watch.Target{Dir: s.at.Path, Tree: true})
		case *profileSource:
			for _, dir := range s.editor.Watched(s.profile) {
				out = append(out, watch.Target{Dir: dir})
			}
		}
	}
	return out
}
