// Package disk reads and replaces a person's files without ever losing bytes that
// somebody else wrote there in between. OS is the real one; NewMemory its twin,
// with faults and crashes, for the simulation.
package disk

import (
	"io"
	"io/fs"
	"time"
)

// An FS is what the engine sees of a person's disk. Paths are absolute, in the
// system's own form. Errors satisfy errors.Is with fs.ErrNotExist,
// fs.ErrPermission, or one of this package's codes.
type FS interface {
	// Stat follows symlinks.
	Stat(path string) (Info, error)

	// Read returns the content, and the Info of exactly that content: a file
	// that changed while it was read is read again. Larger than limit: ErrTooLarge.
	Read(path string, limit int64) ([]byte, Info, error)

	// Open reads a large file piecemeal. The reader's Close returns ErrChanged
	// when the file did not stay as info says.
	Open(path string) (io.ReadCloser, Info, error)

	// List returns the entries of one directory, by name, symlinks not followed.
	List(dir string) ([]Info, error)

	// Replace gives the file (or the target of the symlink) new content: it
	// writes beside, syncs, exchanges, and returns what came out: displaced is
	// the bytes that stood there at the instant of the exchange (nil, false if no
	// file stood there). Missing parents are made. Mode and owner of an old file
	// stay; else mode is used. expect is what the caller observed: if the file
	// already differs before the exchange, Replace changes nothing and returns ErrChanged.
	// After a crash either the old or the new content is there, whole, and what was
	// displaced is still beside it until Discard is called (see Leftovers).
	Replace(path string, content io.Reader, mode fs.FileMode, expect Expect) (Swapped, error)

	// Remove moves the file aside, atomically, under the same contract.
	Remove(path string, expect Expect) (Swapped, error)

	// Discard deletes the displaced file that Swapped names. Until then its bytes are on disk.
	Discard(s Swapped) error

	// Leftovers lists displaced files that a crash left undiscarded below dir.
	Leftovers(dir string) ([]Swapped, error)
}

// Info describes a file. Two equal Stamps of one path mean unchanged content, as
// far as the system can tell.
type Info struct {
	Path  string
	Name  string
	Mode  fs.FileMode
	Size  int64
	Stamp Stamp
}

// A Stamp is what changes when a file's content does.
type Stamp struct {
	MTime, CTime int64 // nanoseconds
	Inode, Size  uint64
}

// Expect is what a caller believes of a file before replacing it.
type Expect struct {
	Absent bool  // no file
	Stamp  Stamp // else this one
}

// Swapped tells what Replace or Remove did.
type Swapped struct {
	Path   string // the file
	Aside  string // where the displaced content lies; "" if nothing was displaced
	Before Info   // of the displaced file
	After  Info   // of the new file
}

// A Code says what a caller can do about an error.
type Code string

func (c Code) Error() string { return string(c) }

const (
	ErrChanged  Code = "file changed meanwhile"
	ErrTooLarge Code = "file too large"
	ErrLocked   Code = "file locked by another program"
	ErrFull     Code = "disk full"
	ErrOdd      Code = "not a regular file"
)

// A Clock tells the time; the simulation's is virtual.
type Clock func() time.Time
