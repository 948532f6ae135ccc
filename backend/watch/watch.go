// Package watch says when files changed, so that somebody looks. It never says how: who is
// told scans, and what the scan finds is what counts.
//
//	system's events → names that matter → Debounce → Event
//
// # Guarantees
//
//   - W1 A change below a target, made while it is watched, is told: at the earliest Quiet after
//     the last one, at the latest Longest after the first.
//   - W2 How a file is saved makes no difference: in place, by a rename over it, by removal and
//     creation; nor that a directory is removed, moved away, or made only later.
//   - W3 Where the system lost events, or can't watch, it is said (All, Err): scan everything.
//   - W4 Close and Set wait until what they end has ended.
package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// The figures: what somebody types is seen at once, and a program that writes
// without end does not keep it from being seen.
const (
	Quiet   = 300 * time.Millisecond
	Longest = 5 * time.Second
)

// A Target is a directory to watch. It need not exist yet.
type Target struct {
	Dir   string   // absolute
	Tree  bool     // with all below it; symlinks there are not followed
	Files []string // only these names in Dir; nil: all. Of files that are symlinks their targets are watched, too, unless Tree
}

// An Event says what to look at again.
type Event struct {
	Paths []string // sorted; files and directories that changed, and perhaps what is below them
	All   bool     // anything may have changed
	Err   error    // with All: this could not be watched, look at it at intervals
}

// Options: the zero value works.
type Options struct {
	Quiet, Longest time.Duration
	Ignore         func(name string) bool // file names that never matter: our own
}

// A Watcher watches. Its methods may be called concurrently.
type Watcher struct {
	events chan Event // closed by run
	ask    chan []Target
	close  chan struct{}
	done   chan struct{} // closed when run has ended
}

// source is where events come from: the system, or a test.
type source interface {
	Add(dir string) error
	Remove(dir string) error
	Close() error
}

// Open begins to watch. The caller receives from Events until Close.
func Open(targets []Target, o Options) (*Watcher, error) {
	f, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watching files: %w", err)
	}
	return start(f, f.Events, f.Errors, targets, o), nil
}

func start(s source, events <-chan fsnotify.Event, errs <-chan error, targets []Target, o Options) *Watcher {
	w := &Watcher{
		events: make(chan Event),
		ask:    make(chan []Target),
		close:  make(chan struct{}),
		done:   make(chan struct{}),
	}
	if o.Quiet == 0 {
		o.Quiet = Quiet
	}
	if o.Longest == 0 {
		o.Longest = Longest
	}
	if o.Ignore == nil {
		o.Ignore = func(string) bool { return false }
	}
	l := &loop{Watcher: w, source: s, ignore: o.Ignore, debounce: Debounce{Quiet: o.Quiet, Longest: o.Longest}}
	l.arm(targets)
	go l.run(events, errs)
	return w
}

// Events is where events come. It is closed by Close.
func (w *Watcher) Events() <-chan Event { return w.events }

// Set watches other targets from now on.
func (w *Watcher) Set(targets []Target) {
	select {
	case w.ask <- targets:
	case <-w.done:
	}
}

// Close ends the watching.
func (w *Watcher) Close() error {
	select {
	case w.close <- struct{}{}:
	case <-w.done:
	}
	<-w.done
	return nil
}

// loop is what the one goroutine owns.
type loop struct {
	*Watcher
	source   source
	ignore   func(string) bool
	debounce Debounce
	plan     plan
	err      error // from arming; told with the next event
}

func (l *loop) run(events <-chan fsnotify.Event, errs <-chan error) {
	defer close(l.done)
	defer close(l.events)
	defer l.source.Close()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var ready *Event // due, and not yet taken
	for {
		var out chan Event
		var next Event
		if ready != nil {
			out, next = l.events, *ready
		} else if due, ok := l.debounce.Due(); ok {
			timer.Reset(time.Until(due))
		} else {
			timer.Stop()
		}
		select {
		case <-l.close:
			return
		case targets := <-l.ask:
			l.arm(targets)
		case out <- next:
			ready = nil
		case e, ok := <-events:
			if !ok {
				return
			}
			l.see(e)
		case err, ok := <-errs:
			if !ok {
				return
			}
			// Overflow or not: what was missed can't be told.
			l.debounce.All(time.Now())
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				l.err = errors.Join(l.err, err)
			}
		case <-timer.C:
			if e, ok := l.debounce.Take(time.Now()); ok {
				e.Err, l.err = l.err, nil
				ready = &e
			}
		}
	}
}

// see takes one event of the system.
func (l *loop) see(e fsnotify.Event) {
	if e.Op == fsnotify.Chmod {
		return // indexers and backup programs do that all day; a scan finds what matters
	}
	if l.ignore(filepath.Base(e.Name)) {
		return
	}
	for _, path := range l.plan.told(e.Name) {
		l.debounce.Add(time.Now(), path)
	}
	gone := e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)
	if gone && l.plan.watched(e.Name) || l.plan.awaits(e.Name) || l.grew(e) {
		// A directory came or went, and with it perhaps more than events tell.
		l.arm(l.plan.targets)
	}
}

// grew says whether an event may mean more to watch: a new directory in a tree, or a
// symlink among files.
func (l *loop) grew(e fsnotify.Event) bool {
	if !e.Has(fsnotify.Create) {
		return false
	}
	i, err := os.Lstat(e.Name)
	if err != nil {
		return false
	}
	return i.IsDir() && l.plan.inTree(e.Name) || i.Mode()&os.ModeSymlink != 0 && len(l.plan.told(e.Name)) > 0
}

// arm watches what the targets need as the disk is now.
func (l *loop) arm(targets []Target) {
	was := l.plan.dirs
	added := map[string]bool{}
	// What is made in a directory after it was listed and before it was watched would go
	// unseen: so list again until there was nothing new to watch.
	for grew := true; grew; {
		l.plan = lay(targets, l.ignore)
		grew = false
		for dir := range l.plan.dirs {
			if added[dir] {
				continue
			}
			added[dir], grew = true, true
			// Again, even if it was watched: it may be another directory of the same name.
			if err := l.source.Add(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
				l.err = errors.Join(l.err, fmt.Errorf("watching %s: %w", dir, err))
				l.debounce.All(time.Now())
			}
		}
	}
	for dir := range was {
		if !l.plan.dirs[dir] {
			_ = l.source.Remove(dir) // it may be gone already
		}
	}
	// What is in a directory that was not watched before may have changed before it was.
	for dir := range l.plan.dirs {
		if was != nil && !was[dir] {
			for _, path := range l.plan.told(dir) {
				l.debounce.Add(time.Now(), path)
			}
		}
	}
}
