package engine

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"time"

	"plait/backend/chunk"
	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/store"
	"plait/backend/store/driver"
	"plait/backend/store/memstore"
)

// A crasher numbers every write of one device, wherever it goes (database commits,
// effects on the disk, the spool, puts and deletes in the store), and ends the device's
// life at one of them.
type crasher struct {
	mu    sync.Mutex
	n     int       // writes passed
	at    int       // the one to crash at; 0: none
	as    disk.Fate // and how
	kinds []string  // of the writes passed
	dead  bool
	die   func() // ends the disk's life
}

func (c *crasher) pass(kind string) disk.Fate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return disk.CrashBefore
	}
	c.n++
	c.kinds = append(c.kinds, kind)
	if c.n != c.at {
		return disk.Go
	}
	c.dead = true
	return c.as
}

func (c *crasher) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// do runs one write that has no parts.
func (c *crasher) do(kind string, write func() error) error {
	switch c.pass(kind) {
	case disk.Go:
		return write()
	case disk.CrashAfter:
		_ = write()
	}
	c.die()
	return disk.ErrCrashed
}

// clone makes a world that goes on where this one is, and shares nothing with it but
// devices' keys. It draws from its own randomness.
func (w *world) clone(seed uint64) *world {
	c := &world{t: w.t, now: w.now, rand: rand.New(rand.NewPCG(seed, 77)), bucket: memstore.New(), seed: w.seed, sizes: w.sizes}
	c.bucket.Restore(w.bucket.Snapshot())
	for _, d := range w.devices {
		n := &device{w: c, name: d.name, keys: d.keys, skew: d.skew, sources: slices.Clone(d.sources)}
		n.rand = randReader{rand.New(rand.NewPCG(c.rand.Uint64(), c.rand.Uint64()))}
		n.db = d.db.Clone(localdb.Info{Copied: d.db.Info().Copied})
		n.spool = d.spool.(*crashSpool).clone()
		n.bucket = &crashBucket{Bucket: c.bucket}
		n.store = store.New(n.bucket, store.Options{})
		n.fs = d.fs.Clone(n.clock, disk.MemoryOptions{Effect: func(op, path string) disk.Fate {
			// Time passes, so that stamps are what they are on a fine filesystem.
			c.tick(7*time.Millisecond + 311)
			return n.c().passDisk(op, path)
		}})
		c.devices = append(c.devices, n)
	}
	return c
}

// c is the device's crasher; nil if its life is not at stake.
func (d *device) c() *crasher { return d.bucket.(*crashBucket).c }

func (c *crasher) passDisk(op, p string) disk.Fate {
	if c == nil {
		return disk.Go
	}
	return c.pass("disk " + op + " " + path.Base(p))
}

// endanger numbers a device's writes from now on, and crashes at one of them.
func (d *device) endanger(at int, as disk.Fate) *crasher {
	c := &crasher{at: at, as: as, die: d.fs.Crash}
	d.bucket.(*crashBucket).c = c
	d.spool.(*crashSpool).c = c
	after := false
	d.db.SetHook(func(_ int, committed bool) error {
		if committed {
			if after {
				c.die()
				return disk.ErrCrashed
			}
			return nil
		}
		switch c.pass("commit") {
		case disk.Go:
			return nil
		case disk.CrashAfter:
			after = true
			return nil
		}
		c.die()
		return disk.ErrCrashed
	})
	return c
}

// reboot begins the device's next life with what survived; with r the power was cut.
func (d *device) reboot(r *rand.Rand) {
	d.fs.Reboot(r)
	d.db.SetHook(nil)
	d.db.Reopen()
	s := d.spool.(*crashSpool)
	if r != nil {
		s.cutPower(r)
	}
	s.c = nil
	d.bucket.(*crashBucket).c = nil
	d.e = nil
}

// start opens the engine, as a process that was just started does.
func (d *device) start() error {
	doubt := d.db.Info().Doubtful()
	e, err := Open(d.config(), d.sources)
	if err != nil {
		return err
	}
	if doubt {
		if err := d.db.Accept(); err != nil {
			return err
		}
	}
	d.e = e
	return nil
}

// crashBucket is one device's way to the store. What it puts is there whole or not at
// all, save torn puts, which leave a part until the object is put again.
type crashBucket struct {
	*memstore.Bucket
	c    *crasher
	lose int // so many replies get lost
}

func (b *crashBucket) alive() error {
	if b.c != nil && b.c.isDead() {
		return fmt.Errorf("store: %w", disk.ErrCrashed)
	}
	return nil
}

func (b *crashBucket) Get(ctx context.Context, name string, r driver.Range) ([]byte, error) {
	if err := b.alive(); err != nil {
		return nil, err
	}
	return b.Bucket.Get(ctx, name, r)
}

func (b *crashBucket) List(ctx context.Context, prefix string) ([]driver.Info, error) {
	if err := b.alive(); err != nil {
		return nil, err
	}
	return b.Bucket.List(ctx, prefix)
}

