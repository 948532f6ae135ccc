package localdb

import (
	"sync"
)

// Memory is a database in memory: the twin of Badger for tests and the
// simulation. It draws nothing at random and starts nothing, so one order of
// calls gives one outcome. What a crash can do to it is decided by Hook.
type Memory struct {
	writing sync.Mutex // held by the one Update that runs; guards points

	points int
	hook   Hook

	state sync.Mutex // guards what follows
	root  *node
	info  Info
	dead  error // why Update fails since; only Reopen helps
	shut  bool
}

var _ DB = (*Memory)(nil)

// A Hook is called at each write point: before a transaction is committed
// (committed false) and right after (true). Points are numbered from 1, two for
// each transaction that wrote something. If the hook returns an error, Update
// returns it, as code ErrBroken, and the database is out of use until Reopen, as
// after a crash there; it may panic instead, and does the same. Write ErrFull to
// refuse the transaction, without a crash.
type Hook func(point int, committed bool) error

// NewMemory returns an empty database.
func NewMemory() *Memory { return &Memory{info: Info{Fresh: true}} }

// SetHook calls hook at each write point from now on; nil: none.
func (m *Memory) SetHook(hook Hook) {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.hook = hook
}

// Points is how many write points have been passed.
func (m *Memory) Points() int {
	m.writing.Lock()
	defer m.writing.Unlock()
	return m.points
}

// Reopen is what a new process finds: every committed transaction. The old handle
// of the same database must not be used on; the hook and the points stay.
func (m *Memory) Reopen() {
	m.state.Lock()
	defer m.state.Unlock()
	m.dead, m.shut = nil, false
}

// Clone returns a second database with the same content, which shares nothing
// with the first from then on: a copied disk, or, used later, a restored backup.
// found is what its opening is to find out (Fresh and Counter are its own): a
// virtual machine's clone finds nothing.
func (m *Memory) Clone(found Info) *Memory {
	m.state.Lock()
	defer m.state.Unlock()
	found.Fresh, found.Counter = m.info.Fresh, m.info.Counter
	return &Memory{root: m.root, info: found}
}

// Info says what was found out at opening.
func (m *Memory) Info() Info {
	m.state.Lock()
	defer m.state.Unlock()
	return m.info
}

// View runs fn over one consistent state.
func (m *Memory) View(fn func(Tx) error) error {
	root, err := m.begin(false)
	if err != nil {
		return err
	}
	return fn(&memTx{root: root})
}

// Update runs fn and commits what it wrote; see DB.
func (m *Memory) Update(fn func(Tx) error) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	root, err := m.begin(true)
	if err != nil {
		return err
	}
	t := &memTx{root: root, writable: true}
	if err := fn(t); err != nil {
		return err
	}
	if len(t.rows) == 0 {
		return nil
	}
	for _, k := range t.keys() {
		if c := t.rows[k]; c.remove {
			root = root.without(k)
		} else {
			root = root.with(k, c.value)
		}
	}
	return m.commit(func() {
		m.root = root
		m.info.Fresh = false
		m.info.Counter++
	})
}

// Accept clears what Info flags.
func (m *Memory) Accept() error {
	m.writing.Lock()
	defer m.writing.Unlock()
	if _, err := m.begin(true); err != nil {
		return err
	}
	if !m.Info().Doubtful() {
		return nil
	}
	return m.commit(func() { m.info = Info{Counter: m.info.Counter + 1} })
}

// Close ends the use of the database. What is in it can be had by Reopen.
func (m *Memory) Close() error {
	m.state.Lock()
	defer m.state.Unlock()
	m.shut = true
	return nil
}

func (m *Memory) begin(write bool) (*node, error) {
	m.state.Lock()
	defer m.state.Unlock()
	switch {
	case m.shut:
		return nil, ErrClosed
	case m.dead != nil && write:
		return nil, &opError{"update", ErrBroken, m.dead}
	}
	return m.root, nil
}

func (m *Memory) commit(change func()) error {
	if err := m.at(false); err != nil {
		return err
	}
	m.state.Lock()
	change()
	m.state.Unlock()
	return m.at(true)
}

// at passes a write point.
func (m *Memory) at(committed bool) (err error) {
	m.points++
	if m.hook == nil {
		return nil
	}
	crashed := true // unless the hook returns
	defer func() {
		if !crashed {
			return
		}
		m.state.Lock()
		defer m.state.Unlock()
		m.dead = ErrBroken
		if err != nil {
			m.dead = err
			err = &opError{"commit", ErrBroken, err}
		}
	}()
	err = m.hook(m.points, committed)
	crashed = err != nil && (committed || err != ErrFull)
	return err
}

// memTx is a transaction over one root.
type memTx struct {
	root     *node
	writable bool
	overlay
}

func (t *memTx) Get(key string) ([]byte, bool, error) {
	if err := checkKey(key); err != nil {
		return nil, false, err
	}
	if c, ok := t.rows[key]; ok {
		return c.value, !c.remove, nil
	}
	v, ok := t.root.get(key)
	return v, ok, nil
}

func (t *memTx) Set(key string, value []byte) error {
	return t.change(key, change{value: append([]byte{}, value...)})
}

func (t *memTx) Delete(key string) error { return t.change(key, change{remove: true}) }

func (t *memTx) change(key string, c change) error {
	if !t.writable {
		return ErrReadOnly
	}
	if err := checkKey(key); err != nil {
		return err
	}
	t.set(key, c)
	return nil
}

func (t *memTx) Scan(prefix string, fn func(key string, value []byte) error) error {
	changed := t.under(prefix)
	err := t.root.scan(prefix, func(key string, value []byte) error {
		var hidden bool
		var err error
		if changed, hidden, err = t.before(changed, key, false, fn); err != nil || hidden {
			return err
		}
		return fn(key, value)
	})
	if err == nil {
		_, _, err = t.before(changed, "", true, fn)
	}
	return stopped(err)
}

// Dump returns a copy of everything, for tests to compare.
func Dump(db DB) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := db.View(func(tx Tx) error {
		return tx.Scan("", func(k string, v []byte) error {
			all[k] = v
			return nil
		})
	})
	return all, err
}
