package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"plait/backend/engine"
	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/problem"
	"plait/backend/state"
)

// known says whether an item's name is one that the vault has, or else what comes near.
func (v *Vault) known(name string) (item.Name, error) {
	n := item.Name(name)
	names, err := v.eng.Items()
	if err != nil {
		return "", err
	}
	if slices.Contains(names, n) {
		return n, nil
	}
	var near []string
	for _, o := range names {
		if o.Type() == item.Policy {
			continue
		}
		if strings.EqualFold(string(o), name) || strings.Contains(string(o), name) || string(o.Type()) == name {
			near = append(near, string(o))
		}
	}
	hint := "`plait status` and `plait history` name what there is."
	if len(near) > 0 {
		hint = "Did you mean " + strings.Join(near[:min(3, len(near))], ", ") + "?"
	}
	return "", &problem.Error{Code: "unknown-item", Message: fmt.Sprintf("There is no item %s in the vault.", name), Hint: hint}
}

// Conflicts lists open conflicts, of one item if named.
func (v *Vault) Conflicts(ctx context.Context, only string) ([]ItemConflicts, error) {
	if only != "" {
		if _, err := v.known(only); err != nil {
			return nil, err
		}
	}
	open, err := v.eng.Conflicts(ctx, item.Name(only))
	if err != nil {
		return nil, err
	}
	var out []ItemConflicts
	for i := range open {
		o := &open[i]
		if len(out) == 0 || out[len(out)-1].Item != string(o.Item) {
			out = append(out, ItemConflicts{Item: string(o.Item)})
		}
		last := &out[len(out)-1]
		last.Conflicts = append(last.Conflicts, v.conflict(o))
	}
	return out, nil
}

func (v *Vault) conflict(o *engine.OpenConflict) Conflict {
	c := Conflict{ID: o.ID, Path: o.Key.Segments(), Label: o.Label, Reason: reason(o), Since: o.Since,
		Base: showSibling(o.Base), Local: showSibling(&o.Local), Remote: showSibling(&o.Remote)}
	if c.Path == nil {
		c.Path = []string{}
	}
	c.Devices = []string{v.who(o, o.Local), v.who(o, o.Remote)}
	for _, s := range o.Others {
		c.Others = append(c.Others, Side{Device: v.who(o, s), Value: show(s.Value)})
		c.Devices = append(c.Devices, v.who(o, s))
	}
	c.Why = v.why(o)
	return c
}

func (v *Vault) author(s state.Sibling) string { return v.eng.DeviceName(s.Dot.Author.Device) }

// who names a side: by its device, and where several are of one device, by the editor
// that has it.
func (v *Vault) who(o *engine.OpenConflict, s state.Sibling) string {
	name, same := v.author(s), 0
	for _, x := range o.Conflict.Sides {
		if x.Dot.Author.Device == s.Dot.Author.Device {
			same++
		}
	}
	if at := o.Held[s.Dot]; at != "" && same > 1 {
		name += " · " + at
	}
	return name
}

// reason is a conflict's code as this device sees it: in dot order, as the engine has
// it, "changed" and "removed" may be the other way round.
func reason(o *engine.OpenConflict) string {
	here, there := state.Present(o.Local.Value), state.Present(o.Remote.Value)
	switch {
	case here && !there:
		return merge.ChangedRemoved
	case !here && there:
		return merge.RemovedChanged
	}
	return o.Reason.Code
}

