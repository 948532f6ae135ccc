package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"plait/backend/disk"
	"plait/backend/engine"
	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/merge/text"
	"plait/backend/problem"
	"plait/backend/state"
)

// History lists what was done to an item, or to all, newest first.
func (v *Vault) History(ctx context.Context, name string, limit int) ([]Version, error) {
	var n item.Name
	if name != "" {
		var err error
		if n, err = v.known(name); err != nil {
			return nil, err
		}
	}
	past, err := v.eng.History(ctx, n)
	if err != nil {
		return nil, err
	}
	var out []Version
	for _, p := range past {
		if limit > 0 && len(out) >= limit {
			break
		}
		byItem := map[item.Name][]item.Write{}
		var order []item.Name
		for _, w := range p.Entry.Writes {
			if w.Item.Type() == item.Policy || n != "" && w.Item.Shared() != n.Shared() || w.Key.Lane == item.LaneSkeleton {
				continue
			}
			if byItem[w.Item] == nil {
				order = append(order, w.Item)
			}
			byItem[w.Item] = append(byItem[w.Item], w)
		}
		for _, it := range order {
			ver := Version{Version: p.Hash.String(), Time: p.Entry.Time.Time(), Device: v.eng.DeviceName(p.Entry.Author.Device),
				Action: p.Entry.Action.String(), Item: string(it), Note: p.Entry.Note, Changes: []Change{}}
			for _, w := range byItem[it] {
				ver.Changes = append(ver.Changes, Change{Path: path(w.Key), Label: merge.Label(it.Type(), w.Key), Before: v.before(w), After: show(w.Value)})
			}
			out = append(out, ver)
		}
	}
	return out, nil
}

func path(k item.Key) []string {
	if p := k.Segments(); p != nil {
		return p
	}
	return []string{}
}

// before is what a write replaced, where history still has it.
func (v *Vault) before(w item.Write) []byte {
	for _, d := range w.Replaces {
		if s, ok := v.eng.Wrote(w.Item, w.Key, d); ok {
			return show(s)
		}
	}
	return nil
}

// moment is a version or a time that a person named.
type moment struct {
	past *engine.Past
	at   time.Time
}

// when reads VERSION or TIME.
func (v *Vault) when(ctx context.Context, s string) (moment, error) {
	if t, ok := parseTime(s, v.o.Clock()); ok {
		return moment{at: t}, nil
	}
	p, err := v.eng.Find(ctx, s)
	switch {
	case errors.Is(err, engine.ErrAmbiguous):
		return moment{}, &problem.Error{Code: "usage", Message: "Several versions start with " + s + ".", Hint: "Give more of its digits."}
	case errors.Is(err, engine.ErrNoVersion):
		return moment{}, &problem.Error{Code: "unknown-version", Message: fmt.Sprintf("%q is no version and no time.", s),
			Hint: "A version is 8 or more digits as `plait history` prints; a time is 2026-11-01, 2026-11-01T09:30:00Z, or 2h for two hours ago."}
	case err != nil:
		return moment{}, err
	}
	return moment{past: &p, at: p.Entry.Time.Time()}, nil
}

// parseTime reads RFC 3339, a date (its end, where the person is), or how long ago.
func parseTime(s string, now time.Time) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, true
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, true
		}
	}
	if t, err := time.ParseInLocation("2006-01-02", s, time.Local); err == nil {
		return t.AddDate(0, 0, 1).Add(-time.Millisecond), true
	}
	if n, ok := strings.CutSuffix(s, "d"); ok {
		if d, err := time.ParseDuration(n + "h"); err == nil && d >= 0 {
			return now.Add(-24 * d), true
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), true
	}
	return time.Time{}, false
}

// atoms are an item's shown atoms as they were at a moment; "" is now.
func (v *Vault) atoms(ctx context.Context, n item.Name, s string) (map[item.Key]item.Value, string, error) {
	if s == "" {
		a, err := v.eng.Shown(ctx, n, true)
		return a, "now", err
	}
	m, err := v.when(ctx, s)
	if err != nil {
		return nil, "", err
	}
	items, err := v.eng.AsOf(ctx, m.past, m.at)
	if err != nil {
		return nil, "", v.offline(err)
	}
	label := m.at.Local().Format("2006-01-02 15:04:05")
	if m.past != nil {
		label = m.past.Hash.String()[:12]
	}
	if items[n] == nil {
		return map[item.Key]item.Value{}, label, nil
	}
	return v.eng.ShownOf(n, items[n]), label, nil
}

