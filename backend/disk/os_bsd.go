//go:build unix && !linux && !darwin

package disk

import (
	"io/fs"
	"reflect"
	"syscall"
)

func stampOf(i fs.FileInfo) Stamp {
	st := i.Sys().(*syscall.Stat_t)
	s := Stamp{MTime: i.ModTime().UnixNano(), Inode: uint64(st.Ino), Size: uint64(i.Size())}
	// The field's name differs from system to system.
	v := reflect.ValueOf(st).Elem()
	for _, name := range []string{"Ctim", "Ctimespec"} {
		if c := v.FieldByName(name); c.IsValid() {
			if ts, ok := c.Interface().(syscall.Timespec); ok {
				s.CTime = ts.Nano()
			}
		}
	}
	return s
}

func exchange(a, b string) error            { return errUnsupported }
func renameNew(from, to string) error       { return errUnsupported }
func (system) syncFiles(fs []newFile) error { return syncEach(fs) }
func (system) syncDirs(dirs []string) error { return syncEachDir(dirs) }
