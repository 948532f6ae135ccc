package disk

import (
	"errors"
	"io"
	"io/fs"
)

// calls are a system's own operations on files, one effect each. The order in which
// they are made is this package's business and is written once (read.go, swap.go);
// what they are is written once for each system, and once in memory.
type calls interface {
	lstat(path string) (Info, error)
	stat(path string) (Info, error)
	readlink(path string) (string, error)
	readDir(dir string) ([]Info, error)                      // own files too, by name
	scan(root string, fn func(Info, error) error) error      // own files too
	open(path string) (file, error)                          // never waits for a pipe's other end
	create(path string, mode fs.FileMode) (newFile, error)   // new, and locked until closed
	held(path string) bool                                   // whether somebody who lives has it from create
	inherit(f newFile, from string, mode *fs.FileMode) error // mode (or *mode), owner, attributes
	chmod(path string, mode fs.FileMode) error
	mkdir(dir string) error
	rename(from, to string) error    // replaces what is at to
	renameNew(from, to string) error // fs.ErrExist if something is
	exchange(a, b string) error      // errUnsupported where the filesystem can't
	link(from, to string) error      // errUnsupported likewise
	unlink(path string) error
	rmdir(dir string) error
	syncDir(dir string) error
	syncFiles(fs []newFile) error // all of them
	syncDirs(dirs []string) error // likewise; of those that are there
	tag() string                  // tagLength characters
	between(path string)          // the instant between check and exchange; for tests
}

// A replacer is a system with one operation for the whole exchange (Windows).
type replacer interface {
	// replace gives path the content of from, and aside that of path.
	replace(from, path, aside string) error
}

type file interface {
	io.ReadCloser
	io.ReaderAt
	info() (Info, error)
}

type newFile interface {
	io.WriteCloser
	sync() error
	settle() error       // before the exchange: no more writes; Windows closes here
	info() (Info, error) // also after settle and after a rename, until Close
}

// errUnsupported is what a system says that lacks an operation.
var errUnsupported = errors.New("not supported by this filesystem")
