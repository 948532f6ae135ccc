// Package disk reads and replaces a person's files without ever losing bytes that
// somebody else wrote there in between. OS is the real one; NewMemory its twin,
// with faults and crashes, for the simulation. Both run the same code down to the
// system's own operations (calls), so that what is tested in the one holds in the other.
//
//	write beside → sync → check → exchange → sync directory → (caller reads what came out) → Discard
//	    .plait-new-…          └─ differs: ErrChanged, nothing done     .plait-old-…
//
// # Guarantees
//
//   - D1 At every instant, crashes included, path holds the old or the new content, whole.
//   - D2 Displaced bytes stay on disk under a name that Leftovers finds until Discard.
//   - D3 Nothing is replaced that differs from what the caller expected; what was saved
//     between the check and the exchange comes out as displaced (Swapped.Raced). Only where
//     a filesystem can't exchange (see displace) are some microseconds left open.
//   - D4 A symlinked file stays one; mode, owner and extended attributes of a file stay.
//   - D5 An error before the exchange leaves the old content untouched and nothing beside it.
//   - D6 Only Clean names below Guard's root are ever written (names.go, guard.go).
//
// A hard-linked file loses its other names' company: an exchange gives the name a new inode.
package disk

import (
	"io"
	"io/fs"
	"time"
)

// An FS is what the engine sees of a person's disk. Paths are absolute, in the
// system's own form. Errors are *Error, or satisfy errors.Is with fs.ErrNotExist,
// fs.ErrPermission, or one of this package's codes. Methods may be called concurrently,
// though not two of those that write with one path.
type FS interface {
	// Stat follows symlinks.
	Stat(path string) (Info, error)

	// Lstat does not.
	Lstat(path string) (Info, error)

	// Real is path with every symlink in it resolved; what does not exist yet stays as it is.
	Real(path string) (string, error)

	// Read returns the content, and the Info of exactly that content: a file
	// that changed while it was read is read again. Larger than limit: ErrTooLarge.
	// A limit of 0 is none.
	Read(path string, limit int64) ([]byte, Info, error)

	// Open reads a large file piecemeal. The reader's Close returns ErrChanged
	// when the file did not stay as info says.
	Open(path string) (Reader, Info, error)

	// List returns the entries of one directory, by name, symlinks not followed,
	// this package's own files left out.
	List(dir string) ([]Info, error)

	// Scan calls fn for everything below root, root left out, in one goroutine and always
	// in the same order: by name, a directory before its content. Symlinks are not followed;
	// this package's own files are left out. fn returns fs.SkipDir to leave a directory out,
	// any other error to stop. A directory that can't be read comes once more, with the error:
	// who takes absence for removal must not do so below it.
	Scan(root string, fn func(Info, error) error) error

	// Replace gives the file (or the target of the symlink) new content: it
	// writes beside, syncs, exchanges, and returns what came out: the file Swapped.Aside
	// holds what stood there at the instant of the exchange. Missing parents are
	// made. Mode, owner and extended attributes of an old file stay, except that x for the owner
	// is set as mode says if Expect is ModeMatters; else mode is used (under the umask).
	// If the file already differs from expect before the exchange, Replace changes nothing and
	// returns ErrChanged. On success both contents would survive a power cut.
	// With an error, Swapped.Aside tells whether the exchange took place nevertheless.
	Replace(path string, content io.Reader, mode fs.FileMode, expect Expect) (Swapped, error)

	// Remove moves the file (or the target of the symlink) aside, atomically, under the same contract.
	Remove(path string, expect Expect) (Swapped, error)

	// Write is Replace and Remove for many files, in order, sharing the waits for the
	// disk: when Write returns, all that succeeded is durable; until then none need be.
	// done is called once for each change, in order, from the goroutine that called Write;
	// when it returns an error, no further change begins and Write returns that error.
	// A Write that returns an error of its own could not make things durable.
	Write(changes []Change, done func(i int, s Swapped, err error) error) error

	// Chmod gives the file's owner x, or takes it from all, as mode says, and returns what
	// is there then. Nothing else of the mode is touched.
	Chmod(path string, mode fs.FileMode) (Info, error)

	// RemoveDir removes a directory if it is empty; else it does nothing. Gone already is success.
	RemoveDir(dir string) error

	// SyncNames makes the names of files below root durable, as they are now: what a process
	// that died put there may be seen by the next one, and still be lost in a power cut.
	SyncNames(root string, paths []string) error

	// Discard deletes the displaced file that Swapped names. If somebody wrote to it
	// since Swapped.Before (an editor may hold it open), it stays, and ErrChanged is
	// returned: read Aside again, and pass the Info of that. Gone already is success.
	Discard(s Swapped) error

	// Settle makes it durable that this process's own files, and the directories that it
	// removed, are gone: without it, a power cut may bring back what was discarded, whole.
	Settle() error

	// Leftovers lists displaced files that a crash left undiscarded below dir, and beside
	// the targets of symlinks below dir. A crash just before the exchange leaves the *new* content
	// there, whole: who recorded what it meant to write knows it by its bytes. Unfinished
	// new content is deleted.
	Leftovers(dir string) ([]Swapped, error)
}

