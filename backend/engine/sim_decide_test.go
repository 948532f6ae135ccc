package engine

import (
	"context"
	"fmt"
	"slices"

	"plait/backend/item"
	"plait/backend/state"
)

// What people decide.

func (s *sim) resolve(m *machine) {
	ctx := context.Background()
	open, err := m.e.Conflicts(ctx, "")
	if err != nil {
		m.note("conflicts: %v", err)
		return
	}
	if len(open) == 0 {
		return
	}
	o := open[s.r.IntN(len(open))]
	m.choosable(o.Item)
	c := Choice{Side: s.r.IntN(len(o.Conflict.Sides))}
	if s.chance(0.2) && o.Key.Lane == item.LaneValue && o.Item.Type() != item.Files && o.Item.Type() != item.Keybindings && o.Conflict.Below < 0 {
		v := item.Value{Kind: item.JSON, Data: s.value()}
		if o.Item.Type() == item.Prompts {
			v = item.Value{Kind: item.Text, Data: []byte(s.fresh() + "\n")}
		}
		s.said[s.fact(o.Item, o.Key, v)] = true
		c = Choice{Side: -1, Values: map[item.Key]item.Value{o.Key: v}}
	}
	ws, err := m.e.Choose(ctx, &o, c)
	if err != nil {
		m.note("can't choose: %v", err)
		return
	}
	m.did("edit: choice", fmt.Sprintf("%s %s: %d writes", o.Item, o.Label, len(ws)))
	s.must(m.e.Decide(ws, "resolved"))
	if s.chance(0.5) {
		m.applyNow()
	}
}

// applyNow is how a decision is written without the store.
func (m *machine) applyNow() {
	m.rounds++
	m.syncing = true
	done, err := m.e.ApplyNow(context.Background())
	m.syncing = false
	m.note("applies: %v %v", done, err)
	m.s.must(err)
}

func (s *sim) setStrategy(m *machine) {
	what := pick(s, []string{"settings", "snippets", "files", "prompts", "default/keybindings/linux", "default/settings", "default"})
	how := pick(s, []state.Strategy{state.Merge, state.Merge, state.Latest, state.Local, state.Remote, state.Manual})
	m.did("edit: strategy", what+" "+string(how))
	s.must(m.e.SetStrategy(what, how))
}

func (s *sim) overlay(m *machine) {
	n, p := item.Name("default/settings"), pick(s, settingKeys)
	if s.chance(0.3) {
		n, p = "default/snippets/go.json", item.Path{"loop", "prefix"}
	}
	layers, err := m.e.Layers(n)
	s.must(err)
	for _, l := range layers {
		m.choosable(l.Name)
	}
	to := pick(s, []string{"device", "os", "shared", "shared"})
	found, err := m.e.Overlay(n, p, to)
	s.must(err)
	m.did("edit: overlay", fmt.Sprintf("%s over %s: %v", p, to, found))
	if s.chance(0.5) {
		m.applyNow()
	}
}

func (s *sim) restoreVersion(m *machine) {
	ctx := context.Background()
	all, err := m.e.History(ctx, "")
	if err != nil || len(all) == 0 {
		m.note("history: %d %v", len(all), err)
		return
	}
	p := all[s.r.IntN(len(all))]
	items, err := m.e.AsOf(ctx, &p, s.now)
	if err != nil {
		m.note("as of: %v", err)
		return
	}
	names, err := m.e.Items()
	s.must(err)
	names = slices.DeleteFunc(names, func(n item.Name) bool { return n.Type() == item.Policy })
	if len(names) == 0 {
		return
	}
	n := pick(s, names)
	was := map[item.Key]item.Value{}
	if items[n] != nil {
		was = m.e.ShownOf(n, items[n])
	}
	for k, v := range was {
		s.offered[s.fact(n, k, v)] = true
	}
	m.choosable(n)
	ws, err := m.e.Bring(ctx, n, was)
	if err != nil {
		m.note("can't bring back: %v", err)
		return
	}
	m.did("edit: rollback", fmt.Sprintf("%s to %s: %d writes", n, p.Entry.Dot(), len(ws)))
	s.must(m.e.Restore(ws, "restored"))
	if s.chance(0.5) {
		m.applyNow()
	}
}

func (s *sim) approve(m *machine) {
	asked, err := m.e.Asked()
	s.must(err)
	for _, n := range asked {
		count, err := m.e.Approve(n)
		s.must(err)
		m.note("approves %d of %s", count, n)
	}
}
