// Package folderstore is a store that is a folder: on a disk, on a NAS, or one that
// Dropbox, Syncthing or their like carry from machine to machine.
//
//	put: temporary file → fsync → rename, never over anything → fsync of the directory
//
// # Guarantees
//
//   - F1 A crash, a cut or a cancel leaves an object whole or not at all. What it may
//     leave is a temporary file, under a name that no object can have and that
//     carrying tools pass over; it is removed once it is a day old.
//   - F2 Put returns once the object would survive a power cut.
//   - F3 The folder is made by Create alone. If it goes away (a drive that is not
//     mounted, a folder that was moved) the code is Missing, and nothing is written in its place.
//   - F4 What other programs put there is passed over: conflict copies, partial
//     files, symlinks, anything whose name no object can have.
//
// What it can't promise: a carrying tool may bring objects in any order, half of one,
// or none yet. Whoever reads checks hashes (store.Store does).
package folderstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"plait/backend/store/driver"
)

// A Bucket is a driver.Bucket, FilePutter and Watcher over a folder.
type Bucket struct {
	root string
	// fresh is true from Create until there is a vault.json: until then an empty folder is
	// a new store, after that it is a drive that is not mounted.
	fresh atomic.Bool
	dirs  sync.Map // of *group by directory, which syncs it for several puts at once
	// hook is called before each effect on the disk, nil but in tests, which fail or
	// crash there.
	hook func(effect string) error
}

// marker is the object that every vault has from its first moment on.
const marker = "vault.json"

// largest is the largest object that Get returns; Plait writes none over 256 MiB.
const largest = 1 << 30

// Open returns the store that the folder is. Code Missing: there is no such folder.
func Open(path string) (*Bucket, error) {
	b := &Bucket{root: path}
	if err := b.checkRoot(); err != nil {
		return nil, err
	}
	return b, nil
}

// Create makes the folder, and those above it, if it is not there; and returns the
// store. What is in it stays.
func Create(path string) (*Bucket, error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, wrote(fmt.Errorf("create the folder: %w", err))
	}
	b, err := Open(path)
	if err != nil {
		return nil, err
	}
	if err := b.syncDir(filepath.Dir(path)); err != nil {
		return nil, wrote(err)
	}
	b.fresh.Store(!b.has(marker))
	return b, nil
}

// Get implements driver.Bucket.
func (b *Bucket) Get(ctx context.Context, name string, r driver.Range) ([]byte, error) {
	if err := errors.Join(ctx.Err(), driver.CheckName(name)); err != nil {
		return nil, err
	}
	f, err := openRegular(b.path(name))
	if err != nil {
		return nil, b.absent(name, err)
	}
	defer f.Close()
	body, err := readRange(ctx, f, r)
	if err != nil {
		return nil, read(fmt.Errorf("read %s: %w", name, err))
	}
	return body, nil
}

func readRange(ctx context.Context, f *os.File, r driver.Range) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if r.Offset < 0 || r.Size < 0 {
		return nil, fmt.Errorf("range of %d from %d", r.Size, r.Offset)
	}
	n := max(info.Size()-r.Offset, 0)
	if r.Size > 0 {
		n = min(n, r.Size)
	}
	if n > largest {
		return nil, fmt.Errorf("%d bytes are no object of ours", n)
	}
	body := make([]byte, n)
	for at := int64(0); at < n; at += step {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		got, err := f.ReadAt(body[at:min(at+step, n)], r.Offset+at)
		if err == io.EOF {
			return body[:at+int64(got)], nil // it became shorter: whoever carries the folder is at it
		}
		if err != nil {
			return nil, err
		}
	}
	return body, nil
}

