package store

import (
	"errors"
	"fmt"

	"plait/backend/store/driver"
)

// Codes that a Store adds to its drivers': they say that the store's answer is not
// what it was given, whoever changed it.
const (
	// Changed: the object is not what its name says. It was changed, cut or
	// swapped, or another tool has carried only half of it so far.
	Changed driver.Code = "changed, cut or swapped"
	// TooLarge: the object is larger than any that is written under its name.
	TooLarge driver.Code = "larger than allowed"
)

// An Error says what was being done, to which object, and what can be done now.
type Error struct {
	Op   string // get, put, list, delete, watch
	Name string // the object's name, or the prefix
	Code driver.Code
	Err  error // as the driver returned it; for logs, never for people
}

func (e *Error) Error() string {
	if c := driver.Code(""); errors.As(e.Err, &c) && c == e.Code {
		return fmt.Sprintf("%s %s: %v", e.Op, e.Name, e.Err)
	}
	return fmt.Sprintf("%s %s: %s: %v", e.Op, e.Name, e.Code, e.Err)
}

// Unwrap makes errors.Is work on the code and on the driver's own error.
func (e *Error) Unwrap() []error { return []error{e.Code, e.Err} }
