package merge

import (
	"slices"
	"strings"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// atoms is what warnings are found in: a map, or a document that was cut.
type atoms interface {
	get(k item.Key) (item.Value, bool)
	each(yield func(k item.Key, v item.Value)) // in any order
	// differing yields at least the atoms that the sides do not agree about.
	differing(yield func(k item.Key, v item.Value))
}

type atomMap map[item.Key]item.Value

func (m atomMap) get(k item.Key) (item.Value, bool) {
	v, ok := m[k]
	return v, ok && v.Kind != item.Absent && v.Kind != item.Hidden
}

func (m atomMap) each(yield func(item.Key, item.Value)) {
	for k := range m {
		if v, ok := m.get(k); ok {
			yield(k, v)
		}
	}
}

func (m atomMap) differing(yield func(item.Key, item.Value)) { m.each(yield) }

func (d *doc) differing(yield func(item.Key, item.Value)) { d.each(yield) }

func (m *merger) differing(yield func(item.Key, item.Value)) {
	for _, d := range m.result.Decisions {
		if v, ok := m.merged(d.Key); ok {
			yield(d.Key, v)
		}
	}
}

func (d *doc) get(k item.Key) (item.Value, bool) { v := d.value(k); return v, v.Kind != item.Absent }

func (d *doc) each(yield func(item.Key, item.Value)) {
	for i := range d.atoms {
		yield(d.atoms[i].key, d.atoms[i].value())
	}
}

func (m *merger) get(k item.Key) (item.Value, bool) { return m.merged(k) }

func (m *merger) each(yield func(item.Key, item.Value)) {
	for i := range m.local.atoms {
		if v, ok := m.merged(m.local.atoms[i].key); ok {
			yield(m.local.atoms[i].key, v)
		}
	}
	for k, v := range m.changes {
		if v.Kind != item.Absent && m.local.find(k) == nil {
			yield(k, v)
		}
	}
}

// Warnings says what a merge made that neither side had: rules that now shadow each
// other, a default switched off whose replacement is gone, a language's own value that
// hides the new one, two snippets with one prefix, a value of another type. In key order.
func Warnings(t item.Type, local, remote, merged map[item.Key]item.Value, o Options) []Warning {
	return warn(t, atomMap(local), atomMap(remote), atomMap(merged))
}

// warnings are those of the documents and those of the merge.
func (m *merger) warnings() []Warning {
	ws := slices.Clone(m.local.warnings)
	for _, w := range m.remote.warnings {
		if !slices.Contains(ws, w) {
			ws = append(ws, w)
		}
	}
	if len(m.changes) == 0 {
		return ws
	}
	return append(ws, warn(m.t, m.local, m.remote, m)...)
}

func warn(t item.Type, local, remote, merged atoms) []Warning {
	w := &warner{t: t, local: local, remote: remote, merged: merged}
	switch t {
	case item.Settings:
		w.types()
		w.overrides()
	case item.Keybindings:
		w.rules()
	case item.Snippets:
		w.types()
		w.prefixes()
	case item.Tasks, item.MCP:
		w.types()
	}
	slices.SortFunc(w.out, func(a, b Warning) int {
		if c := compareKeys(a.Key, b.Key); c != 0 {
			return c
		}
		return strings.Compare(a.Kind+a.Message, b.Kind+b.Message)
	})
	return w.out
}

type warner struct {
	t                     item.Type
	local, remote, merged atoms
	out                   []Warning
}

func (w *warner) add(k item.Key, kind, message string) {
	w.out = append(w.out, Warning{k, kind, message})
}

// side says where a merged value is from: one side alone, or both ("").
func (w *warner) side(k item.Key, v item.Value) string {
	l, inL := w.local.get(k)
	r, inR := w.remote.get(k)
	inL = inL && Same(w.t, k, l, v)
	inR = inR && Same(w.t, k, r, v)
	switch {
	case inL && !inR:
		return "local"
	case inR && !inL:
		return "remote"
	}
	return ""
}

// typeOf is the type that a value's first byte shows.
func typeOf(raw []byte) string {
	for _, c := range raw {
		switch {
		case white(c):
		case c == '{':
			return "an object"
		case c == '[':
			return "a list"
		case c == '"':
			return "text"
		case c == 't' || c == 'f':
			return "true or false"
		case c == 'n':
			return "null"
		default:
			return "a number"
		}
	}
	return ""
}

func white(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// types finds values that one side's change gave another type.
func (w *warner) types() {
	w.merged.differing(func(k item.Key, v item.Value) {
		if k.Lane != item.LaneValue || v.Kind != item.JSON {
			return
		}
		for _, side := range []atoms{w.local, w.remote} {
			old, ok := side.get(k)
			if !ok || old.Kind != item.JSON {
				continue
			}
			was, is := typeOf(old.Data), typeOf(v.Data)
			if was != is && was != "null" && is != "null" {
				w.add(k, TypeChange, Label(w.t, k)+" was "+was+" and is now "+is)
				return
			}
		}
	})
}

// overrides finds language blocks that hide a value which the other side changed.
func (w *warner) overrides() {
	w.merged.differing(func(k item.Key, v item.Value) {
		if k.Lane != item.LaneValue || !strings.HasPrefix(k.Path, "/[") {
			return
		}
		p := k.Segments()
		if len(p) < 2 {
			return
		}
		top := item.Key{Path: item.Path(p[1:]).String()}
		general, ok := w.merged.get(top)
		if !ok || Same(w.t, top, general, v) {
			return
		}
		from, by := w.side(top, general), w.side(k, v)
		if from != "" && by != "" && from != by {
			w.add(k, LanguageOverride, Label(w.t, top)+" changed, but "+p[0]+" has its own value")
		}
	})
}

// prefixes finds snippets of different sides that one prefix calls.
func (w *warner) prefixes() {
	type snippet struct {
		key  item.Key
		side string
	}
	by := map[string][]snippet{}
	w.merged.differing(func(k item.Key, v item.Value) {
		if k.Lane != item.LaneValue || !strings.HasSuffix(k.Path, "/prefix") || len(k.Segments()) != 2 {
			return
		}
		t := tree(v.Data)
		if t == nil {
			return
		}
		nodes := []int32{0}
		if t.Nodes[0].Kind == jsonc.Array {
			nodes = t.Children(0)
		}
		for _, n := range nodes {
			if s, ok := t.Text(n); ok {
				by[s] = append(by[s], snippet{k, w.side(k, v)})
			}
		}
	})
	for prefix, ss := range by {
		slices.SortFunc(ss, func(a, b snippet) int { return compareKeys(a.key, b.key) })
		for i, b := range ss {
			for _, a := range ss[:i] {
				if a.key != b.key && a.side != "" && b.side != "" && a.side != b.side {
					w.add(b.key, PrefixClash, "the prefix "+prefix+" now calls both "+a.key.Segments()[0]+" and "+b.key.Segments()[0])
				}
			}
		}
	}
}
