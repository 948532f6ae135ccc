package disk

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// A world is a disk, and another program that uses it.
type world interface {
	FS
	WriteFile(path string, content []byte)
	SaveByRename(path string, content []byte)
	Symlink(target, path string)
	Mkdir(path string)
	SetMode(path string, mode fs.FileMode)
	Move(from, to string)
	RemoveAll(path string)
	Content(path string) ([]byte, bool)
	Files(dir string) map[string][]byte
}

// twins are the disks that the suite runs over, each with an empty directory.
func twins(t *testing.T, run func(t *testing.T, w world, root string)) {
	clock := func() time.Time { return time.Unix(1_800_000_000, 0) }
	for name, o := range map[string]MemoryOptions{
		"memory": {}, "memory without exchange": {NoExchange: true}, "memory without links": {NoExchange: true, NoLinks: true},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMemory(ticking(clock), o)
			m.Mkdir("/home/u")
			run(t, m, filepath.FromSlash("/home/u"))
		})
	}
	for name, lacks := range map[string]lacking{"system": {}, "system without exchange": {exchanges: true}, "system without links": {true, true}} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && lacks.exchanges {
				t.Skip("ReplaceFile is always there")
			}
			d := OS()
			d.sys = lacks
			root, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			run(t, &osWorld{d, t}, root)
		})
	}
}

// ticking is a clock that never reads the same twice.
func ticking(c Clock) Clock {
	n := time.Duration(0)
	return func() time.Time { n += time.Millisecond; return c().Add(n) }
}

// lacking is the system on a filesystem that can do less.
type lacking struct{ exchanges, links bool }

func (l lacking) exchange(a, b string) error {
	if l.exchanges {
		return errUnsupported
	}
	return system{}.exchange(a, b)
}

func (l lacking) renameNew(a, b string) error {
	if l.exchanges {
		return errUnsupported
	}
	return system{}.renameNew(a, b)
}

func (l lacking) link(a, b string) error {
	if l.links {
		return errUnsupported
	}
	return system{}.link(a, b)
}

func (lacking) lstat(p string) (Info, error)                    { return system{}.lstat(p) }
func (lacking) stat(p string) (Info, error)                     { return system{}.stat(p) }
func (lacking) readlink(p string) (string, error)               { return system{}.readlink(p) }
func (lacking) readDir(p string) ([]Info, error)                { return system{}.readDir(p) }
func (lacking) scan(p string, fn func(Info, error) error) error { return system{}.scan(p, fn) }
func (lacking) open(p string) (file, error)                     { return system{}.open(p) }
func (lacking) create(p string, m fs.FileMode) (newFile, error) { return system{}.create(p, m) }
func (lacking) held(p string) bool                              { return system{}.held(p) }
func (lacking) inherit(f newFile, from string, m *fs.FileMode) error {
	return system{}.inherit(f, from, m)
}
func (lacking) chmod(p string, m fs.FileMode) error { return system{}.chmod(p, m) }
func (lacking) mkdir(p string) error                { return system{}.mkdir(p) }
func (lacking) rename(a, b string) error            { return system{}.rename(a, b) }
func (lacking) unlink(p string) error               { return system{}.unlink(p) }
func (lacking) rmdir(p string) error                { return system{}.rmdir(p) }
func (lacking) syncDir(p string) error              { return system{}.syncDir(p) }
func (lacking) syncFiles(f []newFile) error         { return system{}.syncFiles(f) }
func (lacking) syncDirs(d []string) error           { return system{}.syncDirs(d) }
func (lacking) tag() string                         { return system{}.tag() }
func (lacking) between(string)                      {}

type osWorld struct {
	*Disk
	t *testing.T
}

func (w *osWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *osWorld) WriteFile(p string, b []byte) {
	w.Mkdir(filepath.Dir(p))
	w.must(os.WriteFile(p, b, 0o644))
}
func (w *osWorld) SaveByRename(p string, b []byte) {
	w.WriteFile(p+".save", b)
	w.must(os.Rename(p+".save", p))
}
func (w *osWorld) Symlink(target, p string)        { w.must(os.Symlink(target, p)) }
func (w *osWorld) Mkdir(p string)                  { w.must(os.MkdirAll(p, 0o755)) }
func (w *osWorld) SetMode(p string, m fs.FileMode) { w.must(os.Chmod(p, m)) }
func (w *osWorld) Move(from, to string)            { w.must(os.Rename(from, to)) }
func (w *osWorld) RemoveAll(p string)              { w.must(os.RemoveAll(p)) }
func (w *osWorld) Content(p string) ([]byte, bool) {
	b, err := os.ReadFile(p)
	return b, err == nil
}
func (w *osWorld) Files(dir string) map[string][]byte {
	all := map[string][]byte{}
	w.must(filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all[p], err = os.ReadFile(p)
		}
		return err
	}))
	return all
}
