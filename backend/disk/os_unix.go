//go:build unix

package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func unlink(path string) error            { return syscall.Unlink(path) }
func rmdir(dir string) error              { return syscall.Rmdir(dir) }
func rename(from, to string) error        { return syscall.Rename(from, to) }
func (f written) settle() error           { return nil }
func openFile(p string) (*os.File, error) { return os.OpenFile(p, os.O_RDONLY|syscall.O_NONBLOCK, 0) }

func link(from, to string) error {
	err := syscall.Link(from, to)
	// Filesystems without hard links say EPERM, and some that are mounted from elsewhere EOPNOTSUPP.
	if errors.Is(err, syscall.EPERM) || lacks(err) {
		return errUnsupported
	}
	return err
}

// lacks says whether a filesystem or kernel does not know an operation.
func lacks(err error) bool {
	return errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) ||
		errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP)
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if lacks(err) {
		return nil // the filesystem has no such thing, nor anything better
	}
	return err
}

// written is new content being written. The lock on it tells other processes that its
// writer lives; it goes with the process.
type written struct{ *os.File }

func (system) create(path string, mode fs.FileMode) (newFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err
	}
	// Where locks are not to be had (some network mounts), held says yes: garbage may stay there.
	_ = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return written{f}, nil
}

func (system) held(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
}

func (f written) sync() error         { return f.Sync() }
func (f written) info() (Info, error) { return osFile(f).info() }

// inherit fails when the owner can't be kept: giving the file to somebody else unasked
// is no small change.
func (system) inherit(n newFile, from string, mode *fs.FileMode) error {
	f := n.(written)
	old, err := os.Lstat(from)
	if err != nil {
		return err
	}
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	was, is := old.Sys().(*syscall.Stat_t), mine.Sys().(*syscall.Stat_t)
	if was.Uid != is.Uid || was.Gid != is.Gid {
		if err := f.Chown(int(was.Uid), int(was.Gid)); err != nil {
			return err
		}
	}
	copyAttributes(from, int(f.Fd()))
	m := old.Mode().Perm() | old.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)
	if mode != nil {
		m = *mode
	}
	return f.Chmod(m)
}

// copyAttributes copies extended attributes (access lists among them), as far as the
// system lets it: some are its own to set.
func copyAttributes(from string, to int) {
	size, err := unix.Llistxattr(from, nil)
	if err != nil || size <= 0 {
		return
	}
	names := make([]byte, size)
	if size, err = unix.Llistxattr(from, names); err != nil {
		return
	}
	for _, name := range splitNul(names[:size]) {
		n, err := unix.Lgetxattr(from, name, nil)
		if err != nil {
			continue
		}
		value := make([]byte, n)
		if n, err = unix.Lgetxattr(from, name, value); err == nil {
			_ = unix.Fsetxattr(to, name, value[:n], 0)
		}
	}
}

func splitNul(b []byte) (names []string) {
	start := 0
	for i, c := range b {
		if c == 0 {
			names = append(names, string(b[start:i]))
			start = i + 1
		}
	}
	return names
}

func codeOfErrno(n syscall.Errno) Code {
	switch n {
	case syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG:
		return ErrFull
	case syscall.EROFS:
		return ErrReadOnly
	case syscall.ETXTBSY, syscall.EBUSY, syscall.EAGAIN:
		return ErrLocked
	case syscall.EIO:
		return ErrBroken
	case syscall.ENAMETOOLONG, syscall.EILSEQ:
		return ErrUnsafe
	case syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP:
		return ErrOdd
	}
	return ""
}
