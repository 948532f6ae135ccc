package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A took is what one run of a tool cost: seconds and bytes; -1 is not known.
type took struct {
	Wall, CPU        float64
	Memory           float64 // peak resident bytes of the largest process
	Requests         float64
	Bytes            float64 // written to the store, or (for what receives) read from it
	Allocs, Allotted float64 // of a Go benchmark
}

var unknown = took{-1, -1, -1, -1, -1, -1, -1}

// A spread is a figure over all runs.
type spread struct{ Median, Min, Max float64 }

// stats are all figures of one tool in one case.
type stats struct {
	runs                               []took
	Wall, CPU, Memory, Requests, Bytes spread
	Allocs                             float64 `json:",omitempty"`
	Allotted                           float64 `json:",omitempty"`
}

func (s *stats) sum() {
	over := func(of func(took) float64) spread {
		v := make([]float64, len(s.runs))
		for i, t := range s.runs {
			v[i] = of(t)
		}
		slices.Sort(v)
		return spread{v[len(v)/2], v[0], v[len(v)-1]}
	}
	s.Wall = over(func(t took) float64 { return t.Wall })
	s.CPU = over(func(t took) float64 { return t.CPU })
	s.Memory = over(func(t took) float64 { return t.Memory })
	s.Requests = over(func(t took) float64 { return t.Requests })
	s.Bytes = over(func(t took) float64 { return t.Bytes })
	s.Allocs = over(func(t took) float64 { return max(0, t.Allocs) }).Median
	s.Allotted = over(func(t took) float64 { return max(0, t.Allotted) }).Median
}

// A budget is what a case may cost Plait; 0 is no limit.
type budget struct {
	Wall     float64 `json:",omitempty"` // seconds
	Requests float64 `json:",omitempty"`
	Bytes    float64 `json:",omitempty"`
	Memory   float64 `json:",omitempty"`
	Objects  float64 `json:",omitempty"`
	Peer     string  `json:",omitempty"` // Wall is also to be at most
	Ratio    float64 `json:",omitempty"` // this times the peer's
}

func (a budget) words() string {
	var all []string
	if a.Wall > 0 {
		all = append(all, seconds(a.Wall))
	}
	if a.Peer != "" {
		all = append(all, fmt.Sprintf("%.2g × %s", a.Ratio, a.Peer))
	}
	if a.Requests > 0 {
		all = append(all, fmt.Sprintf("%.0f req.", a.Requests))
	}
	if a.Bytes > 0 {
		all = append(all, size(a.Bytes))
	}
	if a.Memory > 0 {
		all = append(all, "peak "+size(a.Memory))
	}
	if a.Objects > 0 {
		all = append(all, fmt.Sprintf("%.0f objects", a.Objects))
	}
	if len(all) == 0 {
		return ""
	}
	return "≤ " + strings.Join(all, ", ")
}

// A row is one case.
type row struct {
	Case    string
	Budget  budget
	Met     string  // yes, or what is over; "" without a budget
	Note    string  `json:",omitempty"`
	Objects float64 `json:",omitempty"`
	Tools   map[string]*stats
}

func (r *row) add(tool string, t took) {
	s := r.Tools[tool]
	if s == nil {
		s = &stats{}
		r.Tools[tool] = s
	}
	s.runs = append(s.runs, t)
}

// judge compares Plait's medians with the budget.
func (r *row) judge() {
	for _, s := range r.Tools {
		s.sum()
	}
	own := r.Tools[plaitName]
	if own == nil || r.Budget.words() == "" {
		return
	}
	var over []string
	check := func(what string, got, most float64) {
		if most > 0 && got > most {
			over = append(over, what)
		}
	}
	check("time", own.Wall.Median, r.Budget.Wall)
	check("requests", own.Requests.Median, r.Budget.Requests)
	check("bytes", own.Bytes.Median, r.Budget.Bytes)
	check("memory", own.Memory.Median, r.Budget.Memory)
	check("objects", r.Objects, r.Budget.Objects)
	if peer := r.Tools[r.Budget.Peer]; peer != nil {
		check("× "+r.Budget.Peer, own.Wall.Median, r.Budget.Ratio*peer.Wall.Median)
	}
	r.Met = "yes"
	if len(over) > 0 {
		r.Met = "no: " + strings.Join(over, ", ")
	}
}

// A report is all that was measured.
type report struct {
	System, Load, Size, Data string
	Runs                     int
	Seconds                  float64
	Tools                    []string
	Cases                    []*row
}

func (r report) print(out io.Writer) {
	fmt.Fprintf(out, "%s; median (least–most) of %d runs; load %s at the end\n%s\n\n", r.System, r.Runs, orNone(r.Load), r.Data)
	head := []string{"CASE", "PLAIT", "CPU", "PEAK", "REQ.", "BYTES"}
	for _, t := range r.Tools[1:] {
		head = append(head, strings.ToUpper(t))
	}
	lines := [][]string{append(head, "BUDGET", "MET")}
	for _, c := range r.Cases {
		lines = append(lines, c.cells(r.Tools))
	}
	var width [32]int
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
		fmt.Fprintln(out, strings.TrimRight(s.String(), " "))
	}
	fmt.Fprintln(out)
	for _, c := range r.Cases {
		if c.Note != "" {
			fmt.Fprintf(out, "%s: %s\n", c.Case, c.Note)
		}
	}
	fmt.Fprint(out, "Peers' columns: their time, and how many times Plait's it is. restic backs up one way; unison, git and cp\n"+
		"work in clear. unison, cp, restic's restore and git's clone are made durable by `sync -f` within the run.\n")
}

// cells are a row of the table.
func (r *row) cells(tools []string) []string {
	l := []string{r.Case, "-", "-", "-", "-", "-"}
	own := r.Tools[tools[0]]
	if own != nil {
		l[1] = span(own.Wall)
		l[2] = known(own.CPU.Median, seconds)
		l[3] = known(own.Memory.Median, size)
		l[4] = known(own.Requests.Median, func(v float64) string { return fmt.Sprintf("%.0f", v) })
		l[5] = known(own.Bytes.Median, size)
	}
	for _, t := range tools[1:] {
		text := "-"
		if peer := r.Tools[t]; peer != nil {
			text = seconds(peer.Wall.Median)
			if own != nil && own.Wall.Median > 0 {
				text += fmt.Sprintf(" (%.1f×)", peer.Wall.Median/own.Wall.Median)
			}
		}
		l = append(l, text)
	}
	return append(l, r.Budget.words(), r.Met)
}

func known(v float64, as func(float64) string) string {
	if v < 0 {
		return "-"
	}
	return as(v)
}

func span(s spread) string {
	switch {
	case s.Median < 0:
		return "-"
	case s.Min == s.Max:
		return seconds(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", seconds(s.Median), seconds(s.Min), seconds(s.Max))
}

func seconds(s float64) string {
	switch {
	case s >= 10:
		return fmt.Sprintf("%.1f s", s)
	case s >= 1:
		return fmt.Sprintf("%.2f s", s)
	case s >= 0.01:
		return fmt.Sprintf("%.0f ms", s*1e3)
	}
	return fmt.Sprintf("%.1f ms", s*1e3)
}

func size(n float64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%.0f B", n)
	case n < 10_000_000:
		return fmt.Sprintf("%.0f kB", n/1e3)
	}
	return fmt.Sprintf("%.0f MB", n/1e6)
}

func orNone(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}
