package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What happened in a run is counted: a kind of edit or fault that no seed has any more
// would prove nothing, and nobody would see it.

// kinds are what has to happen in a run of as many seeds as countedFrom.
var kinds = []string{
	"edit: remove", "edit: rename", "edit: type of a value", "edit: big file", "edit: mode", "edit: rollback", "edit: overlay", "edit: choice", "edit: strategy",
	"keys: pair", "keys: recover", "keys: revoke", "keys: rekey",
	"store: before", "store: lost", "store: throt", "store: slow", "store: stale", "store: stale to a copy", "store: hide", "store: half",
	"store: flip", "store: cut", "store: torn",
	"store: down: temporarily unavailable", "store: down: access denied", "store: down: store missing", "store: down: unknown",
	"store: noput: out of space", "store: noput: read-only",
	"store: twice", "store: late put", "store: late delete", "store: damaged for all", "store: damage read",
	"disk: full", "disk: broken", "disk: locked", "disk: saved in between", "disk: file locked", "disk: root gone", "disk: spool full",
	"database: full", "database: broken before a commit", "database: broken after a commit",
	"crash: before", "crash: torn", "crash: after", "crash: power cut",
	"clock: years ahead", "clock: years behind",
	"device: restart", "device: backup put back whole", "device: backup of the database put back", "device: copied", "device: copied and noticed", "device: fork",
	"device: detached", "device: attached", "device: mask",
}

// countedFrom is how many seeds all kinds are certain to happen in.
const countedFrom = 1000

// did counts something that happened, and adds it to the trace.
func (s *sim) did(what string) {
	s.counts[what]++
	s.note("did: %s", what)
}

func (m *machine) did(what, about string) {
	m.s.counts[what]++
	m.s.note("did: %s: %s %s", m.name, what, about)
}

// tell prints what was counted, for the process that shares out the seeds.
func tell(counts map[string]int) {
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		fmt.Printf("counted %d %s\n", counts[k], k)
	}
}

// addCounts adds up what a process printed.
func addCounts(counts map[string]int, out string) {
	for line := range strings.SplitSeq(out, "\n") {
		rest, ok := strings.CutPrefix(line, "counted ")
		if !ok {
			continue
		}
		n, what, _ := strings.Cut(rest, " ")
		if x, err := strconv.Atoi(n); err == nil {
			counts[what] += x
		}
	}
}

// checkCounts fails if something was never tried.
func checkCounts(t *testing.T, counts map[string]int, seeds uint64) {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "  %8d %s\n", counts[k], k)
	}
	t.Logf("what happened:\n%s", b.String())
	if seeds < countedFrom {
		return
	}
	for _, k := range kinds {
		if counts[k] == 0 {
			t.Errorf("in %d seeds there was never %q", seeds, k)
		}
	}
}
