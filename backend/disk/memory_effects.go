package disk

import (
	"errors"
	"io/fs"
)

// effect runs one effect of this process on the disk, or crashes before, in the middle of
// or after it. torn does a part of it, and is nil where there are no parts. The caller holds mu.
func (m *memory) effect(op, p string, whole func() error, torn func()) error {
	if err := m.look(op, p); err != nil {
		if torn != nil && !m.crashed {
			torn() // a full disk takes what it can
		}
		return err
	}
	m.effects++
	fate := Go
	if m.effects == m.crashAt {
		fate = m.crashAs
	}
	if m.o.Effect != nil && fate == Go {
		fate = m.o.Effect(op, p)
	}
	switch fate {
	case Go:
		return whole()
	case CrashTorn:
		if torn != nil {
			torn()
		}
	case CrashAfter:
		_ = whole()
	}
	m.crashed = true
	return ErrCrashed
}

// change runs an effect on names: the entries that set returns take effect at one instant.
func (m *memory) change(op, p string, plan func() (*node, dirOp, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.effect(op, p, func() error {
		dir, o, err := plan()
		if err != nil {
			return err
		}
		o.apply(dir.entries)
		dir.pending = append(dir.pending, o)
		return nil
	}, nil)
}

func (m *memory) create(p string, mode fs.FileMode) (newFile, error) {
	var h *handle
	err := m.change("create", p, func() (*node, dirOp, error) {
		dir, key, e, err := m.find(p, false)
		if err != nil {
			return nil, nil, err
		}
		if e.node != nil {
			return nil, nil, fs.ErrExist
		}
		n := m.newNode(mode.Perm() &^ 0o022)
		n.writer = m.life + 1
		n.dirty = true
		h = &handle{m: m, n: n, path: p, life: m.life}
		return dir, dirOp{{key, entry{e.name, n}}}, nil
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (h *handle) Write(b []byte) (n int, err error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if h.life != h.m.life {
		return 0, ErrCrashed
	}
	put := func(b []byte) {
		h.n.data = append(h.n.data[:len(h.n.data):len(h.n.data)], b...)
		h.n.dirty = true
		h.n.touch(h.m)
	}
	err = h.m.effect("write", h.path, func() error {
		put(b)
		n = len(b)
		return nil
	}, func() { put(b[:len(b)/2]) })
	return n, err
}

func (n *node) touch(m *memory) {
	n.mtime = m.clock().UnixNano()
	n.ctime = n.mtime
}

func (h *handle) settle() error { return nil }

func (h *handle) sync() error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if h.life != h.m.life {
		return ErrCrashed
	}
	return h.m.effect("sync", h.path, func() error {
		h.n.sync()
		return nil
	}, nil)
}

func (n *node) sync() {
	n.durable, n.dirty = append([]byte(nil), n.data...), false
}

func (m *memory) syncFiles(fs []newFile) error {
	for _, f := range fs {
		if err := f.sync(); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) inherit(f newFile, from string, mode *fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.effect("inherit", from, func() error {
		old, err := m.get(from, false)
		if err != nil {
			return err
		}
		n := f.(*handle).n
		n.mode = old.mode
		if mode != nil {
			n.mode = *mode
		}
		n.ctime = m.clock().UnixNano()
		return nil
	}, nil)
}

func (m *memory) chmod(p string, mode fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.effect("chmod", p, func() error {
		n, err := m.get(p, true)
		if err != nil {
			return err
		}
		n.mode, n.ctime = mode, m.clock().UnixNano()
		return nil
	}, nil)
}

func (m *memory) mkdir(p string) error {
	return m.change("mkdir", p, func() (*node, dirOp, error) {
		dir, key, e, err := m.find(p, false)
		if err != nil {
			return nil, nil, err
		}
		if e.node != nil {
			return nil, nil, fs.ErrExist
		}
		return dir, dirOp{{key, entry{e.name, m.newNode(fs.ModeDir | 0o755)}}}, nil
	})
}

func (m *memory) rename(from, to string) error { return m.move("rename", from, to, true) }

func (m *memory) renameNew(from, to string) error {
	if m.o.NoExchange {
		return errUnsupported
	}
	return m.move("rename", from, to, false)
}

// move is a rename within one directory: this package needs no other.
func (m *memory) move(op, from, to string, replace bool) error {
	return m.change(op, to, func() (*node, dirOp, error) {
		dir, k1, e1, err := m.find(from, false)
		if err != nil {
			return nil, nil, err
		}
		dir2, k2, e2, err := m.find(to, false)
		switch {
		case err != nil:
			return nil, nil, err
		case e1.node == nil:
			return nil, nil, fs.ErrNotExist
		case dir != dir2:
			panic("disk: rename from one directory to another")
		case e2.node != nil && !replace:
			return nil, nil, fs.ErrExist
		case e1.node.locked || e2.node != nil && e2.node.locked:
			return nil, nil, ErrLocked
		case e2.node != nil && e2.node.mode.IsDir():
			return nil, nil, ErrOdd
		}
		e1.node.ctime = m.clock().UnixNano()
		if k1 == k2 {
			return dir, dirOp{{k1, entry{baseOf(to), e1.node}}}, nil
		}
		return dir, dirOp{{k1, entry{}}, {k2, entry{baseOf(to), e1.node}}}, nil
	})
}

func (m *memory) exchange(a, b string) error {
	if m.o.NoExchange {
		return errUnsupported
	}
	return m.change("exchange", b, func() (*node, dirOp, error) {
		dir, k1, e1, err := m.find(a, false)
		if err != nil {
			return nil, nil, err
		}
		_, k2, e2, err := m.find(b, false)
		switch {
		case err != nil:
			return nil, nil, err
		case e1.node == nil || e2.node == nil:
			return nil, nil, fs.ErrNotExist
		case e1.node.locked || e2.node.locked:
			return nil, nil, ErrLocked
		}
		e1.node.ctime = m.clock().UnixNano()
		e2.node.ctime = e1.node.ctime
		return dir, dirOp{{k1, entry{e1.name, e2.node}}, {k2, entry{e2.name, e1.node}}}, nil
	})
}

func (m *memory) link(from, to string) error {
	if m.o.NoLinks {
		return errUnsupported
	}
	return m.change("link", to, func() (*node, dirOp, error) {
		n, err := m.get(from, false)
		if err != nil {
			return nil, nil, err
		}
		dir, key, e, err := m.find(to, false)
		if err == nil && e.node != nil {
			err = fs.ErrExist
		}
		if err == nil && n.locked {
			err = ErrLocked
		}
		if err != nil {
			return nil, nil, err
		}
		n.ctime = m.clock().UnixNano()
		return dir, dirOp{{key, entry{e.name, n}}}, nil
	})
}

func (m *memory) unlink(p string) error {
	return m.change("unlink", p, func() (*node, dirOp, error) {
		dir, key, e, err := m.find(p, false)
		switch {
		case err != nil:
			return nil, nil, err
		case e.node == nil:
			return nil, nil, fs.ErrNotExist
		case e.node.mode.IsDir():
			return nil, nil, ErrOdd
		case e.node.locked:
			return nil, nil, ErrLocked
		}
		return dir, dirOp{{key, entry{}}}, nil
	})
}

func (m *memory) rmdir(p string) error {
	return m.change("rmdir", p, func() (*node, dirOp, error) {
		dir, key, e, err := m.find(p, false)
		switch {
		case err != nil:
			return nil, nil, err
		case e.node == nil:
			return nil, nil, fs.ErrNotExist
		case !e.node.mode.IsDir():
			return nil, nil, ErrOdd
		case len(e.node.entries) > 0:
			return nil, nil, fs.ErrExist
		}
		return dir, dirOp{{key, entry{}}}, nil
	})
}

func (m *memory) syncDir(p string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.effect("syncdir", p, func() error {
		n, err := m.get(p, true)
		if err != nil {
			return err
		}
		n.syncEntries()
		return nil
	}, nil)
}

func (m *memory) syncDirs(dirs []string) error {
	for _, d := range dirs {
		if err := m.syncDir(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
