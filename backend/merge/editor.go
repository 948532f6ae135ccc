package merge

import (
	"fmt"
	"slices"
	"strings"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// editor turns changes of atoms into edits of a document.
type editor struct {
	d        *doc
	hints    *doc
	want     func(item.Key) (item.Value, bool)
	patch    *jsonc.Patch
	gone     map[int32]bool     // members that go
	whole    map[int32]bool     // containers that become one value
	new      map[int32][]*fresh // by the container that gets them
	values   map[string]bool    // paths that get a value nothing can lie below
	made     map[string]*fresh  // by path
	touched  map[int32]bool     // containers that get a new sequence
	orders   map[int32][]item.Key
	comments map[string][]change // by owner
}

// fresh is a member that the document does not have yet.
type fresh struct {
	path    string
	seg     string
	member  *jsonc.Member
	rule    *rule
	members []*fresh
	empty   bool // it was asked for as {} or []
}

// apply makes the changes, which are in key order: what holds comes before what is held.
func (e *editor) apply(cs []change) error {
	d := e.d
	for _, c := range cs {
		if c.key.Lane == item.LaneValue && c.value.Kind == item.Absent {
			if a := d.find(c.key); a != nil {
				e.remove(a.node)
			}
		}
	}
	var orders []change
	for _, c := range cs {
		if c.value.Kind == item.Absent && c.key.Lane < item.LaneComment {
			continue
		}
		switch c.key.Lane {
		case item.LaneValue:
			if e.covered(c.key.Path) {
				continue
			}
			if c.value.Kind != item.JSON || tree(c.value.Data) == nil {
				return fmt.Errorf("%w: %s has no JSON value", ErrAtoms, Label(d.t, c.key))
			}
			if err := e.set(c); err != nil {
				return err
			}
		case item.LaneOrder:
			orders = append(orders, c)
		case item.LaneComment, item.LaneTrail:
			owner, _ := slotOf(c.key)
			e.comments[owner] = append(e.comments[owner], c)
		}
	}
	for _, c := range orders { // only now is all there that they order
		e.order(c)
	}
	e.finish()
	return nil
}

// remove takes a value away. An empty container's atom is no member: the container
// goes only if nothing is put into it.
func (e *editor) remove(node int32) {
	if _, ok := e.d.paths[node]; ok {
		e.touched[node] = true
		return
	}
	e.gone[node] = true
	e.touch(node)
}

func (e *editor) touch(node int32) {
	if up := e.d.tree.Nodes[node].Parent; up >= 0 {
		e.touched[up] = true
	}
}

// covered says whether something above path has, or keeps, a value of its own: then
// nothing can lie below.
func (e *editor) covered(path string) bool {
	for i := 1; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		up := path[:i]
		if e.values[up] {
			return true
		}
		if _, container := e.d.containers[up]; container {
			continue
		}
		if a := e.d.find(item.Key{Path: up}); a != nil && !e.gone[a.node] {
			return true
		}
	}
	return false
}

// set gives an atom a value.
func (e *editor) set(c change) error {
	d, path := e.d, c.key.Path
	empty := Yields(d.t, path, c.value.Data)
	if !empty {
		e.values[path] = true
	}
	if s, ok := d.containers[path]; ok {
		if empty && kindOf(c.value.Data) == d.tree.Nodes[s.node].Kind {
			e.touched[s.node] = true
			return nil
		}
		e.patch.SetValue(s.node, c.value.Data)
		e.whole[s.node] = true
		delete(e.gone, s.node)
		return nil
	}
	leaf := d.find(c.key)
	if leaf != nil && !empty {
		e.patch.SetValue(leaf.node, c.value.Data)
		return nil
	}
	if path == "" {
		if root := d.tree.Root(); root != jsonc.None {
			e.patch.SetValue(root, c.value.Data)
			e.whole[root] = true
		} else {
			e.patch.SetRoot(&jsonc.Member{Value: c.value.Data})
		}
		return nil
	}
	if leaf != nil { // it becomes a place for members: a new member where it was
		e.remove(leaf.node)
	}
	f, err := e.make(path)
	if err != nil {
		return err
	}
	if !empty {
		f.member.Value = c.value.Data
		return nil
	}
	f.empty, f.member.Kind = true, kindOf(c.value.Data)
	if leaf != nil {
		f.member.Key = d.tree.RawKey(leaf.node)
		for _, s := range []jsonc.Slot{jsonc.Section, jsonc.Lead, jsonc.Trail} {
			if a := d.find(slotKey(path, s)); a != nil {
				f.member.Comments[s] = string(a.data)
			}
		}
	}
	return nil
}

// make finds or makes the new member at path, and what must hold it.
func (e *editor) make(path string) (*fresh, error) {
	if f := e.made[path]; f != nil {
		return f, nil
	}
	up, segs, r, err := e.holder(path)
	if err != nil {
		return nil, err
	}
	f := &fresh{path: path, seg: segs[0], rule: r.member(segs[0]), member: &jsonc.Member{}}
	e.made[path] = f
	if r.list != nil {
		f.rule = leaf
		if e.d.t != item.Keybindings && !isUnnamed(segs[0]) {
			f.rule = r.rest
			f.member.Kind = jsonc.Object
			name := segs[0]
			if strings.HasPrefix(name, "##") {
				name = name[1:]
			}
			field := e.field(r)
			says := &jsonc.Member{Key: jsonc.Quote(field), Value: jsonc.Quote(name)}
			f.member.Members = []*jsonc.Member{says}
			at := path + item.Path{field}.String()
			e.made[at] = &fresh{path: at, seg: field, rule: leaf, member: says} // for its comments
		}
	} else {
		f.member.Key = e.key(path, segs[0])
	}
	switch {
	case f.rule.list != nil:
		f.member.Kind = jsonc.Array
	case f.rule.object:
		f.member.Kind = jsonc.Object
	}
	if s, ok := e.d.containers[up]; ok && !e.whole[s.node] {
		e.new[s.node] = append(e.new[s.node], f)
		e.touched[s.node] = true
		return f, nil
	}
	if up == "" {
		return f, e.root(f)
	}
	h, err := e.make(up)
	if err != nil {
		return nil, err
	}
	h.members = append(h.members, f)
	return f, nil
}

