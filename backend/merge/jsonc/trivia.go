package jsonc

import "strings"

// A Slot is a place where comments stand.
//
//	{ // header
//	  // section
//
//	  // lead
//	  "key": value, // trail
//	  // footer
//	}
//
// A blank line parts a section's heading from the comments that a key owns. A
// comment between a value and its comma is a trail, wherever its line. What stands
// around a colon is in no slot, and stays where it is.
type Slot uint8

const (
	Section Slot = iota // before a member, a blank line from it
	Lead                // right before a member; of the root: all before it
	Trail               // after a value, on its line; of the root: all after it
	Header              // after a container's opening bracket, on its line
	Footer              // after a container's last member
	slots
)

// A comment is one comment's place and how many line ends stand before it.
type comment struct {
	start, end int32
	lines      int
}

// gap is what stands between two tokens: comments, and line ends after the last.
type gap struct {
	comments []comment
	lines    int // after the last comment
	total    int // outside comments
	comma    int // how many comments stand before the comma
}

func (t *Tree) gap(from, to, comma int32) gap {
	var g gap
	if from >= to {
		return g
	}
	s := t.Src
	for i := from; i < to; {
		switch s[i] {
		case '\r':
			if i+1 < to && s[i+1] == '\n' {
				i++
			}
			fallthrough
		case '\n':
			g.lines++
			g.total++
			i++
		case '/':
			end := int32(commentEnd(s, int(i)))
			if end <= i || end > to {
				end = to
			}
			g.comments = append(g.comments, comment{i, end, g.lines})
			g.lines = 0
			i = end
		default:
			if i == comma {
				g.comma = len(g.comments)
			}
			i++
		}
	}
	return g
}

// A piece is one member with what belongs to it. Its text is Src[from:to]: sections
// to own, its own lead to start, then key, value, comma and trail.
type piece struct {
	node     int32
	from     int32
	own      int32
	start    int32 // of the key, or of an element
	to       int32
	newline  bool // a line end stands before it
	comments *owned
}

// owned are the comments of a member that has any.
type owned struct{ sections, lead, trail []comment }

var nothing owned

func (p *piece) has() *owned {
	if p.comments == nil {
		return &nothing
	}
	return p.comments
}

func (p *piece) mine() *owned {
	if p.comments == nil {
		p.comments = &owned{}
	}
	return p.comments
}

// pieces are a container's interior: header to headTo, the members, then the tail
// from tailFrom to the closing bracket.
type pieces struct {
	members  []piece
	header   []comment
	headTo   int32
	tailFrom int32
	footer   []comment
	tailLine bool // a line end stands in the tail
	close    int32
}

// split takes container c's interior into pieces.
func (t *Tree) split(c int32) pieces {
	n := &t.Nodes[c]
	ps := pieces{close: n.End - 1}
	if ps.close <= n.Start {
		ps.close = n.End // an empty or unclosed one
	}
	from := n.Start + 1
	if n.Len > 0 {
		ps.members = make([]piece, 0, n.Len)
	}
	ps.headTo, ps.tailFrom = from, from
	for i := t.First(c); i != None; i = t.After(i) {
		m := &t.Nodes[i]
		start := m.Start
		if m.Key >= 0 {
			start = m.Key
		}
		p := piece{node: i, start: start}
		if len(ps.members) == 0 {
			g := t.gap(from, start, -1)
			k := sameLine(g, 0, false)
			if ps.header = g.comments[:k]; k > 0 {
				ps.headTo = g.comments[k-1].end
			}
			p.from = ps.headTo
			t.lead(&p, g, k)
		} else {
			prev := &ps.members[len(ps.members)-1]
			t.between(prev, &p)
		}
		ps.members = append(ps.members, p)
	}
	if len(ps.members) == 0 {
		g := t.gap(from, ps.close, -1)
		k := sameLine(g, 0, true)
		if ps.header = g.comments[:k]; k > 0 {
			ps.headTo = g.comments[k-1].end
		}
		ps.tailFrom, ps.footer, ps.tailLine = ps.headTo, g.comments[k:], g.total > 0
		return ps
	}
	last := &ps.members[len(ps.members)-1]
	m := &t.Nodes[last.node]
	g := t.gap(m.End, ps.close, m.Comma)
	k := sameLine(g, g.comma, true)
	if last.to = t.postEnd(m, g.comments[:k]); k > 0 {
		last.mine().trail = g.comments[:k]
	}
	ps.tailFrom, ps.footer = last.to, g.comments[k:]
	ps.tailLine = g.total > 0
	return ps
}

// between gives the comments between two neighbours to the one or the other.
func (t *Tree) between(prev, p *piece) {
	m := &t.Nodes[prev.node]
	g := t.gap(m.End, p.start, m.Comma)
	k := sameLine(g, g.comma, false)
	if prev.to = t.postEnd(m, g.comments[:k]); k > 0 {
		prev.mine().trail = g.comments[:k]
	}
	p.from = prev.to
	t.lead(p, g, k)
}

func (t *Tree) postEnd(m *Node, trail []comment) int32 {
	end := max(m.End, m.Comma+1)
	if len(trail) > 0 {
		end = max(end, trail[len(trail)-1].end)
	}
	return end
}

