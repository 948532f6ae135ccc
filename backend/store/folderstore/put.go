package folderstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"plait/backend/store/driver"
)

// Temporary files lie beside what they become, so that the rename stays within one
// directory. Their names are those that Syncthing (lib/fs/tempname.go) and Dropbox
// ("~" first, ".tmp" last) take for temporary and do not carry.
const (
	tempPrefix = "~syncthing~plait-"
	tempSuffix = ".tmp"

	// tempAge is when a temporary file is taken for a crash's: nothing writes that long.
	tempAge = 24 * time.Hour
)

// step is how much is read or written between looks at whether the caller still waits.
const step = 4 << 20

// Put implements driver.Bucket.
func (b *Bucket) Put(ctx context.Context, name string, body []byte) error {
	if err := errors.Join(ctx.Err(), driver.CheckName(name)); err != nil {
		return err
	}
	if done, err := b.there(ctx, name, bytes.NewReader(body), int64(len(body))); done {
		return err
	}
	return b.write(ctx, name, bytes.NewReader(body), int64(len(body)))
}

// PutFile implements driver.FilePutter: by a hard link, else by a copy, which the
// system makes without moving bytes where it can (copy_file_range, reflinks).
func (b *Bucket) PutFile(ctx context.Context, name, path string) error {
	if err := errors.Join(ctx.Err(), driver.CheckName(name)); err != nil {
		return err
	}
	f, err := openRegular(path)
	if err != nil {
		return source(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return source(err)
	}
	if done, err := b.there(ctx, name, f, info.Size()); done {
		return err
	}
	done, err := b.link(ctx, name, f, info)
	if done || err != nil {
		return err
	}
	return b.write(ctx, name, f, info.Size())
}

// source is an error of the file that was to be put: not the store's.
func source(err error) error {
	return fmt.Errorf("read what is to be put (%v): %w", err, driver.Unknown)
}

// there answers a Put of what is in the store already.
func (b *Bucket) there(ctx context.Context, name string, body io.ReaderAt, size int64) (done bool, err error) {
	f, err := openRegular(b.path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case isNotDir(err):
		return true, b.gone()
	case errors.Is(err, errIrregular):
		return true, fmt.Errorf("put %s: %w (%w)", name, driver.Exists, err)
	case err != nil:
		return true, read(fmt.Errorf("look at %s: %w", name, err))
	}
	defer f.Close()
	same, err := equal(ctx, f, body, size)
	switch {
	case err != nil:
		return true, read(fmt.Errorf("compare with %s: %w", name, err))
	case !same:
		return true, fmt.Errorf("put %s: %w", name, driver.Exists)
	}
	// Whoever put it may have died before it was durable.
	if err := f.Sync(); err != nil && !cannotSync(err) {
		return true, wrote(fmt.Errorf("sync %s: %w", name, err))
	}
	return true, b.durable(name)
}

// equal says whether the file holds exactly the size bytes of body.
func equal(ctx context.Context, f *os.File, body io.ReaderAt, size int64) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() != size {
		return false, err
	}
	x, y := make([]byte, min(size, step)), make([]byte, min(size, step))
	for at := int64(0); at < size; at += step {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n := min(step, size-at)
		if _, err := f.ReadAt(x[:n], at); err != nil {
			return false, err
		}
		if _, err := body.ReadAt(y[:n], at); err != nil {
			return false, source(err)
		}
		if !bytes.Equal(x[:n], y[:n]) {
			return false, nil
		}
	}
	return true, nil
}

// write writes a new object beside and renames it.
func (b *Bucket) write(ctx context.Context, name string, body io.Reader, size int64) error {
	if err := b.makeDir(name); err != nil {
		return err
	}
	path := b.path(name)
	temp := filepath.Join(filepath.Dir(path), newTempName())
	err := b.fill(ctx, temp, body, size)
	if err == nil {
		b.cleanOnce(filepath.Dir(path), temp)
		if err = b.effect("rename"); err == nil {
			err = publish(temp, path)
		}
	}
	if err != nil {
		b.discard(temp)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		// Put by somebody else since there looked: now it answers.
		if at, ok := body.(io.ReaderAt); ok {
			if done, err := b.there(ctx, name, at, size); done {
				return err
			}
		}
		return fmt.Errorf("put %s: %w", name, driver.Exists)
	case err != nil:
		return wrote(fmt.Errorf("put %s: %w", name, err))
	}
	return b.durable(name)
}

// fill writes the temporary file, durably.
func (b *Bucket) fill(ctx context.Context, temp string, body io.Reader, size int64) error {
	if err := b.effect("create"); err != nil {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	for left := size; left > 0 && err == nil; left -= step {
		if err = ctx.Err(); err != nil {
			break
		}
		if err = b.effect("write"); err == nil {
			_, err = io.CopyN(f, body, min(step, left))
		}
	}
	if err == nil {
		if err = b.effect("sync"); err == nil {
			err = f.Sync()
		}
	}
	return errors.Join(err, f.Close())
}

func (b *Bucket) discard(temp string) {
	if b.effect("discard") == nil {
		os.Remove(temp) // if it can't be, it is removed when old
	}
}

// link puts the file by a hard link; done is false where that can't be had.
func (b *Bucket) link(ctx context.Context, name string, f *os.File, info fs.FileInfo) (done bool, err error) {
	if err := b.makeDir(name); err != nil {
		return false, err
	}
	path := b.path(name)
	if err := b.effect("link"); err != nil {
		return true, wrote(err)
	}
	// The link shares the file's mode: it is to be as open as what is put by copying.
	if dir, err := os.Stat(filepath.Dir(path)); err == nil {
		if mode := dir.Mode().Perm() & 0o666; mode != info.Mode().Perm() && f.Chmod(mode) != nil {
			return false, nil
		}
	}
	if err := f.Sync(); err != nil && !cannotSync(err) {
		return true, source(err)
	}
	err = os.Link(f.Name(), path)
	switch {
	case errors.Is(err, fs.ErrExist):
		done, err := b.there(ctx, name, f, info.Size())
		return done, err
	case err != nil:
		return false, nil // another device, or no hard links here: whatever it is, copying shows it again
	}
	return true, b.durable(name)
}

// makeDir makes the directory that the object lies in, if the store is there and
// just has none yet.
func (b *Bucket) makeDir(name string) error {
	dir := filepath.Dir(b.path(name))
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if dir == filepath.Clean(b.root) || !b.alive() {
		return b.gone()
	}
	err := b.effect("mkdir")
	if err == nil {
		err = os.Mkdir(dir, 0o777)
	}
	if err == nil {
		err = b.syncDir(b.root)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return wrote(fmt.Errorf("make %s: %w", filepath.Base(dir), err))
	}
	return nil
}

func newTempName() string {
	var id [8]byte
	rand.Read(id[:])
	return tempPrefix + hex.EncodeToString(id[:]) + tempSuffix
}

// cleanOnce removes what crashes left in the directory, the first time that something is
// written there. Ages are told against our own new file, so by the clock of whoever
// keeps the folder.
func (b *Bucket) cleanOnce(dir, ours string) {
	if !b.group(dir).cleaned.CompareAndSwap(false, true) {
		return
	}
	now, err := os.Lstat(ours)
	entries, err2 := os.ReadDir(dir)
	if err != nil || err2 != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) || !strings.HasSuffix(e.Name(), tempSuffix) {
			continue
		}
		if info, err := e.Info(); err == nil && now.ModTime().Sub(info.ModTime()) > tempAge {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