// Diff compares two versions of an item. No B is now; no A is the version before
// the last change.
func (v *Vault) Diff(ctx context.Context, name, a, b string) (DiffResult, error) {
	n, err := v.known(name)
	if err != nil {
		return DiffResult{}, err
	}
	from, la := map[item.Key]item.Value{}, "nothing before it"
	if a == "" {
		past, err := v.eng.History(ctx, n)
		if err != nil {
			return DiffResult{}, err
		}
		if len(past) > 1 {
			a = past[1].Hash.String()
		}
	}
	if a != "" {
		if from, la, err = v.atoms(ctx, n, a); err != nil {
			return DiffResult{}, err
		}
	}
	to, lb, err := v.atoms(ctx, n, b)
	if err != nil {
		return DiffResult{}, err
	}
	d := DiffResult{Item: string(n), A: la, B: lb, Changes: changes(n.Type(), from, to)}
	ta, err := v.document(ctx, n, from)
	if err != nil {
		return d, err
	}
	tb, err := v.document(ctx, n, to)
	if err != nil {
		return d, err
	}
	if isBinary(ta) || isBinary(tb) {
		return d, nil
	}
	d.Unified = string(text.Unified(ta, tb, string(n)+" ("+la+")", string(n)+" ("+lb+")", 3))
	return d, nil
}

// isBinary says whether lines of it would tell a person nothing.
func isBinary(b []byte) bool { return !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 }

// document is an item's atoms as a file.
func (v *Vault) document(ctx context.Context, n item.Name, atoms map[item.Key]item.Value) ([]byte, error) {
	if n.Type() == item.Files {
		val, ok := atoms[item.Key{}]
		if !ok {
			return nil, nil
		}
		return v.eng.Content(ctx, val, 64<<20)
	}
	if len(atoms) == 0 {
		return nil, nil
	}
	return merge.Render(n.Type(), nil, atoms, merge.Options{Platform: v.o.platform()})
}

// changes lists what differs in meaning, by path.
func changes(t item.Type, from, to map[item.Key]item.Value) []Change {
	keys := map[item.Key]bool{}
	for k := range from {
		keys[k] = true
	}
	for k := range to {
		keys[k] = true
	}
	var order []item.Key
	for k := range keys {
		if k.Lane != item.LaneSkeleton && k.Lane != item.LaneOrder {
			order = append(order, k)
		}
	}
	slices.SortFunc(order, state.CompareKeys)
	out := []Change{}
	for _, k := range order {
		a, b := from[k], to[k]
		if a.Kind == b.Kind && (a.Kind == item.Absent || merge.Same(t, k, a, b)) {
			continue
		}
		out = append(out, Change{Path: path(k), Label: merge.Label(t, k), Before: show(a), After: show(b)})
	}
	return out
}

