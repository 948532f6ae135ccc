//go:build unix

package localdb

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes a flock: it belongs to the open file, so that two holders
// within one process exclude each other too.
func tryLock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return errHeld
		}
		return err
	}
}
