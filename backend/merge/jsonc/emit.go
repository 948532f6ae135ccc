package jsonc

import (
	"slices"
	"strings"
)

// style is how a container that is there lays out its members.
type style struct {
	lines    bool   // each on its own line
	indent   string // of a member's line
	first    string // before the first, where not on lines
	other    string // before others, where not on lines
	colon    string
	trailing bool // a comma after the last
}

func (w *writer) style(c int32, ps *pieces, indent string) style {
	t := w.p.t
	st := style{indent: indent + w.p.layout.Unit, colon: ": ", lines: len(ps.members) == 0}
	for i, m := range ps.members {
		pre := string(t.Src[m.from:m.start])
		if m.newline && !st.lines {
			st.lines = true
			if own, ok := t.startsLine(m.start); ok {
				st.indent = own
			}
		}
		if strings.TrimLeft(pre, " \t") == "" {
			if i == 0 {
				st.first = pre
			}
			st.other = pre
		}
	}
	if len(ps.members) == 1 && !st.lines {
		if st.other = st.first; st.other == "" {
			st.other = " "
		}
	}
	if len(ps.members) > 0 {
		st.trailing = t.Nodes[ps.members[len(ps.members)-1].node].Comma >= 0
		n := &t.Nodes[ps.members[0].node]
		if n.Key >= 0 {
			if s := string(t.Src[n.KeyEnd:n.Start]); strings.Trim(s, " \t") == ":" {
				st.colon = s
			}
		}
	}
	return st
}

// container writes a container of which something below changed.
func (w *writer) container(c int32, indent string) {
	p, t := w.p, w.p.t
	n := &t.Nodes[c]
	ps := t.split(c)
	st := w.style(c, &ps, indent)
	seq, reordered := p.seqs[c]
	if !reordered {
		seq = make([]Place, len(ps.members))
		for i, m := range ps.members {
			seq[i].Node = m.node
		}
	}
	find := finder{members: ps.members}
	headings := w.headings(&ps, seq)

	w.out = append(w.out, t.Src[n.Start])
	w.open, w.trail = false, false
	if h, ok := p.slots[slotKey{c, Header}]; ok {
		w.after(h)
	} else if ps.headTo > n.Start+1 {
		w.copy(n.Start+1, ps.headTo)
		w.open, w.trail = t.Src[ps.header[len(ps.header)-1].start+1] == '/', true
	}
	for i, pl := range seq {
		comma := i < len(seq)-1 || st.trailing
		if pl.New != nil {
			w.added(pl.New, &st, headings[i], i == 0, comma)
			continue
		}
		n := find.at(pl.Node)
		follows := i == 0 && n == 0 || i > 0 && n > 0 && seq[i-1].New == nil && seq[i-1].Node == ps.members[n-1].node
		w.kept(&ps.members[n], &st, headings[i], i == 0, follows, comma)
	}
	w.tail(c, &ps, &st, indent, headings[len(seq)], len(seq))
	w.out = append(w.out, t.Src[n.End-1])
	w.open, w.trail = false, false
}

// finder finds members by their nodes, fastest in the order in which they stand.
type finder struct {
	members []piece
	next    int
}

func (f *finder) at(node int32) int {
	if f.next >= len(f.members) || f.members[f.next].node != node {
		f.next, _ = slices.BinarySearchFunc(f.members, node, func(m piece, n int32) int { return int(m.node) - int(n) })
	}
	f.next++
	return f.next - 1
}

func (w *writer) copy(from, to int32) { w.out = append(w.out, w.p.t.Src[from:to]...) }

// headings finds, for every place of seq and for the tail, the sections that stay
// there though their members go: raw text, joined.
func (w *writer) headings(ps *pieces, seq []Place) []string {
	hs := make([]string, len(seq)+1)
	if len(w.p.keep) == 0 {
		return hs
	}
	place := make(map[int32]int, len(seq))
	for i, pl := range seq {
		if pl.New == nil {
			place[pl.Node] = i
		}
	}
	to := len(seq)
	for i := len(ps.members) - 1; i >= 0; i-- {
		m := &ps.members[i]
		if j, stays := place[m.node]; stays {
			to = j
			continue
		}
		if w.p.keep[m.node] && len(m.has().sections) > 0 {
			s := w.p.t.text(m.has().sections)
			if hs[to] != "" {
				s += "\n\n" + hs[to]
			}
			hs[to] = s
		}
	}
	return hs
}

