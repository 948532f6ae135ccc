package view

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"plait/backend/item"
)

// scale multiplies how many random cases a test tries.
func scale(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("PLAIT_SCALE"), 64); err == nil && f > 0 {
		return int(float64(n)*f/slowness) + 1
	}
	return n/slowness + 1
}

var types = []item.Type{item.Settings, item.Keybindings, item.Snippets, item.Tasks, item.MCP, item.Prompts}

// A node is a value of a made-up document.
type node struct {
	key   string // with quotes; "" for elements
	raw   string // of a leaf
	kids  []*node
	open  string // "{" or "[", "" for a leaf
	about string // comment lines before it
	trail string
}

func (n *node) clone() *node {
	c := *n
	c.kids = nil
	for _, k := range n.kids {
		c.kids = append(c.kids, k.clone())
	}
	return &c
}

// A maker makes documents and changes them.
type maker struct {
	*rand.Rand
	t     item.Type
	eol   string
	tight bool // all on one line
	comma bool // after the last member, too
}

func newMaker(t item.Type, seed uint64) *maker {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 3)), t: t, eol: "\n"}
	if m.IntN(5) == 0 {
		m.eol = "\r\n"
	}
	m.tight, m.comma = m.IntN(6) == 0, m.IntN(6) == 0
	return m
}

func (m *maker) pick(of ...string) string { return of[m.IntN(len(of))] }

func (m *maker) leaf() string {
	return m.pick("1", "1.0", "true", "null", `"a b c"`, `"a x c"`, `"é\n"`, `["x"]`, `["x", "y"]`, `[ /* why */ 1, 2 ]`, `{}`, `"🙂"`, "-2e3", `"a b d"`)
}

func (m *maker) member(key string) *node {
	n := &node{key: strconv.Quote(key), raw: m.leaf()}
	if m.IntN(5) == 0 {
		n.about = fmt.Sprintf("// about %s %d", key, m.IntN(3))
	}
	if m.IntN(8) == 0 {
		n.trail = fmt.Sprintf("// trail %d", m.IntN(3))
	}
	return n
}

func obj(key string, kids ...*node) *node {
	if key != "" {
		key = strconv.Quote(key)
	}
	return &node{key: key, open: "{", kids: kids}
}

func list(key string, kids ...*node) *node { n := obj(key, kids...); n.open = "["; return n }

// fresh makes a member of the container named in.
func (m *maker) fresh(in string) *node {
	name := string(rune('a' + m.IntN(10)))
	switch {
	case m.t == item.Settings && in == "":
		if m.IntN(5) == 0 {
			return obj(m.pick("[go]", "[css][html]", "[html][css]", "files.exclude"), m.member("in."+name), m.member("in.b"))
		}
		return m.member("editor." + name)
	case m.t == item.Keybindings:
		n := obj("", &node{key: `"key"`, raw: m.pick(`"ctrl+k"`, `"ctrl+K"`, `"ctrl+k ctrl+c"`, `"f1"`)}, &node{key: `"command"`, raw: strconv.Quote(m.pick("", "-") + name)})
		if m.IntN(2) == 0 {
			n.kids = append(n.kids, &node{key: `"when"`, raw: m.pick(`"x"`, `"!x"`)})
		}
		if m.IntN(3) == 0 {
			n.kids = append(n.kids, &node{key: `"extra"`, raw: m.leaf()})
		}
		return n
	case m.t == item.Snippets && in == "", m.t == item.MCP && in == "servers":
		return obj("name "+name, m.member("prefix"), m.member("body"), m.member("more"))
	case m.t == item.Tasks && in == "tasks":
		return obj("", &node{key: `"label"`, raw: strconv.Quote(name)}, m.member("command"), m.member("args"))
	case in == "inputs":
		return obj("", &node{key: `"id"`, raw: strconv.Quote(name)}, m.member("type"))
	}
	return m.member("field." + name)
}

func (m *maker) fill(n *node, in string, count int) *node {
	seen := map[string]bool{}
	for _, k := range n.kids {
		seen[k.key] = true
	}
	for range count {
		f := m.fresh(in)
		if m.t == item.Keybindings && n.open == "{" {
			f = m.member("extra")
		}
		id := f.key
		if id == "" {
			id = f.kids[0].raw
			if m.t == item.Keybindings {
				id += f.kids[1].raw
			}
		}
		if !seen[id] {
			seen[id] = true
			n.kids = append(n.kids, f)
		}
	}
	return n
}

func (m *maker) doc() *node {
	count := m.IntN(9)
	switch m.t {
	case item.Keybindings:
		return m.fill(list(""), "", count)
	case item.Tasks:
		return obj("", &node{key: `"version"`, raw: `"2.0.0"`}, m.fill(list("tasks"), "tasks", count/2), m.fill(list("inputs"), "inputs", 2))
	case item.MCP:
		return obj("", m.fill(obj("servers"), "servers", count/2), m.fill(list("inputs"), "inputs", 2))
	}
	return m.fill(obj(""), "", count)
}

