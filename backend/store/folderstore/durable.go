package folderstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// A group syncs one directory for all puts that wait for it: while one sync runs,
// the puts that come share the next.
type group struct {
	cleaned atomic.Bool

	mu      sync.Mutex // guards next
	next    *round
	running sync.Mutex // held while the directory is synced
}

type round struct {
	done chan struct{} // closed by its leader, once err is set
	err  error
}

func (b *Bucket) group(dir string) *group {
	g, _ := b.dirs.LoadOrStore(dir, new(group))
	return g.(*group)
}

// durable returns once the name of an object would survive a power cut.
func (b *Bucket) durable(name string) error {
	if err := b.effect("syncdir"); err != nil {
		return wrote(err)
	}
	dir := filepath.Dir(b.path(name))
	if err := b.group(dir).sync(func() error { return b.syncDir(dir) }); err != nil {
		return wrote(fmt.Errorf("sync the folder of %s: %w", name, err))
	}
	return nil
}

func (g *group) sync(do func() error) error {
	g.mu.Lock()
	r, leads := g.next, g.next == nil
	if leads {
		r = &round{done: make(chan struct{})}
		g.next = r
	}
	g.mu.Unlock()
	if !leads {
		<-r.done
		return r.err
	}
	g.running.Lock()
	g.mu.Lock()
	g.next = nil // who comes from now on may have come too late for this sync
	g.mu.Unlock()
	r.err = do()
	g.running.Unlock()
	close(r.done)
	return r.err
}

func (b *Bucket) syncDir(dir string) error {
	if !dirsSync {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err = d.Sync(); cannotSync(err) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
