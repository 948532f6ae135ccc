package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/merge"
	"plait/backend/plan"
	"plait/backend/state"
)

// An OpenConflict is a conflict that waits for a decision, as seen from this device.
type OpenConflict struct {
	Item   item.Name // the layer it is in
	Key    item.Key
	Keys   []item.Key
	ID     string
	Label  string
	Reason merge.Reason
	Base   *state.Sibling
	Local  state.Sibling // this device's side, or the first where it has none
	Mine   bool          // whether Local is indeed this device's
	Remote state.Sibling // the newest other
	Others []state.Sibling
	Since  time.Time
	// Held says of sides that replicas on this device have on their disks which has which,
	// by label: two editors here may disagree.
	Held map[item.Dot]string

	Conflict *state.Conflict // what plan.Resolve takes
}

// Side is which of the conflict's sides a sibling is; -1: none.
func (o *OpenConflict) Side(s state.Sibling) int {
	return slices.IndexFunc(o.Conflict.Sides, func(x state.Sibling) bool { return x.Dot == s.Dot })
}

// Conflicts lists what waits for a decision: of one item and its overlays, or all.
func (e *Engine) Conflicts(ctx context.Context, only item.Name) ([]OpenConflict, error) {
	var names []item.Name
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowOpen, func(k string, _ []byte) error {
			n := item.Name(k[len(rowOpen):])
			if only == "" || n == only || n.Shared() == only {
				names = append(names, n)
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	var out []OpenConflict
	for _, n := range names {
		os, err := e.conflictsOf(ctx, n)
		if err != nil {
			return nil, err
		}
		out = append(out, os...)
	}
	return out, nil
}

func (e *Engine) conflictsOf(ctx context.Context, n item.Name) ([]OpenConflict, error) {
	if n.Type() == item.Files {
		if err := e.inflate(ctx, n); err != nil {
			e.log.Info("sides of a file are not all here", "item", string(n), "why", err)
		}
	}
	it, err := e.item(n)
	if err != nil {
		return nil, err
	}
	shown, err := e.view(n, it)
	if err != nil {
		return nil, err
	}
	own, held, err := e.ownDots(n)
	if err != nil {
		return nil, err
	}
	var out []OpenConflict
	done := map[item.Key]bool{}
	for _, k := range sortedKeys(shown) {
		c := shown[k].Conflict
		if c == nil || done[c.Key] {
			continue
		}
		done[c.Key] = true
		o := e.open(n, it, c, own)
		o.Held = held[c.Key]
		out = append(out, o)
	}
	return out, nil
}

// ownDots are the dots that this device's replicas of an item stand for, and which
// replica, by label, stands for which.
func (e *Engine) ownDots(n item.Name) (own map[item.Key][]item.Dot, held map[item.Key]map[item.Dot]string, err error) {
	own, held = map[item.Key][]item.Dot{}, map[item.Key]map[item.Dot]string{}
	for _, r := range e.reps {
		if r.src.Collection() != n.Collection() {
			continue
		}
		if err := e.loadRows(r); err != nil {
			return nil, nil, err
		}
		b, err := e.basisOf(r, n.Shared())
		if err != nil {
			return nil, nil, err
		}
		for k, a := range b {
			if a.Layer == n {
				own[k] = append(own[k], a.Dots...)
				if held[k] == nil {
					held[k] = map[item.Dot]string{}
				}
				for _, d := range a.Dots {
					if held[k][d] == "" {
						held[k][d] = r.src.Label()
					}
				}
			}
		}
	}
	return own, held, nil
}

func (e *Engine) open(n item.Name, it *state.Item, c *state.Conflict, own map[item.Key][]item.Dot) OpenConflict {
	o := OpenConflict{Item: n, Conflict: c, Key: c.Key, Keys: c.Keys, Reason: c.Reason, Base: c.Base, Label: merge.Label(n.Type(), c.Key)}
	mine := e.sideHere(it, c, own)
	rest := slices.Clone(c.Sides)
	if mine >= 0 {
		o.Mine = true
	} else {
		mine = 0
	}
	o.Local = rest[mine]
	rest = slices.Delete(rest, mine, mine+1)
	slices.SortStableFunc(rest, func(a, b state.Sibling) int {
		return cmp.Or(-cmp.Compare(a.Time, b.Time), a.Dot.Compare(b.Dot))
	})
	if len(rest) > 0 {
		o.Remote, o.Others = rest[0], rest[1:]
	}
	var base *item.Value
	if c.Base != nil {
		base = &c.Base.Value
	}
	values := make([]item.Value, len(c.Sides))
	var times []item.HLC
	for i, s := range c.Sides {
		values[i] = s.Value
		times = append(times, s.Time)
	}
	slices.Sort(times)
	if len(times) > 1 {
		o.Since = times[1].Time()
	}
	o.ID = merge.ID(n.Type(), c.Key, base, values...)
	return o
}

// sideHere is which side is this device's: the one that its disk stands for or that
// descends from it, else the one that it wrote; -1 if none is.
func (e *Engine) sideHere(it *state.Item, c *state.Conflict, own map[item.Key][]item.Dot) int {
	for _, k := range c.Keys {
		a := it.Atoms[k]
		if a == nil || len(own[k]) == 0 {
			continue
		}
		for _, d := range a.Descending(own[k]) {
			for i, s := range c.Sides {
				if s.Dot == d.Dot {
					return i
				}
			}
		}
	}
	for i, s := range c.Sides {
		if s.Dot.Author.Device == e.meta.Me.Device {
			return i
		}
	}
	return -1
}

// Decide records a person's choices: writes that plan.Resolve or Keep made.
func (e *Engine) Decide(writes []item.Write, note string) error {
	return e.recordAs(item.Resolve, writes, note)
}

// Configure records writes that move atoms between layers.
func (e *Engine) Configure(writes []item.Write, note string) error {
	return e.recordAs(item.Config, writes, note)
}

// Restore records writes that bring back what was.
func (e *Engine) Restore(writes []item.Write, note string) error {
	return e.recordAs(item.Restore, writes, note)
}

func (e *Engine) recordAs(a item.Action, writes []item.Write, note string) error {
	if len(writes) == 0 {
		return nil
	}
	_, err := e.record(change{action: a, note: note, writes: writes})
	return err
}

// View shows an item as it is now: with its conflicts. It is not to be changed.
func (e *Engine) View(ctx context.Context, n item.Name) (map[item.Key]state.Shown, *state.Item, error) {
	if n.Type() == item.Files {
		if err := e.inflate(ctx, n); err != nil {
			return nil, nil, err
		}
	}
	it, err := e.item(n)
	if err != nil {
		return nil, nil, err
	}
	shown, err := e.view(n, it)
	return shown, it, err
}

// Layers shows an item and its overlays on this device, topmost first.
func (e *Engine) Layers(n item.Name) ([]plan.Layer, error) { return e.layers(n) }

// settle lets strategies that choose once (local wins, remote wins) choose.
func (e *Engine) settle() error {
	var names []item.Name
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowDirty, func(k string, _ []byte) error {
			names = append(names, item.Name(k[len(rowDirty):]))
			return nil
		})
	})
	if err != nil {
		return err
	}
	if err := e.loadStrategies(); err != nil {
		return err
	}
	for _, shared := range names {
		for _, n := range e.layersOf(shared) {
			if s := e.strategy(n, item.Key{}); s != state.Local && s != state.Remote {
				continue
			}
			it, err := e.item(n)
			if err != nil {
				return err
			}
			shown, err := e.view(n, it)
			if err != nil {
				return err
			}
			ws := plan.Settle(e.meta.Me.Device, n, it, shown, func(k item.Key) state.Strategy { return e.strategy(n, k) })
			if len(ws) == 0 {
				continue
			}
			if _, err := e.record(change{action: item.Settle, writes: ws}); err != nil {
				return fmt.Errorf("settling %s: %w", n, err)
			}
		}
	}
	return nil
}

