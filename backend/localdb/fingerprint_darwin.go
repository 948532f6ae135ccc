package localdb

import (
	"encoding/hex"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// machineID asks gethostuuid(2), which is the hardware's.
func machineID() string {
	var id [16]byte
	wait := unix.Timespec{Sec: 1}
	_, _, errno := unix.Syscall(unix.SYS_GETHOSTUUID,
		uintptr(unsafe.Pointer(&id)), uintptr(unsafe.Pointer(&wait)), 0)
	if errno != 0 {
		return ""
	}
	return hex.EncodeToString(id[:])
}

func folderID(dir string) (inode uint64, born int64, err error) {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return 0, 0, err
	}
	return st.Ino, st.Birthtimespec.Nano(), nil
}
