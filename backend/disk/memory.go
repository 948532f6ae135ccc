package disk

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"sync"
)

// Memory is an FS in memory, the same bytes every time: inodes and tags are counted, times
// come from the given clock, and directories are listed in order. It runs the same code as OS
// above its own calls. Its further methods (memory_user.go) are what other programs and
// the person do, and (memory_crash.go) what goes wrong.
//
// Time stands still between the clock's readings: two writes in one instant leave
// equal stamps, as they can on a real disk (see Stamp.Settled).
type Memory struct {
	*Disk
	m *memory
}

// MemoryOptions are what filesystems differ in. The zero value is like ext4.
type MemoryOptions struct {
	NoExchange bool // no exchange and no rename that refuses to replace: hard link, then rename
	NoLinks    bool // no hard links either: copy, then rename
	FoldCase   bool // names that differ in case or Unicode form are one, as on macOS and Windows

	// Effect, if set, is asked before each effect that this process has on the disk. It
	// says whether the process crashes there.
	Effect func(op, path string) Fate
}

// NewMemory returns a disk that holds an empty root directory.
func NewMemory(clock Clock, o MemoryOptions) *Memory {
	m := &memory{clock: clock, o: o}
	m.root = m.newNode(fs.ModeDir | 0o755)
	return &Memory{Disk: &Disk{sys: m, workers: 1}, m: m}
}

// memory makes the calls on nodes in memory.
type memory struct {
	clock Clock
	o     MemoryOptions

	mu      sync.Mutex // guards all below, and all nodes
	root    *node
	inodes  uint64
	tags    uint64
	life    int // counts reboots; handles of an earlier life are dead
	crashed bool
	effects int
	crashAt int // 0: not planned
	crashAs Fate
	fault   func(op, path string) error
	saved   func(path string)
}

type node struct {
	inode        uint64
	mode         fs.FileMode
	mtime, ctime int64
	data         []byte // of a file; of a symlink its target
	locked       bool   // by another program
	writer       int    // the life whose create has it open; 0: none

	entries map[string]entry // of a directory, by key

	// What a power cut leaves: see memory_crash.go.
	durable        []byte
	durableEntries map[string]entry
	pending        []dirOp
	dirty          bool
}

type entry struct {
	name string
	node *node
}

func (m *memory) newNode(mode fs.FileMode) *node {
	m.inodes++
	now := m.clock().UnixNano()
	n := &node{inode: m.inodes, mode: mode, mtime: now, ctime: now}
	if mode.IsDir() {
		n.entries, n.durableEntries = map[string]entry{}, map[string]entry{}
	}
	return n
}

// key is what a name is found by.
func (m *memory) key(name string) string {
	if m.o.FoldCase {
		return Fold(name)
	}
	return name
}

// slashed is path as it is kept here: on Windows without the volume.
func slashed(p string) string {
	return path.Clean("/" + filepath.ToSlash(strings.TrimPrefix(p, filepath.VolumeName(p))))
}

// find walks to a path. dir and key say where its entry is or would be; e.node is nil
// if there is none.
func (m *memory) find(p string, follow bool) (dir *node, key string, e entry, err error) {
	links := 0
	todo := strings.Split(slashed(p), "/")[1:]
	trail := []*node{m.root}
	e = entry{"/", m.root}
	for i := 0; i < len(todo); i++ {
		seg := todo[i]
		if seg == "" || seg == "." {
			continue
		}
		dir = trail[len(trail)-1]
		if seg == ".." {
			if len(trail) > 1 {
				trail = trail[:len(trail)-1]
			}
			e = entry{"", trail[len(trail)-1]}
			continue
		}
		if !dir.mode.IsDir() {
			return nil, "", entry{}, ErrOdd
		}
		key = m.key(seg)
		e = dir.entries[key]
		last := i == len(todo)-1
		if e.node == nil {
			if last {
				return dir, key, entry{name: seg}, nil
			}
			return nil, "", entry{}, fs.ErrNotExist
		}
		if e.node.mode&fs.ModeSymlink != 0 && (!last || follow) {
			if links++; links > maxLinks {
				return nil, "", entry{}, ErrOdd
			}
			to := slashedTarget(string(e.node.data))
			if strings.HasPrefix(to, "/") {
				trail = trail[:1]
			}
			todo = append(strings.Split(to, "/"), todo[i+1:]...)
			i = -1
			continue
		}
		trail = append(trail, e.node)
	}
	return dir, key, e, nil
}

