package merge

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"plait/backend/item"
)

// scale is how much longer than usual random tests run: PLAIT_SCALE, 1 if unset.
func scale(n int) int {
	f, err := strconv.ParseFloat(os.Getenv("PLAIT_SCALE"), 64)
	if err != nil || f <= 0 {
		f = 1
	}
	return max(1, int(float64(n)*f))
}

// model is a document before it is written: a value or members, with comments.
type model struct {
	key                                  string
	raw                                  string // of a leaf
	array                                bool
	members                              []*model
	section, lead, trail, header, footer string
}

func (m *model) clone() *model {
	c := *m
	c.members = nil
	for _, x := range m.members {
		c.members = append(c.members, x.clone())
	}
	return &c
}

// gen makes random documents of one type.
type gen struct {
	*rand.Rand
	t item.Type
	n int
}

func (g *gen) pick(s ...string) string { return s[g.IntN(len(s))] }

func (g *gen) comment() string {
	g.n++
	return g.pick(fmt.Sprintf("// c%d", g.n), fmt.Sprintf("/* c%d */", g.n), fmt.Sprintf("// c%d \"x\": {", g.n), fmt.Sprintf("/* c%d\n * more, */", g.n))
}

func (g *gen) maybeComment(p float64) string {
	if g.Float64() < p {
		return g.comment()
	}
	return ""
}

func (g *gen) scalar() string {
	return g.pick("1", "2", "1.0", "-3e2", "true", "null", `"s"`, `"\u0041/*no*/"`, `"x//y"`, "[]", "[1, 2]", "[\n\t\t1, // in\n\t\t{\"a\": 2}\n\t]", `"é🎉"`, "12345678901234567890123", strconv.Itoa(g.IntN(9)))
}

func (g *gen) decorate(m *model) *model {
	const p = 0.12
	m.section, m.lead, m.trail = g.maybeComment(p/2), g.maybeComment(p), g.maybeComment(p)
	if m.raw == "" {
		m.header, m.footer = g.maybeComment(p/2), g.maybeComment(p/2)
	}
	return m
}

var keys = []string{"a", "b", "c", "d.e", "f/g", "h~", "ü", "[go]", "[b][a]", `q"q`, "z"}

func (g *gen) member(depth int) *model {
	m := &model{key: keys[g.IntN(len(keys))]}
	if depth > 0 && g.IntN(4) == 0 {
		g.fill(m, depth-1, 4)
	} else {
		m.raw = g.scalar()
	}
	return g.decorate(m)
}

// fill gives m up to n members of different keys.
func (g *gen) fill(m *model, depth, n int) {
	have := map[string]bool{}
	for range g.IntN(n + 1) {
		if x := g.member(depth); !have[x.key] {
			have[x.key] = true
			m.members = append(m.members, x)
		}
	}
}

func field(key, raw string) *model { return &model{key: key, raw: raw} }

// element makes a member that a document of the type may have at the given container.
func (g *gen) element() *model {
	switch g.t {
	case item.Keybindings:
		m := &model{members: []*model{
			field("key", strconv.Quote(g.pick("ctrl+a", "ctrl+b", "alt+c", "ctrl+k ctrl+c", "ctrl+k")))}}
		m.members = append(m.members, field("command", strconv.Quote(g.pick("save", "-save", "open", "x.run"))))
		if g.IntN(3) == 0 {
			m.members = append(m.members, field("when", strconv.Quote(g.pick("a && b", "b && a", "!c"))))
		}
		if g.IntN(4) == 0 {
			m.members = append(m.members, field("mac", `"x"`))
		}
		return g.comments(m)
	case item.Tasks:
		m := &model{}
		if g.IntN(8) > 0 {
			m.members = append(m.members, field("label", strconv.Quote(g.pick("build", "test", "#x", "a/b"))))
		}
		for _, f := range []string{"type", "command", "args"} {
			if g.IntN(2) == 0 {
				m.members = append(m.members, g.decorate(field(f, g.pick(`"shell"`, `["a", "b"]`, `{"x": 1}`, `"make"`))))
			}
		}
		return g.comments(m)
	case item.Snippets:
		m := &model{key: g.pick("one", "two", "three", "fo/ur")}
		for _, f := range []string{"prefix", "body", "description"} {
			if g.IntN(4) > 0 {
				m.members = append(m.members, g.decorate(field(f, g.pick(`"p"`, `["a", "b"]`, `["a", "c"]`, `"text"`))))
			}
		}
		return g.decorate(m)
	}
	return g.member(2)
}

// comments decorates an element of a list: what stands in a leaf is part of its value.
func (g *gen) comments(m *model) *model {
	m.section, m.lead, m.trail = g.maybeComment(0.06), g.maybeComment(0.12), g.maybeComment(0.12)
	return m
}

func (g *gen) document() *model {
	root := &model{}
	switch g.t {
	case item.Keybindings:
		root.array = true
		g.elements(root)
	case item.Tasks:
		list := &model{key: "tasks", array: true}
		g.elements(list)
		root.members = []*model{field("version", `"2.0.0"`), list}
	default:
		g.elements(root)
	}
	return root
}

func (g *gen) elements(m *model) {
	seen := map[string]bool{}
	for range g.IntN(7) {
		x := g.element()
		if id := identityOf(x); id == "" || !seen[id] {
			seen[id] = true
			m.members = append(m.members, x)
		}
	}
}