// why is a conflict in a sentence, with the devices' names and both values.
func (v *Vault) why(o *engine.OpenConflict) string {
	here, there := "this device", v.who(o, o.Remote)
	if _, editor, two := strings.Cut(v.who(o, o.Local), " · "); two {
		here += " · " + editor
	}
	if !o.Mine {
		here = v.who(o, o.Local)
	}
	since := ""
	if o.Base != nil {
		since = " after " + o.Base.Time.Time().Local().Format("2 Jan 15:04")
	}
	what := "`" + o.Label + "`"
	var b strings.Builder
	switch reason(o) {
	case merge.ChangedRemoved:
		fmt.Fprintf(&b, "%s changed %s%s, and %s removed it.", capital(here), what, since, there)
	case merge.RemovedChanged:
		fmt.Fprintf(&b, "%s removed %s, and %s changed it%s.", capital(here), what, there, since)
	case merge.BothAdded:
		fmt.Fprintf(&b, "%s and %s both have %s, with different values, and no common earlier one is known.", capital(here), there, what)
	case merge.TextDiffers:
		fmt.Fprintf(&b, "%s and %s both changed the same lines of %s%s.", capital(here), there, what, since)
	case merge.Shape:
		fmt.Fprintf(&b, "One of %s and %s gave %s a value, the other has keys below it.", here, there, what)
	case merge.OrderDiffers:
		fmt.Fprintf(&b, "%s and %s put %s in different orders%s.", capital(here), there, what, since)
	default:
		fmt.Fprintf(&b, "%s and %s both changed %s%s.", capital(here), there, what, since)
	}
	side := func(who string, s state.Sibling) {
		b.WriteString(" " + capital(who) + ": ")
		if o.Base != nil {
			b.WriteString(short(o.Base.Value) + " → ")
		}
		b.WriteString(short(s.Value) + ".")
	}
	if o.Key.Path == "" && o.Key.Lane == item.LaneValue {
		return b.String() // a whole text or file says nothing in a sentence
	}
	side(here, o.Local)
	side(there, o.Remote)
	for _, s := range o.Others {
		side(v.who(o, s), s)
	}
	return b.String()
}

func capital(s string) string {
	if strings.HasPrefix(s, "this device") {
		return "T" + s[1:]
	}
	return s
}

// Resolve decides one conflict, or all of an item.
func (v *Vault) Resolve(ctx context.Context, s ResolveSpec) (Resolved, error) {
	n, err := v.known(s.Item)
	if err != nil {
		return Resolved{}, err
	}
	if err := v.eng.LookNow(ctx); err != nil {
		return Resolved{}, err
	}
	open, err := v.pick(ctx, n, s)
	if err != nil {
		return Resolved{}, err
	}
	return v.decide(ctx, n, open, func(o *engine.OpenConflict) (engine.Choice, error) { return v.choice(o, s) })
}

// pick finds the conflicts that a spec is about.
func (v *Vault) pick(ctx context.Context, n item.Name, s ResolveSpec) ([]engine.OpenConflict, error) {
	open, err := v.eng.Conflicts(ctx, n)
	if err != nil {
		return nil, err
	}
	if len(open) == 0 {
		return nil, &problem.Error{Code: "unknown-conflict", Message: fmt.Sprintf("Nothing waits for a decision in %s.", n), Hint: "It may have been resolved on another device; `plait conflicts` lists what is open."}
	}
	if s.Path == nil && s.ID == "" {
		return open, nil
	}
	var out []engine.OpenConflict
	for _, o := range open {
		if s.ID != "" && o.ID == s.ID || s.ID == "" && o.Key.Lane == item.LaneValue && slices.Equal(o.Key.Segments(), item.Path(s.Path)) {
			out = append(out, o)
		}
	}
	if len(out) == 0 {
		var labels []string
		for _, o := range open {
			labels = append(labels, o.Label)
		}
		return nil, &problem.Error{Code: "unknown-conflict", Message: fmt.Sprintf("There is no such open conflict in %s.", n),
			Hint: "Open are: " + strings.Join(labels, ", ") + ". Give one --path for each segment: --path '[go]' --path editor.tabSize."}
	}
	return out, nil
}

func (v *Vault) decide(ctx context.Context, n item.Name, open []engine.OpenConflict, choose func(*engine.OpenConflict) (engine.Choice, error)) (r Resolved, err error) {
	r.Item = string(n)
	var writes []item.Write
	for i := range open {
		c, err := choose(&open[i])
		if err != nil {
			return r, err
		}
		ws, err := v.eng.Choose(ctx, &open[i], c)
		if err != nil {
			return r, err
		}
		writes = append(writes, ws...)
	}
	if err := v.eng.Decide(writes, ""); err != nil {
		return r, err
	}
	r.Chosen = len(open)
	left, err := v.eng.Conflicts(ctx, n)
	if err != nil {
		return r, err
	}
	r.Left = len(left)
	r.Applied, err = v.eng.ApplyNow(ctx)
	return r, err
}