// Restore brings back what was at a version or time, as a new version.
func (v *Vault) Restore(ctx context.Context, s RestoreSpec) (r Restored, err error) {
	m, err := v.when(ctx, s.To)
	if err != nil {
		return r, err
	}
	if m.past == nil && m.at.After(v.o.Clock()) {
		return r, &problem.Error{Code: "usage", Message: "That time is yet to come.", Hint: "Nothing was changed."}
	}
	if !s.DryRun {
		if err := v.eng.LookNow(ctx); err != nil {
			return r, err
		}
	}
	names, err := v.selected(s.What)
	if err != nil {
		return r, err
	}
	items, err := v.eng.AsOf(ctx, m.past, m.at)
	if err != nil {
		return r, v.offline(err)
	}
	for n := range items {
		if selects(s.What, n) && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	r.To, r.Items = m.at, []RestoredItem{}
	var writes []item.Write
	for _, n := range names {
		was := map[item.Key]item.Value{}
		if items[n] != nil {
			was = v.eng.ShownOf(n, items[n])
		}
		ws, err := v.eng.Bring(ctx, n, was)
		if err != nil {
			return r, err
		}
		if len(ws) == 0 {
			continue
		}
		now, err := v.eng.Shown(ctx, n, true)
		if err != nil {
			return r, err
		}
		writes = append(writes, ws...)
		r.Items = append(r.Items, RestoredItem{Item: string(n), Changes: changes(n.Type(), now, was)})
	}
	// Going back to before there was anything would only remove it all.
	if len(writes) > 0 && !slices.ContainsFunc(names, func(n item.Name) bool { return items[n] != nil }) {
		return Restored{}, &problem.Error{Code: problem.UnknownVersion, Message: fmt.Sprintf("Nothing of %s is as old as %s. Nothing was changed.", s.What, m.at.Local().Format("2006-01-02 15:04")),
			Hint: "`plait history` lists what there is to go back to."}
	}
	if s.DryRun || len(writes) == 0 {
		return r, nil
	}
	if err := v.eng.Restore(writes, "restore to "+m.at.UTC().Format(time.RFC3339)); err != nil {
		return r, err
	}
	r.Done, r.Version = true, v.eng.Tip().String()
	_, err = v.eng.ApplyNow(ctx)
	return r, err
}

// selects says whether a word that names what to restore is about an item.
func selects(what string, n item.Name) bool {
	if n.Type() == item.Policy {
		return false
	}
	return what == "all" || string(n) == what || string(n.Shared()) == what || string(n.Type()) == what || n.Collection() == what
}

func (v *Vault) selected(what string) ([]item.Name, error) {
	names, err := v.eng.Items()
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n item.Name) bool { return !selects(what, n) })
	if len(names) == 0 && what != "all" {
		if _, err := v.known(what); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// Overlay moves a key to a layer: "device", "os" or "shared".
func (v *Vault) Overlay(ctx context.Context, name string, p []string, layer string) error {
	n, err := v.known(name)
	if err != nil {
		return err
	}
	if n.Type() == item.Files {
		return &problem.Error{Code: "usage", Message: "Files have no layers.", Hint: "Layers are for settings and other documents of an editor."}
	}
	if len(p) == 0 {
		return &problem.Error{Code: "usage", Message: "No key was named.", Hint: "Give --path for each segment: --path editor.fontSize."}
	}
	if err := v.eng.LookNow(ctx); err != nil {
		return err
	}
	found, err := v.eng.Overlay(n.Shared(), item.Path(p), layer)
	if err != nil {
		return err
	}
	if !found {
		return &problem.Error{Code: "unknown-key", Message: fmt.Sprintf("%s has no %s.", n, strings.Join(p, " › ")), Hint: "`plait history " + string(n) + "` shows its keys."}
	}
	_, err = v.eng.ApplyNow(ctx)
	return err
}

// Export writes every item as plain files below dir, which must be empty or new.
func (v *Vault) Export(ctx context.Context, dir string) (int, error) {
	es, err := os.ReadDir(dir)
	if err == nil && len(es) > 0 {
		return 0, &problem.Error{Code: problem.NotEmpty, Message: dir + " is not empty.", Hint: "Nothing was written. Name a folder that is new or empty."}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	names, err := v.eng.Items()
	if err != nil {
		return 0, err
	}
	count := 0
	for _, n := range names {
		if n.Type() == item.Policy {
			continue
		}
		atoms, err := v.eng.Shown(ctx, n, true)
		if err != nil {
			return count, err
		}
		if len(atoms) == 0 {
			continue
		}
		if err := v.exportOne(ctx, dir, n, atoms); err != nil {
			return count, fmt.Errorf("exporting %s: %w", n, err)
		}
		count++
	}
	return count, nil
}

func (v *Vault) exportOne(ctx context.Context, dir string, n item.Name, atoms map[item.Key]item.Value) error {
	c, t, overlay, rest, _ := n.Split()
	rel := c + "/" + string(t)
	if overlay != "" {
		rel += "@" + overlay
	}
	switch t {
	case item.Settings, item.Tasks, item.MCP:
		rel += ".json"
	case item.Keybindings:
		rel += "/" + rest + ".json"
	default:
		rel += "/" + rest
	}
	p, err := disk.Join(dir, rel)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		return err
	}
	if t != item.Files {
		b, err := v.document(ctx, n, atoms)
		if err != nil {
			return err
		}
		return os.WriteFile(p, b, 0o600)
	}
	val := atoms[item.Key{}]
	f, err := os.OpenFile(p, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fs.FileMode(val.Mode)&0o700|0o600)
	if err != nil {
		return err
	}
	err = v.eng.CopyContent(ctx, f, val)
	return errors.Join(err, f.Close())
}