func (b *crashBucket) Put(ctx context.Context, name string, body []byte) error {
	put := func() error {
		if r := b.Bucket.Raw(); r.Has(name) && len(r.Get(name)) < len(body) && bytes.HasPrefix(body, r.Get(name)) {
			r.Remove(name) // what a torn put left
		}
		err := b.Bucket.Put(ctx, name, body)
		if err == nil && b.lose > 0 {
			b.lose--
			return fmt.Errorf("reply lost: %w", driver.Transient)
		}
		return err
	}
	if b.c == nil {
		return put()
	}
	if b.c.at == b.c.n+1 && b.c.as == disk.CrashTorn && !b.Bucket.Raw().Has(name) {
		b.Bucket.Raw().Set(name, body[:len(body)/2])
	}
	return b.c.do("put "+path.Dir(name), put)
}

func (b *crashBucket) Delete(ctx context.Context, name string) error {
	if b.c == nil {
		return b.Bucket.Delete(ctx, name)
	}
	return b.c.do("delete "+path.Dir(name), func() error { return b.Bucket.Delete(ctx, name) })
}

// crashSpool is a FolderSpool in memory, with what a crash and a power cut leave of one.
type crashSpool struct {
	mu     sync.Mutex
	c      *crasher
	packs  map[item.Hash][]byte
	cut    map[int][]byte // packs being written
	recent map[item.Hash]bool
	gone   map[item.Hash][]byte // removed, though not for sure
	next   int
}

func newCrashSpool() *crashSpool {
	return &crashSpool{packs: map[item.Hash][]byte{}, cut: map[int][]byte{}, recent: map[item.Hash]bool{}, gone: map[item.Hash][]byte{}}
}

func (s *crashSpool) clone() *crashSpool {
	return &crashSpool{packs: maps.Clone(s.packs), cut: maps.Clone(s.cut), recent: maps.Clone(s.recent), gone: maps.Clone(s.gone), next: s.next}
}

func (s *crashSpool) cutPower(r *rand.Rand) {
	for _, n := range slices.Sorted(maps.Keys(s.cut)) {
		s.cut[n] = s.cut[n][:r.IntN(len(s.cut[n])+1)]
	}
	for _, h := range slices.SortedFunc(maps.Keys(s.recent), byName) {
		if r.IntN(2) == 0 {
			delete(s.packs, h)
		}
	}
	for _, h := range slices.SortedFunc(maps.Keys(s.gone), byName) {
		if r.IntN(2) == 0 {
			s.packs[h] = s.gone[h]
		}
	}
	clear(s.recent)
	clear(s.gone)
}

func byName(a, b item.Hash) int { return slices.Compare(a[:], b[:]) }

func (s *crashSpool) do(kind string, write func() error) error {
	locked := func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return write()
	}
	if s.c == nil {
		return locked()
	}
	return s.c.do("spool "+kind, locked)
}

func (s *crashSpool) Create() (chunk.SpoolFile, error) {
	f := &crashPack{s: s}
	return f, s.do("create", func() error {
		f.n = s.next
		s.next++
		s.cut[f.n] = nil
		return nil
	})
}

func (s *crashSpool) Sync() error {
	return s.do("sync", func() error { clear(s.recent); clear(s.gone); return nil })
}

func (s *crashSpool) Put(ctx context.Context, st *store.Store, name item.Hash) error {
	b, err := s.Read(name, 0, 1<<40)
	if err != nil {
		return err
	}
	return st.Put(ctx, packName(name), b)
}

func (s *crashSpool) Read(name item.Hash, offset, size int64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.packs[name]
	if !ok {
		return nil, fmt.Errorf("pack %s: %w", name, fs.ErrNotExist)
	}
	offset = min(offset, int64(len(b)))
	return bytes.Clone(b[offset:min(int64(len(b)), offset+size)]), nil
}

func (s *crashSpool) Remove(name item.Hash) error {
	return s.do("remove", func() error {
		if b, ok := s.packs[name]; ok {
			s.gone[name] = b
			delete(s.packs, name)
		}
		return nil
	})
}

func (s *crashSpool) Clean(keep map[item.Hash]bool) error {
	if s.c != nil && s.c.isDead() {
		return disk.ErrCrashed
	}
	clear(s.cut)
	for _, h := range slices.SortedFunc(maps.Keys(s.packs), byName) {
		if !keep[h] {
			if err := s.Remove(h); err != nil {
				return err
			}
		}
	}
	return nil
}

type crashPack struct {
	s *crashSpool
	n int
}

func (f *crashPack) Write(p []byte) (int, error) {
	s := f.s
	if c := s.c; c != nil && c.at == c.n+1 && c.as == disk.CrashTorn {
		s.cut[f.n] = append(s.cut[f.n], p[:len(p)/2]...)
	}
	return len(p), s.do("write", func() error { s.cut[f.n] = append(s.cut[f.n], p...); return nil })
}

func (f *crashPack) Keep(p item.Pack) error {
	return f.s.do("keep", func() error {
		f.s.packs[p.Name], f.s.recent[p.Name] = f.s.cut[f.n], true
		delete(f.s.cut, f.n)
		return nil
	})
}

func (f *crashPack) Discard() {
	_ = f.s.do("discard", func() error { delete(f.s.cut, f.n); return nil })
}
