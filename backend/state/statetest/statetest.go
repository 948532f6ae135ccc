// Package statetest is an oracle for invariant I2: the siblings of each atom are
// exactly the writes that no write replaced, on every device.
//
// It knows nothing of how package state goes about it. It keeps every write that
// any device made, and what each replica's disk really stood for when its person
// edited there, and computes the expected siblings from these alone.
//
//	l := statetest.New()
//	l.Applied("laptop/code", name, key, dots)   // whenever a value was put on a disk
//	l.RecordFrom("laptop/code", entry)          // an edit there
//	l.Record(entry)                             // a decision: made from a view, not from a disk
//	l.Check(name, item, vector)                 // any time, on any device
package statetest

import (
	"fmt"
	"slices"

	"plait/backend/item"
	"plait/backend/state"
)

// An Atom names one atom of one item.
type Atom struct {
	Item item.Name
	Key  item.Key
}

type write struct {
	value    item.Value
	replaces []item.Dot
}

// A Log holds every write of every device. It is not safe for concurrent use.
type Log struct {
	writes map[Atom]map[item.Dot]write
	disks  map[string]map[Atom][]item.Dot
	// Collected allows an atom's sole tombstone to be missing.
	Collected bool
}

// New returns an empty log.
func New() *Log {
	return &Log{writes: map[Atom]map[item.Dot]write{}, disks: map[string]map[Atom][]item.Dot{}}
}

// Record notes an entry that replaces what it says it replaces. It fails if the
// entry's dot was used before for other writes.
func (l *Log) Record(e *item.Entry) error {
	for _, w := range e.Writes {
		if err := l.note(e, w, w.Replaces); err != nil {
			return err
		}
	}
	return nil
}

// RecordFrom notes an entry observed on a replica's disk. What it replaces is what
// was on that disk, whatever it says; it fails if that differs.
func (l *Log) RecordFrom(replica string, e *item.Entry) error {
	var wrong error
	for _, w := range e.Writes {
		a := Atom{w.Item, w.Key}
		stood := l.disks[replica][a]
		if !slices.Equal(stood, inOrder(w.Replaces)) && wrong == nil {
			wrong = fmt.Errorf("%s: entry %s replaces %v of %v; the disk stood for %v", replica, e.Dot(), w.Replaces, a, stood)
		}
		if err := l.note(e, w, stood); err != nil {
			return err
		}
		l.Applied(replica, w.Item, w.Key, []item.Dot{e.Dot()})
	}
	return wrong
}

// Applied notes that an atom on a replica's disk now stands for dots.
func (l *Log) Applied(replica string, name item.Name, k item.Key, dots []item.Dot) {
	if l.disks[replica] == nil {
		l.disks[replica] = map[Atom][]item.Dot{}
	}
	l.disks[replica][Atom{name, k}] = inOrder(dots)
}

func (l *Log) note(e *item.Entry, w item.Write, replaces []item.Dot) error {
	a := Atom{w.Item, w.Key}
	if l.writes[a] == nil {
		l.writes[a] = map[item.Dot]write{}
	}
	if old, ok := l.writes[a][e.Dot()]; ok {
		if !old.value.Same(w.Value) {
			return fmt.Errorf("dot %s of %v was used twice", e.Dot(), a)
		}
		return nil
	}
	l.writes[a][e.Dot()] = write{w.Value, inOrder(replaces)}
	return nil
}

// Siblings are the expected ones, in dot order, for somebody who has applied v; a
// nil v has applied everything.
func (l *Log) Siblings(a Atom, v item.Vector) []item.Dot {
	seen := func(d item.Dot) bool { return v == nil || v.Covers(d) }
	replaced := map[item.Dot]bool{}
	for d, w := range l.writes[a] {
		if seen(d) {
			for _, r := range w.replaces {
				replaced[r] = true
			}
		}
	}
	var out []item.Dot
	for d := range l.writes[a] {
		if seen(d) && !replaced[d] {
			out = append(out, d)
		}
	}
	return inOrder(out)
}

// CheckAtom compares the siblings that somebody at v has with the expected ones.
func (l *Log) CheckAtom(a Atom, v item.Vector, got []item.Dot) error {
	want := l.Siblings(a, v)
	if slices.Equal(want, inOrder(got)) {
		return nil
	}
	if l.Collected && len(got) == 0 && len(want) == 1 && l.writes[a][want[0]].value.Kind == item.Absent {
		return nil
	}
	return fmt.Errorf("siblings of %v = %v, want %v", a, got, want)
}

// Check compares a whole item, of somebody at v, with what is expected: siblings,
// their values, and that what is kept as past was really written and replaced.
func (l *Log) Check(name item.Name, it *state.Item, v item.Vector) error {
	for a := range l.writes {
		if a.Item != name {
			continue
		}
		var got []item.Dot
		if atom := it.Atoms[a.Key]; atom != nil {
			got = atom.Dots()
		}
		if err := l.CheckAtom(a, v, got); err != nil {
			return err
		}
	}
	for k, atom := range it.Atoms {
		a := Atom{name, k}
		expected := l.Siblings(a, v)
		for _, s := range slices.Concat(atom.Live, atom.Past) {
			w, ok := l.writes[a][s.Dot]
			if !ok || !w.value.Same(s.Value) {
				return fmt.Errorf("%v has a value at %s that nobody wrote", a, s.Dot)
			}
		}
		for _, s := range atom.Past {
			if slices.Contains(expected, s.Dot) {
				return fmt.Errorf("%v keeps %s as past, but nothing replaced it", a, s.Dot)
			}
		}
	}
	return nil
}

// Atoms lists the atoms that were ever written, in order.
func (l *Log) Atoms() []Atom {
	out := make([]Atom, 0, len(l.writes))
	for a := range l.writes {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Atom) int {
		if a.Item != b.Item {
			if a.Item < b.Item {
				return -1
			}
			return 1
		}
		return state.CompareKeys(a.Key, b.Key)
	})
	return out
}

func inOrder(in []item.Dot) []item.Dot {
	out := slices.Clone(in)
	slices.SortFunc(out, item.Dot.Compare)
	return slices.Compact(out)
}
