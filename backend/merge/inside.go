package merge

import (
	"bytes"
	"strings"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
	"plait/backend/merge/text"
)

// mergeJSON merges what one JSON atom holds. The result is a's text with b's changes,
// so the caller passes as a the side that sorts first. base is nil if none is known.
func mergeJSON(t item.Type, path item.Path, base, a, b []byte) ([]byte, bool) {
	if t == item.Snippets && len(path) == 2 && path[1] == "body" {
		return mergeBody(base, a, b)
	}
	ta, tb := tree(a), tree(b)
	if ta == nil || tb == nil {
		return nil, false
	}
	m := &inside{t: t, known: base != nil, base: tree(base), a: ta, b: tb, patch: jsonc.NewPatch(ta, jsonc.Layout{EOL: "\n"})}
	bn := jsonc.None
	if m.base != nil {
		bn = 0
	}
	if !m.node(path, bn, 0, 0) {
		return nil, false
	}
	return m.patch.Bytes(), true
}

// inside merges three trees into edits of the tree a.
type inside struct {
	t          item.Type
	known      bool
	base, a, b *jsonc.Tree
	patch      *jsonc.Patch
}

func alike(x, y []byte) bool { return jsonc.Equal(x, y) && jsonc.SameComments(x, y) }

// node merges the node a with b; base is None where it is not there.
func (m *inside) node(path item.Path, base, a, b int32) bool {
	ra, rb := m.a.Raw(a), m.b.Raw(b)
	if alike(ra, rb) {
		return true
	}
	if base != jsonc.None {
		switch raw := m.base.Raw(base); {
		case alike(raw, rb):
			return true
		case alike(raw, ra):
			m.patch.SetValue(a, rb)
			return true
		}
	}
	if jsonc.Equal(ra, rb) {
		return true // comments alone differ: a's show
	}
	ka, kb := m.a.Nodes[a].Kind, m.b.Nodes[b].Kind
	if ka != kb {
		return false
	}
	if base != jsonc.None && m.base.Nodes[base].Kind != ka {
		base = jsonc.None
	}
	switch ka {
	case jsonc.Object:
		return m.members(path, base, a, b, func(t *jsonc.Tree, i int32) (string, bool) { return t.Key(i), true }, false)
	case jsonc.Array:
		if r := arrayRule(m.t, path); r != nil {
			return m.members(path, base, a, b, r.identity, r.by == nil)
		}
	}
	return false
}

// child is a member or element with what tells it from the others.
type child struct {
	id   string
	node int32
}

// children lists the children of i; a repeated one counts where it stands last.
// ok is false if one can't be told from the others.
func children(t *jsonc.Tree, i int32, identity func(*jsonc.Tree, int32) (string, bool)) (cs []child, at map[string]int32, ok bool) {
	at = map[string]int32{}
	if t == nil || i == jsonc.None {
		return nil, at, true
	}
	for _, c := range t.Children(i) {
		id, ok := identity(t, c)
		if !ok {
			return nil, nil, false
		}
		cs = append(cs, child{id, c})
		at[id] = c
	}
	return cs, at, true
}

