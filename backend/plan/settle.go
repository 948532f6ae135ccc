package plan

import (
	"fmt"
	"maps"
	"slices"

	"plait/backend/item"
	"plait/backend/state"
)

// Settle makes the writes, for an entry of action Settle, by which me chooses
// where the strategy is local or remote. Only an author of a sibling made by hand
// chooses: its own latest one, or the latest of others (its own, if all are its
// own). The write keeps the chosen one's time, so that devices which choose at
// once settle on the latest choice, and counts as automatic, so nothing chooses
// about it again. A subtree is settled as one, in one time.
func Settle(me item.Device, name item.Name, it *state.Item, view map[item.Key]state.Shown, strategy func(item.Key) state.Strategy) []item.Write {
	var out []item.Write
	for _, k := range inOrder(slices.Collect(maps.Keys(view))) {
		s := view[k]
		switch {
		case len(s.Subtree) > 0:
			if s.Subtree[0] == k {
				out = append(out, settleSubtree(me, name, it, s.Subtree, strategy(k).Chooses())...)
			}
		case s.How == state.HowLatest && k.Lane == item.LaneValue:
			live := it.Atoms[k].Live
			if c, ok := choose(me, live, strategy(k).Chooses()); ok {
				out = append(out, item.Write{Item: name, Key: k, Value: c.Value, Replaces: s.Dots, Time: c.Time})
			}
		}
	}
	return out
}

// choose is the sibling that me chooses, if it is me who does.
func choose(me item.Device, in []state.Sibling, side state.Strategy) (state.Sibling, bool) {
	mine := func(s state.Sibling) bool { return s.Dot.Author.Device == me }
	own := filter(in, func(s state.Sibling) bool { return mine(s) && s.ByHand() })
	if side == "" || len(own) == 0 {
		return state.Sibling{}, false
	}
	if side == state.Remote {
		if others := filter(in, func(s state.Sibling) bool { return !mine(s) }); len(others) > 0 {
			return state.Newest(others), true
		}
	}
	return state.Newest(own), true
}

// settleSubtree chooses between a value and those below it, keys' first being its key.
func settleSubtree(me item.Device, name item.Name, it *state.Item, keys []item.Key, side state.Strategy) []item.Write {
	upper := presentOnly(it.Atoms[keys[0]].Live)
	var all []state.Sibling
	for _, k := range keys {
		all = append(all, presentOnly(it.Atoms[k].Live)...)
	}
	c, ok := choose(me, all, side)
	if !ok {
		return nil
	}
	isUpper := slices.ContainsFunc(upper, func(s state.Sibling) bool { return s.Dot == c.Dot })
	var out []item.Write
	for i, k := range keys {
		live := it.Atoms[k].Live
		w := item.Write{Item: name, Key: k, Replaces: it.Atoms[k].Dots(), Time: c.Time}
		switch {
		case i == 0 && isUpper:
			w.Value = c.Value
		case i > 0 && !isUpper:
			w.Value = state.Newest(presentOnly(live)).Value
		}
		out = append(out, w)
	}
	return out
}

func filter(in []state.Sibling, keep func(state.Sibling) bool) []state.Sibling {
	var out []state.Sibling
	for _, s := range in {
		if keep(s) {
			out = append(out, s)
		}
	}
	return out
}

// A Choice is what a person decided about a conflict.
type Choice struct {
	// Side is which of the conflict's sides; -1: Values.
	Side int
	// Values are what the conflict's atoms shall have; Kind Absent or no entry
	// removes one. Keys other than the conflict's are written too, replacing what
	// the view shows there: a subtree may get members that no side had.
	Values map[item.Key]item.Value
}

// Resolve makes the writes, for an entry of action Resolve, that decide the
// conflict: each replaces all siblings that view showed.
//
// Of a subtree, choosing a value at its top removes what is below; choosing what
// is below removes the top, and each atom below gets its one present value. Atoms
// below that conflict among themselves stay as they are, for the next decision.
func Resolve(name item.Name, it *state.Item, view map[item.Key]state.Shown, c *state.Conflict, choice Choice) ([]item.Write, error) {
	if choice.Side >= len(c.Sides) || choice.Side < -1 {
		return nil, fmt.Errorf("conflict %q has %d sides, not side %d", c.Key.Path, len(c.Sides), choice.Side)
	}
	values := maps.Clone(choice.Values)
	keys := c.Keys
	switch {
	case choice.Side == -1:
		keys = inOrder(slices.AppendSeq(slices.Clone(c.Keys), maps.Keys(values)))
	case choice.Side == c.Below:
		values, keys = chooseBelow(it, c)
	default:
		values = map[item.Key]item.Value{c.Key: c.Sides[choice.Side].Value}
	}
	out := make([]item.Write, 0, len(keys))
	for _, k := range keys {
		out = append(out, item.Write{Item: name, Key: k, Value: values[k], Replaces: view[k].Dots})
	}
	return out, nil
}

// chooseBelow is what choosing all that is below a subtree's top writes.
func chooseBelow(it *state.Item, c *state.Conflict) (map[item.Key]item.Value, []item.Key) {
	values := make(map[item.Key]item.Value)
	keys := []item.Key{c.Key}
	for _, k := range c.Keys[1:] {
		live := it.Atoms[k].Live
		if in := presentOnly(live); len(in) == 1 && len(live) > 1 {
			values[k] = in[0].Value
			keys = append(keys, k)
		}
	}
	return values, keys
}

// Keep makes the writes, for an entry of action Resolve, that keep what before
// showed where a changed strategy (after) would show something else, or ask.
func Keep(t item.Type, name item.Name, before, after map[item.Key]state.Shown) []item.Write {
	var out []item.Write
	for _, k := range inOrder(slices.Collect(maps.Keys(before))) {
		b, a := before[k], after[k]
		if b.Conflict != nil || len(b.Dots) < 2 && len(b.Subtree) == 0 {
			continue
		}
		if a.Conflict != nil || !state.Same(t, k, a.Value, b.Value) {
			out = append(out, item.Write{Item: name, Key: k, Value: b.Value, Replaces: b.Dots})
		}
	}
	return out
}
