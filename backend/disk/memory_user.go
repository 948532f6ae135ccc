package disk

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// What other programs do. It is durable at once, and costs this process no effects; it
// works while this process is crashed, too. Paths that can't be had panic: a test is wrong.

// WriteFile writes a file in place, through symlinks, keeping its inode, or makes it,
// and the directories it needs.
func (d *Memory) WriteFile(path string, content []byte) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	_, _, e := d.m.must(path, true)
	if e.node == nil {
		d.m.put(path, d.m.newNode(0o644), true)
		_, _, e = d.m.must(path, true)
	}
	e.node.data = append([]byte(nil), content...)
	e.node.touch(d.m)
	e.node.sync()
}

// SaveByRename writes a file as careful editors do: a new one beside, then a rename over it.
func (d *Memory) SaveByRename(path string, content []byte) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	n := d.m.newNode(0o644)
	n.data = append([]byte(nil), content...)
	n.sync()
	if _, _, e := d.m.must(path, false); e.node != nil {
		n.mode = e.node.mode
	}
	d.m.put(path, n, false)
}

// Symlink makes a symlink, replacing what is there.
func (d *Memory) Symlink(target, path string) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	n := d.m.newNode(fs.ModeSymlink | 0o777)
	n.data = []byte(filepath.ToSlash(target))
	n.sync()
	d.m.put(path, n, false)
}

// Mkdir makes a directory and those above it.
func (d *Memory) Mkdir(path string) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.m.makeAll(slashed(path))
}

// Odd makes something that is neither file, directory nor symlink: say fs.ModeNamedPipe.
func (d *Memory) Odd(path string, mode fs.FileMode) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.m.put(path, d.m.newNode(mode), false)
}

// SetMode sets permission bits.
func (d *Memory) SetMode(path string, mode fs.FileMode) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	_, _, e := d.m.must(path, true)
	e.node.mode = e.node.mode&^fs.ModePerm | mode.Perm()
	e.node.ctime = d.m.clock().UnixNano()
}

// Lock makes another program hold the file open so that nobody else may open, replace or
// remove it, as Windows has it; or let go of it.
func (d *Memory) Lock(path string, locked bool) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	_, _, e := d.m.must(path, true)
	e.node.locked = locked
}

// RemoveAll removes a file, or a directory with all that is in it.
func (d *Memory) RemoveAll(path string) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	dir, key, _ := d.m.must(path, false)
	delete(dir.entries, key)
	dir.syncEntries()
}

// Move renames a file or directory, replacing what is there.
func (d *Memory) Move(from, to string) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	dir, key, e := d.m.must(from, false)
	delete(dir.entries, key)
	dir.syncEntries()
	d.m.put(to, e.node, false)
}

// Content is a file's content as another program reads it; ok is false if there is no such file.
func (d *Memory) Content(path string) (content []byte, ok bool) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	n, err := d.m.get(path, true)
	if err != nil || !n.mode.IsRegular() {
		return nil, false
	}
	return append([]byte(nil), n.data...), true
}

// Files is every regular file below dir by its path, this package's own ones included.
func (d *Memory) Files(dir string) map[string][]byte {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	all := map[string][]byte{}
	n, err := d.m.get(dir, true)
	if err != nil {
		return all
	}
	var add func(path string, n *node)
	add = func(path string, n *node) {
		for _, e := range n.entries {
			p := filepath.Join(path, e.name)
			if e.node.mode.IsDir() {
				add(p, e.node)
			} else if e.node.mode.IsRegular() {
				all[p] = append([]byte(nil), e.node.data...)
			}
		}
	}
	add(dir, n)
	return all
}

// must is find, making the directories above.
func (m *memory) must(p string, follow bool) (dir *node, key string, e entry) {
	m.makeAll(slashed(filepath.Dir(p)))
	dir, key, e, err := m.find(p, follow)
	if err != nil {
		panic(fmt.Sprintf("disk: %s: %v", p, err))
	}
	return dir, key, e
}

func (m *memory) makeAll(dir string) {
	at := ""
	for _, seg := range strings.Split(dir, "/")[1:] {
		if seg == "" {
			continue
		}
		at += "/" + seg
		parent, key, e, err := m.find(at, true)
		if err != nil {
			panic(fmt.Sprintf("disk: %s: %v", at, err))
		}
		if e.node == nil {
			parent.entries[key] = entry{e.name, m.newNode(fs.ModeDir | 0o755)}
			parent.syncEntries()
		}
	}
}

// put gives a node a name; follow writes through a symlink that leads nowhere yet.
func (m *memory) put(p string, n *node, follow bool) {
	dir, key, e := m.must(p, follow)
	name := e.name
	if e.node == nil && !follow || name == "" {
		name = baseOf(p)
	}
	dir.entries[key] = entry{name, n}
	dir.syncEntries()
}

func baseOf(p string) string { return filepath.Base(filepath.FromSlash(slashed(p))) }
