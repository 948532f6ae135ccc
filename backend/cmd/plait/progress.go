package main

import (
	"fmt"
	"sync"

	"plait/backend/vault"
)

// progress keeps one line on the terminal's standard error; elsewhere it is silent.
type progress struct {
	c     *cli
	mu    sync.Mutex // guards shown, and what is written between
	shown bool
}

var phases = map[string]string{
	"observe": "Reading files",
	"seal":    "Sealing",
	"push":    "Sending",
	"pull":    "Receiving",
	"apply":   "Writing files",
	"join":    "Joining",
}

// report shows how far a job is. It is called by the vault, from any goroutine.
func (p *progress) report(now vault.Progress) {
	if !p.c.errTerm || p.c.json {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = true
	fmt.Fprintf(p.c.err, "\r\x1b[K%s", paint(true, dim, progressText(now)))
}

// progressText is the line: what is done, how far, in items and bytes.
func progressText(now vault.Progress) string {
	text, ok := phases[now.Phase]
	if !ok {
		text = now.Phase
	}
	switch {
	case now.Total > 0:
		text += fmt.Sprintf(" %d of %d", now.Done, now.Total)
	case now.Done > 0:
		text += fmt.Sprintf(" %d", now.Done)
	}
	switch {
	case now.BytesTotal > 0:
		text += fmt.Sprintf(" · %s of %s", size(now.BytesDone), size(now.BytesTotal))
	case now.BytesDone > 0:
		text += " · " + size(now.BytesDone)
	}
	return text
}

// clear takes the line away, so that something else can be printed.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.c.err, "\r\x1b[K")
		p.shown = false
	}
}
