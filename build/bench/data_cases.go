package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"
)

// The budgets are those of the design.
var (
	firstBudget   = budget{Wall: 1.6, Peer: "restic", Ratio: 0.75, Memory: 160e6, Objects: 25}
	noopBudget    = budget{Wall: 0.090, Requests: 1, Bytes: 1000}
	idleBudget    = budget{Memory: 60e6}
	secondBudget  = budget{Wall: 1.5}
	lineBudget    = budget{Wall: 0.100, Requests: 2, Bytes: 4096}
	receiveBudget = budget{Wall: 0.080, Requests: 2}
	byteBudget    = budget{Wall: 0.450, Bytes: 128 << 10}
)

// settle is how long files must have been left alone before their stamps are proof.
func (b *bench) settle() {
	if b.scale == 1 {
		time.Sleep(2500 * time.Millisecond)
	}
}

// world makes a folder for one tool and run.
func (b *bench) world(t tool, what string, run int) (string, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("%s-%s-%d", t.name(), what, run))
	return dir, os.MkdirAll(dir, 0o755)
}

// onData are the cases on the whole data set.
func (b *bench) onData() error {
	if !b.wanted("first", "noop", "idle", "line", "receive", "byte", "second") {
		return nil
	}
	b.data = filepath.Join(b.dir, "data")
	log.Print("writing the data set")
	if err := writeData(b.data, b.scale); err != nil {
		return err
	}
	files, size := tally(b.data)
	b.described = fmt.Sprintf("data set: %d files, %.0f MB", files, size/1e6)
	b.settle()
	first, err := b.measure("first sync, sealed, durable", firstBudget, nil, func(t tool, run int) (took, error) {
		dir, err := b.world(t, "first", run)
		if err == nil {
			err = t.fresh(dir, b.data)
		}
		if err != nil {
			return took{}, err
		}
		return t.sync(true)
	})
	if err != nil {
		return err
	}
	objects, _ := tally(b.plait.store)
	first.Objects = float64(objects)
	first.Note = fmt.Sprintf("%d objects in the store", objects)
	if !b.wanted("first") {
		b.rows = nil
	}
	for _, c := range []struct {
		names []string
		do    func() error
	}{{[]string{"noop"}, b.noop}, {[]string{"idle"}, b.idleOn}, {[]string{"second", "line", "receive", "byte"}, b.devices}} {
		if b.wanted(c.names...) {
			if err := c.do(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) noop() error {
	_, err := b.measure("nothing to do, full scan", noopBudget, nil, func(t tool, _ int) (took, error) { return t.sync(false) })
	return err
}

func (b *bench) idleOn() error {
	wait := 5 * time.Second
	if b.scale < 1 {
		wait = 100 * time.Millisecond
	}
	_, err := b.measure("idle: sync --watch, memory held", idleBudget, nil, func(t tool, _ int) (took, error) {
		if t != b.plait {
			return took{}, errNot
		}
		return b.plait.idle(b.plait.home, wait)
	})
	return err
}

// devices are the cases with a second device.
func (b *bench) devices() error {
	second, err := b.measure("second device, from nothing", secondBudget, nil, func(t tool, run int) (took, error) {
		dir, err := b.world(t, "second", run)
		if err != nil {
			return took{}, err
		}
		return t.second(dir)
	})
	if err != nil {
		return err
	}
	second.Note = "join, attach and sync, of which the last run's sync was " + seconds(b.plait.parts[2].Wall)
	if !b.wanted("second") {
		b.rows = b.rows[:len(b.rows)-1]
	}
	// What was just written may still change unseen: everybody reads it once more.
	b.settle()
	for _, t := range b.tools {
		_, err := t.receive()
		if err == nil {
			_, err = t.sync(false) // the first device learns of the second
		}
		if err != nil && !errors.Is(err, errNot) {
			return err
		}
	}
	if b.wanted("line", "receive") {
		if err := b.change("one line, until durable", lineBudget, "receive one line", receiveBudget, b.line); err != nil {
			return err
		}
	}
	if !b.wanted("byte") {
		return nil
	}
	return errors.Join(
		b.change("one byte changed in 100 MB", byteBudget, "receive that byte", budget{}, func(run int) error { return b.poke(run, false) }),
		b.change("one byte inserted in 100 MB", byteBudget, "receive that insertion", budget{}, func(run int) error { return b.poke(run, true) }),
	)
}

// change measures sending a change, and the second device's receiving it.
func (b *bench) change(name string, aim budget, received string, most budget, edit func(run int) error) error {
	got := &row{Case: received, Budget: most, Tools: map[string]*stats{}}
	_, err := b.measure(name, aim, edit, func(t tool, _ int) (took, error) {
		sent, err := t.sync(true)
		if err != nil {
			return sent, err
		}
		r, err := t.receive()
		if err == nil {
			got.add(t.name(), r)
		}
		if errors.Is(err, errNot) {
			err = nil
		}
		return sent, err
	})
	b.rows = append(b.rows, got)
	return err
}

// line adds a line to a document.
func (b *bench) line(run int) error {
	file := filepath.Join(b.data, "User/settings/p00/settings.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	line := fmt.Sprintf("    \"bench.line\": %d,\n", run)
	return write(file, bytes.Replace(text, []byte("{\n"), []byte("{\n"+line), 1))
}

// poke changes or inserts a byte somewhere in the large file.
func (b *bench) poke(run int, insert bool) error {
	file := filepath.Join(b.data, filepath.FromSlash(big))
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	at := len(text) / (b.runs + 1) * (run + 1)
	if insert {
		text = append(text[:at], append([]byte{'x'}, text[at:]...)...)
	} else {
		text[at]++
	}
	return write(file, text)
}

// write writes a file durably, so that no tool's run waits for what the bench wrote.
func write(file string, text []byte) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
