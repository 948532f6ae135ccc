package engine

import (
	"encoding/json"
	"fmt"
	"slices"

	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/state"
)

// Plait's own settings travel as items of the collection "plait".
const (
	// StrategyItem has one atom per data type or item: path [type] or [item], value a
	// strategy's name. The path ["default"] stands for all others.
	StrategyItem item.Name = "plait/policy/strategy"
	// DevicesItem has atoms [device id, "name"|"platform"|"version"].
	DevicesItem item.Name = "plait/policy/devices"
	// MasksItem has one atom per setting that is known to be machine-scoped, path
	// [setting]: once known it stays so for the vault, whichever extensions are installed.
	MasksItem item.Name = "plait/policy/masks"
)

// policyTouched forgets what was read of policy items that changed. A strategy that
// changed makes every item it may concern lag behind.
func (e *Engine) policyTouched(touched map[item.Name]bool) {
	if touched[StrategyItem] {
		e.strat = nil
		e.strategyMoved = true
	}
}

func (e *Engine) loadStrategies() error {
	if e.strat != nil {
		return nil
	}
	it, err := e.item(StrategyItem)
	if err != nil {
		return err
	}
	e.strat = map[string]state.Strategy{}
	for k, s := range state.View(item.Policy, it, state.Always(state.Latest)) {
		p := k.Segments()
		var name string
		if len(p) != 1 || s.Value.Kind != item.JSON || json.Unmarshal(s.Value.Data, &name) != nil {
			continue
		}
		if st, err := state.ParseStrategy(name); err == nil {
			e.strat[p[0]] = st
		}
	}
	return nil
}

// strategy is the one in force for an atom: its item's, its data type's, or the default.
// Policy itself is always settled by the latest.
func (e *Engine) strategy(n item.Name, _ item.Key) state.Strategy {
	if n.Type() == item.Policy {
		return state.Latest
	}
	for _, k := range []string{string(n), string(n.Shared()), string(n.Type()), "default"} {
		if s, ok := e.strat[k]; ok {
			return s
		}
	}
	return state.Merge
}

// Strategies lists the strategies that were set.
func (e *Engine) Strategies() (map[string]state.Strategy, error) {
	if err := e.loadStrategies(); err != nil {
		return nil, err
	}
	return e.strat, nil
}

// SetStrategy sets the strategy of a data type, an item, or ("default") all others.
func (e *Engine) SetStrategy(what string, s state.Strategy) error {
	err := e.setPolicy(StrategyItem, item.Path{what}, string(s), "strategy of "+what+": "+string(s))
	if err != nil || !e.strategyMoved {
		return err
	}
	// Now, and not in the next round: that may be another process's.
	return e.strategiesMoved()
}

// strategiesMoved looks again at every item, since what is shown of it may have changed.
func (e *Engine) strategiesMoved() error {
	if err := e.loadStrategies(); err != nil {
		return err
	}
	if err := e.markAll(nil); err != nil {
		return err
	}
	e.strategyMoved = false
	return nil
}

// setPolicy writes one atom of a policy item, unless it holds the value already.
func (e *Engine) setPolicy(n item.Name, p item.Path, value, note string) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	it, err := e.item(n)
	if err != nil {
		return err
	}
	k := item.Key{Path: p.String()}
	w := item.Write{Item: n, Key: k, Value: item.Value{Kind: item.JSON, Data: raw}}
	if a := it.Atoms[k]; a != nil {
		if len(a.Live) == 1 && a.Live[0].Value.Same(w.Value) {
			return nil
		}
		w.Replaces = a.Dots()
	}
	_, err = e.record(change{action: item.Config, note: note, writes: []item.Write{w}})
	return err
}

// policyText reads one atom of a policy item.
func (e *Engine) policyText(n item.Name, p item.Path) string {
	it, err := e.item(n)
	if err != nil {
		return ""
	}
	var s string
	if sh, ok := state.View(item.Policy, it, state.Always(state.Latest))[item.Key{Path: p.String()}]; ok && sh.Value.Kind == item.JSON {
		if json.Unmarshal(sh.Value.Data, &s) != nil {
			return ""
		}
	}
	return s
}

