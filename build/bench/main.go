// Bench measures the budgets of the design with the real program, as whole processes,
// and the same work by restic, unison, git and cp in turns with it, run by run, so that
// all share the machine's weather. It prints one table: medians, with the least and the
// most, and whether each budget is met.
//
//	go run ./build/bench -plait build/bin/plait [-runs 5] [-cases first,noop,…] [-size full|small] [-json]
//
// What is compared, and what can't be:
//
//   - Everything that is written is durable before the clock stops: Plait and restic
//     sync their files themselves, git does with core.fsync=all; after unison and cp,
//     after a restore and a clone, `sync -f` is part of the run.
//   - Caches are warm for all alike: every case runs on data that was just read. Nothing
//     is deleted between runs, since that slows some filesystems down for a minute.
//   - unison, git and cp work in clear and sign nothing; restic seals, but one way:
//     it merges nothing and has no second device.
//
// A tool that is not installed is left out. Nothing here is a test: budgets stand in
// the table beside what was measured.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	if result := os.Getenv(resultVariable); result != "" {
		if err := measureOne(result, os.Args[1:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	o := options{out: os.Stdout}
	flag.StringVar(&o.program, "plait", "build/bin/plait", "the program to measure")
	flag.IntVar(&o.runs, "runs", 5, "runs of each case; the median counts")
	flag.StringVar(&o.cases, "cases", "", "only these, of "+strings.Join(caseNames, ","))
	flag.StringVar(&o.size, "size", "full", "of the data set: full (5,201 files, 164 MB) or small, for a try")
	flag.BoolVar(&o.json, "json", false, "print the figures as JSON")
	flag.BoolVar(&o.keep, "keep", false, "keep what was made")
	flag.BoolVar(&o.alone, "alone", false, "without the peers")
	flag.Parse()
	if err := measureAll(o); err != nil {
		log.Fatal(err)
	}
}

type options struct {
	program, cases, size string
	runs                 int
	json, keep, alone    bool
	out                  io.Writer
}

func measureAll(o options) (err error) {
	scale := 1.0
	switch o.size {
	case "full":
	case "small":
		scale = 0.02
	default:
		return fmt.Errorf("no size is called %q", o.size)
	}
	path, err := filepath.Abs(o.program)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "plait-bench-")
	if err != nil {
		return err
	}
	b := &bench{dir: dir, plait: &plait{program: path}, runs: max(1, o.runs), scale: scale}
	if b.only, err = choose(o.cases); err != nil {
		return err
	}
	defer func() {
		if o.keep {
			log.Printf("kept: %s", dir)
		} else if e := os.RemoveAll(dir); err == nil {
			err = e
		}
	}()
	b.tools = []tool{b.plait}
	for _, t := range []tool{&restic{}, &unison{}, &gitTool{}, &cp{}} {
		if _, err := exec.LookPath(t.name()); err != nil && !o.alone {
			log.Printf("%s is not installed: left out", t.name())
		} else if err == nil && !o.alone {
			b.tools = append(b.tools, t)
		}
	}
	began := time.Now()
	err = b.all()
	for _, c := range b.rows {
		c.judge()
	}
	r := report{System: fmt.Sprintf("%s/%s, %d CPUs", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
		Runs: b.runs, Size: o.size, Seconds: time.Since(began).Seconds(), Load: load(), Data: b.described, Cases: b.rows}
	for _, t := range b.tools {
		r.Tools = append(r.Tools, t.name())
	}
	if o.json {
		e := json.NewEncoder(o.out)
		e.SetIndent("", "  ")
		return errors.Join(err, e.Encode(r))
	}
	r.print(o.out)
	return err
}

// load is how many processes wanted to run in the last minutes, where the system says so:
// with more than there are CPUs, no figure here is worth much.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	f := strings.Fields(string(text))
	return strings.Join(f[:min(3, len(f))], " ")
}

// A bench is one run of all cases.
type bench struct {
	dir, data string
	described string // the data set, in words
	plait     *plait
	tools     []tool // plait first
	runs      int
	scale     float64
	only      map[string]bool // cases; nil: all
	rows      []*row
}

var caseNames = []string{"first", "noop", "idle", "line", "receive", "byte", "second", "editor", "setting", "settings", "text"}

func choose(list string) (map[string]bool, error) {
	if list == "" {
		return nil, nil
	}
	only := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		if !slices.Contains(caseNames, name) {
			return nil, fmt.Errorf("no case is called %q", name)
		}
		only[name] = true
	}
	return only, nil
}

func (b *bench) wanted(names ...string) bool {
	return b.only == nil || slices.ContainsFunc(names, func(n string) bool { return b.only[n] })
}

func (b *bench) all() error {
	if err := b.onData(); err != nil {
		return err
	}
	if err := b.onEditor(); err != nil {
		return err
	}
	return b.merges()
}

// measure runs a case for every tool, run by run; prepare is not timed and comes before
// each run of all tools.
func (b *bench) measure(name string, aim budget, prepare func(run int) error, do func(t tool, run int) (took, error)) (*row, error) {
	log.Print(name)
	r := &row{Case: name, Budget: aim, Tools: map[string]*stats{}}
	out := map[string]bool{}
	for run := range b.runs {
		if prepare != nil {
			if err := prepare(run); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		for _, t := range b.tools {
			if out[t.name()] {
				continue
			}
			cost, err := do(t, run)
			if errors.Is(err, errNot) {
				out[t.name()] = true
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", name, t.name(), err)
			}
			r.add(t.name(), cost)
		}
	}
	b.rows = append(b.rows, r)
	return r, nil
}