// members merges the members of an object, or the elements of a set or keyed list.
func (m *inside) members(path item.Path, base, a, b int32, identity func(*jsonc.Tree, int32) (string, bool), set bool) bool {
	_, inBase, ok0 := children(m.base, base, identity)
	as, inA, ok1 := children(m.a, a, identity)
	bs, inB, ok2 := children(m.b, b, identity)
	if !ok0 || !ok1 || !ok2 || !set && (len(as) != len(inA) || len(bs) != len(inB)) {
		return false
	}
	var seq []string
	places := map[string]jsonc.Place{}
	edited := false
	for _, c := range as {
		other, both := inB[c.id]
		old, had := inBase[c.id]
		if !had {
			old = jsonc.None
		}
		switch {
		case both:
			if m.t == item.Keybindings && len(path) == 4 && named(c.id) {
				break // equal but for how it is written
			}
			if !set && !m.node(append(path[:len(path):len(path)], c.id), old, c.node, other) {
				return false
			}
		case had && !set && !alike(m.base.Raw(old), m.a.Raw(c.node)):
			return false // changed here, removed there
		case had:
			edited = true
			continue
		}
		if _, twice := places[c.id]; twice {
			continue
		}
		seq = append(seq, c.id)
		places[c.id] = jsonc.Place{Node: inA[c.id]}
	}
	prev := ""
	var added []string
	after := map[string][]string{}
	for _, c := range bs {
		if _, both := inA[c.id]; both {
			prev = "=" + c.id
			continue
		}
		if old, had := inBase[c.id]; had {
			if !set && !alike(m.base.Raw(old), m.b.Raw(c.node)) {
				return false // removed here, changed there
			}
			continue
		}
		if _, twice := places[c.id]; twice {
			continue
		}
		places[c.id] = jsonc.Place{Node: jsonc.None, New: &jsonc.Member{Key: m.b.RawKey(c.node), Value: m.b.Raw(c.node)}}
		after[prev] = append(after[prev], c.id)
		added = append(added, c.id)
	}
	if !edited && len(added) == 0 {
		return true
	}
	out := make([]jsonc.Place, 0, len(seq)+len(added))
	put := func(ids []string) {
		for _, id := range ids {
			out = append(out, places[id])
			delete(after, id)
		}
	}
	put(after[""])
	kept := map[string]bool{}
	for _, c := range as {
		if p, ok := places[c.id]; ok && !kept[c.id] {
			kept[c.id] = true
			out = append(out, p)
		}
		put(after["="+c.id])
		after["="+c.id] = nil
	}
	m.patch.SetSequence(a, out)
	return true
}

// mergeBody merges a snippet's body, a string or an array of lines, as text.
func mergeBody(base, a, b []byte) ([]byte, bool) {
	raws := map[string][]byte{}
	lb, okB := lines(base, raws)
	lr, okR := lines(b, raws)
	la, okA := lines(a, raws)
	if !okA || !okR || !okB {
		return nil, false
	}
	join := func(l []string) []byte { return []byte(strings.Join(l, "\n") + "\n") }
	m := text.Merge(join(lb), join(la), join(lr))
	if !m.Clean {
		return nil, false
	}
	merged := strings.TrimSuffix(string(m.Text()), "\n")
	if a[0] == '"' && b[0] == '"' {
		return jsonc.Quote(merged), true
	}
	indent := []byte("\n")
	if !bytes.Contains(a, indent) && !bytes.Contains(b, indent) {
		indent = nil
	}
	out := []byte{'['}
	for i, l := range strings.Split(merged, "\n") {
		if i > 0 {
			out = append(out, ',')
		}
		if indent != nil {
			out = append(append(out, indent...), jsonc.DefaultUnit...)
		} else if i > 0 {
			out = append(out, ' ')
		}
		raw := raws[l]
		if raw == nil {
			raw = jsonc.Quote(l)
		}
		out = append(out, raw...)
	}
	return append(append(out, indent...), ']'), true
}

// lines are a body's lines; raws remembers how each was written.
func lines(body []byte, raws map[string][]byte) ([]string, bool) {
	t := tree(body)
	if t == nil {
		return nil, false
	}
	if s, ok := t.Text(0); ok {
		return strings.Split(s, "\n"), true
	}
	if t.Nodes[0].Kind != jsonc.Array {
		return nil, false
	}
	var ls []string
	for _, c := range t.Children(0) {
		s, ok := t.Text(c)
		if !ok {
			return nil, false
		}
		if !strings.Contains(s, "\n") {
			raws[s] = t.Raw(c)
		}
		ls = append(ls, strings.Split(s, "\n")...)
	}
	return ls, true
}
