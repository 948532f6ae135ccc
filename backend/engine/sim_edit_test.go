package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"plait/backend/item"
	"plait/backend/merge"
)

// What people do with their files.

// simCanary starts every text that is to be found nowhere but on the devices.
const simCanary = "CANARYtext"

func (s *sim) fresh() string { s.serial++; return fmt.Sprintf("%s%d", simCanary, s.serial) }

// value is a new JSON value, of which most are unlike any other.
func (s *sim) value() []byte {
	s.serial++
	switch s.r.IntN(8) {
	case 0:
		return []byte(pick(s, []string{"true", "false", "null", "{}", "[]"}))
	case 1:
		return fmt.Appendf(nil, "[%d, \"%s\"]", s.serial, s.fresh())
	case 2:
		return fmt.Appendf(nil, "%d.0", s.serial)
	case 3, 4:
		return fmt.Appendf(nil, "%q", s.fresh())
	}
	return fmt.Appendf(nil, "%d", s.serial)
}

var settingKeys = []item.Path{
	{"editor.fontSize"}, {"editor.tabSize"}, {"editor.fontFamily"}, {"window.zoomLevel"}, {"files.autoSave"}, {"workbench.colorTheme"},
	{"editor.wordWrap"}, {"editor.minimap.enabled"}, {"terminal.integrated.fontSize"}, {"machine.path"}, {"git.autofetch"}, {"search.exclude"},
	{"files.exclude", "**/.git"}, {"files.exclude", "**/node_modules"}, {"[go]", "editor.tabSize"}, {"[go]", "editor.formatOnSave"},
	{"cSpell.words"}, {"terminal.integrated.profiles.linux", "bash", "path"},
}

var documents = []struct{ item, path string }{
	{"settings", "settings.json"}, {"settings", "settings.json"}, {"settings", "settings.json"}, {"keybindings/linux", "keybindings.json"},
	{"snippets/go.json", "snippets/go.json"}, {"tasks", "tasks.json"}, {"prompts/plan.md", "prompts/plan.md"},
}

// profiles are the machine's editor folders.
func (m *machine) profiles() []Source {
	return slices.DeleteFunc(slices.Clone(m.sources), func(s Source) bool { _, is := s.(*userDir); return !is })
}

func (s *sim) editDocument(m *machine) {
	doc := pick(s, documents)
	s.editThe(m, pick(s, m.profiles()), item.Name("default/"+doc.item))
}

func (s *sim) editThe(m *machine, src Source, n item.Name) {
	p, _, _ := src.Locate(n)
	raw, have := m.fs.Content(p)
	if whole, broken := m.broken[p]; broken {
		delete(m.broken, p)
		m.store2(p, whole)
		s.note("%s mends %s", m.name, p)
		return
	}
	if !have {
		m.save(src, n, s.firstText(n), true)
		return
	}
	if s.chance(0.02) && n.Type() != item.Prompts {
		m.broken[p] = raw
		m.store2(p, append([]byte("{{ "+s.fresh()), raw...))
		s.note("%s breaks %s", m.name, p)
		return
	}
	if text := s.edited(n, raw); text != nil && !bytes.Equal(text, raw) {
		m.save(src, n, text, true)
	}
}

// firstText is a new document. All are alike, but for little, as real ones are.
func (s *sim) firstText(n item.Name) []byte {
	switch n.Type() {
	case item.Settings:
		return fmt.Appendf(nil, "{\n    // %s\n    \"editor.fontSize\": 12, // small\n    \"editor.tabSize\": 4,\n    \"editor.wordWrap\": \"on\",\n"+
			"    \"files.autoSave\": \"off\",\n    \"git.autofetch\": true,\n    \"editor.minimap.enabled\": false,\n    \"window.zoomLevel\": %d,\n"+
			"    \"workbench.colorTheme\": \"Dark\",\n    \"search.exclude\": {\"**/dist\": true},\n    \"[go]\": {\n        \"editor.tabSize\": 8\n    },\n"+
			"    \"files.exclude\": { \"**/.git\": true }\n}\n", pick(s, []string{"fonts", "letters"}), s.r.IntN(3))
	case item.Keybindings:
		return []byte("[\n    {\"key\": \"ctrl+1\", \"command\": \"one\"},\n    {\"key\": \"ctrl+2\", \"command\": \"two\", \"when\": \"editorFocus\"}\n]\n")
	case item.Snippets:
		return fmt.Appendf(nil, "{\n    \"loop\": {\"prefix\": \"for\", \"body\": [\"for {\", \"\\t%s\", \"}\"], \"description\": \"a loop\"}\n}\n", s.fresh())
	case item.Tasks:
		return []byte("{\n    \"version\": \"2.0.0\",\n    \"tasks\": [{\"label\": \"build\", \"type\": \"shell\", \"command\": \"make\"}]\n}\n")
	}
	return fmt.Appendf(nil, "# Plan\n\none\ntwo\nthree\nfour\nfive\nsix %s\n", s.fresh())
}

