package folderstore

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/windows"

	"plait/backend/store/driver"
)

// dirsSync says whether directories can be synced: Windows can't, and NTFS journals
// their entries.
const dirsSync = false

// openRegular opens a file for reading.
func openRegular(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		f.Close()
		return nil, errors.Join(err, errIrregular)
	}
	return f, nil
}

func isNotDir(err error) bool {
	return errors.Is(err, windows.ERROR_DIRECTORY) || errors.Is(err, syscall.ENOTDIR)
}

// cannotSync says whether err says that there is nothing to sync: what is open for
// reading only can't be, and whoever wrote it did.
func cannotSync(err error) bool {
	return errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_INVALID_FUNCTION)
}

// systemCode classifies what the system said; "" for what needs to know what was tried.
func systemCode(err error) driver.Code {
	var e syscall.Errno
	if !errors.As(err, &e) {
		return ""
	}
	switch e {
	case windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED:
		return driver.Full
	case windows.ERROR_WRITE_PROTECT:
		return driver.ReadOnly
	case windows.ERROR_NOT_READY, windows.ERROR_BAD_NET_NAME, windows.ERROR_DEV_NOT_EXIST:
		return driver.Missing
	case windows.ERROR_SHARING_VIOLATION, windows.ERROR_LOCK_VIOLATION, windows.ERROR_NETNAME_DELETED,
		windows.ERROR_BAD_NETPATH, windows.ERROR_NETWORK_UNREACHABLE, windows.ERROR_HOST_UNREACHABLE,
		windows.ERROR_UNEXP_NET_ERR, windows.ERROR_SEM_TIMEOUT, windows.ERROR_BUSY:
		return driver.Transient
	}
	return ""
}