func slashedTarget(t string) string {
	return filepath.ToSlash(strings.TrimPrefix(t, filepath.VolumeName(t)))
}

// get is find for what must exist.
func (m *memory) get(p string, follow bool) (*node, error) {
	_, _, e, err := m.find(p, follow)
	if err == nil && e.node == nil {
		err = fs.ErrNotExist
	}
	return e.node, err
}

func (m *memory) info(p string, n *node) Info {
	return Info{Path: p, Name: filepath.Base(p), Mode: n.mode, Size: int64(len(n.data)), Stamp: n.stamp()}
}

func (n *node) stamp() Stamp {
	return Stamp{MTime: n.mtime, CTime: n.ctime, Inode: n.inode, Size: uint64(len(n.data))}
}

// look is what an operation without effect does first. The caller holds mu until done.
func (m *memory) look(op, p string) error {
	if m.crashed {
		return ErrCrashed
	}
	if m.fault != nil {
		return m.fault(op, p)
	}
	return nil
}

func (m *memory) lstat(p string) (Info, error) { return m.statAs("lstat", p, false) }
func (m *memory) stat(p string) (Info, error)  { return m.statAs("stat", p, true) }

func (m *memory) statAs(op, p string, follow bool) (Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.look(op, p); err != nil {
		return Info{}, err
	}
	n, err := m.get(p, follow)
	if err != nil {
		return Info{}, err
	}
	return m.info(p, n), nil
}

func (m *memory) readlink(p string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.look("readlink", p); err != nil {
		return "", err
	}
	n, err := m.get(p, false)
	if err != nil {
		return "", err
	}
	return filepath.FromSlash(string(n.data)), nil
}

func (m *memory) readDir(dir string) ([]Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.look("list", dir); err != nil {
		return nil, err
	}
	n, err := m.get(dir, true)
	if err != nil {
		return nil, err
	}
	if !n.mode.IsDir() {
		return nil, ErrOdd
	}
	infos := make([]Info, 0, len(n.entries))
	for _, e := range n.entries {
		infos = append(infos, m.info(filepath.Join(dir, e.name), e.node))
	}
	sort.Slice(infos, func(i, j int) bool { return infos[i].Name < infos[j].Name })
	return infos, nil
}

func (m *memory) scan(root string, fn func(Info, error) error) error {
	return walk(root, func() func(string) ([]Info, error) { return m.readDir }, 0, fn)
}

func (m *memory) held(p string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.get(p, false)
	return err != nil || n.writer == m.life+1
}

func (m *memory) tag() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tags++
	return fmt.Sprintf("%0*d", tagLength, m.tags)
}

func (m *memory) between(p string) {
	m.mu.Lock()
	f := m.saved
	m.mu.Unlock()
	if f != nil {
		f(p)
	}
}

// A handle is an open file: it keeps its node whatever happens to names.
type handle struct {
	m    *memory
	n    *node
	path string
	life int
	at   int
}

func (m *memory) open(p string) (file, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.look("open", p); err != nil {
		return nil, err
	}
	n, err := m.get(p, true)
	if err != nil {
		return nil, err
	}
	if n.locked {
		return nil, ErrLocked
	}
	if n.mode.Perm()&0o400 == 0 {
		return nil, fs.ErrPermission
	}
	return &handle{m: m, n: n, path: p, life: m.life}, nil
}

func (h *handle) alive(op string) error {
	if h.life != h.m.life {
		return ErrCrashed
	}
	return h.m.look(op, h.path)
}

func (h *handle) Read(b []byte) (int, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if err := h.alive("read"); err != nil {
		return 0, err
	}
	if h.at >= len(h.n.data) {
		return 0, io.EOF
	}
	n := copy(b, h.n.data[h.at:])
	h.at += n
	return n, nil
}

func (h *handle) ReadAt(b []byte, at int64) (int, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if err := h.alive("read"); err != nil {
		return 0, err
	}
	if at < 0 || at >= int64(len(h.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.n.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) info() (Info, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if h.life != h.m.life || h.m.crashed {
		return Info{}, ErrCrashed
	}
	return h.m.info(h.path, h.n), nil
}

func (h *handle) Close() error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if h.life == h.m.life && h.n.writer == h.life+1 {
		h.n.writer = 0
	}
	return nil
}
