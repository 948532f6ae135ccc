package state

import (
	"errors"
	"fmt"

	"plait/backend/item"
)

var (
	// ErrKnown: the vector covers the entry already. Nothing to do.
	ErrKnown = errors.New("entry is known")
	// ErrSkips: the entry does not follow the last known one of its journal. Wait for those between.
	ErrSkips = errors.New("entry does not follow the last known one of its journal")
	// ErrForked: a hash that the entry names differs from the one that was applied here.
	ErrForked = errors.New("entry follows another history than the one known here")
	// ErrMalformed: no honest device writes such an entry. Refuse it.
	ErrMalformed = errors.New("entry contradicts itself")
)

// Missing says which entry has to be applied first.
type Missing struct {
	Dot  item.Dot
	Hash [8]byte // of that entry, as the waiting one's author knew it
}

func (m *Missing) Error() string { return "waits for entry " + m.Dot.String() }

// CanApply says whether e may be applied by somebody who has applied v. It
// returns nil; *Missing or ErrSkips (keep the entry, try again later); ErrNewer
// (likewise, until this device is updated); ErrKnown; or ErrForked or ErrMalformed
// (refuse it).
//
// A vector rises only by applying an entry that passed here, or by joining a
// whole state; never by what somebody else's head claims.
func CanApply(v item.Vector, e *item.Entry) error {
	if err := consistent(e); err != nil {
		return err
	}
	tip := v[e.Author]
	switch {
	case e.Seq <= tip.Seq:
		return ErrKnown
	case e.Seq > tip.Seq+1:
		return ErrSkips
	case e.Prev.Short() != tip.Hash: // at the first entry both are zero
		return fmt.Errorf("%w: %s before %s", ErrForked, e.Prev, e.Dot())
	}
	for _, a := range e.Deps.Authors() {
		want, have := e.Deps[a], v[a]
		if have.Seq < want.Seq {
			return &Missing{item.Dot{Author: a, Seq: want.Seq}, want.Hash}
		}
		// Where we are further on, only the journal can still compare the hashes.
		if have.Seq == want.Seq && have.Hash != want.Hash {
			return fmt.Errorf("%w: entry %s saw another %s.%d", ErrForked, e.Dot(), a, want.Seq)
		}
	}
	return nil
}

// consistent says whether the entry can have been written by an honest device:
// it replaces only what it had seen, so nothing that is still to come.
// What passes here, Marshal can write so that Unmarshal reads it.
func consistent(e *item.Entry) error {
	if e.Seq == 0 || (e.Seq == 1) != (e.Prev == item.Hash{}) {
		return fmt.Errorf("%w: sequence %d after hash %s", ErrMalformed, e.Seq, e.Prev)
	}
	if own, ok := e.Deps[e.Author]; ok && own.Seq >= e.Seq {
		return fmt.Errorf("%w: %s depends on itself", ErrMalformed, e.Dot())
	}
	for _, w := range e.Writes {
		if !isPath(w.Key.Path) {
			return fmt.Errorf("%w: %s writes %.100q, which is no path", ErrMalformed, e.Dot(), w.Key.Path)
		}
		if w.Value.Kind > item.Hidden {
			return fmt.Errorf("%w: %s has a value of kind %d", ErrNewer, e.Dot(), w.Value.Kind)
		}
		if err := checkValue(w.Value); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrMalformed, e.Dot(), err)
		}
		for _, d := range w.Replaces {
			own := d.Author == e.Author && d.Seq != 0 && d.Seq < e.Seq
			if !own && !e.Deps.Covers(d) {
				return fmt.Errorf("%w: %s replaces %s unseen", ErrMalformed, e.Dot(), d)
			}
		}
	}
	return nil
}

// isPath says whether an item.Path can be read from p.
func isPath(p string) bool {
	return len(p) <= maxPath && (p == "" || p[0] == '/')
}

// Advance raises v by an entry that was applied whole. hash is the entry's own.
func Advance(v item.Vector, e *item.Entry, hash item.Hash) {
	v[e.Author] = item.Tip{Seq: e.Seq, Hash: hash.Short()}
}