// edited is a document as a person changed it; nil where nothing comes to mind.
func (s *sim) edited(n item.Name, raw []byte) []byte {
	if n.Type() == item.Prompts {
		return s.editLines(raw)
	}
	if s.chance(0.1) {
		return s.comment(raw)
	}
	if n.Type() == item.Keybindings && s.chance(0.2) {
		return s.reorder(raw)
	}
	doc, err := merge.Atomize(n.Type(), raw, merge.Options{Platform: "linux"})
	if err != nil {
		return nil
	}
	want := doc.Atoms
	for range 1 + s.r.IntN(3) {
		s.editAtoms(n.Type(), want)
	}
	out, err := merge.Render(n.Type(), raw, want, merge.Options{Platform: "linux"})
	if err != nil {
		return nil
	}
	return out
}

func (s *sim) editAtoms(t item.Type, want map[item.Key]item.Value) {
	var p item.Path
	v := s.value()
	switch t {
	case item.Settings:
		p = pick(s, settingKeys)
		if s.chance(0.05) {
			p = item.Path{p[0]} // a value where members were
		}
		if p[0] == "cSpell.words" {
			v = fmt.Appendf(nil, "[\"w%d\", \"w%d\", %q]", s.r.IntN(5), 5+s.r.IntN(5), s.fresh())
		}
	case item.Keybindings:
		key, command := fmt.Sprintf("ctrl+%d", s.r.IntN(6)), pick(s, []string{"one", "two", "three", "-two"})
		p = item.Path{key, command, "", ""}
		v = fmt.Appendf(nil, `{"key": %q, "command": %q}`, key, command)
	case item.Snippets:
		p = item.Path{pick(s, []string{"loop", "main", "test"}), pick(s, []string{"prefix", "description", "body"})}
		v = fmt.Appendf(nil, "%q", s.fresh())
		if p[1] == "body" {
			v = fmt.Appendf(nil, "[\"for {\", %q, \"}\", \"// %d\"]", s.fresh(), s.r.IntN(3))
		}
	default:
		label := pick(s, []string{"build", "test", "run"})
		p = item.Path{"tasks", label, pick(s, []string{"command", "type", "group"})}
		v = fmt.Appendf(nil, "%q", s.fresh())
	}
	k := item.Key{Path: p.String()}
	old, there := want[k]
	if there && s.chance(0.25) {
		delete(want, k)
		return
	}
	if there && len(old.Data) > 0 && jsonType(old.Data[0]) != jsonType(v[0]) {
		s.did("edit: type of a value")
	}
	for o := range want {
		if o.Lane == item.LaneValue && (strings.HasPrefix(o.Path, k.Path+"/") || o.Path != "" && strings.HasPrefix(k.Path, o.Path+"/")) {
			delete(want, o)
		}
	}
	want[k] = item.Value{Kind: item.JSON, Data: v}
}

// jsonType says by its first byte what a value is.
func jsonType(c byte) byte {
	switch c {
	case '{', '[', '"', 'n':
		return c
	case 't', 'f':
		return 't'
	}
	return '0'
}

func (s *sim) comment(raw []byte) []byte {
	lines := bytes.Split(raw, []byte("\n"))
	at := s.r.IntN(len(lines))
	return bytes.Join(slices.Insert(lines, at, fmt.Appendf(nil, "    // %s", s.fresh())), []byte("\n"))
}

func (s *sim) reorder(raw []byte) []byte {
	var rules []json.RawMessage
	if json.Unmarshal(raw, &rules) != nil || len(rules) < 2 {
		return nil
	}
	s.r.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
	var b bytes.Buffer
	b.WriteString("[")
	for i, r := range rules {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n    ")
		b.Write(r)
	}
	b.WriteString("\n]\n")
	return b.Bytes()
}

