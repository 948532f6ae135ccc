package problem

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"plait/backend/disk"
	"plait/backend/localdb"
	"plait/backend/merge"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// fromStore says what a code of the store means to a person.
var fromStore = map[driver.Code]Code{
	driver.NotFound:  Incomplete,
	driver.Exists:    NotOurs,
	driver.Full:      Full,
	driver.ReadOnly:  ReadOnly,
	driver.Missing:   Missing,
	driver.Transient: Offline,
	driver.Denied:    Denied,
	driver.Cancelled: Cancelled,
	driver.Unknown:   Internal,
	store.Changed:    Changed,
	store.TooLarge:   Changed,
}

// fromDisk says what a code of the disk means to a person.
var fromDisk = map[disk.Code]Code{
	disk.ErrChanged:  FileMoved,
	disk.ErrTooLarge: TooLarge,
	disk.ErrLocked:   FileLocked,
	disk.ErrFull:     DiskFull,
	disk.ErrOdd:      OddFile,
}

// fromDB says what a code of the local database means to a person. What is not
// here is a bug.
var fromDB = map[localdb.Code]Code{
	localdb.ErrKey:     KeyMismatch,
	localdb.ErrDamaged: Damaged,
	localdb.ErrNewer:   OldSchema,
	localdb.ErrFull:    DiskFull,
}

// below describes errors of packages that know nothing of people. The store comes
// before the system's own errors: a folder store's wrap those too.
func below(err error) Problem {
	var s driver.Code
	var d disk.Code
	var l localdb.Code
	var busy *localdb.Busy
	var syntax *merge.SyntaxError
	switch {
	case errors.As(err, &s):
		return Problem{Code: fromStore[s], Message: object(err, s)}
	case errors.As(err, &d):
		return Problem{Code: fromDisk[d]}
	case errors.As(err, &busy) && busy.PID != 0:
		return Problem{Code: Busy, Message: fmt.Sprintf("Another Plait, process %d, is at work on this device. Nothing was changed.", busy.PID)}
	case errors.As(err, &busy):
		return Problem{Code: Busy}
	case errors.As(err, &l):
		return Problem{Code: fromDB[l]}
	case errors.As(err, &syntax):
		return Problem{Code: Syntax, Message: fmt.Sprintf("Line %d, column %d: %s. The file was left as it is, and not uploaded.",
			syntax.Line, syntax.Column, syntax.Msg)}
	case errors.Is(err, merge.ErrTooDeep):
		return Problem{Code: TooDeep}
	case errors.Is(err, merge.ErrTooLarge):
		return Problem{Code: TooLarge}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Problem{Code: Cancelled}
	case errors.Is(err, syscall.ENOSPC):
		return Problem{Code: DiskFull}
	case errors.Is(err, fs.ErrPermission):
		return Problem{Code: FileDenied}
	case errors.Is(err, fs.ErrNotExist):
		return Problem{Code: FileGone}
	}
	return Problem{Code: Internal}
}

// object names the object that the store's answer was about, where that helps. Names
// of objects are hashes and ids: they hold nothing of the person's.
func object(err error, code driver.Code) string {
	var e *store.Error
	if !errors.As(err, &e) || e.Name == "" {
		return ""
	}
	switch fromStore[code] {
	case Incomplete:
		return fmt.Sprintf("The store lacks the object %s; it may still be on its way. All that is whole was applied.", e.Name)
	case Changed:
		return fmt.Sprintf("The object %s in the store is not what its writer wrote. Nothing of it was applied.", e.Name)
	}
	return ""
}
