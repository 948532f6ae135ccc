package disk

import (
	"crypto/rand"
	"encoding/base32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// OS is the system's disk.
func OS() *Disk { return &Disk{sys: system{}, workers: 4} }

// system makes the system's own calls. What differs between systems is in the files
// os_linux.go, os_darwin.go and so on.
type system struct{}

func (system) stat(path string) (Info, error) {
	i, err := os.Stat(path)
	if err != nil {
		return Info{}, err
	}
	return infoOf(path, i), nil
}

func infoOf(path string, i fs.FileInfo) Info {
	return Info{Path: path, Name: filepath.Base(path), Mode: i.Mode(), Size: i.Size(), Stamp: stampOf(i)}
}

func (system) readlink(path string) (string, error)   { return os.Readlink(path) }
func (system) mkdir(dir string) error                 { return os.Mkdir(dir, 0o777) }
func (system) chmod(path string, m fs.FileMode) error { return os.Chmod(path, m) }
func (system) rmdir(dir string) error                 { return rmdir(dir) }
func (system) unlink(path string) error               { return unlink(path) }
func (system) rename(from, to string) error           { return rename(from, to) }
func (system) renameNew(from, to string) error        { return renameNew(from, to) }
func (system) exchange(a, b string) error             { return exchange(a, b) }
func (system) link(from, to string) error             { return link(from, to) }
func (system) syncDir(dir string) error               { return syncDir(dir) }
func (system) between(string)                         {}

func (system) open(path string) (file, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

type osFile struct{ *os.File }

func (f osFile) info() (Info, error) {
	i, err := f.Stat()
	if err != nil {
		return Info{}, err
	}
	return infoOf(f.Name(), i), nil
}

var tags = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func (system) tag() string {
	var b [tagLength * 5 / 8]byte
	rand.Read(b[:]) // never fails: crypto/rand's own promise
	return strings.ToLower(tags.EncodeToString(b[:]))
}

// scanWorkers is how many goroutines list ahead of a scan, besides the one that scans.
func scanWorkers() int { return min(runtime.GOMAXPROCS(0), 4) - 1 }
