package api

import (
	"encoding/json"
	"fmt"
	"runtime/debug"

	"plait/backend/problem"
)

// A Problem is an error as a window shows it.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"` // what happened, and what is safe
	Hint    string `json:"hint"`    // what to do
	Detail  string `json:"detail"`  // for a report: the chain of errors
}

func (p *Problem) Error() string { return p.Message }

// problemOf puts an error into a person's words.
func problemOf(err error) *Problem {
	if p, ok := err.(*Problem); ok {
		return p
	}
	p := problem.From(err)
	return &Problem{Code: string(p.Code), Message: p.Message, Hint: p.Hint, Detail: err.Error()}
}

// FormatError is how an error of a method reaches the frontend: a string, since Wails
// hands on nothing else (wailsapp/wails#5244), that holds a Problem as JSON.
func FormatError(err error) any {
	if err == nil {
		return nil
	}
	b, merr := json.Marshal(problemOf(err))
	if merr != nil {
		return err.Error()
	}
	return string(b)
}

// guard is deferred by every method that a frontend can call: a panic there would
// leave its promise open for ever.
func (h *Host) guard(err *error) {
	if r := recover(); r != nil {
		h.log.Error("panic in a method", "panic", r, "stack", string(debug.Stack()))
		*err = &Problem{Code: string(problem.Internal), Message: "Something failed that we did not foresee. Nothing was applied.",
			Hint: "Copy the details and report them.", Detail: fmt.Sprint(r)}
		return
	}
	if *err != nil {
		*err = problemOf(*err)
	}
}
