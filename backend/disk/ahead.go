package disk

import (
	"sync"
	"sync/atomic"
)

// listAhead bounds how many directories are listed before the walk comes to them: what
// a walk that leaves out a large directory lists in vain, and what it holds.
const listAhead = 128

// ahead lists directories before a walk needs them, in the order in which it will: most of a
// scan is waiting for the kernel, which does it on all cores.
type ahead struct {
	list func(dir string) ([]Info, error)

	mu   sync.Mutex
	more sync.Cond
	jobs []*job // the next one last
	over bool

	held atomic.Int32 // listed by a worker, and not yet walked
	wg   sync.WaitGroup
}

// A job is one directory.
type job struct {
	dir   string
	taken atomic.Bool
	done  chan struct{} // closed when what follows is there
	infos []Info
	below []*job // by infos' directories
	err   error
}

// newAhead starts workers; with none, every directory is listed when it is needed.
func newAhead(list func() func(string) ([]Info, error), workers int) *ahead {
	a := &ahead{list: list()}
	a.more.L = &a.mu
	for range workers {
		list := list()
		a.wg.Go(func() { a.work(list) })
	}
	return a
}

func (a *ahead) close() {
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	a.more.Broadcast()
	a.wg.Wait()
}

func (a *ahead) work(list func(string) ([]Info, error)) {
	for {
		a.mu.Lock()
		for !a.over && (len(a.jobs) == 0 || a.held.Load() >= listAhead) {
			a.more.Wait()
		}
		if a.over {
			a.mu.Unlock()
			return
		}
		j := a.jobs[len(a.jobs)-1]
		a.jobs = a.jobs[:len(a.jobs)-1]
		a.mu.Unlock()
		if j.taken.CompareAndSwap(false, true) {
			a.held.Add(1)
			a.do(j, list)
		}
	}
}

// do lists a directory, and puts those in it before all that is waiting.
func (a *ahead) do(j *job, list func(string) ([]Info, error)) {
	j.infos, j.err = list(j.dir)
	for _, i := range j.infos {
		if i.Mode.IsDir() {
			j.below = append(j.below, &job{dir: i.Path, done: make(chan struct{})})
		}
	}
	if len(j.below) > 0 {
		a.mu.Lock()
		for i := len(j.below) - 1; i >= 0; i-- {
			a.jobs = append(a.jobs, j.below[i])
		}
		a.mu.Unlock()
		a.more.Broadcast()
	}
	close(j.done)
}

// need waits for a directory, or lists it if nobody has begun.
func (a *ahead) need(j *job) {
	if j.taken.CompareAndSwap(false, true) {
		a.do(j, a.list)
		return
	}
	<-j.done
	if a.held.Add(-1) == listAhead-1 {
		a.more.Broadcast()
	}
}

// skip says that a directory is not needed.
func (a *ahead) skip(j *job) {
	if !j.taken.CompareAndSwap(false, true) {
		// Somebody has begun: what is below it, too, is no longer worth it.
		<-j.done
		a.held.Add(-1)
		for _, b := range j.below {
			a.skip(b)
		}
		a.more.Broadcast()
	}
}
