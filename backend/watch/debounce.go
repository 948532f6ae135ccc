package watch

import (
	"maps"
	"slices"
	"time"
)

// A Debounce collects changes until it has been quiet for a while, but not for ever. It has
// no clock: it is told the time. The zero value of all but the durations works.
type Debounce struct {
	Quiet, Longest time.Duration

	paths       map[string]bool
	all         bool
	first, last time.Time
}

// tooMany is from how many paths on it is no longer worth telling them apart.
const tooMany = 1000

// Add notes a change.
func (d *Debounce) Add(now time.Time, path string) {
	d.note(now)
	if d.paths == nil {
		d.paths = map[string]bool{}
	}
	if d.paths[path] = true; len(d.paths) > tooMany {
		d.all = true
	}
}

// All notes that anything may have changed.
func (d *Debounce) All(now time.Time) {
	d.note(now)
	d.all = true
}

func (d *Debounce) note(now time.Time) {
	if d.first.IsZero() {
		d.first = now
	}
	d.last = now
}

// Due is when to Take; ok is false if there is nothing to wait for.
func (d *Debounce) Due() (at time.Time, ok bool) {
	if d.first.IsZero() {
		return at, false
	}
	quiet, longest := d.last.Add(d.Quiet), d.first.Add(d.Longest)
	if longest.Before(quiet) {
		return longest, true
	}
	return quiet, true
}

// Take is what was collected, once it is due; after that it is forgotten.
func (d *Debounce) Take(now time.Time) (e Event, ok bool) {
	if at, ok := d.Due(); !ok || now.Before(at) {
		return e, false
	}
	if e.All = d.all; !e.All {
		e.Paths = slices.Sorted(maps.Keys(d.paths))
	}
	d.paths, d.all, d.first, d.last = nil, false, time.Time{}, time.Time{}
	return e, true
}
