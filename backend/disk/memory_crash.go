package disk

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
)

// A Fate is what becomes of a process at one of its effects.
type Fate uint8

const (
	Go          Fate = iota // nothing befalls it
	CrashBefore             // it dies, and the effect does not happen
	CrashTorn               // it dies in the middle: of a write, half is written
	CrashAfter              // it dies right after
)

// ErrCrashed is what everything returns between a crash and Reboot.
var ErrCrashed = errors.New("crashed")

// A dirOp changes some entries of one directory at one instant; an entry without
// a node goes.
type dirOp []struct {
	key string
	e   entry
}

func (o dirOp) apply(entries map[string]entry) {
	for _, s := range o {
		if s.e.node == nil {
			delete(entries, s.key)
		} else {
			entries[s.key] = s.e
		}
	}
}

func (n *node) syncEntries() {
	n.durableEntries, n.pending = maps.Clone(n.entries), nil
}

// Effects is how many effects this process has had.
func (d *Memory) Effects() int {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	return d.m.effects
}

// CrashAt plans a crash at the n-th effect from now, 1 being the next.
func (d *Memory) CrashAt(n int, as Fate) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.m.crashAt, d.m.crashAs = d.m.effects+n, as
}

// Crash makes the process die now.
func (d *Memory) Crash() {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.m.crashed = true
}

// Crashed says whether the process is dead.
func (d *Memory) Crashed() bool {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	return d.m.crashed
}

// Reboot starts a new process. With r, the power was cut: of what was not synced, names
// and content, r decides what is left. Some of a directory's changes are lost, not
// necessarily the last; of a file's bytes all, none or the first, the rest being zeros.
func (d *Memory) Reboot(r *rand.Rand) {
	m := d.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crashed, m.crashAt = false, 0
	m.life++
	if r != nil {
		m.cutPower(m.root, r, map[*node]bool{})
	}
}

// Clone returns a second disk with the same content, open files and planned faults left
// out, which shares nothing with the first from then on.
func (d *Memory) Clone(clock Clock, o MemoryOptions) *Memory {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	c := NewMemory(clock, o)
	c.m.inodes, c.m.tags = d.m.inodes, d.m.tags
	c.m.root = d.m.root.clone(map[*node]*node{})
	return c
}

func (n *node) clone(done map[*node]*node) *node {
	if n == nil {
		return nil
	}
	if c := done[n]; c != nil {
		return c
	}
	c := new(node)
	*c = *n // bytes are never changed in place
	c.writer = 0
	done[n] = c
	copied := func(entries map[string]entry) map[string]entry {
		if entries == nil {
			return nil
		}
		out := make(map[string]entry, len(entries))
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			out[key] = entry{entries[key].name, entries[key].node.clone(done)}
		}
		return out
	}
	c.entries, c.durableEntries, c.pending = copied(n.entries), copied(n.durableEntries), nil
	for _, o := range n.pending {
		p := slices.Clone(o)
		for i := range p {
			p[i].e.node = p[i].e.node.clone(done)
		}
		c.pending = append(c.pending, p)
	}
	return c
}

func (m *memory) cutPower(n *node, r *rand.Rand, seen map[*node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	if !n.mode.IsDir() {
		n.cutData(r)
		return
	}
	entries := maps.Clone(n.durableEntries)
	kept := r.IntN(len(n.pending) + 1)
	some := r.IntN(2) == 0
	for i, o := range n.pending {
		if some && r.IntN(2) == 0 || !some && i < kept {
			o.apply(entries)
		}
	}
	n.entries = entries
	n.syncEntries()
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		m.cutPower(entries[key].node, r, seen)
	}
}

func (n *node) cutData(r *rand.Rand) {
	if !n.dirty || n.mode&fs.ModeSymlink != 0 {
		return
	}
	switch r.IntN(3) {
	case 0:
		n.data = n.durable
	case 1:
		torn := make([]byte, len(n.data))
		copy(torn, n.data[:r.IntN(len(n.data)+1)])
		n.data = torn
	}
	n.sync()
}

// SetFault makes operations of this process fail: f is asked before each with its name (lstat,
// stat, readlink, list, open, read, create, write, sync, inherit, mkdir, rename, exchange, link,
// unlink, rmdir, syncdir) and path, and returns the error, or nil. A write that fails leaves
// half of it. f must not call this disk. A nil f ends it.
func (d *Memory) SetFault(f func(op, path string) error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.m.fault = f
}

// OnExchange calls f, which may use this disk as another program, in the instant between
// the check of a file and its exchange.
func (d *Memory) OnExchange(f func(path string)) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.m.saved = f
}