func (v *Vault) choice(o *engine.OpenConflict, s ResolveSpec) (engine.Choice, error) {
	side := func(x state.Sibling) (engine.Choice, error) { return engine.Choice{Side: o.Side(x)}, nil }
	if s.Value != nil {
		val, err := typed(o, s.Value)
		return engine.Choice{Side: -1, Values: map[item.Key]item.Value{o.Key: val}}, err
	}
	switch s.Take {
	case "local":
		return side(o.Local)
	case "remote":
		return side(o.Remote)
	case "base":
		if o.Base == nil {
			return engine.Choice{}, &problem.Error{Code: "usage", Message: fmt.Sprintf("No common version of %s is known.", o.Label), Hint: "Take local, remote or a device's side, or give --value."}
		}
		return engine.Choice{Side: -1, Values: map[item.Key]item.Value{o.Key: o.Base.Value}}, nil
	case "both":
		val, ok := merge.Both(o.Item.Type(), o.Key, baseValue(o), o.Local.Value, o.Remote.Value)
		if !ok {
			return engine.Choice{}, &problem.Error{Code: "usage", Message: fmt.Sprintf("%s can't have both: only lists, maps and text can.", o.Label), Hint: "Take local or remote, or give --value."}
		}
		return engine.Choice{Side: -1, Values: map[item.Key]item.Value{o.Key: val}}, nil
	}
	var names []string
	var found []state.Sibling
	for _, x := range o.Conflict.Sides {
		name := v.who(o, x)
		if strings.EqualFold(name, s.Take) {
			return side(x)
		}
		if strings.EqualFold(v.author(x), s.Take) || strings.EqualFold(o.Held[x.Dot], s.Take) ||
			strings.HasPrefix(x.Dot.Author.Device.String(), strings.ToLower(s.Take)) && len(s.Take) >= 8 {
			found = append(found, x)
		}
		names = append(names, name)
	}
	switch len(found) {
	case 0:
	case 1:
		return side(found[0])
	default:
		return engine.Choice{}, &problem.Error{Code: "usage", Message: fmt.Sprintf("%q has several sides in the conflict about %s. Nothing was changed.", s.Take, o.Label),
			Hint: "Take local, remote, or one of " + strings.Join(names, ", ") + "; or give --value."}
	}
	return engine.Choice{}, &problem.Error{Code: "usage", Message: fmt.Sprintf("%q has no side in the conflict about %s.", s.Take, o.Label),
		Hint: "Take local, remote, base, both, or one of the devices: " + strings.Join(names, ", ") + "."}
}

func baseValue(o *engine.OpenConflict) *item.Value {
	if o.Base == nil {
		return nil
	}
	return &o.Base.Value
}

// typed makes a value given as JSON one of the conflict's kind.
func typed(o *engine.OpenConflict, raw json.RawMessage) (item.Value, error) {
	if !json.Valid(raw) {
		return item.Value{}, &problem.Error{Code: "usage", Message: "The value is no JSON: " + string(raw), Hint: `A string needs quotes of its own: --value '"text"'.`}
	}
	kind := o.Local.Value.Kind
	for _, s := range o.Conflict.Sides {
		if s.Value.Kind != item.Absent {
			kind = s.Value.Kind
		}
	}
	if kind == item.JSON {
		return item.Value{Kind: item.JSON, Data: raw}, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return item.Value{}, &problem.Error{Code: "usage", Message: fmt.Sprintf("%s is text; the value must be a JSON string.", o.Label), Hint: `For example --value '"first line\nsecond line"'.`}
	}
	return item.Value{Kind: item.Text, Data: []byte(text)}, nil
}