// A Choice is what a person decided; see plan.Choice.
type Choice = plan.Choice

// Choose makes the writes that decide a conflict.
func (e *Engine) Choose(ctx context.Context, o *OpenConflict, c Choice) ([]item.Write, error) {
	shown, it, err := e.View(ctx, o.Item)
	if err != nil {
		return nil, err
	}
	if c.Side >= 0 && o.Conflict.Below != c.Side {
		// A file's side was made a text to be merged; what is written is what its device wrote.
		if a := it.Atoms[o.Key]; a != nil {
			if s, ok := a.Find(o.Conflict.Sides[c.Side].Dot); ok && s.Value.Kind == item.Blob {
				c = Choice{Side: -1, Values: map[item.Key]item.Value{o.Key: s.Value}}
			}
		}
	}
	for k, v := range c.Values {
		big, err := e.stored(ctx, o.Item, v)
		if err != nil {
			return nil, err
		}
		c.Values[k] = big
	}
	return plan.Resolve(o.Item, it, shown, o.Conflict, c)
}

// Shown is an item's atoms as this device shows them: with own, its side where
// devices disagree; else such atoms are left out.
func (e *Engine) Shown(ctx context.Context, n item.Name, own bool) (map[item.Key]item.Value, error) {
	shown, _, err := e.View(ctx, n)
	if err != nil {
		return nil, err
	}
	out := map[item.Key]item.Value{}
	for k, s := range shown {
		if s.Conflict == nil && state.Present(s.Value) {
			out[k] = s.Value
		}
	}
	if !own {
		return out, nil
	}
	open, err := e.conflictsOf(ctx, n)
	if err != nil {
		return nil, err
	}
	for _, o := range open {
		if state.Present(o.Local.Value) && o.Side(o.Local) != o.Conflict.Below {
			out[o.Key] = o.Local.Value
		}
	}
	return out, nil
}

// LookNow records what the files say that was not recorded yet, without the store: so
// that what a person decides about is what stands there.
func (e *Engine) LookNow(ctx context.Context) error {
	_, err := e.lookNow(ctx)
	return err
}

func (e *Engine) lookNow(ctx context.Context) (*Round, error) {
	r := &Round{}
	if e.meta.Doubt {
		return r, nil // only a round may look, once it has pulled
	}
	for _, rep := range e.reps {
		rep.rows = nil
	}
	if err := e.recoverAside(ctx); err != nil {
		return r, err
	}
	return r, e.look(ctx, RoundOptions{}, r, map[item.Name]bool{})
}

// ApplyNow writes what is decided to this device's files, without the store. It
// says whether everything could be written.
func (e *Engine) ApplyNow(ctx context.Context) (bool, error) {
	r, err := e.lookNow(ctx)
	if err != nil || e.meta.Doubt {
		return false, err
	}
	if err := e.apply(ctx, RoundOptions{}, r, map[item.Name]bool{}); err != nil {
		return false, err
	}
	return r.Caught == nil && len(r.Waiting) == 0, nil
}
