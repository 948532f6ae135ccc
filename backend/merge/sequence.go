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
	room := int(d.tree.Nodes[node].Len) + len(e.new[node])
	seq, segs := make([]jsonc.Place, 0, room), make([]string, 0, room)
	left := 0 // members that count: not the field that names the element
	replaced := map[string]int{}
	living := e.living(s)
	for _, c := range d.tree.Children(node) {
		seg := ""
		if d.live(c) { // others have no say in the order
			seg = e.segAt(s, c)
		}
		if e.gone[c] || d.inert[c] && !living[nameAt(d, s, c)] {
			if seg != "" {
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
	seq, segs = e.place(path, seq, segs, e.new[node], replaced)
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

// living names the members that stay, if there are repetitions among them: one whose
// name does not stay must go too, or it would take effect.
func (e *editor) living(s spot) map[string]bool {
	if len(e.d.inert) == 0 {
		return nil
	}
	names := map[string]bool{}
	for c := e.d.tree.First(s.node); c != jsonc.None; c = e.d.tree.After(c) {
		if e.d.live(c) && !e.gone[c] {
			names[nameAt(e.d, s, c)] = true
		}
	}
	return names
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

// place puts new members among those that stay: after what they follow in the skeleton,
// else before what they precede there; what the skeleton does not know where a member of
// its name went, else at the end.
func (e *editor) place(path string, seq []jsonc.Place, segs []string, news []*fresh, replaced map[string]int) ([]jsonc.Place, []string) {
	if len(news) == 0 {
		return seq, segs
	}
	where := make(map[string]int, len(news)) // where each goes: before which of seq
	for _, f := range news {
		n := e.name(f)
		if at, ok := replaced[n]; ok {
			where[n] = at
		} else {
			where[n] = -1
		}
	}
	var known []string
	rank := map[string]int{}
	if h := e.hintOf(path); h != nil {
		known = e.byHint(path, h, segs, where, rank)
	}
	news = slices.Clone(news)
	slices.SortStableFunc(news, func(a, b *fresh) int { return rankOf(rank, e.name(a)) - rankOf(rank, e.name(b)) })
	e.clamp(known, segs, where)
	buckets := map[int][]*fresh{}
	for _, f := range news {
		at := where[e.name(f)]
		if at < 0 {
			at = len(seq)
		}
		buckets[at] = append(buckets[at], f)
	}
	outSeq := make([]jsonc.Place, 0, len(seq)+len(news))
	outSegs := make([]string, 0, len(seq)+len(news))
	for i := range len(seq) + 1 {
		for _, f := range buckets[i] {
			outSeq, outSegs = append(outSeq, jsonc.Place{Node: jsonc.None, New: e.build(f)}), append(outSegs, e.name(f))
		}
		if i < len(seq) {
			outSeq, outSegs = append(outSeq, seq[i]), append(outSegs, segs[i])
		}
	}
	return outSeq, outSegs
}

// rankOf is a name's rank; what has none comes last.
func rankOf(rank map[string]int, name string) int {
	if r, ok := rank[name]; ok {
		return r
	}
	return 1 << 30
}

// byHint finds the places of the new members that skeleton h knows, and their ranks in
// it. It gives the names that are in where or among segs, in h's order.
func (e *editor) byHint(path string, h *hint, segs []string, where, rank map[string]int) []string {
	find := seeker{segs: segs, there: func(name string) bool { return e.isThere(path, name) }}
	var all, first []string
	last := -1
	for _, n := range h.names {
		old, isNew := where[n]
		if !isNew {
			if i := find.index(n); i >= 0 {
				if last < 0 {
					for _, f := range first {
						where[f] = i
					}
				}
				last = i
				if e.d.t == item.Keybindings {
					all = append(all, n)
				}
			}
			continue
		}
		all = append(all, n)
		rank[n] = len(all)
		switch {
		case old >= 0:
		case last < 0:
			first = append(first, n)
		default:
			where[n] = last + 1
		}
	}
	return all
}

// isThere says whether the document has a member called name in the container at path.
func (e *editor) isThere(path, name string) bool {
	if e.d.t != item.Keybindings {
		name = path + item.Path{name}.String()
	}
	return e.d.has(name)
}

// seeker finds names in segs, fastest in about the order in which they stand; a table of
// all is made only if one that is there stands elsewhere.
type seeker struct {
	segs  []string
	there func(string) bool
	next  int
	at    map[string]int
}

func (s *seeker) index(name string) int {
	for i := s.next; i < len(s.segs) && i < s.next+4; i++ {
		if s.segs[i] == name {
			s.next = i + 1
			return i
		}
	}
	if s.at == nil {
		if !s.there(name) {
			return -1
		}
		s.at = make(map[string]int, len(s.segs))
		for i, n := range s.segs {
			s.at[n] = i
		}
	}
	if i, ok := s.at[name]; ok {
		s.next = i + 1
		return i
	}
	return -1
}

// clamp keeps new keybindings behind the rules of their chord that they follow in the
// skeleton, and before those that they precede: among them the later one wins. order
// names the rules there are and will be, as the skeleton has them.
func (e *editor) clamp(order []string, segs []string, where map[string]int) {
	if e.d.t != item.Keybindings {
		return
	}
	at := make(map[string]int, len(segs))
	for i, s := range segs {
		at[s] = i
	}
	chords := map[string][]string{}
	for _, n := range order {
		c := firstChord(item.Key{Path: n}.Segments()[0])
		chords[c] = append(chords[c], n)
	}
	for _, group := range chords {
		lo := 0
		for _, n := range group { // behind what it follows
			if k, ok := at[n]; ok {
				lo = max(lo, k+1)
			} else {
				if where[n] < 0 {
					where[n] = len(segs)
				}
				where[n] = max(where[n], lo)
			}
		}
		hi := len(segs)
		for _, n := range slices.Backward(group) { // and before what it precedes, where both can be
			if k, ok := at[n]; ok {
				hi = min(hi, k)
			} else if where[n] > hi {
				where[n] = max(hi, e.behind(group, n, at))
			}
		}
	}
}

// behind is the first place behind all of group that stand before name in it.
func (e *editor) behind(group []string, name string, at map[string]int) int {
	lo := 0
	for _, n := range group {
		if n == name {
			break
		}
		if k, ok := at[n]; ok {
			lo = max(lo, k+1)
		}
	}
	return lo
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
	if h := e.hintOf(f.path); h != nil {
		rank := make(map[string]int, len(h.names))
		for i, n := range h.names {
			rank[n] = i
		}
		slices.SortStableFunc(f.members, func(a, b *fresh) int { return rankOf(rank, e.name(a)) - rankOf(rank, e.name(b)) })
	}
	for _, m := range f.members {
		f.member.Members = append(f.member.Members, e.build(m))
	}
	return f.member
}

// hint is how the skeleton orders one container.
type hint struct{ names []string }

// hintOf reads the order of the container at path in the skeleton; nil if there is none.
func (e *editor) hintOf(path string) *hint {
	if e.hints == nil {
		return nil
	}
	s, ok := e.hints.containers[path]
	if !ok {
		return nil
	}
	h := &hint{names: make([]string, 0, e.hints.tree.Nodes[s.node].Len)}
	for c := e.hints.tree.First(s.node); c != jsonc.None; c = e.hints.tree.After(c) {
		if e.hints.live(c) {
			h.names = append(h.names, nameAt(e.hints, s, c))
		}
	}
	return h
}