// ResolveText returns the item's document as a person would edit it, with this
// device's side where devices disagree (in texts: with markers), and a function that
// takes the edited text back: every open conflict gets the value that it then has.
func (v *Vault) ResolveText(ctx context.Context, s ResolveSpec) (text []byte, ext string, done func([]byte) (Resolved, error), err error) {
	n, err := v.known(s.Item)
	if err != nil {
		return nil, "", nil, err
	}
	if err := v.eng.LookNow(ctx); err != nil {
		return nil, "", nil, err
	}
	open, err := v.pick(ctx, n, s)
	if err != nil {
		return nil, "", nil, err
	}
	atoms, err := v.eng.Shown(ctx, n, true)
	if err != nil {
		return nil, "", nil, err
	}
	o := &open[0]
	if o.Local.Value.Kind == item.Text && o.Remote.Value.Kind == item.Text && o.Key.Path == "" {
		text = merge.Markers(baseValue(o), o.Local.Value, o.Remote.Value, [3]string{"last in sync", v.author(o.Local), v.author(o.Remote)})
		ext = extension(n)
	} else {
		if text, err = merge.Render(n.Type(), nil, atoms, merge.Options{Platform: v.o.platform()}); err != nil {
			return nil, "", nil, err
		}
		ext = ".json"
	}
	done = func(edited []byte) (Resolved, error) {
		doc, err := merge.Atomize(n.Type(), edited, merge.Options{Platform: v.o.platform()})
		if err != nil {
			return Resolved{}, err
		}
		if o.Key.Path == "" && merge.HasMarkers(edited) {
			return Resolved{}, &problem.Error{Code: "usage", Message: "There are conflict markers left in the text.", Hint: "Nothing was changed. Edit it again and remove the lines that begin with <<<<<<<, |||||||, ======= and >>>>>>>."}
		}
		return v.decide(ctx, n, open, func(o *engine.OpenConflict) (engine.Choice, error) {
			vals := map[item.Key]item.Value{}
			for k, val := range doc.Atoms {
				if k.Lane == o.Key.Lane && (k == o.Key || strings.HasPrefix(k.Path, o.Key.Path+"/") || slices.Contains(o.Keys, k)) {
					vals[k] = val
				}
			}
			return engine.Choice{Side: -1, Values: vals}, nil
		})
	}
	return text, ext, done, nil
}

func extension(n item.Name) string {
	r := n.Rest()
	if i := strings.LastIndexByte(r, '.'); i >= 0 {
		return r[i:]
	}
	return ".txt"
}

// Strategies lists the strategies in force; with strategy set, sets it for a type
// or an item first.
func (v *Vault) Strategies(ctx context.Context, what, strategy string) ([]StrategyRow, error) {
	if what != "" && what != "default" && !slices.Contains(item.Types, item.Type(what)) {
		if _, err := v.known(what); err != nil {
			return nil, err
		}
	}
	if strategy != "" {
		s, err := state.ParseStrategy(strategy)
		if err != nil {
			return nil, &problem.Error{Code: "usage", Message: fmt.Sprintf("%q is no strategy.", strategy), Hint: "Choose merge, latest, local, remote or manual."}
		}
		if what == "" {
			what = "default"
		}
		if err := v.eng.SetStrategy(what, s); err != nil {
			return nil, err
		}
	}
	set, err := v.eng.Strategies()
	if err != nil {
		return nil, err
	}
	var rows []StrategyRow
	fallback := state.Merge
	if d, ok := set["default"]; ok {
		fallback = d
	}
	for _, t := range item.Types {
		s, ok := set[string(t)]
		if !ok {
			s = fallback
		}
		rows = append(rows, StrategyRow{For: string(t), Strategy: string(s), Set: ok})
	}
	var more []string
	for k := range set {
		if k != "default" && !slices.Contains(item.Types, item.Type(k)) {
			more = append(more, k)
		}
	}
	slices.Sort(more)
	for _, k := range more {
		rows = append(rows, StrategyRow{For: k, Strategy: string(set[k]), Set: true})
	}
	if what != "" && what != "default" {
		rows = slices.DeleteFunc(rows, func(r StrategyRow) bool { return r.For != what })
		if len(rows) == 0 {
			s, ok := set[string(item.Name(what).Type())]
			if !ok {
				s = fallback
			}
			rows = append(rows, StrategyRow{For: what, Strategy: string(s)})
		}
	}
	return rows, nil
}
