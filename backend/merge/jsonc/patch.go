package jsonc

import "strings"

// A Patch collects edits to a tree and writes the result. It keeps no state
// between edits but what was asked for, so their order does not matter.
type Patch struct {
	t       *Tree
	layout  Layout
	values  map[int32][]byte
	slots   map[slotKey]string
	seqs    map[int32][]Place
	keep    map[int32]bool // removed nodes whose section stays
	dirty   []bool
	root    *Member
	changed bool
}

type slotKey struct {
	node int32
	slot Slot
}

// A Place is one position in a container's new sequence: a child that is there, or
// a new member.
type Place struct {
	Node int32 // None if New is set
	New  *Member
}

// A Member is one that the document does not have yet. Value is its text, unless
// Kind is Object or Array: then it is a container of Members.
type Member struct {
	Key      []byte // the literal with its quotes; nil for elements
	Value    []byte
	Kind     Kind
	Members  []*Member
	Comments [slots]string
}

// NewPatch starts a patch of t. d says how to write what t does not show.
func NewPatch(t *Tree, d Layout) *Patch {
	return &Patch{
		t: t, layout: t.Layout(d), values: map[int32][]byte{}, slots: map[slotKey]string{},
		seqs: map[int32][]Place{}, keep: map[int32]bool{}, dirty: make([]bool, len(t.Nodes)),
	}
}

// SetValue gives node i another value, which may span lines.
func (p *Patch) SetValue(i int32, raw []byte) {
	p.values[i] = raw
	p.mark(i)
}

// SetComment lets a slot of node i say text; "" takes its comments away.
func (p *Patch) SetComment(i int32, s Slot, text string) {
	p.slots[slotKey{i, s}] = text
	p.mark(i)
}

// SetSequence gives container c its members: children that it names stay or move,
// others go, with the comments they own.
func (p *Patch) SetSequence(c int32, seq []Place) {
	p.seqs[c] = seq
	p.mark(c)
}

// KeepSection leaves a section's heading in place though node i, before which it
// stands, goes.
func (p *Patch) KeepSection(i int32) { p.keep[i] = true }

// SetRoot gives a document without a root one, or another to a document with one.
func (p *Patch) SetRoot(m *Member) {
	p.root = m
	p.changed = true
}

func (p *Patch) mark(i int32) {
	p.changed = true
	for ; i >= 0 && !p.dirty[i]; i = p.t.Nodes[i].Parent {
		p.dirty[i] = true
	}
}

// Bytes writes the document with the edits made.
func (p *Patch) Bytes() []byte {
	t := p.t
	if !p.changed {
		return t.Src
	}
	w := &writer{p: p, out: make([]byte, 0, len(t.Src)+len(t.Src)/8)}
	w.out = append(w.out, t.Src[:t.bomEnd()]...)
	root := t.Root()
	if root == None {
		w.rootless()
		return w.out
	}
	n := &t.Nodes[root]
	indent := t.lineIndent(n.Start)
	if lead, ok := p.slots[slotKey{root, Lead}]; ok {
		if lead != "" {
			w.comment(lead, indent)
			w.newline(indent)
		} else {
			w.out = append(w.out, indent...)
		}
	} else {
		w.out = append(w.out, t.Src[t.bomEnd():n.Start]...)
	}
	if p.root != nil {
		w.value(p.root, indent)
	} else {
		w.node(root, indent)
	}
	if trail, ok := p.slots[slotKey{root, Trail}]; ok {
		if trail != "" {
			w.newline("")
			w.comment(trail, "")
		}
		if end := t.Src[n.End:]; len(end) > 0 && (end[len(end)-1] == '\n' || end[len(end)-1] == '\r') {
			w.newline("")
		}
	} else {
		w.out = append(w.out, t.Src[n.End:]...)
	}
	return w.out
}

// writer puts a patched document together.
type writer struct {
	p   *Patch
	out []byte
	// tail is what the newest bytes of out end with: it decides what may follow.
	open  bool // a line comment, which only a line end ends
	trail bool // a comment that a following member would be given, were it on this line
}

func (w *writer) newline(indent string) {
	w.out = append(append(w.out, w.p.layout.EOL...), indent...)
	w.open, w.trail = false, false
}