// kept writes a member that is there, with what stands before and after it. follows
// says that it still stands after what it stood after.
func (w *writer) kept(m *piece, st *style, heading string, first, follows, comma bool) {
	p, t := w.p, w.p.t
	section, newSection := p.slots[slotKey{m.node, Section}]
	lead, newLead := p.slots[slotKey{m.node, Lead}]
	switch {
	case newSection || newLead || heading != "":
		if !newSection {
			section = t.text(m.has().sections)
		}
		if !newLead {
			lead = t.text(m.has().lead)
		}
		if heading != "" && section != "" {
			heading += "\n\n"
		}
		w.pre(heading+section, lead, st, first)
	case !m.newline && (w.open || w.trail || st.lines && !follows):
		w.pre("", t.text(m.has().lead), st, first)
	case !m.newline && len(m.has().lead) == 0 && !follows:
		w.pre("", "", st, first)
	default:
		w.copy(m.from, m.start)
	}
	n := &t.Nodes[m.node]
	w.open, w.trail = false, false
	w.copy(m.start, n.Start)
	w.node(m.node, st.indentOf(t, m))
	w.post(m, n, st, comma)
}

// indentOf is the indentation of the line that member m stands on.
func (st *style) indentOf(t *Tree, m *piece) string {
	if own, ok := t.startsLine(m.start); ok {
		return own
	}
	if !st.lines {
		return t.lineIndent(m.start)
	}
	return st.indent
}

// post writes what follows a kept member's value: comma and trail.
func (w *writer) post(m *piece, n *Node, st *style, comma bool) {
	t := w.p.t
	if trail, ok := w.p.slots[slotKey{m.node, Trail}]; ok {
		if comma {
			w.out = append(w.out, ',')
		}
		w.open, w.trail = false, false
		w.after(trail)
		return
	}
	has := n.Comma >= 0
	switch {
	case comma && !has:
		w.out = append(w.out, ',')
		w.copy(n.End, m.to)
	case !comma && has:
		w.copy(n.End, n.Comma)
		w.copy(n.Comma+1, m.to)
	default:
		w.copy(n.End, m.to)
	}
	w.open, w.trail = false, len(m.has().trail) > 0
	if len(m.has().trail) > 0 {
		last := m.has().trail[len(m.has().trail)-1]
		w.open = t.Src[last.start+1] == '/' && !(has && n.Comma > last.start)
	}
}

// added writes a new member.
func (w *writer) added(m *Member, st *style, heading string, first, comma bool) {
	section := m.Comments[Section]
	if heading != "" && section != "" {
		heading += "\n\n"
	}
	w.pre(heading+section, m.Comments[Lead], st, first)
	w.open, w.trail = false, false
	indent := st.indent
	if !st.lines {
		indent = lastIndent(w.out)
	}
	w.member(m, indent, st.colon)
	if comma {
		w.out = append(w.out, ',')
	}
	w.after(m.Comments[Trail])
}

// lastIndent is the indentation of the line that out ends in.
func lastIndent(out []byte) string {
	i := len(out)
	for i > 0 && out[i-1] != '\n' && out[i-1] != '\r' {
		i--
	}
	j := i
	for j < len(out) && (out[j] == ' ' || out[j] == '\t') {
		j++
	}
	return string(out[i:j])
}

// pre writes what stands before a member: on lines, or where a comment demands it,
// a new line and its comments; else the container's own spacing.
func (w *writer) pre(section, lead string, st *style, first bool) {
	if st.lines || section != "" || lead != "" || w.open || w.trail {
		w.before(section, lead, st.indent, first && !w.trail)
		return
	}
	if first {
		w.out = append(w.out, st.first...)
	} else {
		w.out = append(w.out, st.other...)
	}
}

// tail writes what stands before the closing bracket.
func (w *writer) tail(c int32, ps *pieces, st *style, indent, heading string, members int) {
	t := w.p.t
	footer, newFooter := w.p.slots[slotKey{c, Footer}]
	if heading != "" {
		if !newFooter {
			footer, newFooter = t.text(ps.footer), true
		}
		if footer != "" {
			heading += "\n\n"
		}
		footer = heading + footer
	}
	raw := t.lineFirst(ps.tailFrom, ps.close)
	switch {
	case newFooter && footer != "":
		w.newline(st.indent)
		w.comment(footer, st.indent)
		w.newline(indent)
	case !newFooter && len(ps.footer) > 0:
		if (w.open || w.trail) && !raw {
			w.newline(st.indent)
		}
		w.copy(ps.tailFrom, ps.close)
	case members == 0 && !w.open && !w.trail:
		if len(ps.members) == 0 && !newFooter {
			w.copy(ps.tailFrom, ps.close)
		}
	case len(ps.footer) == 0 && (raw || len(ps.members) > 0 && !w.open):
		w.copy(ps.tailFrom, ps.close)
	case ps.tailLine || len(ps.members) == 0 || w.open:
		w.newline(indent)
	}
}

// lineFirst says whether a line end stands before anything else in [from, to).
func (t *Tree) lineFirst(from, to int32) bool {
	for _, c := range t.Src[from:to] {
		switch c {
		case '\n', '\r':
			return true
		case ' ', '\t':
		default:
			return false
		}
	}
	return false
}
