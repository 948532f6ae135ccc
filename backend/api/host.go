// Package api is the contract of every window: services whose methods a frontend
// calls, the values they take and return, their errors and their events. The desktop
// window binds the services; package bridge serves the same over loopback HTTP.
//
//	frontend ── call ──> service ── Host.use ──> vault.Vault (one at a time)
//	frontend <─ event ── Host.emit
//
// # Guarantees
//
//   - A1 A method always answers: a panic becomes an error of code internal, and
//     nothing waits for the vault longer than the caller's patience without a job to
//     show for it.
//   - A2 Errors reach the frontend as a Problem: what happened, what is safe, what to do.
//   - A3 Events carry no contents: a topic, a number that grows by one, and at most a
//     few counts. What changed is asked for.
//   - A4 Values are plain: strings, numbers, booleans, lists that are never null, and
//     structs of those. Times are RFC 3339, in UTC.
package api

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"plait/backend/problem"
	"plait/backend/vault"
)

// Dialogs asks the person by means of the desktop. A face without a desktop has none.
type Dialogs interface {
	// Folder, OpenFile and SaveFile return "" if the person cancelled.
	Folder(title string) (string, error)
	OpenFile(title string) (string, error)
	SaveFile(title, name string) (string, error)
}

// Options are what a face hands in. Vault.Home and Vault.OpenBucket must be set.
type Options struct {
	Vault   vault.Options
	Version string
	Dialogs Dialogs                        // nil: none; then paths are typed
	Notify  func(title, body string) error // a notification of the desktop; nil: none
	Browse  func(path string) error        // opens a file or folder in the person's own program; nil: none
	Quit    func()                         // ends the face; nil: it can't be ended from inside
}

// Phases of a host.
const (
	PhaseNone   = "none"   // no vault on this device yet: onboarding
	PhaseLocked = "locked" // its keys want a passphrase
	PhaseFailed = "failed" // it can't be opened; see the problem
	PhaseOpen   = "open"
)

// Host owns this device's vault for as long as a face runs, and lets its services
// use it one at a time.
type Host struct {
	o    Options
	log  *slog.Logger
	bus  bus
	jobs jobs

	ctx  context.Context
	stop context.CancelFunc
	done sync.WaitGroup

	turn chan struct{} // held by who uses v
	v    *vault.Vault

	mu         sync.Mutex // of what follows
	phase      string
	problem    *Problem
	passphrase []byte
}

// New makes a host; Start opens the vault.
func New(o Options) *Host {
	h := &Host{o: o, log: o.Vault.Log, turn: make(chan struct{}, 1), phase: PhaseNone}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.jobs.h = h
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.o.Vault.Progress = h.jobs.progress
	ask := o.Vault.Passphrase
	h.o.Vault.Passphrase = func() ([]byte, error) {
		h.mu.Lock()
		p := h.passphrase
		h.mu.Unlock()
		if p != nil {
			return p, nil
		}
		if ask != nil {
			return ask()
		}
		return nil, &problem.Error{Code: problem.Locked, Message: "This device's keys are locked by a passphrase.", Hint: "Type it to go on."}
	}
	return h
}

// Start opens the vault, if there is one. That there is none, or that it can't be
// opened, is a phase that the window shows, and no error.
func (h *Host) Start() {
	h.open()
}

// Stop cancels what runs, waits for it, and lets go of the vault.
func (h *Host) Stop() {
	h.stop()
	h.jobs.cancelAll()
	h.done.Wait()
	h.turn <- struct{}{}
	if h.v != nil {
		if err := h.v.Close(); err != nil {
			h.log.Warn("closing the vault", "error", err)
		}
		h.v = nil
	}
}

// open tries to open the vault and sets the phase.
func (h *Host) open() {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	if h.v != nil {
		return
	}
	v, err := vault.Open(h.ctx, h.o.Vault)
	h.adopt(v, err)
}

// adopt makes v this host's vault, or err the reason why there is none. The caller
// holds the turn.
func (h *Host) adopt(v *vault.Vault, err error) {
	phase, p := PhaseOpen, (*Problem)(nil)
	if err != nil {
		p = problemOf(err)
		switch problem.Code(p.Code) {
		case problem.NoVault:
			phase, p = PhaseNone, nil
		case problem.Locked, problem.WrongPassphrase:
			phase = PhaseLocked
		default:
			phase = PhaseFailed
		}
	} else {
		h.v = v
	}
	h.mu.Lock()
	h.phase, h.problem = phase, p
	h.mu.Unlock()
	h.emit(TopicPhase, nil)
}

var errClosing = errors.New("Plait is closing")

// use runs f with the vault, when it is its turn.
func (h *Host) use(f func(ctx context.Context, v *vault.Vault) error) error {
	return h.useWith(h.ctx, f)
}

// useWith is use under a context of the caller's.
func (h *Host) useWith(ctx context.Context, f func(ctx context.Context, v *vault.Vault) error) error {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-h.ctx.Done():
		return errClosing
	}
	defer func() { <-h.turn }()
	if h.v == nil {
		h.mu.Lock()
		p := h.problem
		h.mu.Unlock()
		if p != nil {
			return p
		}
		return &problem.Error{Code: problem.NoVault, Message: "There is no vault on this device yet.", Hint: "Set one up first."}
	}
	return f(ctx, h.v)
}

// ask is use for what returns a value.
func ask[T any](h *Host, f func(ctx context.Context, v *vault.Vault) (T, error)) (out T, err error) {
	err = h.use(func(ctx context.Context, v *vault.Vault) (err error) {
		out, err = f(ctx, v)
		return err
	})
	return out, err
}
