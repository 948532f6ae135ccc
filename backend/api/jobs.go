package api

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"plait/backend/problem"
	"plait/backend/vault"
)

// A Job is long work that was begun by a call and goes on after it.
type Job struct {
	ID      string   `json:"id"`
	Kind    string   `json:"kind"`  // sync, pair, join, doctor, export, ...
	State   string   `json:"state"` // running, done, failed, cancelled
	Problem *Problem `json:"problem,omitempty"`
}

// Progress says how far a job is.
type Progress struct {
	Job        string `json:"job"`
	Phase      string `json:"phase"` // observe, seal, push, pull, apply, join
	Done       int64  `json:"done"`
	Total      int64  `json:"total"` // 0: not known yet
	BytesDone  int64  `json:"bytesDone"`
	BytesTotal int64  `json:"bytesTotal"`
}

type jobs struct {
	h       *Host
	mu      sync.Mutex
	last    int
	running map[string]*running
	using   string // the job that holds the vault, for progress
}

type running struct {
	kind   string
	cancel context.CancelFunc
}

// start runs f on its own, and tells of it by events. Only one job of a kind runs:
// if there is one, its id is returned.
func (j *jobs) start(kind string, f func(ctx context.Context) error) string {
	j.mu.Lock()
	for id, r := range j.running {
		if r.kind == kind {
			j.mu.Unlock()
			return id
		}
	}
	j.last++
	id := strconv.Itoa(j.last)
	ctx, cancel := context.WithCancel(j.h.ctx)
	if j.running == nil {
		j.running = map[string]*running{}
	}
	j.running[id] = &running{kind, cancel}
	j.mu.Unlock()

	j.h.done.Add(1)
	j.h.emit(TopicJob, Job{ID: id, Kind: kind, State: "running"})
	go func() {
		defer j.h.done.Done()
		defer cancel()
		end := Job{ID: id, Kind: kind, State: "done"}
		if err := j.run(ctx, f); err != nil {
			end.State, end.Problem = "failed", problemOf(err)
			if errors.Is(err, context.Canceled) || end.Problem.Code == string(problem.Cancelled) {
				end.State = "cancelled"
			}
		}
		j.mu.Lock()
		delete(j.running, id)
		j.mu.Unlock()
		j.h.emit(TopicJob, end)
	}()
	return id
}

func (j *jobs) run(ctx context.Context, f func(ctx context.Context) error) (err error) {
	defer j.h.guard(&err)
	return f(ctx)
}

// cancel ends a job, if it still runs.
func (j *jobs) cancel(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if r := j.running[id]; r != nil {
		r.cancel()
	}
}

func (j *jobs) cancelAll() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.running {
		r.cancel()
	}
}

// list tells what runs.
func (j *jobs) list() []Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := []Job{}
	for id, r := range j.running {
		out = append(out, Job{ID: id, Kind: r.kind, State: "running"})
	}
	return out
}

// holds says which job has the vault now, for what it reports.
func (j *jobs) holds(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.using = id
}

// progress is the vault's report.
func (j *jobs) progress(p vault.Progress) {
	j.mu.Lock()
	id := j.using
	j.mu.Unlock()
	j.h.emit(TopicProgress, Progress{Job: id, Phase: p.Phase, Done: p.Done, Total: p.Total, BytesDone: p.BytesDone, BytesTotal: p.BytesTotal})
}
