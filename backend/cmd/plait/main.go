// Command plait keeps a person's editors the same on every device, from a terminal
// or a script. It asks package vault, and prints; it decides nothing.
//
// # Guarantees
//
//   - C1 What scripts read stands on standard output; messages, progress and
//     questions on standard error.
//   - C2 An error is a problem in a person's words, with --json as
//     {"error": {"code", "message", "hint"}}; an error that is not known is never
//     shown by its own text.
//   - C3 The exit status is 0 for done; 1 where the command says so (conflicts wait,
//     something was found); 2 for anything else.
//   - C4 Text from other devices reaches the terminal without its control
//     characters.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	// Most commands end before the collector would have been worth its while; long ones
	// are held to the limit.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(softMemory)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the process at once
	status := newCLI(os.Stdin, os.Stdout, os.Stderr).run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

// softMemory is how much memory the collector lets be in use before it works harder.
const softMemory = 96 << 20

// Exit statuses.
const (
	statusOK    = 0
	statusFound = 1 // conflicts, findings
	statusError = 2
)

// found ends a command with status 1. All that there is to say has been printed.
var errFound = errors.New("found something")
