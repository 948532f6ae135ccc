package problem

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"plait/backend/chunk"
	"plait/backend/disk"
	"plait/backend/journal"
	"plait/backend/keyring"
	"plait/backend/localdb"
	"plait/backend/merge"
	"plait/backend/seal"
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
	disk.ErrUnsafe:   BadName,
	disk.ErrReadOnly: FileDenied,
	disk.ErrBroken:   DiskError,
}

// fromDB says what a code of the local database means to a person. What is not
// here is a bug.
var fromDB = map[localdb.Code]Code{
	localdb.ErrKey:     KeyMismatch,
	localdb.ErrDamaged: Damaged,
	localdb.ErrNewer:   OldSchema,
	localdb.ErrFull:    DiskFull,
}

// fromKeys says what a code of the keyring means to a person. What is not here is a bug.
var fromKeys = map[keyring.Code]Problem{
	keyring.Damaged:         {Code: KeysDamaged},
	keyring.Newer:           {Code: Newer},
	keyring.OtherVault:      {Code: Foreign},
	keyring.Forged:          {Code: Changed, Message: "A statement about keys or devices in the store was not signed by who it names. Nothing of it was believed."},
	keyring.Stranger:        {Code: Incomplete, Message: "The store holds something of a device that was not admitted, or whose admission is still on its way. Nothing of it was applied."},
	keyring.Incomplete:      {Code: Incomplete},
	keyring.Weak:            {Code: Changed, Message: "The passphrase is guarded too weakly in this store; somebody may have changed that. It was not tried."},
	keyring.NotMember:       {Code: Revoked},
	keyring.NoKey:           {Code: Incomplete, Message: "A key of the vault has not reached this device yet. All that it can open was applied."},
	keyring.WrongWords:      {Code: WrongKey},
	keyring.Replaced:        {Code: WrongKey, Message: "These recovery words were replaced by newer ones, and open the vault no more. Nothing was changed."},
	keyring.BadWords:        {Code: WrongKey, Message: "These are not recovery words: one is misspelt, missing, or out of place. Nothing was changed."},
	keyring.NoSlot:          {Code: WrongPassphrase, Message: "No passphrase stands for this vault's recovery words. Nothing was changed.", Hint: "Use the 24 words: --recovery-file FILE."},
	keyring.WrongPassphrase: {Code: WrongPassphrase},
	keyring.Locked:          {Code: Locked},
	keyring.Missing:         {Code: NoVault},
	keyring.Exists:          {Code: Exists},
	keyring.WrongCode:       {Code: WrongCode},
	keyring.Expired:         {Code: WrongCode, Message: "The pairing code has expired: it holds for 10 minutes. Nothing was changed."},
	keyring.Used:            {Code: WrongCode, Message: "The pairing code was used already: it works once. Nothing was changed."},
}

// fromSeal, fromChunk and fromJournal say what a damaged, forged or unfinished object means.
var (
	fromSeal = map[seal.Code]Code{
		seal.ErrFormat:  Changed,
		seal.ErrForeign: Changed,
		seal.ErrRefused: Changed,
		seal.ErrNewer:   Newer,
	}
	fromChunk = map[chunk.Code]Code{
		chunk.ErrChanged:    Changed,
		chunk.ErrIncomplete: Incomplete,
		chunk.ErrNoKey:      Incomplete,
		chunk.ErrTooLarge:   TooLarge,
	}
	fromJournal = map[journal.Code]Code{
		journal.ErrFormat:     Changed,
		journal.ErrNewer:      Newer,
		journal.ErrChanged:    Changed,
		journal.ErrForeign:    Changed,
		journal.ErrSignature:  Changed,
		journal.ErrKey:        Incomplete,
		journal.ErrGap:        Incomplete,
		journal.ErrForked:     Forked,
		journal.ErrRolledBack: Rollback,
		journal.ErrDropped:    Dropped,
	}
)

// below describes errors of packages that know nothing of people. The store comes
// before the system's own errors: a folder store's wrap those too.
func below(err error) Problem {
	var busy *localdb.Busy
	var syntax *merge.SyntaxError
	if p, ok := coded(err); ok {
		return p
	}
	switch {
	case errors.As(err, &busy) && busy.PID != 0:
		return Problem{Code: Busy, Message: fmt.Sprintf("Another Plait, process %d, is at work on this device. Nothing was changed.", busy.PID)}
	case errors.As(err, &busy):
		return Problem{Code: Busy}
	case errors.As(err, &syntax):
		return Problem{Code: Syntax, Message: fmt.Sprintf("Line %d, column %d: %s. The file was left as it is, and not uploaded.",
			syntax.Line, syntax.Column, syntax.Msg)}
	case errors.Is(err, merge.ErrTooDeep):
		return Problem{Code: TooDeep}
	case errors.Is(err, merge.ErrTooLarge):
		return Problem{Code: TooLarge}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Problem{Code: Cancelled}
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return Problem{Code: OddFile, Message: "A file stands where a folder should be, or a folder where a file should be. It was left as it is.", Hint: "Check the path."}
	case errors.Is(err, syscall.ENOSPC):
		return Problem{Code: DiskFull}
	case errors.Is(err, fs.ErrPermission):
		return Problem{Code: FileDenied}
	case errors.Is(err, fs.ErrNotExist):
		return Problem{Code: FileGone}
	}
	return Problem{Code: Internal}
}

// coded describes an error that has a code of a package below; the one closest to a
// person comes first.
func coded(err error) (Problem, bool) {
	if c, ok := errors.AsType[keyring.Code](err); ok {
		return fromKeys[c], true
	}
	if c, ok := errors.AsType[driver.Code](err); ok {
		return Problem{Code: fromStore[c], Message: object(err, c)}, true
	}
	if c, ok := errors.AsType[journal.Code](err); ok {
		return Problem{Code: fromJournal[c]}, true
	}
	if c, ok := errors.AsType[chunk.Code](err); ok {
		return Problem{Code: fromChunk[c]}, true
	}
	if c, ok := errors.AsType[seal.Code](err); ok {
		return Problem{Code: fromSeal[c]}, true
	}
	if c, ok := errors.AsType[disk.Code](err); ok {
		return Problem{Code: fromDisk[c]}, true
	}
	if c, ok := errors.AsType[localdb.Code](err); ok {
		return Problem{Code: fromDB[c]}, true
	}
	return Problem{}, false
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
