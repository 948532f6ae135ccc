package localdb

import "fmt"

// A Code says what a caller can do about an error.
type Code string

func (c Code) Error() string { return string(c) }

const (
	// Stop, returned by the function given to Scan, ends the scan without error.
	Stop Code = "stop"

	ErrKey      Code = "database has another key"         // ask for the right one, or restore it
	ErrDamaged  Code = "database damaged"                 // set it aside and join the vault again
	ErrNewer    Code = "database made by a newer version" // update the program
	ErrFull     Code = "disk full"                        // nothing was changed
	ErrBroken   Code = "database must be opened again"    // an earlier commit has an unknown outcome
	ErrClosed   Code = "database closed"                  // a bug
	ErrReadOnly Code = "write in a read-only transaction" // a bug
	ErrBadKey   Code = "database key empty or too long"   // a bug
)

// Busy says that another process has the database open.
type Busy struct {
	PID int // 0 if the holder did not say
}

func (b *Busy) Error() string {
	if b.PID == 0 {
		return "database in use by another process"
	}
	return fmt.Sprintf("database in use by process %d", b.PID)
}

// An opError says what was being done, and what the caller can do now.
type opError struct {
	op   string
	code Code
	err  error
}

func (e *opError) Error() string {
	if e.err == nil {
		return e.op + ": " + string(e.code)
	}
	return fmt.Sprintf("%s: %s: %v", e.op, e.code, e.err)
}

func (e *opError) Unwrap() []error {
	if e.err == nil {
		return []error{e.code}
	}
	return []error{e.code, e.err}
}
