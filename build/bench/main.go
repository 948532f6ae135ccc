// Bench measures the budgets of the design with the real program, whole processes, and
// the same work by restic, unison and git, run by run beside it; median of several runs.
//
//	go run ./build/bench -plait build/bin/plait [-runs 5] [-scale 1] [-parts data,editor,merges] [-keep]
//
// A tool that is not installed is left out. Nothing here is a test: the aims stand in
// the table, and where Plait stands, it says.
package main

import (
	"errors"
	"flag"
	"fmt"
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
	program := flag.String("plait", "build/bin/plait", "the program to measure")
	runs := flag.Int("runs", 5, "runs of each case; the median counts")
	scale := flag.Float64("scale", 1, "size of the data set, 1: 5,201 files, 164 MB")
	parts := flag.String("parts", "data,editor,merges", "which cases: on the data set, on one editor's data, merges")
	keep := flag.Bool("keep", false, "keep what was made")
	flag.Parse()
	path, err := filepath.Abs(*program)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "plait-bench-")
	if err != nil {
		log.Fatal(err)
	}
	b := &bench{dir: dir, plait: &plait{program: path}, runs: *runs, scale: *scale}
	err = b.all(strings.Split(*parts, ","))
	if *keep {
		log.Printf("kept: %s", dir)
	} else if e := os.RemoveAll(dir); err == nil {
		err = e
	}
	if err != nil {
		log.Fatal(err)
	}
}

// A bench is one run of all cases.
type bench struct {
	dir, data string
	plait     *plait
	tools     []tool // plait first
	runs      int
	scale     float64
	rows      []row
}

// A row is one case: what it should cost, and what it cost each tool.
type row struct {
	name, aim string
	took      map[string]took
	note      string
}

func (b *bench) all(parts []string) error {
	b.tools = []tool{b.plait}
	for _, t := range []tool{&restic{}, &unison{}, &gitTool{}} {
		if _, err := exec.LookPath(t.name()); err != nil {
			log.Printf("%s is not installed: left out", t.name())
			continue
		}
		b.tools = append(b.tools, t)
	}
	fmt.Printf("%s/%s, %d CPUs; median of %d runs, whole processes\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), b.runs)
	var failed error
	for _, part := range parts {
		do, ok := map[string]func() error{"data": b.dataSet, "editor": b.editor, "merges": b.merges}[part]
		if !ok {
			return fmt.Errorf("no part is called %q", part)
		}
		failed = errors.Join(failed, do())
	}
	fmt.Println()
	b.print()
	return failed
}

// measure runs a case for every tool, run by run, so that they share the machine's
// weather; prepare is not timed and comes before each run of all tools.
func (b *bench) measure(name, aim string, prepare func(run int) error, do func(t tool, run int) (took, error)) error {
	log.Print(name)
	all := map[string][]took{}
	out := map[string]bool{}
	for run := range b.runs {
		if prepare != nil {
			if err := prepare(run); err != nil {
				return fmt.Errorf("%s: %w", name, err)
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
				return fmt.Errorf("%s: %s: %w", name, t.name(), err)
			}
			all[t.name()] = append(all[t.name()], cost)
		}
	}
	r := row{name: name, aim: aim, took: map[string]took{}}
	for tool, list := range all {
		r.took[tool] = median(list)
	}
	b.rows = append(b.rows, r)
	return nil
}

// median is each figure's own.
func median(list []took) took {
	mid := func(of func(took) int64) int64 {
		v := make([]int64, len(list))
		for i, t := range list {
			v[i] = of(t)
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return took{
		wall:     time.Duration(mid(func(t took) int64 { return int64(t.wall) })),
		memory:   mid(func(t took) int64 { return t.memory }),
		bytes:    mid(func(t took) int64 { return t.bytes }),
		requests: mid(func(t took) int64 { return t.requests }),
	}
}

// print writes the table: Plait's figures, then each peer's time and how many times Plait's it is.
func (b *bench) print() {
	head := []string{"CASE", "AIM", "PLAIT", "REQUESTS", "BYTES", "PEAK"}
	for _, t := range b.tools[1:] {
		head = append(head, strings.ToUpper(t.name()))
	}
	lines := [][]string{head}
	for _, r := range b.rows {
		own, ok := r.took[b.plait.name()]
		l := []string{r.name, r.aim, "-", "-", "-", "-"}
		if ok {
			l[2], l[5] = duration(own.wall), bytesText(own.memory)
			if own.requests >= 0 {
				l[3] = fmt.Sprint(own.requests)
			}
			if own.bytes >= 0 {
				l[4] = bytesText(own.bytes)
			}
		}
		for _, t := range b.tools[1:] {
			text := "-"
			if peer, there := r.took[t.name()]; there {
				text = duration(peer.wall)
				if ok {
					text += fmt.Sprintf(" (%.1f×)", float64(peer.wall)/float64(own.wall))
				}
			}
			l = append(l, text)
		}
		if r.note != "" {
			l = append(l, r.note)
		}
		lines = append(lines, l)
	}
	width := map[int]int{}
	for _, l := range lines {
		for i, text := range l {
			width[i] = max(width[i], len([]rune(text)))
		}
	}
	for _, l := range lines {
		var s strings.Builder
		for i, text := range l {
			s.WriteString(text + strings.Repeat(" ", width[i]-len([]rune(text))+2))
		}
		fmt.Println(strings.TrimRight(s.String(), " "))
	}
}

func duration(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

func bytesText(n int64) string {
	switch {
	case n <= 0:
		return fmt.Sprint(n)
	case n < 10_000:
		return fmt.Sprintf("%d B", n)
	case n < 10_000_000:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}
