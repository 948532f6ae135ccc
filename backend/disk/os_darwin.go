package disk

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

func stampOf(i fs.FileInfo) Stamp {
	st := i.Sys().(*syscall.Stat_t)
	return Stamp{MTime: st.Mtimespec.Nano(), CTime: st.Ctimespec.Nano(), Inode: st.Ino, Size: uint64(st.Size)}
}

func exchange(a, b string) error {
	err := unix.RenamexNp(a, b, unix.RENAME_SWAP)
	if lacks(err) {
		return errUnsupported
	}
	return err
}

func renameNew(from, to string) error {
	err := unix.RenamexNp(from, to, unix.RENAME_EXCL)
	if lacks(err) {
		return errUnsupported
	}
	return err
}

func (system) syncFiles(fs []newFile) error { return syncEach(fs) }
func (system) syncDirs(dirs []string) error { return syncEachDir(dirs) }
