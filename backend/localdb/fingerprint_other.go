//go:build unix && !linux && !darwin

package localdb

import "syscall"

func machineID() string { return "" }

func folderID(dir string) (inode uint64, born int64, err error) {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return 0, 0, err
	}
	return uint64(st.Ino), 0, nil
}