// DeviceName is what a device is called; its id where it has no name.
func (e *Engine) DeviceName(d item.Device) string {
	if s := e.policyText(DevicesItem, item.Path{d.String(), "name"}); s != "" {
		return s
	}
	return d.String()[:8]
}

// DeviceText is what else a device says of itself: "platform" or "version".
func (e *Engine) DeviceText(d item.Device, what string) string {
	return e.policyText(DevicesItem, item.Path{d.String(), what})
}

// SetDevice names a device, or says something else of it.
func (e *Engine) SetDevice(d item.Device, what, value string) error {
	return e.setPolicy(DevicesItem, item.Path{d.String(), what}, value, "")
}

// Masks lists the settings that the vault knows to be machine-scoped.
func (e *Engine) Masks() ([]string, error) {
	it, err := e.item(MasksItem)
	if err != nil {
		return nil, err
	}
	var ms []string
	for k, s := range state.View(item.Policy, it, state.Always(state.Latest)) {
		if p := k.Segments(); len(p) == 1 && s.Value.Kind == item.JSON && string(s.Value.Data) == `true` {
			ms = append(ms, p[0])
		}
	}
	slices.Sort(ms)
	return ms, nil
}

// LearnMasks makes settings known as machine-scoped for the vault.
func (e *Engine) LearnMasks(settings []string) error {
	known, err := e.Masks()
	if err != nil {
		return err
	}
	var ws []item.Write
	for _, s := range settings {
		if slices.Contains(known, s) {
			continue
		}
		it, err := e.item(MasksItem)
		if err != nil {
			return err
		}
		k := item.Key{Path: item.Path{s}.String()}
		w := item.Write{Item: MasksItem, Key: k, Value: item.Value{Kind: item.JSON, Data: []byte("true")}}
		if a := it.Atoms[k]; a != nil {
			w.Replaces = a.Dots()
		}
		ws = append(ws, w)
	}
	if len(ws) == 0 {
		return nil
	}
	_, err = e.record(change{action: item.Config, note: "machine-scoped settings", writes: ws})
	return err
}

// markAll makes every item of the collections (all, if nil) be looked at again by
// the next write: after attaching a replica, or when a strategy changed.
func (e *Engine) markAll(collections map[string]bool) error {
	names, err := e.Items()
	if err != nil {
		return err
	}
	touched := map[item.Name]bool{}
	for _, n := range names {
		if n.Type() != item.Policy && (collections == nil || collections[n.Collection()]) {
			touched[n] = true
		}
	}
	if len(touched) == 0 && collections != nil {
		return nil
	}
	return e.commit(func(tx localdb.Tx) error {
		if collections == nil {
			if err := tx.Delete(rowMoved); err != nil {
				return err
			}
		}
		for _, n := range sortedNames(touched) {
			it, err := e.item(n)
			if err != nil {
				return err
			}
			if err := e.markOpen(tx, n, it); err != nil {
				return err
			}
			if err := tx.Set(rowDirty+string(n.Shared()), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Attached is to be called once for a replica that is new here.
func (e *Engine) Attached(collection string) error {
	return e.markAll(map[string]bool{collection: true})
}

// Detached forgets what is known of a replica's files. The files stay.
func (e *Engine) Detached(id string) error {
	err := e.commit(func(tx localdb.Tx) error {
		rows := []string{rowWriting + id}
		for _, prefix := range []string{rowStamps, rowBasis, rowIntent, rowKept, rowWaiting} {
			if err := tx.Scan(prefix+id+"/", func(k string, _ []byte) error {
				rows = append(rows, k)
				return nil
			}); err != nil {
				return err
			}
		}
		for _, k := range rows {
			if err := tx.Delete(k); err != nil {
				return fmt.Errorf("detaching: %w", err)
			}
		}
		return nil
	})
	if err == nil {
		delete(e.writing, id)
	}
	return err
}

// MasksIn is Masks of a database over which no engine is open yet: an engine's sources
// depend on them.
func MasksIn(db localdb.DB) ([]string, error) {
	e := &Engine{db: db, items: map[item.Name]*state.Item{}}
	return e.Masks()
}
