package api

// Services lists what a face binds: every exported method of these is callable by
// the frontend.
func (h *Host) Services() []any {
	return []any{&App{h}}
}

// App is what concerns the whole window.
type App struct{ h *Host }

// A Start is what a window needs to know first.
type Start struct {
	Seq     uint64   `json:"seq"` // of the last event that this takes in
	Phase   string   `json:"phase"`
	Problem *Problem `json:"problem,omitempty"`
	Version string   `json:"version"`
	Dialogs bool     `json:"dialogs"` // whether the desktop's own dialogs are to be had
	Jobs    []Job    `json:"jobs"`
}

// Start tells in which phase the host is.
func (a *App) Start() (s Start, err error) {
	defer a.h.guard(&err)
	s.Seq = a.h.Seq()
	a.h.mu.Lock()
	s.Phase, s.Problem = a.h.phase, a.h.problem
	a.h.mu.Unlock()
	s.Version, s.Dialogs, s.Jobs = a.h.o.Version, a.h.o.Dialogs != nil, a.h.jobs.list()
	return s, nil
}

// Unlock opens the vault with the passphrase of this device's keys.
func (a *App) Unlock(passphrase string) (err error) {
	defer a.h.guard(&err)
	a.h.mu.Lock()
	a.h.passphrase = []byte(passphrase)
	a.h.mu.Unlock()
	a.h.open()
	a.h.mu.Lock()
	defer a.h.mu.Unlock()
	if a.h.phase != PhaseOpen {
		a.h.passphrase = nil
		if a.h.problem != nil {
			return a.h.problem
		}
	}
	return nil
}

// Retry tries again to open a vault that could not be opened.
func (a *App) Retry() (err error) {
	defer a.h.guard(&err)
	a.h.open()
	return nil
}

// CancelJob ends a job. What it has done stays, and is whole.
func (a *App) CancelJob(id string) (err error) {
	defer a.h.guard(&err)
	a.h.jobs.cancel(id)
	return nil
}
