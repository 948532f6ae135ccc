package view

import (
	"maps"
	"strings"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/merge/jsonc"
	"plait/backend/merge/text"
)

// small is one member of the outermost container as a document of its own: what is
// chosen about it is rendered there, whatever else is chosen elsewhere.
type small struct {
	doc         []byte
	atoms       map[item.Key]item.Value
	open, close byte
	eol         string // stands after the opening bracket; "" if nothing does
}

// byMembers lays out the plan with a slot for each member that is decided about.
// It says false if the document can't be cut that way: something is decided about
// all of it, or it would not read as the merge has it.
func (b *builder) byMembers() bool {
	full, err := merge.Render(b.Type, b.in.Merged, b.everything(), b.options)
	if err != nil {
		return false
	}
	s, ok := cut(full)
	if !ok {
		return false
	}
	eol := "\n"
	if i := strings.IndexByte(string(full), '\n'); i > 0 && full[i-1] == '\r' {
		eol = "\r\n"
	}
	b.twice = map[string]bool{}
	roots := b.roots(&s, eol)
	points := map[string][]int{}
	for i := range b.points {
		head := b.points[i].keys[0]
		root := rootOf(b.Type, head)
		_, there := roots[root]
		if b.twice[root] {
			return false
		}
		if there = there && head.Lane <= item.LaneTrail; there {
			points[root] = append(points[root], i)
		} else if b.Chunks[i].Kind == text.Conflict {
			return false
		} else {
			b.Chunks[i].Options = nil // decided, and nowhere by itself: for information
		}
	}
	return b.layOut(&s, eol, roots, points)
}

// everything is the merged document's atoms, and those that could be chosen
// although the merge does not have them.
func (b *builder) everything() map[item.Key]item.Value {
	want := maps.Clone(b.merged.Atoms)
	for i := range b.points {
		pt := &b.points[i]
		if len(pt.merged) > 0 {
			continue
		}
		for _, s := range []int{Local, Remote, Base} {
			if len(pt.side[s]) > 0 {
				maps.Copy(want, pt.side[s])
				break
			}
		}
	}
	return want
}

// rootOf is the path of the member of the outermost container that k belongs to;
// "" for what belongs to the document.
func rootOf(t item.Type, k item.Key) string {
	path := k.Path
	if comment(k) {
		path = ownerOf(k)
	}
	segments := 1
	if t == item.Keybindings {
		segments = 4
	}
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			if segments--; segments == 0 {
				return path[:i]
			}
		}
	}
	if segments > 1 {
		return ""
	}
	return path
}

// roots says which member stands at which path.
func (b *builder) roots(s *segments, eol string) map[string]int {
	roots := make(map[string]int, len(s.nodes))
	for i, n := range s.nodes {
		if key := s.tree.RawKey(n); key != nil && !strings.HasPrefix(string(key), `"[`) && b.options.Ignore == nil {
			b.note(roots, item.Path{jsonc.Unquote(key)}.String(), i)
			continue
		}
		if m := b.enclosed(s, i, eol); m != nil {
			for k := range m.atoms {
				if k.Lane == item.LaneValue {
					b.note(roots, rootOf(b.Type, k), i)
					break
				}
			}
		}
	}
	return roots
}

// note says that member i stands at root. Of duplicates the last counts, and the
// others go with it, so that no slot by itself can hold what is decided.
func (b *builder) note(roots map[string]int, root string, i int) {
	if _, twice := roots[root]; twice {
		b.twice[root] = true
	}
	roots[root] = i
}

// enclosed is member i by itself; nil if it can't be read so.
func (b *builder) enclosed(s *segments, i int, eol string) *small {
	c := s.run(i, i+1)
	m := &small{open: s.open, close: s.close}
	if t := c.text(false); t[len(t)-1] == '\n' || t[len(t)-1] == '\r' {
		m.eol = eol
	}
	m.doc = enclose(c, s.open, s.close, eol)
	d, err := merge.Atomize(b.Type, m.doc, b.options)
	if err != nil {
		return nil
	}
	m.atoms = d.Atoms
	return m
}

// layOut makes slots: the head, members that are decided about and runs of others,
// the tail.
func (b *builder) layOut(s *segments, eol string, roots map[string]int, points map[string][]int) bool {
	at := map[int][]int{} // points by member
	for root, in := range points {
		at[roots[root]] = append(at[roots[root]], in...)
	}
	chunks, pts := b.Chunks, b.points
	b.Chunks, b.points = nil, nil
	sides := b.sideMembers(eol)
	add := func(c Chunk, pt point) {
		b.Chunks, b.points = append(b.Chunks, c), append(b.points, pt)
	}
	b.Slots = []Slot{{fixed: piece{a: s.head()}}}
	add(b.still("head", 0, sides.head()), point{})
	from := 0
	rest := func(to int) {
		if from < to {
			b.Slots = append(b.Slots, Slot{fixed: s.run(from, to)})
			add(b.still(b.nameOf(s, from), len(b.Slots)-1, sides.run(b.rootsOf(s, from, to, roots))), point{})
		}
	}
	used := make([]bool, len(chunks))
	for i := range s.nodes {
		in := at[i]
		if len(in) == 0 {
			continue
		}
		rest(i)
		from = i + 1
		m := b.enclosed(s, i, eol)
		if m == nil {
			b.Chunks, b.points = chunks, pts
			return false
		}
		b.Slots = append(b.Slots, Slot{fixed: s.run(i, i+1), member: m})
		for _, n := range in {
			c := chunks[n]
			c.Slot = len(b.Slots) - 1
			c.Span = sides.of(rootOf(b.Type, pts[n].keys[0]))
			add(c, pts[n])
			used[n] = true
		}
	}
	rest(len(s.nodes))
	b.Slots = append(b.Slots, Slot{fixed: piece{a: s.tail()}})
	add(b.still("tail", len(b.Slots)-1, sides.tail()), point{})
	for n, c := range chunks {
		if !used[n] {
			c.Options = nil
			c.Span = sides.of(rootOf(b.Type, pts[n].keys[0]))
			add(c, pts[n])
		}
	}
	b.group, b.always = [2]int{1, len(b.Slots) - 1}, s.comma
	for i, c := range b.Chunks { // Render needs to know now what stands where
		if c.Slot >= 0 {
			b.Slots[c.Slot].Chunks = append(b.Slots[c.Slot].Chunks, i)
		}
	}
	ok := b.asMerged()
	for i := range b.Slots {
		b.Slots[i].Chunks = nil
	}
	if !ok {
		b.Chunks, b.points, b.Slots = chunks, pts, nil
	}
	return ok
}

