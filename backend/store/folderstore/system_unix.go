//go:build !windows

package folderstore

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"plait/backend/store/driver"
)

// dirsSync says whether directories can be synced.
const dirsSync = true

// openRegular opens a file for reading: never through a symlink, and without waiting
// for whoever might write to a pipe.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENXIO) {
		return nil, errIrregular
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, errIrregular)
	}
	return f, nil
}

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

// cannotSync says whether err is a file system's way of saying that it has nothing to
// sync there: FUSE, SMB, and files open for reading only.
func cannotSync(err error) bool {
	for _, e := range []syscall.Errno{unix.EINVAL, unix.ENOTSUP, unix.EBADF, unix.ENOSYS, unix.ENOTTY} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// systemCode classifies what the system said; "" for what needs to know what was tried.
func systemCode(err error) driver.Code {
	var e syscall.Errno
	if !errors.As(err, &e) {
		return ""
	}
	switch e {
	case unix.ENOSPC, unix.EDQUOT:
		return driver.Full
	case unix.EROFS:
		return driver.ReadOnly
	case unix.ENODEV, unix.ENXIO:
		return driver.Missing
	case unix.EIO, unix.ESTALE, unix.ETIMEDOUT, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENETDOWN, unix.ENETUNREACH,
		unix.ENOTCONN, unix.ECONNRESET, unix.ECONNREFUSED, unix.ECONNABORTED, unix.EBUSY, unix.EAGAIN, unix.EINTR,
		unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EDEADLK, unix.ETXTBSY:
		return driver.Transient
	}
	return ""
}