// edit changes a copy here and there.
func (m *maker) edit(n *node, times int) *node {
	n = n.clone()
	for range times {
		m.change(n, "")
	}
	return n
}

func (m *maker) change(n *node, in string) {
	var inner []*node
	for _, k := range n.kids {
		if k.open != "" {
			inner = append(inner, k)
		}
	}
	if len(inner) > 0 && m.IntN(3) > 0 {
		k := inner[m.IntN(len(inner))]
		name, _ := strconv.Unquote(k.key)
		m.change(k, name)
		return
	}
	fixed := m.t == item.Tasks && in == "" || m.t == item.MCP && in == ""
	switch act := m.IntN(5); {
	case len(n.kids) == 0 || act == 0 && !fixed:
		if n.open == "{" && in != "" && n.key == "" {
			return
		}
		m.fill(n, in, 1)
	case act == 1 && !fixed:
		i := m.IntN(len(n.kids))
		n.kids = append(n.kids[:i:i], n.kids[i+1:]...)
	default:
		k := n.kids[m.IntN(len(n.kids))]
		switch {
		case k.open == "" && act == 2 && n.open == "{":
			k.about = m.pick("", "// one", "// two", "/* three */")
		case k.key == `"key"` && act == 3: // bound to another key
			k.raw = m.pick(`"ctrl+k"`, `"f2"`, `"f3"`)
		case k.key == `"when"`:
			k.raw = m.pick(`"x"`, `"y"`)
		case k.open == "" && k.key != `"label"` && k.key != `"id"` && k.key != `"key"` && k.key != `"command"`:
			k.raw = m.leaf()
		}
	}
}

func (m *maker) write(n *node) []byte {
	var b strings.Builder
	m.put(&b, n, "")
	if !m.tight {
		b.WriteString(m.eol)
	}
	return []byte(b.String())
}

func (m *maker) put(b *strings.Builder, n *node, indent string) {
	if n.key != "" {
		b.WriteString(n.key + ": ")
	}
	if n.open == "" {
		b.WriteString(n.raw)
		return
	}
	b.WriteString(n.open)
	for i, k := range n.kids {
		if m.tight {
			if i > 0 {
				b.WriteString(", ")
			}
			m.put(b, k, indent)
			continue
		}
		if k.about != "" {
			b.WriteString(m.eol + indent + "  " + k.about)
		}
		b.WriteString(m.eol + indent + "  ")
		m.put(b, k, indent+"  ")
		if i < len(n.kids)-1 || m.comma {
			b.WriteString(",")
		}
		if k.trail != "" {
			b.WriteString(" " + k.trail)
		}
	}
	if !m.tight && len(n.kids) > 0 {
		b.WriteString(m.eol + indent)
	}
	b.WriteString(map[string]string{"{": "}", "[": "]"}[n.open])
}

// input is a random merge; at most that many edits a side.
func (m *maker) input(edits int) Input {
	in := Input{Type: m.t}
	if m.t == item.Prompts {
		lines := func(n int) (out []string) {
			for range n {
				out = append(out, m.pick("a b c", "a x c", "d", "", "e", "f", "g")+m.eol)
			}
			return out
		}
		d := lines(m.IntN(12))
		side := func() []byte {
			s := append([]string{}, d...)
			for range m.IntN(edits + 1) {
				i := m.IntN(len(s) + 1)
				s = append(s[:i:i], append(lines(m.IntN(3)), s[min(len(s), i+m.IntN(3)):]...)...)
			}
			out := strings.Join(s, "")
			if m.IntN(5) == 0 {
				out = strings.TrimSuffix(out, m.eol)
			}
			return []byte(out)
		}
		in.Base, in.Local, in.Remote = []byte(strings.Join(d, "")), side(), side()
		return in
	}
	d := m.doc()
	in.Base = m.write(d)
	in.Local = m.write(m.edit(d, m.IntN(edits+1)))
	in.Remote = m.write(m.edit(d, m.IntN(edits+1)))
	if m.IntN(10) == 0 {
		in.Base = nil
	}
	return in
}

// each runs f for random merges of every type.
func each(t *testing.T, n, edits int, f func(t testing.TB, m *maker, in Input)) {
	for _, ty := range types {
		t.Run(string(ty), func(t *testing.T) {
			for s := range uint64(scale(n)) {
				m := newMaker(ty, s)
				in := m.input(edits)
				f(seeded{t, s, in}, m, in)
				if t.Failed() {
					return
				}
			}
		})
	}
}

type seeded struct {
	testing.TB
	seed uint64
	in   Input
}

func (s seeded) Fatalf(format string, args ...any) {
	s.Helper()
	s.TB.Fatalf("seed %d: "+format+"\nbase\n%s\nlocal\n%s\nremote\n%s", append(append([]any{s.seed}, args...), s.in.Base, s.in.Local, s.in.Remote)...)
}
