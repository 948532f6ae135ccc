package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"plait/backend/chunk"
	"plait/backend/item"
	"plait/backend/store"
)

// A Spool keeps packs until the store has them, so that a retry sends the same bytes.
type Spool interface {
	chunk.Spool
	// Put sends a pack to the store.
	Put(ctx context.Context, s *store.Store, name item.Hash) error
	// Read returns a part of a pack, or fs.ErrNotExist.
	Read(name item.Hash, offset, size int64) ([]byte, error)
	// Remove deletes a pack that the store has.
	Remove(name item.Hash) error
	// Clean deletes what a crash cut, and every pack that keep does not have.
	Clean(keep map[item.Hash]bool) error
}

func packName(h item.Hash) string { return store.HashName(store.Packs, h) }

// FolderSpool is the Spool of a real device. Packs lie there as sealed as they
// will in the store.
type FolderSpool struct{ chunk.DirSpool }

// Create implements chunk.Spool. The folder is made with the first pack.
func (s FolderSpool) Create() (chunk.SpoolFile, error) {
	f, err := s.DirSpool.Create()
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := os.MkdirAll(string(s.DirSpool), 0o700); err != nil {
		return nil, err
	}
	return s.DirSpool.Create()
}

// Put implements Spool.
func (s FolderSpool) Put(ctx context.Context, st *store.Store, name item.Hash) error {
	return st.PutFile(ctx, packName(name), s.Path(name))
}

// Read implements Spool.
func (s FolderSpool) Read(name item.Hash, offset, size int64) ([]byte, error) {
	f, err := os.Open(s.Path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, size)
	n, err := f.ReadAt(b, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:n], nil
}

// Clean implements Spool.
func (s FolderSpool) Clean(keep map[item.Hash]bool) error {
	if err := s.DirSpool.Clean(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	es, err := os.ReadDir(string(s.DirSpool))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for h := range keep {
		kept[s.Path(h)] = true
	}
	for _, e := range es {
		p := string(s.DirSpool) + string(os.PathSeparator) + e.Name()
		if !kept[p] {
			if err := os.Remove(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// MemorySpool is its twin for the simulation.
type MemorySpool struct {
	*chunk.MemSpool
	Names map[item.Hash]bool
}

// Put implements Spool.
func (s MemorySpool) Put(ctx context.Context, st *store.Store, name item.Hash) error {
	b := s.Pack(name)
	if b == nil {
		return fmt.Errorf("pack %s: %w", name, fs.ErrNotExist)
	}
	return st.Put(ctx, packName(name), b)
}

// Read implements Spool.
func (s MemorySpool) Read(name item.Hash, offset, size int64) ([]byte, error) {
	b := s.Pack(name)
	if b == nil {
		return nil, fmt.Errorf("pack %s: %w", name, fs.ErrNotExist)
	}
	if offset > int64(len(b)) {
		return nil, nil
	}
	return bytes.Clone(b[offset:min(int64(len(b)), offset+size)]), nil
}

// Remove implements Spool.
func (s MemorySpool) Remove(name item.Hash) error { s.MemSpool.Remove(name); return nil }

// Clean implements Spool. A pack that nothing names is never asked for again.
func (s MemorySpool) Clean(map[item.Hash]bool) error { return nil }
