package engine

import (
	"slices"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/state"
)

// warn fills Round.Warnings for items in which this round joined changes that were
// made side by side: from tells what the authors of the entries that came had seen,
// before is what was applied here until then. What one side wrote knowing the other
// is nobody's accident, and is not warned about.
func (e *Engine) warn(r *Round, before item.Vector, from map[item.Name]item.Vector) error {
	for _, n := range sortedNames(from) {
		if n.Type() == item.Policy || n.Type() == item.Files {
			continue
		}
		it, err := e.item(n)
		if err != nil {
			return err
		}
		if !sideBySide(it, before, from[n]) {
			continue
		}
		merged, err := e.valuesOf(n, it)
		if err != nil {
			return err
		}
		local, err := e.valuesOf(n, asSeen(it, before))
		if err != nil {
			return err
		}
		remote, err := e.valuesOf(n, asSeen(it, from[n]))
		if err != nil {
			return err
		}
		for _, w := range merge.Warnings(n.Type(), local, remote, merged, merge.Options{Platform: e.cfg.Platform}) {
			r.Warnings = append(r.Warnings, Warning{Item: n, Warning: w})
		}
	}
	return nil
}

// sideBySide says whether each of two has written something live that the other had not seen.
func sideBySide(it *state.Item, a, b item.Vector) bool {
	onlyA, onlyB := false, false
	for _, at := range it.Atoms {
		for _, s := range at.Live {
			inA, inB := a.Covers(s.Dot), b.Covers(s.Dot)
			onlyA, onlyB = onlyA || inA && !inB, onlyB || inB && !inA
		}
	}
	return onlyA && onlyB
}

// asSeen is an item as somebody has it who has applied v and no more, as far as
// replaced writes are still kept.
func asSeen(it *state.Item, v item.Vector) *state.Item {
	out := &state.Item{Atoms: map[item.Key]*state.Atom{}}
	for k, a := range it.Atoms {
		o := &state.Atom{}
		for _, list := range [][]state.Sibling{a.Live, a.Past} {
			for _, s := range list {
				if !v.Covers(s.Dot) {
					continue
				}
				var by []item.Dot
				for _, d := range s.ReplacedBy {
					if v.Covers(d) {
						by = append(by, d)
					}
				}
				s.ReplacedBy = by
				if len(by) == 0 {
					o.Live = append(o.Live, s)
				} else {
					o.Past = append(o.Past, s)
				}
			}
		}
		for _, list := range [][]state.Sibling{o.Live, o.Past} {
			slices.SortFunc(list, func(x, y state.Sibling) int { return x.Dot.Compare(y.Dot) })
		}
		if len(o.Live)+len(o.Past) > 0 {
			out.Atoms[k] = o
		}
	}
	return out
}

// valuesOf are the values that an item shows where nothing waits for a decision.
func (e *Engine) valuesOf(n item.Name, it *state.Item) (map[item.Key]item.Value, error) {
	shown, err := e.view(n, it)
	if err != nil {
		return nil, err
	}
	out := make(map[item.Key]item.Value, len(shown))
	for k, s := range shown {
		if s.Conflict == nil && state.Present(s.Value) {
			out[k] = s.Value
		}
	}
	return out, nil
}