// comment writes a slot's text, each line indented; the stars of a block stand in line.
func (w *writer) comment(text, indent string) {
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			w.out = append(w.out, w.p.layout.EOL...)
			if line != "" {
				w.out = append(w.out, indent...)
			}
			if strings.HasPrefix(line, "*") { // within a block comment
				w.out = append(w.out, ' ')
			}
		} else if len(w.out) > 0 && atLineStart(w.out) {
			w.out = append(w.out, indent...)
		}
		w.out = append(w.out, line...)
	}
	w.open, w.trail = endsOpen(text), true
}

func atLineStart(out []byte) bool {
	c := out[len(out)-1]
	return c == '\n' || c == '\r'
}

// endsOpen says whether text's last comment is one that ends with the line.
func endsOpen(text string) bool {
	for i := 0; i < len(text); {
		if text[i] != '/' {
			i++
			continue
		}
		end := commentEnd([]byte(text), i)
		if end <= i {
			return true // cut or no comment at all: be careful
		}
		if end == len(text) {
			return text[i+1] == '/'
		}
		i = end
	}
	return false
}

func (w *writer) rootless() {
	p := w.p
	rest := p.t.Src[p.t.bomEnd():]
	if lead, ok := p.slots[slotKey{None, Lead}]; ok {
		if lead != "" {
			w.comment(lead, "")
			w.newline("")
		}
	} else if p.root == nil || strings.TrimLeft(string(rest), " \t\r\n") != "" {
		w.out = append(w.out, rest...)
	}
	if p.root == nil {
		return
	}
	if len(w.out) > int(p.t.bomEnd()) && !atLineStart(w.out) {
		w.newline("")
	}
	w.value(p.root, "")
	w.newline("")
}

// node writes the value of a node that is there.
func (w *writer) node(i int32, indent string) {
	p := w.p
	if raw, ok := p.values[i]; ok {
		w.out = append(w.out, Reindent(raw, indent, p.layout)...)
		return
	}
	if !p.dirty[i] || !p.t.Nodes[i].Kind.Container() {
		w.out = append(w.out, p.t.Raw(i)...)
		return
	}
	w.container(i, indent)
}

// value writes a new member's value; indent is its line's.
func (w *writer) value(m *Member, indent string) {
	if !m.Kind.Container() || m.Value != nil {
		w.out = append(w.out, Reindent(m.Value, indent, w.p.layout)...)
		return
	}
	brackets := "{}"
	if m.Kind == Array {
		brackets = "[]"
	}
	w.out = append(w.out, brackets[0])
	if h := m.Comments[Header]; h != "" {
		w.after(h)
	}
	inner := indent + w.p.layout.Unit
	for i, c := range m.Members {
		w.before(c.Comments[Section], c.Comments[Lead], inner, i == 0)
		w.member(c, inner, ": ")
		if i < len(m.Members)-1 {
			w.out = append(w.out, ',')
		}
		w.after(c.Comments[Trail])
	}
	if f := m.Comments[Footer]; f != "" {
		w.newline(inner)
		w.comment(f, inner)
	}
	if len(m.Members) > 0 || m.Comments[Footer] != "" || m.Comments[Header] != "" {
		w.newline(indent)
	}
	w.out = append(w.out, brackets[1])
}

// before writes what stands between one member and a new one: a new line, its
// section and its own comments.
func (w *writer) before(section, lead, indent string, first bool) {
	if section != "" {
		if !first {
			w.out = append(w.out, w.p.layout.EOL...)
		}
		w.newline(indent)
		w.comment(section, indent)
		w.out = append(w.out, w.p.layout.EOL...)
	}
	w.newline(indent)
	if lead != "" {
		w.comment(lead, indent)
		w.newline(indent)
	}
}

func (w *writer) member(m *Member, indent, colon string) {
	if m.Key != nil {
		w.out = append(append(w.out, m.Key...), colon...)
	}
	w.value(m, indent)
	w.open, w.trail = false, false
}

// after writes a comment on the line that out ends in; its own lines are indented as
// that one is.
func (w *writer) after(trail string) {
	if trail != "" {
		indent := lastIndent(w.out)
		w.out = append(w.out, ' ')
		w.comment(trail, indent)
	}
}