// asMerged says whether the plan, with nothing chosen, has the merge's values.
func (b *builder) asMerged() bool {
	d, err := merge.Atomize(b.Type, b.Render(nil), b.options)
	if err != nil {
		return false
	}
	count := 0
	for k, v := range d.Atoms {
		if k.Lane != item.LaneValue {
			continue
		}
		count++
		if w, ok := b.merged.Atoms[k]; !ok || !merge.Same(b.Type, k, v, w) {
			return false
		}
	}
	for k := range b.merged.Atoms {
		if k.Lane == item.LaneValue {
			count--
		}
	}
	return count == 0
}

// still is a run that nothing is decided about.
func (b *builder) still(name string, slot int, span [3]text.Range) Chunk {
	c := Chunk{Kind: text.Unchanged, Slot: slot, Span: span, Class: NoClass, Label: name}
	c.ID = merge.ID(b.Type, item.Key{Lane: item.LaneSkeleton, Path: "/" + name}, nil)
	for s := range c.Has {
		c.Has[s] = span[s].End > span[s].Start
	}
	return c
}

func (b *builder) nameOf(s *segments, i int) string {
	if k := s.tree.Key(s.nodes[i]); k != "" {
		return k
	}
	v, _ := shorten(s.tree.Raw(s.nodes[i]))
	return v
}

func (b *builder) rootsOf(s *segments, from, to int, roots map[string]int) []string {
	if b.byNumber == nil {
		b.byNumber = make(map[int]string, len(roots))
		for r, i := range roots {
			b.byNumber[i] = r
		}
	}
	var out []string
	for i := from; i < to; i++ {
		if r, ok := b.byNumber[i]; ok {
			out = append(out, r)
		}
	}
	return out
}

// piece renders a slot with what is chosen.
func (p *Plan) piece(slot int, choose func(chunk int) Choice) (piece, error) {
	s := &p.Slots[slot]
	if p.whole != nil {
		return p.wholePiece(s, choose)
	}
	decides := -1
	for _, c := range s.Chunks {
		if p.Chunks[c].Decides() {
			decides = c
		}
	}
	switch {
	case decides < 0:
		return s.fixed, nil
	case s.member == nil:
		pt := &p.points[decides]
		data, err := pt.linesFor(choose(decides), p.Chunks[decides].Auto)
		return pt.linePiece(data), err
	}
	want, err := p.wanted(s, s.member.atoms, choose)
	if err != nil || want == nil {
		return s.fixed, err
	}
	doc, err := merge.Render(p.Type, s.member.doc, want, p.options)
	if err != nil {
		return piece{}, err
	}
	c, err := s.member.takeOut(doc)
	c.keep = false
	return c, err
}

// wanted is atoms with what is chosen in a slot; nil if that changes nothing.
func (p *Plan) wanted(s *Slot, atoms map[item.Key]item.Value, choose func(int) Choice) (map[item.Key]item.Value, error) {
	var want map[item.Key]item.Value
	for _, c := range s.Chunks {
		if !p.Chunks[c].Decides() {
			continue
		}
		pt := &p.points[c]
		vs, err := pt.atoms(choose(c))
		if err != nil {
			return nil, err
		}
		for _, k := range pt.keys {
			v, chosen := vs[k]
			if old, there := atoms[k]; there == chosen && (!there || old.Same(v)) {
				continue
			}
			if want == nil {
				want = maps.Clone(atoms)
			}
			if chosen {
				want[k] = v
			} else {
				delete(want, k)
			}
		}
	}
	return want, nil
}

// takeOut takes a member out of its own document again.
func (m *small) takeOut(doc []byte) (piece, error) {
	s, ok := cut(doc)
	if !ok || s.open != m.open {
		ds := validity(doc)
		if len(ds) == 0 {
			ds = []Diag{{Kind: "syntax", Message: "not a member", Line: 1, Column: 1}}
		}
		return piece{}, &CustomError{ds}
	}
	root := s.tree.Nodes[0]
	from, to := int(root.Start)+1, int(root.End)-1
	if m.eol != "" && strings.HasPrefix(string(doc[from:]), m.eol) {
		from += len(m.eol)
	}
	if len(s.nodes) == 0 {
		return piece{a: doc[min(from, to):to]}, nil
	}
	last := &s.tree.Nodes[s.nodes[len(s.nodes)-1]]
	end, after := int(last.End), int(last.End)
	if last.Comma >= 0 {
		end, after = int(last.Comma), int(last.Comma)+1
	}
	return piece{a: doc[from:end], sep: []byte{','}, b: doc[after:to], there: true, keep: last.Comma >= 0}, nil
}