// sameLine counts the comments that belong to what stands before the gap: those
// before the comma, and those on its line, if a line end or (last) a bracket follows.
func sameLine(g gap, beforeComma int, last bool) int {
	k := beforeComma
	if g.total == 0 && !last || anyLines(g.comments[:k]) {
		return k
	}
	for k < len(g.comments) && g.comments[k].lines == 0 {
		k++
	}
	return k
}

func anyLines(cs []comment) bool {
	for _, c := range cs {
		if c.lines > 0 {
			return true
		}
	}
	return false
}

// lead gives p the comments of its gap from the k-th on.
func (t *Tree) lead(p *piece, g gap, k int) {
	cs := g.comments[k:]
	p.own = p.from
	p.newline = g.total > 0
	if len(cs) == 0 {
		return
	}
	first := len(cs) // where the lead starts
	if g.lines < 2 {
		for first--; first > 0 && cs[first].lines < 2; first-- {
		}
	}
	o := p.mine()
	o.sections, o.lead = cs[:first], cs[first:]
	if first > 0 {
		p.own = cs[first-1].end
	}
}

// text is what comments say: line ends as LF, blank lines between groups kept as one,
// and of the further lines of a block comment the indentation that they share gone.
// Where the comments stand does not show.
func (t *Tree) text(cs []comment) string {
	if len(cs) == 0 {
		return ""
	}
	var b strings.Builder
	for i, c := range cs {
		if i > 0 {
			switch {
			case c.lines == 0:
				b.WriteByte(' ')
			case c.lines == 1:
				b.WriteByte('\n')
			default:
				b.WriteString("\n\n")
			}
		}
		lines := strings.Split(string(newlines(t.Src[c.start:c.end])), "\n")
		shared := sharedIndent(lines[1:])
		for j, line := range lines {
			if j > 0 {
				b.WriteByte('\n')
				line = strings.TrimPrefix(line, shared)
			}
			b.WriteString(strings.TrimRight(line, " \t"))
		}
	}
	return b.String()
}

// sharedIndent is the white space that all lines start with, save blank ones.
func sharedIndent(lines []string) string {
	shared, any := "", false
	for _, l := range lines {
		rest := strings.TrimLeft(l, " \t")
		if rest == "" {
			continue
		}
		indent := l[:len(l)-len(rest)]
		if !any {
			shared, any = indent, true
		}
		for !strings.HasPrefix(indent, shared) {
			shared = shared[:len(shared)-1]
		}
	}
	return shared
}

// lineIndent is the white space that the line of offset at starts with.
func (t *Tree) lineIndent(at int32) string {
	i := at
	for i > 0 && t.Src[i-1] != '\n' && t.Src[i-1] != '\r' {
		i--
	}
	if i == 0 && len(t.Src) >= 3 && string(t.Src[:3]) == string(bom) {
		i = 3
	}
	j := i
	for j < at && (t.Src[j] == ' ' || t.Src[j] == '\t') {
		j++
	}
	return string(t.Src[i:j])
}

// A Comment is what a slot of a node says.
type Comment struct {
	Node int32
	Slot Slot
	Text string
}

// Comments lists what the slots of container c and of its members say, in order.
func (t *Tree) Comments(c int32, yield func(Comment)) {
	if n := &t.Nodes[c]; !n.Kind.Container() {
		return
	}
	if !t.anyComment(c) {
		return
	}
	ps := t.split(c)
	put := func(node int32, s Slot, cs []comment) {
		if len(cs) > 0 {
			yield(Comment{node, s, t.text(cs)})
		}
	}
	put(c, Header, ps.header)
	for _, p := range ps.members {
		if o := p.comments; o != nil {
			put(p.node, Section, o.sections)
			put(p.node, Lead, o.lead)
			put(p.node, Trail, o.trail)
		}
	}
	put(c, Footer, ps.footer)
}

// anyComment says whether a slash stands between container c's members.
func (t *Tree) anyComment(c int32) bool {
	n := &t.Nodes[c]
	at := n.Start + 1
	for i := t.First(c); i != None; i = t.After(i) {
		m := &t.Nodes[i]
		start := m.Start
		if m.Key >= 0 {
			start = m.Key
		}
		if slash(t.Src[at:start]) {
			return true
		}
		at = m.End
	}
	return at < n.End && slash(t.Src[at:n.End])
}

func slash(s []byte) bool {
	for _, c := range s {
		if c == '/' {
			return true
		}
	}
	return false
}

// Outer is what the comments before and after the root say. In a document without
// a root all of them stand before it.
func (t *Tree) Outer() (lead, trail string) {
	from, to := t.bomEnd(), int32(len(t.Src))
	if t.Root() == None {
		return t.text(t.gap(from, to, -1).comments), ""
	}
	n := &t.Nodes[0]
	if n.Start > from {
		lead = t.text(t.gap(from, n.Start, -1).comments)
	}
	if n.End < to && len(t.Errors) == 0 {
		trail = t.text(t.gap(n.End, to, -1).comments)
	}
	return lead, trail
}

func (t *Tree) bomEnd() int32 {
	if len(t.Src) >= 3 && string(t.Src[:3]) == string(bom) {
		return 3
	}
	return 0
}
