package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A stamp's Inode and CTime are 0 here: the first needs an open handle for each file,
// and Windows' ChangeTime is not in what a directory listing gives.
func stampOf(i fs.FileInfo) Stamp {
	return Stamp{MTime: i.ModTime().UnixNano(), Size: uint64(i.Size())}
}

// openFile lets others delete and rename the file while it is read, as they can elsewhere.
func openFile(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

func unlink(path string) error { return os.Remove(path) }
func rmdir(dir string) error   { return os.Remove(dir) }

func rename(from, to string) error {
	return move(from, to, windows.MOVEFILE_REPLACE_EXISTING|windows.MOVEFILE_WRITE_THROUGH)
}

func renameNew(from, to string) error { return move(from, to, windows.MOVEFILE_WRITE_THROUGH) }

func move(from, to string, flags uint32) error {
	f, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	t, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	return windows.MoveFileEx(f, t, flags)
}

func link(from, to string) error { return os.Link(from, to) }

// exchange does not exist: replace does what is needed of it.
func exchange(a, b string) error { return errUnsupported }

var replaceFile = windows.NewLazySystemDLL("kernel32.dll").NewProc("ReplaceFileW")

// Errors of ReplaceFile that leave a state of their own (its documentation).
const (
	errUnableToMoveReplacement  = syscall.Errno(1176) // nothing was done
	errUnableToMoveReplacement2 = syscall.Errno(1177) // the old file lies under the backup's name
)

// replace keeps the old file's access list, attributes and creation time: ReplaceFile does.
func (system) replace(from, path, aside string) error {
	var p [3]*uint16
	for i, s := range []string{path, from, aside} {
		var err error
		if p[i], err = windows.UTF16PtrFromString(s); err != nil {
			return err
		}
	}
	const writeThrough = 1 // REPLACEFILE_WRITE_THROUGH
	ok, _, err := replaceFile.Call(uintptr(unsafe.Pointer(p[0])), uintptr(unsafe.Pointer(p[1])),
		uintptr(unsafe.Pointer(p[2])), writeThrough, 0, 0)
	if ok != 0 {
		return nil
	}
	if errors.Is(err, errUnableToMoveReplacement2) {
		return errors.Join(err, renameNew(aside, path))
	}
	return err
}

// syncDir does nothing: renames and replaces here are written through.
func syncDir(string) error { return nil }

func (system) syncFiles(fs []newFile) error { return syncEach(fs) }
func (system) syncDirs(dirs []string) error { return syncEachDir(dirs) }

// written is new content being written, open to nobody else until settle.
type written struct {
	*os.File
	path string
	last *Info // once settled
}

func (system) create(path string, mode fs.FileMode) (newFile, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil,
		windows.CREATE_NEW, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, err
	}
	return &written{File: os.NewFile(uintptr(h), path), path: path}, nil
}

func (system) held(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return true
	}
	f.Close()
	return false
}

func (f *written) sync() error { return f.Sync() }

func (f *written) settle() error {
	i, err := osFile{f.File}.info()
	if err != nil {
		return err
	}
	f.last = &i
	return f.File.Close()
}

func (f *written) Close() error {
	if f.last != nil {
		return nil
	}
	return f.File.Close()
}

func (f *written) info() (Info, error) {
	if f.last != nil {
		return *f.last, nil
	}
	return osFile{f.File}.info()
}

// inherit does nothing: ReplaceFile keeps what the old file had, and there is no x.
func (system) inherit(newFile, string, *fs.FileMode) error { return nil }

func codeOfErrno(n syscall.Errno) Code {
	switch n {
	case windows.ERROR_SHARING_VIOLATION, windows.ERROR_LOCK_VIOLATION, windows.ERROR_USER_MAPPED_FILE,
		windows.ERROR_UNABLE_TO_REMOVE_REPLACED, errUnableToMoveReplacement, errUnableToMoveReplacement2:
		return ErrLocked
	case windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL:
		return ErrFull
	case windows.ERROR_WRITE_PROTECT:
		return ErrReadOnly
	case windows.ERROR_CRC, windows.ERROR_IO_DEVICE:
		return ErrBroken
	case windows.ERROR_INVALID_NAME, windows.ERROR_FILENAME_EXCED_RANGE:
		return ErrUnsafe
	case windows.ERROR_DIRECTORY, windows.ERROR_CANT_RESOLVE_FILENAME:
		return ErrOdd
	}
	return ""
}
