package disk

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readDir and scan ask the kernel directly, each entry relative to its open directory:
// three times as fast as os.ReadDir with an Lstat by full path each, which is what a sync with
// nothing to do spends its time on.

func (system) readDir(dir string) ([]Info, error) {
	var l lister
	return l.list(dir)
}

func (system) scan(root string, fn func(Info, error) error) error {
	return walk(root, func() func(string) ([]Info, error) { return new(lister).list }, scanWorkers(), fn)
}

// A lister lists directories, reusing its buffer.
type lister struct{ buf []byte }

func (l *lister) list(dir string) (infos []Info, err error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if l.buf == nil {
		l.buf = make([]byte, 64<<10)
	}
	prefix := dir
	if !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	for {
		n, err := retry(func() (int, error) { return unix.ReadDirent(fd, l.buf) })
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			break
		}
		if infos, err = entries(infos, fd, prefix, l.buf[:n]); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

// entries appends what one buffer of getdents64 holds: inode (8 bytes), offset (8), length
// of the record (2), type (1), name with its NUL.
func entries(infos []Info, fd int, prefix string, buf []byte) ([]Info, error) {
	const nameAt = 19
	for len(buf) > nameAt {
		length := int(*(*uint16)(unsafe.Pointer(&buf[16])))
		name := buf[nameAt:length]
		buf = buf[length:]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		if string(name) == "." || string(name) == ".." {
			continue
		}
		path := prefix + string(name)
		i := Info{Path: path, Name: path[len(prefix):]}
		err := statAt(fd, &i)
		if err == syscall.ENOENT {
			continue // gone since the directory was read
		}
		if err != nil {
			return nil, err
		}
		infos = append(infos, i)
	}
	return infos, nil
}

func statAt(fd int, i *Info) error {
	var st unix.Stat_t
	_, err := retry(func() (int, error) { return 0, unix.Fstatat(fd, i.Name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return err
	}
	i.Mode, i.Size = modeOf(st.Mode), st.Size
	i.Stamp = Stamp{MTime: st.Mtim.Nano(), CTime: st.Ctim.Nano(), Inode: st.Ino, Size: uint64(st.Size)}
	return nil
}

// modeOf is what package os makes of a mode.
func modeOf(m uint32) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	switch m & unix.S_IFMT {
	case unix.S_IFBLK:
		mode |= fs.ModeDevice
	case unix.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	}
	if m&unix.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if m&unix.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if m&unix.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

// retry makes a call again that a signal cut short.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR {
			return n, err
		}
	}
}

func (system) lstat(path string) (Info, error) {
	i := Info{Path: path, Name: path}
	err := statAt(unix.AT_FDCWD, &i)
	i.Name = filepath.Base(path)
	return i, err
}
