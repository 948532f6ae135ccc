package chunk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"plait/backend/item"
)

// A Spool keeps finished packs until a store has them, so that a retry sends the
// same bytes. Its methods may be called concurrently.
type Spool interface {
	// Create starts a pack, empty and under no name yet.
	Create() (SpoolFile, error)

	// Sync returns once every pack that was kept would still be there after a crash.
	Sync() error
}

// A SpoolFile is a pack being written, by one goroutine at a time. Exactly one of
// Keep and Discard ends it.
type SpoolFile interface {
	io.Writer

	// Keep ends the pack, durably (with the spool's Sync), under its name. It will not change any more.
	Keep(p item.Pack) error

	// Discard removes it.
	Discard()
}

// A DirSpool is a folder of packs: <hash>.pack each, and .tmp what a crash cut.
type DirSpool string

// Path is where the pack of that name lies.
func (d DirSpool) Path(name item.Hash) string {
	return filepath.Join(string(d), name.String()+".pack")
}

// Create implements Spool.
func (d DirSpool) Create() (SpoolFile, error) {
	// Not private by its mode, since a folder store links it as it is: what is in it is
	// sealed, and the spool's folder is the device's own.
	name := filepath.Join(string(d), rand.Text()+".tmp")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("start a pack: %w", err)
	}
	return &dirFile{f, d}, nil
}

// Sync implements Spool.
func (d DirSpool) Sync() error { return syncDir(string(d)) }

// Remove deletes a pack that a store has; one that is not there is no error.
func (d DirSpool) Remove(name item.Hash) error {
	err := os.Remove(d.Path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Clean deletes the packs that a crash cut. Call it while nothing is being written.
func (d DirSpool) Clean() error {
	cut, err := filepath.Glob(filepath.Join(string(d), "*.tmp"))
	for _, path := range cut {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

type dirFile struct {
	*os.File
	dir DirSpool
}

func (f *dirFile) Keep(p item.Pack) error {
	err := f.File.Sync()
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), f.dir.Path(p.Name))
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("keep pack %s: %w", p.Name, err)
	}
	return nil
}

func (f *dirFile) Discard() {
	f.Close()
	os.Remove(f.Name())
}

// A MemSpool keeps packs in memory, for tests and the simulation. The zero value is ready.
type MemSpool struct {
	mu    sync.Mutex
	packs map[item.Hash][]byte
}

// Create implements Spool.
func (m *MemSpool) Create() (SpoolFile, error) { return &memFile{spool: m}, nil }

// Sync implements Spool.
func (m *MemSpool) Sync() error { return nil }

// Pack returns a kept pack's bytes, nil if there is none.
func (m *MemSpool) Pack(name item.Hash) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.packs[name]
}

// Remove forgets a pack.
func (m *MemSpool) Remove(name item.Hash) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.packs, name)
}

type memFile struct {
	spool *MemSpool
	body  []byte
}

func (f *memFile) Write(p []byte) (int, error) {
	f.body = append(f.body, p...)
	return len(p), nil
}

func (f *memFile) Keep(p item.Pack) error {
	f.spool.mu.Lock()
	defer f.spool.mu.Unlock()
	if f.spool.packs == nil {
		f.spool.packs = map[item.Hash][]byte{}
	}
	f.spool.packs[p.Name] = f.body
	return nil
}

func (f *memFile) Discard() { f.body = nil }