// field is the field that names the elements of a list cut by r.
func (e *editor) field(r *rule) string {
	if r == tasksRule.named["tasks"] {
		return "label"
	}
	return "id"
}

// rootKind is what documents of type t are at their root.
func rootKind(t item.Type) jsonc.Kind {
	if ruleOf(t).list != nil {
		return jsonc.Array
	}
	return jsonc.Object
}

// root lets the first new member of a document without a root have one.
func (e *editor) root(f *fresh) error {
	h := e.made[""]
	if h == nil {
		h = &fresh{rule: ruleOf(e.d.t), member: &jsonc.Member{Kind: rootKind(e.d.t)}}
		e.made[""] = h
	}
	h.members = append(h.members, f)
	return nil
}

// holder splits path into the path of what holds it and the segments that name it
// there, with the rule by which the holder is cut.
func (e *editor) holder(path string) (up string, segs item.Path, r *rule, err error) {
	p, err := item.ParsePath(path)
	if err != nil || len(p) == 0 {
		return "", nil, nil, fmt.Errorf("%w: path %q", ErrAtoms, path)
	}
	if e.d.t == item.Keybindings {
		if len(p) != 4 {
			return "", nil, nil, fmt.Errorf("%w: no keybinding is named by %q", ErrAtoms, path)
		}
		return "", p, keybindingsRule, nil
	}
	r = ruleAt(e.d.t, p[:len(p)-1])
	if !r.object && r.list == nil {
		return "", nil, nil, fmt.Errorf("%w: nothing can lie at %q", ErrAtoms, path)
	}
	return p[:len(p)-1].String(), p[len(p)-1:], r, nil
}

// key is how a new member's key is written: as the skeleton or the other side has it.
func (e *editor) key(path, seg string) []byte {
	if e.hints != nil {
		node := int32(-1)
		if s, ok := e.hints.containers[path]; ok {
			node = s.node
		} else if a := e.hints.find(item.Key{Path: path}); a != nil {
			node = a.node
		}
		if node >= 0 && e.hints.tree.Nodes[node].Key >= 0 {
			return e.hints.tree.RawKey(node)
		}
	}
	return jsonc.Quote(seg)
}

// order remembers an order that a container's members shall have.
func (e *editor) order(c change) {
	path := c.key.Path
	if e.d.t == item.Keybindings {
		path = ""
	}
	if s, ok := e.d.containers[path]; ok {
		e.orders[s.node] = append(e.orders[s.node], c.key)
		e.touched[s.node] = true
	} else if f := e.made[path]; f != nil {
		order(f, names(c.value.Data))
	}
}

func order(f *fresh, want []string) {
	segs := make([]string, len(f.members))
	for i, m := range f.members {
		segs[i] = m.seg
	}
	var out []*fresh
	for _, i := range arrange(segs, want) {
		out = append(out, f.members[i])
	}
	f.members = out
}

// finish turns what was collected into edits, innermost containers first.
func (e *editor) finish() {
	e.say()
	for _, node := range e.nodes() {
		if !e.whole[node] && !e.under(node) {
			e.sequence(node)
		}
	}
	h, root := e.made[""], e.d.tree.Root()
	if h == nil && root != jsonc.None && e.gone[root] { // a root of another kind goes, and nothing comes
		h = &fresh{member: &jsonc.Member{Value: emptyOf(rootKind(e.d.t))}}
	}
	if h != nil {
		e.patch.SetRoot(e.build(h))
	}
}

// nodes lists the touched containers, innermost first; a container that loses its
// last member touches what holds it, which comes later.
func (e *editor) nodes() []int32 {
	all := map[int32]bool{}
	for n := range e.touched {
		for ; n >= 0 && !all[n]; n = e.d.tree.Nodes[n].Parent {
			all[n] = true
		}
	}
	out := make([]int32, 0, len(all))
	for n := range all {
		out = append(out, n)
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// under says whether node lies in something that becomes one value.
func (e *editor) under(node int32) bool {
	for n := e.d.tree.Nodes[node].Parent; n >= 0; n = e.d.tree.Nodes[n].Parent {
		if e.whole[n] {
			return true
		}
	}
	return false
}

// say writes the comments that changed.
func (e *editor) say() {
	at := map[string]int32{}
	for n, path := range e.d.paths {
		if old, twice := at[path]; !twice || n > old { // of duplicates the last counts
			at[path] = n
		}
	}
	owners := make([]string, 0, len(e.comments))
	for owner := range e.comments {
		owners = append(owners, owner)
	}
	for _, owner := range owners {
		node, there := at[owner]
		if a := e.d.find(item.Key{Path: owner}); !there && a != nil {
			node, there = a.node, true
		}
		if owner == "" {
			node, there = e.d.tree.Root(), true
		}
		f := e.made[owner]
		for _, c := range e.comments[owner] {
			_, slot := slotOf(c.key)
			text := string(c.value.Data)
			inner := slot == jsonc.Header || slot == jsonc.Footer
			switch {
			case f != nil && f.path != "":
				f.member.Comments[slot] = text
			case there && !(inner && (node < 0 || e.d.paths[node] != owner)):
				e.patch.SetComment(node, slot, text)
			}
		}
	}
}
