// Package problem turns errors into a person's words.
//
// # Guarantees
//
//   - P1 From never shows the text of an error that it does not know: that may hold
//     names, paths or tokens.
//   - P2 Every code has a line in the table (codes.go): what happened, what is safe,
//     what to do. Nothing is promised over an unknown error.
//   - P3 Codes are stable: scripts and the window rely on them.
//
// An error that knows best how to describe itself is (or wraps) an *Error, or
// implements Describer; From takes the outermost one. Errors of the packages that
// are too low to know of people (store, disk, localdb, merge) are known here by
// their own codes (From).
package problem

import (
	"errors"
	"fmt"
)

// A Problem is what a face shows: Code for programs and small print, Message for
// the reader (what happened, and what is safe), Hint for the next step.
type Problem struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// A Describer is an error that knows its problem. What is empty in it is filled
// from the table of codes.
type Describer interface {
	error
	Problem() Problem
}

// An Error carries a problem. An empty Message or Hint is the table's for the Code.
// It satisfies errors.Is with its Code, and with what Err wraps.
type Error struct {
	Code    Code
	Message string // shown: must hold nothing secret
	Hint    string // shown
	Err     error  // for the log, never shown; may be nil
}

// Error is for logs.
func (e *Error) Error() string {
	text := string(e.Code)
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Code}
	}
	return []error{e.Code, e.Err}
}

// Problem implements Describer.
func (e *Error) Problem() Problem { return Problem{e.Code, e.Message, e.Hint} }

// New makes an error of a code, with the table's hint. The message says what
// happened and what is safe; it is shown as it is.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap gives err a code, with the table's words.
func Wrap(code Code, err error) *Error { return &Error{Code: code, Err: err} }

// filled takes from the table what p leaves open.
func (p Problem) filled() Problem {
	words, ok := table[p.Code]
	if !ok {
		words = table[Internal]
	}
	if p.Code == "" {
		p.Code = Internal
	}
	if p.Message == "" {
		p.Message = words.message
	}
	if p.Hint == "" {
		p.Hint = words.hint
	}
	return p
}

// From describes err. It returns the zero Problem for nil.
func From(err error) Problem {
	if err == nil {
		return Problem{}
	}
	var d Describer
	if errors.As(err, &d) {
		return d.Problem().filled()
	}
	var c Code
	if errors.As(err, &c) {
		return Problem{Code: c}.filled()
	}
	return below(err).filled()
}