// A Reader is an open file.
type Reader interface {
	io.ReadCloser
	io.ReaderAt
}

// A Change is one file that Write replaces or removes.
type Change struct {
	Path    string
	Content func() (io.ReadCloser, error) // called once, maybe in another goroutine; nil removes the file
	Mode    fs.FileMode
	Expect  Expect
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
	MTime, CTime int64 // nanoseconds since 1970; CTime is 0 where the system has none
	Inode, Size  uint64
}

// Steps in which filesystems count time.
const (
	// Grain is the coarsest that people use: FAT 2 s, HFS+ and some network filesystems 1 s.
	Grain = 2 * time.Second
	// Tick is more than any fine one stands still: ext4, btrfs, XFS and tmpfs stamp with the kernel's
	// tick (at most 10 ms), NTFS with Windows' (at most 16 ms), APFS with the time itself.
	Tick = 50 * time.Millisecond
	// round is what the stamps of every coarser one are multiples of (exFAT: 10 ms).
	round = 10 * time.Millisecond
)

// fine says whether a time can't come from a clock of coarse steps. So whoever writes
// next, by whichever clock, leaves another one, unless the very tick has not passed.
func fine(ns int64) bool { return ns%int64(round) != 0 }

// Settled says whether a stamp is proof of content that was read after the given time: a
// later write would have to leave another stamp. One that is too young, or lies in the
// future, is not: a write in the same instant would not show ("racily clean", as git calls
// it), so the content has to be read again next time. Too young is Tick for a stamp that shows
// a fine step, else Grain: a fine one that is round by chance only costs a reading.
//
// This leaves open who writes and then sets both the old time and, where there is a
// CTime, the clock back; and a file server whose clock is behind by more than the step.
func (s Stamp) Settled(read time.Time) bool {
	grain := Grain
	if fine(s.MTime) || fine(s.CTime) {
		grain = Tick
	}
	return time.Unix(0, max(s.MTime, s.CTime)).Before(read.Add(-grain))
}

// Exchanged says whether the stamp of a file that was just put in place is proof of what
// was written to it, however young: the inode was touched last (by the exchange) at a
// later tick than its content, so that every write since then shows in MTime.
func (s Stamp) Exchanged() bool { return fine(s.MTime) && s.CTime > s.MTime }

// Same compares what an exchange leaves alone: all but CTime.
func (s Stamp) Same(b Stamp) bool {
	return s.MTime == b.MTime && s.Inode == b.Inode && s.Size == b.Size
}

// Expect is what a caller believes of a file before replacing it.
type Expect struct {
	Absent bool  // no file
	Stamp  Stamp // else this one

	// ModeMatters lets Replace give an old file the owner's x of the new mode.
	ModeMatters bool
}

// Swapped tells what Replace or Remove did.
type Swapped struct {
	Path   string // the file; "" from Leftovers if its name was too long to be told
	Aside  string // where the displaced content lies; "" if nothing was displaced
	Before Info   // of the displaced file, where it lies now
	After  Info   // of the new file
	Raced  bool   // the displaced file is visibly not the expected one: somebody saved in between
}

// A Code says what a caller can do about an error.
type Code string

func (c Code) Error() string { return string(c) }

const (
	ErrChanged  Code = "file changed meanwhile"         // observe again
	ErrTooLarge Code = "file too large"                 // leave it out
	ErrLocked   Code = "file locked by another program" // try again
	ErrFull     Code = "disk full"                      // free space; nothing was changed
	ErrOdd      Code = "not a regular file"             // a directory, pipe, device or socket: leave it alone
	ErrReadOnly Code = "read-only"                      // file or filesystem; also fs.ErrPermission
	ErrUnsafe   Code = "unsafe name"                    // never written: it would land elsewhere, or on another file
	ErrBroken   Code = "disk error"                     // the device failed; its content can't be told
)

// A Clock tells the time; the simulation's is virtual.
type Clock func() time.Time
