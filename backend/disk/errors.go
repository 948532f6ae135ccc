package disk

import (
	"errors"
	"io/fs"
	"syscall"
)

// An Error says what was being done, to which path, and what can be done now.
type Error struct {
	Op   string
	Path string
	Code Code  // "" if none of ours fits
	Err  error // as the system returned it; may be nil
}

func (e *Error) Error() string {
	s := e.Op + " " + e.Path + ": "
	switch {
	case e.Code == "":
		return s + e.Err.Error()
	case e.Err == nil:
		return s + string(e.Code)
	}
	return s + string(e.Code) + ": " + e.Err.Error()
}

func (e *Error) Unwrap() []error {
	var all []error
	if e.Code != "" {
		all = append(all, e.Code)
	}
	if e.Err != nil {
		all = append(all, e.Err)
	}
	if e.Code == ErrReadOnly {
		all = append(all, fs.ErrPermission)
	}
	return all
}

// fail wraps what a system operation returned. nil stays nil, and so does an *Error.
func fail(op, path string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err // its path is ours
	}
	return &Error{Op: op, Path: path, Code: codeOf(err), Err: err}
}

// refuse is an error of our own making.
func refuse(op, path string, c Code) error { return &Error{Op: op, Path: path, Code: c} }

// codeOf sorts the errors of a system. Codes pass through.
func codeOf(err error) Code {
	var c Code
	if errors.As(err, &c) {
		return c
	}
	var n syscall.Errno
	if errors.As(err, &n) {
		return codeOfErrno(n)
	}
	return ""
}