func identityOf(m *model) string {
	if m.key != "" {
		return m.key
	}
	var b strings.Builder
	for _, x := range m.members {
		if x.key == "label" {
			return x.raw
		}
		if x.key != "mac" {
			raw := x.raw
			if raw == `"b && a"` {
				raw = `"a && b"`
			}
			b.WriteString(x.key + raw + ";")
		}
	}
	return b.String()
}

// list is the container that edits add to.
func (g *gen) list(root *model) *model {
	if g.t == item.Tasks {
		for _, m := range root.members {
			if m.key == "tasks" {
				return m
			}
		}
	}
	return root
}

// edit makes n small changes.
func (g *gen) edit(root *model, n int) *model {
	root = root.clone()
	for range n {
		l := g.list(root)
		if g.IntN(3) > 0 {
			for _, m := range l.members {
				if len(m.members) > 0 && m.raw == "" && g.t != item.Keybindings && g.IntN(3) == 0 {
					l = m
					break
				}
			}
		}
		at := 0
		if len(l.members) > 0 {
			at = g.IntN(len(l.members))
		}
		switch op := g.IntN(9); {
		case len(l.members) == 0 || op < 3:
			g.insert(root, l, at)
		case op < 5:
			l.members = append(l.members[:at:at], l.members[at+1:]...)
		case op == 5:
			m := l.members[at]
			m.lead, m.trail, m.section = g.maybeComment(.4), g.maybeComment(.4), g.maybeComment(.2)
		case op == 6 && len(l.members) > 1:
			x := l.members[at]
			l.members = append(l.members[:at:at], l.members[at+1:]...)
			to := g.IntN(len(l.members) + 1)
			l.members = append(l.members[:to:to], append([]*model{x}, l.members[to:]...)...)
		default:
			m := l.members[at]
			if m.raw != "" && m.key != "label" {
				m.raw = g.scalar()
			} else if g.t == item.Settings && g.IntN(4) == 0 {
				m.raw, m.members, m.header, m.footer = g.scalar(), nil, "", ""
			}
		}
	}
	return root
}

func (g *gen) insert(root, l *model, at int) {
	x := g.element()
	if l != g.list(root) {
		x = g.member(1)
		if g.t != item.Settings {
			x = g.decorate(field(keys[g.IntN(3)], g.scalar()))
		}
	}
	for _, m := range l.members {
		if identityOf(m) == identityOf(x) {
			return
		}
	}
	l.members = append(l.members[:at:at], append([]*model{x}, l.members[at:]...)...)
}

// style is how a model is written.
type style struct {
	unit, eol        string
	trailing, inline bool
	bom, final       bool
}

func (g *gen) style() style {
	return style{unit: g.pick("\t", "  ", "    "), eol: g.pick("\n", "\n", "\r\n", "\r"), trailing: g.IntN(3) == 0,
		inline: g.IntN(4) == 0, bom: g.IntN(8) == 0, final: g.IntN(2) == 0}
}

func (s style) write(m *model) string {
	var b strings.Builder
	s.value(&b, m, "")
	out := strings.ReplaceAll(b.String(), "\n", s.eol)
	if s.bom {
		out = "\uFEFF" + out
	}
	if s.final {
		out += s.eol
	}
	return out
}

func indented(text, indent string) string { return strings.ReplaceAll(text, "\n", "\n"+indent) }

func (m *model) anyComment() bool {
	if m.header+m.footer != "" || strings.Contains(m.raw, "\n") {
		return true
	}
	for _, x := range m.members {
		if x.section+x.lead+x.trail != "" || x.anyComment() {
			return true
		}
	}
	return false
}

func (s style) value(b *strings.Builder, m *model, indent string) {
	if m.raw != "" {
		b.WriteString(m.raw)
		return
	}
	open, shut := "{", "}"
	if m.array {
		open, shut = "[", "]"
	}
	b.WriteString(open)
	if s.inline && !m.anyComment() {
		for i, x := range m.members {
			if i > 0 {
				b.WriteString(", ")
			}
			s.member(b, x, indent)
		}
		b.WriteString(shut)
		return
	}
	if m.header != "" {
		b.WriteString(" " + indented(m.header, indent))
	}
	inner := indent + s.unit
	for i, x := range m.members {
		if x.section != "" {
			if i > 0 {
				b.WriteString("\n")
			}
			b.WriteString("\n" + inner + indented(x.section, inner) + "\n")
		}
		b.WriteString("\n" + inner)
		if x.lead != "" {
			b.WriteString(indented(x.lead, inner) + "\n" + inner)
		}
		s.member(b, x, inner)
		if i < len(m.members)-1 || s.trailing {
			b.WriteString(",")
		}
		if x.trail != "" {
			b.WriteString(" " + indented(x.trail, inner))
		}
	}
	if m.footer != "" {
		b.WriteString("\n" + inner + indented(m.footer, inner))
	}
	if len(m.members) > 0 || m.header+m.footer != "" {
		b.WriteString("\n" + indent)
	}
	b.WriteString(shut)
}

func (s style) member(b *strings.Builder, m *model, indent string) {
	if m.key != "" {
		b.WriteString(strconv.Quote(m.key) + ": ")
	}
	s.value(b, m, indent)
}