// List implements driver.Bucket: one read of one directory, unless prefix is "".
func (b *Bucket) List(ctx context.Context, prefix string) ([]driver.Info, error) {
	if err := errors.Join(ctx.Err(), driver.CheckPrefix(prefix)); err != nil {
		return nil, err
	}
	if dir, _, ok := strings.Cut(prefix, "/"); ok {
		return b.listDir(ctx, dir, prefix)
	}
	entries, err := os.ReadDir(b.root)
	if err != nil {
		return nil, b.absent(marker, err)
	}
	if !b.alive() {
		return nil, b.gone()
	}
	var all []driver.Info
	for _, e := range entries {
		var infos []driver.Info
		switch {
		case e.IsDir() && driver.CheckPrefix(e.Name()+"/") == nil:
			infos, err = b.listDir(ctx, e.Name(), e.Name()+"/")
		case e.Name() == marker:
			infos = objects("", "", []fs.DirEntry{e})
		}
		if err != nil {
			return nil, err
		}
		all = append(all, infos...)
	}
	slices.SortFunc(all, func(a, b driver.Info) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

func (b *Bucket) listDir(ctx context.Context, dir, prefix string) ([]driver.Info, error) {
	entries, err := os.ReadDir(filepath.Join(b.root, dir))
	if errors.Is(err, fs.ErrNotExist) {
		if b.alive() {
			return nil, nil // nothing was put there so far
		}
		return nil, b.gone()
	}
	if err != nil {
		return nil, read(fmt.Errorf("list %s: %w", dir, err))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return objects(dir+"/", prefix, entries), nil
}

// objects are those entries of a directory that can be objects (F4).
func objects(dir, prefix string, entries []fs.DirEntry) []driver.Info {
	var infos []driver.Info
	for _, e := range entries {
		name := dir + e.Name()
		if !e.Type().IsRegular() || !strings.HasPrefix(name, prefix) || driver.CheckName(name) != nil {
			continue
		}
		if info, err := e.Info(); err == nil { // else it went away just now
			infos = append(infos, driver.Info{Name: name, Size: info.Size()})
		}
	}
	return infos
}

// Delete implements driver.Bucket.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	err := errors.Join(ctx.Err(), driver.CheckName(name))
	if err != nil {
		return err
	}
	if err = b.effect("remove"); err == nil {
		err = os.Remove(b.path(name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		if b.alive() {
			return nil
		}
		return b.gone()
	}
	if err != nil {
		return wrote(fmt.Errorf("delete %s: %w", name, err))
	}
	return nil // if a power cut brings it back, it is deleted again
}

// Code implements driver.Bucket.
func (b *Bucket) Code(err error) driver.Code { return driver.CodeOf(err) }

func (b *Bucket) path(name string) string { return filepath.Join(b.root, filepath.FromSlash(name)) }

func (b *Bucket) has(name string) bool {
	_, err := os.Lstat(b.path(name))
	return err == nil
}

// alive says whether the folder is a store, and not what is left where one was.
func (b *Bucket) alive() bool {
	if b.checkRoot() != nil {
		return false
	}
	if b.has(marker) {
		b.fresh.Store(false)
		return true
	}
	return b.fresh.Load()
}

func (b *Bucket) checkRoot() error {
	info, err := os.Stat(b.root)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir():
		return fmt.Errorf("no folder at %s: %w", b.root, driver.Missing)
	case err != nil:
		return read(fmt.Errorf("look at the folder: %w", err))
	}
	return nil
}

func (b *Bucket) gone() error {
	if err := b.checkRoot(); err != nil {
		return err
	}
	return fmt.Errorf("the folder at %s holds no %s: %w", b.root, marker, driver.Missing)
}

// absent classifies the error of opening an object: is it the object that is not
// there, or the store? An empty folder has no vault.json, which is no news where that
// is what was asked for.
func (b *Bucket) absent(name string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) && !isNotDir(err) {
		return read(fmt.Errorf("open %s: %w", name, err))
	}
	if b.alive() || name == marker && b.checkRoot() == nil {
		return fmt.Errorf("open %s: %w", name, driver.NotFound)
	}
	return b.gone()
}

// effect is where tests interfere.
func (b *Bucket) effect(what string) error {
	if b.hook == nil {
		return nil
	}
	return b.hook(what)
}
