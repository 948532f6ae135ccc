package merge

import (
	"slices"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// sequence gives container node its members. One that is left without any goes too,
// unless want has it empty.
func (e *editor) sequence(node int32) {
	d := e.d
	path := d.paths[node]
	s, ok := d.containers[path]
	if !ok {
		return
	}
	var seq []jsonc.Place
	var segs []string
	left := 0 // members that count: not the field that names the element
	replaced := map[string]int{}
	for _, c := range d.tree.Children(node) {
		seg := ""
		if !d.masked[c] {
			seg = e.segAt(s, c)
		}
		if e.gone[c] || d.inert[c] && e.lost(s, c) {
			if !d.inert[c] {
				replaced[seg] = len(seq)
			}
			e.heading(s, c)
			continue
		}
		seq, segs = append(seq, jsonc.Place{Node: c}), append(segs, seg)
		if s.field == "" || seg != s.field {
			left++
		}
	}
	if left+len(e.new[node]) == 0 && !e.wantsEmpty(path) && path != "" {
		e.gone[node] = true
		return
	}
	for _, f := range e.new[node] {
		at, ok := replaced[f.seg]
		if !ok || at > len(seq) {
			at = e.position(path, f, segs)
		}
		seq, segs = insert(seq, at, jsonc.Place{Node: jsonc.None, New: e.build(f)}), insert(segs, at, e.name(f))
		for k, v := range replaced {
			if v >= at && k != f.seg {
				replaced[k] = v + 1
			}
		}
	}
	for _, o := range e.ordersOf(node, path) {
		idx := arrange(segs, names(o.Data))
		seq, segs = pick(seq, idx), pick(segs, idx)
	}
	for i, c := range d.tree.Children(node) {
		if len(seq) != int(d.tree.Nodes[node].Len) || seq[i].Node != c {
			e.patch.SetSequence(node, seq)
			return
		}
	}
	if len(seq) != int(d.tree.Nodes[node].Len) {
		e.patch.SetSequence(node, seq)
	}
}

// ordersOf lists what container node's members, or those of one chord, are to be
// ordered by: where that changed, and where members are new.
func (e *editor) ordersOf(node int32, path string) []item.Value {
	keys := e.orders[node]
	for _, f := range e.new[node] {
		k := item.Key{Lane: item.LaneOrder, Path: path}
		if e.d.t == item.Keybindings {
			k.Path = item.Path{firstChord(f.seg)}.String()
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareKeys)
	var out []item.Value
	for _, k := range slices.Compact(keys) {
		if v, ok := e.want(k); ok && v.Kind == item.JSON {
			out = append(out, v)
		}
	}
	return out
}

func insert[T any](s []T, at int, v T) []T {
	s = append(s, v)
	copy(s[at+1:], s[at:])
	s[at] = v
	return s
}

func pick[T any](s []T, idx []int) []T {
	out := make([]T, len(idx))
	for i, n := range idx {
		out[i] = s[n]
	}
	return out
}

// segAt is what child c is called in orders and skeletons.
func (e *editor) segAt(s spot, c int32) string { return nameAt(e.d, s, c) }

func nameAt(d *doc, s spot, c int32) string {
	if s.rule.list == nil {
		return d.segment(s.node, c, s.rule)
	}
	segs, _ := s.rule.list(d.tree, c)
	if len(segs) == 1 {
		return segs[0]
	}
	return item.Path(segs).String()
}

// name is what a new member is called there.
func (e *editor) name(f *fresh) string {
	if e.d.t == item.Keybindings {
		return f.path
	}
	return f.seg
}

// lost says whether the key that duplicate c repeats is gone: then c must go too, or
// it would take effect.
func (e *editor) lost(s spot, c int32) bool {
	name := nameAt(e.d, s, c)
	for _, other := range e.d.tree.Children(s.node) {
		if e.d.live(other) && !e.gone[other] && nameAt(e.d, s, other) == name {
			return false
		}
	}
	return true
}

// heading keeps the section heading before child c, which goes, if want still has it.
func (e *editor) heading(s spot, c int32) {
	if e.d.masked[c] {
		return
	}
	k := slotKey(e.d.place(s.node, c, s.rule, e.d.paths[s.node]), jsonc.Section)
	if v, ok := e.want(k); ok && v.Kind == item.Text {
		e.patch.KeepSection(c)
	}
}

// wantsEmpty says whether want has {} or [] at path.
func (e *editor) wantsEmpty(path string) bool {
	v, ok := e.want(item.Key{Path: path})
	return ok && v.Kind == item.JSON && isEmpty(v.Data)
}

// position is where among segs a new member goes: after what it follows in the
// skeleton, else before what it precedes there, else at the end.
func (e *editor) position(path string, f *fresh, segs []string) int {
	if e.hints == nil {
		return len(segs)
	}
	s, ok := e.hints.containers[path]
	if !ok {
		return len(segs)
	}
	at := make(map[string]int, len(segs))
	for i, n := range segs {
		at[n] = i
	}
	h := e.hintOrder(s)
	i, ok := h.at[e.name(f)]
	if !ok {
		return len(segs)
	}
	return e.clamp(near(h.names, i, at, len(segs)), h.names, i, at, len(segs))
}

// near is the place after the nearest name before the i-th that is there, else before
// the nearest one after it, else the end.
func near(names []string, i int, at map[string]int, end int) int {
	for j := i - 1; j >= 0; j-- {
		if n, ok := at[names[j]]; ok {
			return n + 1
		}
	}
	for _, n := range names[i+1:] {
		if n, ok := at[n]; ok {
			return n
		}
	}
	return end
}

// clamp keeps a new keybinding behind the rules of its chord that it follows in the
// skeleton, and before those that it precedes: among them the later one wins.
func (e *editor) clamp(pos int, names []string, i int, at map[string]int, end int) int {
	if e.d.t != item.Keybindings {
		return pos
	}
	chord := func(n string) string { return firstChord(item.Key{Path: n}.Segments()[0]) }
	lo, hi := 0, end
	for j, n := range names {
		k, ok := at[n]
		if !ok || j == i || chord(n) != chord(names[i]) {
			continue
		}
		if j < i {
			lo = max(lo, k+1)
		} else {
			hi = min(hi, k)
		}
	}
	return max(lo, min(pos, hi))
}

// build makes the member that f stands for, members in the skeleton's order.
func (e *editor) build(f *fresh) *jsonc.Member {
	if len(f.members) == 0 {
		if f.member.Kind.Container() && f.empty && f.member.Value == nil && len(f.member.Members) == 0 {
			f.member.Value = emptyOf(f.member.Kind)
			for _, c := range f.member.Comments {
				if c != "" {
					f.member.Value = nil
				}
			}
		}
		return f.member
	}
	var segs []string
	var members []*jsonc.Member
	for _, m := range f.members {
		at := e.position(f.path, m, segs)
		segs, members = insert(segs, at, e.name(m)), insert(members, at, e.build(m))
	}
	f.member.Members = append(f.member.Members, members...)
	return f.member
}

// hint is how the skeleton orders one container.
type hint struct {
	names []string
	at    map[string]int
	nodes map[string]int32
}

func (e *editor) hintOrder(s spot) *hint {
	if h := e.cache[s.node]; h != nil {
		return h
	}
	h := &hint{at: map[string]int{}, nodes: map[string]int32{}}
	for _, c := range e.hints.tree.Children(s.node) {
		if !e.hints.live(c) {
			continue
		}
		n := nameAt(e.hints, s, c)
		h.at[n] = len(h.names)
		h.nodes[n] = c
		h.names = append(h.names, n)
	}
	if e.cache == nil {
		e.cache = map[int32]*hint{}
	}
	e.cache[s.node] = h
	return h
}

func (e *editor) hintAt(s spot) map[string]int32 { return e.hintOrder(s).nodes }
