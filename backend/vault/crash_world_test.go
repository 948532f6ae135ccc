package vault

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"plait/backend/disk"
	"plait/backend/editor"
	"plait/backend/localdb"
	"plait/backend/store/driver"
	"plait/backend/store/memstore"
)

// A crashWorld is a store and machines whose disks and databases are twins in memory.
// Of Plait's own folder, keys and notes lie in a real one.
type crashWorld struct {
	t      *testing.T
	bucket *memstore.Bucket
	all    map[string]*crashMachine
	words  string // of the vault that crashFound makes

	mu    sync.Mutex // guards what follows
	moved *sync.Cond
	now   time.Time
	n     int // writes to the store, and ends of commands
	duo   *duo
}

type crashMachine struct {
	w    *crashWorld
	name string
	home string
	disk *disk.Memory
	db   *localdb.Memory
	v    *Vault
	l    *life
}

// A life is a process. At one of its writes it ends: whatever goes on in it then waits
// for ever, so that nothing runs that a dead process would not run.
type life struct {
	mu    sync.Mutex
	n, at int
	after bool
	dead  bool
	kinds []string
	died  chan struct{}
}

func newLife(at int, after bool) *life { return &life{at: at, after: after, died: make(chan struct{})} }

// pass counts a write; here: this is where life ends.
func (l *life) pass(kind string) (here, dead bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return false, true
	}
	l.n++
	l.kinds = append(l.kinds, kind)
	l.dead = l.n == l.at
	return l.dead, false
}

func (l *life) alive() {
	l.mu.Lock()
	dead := l.dead
	l.mu.Unlock()
	if dead {
		select {}
	}
}

func (l *life) write(kind string, do func() error) error {
	here, dead := l.pass(kind)
	if dead {
		select {}
	}
	if !here {
		return do()
	}
	if l.after {
		_ = do()
	}
	close(l.died)
	select {}
}

func newCrashWorld(t *testing.T) *crashWorld {
	w := &crashWorld{t: t, bucket: memstore.New(), all: map[string]*crashMachine{}, now: time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)}
	w.moved = sync.NewCond(&w.mu)
	return w
}

func (w *crashWorld) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(10 * time.Millisecond)
	return w.now
}

func (w *crashWorld) tick(d time.Duration) {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
}

// A duo are two who pair.
type duo struct {
	alone bool          // one of them is gone
	ended chan struct{} // closed once both are
}

// move says that there is something new to see; of d, if it is not nil, that one is gone.
func (w *crashWorld) move(d *duo) {
	w.mu.Lock()
	w.n++
	if d != nil {
		d.alone = true
	}
	w.moved.Broadcast()
	w.mu.Unlock()
}

func (w *crashWorld) add(name string) *crashMachine {
	m := &crashMachine{w: w, name: name, home: filepath.Join(w.t.TempDir(), name, "plait"), db: localdb.NewMemory()}
	m.disk = disk.NewMemory(w.clock, disk.MemoryOptions{})
	m.disk.Mkdir("/" + name + "/.config/Code/User")
	m.begin(newLife(0, false))
	w.all[name] = m
	return m
}

// clone is the same world, apart from this one.
func (w *crashWorld) clone(t *testing.T) *crashWorld {
	c := newCrashWorld(t)
	c.now, c.words = w.now, w.words
	c.bucket.Restore(w.bucket.Snapshot())
	for name, m := range w.all {
		n := c.add(name)
		n.db = m.db.Clone(localdb.Info{})
		n.disk = m.disk
		n.begin(n.l)
		if _, err := os.Stat(m.home); err == nil {
			copyTree(t, m.home, n.home)
		}
	}
	return c
}

// begin begins a process. It has a disk of its own: what is left of an earlier one
// reaches nothing any more.
func (m *crashMachine) begin(l *life) {
	m.l = l
	m.disk = m.disk.Clone(m.w.clock, disk.MemoryOptions{Effect: func(op, path string) disk.Fate {
		here, dead := l.pass("disk " + op)
		switch {
		case dead:
			return disk.CrashBefore
		case !here:
			return disk.Go
		}
		close(l.died)
		if l.after {
			return disk.CrashAfter
		}
		return disk.CrashBefore
	}})
}

