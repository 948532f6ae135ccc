package disk

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
)

// Disk is an FS over a system's operations.
type Disk struct {
	sys     calls
	workers int // how many files Write writes beside at once

	mu      sync.Mutex // guards removed
	removed *dirSet    // where own files were removed since the last Settle
}

var _ FS = (*Disk)(nil)

// tries is how often a file that keeps changing is read anew before giving up.
const tries = 8

// maxLinks is how many symlinks one path may lead through; Linux has 40.
const maxLinks = 40

func (d *Disk) Stat(path string) (Info, error) {
	i, err := d.sys.stat(path)
	return i, fail("stat", path, err)
}

func (d *Disk) Lstat(path string) (Info, error) {
	i, err := d.sys.lstat(path)
	return i, fail("stat", path, err)
}

func (d *Disk) Real(path string) (string, error) {
	links := 0
	vol := filepath.VolumeName(path)
	sep := string(filepath.Separator)
	done := vol + sep
	todo := strings.Split(strings.TrimPrefix(filepath.Clean(path), vol), sep)
	for len(todo) > 0 {
		seg := todo[0]
		todo = todo[1:]
		switch seg {
		case "", ".":
			continue
		case "..":
			done = filepath.Dir(done)
			continue
		}
		next := filepath.Join(done, seg)
		i, err := d.sys.lstat(next)
		if errors.Is(err, fs.ErrNotExist) {
			return filepath.Join(append([]string{next}, todo...)...), nil
		}
		if err != nil {
			return "", fail("resolve", path, err)
		}
		if i.Mode&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", &Error{Op: "resolve", Path: path, Code: ErrOdd, Err: errors.New("symlinks lead in a circle")}
		}
		to, err := d.sys.readlink(next)
		if err != nil {
			return "", fail("resolve", path, err)
		}
		if v := filepath.VolumeName(to); filepath.IsAbs(to) {
			done, to = v+sep, strings.TrimPrefix(to, v)
		}
		todo = append(strings.Split(filepath.FromSlash(to), sep), todo...)
	}
	return done, nil
}

func (d *Disk) Read(path string, limit int64) ([]byte, Info, error) {
	for range tries {
		b, i, err := d.readOnce(path, limit)
		if err == nil || !errors.Is(err, ErrChanged) {
			return b, i, err
		}
	}
	return nil, Info{}, refuse("read", path, ErrChanged)
}

func (d *Disk) readOnce(path string, limit int64) (_ []byte, _ Info, err error) {
	r, i, err := d.Open(path)
	if err != nil {
		return nil, Info{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if limit > 0 && i.Size > limit {
		return nil, Info{}, refuse("read", path, ErrTooLarge)
	}
	b := make([]byte, i.Size+1)
	n, err := io.ReadFull(r, b)
	switch {
	case err == nil:
		return nil, Info{}, refuse("read", path, ErrChanged) // it grew
	case err != io.ErrUnexpectedEOF && err != io.EOF:
		return nil, Info{}, fail("read", path, err)
	case int64(n) != i.Size:
		return nil, Info{}, refuse("read", path, ErrChanged)
	}
	return b[:n:n], i, nil
}

func (d *Disk) Open(path string) (Reader, Info, error) {
	// A pipe or a device must not even be opened: that may wait, or do something.
	i, err := d.sys.stat(path)
	if err != nil {
		return nil, Info{}, fail("open", path, err)
	}
	if !i.Mode.IsRegular() {
		return nil, Info{}, refuse("open", path, ErrOdd)
	}
	f, err := d.sys.open(path)
	if err != nil {
		return nil, Info{}, fail("open", path, err)
	}
	if i, err = f.info(); err == nil && !i.Mode.IsRegular() {
		err = refuse("open", path, ErrOdd)
	}
	if err != nil {
		f.Close()
		return nil, Info{}, fail("open", path, err)
	}
	i.Path, i.Name = path, filepath.Base(path)
	return &steady{f, i}, i, nil
}

// steady notices, on Close, that the file changed while it was read.
type steady struct {
	file
	was Info
}

func (s *steady) Read(b []byte) (int, error) {
	n, err := s.file.Read(b)
	if err != nil && err != io.EOF {
		err = fail("read", s.was.Path, err)
	}
	return n, err
}

func (s *steady) Close() error {
	i, err := s.file.info()
	if cerr := s.file.Close(); err == nil {
		err = cerr
	}
	if err == nil && i.Stamp != s.was.Stamp {
		err = refuse("read", s.was.Path, ErrChanged)
	}
	return fail("read", s.was.Path, err)
}

func (d *Disk) List(dir string) ([]Info, error) {
	all, err := d.sys.readDir(dir)
	if err != nil {
		return nil, fail("list", dir, err)
	}
	kept := all[:0]
	for _, i := range all {
		if !Own(i.Name) {
			kept = append(kept, i)
		}
	}
	return kept, nil
}

func (d *Disk) Scan(root string, fn func(Info, error) error) error {
	err := d.sys.scan(root, func(i Info, err error) error {
		if Own(i.Name) {
			return nil
		}
		return fn(i, fail("list", i.Path, err))
	})
	return fail("scan", root, err)
}

func (d *Disk) RemoveDir(dir string) error {
	all, err := d.sys.readDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(all) > 0 {
		return nil
	}
	if err == nil {
		if err = d.sys.rmdir(dir); err == nil {
			d.note(dir)
		}
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		return nil // somebody was quicker: gone, or no longer empty
	}
	return fail("remove", dir, err)
}
