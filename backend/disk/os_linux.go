package disk

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

func stampOf(i fs.FileInfo) Stamp {
	st := i.Sys().(*syscall.Stat_t)
	return Stamp{MTime: st.Mtim.Nano(), CTime: st.Ctim.Nano(), Inode: st.Ino, Size: uint64(st.Size)}
}

func exchange(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	if lacks(err) {
		return errUnsupported
	}
	return err
}

func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if lacks(err) {
		return errUnsupported
	}
	return err
}

// manyFiles is from where on one sync of the whole filesystem is quicker than one a
// file: on ext4 over a virtual disk a file's own costs a millisecond, all together twenty.
const manyFiles = 32

func (system) syncFiles(fs []newFile) error {
	if len(fs) < manyFiles {
		return syncEach(fs)
	}
	var all wholes
	for _, f := range fs {
		if err := all.sync(int(f.(written).Fd())); err != nil {
			return err
		}
	}
	return nil
}

func (system) syncDirs(dirs []string) error {
	if len(dirs) < manyFiles {
		return syncEachDir(dirs)
	}
	var all wholes
	for _, dir := range dirs {
		f, err := os.Open(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = errors.Join(all.sync(int(f.Fd())), f.Close())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wholes are filesystems, by device, that were synced as a whole: files lie on one, or few.
type wholes []uint64

func (w *wholes) sync(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || slices.Contains(*w, uint64(st.Dev)) {
		return err
	}
	*w = append(*w, uint64(st.Dev))
	return unix.Syncfs(fd)
}