func (s *sim) editLines(raw []byte) []byte {
	lines := strings.SplitAfter(string(raw), "\n")
	at := s.r.IntN(len(lines))
	switch s.r.IntN(3) {
	case 0:
		lines[at] = s.fresh() + "\n"
	case 1:
		lines = slices.Insert(lines, at, s.fresh()+"\n")
	case 2:
		if len(lines) > 4 {
			lines = slices.Delete(lines, at, at+1)
		}
	}
	return []byte(strings.Join(lines, ""))
}

// The files of an added folder.
var fileNames = []string{"a.txt", "b.txt", "sub/c.txt", "sub/deep/d.bin", "e.txt"}

func (m *machine) notes() Source { return m.sources[1] }

func fileItem(rel string) item.Name { return item.NewName("notes", item.Files, "", rel) }

func (s *sim) editFile(m *machine) {
	rel := pick(s, fileNames)
	p := path.Join(m.notes().Root(), rel)
	raw, have := m.fs.Content(p)
	switch {
	case have && s.chance(0.06):
		mode := pick(s, []uint32{0o644, 0o755})
		s.tick(time.Second)
		was, err := m.fs.Stat(p)
		m.fs.SetMode(p, 0o644|(0o111&fsMode(mode)))
		m.note("%s mode %o", p, mode)
		if err == nil && was.Mode&0o100 == fsMode(mode)&0o100 {
			return // and nobody changed anything
		}
		m.did("edit: mode", p)
		m.remember(m.notes(), fileItem(rel), p, raw, true, raw, true)
		return
	case have && s.chance(0.6) && !bytes.Contains(raw, []byte{0}):
		raw = s.editLines(raw)
	case strings.HasSuffix(rel, ".bin"):
		raw = append([]byte{0, 1, 2}, bytes.Repeat([]byte(s.fresh()+"\x00"), 30)...)
	case s.chance(0.3): // more than travels inside an entry
		var b strings.Builder
		for i := range 60 {
			fmt.Fprintf(&b, "line %d of a longer text\n", i)
		}
		raw = []byte(b.String() + s.fresh() + "\n")
	default:
		raw = []byte("one\ntwo\nthree\nfour\nfive\n" + s.fresh() + "\n")
	}
	m.save(m.notes(), fileItem(rel), raw, true)
}

// bigFile writes one of several chunks, or changes a few bytes of it.
func (s *sim) bigFile(m *machine) {
	p := path.Join(m.notes().Root(), "big.bin")
	raw, have := m.fs.Content(p)
	if !have || s.chance(0.3) {
		raw = make([]byte, 70<<10+s.r.IntN(100<<10))
		x := s.r.Uint64() | 1
		for i := range raw {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			raw[i] = byte(x)
		}
	} else {
		raw = slices.Insert(raw, s.r.IntN(len(raw)+1), []byte(s.fresh())...)
	}
	m.did("edit: big file", p)
	m.save(m.notes(), fileItem("big.bin"), raw, true)
}

func (s *sim) removeSomething(m *machine) {
	if s.chance(0.5) {
		rel := pick(s, fileNames)
		if _, have := m.fs.Content(path.Join(m.notes().Root(), rel)); have {
			m.did("edit: remove", rel)
			m.save(m.notes(), fileItem(rel), nil, false)
		}
		return
	}
	doc := pick(s, documents[3:])
	src := pick(s, m.profiles())
	n := item.Name("default/" + doc.item)
	p, _, _ := src.Locate(n)
	if _, have := m.fs.Content(p); have && m.broken[p] == nil {
		m.did("edit: remove", p)
		m.save(src, n, nil, false)
	}
}

func (s *sim) renameFile(m *machine) {
	from, to := pick(s, fileNames), pick(s, fileNames)
	root := m.notes().Root()
	raw, have := m.fs.Content(path.Join(root, from))
	if !have || from == to {
		return
	}
	old, over := m.fs.Content(path.Join(root, to))
	m.fs.Lock(path.Join(root, from), false)
	m.did("edit: rename", from+" becomes "+to)
	m.remember(m.notes(), fileItem(from), path.Join(root, from), raw, true, nil, false)
	m.fs.Move(path.Join(root, from), path.Join(root, to))
	m.remember(m.notes(), fileItem(to), path.Join(root, to), old, over, raw, true)
}