// options are those of the machine's present life.
func (m *crashMachine) options() Options {
	l := m.l
	seen := -1
	return Options{
		Home: m.home, FS: m.disk, Clock: m.w.clock, Wait: time.Second,
		Env: editor.Env{Home: "/" + m.name, OS: "linux", Getenv: func(string) string { return "" }, FS: m.disk},
		OpenBucket: func(context.Context, string, bool) (driver.Bucket, error) {
			return &mortalBucket{m.w.bucket, m.w, l}, nil
		},
		steps: func(what string, do func() error) error { return l.write("home "+what, do) },
		db: func() (database, error) {
			l.alive()
			if _, err := os.Stat(filepath.Join(m.home, dbDir)); errors.Is(err, fs.ErrNotExist) {
				m.db = localdb.NewMemory()
			} else {
				m.db = m.db.Clone(localdb.Info{}) // what an earlier life still has open is not this one's
			}
			return &mortalDB{m.db, l}, os.MkdirAll(filepath.Join(m.home, dbDir), 0o700)
		},
		// The other side moves, or is gone: then time passes until the code has expired.
		poll: func(context.Context) error {
			l.alive()
			m.w.mu.Lock()
			defer m.w.mu.Unlock()
			for seen == m.w.n && !m.w.duo.alone {
				m.w.moved.Wait()
			}
			if seen == m.w.n {
				m.w.now = m.w.now.Add(11 * time.Minute)
			}
			seen = m.w.n
			return nil
		},
	}
}

// live runs a command in a life that ends at a write, if it comes to that.
func (m *crashMachine) live(l *life, command func() error) (err error, died bool) {
	m.begin(l)
	m.v = nil
	done := make(chan error, 1)
	go func() { done <- command() }()
	select {
	case err = <-done:
	case <-l.died:
		died = true
	}
	m.w.mu.Lock()
	d := m.w.duo
	m.w.mu.Unlock()
	if died && d != nil {
		m.w.move(d)
		<-d.ended // the other side comes to its end
	}
	return err, died
}

// next begins the machine's next life, which does not end.
func (m *crashMachine) next() Options {
	if m.v != nil {
		must(m.w.t, m.v.Close())
	}
	m.v = nil
	m.begin(newLife(0, false))
	m.w.tick(5 * time.Second)
	return m.options()
}

func (m *crashMachine) reopen() {
	m.w.t.Helper()
	v, err := Open(bg, m.next())
	must(m.w.t, err)
	m.v = v
}

func (m *crashMachine) settings() string { return "/" + m.name + "/.config/Code/User/settings.json" }

func (m *crashMachine) write(text string) {
	m.w.tick(3 * time.Second)
	m.disk.WriteFile(m.settings(), []byte(text))
	m.w.tick(3 * time.Second)
}

func (m *crashMachine) read() string {
	b, ok := m.disk.Content(m.settings())
	if !ok {
		return "(none)"
	}
	return string(b)
}

func (m *crashMachine) attach() {
	m.w.t.Helper()
	_, err := m.v.Attach(bg, AttachSpec{Editor: "code"}, false)
	must(m.w.t, err)
}

func (m *crashMachine) sync() {
	m.w.t.Helper()
	_, err := m.v.Sync(bg, SyncOptions{})
	must(m.w.t, err)
}

// devices are the devices that the vault has, revoked ones left out.
func (m *crashMachine) devices() (names []string) {
	m.w.t.Helper()
	rows, err := m.v.Devices(bg)
	must(m.w.t, err)
	for _, r := range rows {
		if !r.Revoked {
			names = append(names, r.Name)
		}
	}
	return names
}

type mortalDB struct {
	*localdb.Memory
	l *life
}

func (d *mortalDB) Check() error { return nil }

func (d *mortalDB) Update(fn func(localdb.Tx) error) error {
	return d.l.write("commit", func() error { return d.Memory.Update(fn) })
}

func (d *mortalDB) Accept() error { return d.l.write("accept", d.Memory.Accept) }

type mortalBucket struct {
	*memstore.Bucket
	w *crashWorld
	l *life
}

func (b *mortalBucket) Get(ctx context.Context, name string, r driver.Range) ([]byte, error) {
	b.l.alive()
	return b.Bucket.Get(ctx, name, r)
}

func (b *mortalBucket) List(ctx context.Context, prefix string) ([]driver.Info, error) {
	b.l.alive()
	return b.Bucket.List(ctx, prefix)
}

func (b *mortalBucket) Put(ctx context.Context, name string, body []byte) error {
	return b.l.write("put "+name[:strings.IndexByte(name+"/", '/')], func() error {
		defer b.w.move(nil)
		return b.Bucket.Put(ctx, name, body)
	})
}

func (b *mortalBucket) Delete(ctx context.Context, name string) error {
	return b.l.write("delete "+name[:strings.IndexByte(name+"/", '/')], func() error {
		defer b.w.move(nil)
		return b.Bucket.Delete(ctx, name)
	})
}

// stored counts the objects under a prefix.
func (w *crashWorld) stored(prefix string) (n int) {
	for name := range maps.Keys(w.bucket.Snapshot()) {
		if strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}
