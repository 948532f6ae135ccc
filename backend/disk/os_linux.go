package disk

import (
	"io/fs"
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
	// They may lie on several filesystems.
	done := map[uint64]bool{}
	for _, f := range fs {
		var st unix.Stat_t
		fd := int(f.(written).Fd())
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		if done[st.Dev] {
			continue
		}
		if err := unix.Syncfs(fd); err != nil {
			return err
		}
		done[st.Dev] = true
	}
	return nil
}
