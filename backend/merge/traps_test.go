package merge

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"plait/backend/item"
)

// Each case is a defect of another merge, which this one does not have.
func TestTrapsOfOthers(t *testing.T) {
	for _, c := range []struct {
		name                string
		t                   item.Type
		base, local, remote string
		want                string   // the whole text, "" if only parts matter
		has                 []string // parts of the text
		hasNot              []string
		conflicts           []string // labels
	}{
		{name: "VS Code: two edits in one language block conflict", t: item.Settings,
			base: `{"[go]": {"a": 1, "b": 1}}`, local: `{"[go]": {"a": 2, "b": 1}}`, remote: `{"[go]": {"a": 1, "b": 2}}`,
			want: `{"[go]": {"a": 2, "b": 2}}`},
		{name: "VS Code: two words for one list conflict", t: item.Settings,
			base: `{"cSpell.words": ["a"]}`, local: `{"cSpell.words": ["a", "b"]}`, remote: `{"cSpell.words": ["a", "c"]}`,
			want: `{"cSpell.words": ["a", "c", "b"]}`},
		{name: "a list that may be an order conflicts", t: item.Settings,
			base: `{"x.path": ["a"]}`, local: `{"x.path": ["a", "b"]}`, remote: `{"x.path": ["a", "c"]}`,
			want: `{"x.path": ["a", "b"]}`, conflicts: []string{"x.path"}},
		{name: "VS Code: comments alone conflict, without a reason", t: item.Settings,
			base: "{\n\t// one\n\t\"a\": 1\n}", local: "{\n\t// two\n\t\"a\": 1\n}", remote: "{\n\t// three\n\t\"a\": 1\n}",
			want: "{\n\t// two\n\t\"a\": 1\n}"},
		{name: "VS Code: order alone conflicts, without a reason", t: item.Settings,
			base: `{"a": 1, "b": 2}`, local: `{"b": 2, "a": 1}`, remote: `{"a": 1, "b": 2, "c": 3}`,
			want: `{"b": 2, "c": 3, "a": 1}`},
		{name: "VS Code: a nested addition loses its comment and its numbers", t: item.Settings,
			base: "{\n\t\"o\": {\n\t\t\"z\": 0\n\t}\n}", local: "{\n\t\"o\": {\n\t\t\"z\": 1\n\t}\n}",
			remote: "{\n\t\"o\": {\n\t\t\"z\": 0,\n\t\t\"n\": { /* why */\n\t\t\t\"x\":1.0, \"y\":1e3 }\n\t}\n}",
			has:    []string{"/* why */", `"x": 1.0`, `"y": 1e3`, `"z": 1`}},
		{name: "VS Code: of duplicate keys the one without effect is changed", t: item.Settings,
			base: `{"a": 1, "b": 0, "a": 2}`, local: `{"a": 1, "b": 1, "a": 2}`, remote: `{"a": 1, "b": 0, "a": 3}`,
			want: `{"a": 1, "b": 1, "a": 3}`},
		{name: "of duplicate keys none comes back when the key is removed", t: item.Settings,
			base: `{"a": 1, "b": 0, "a": 2}`, local: `{"a": 1, "b": 1, "a": 2}`, remote: `{"b": 0}`, want: `{"b": 1}`},
		{name: "VS Code: throws Overlapping edit", t: item.Settings,
			base: "{\n\t\"a\": 1 // last\n\t// foot\n}", local: "{\n\t\"a\": 2 // last\n\t// foot\n}", remote: "{\n\t\"a\": 1, // last\n\t\"b\": 1\n\t// foot\n}",
			want: "{\n\t\"a\": 2, // last\n\t\"b\": 1\n\t// foot\n}"},
		{name: "VS Code: a swap of two rules is dropped when the other side adds one", t: item.Keybindings,
			base:   `[{"key": "f1", "command": "a"}, {"key": "f1", "command": "b"}]`,
			local:  `[{"key": "f1", "command": "a"}, {"key": "f1", "command": "b"}, {"key": "f2", "command": "c"}]`,
			remote: `[{"key": "f1", "command": "b"}, {"key": "f1", "command": "a"}]`,
			want:   `[{"key": "f1", "command": "b"}, {"key": "f1", "command": "a"}, {"key": "f2", "command": "c"}]`},
		{name: "VS Code: one key under two conditions conflicts", t: item.Keybindings,
			base: `[]`, local: `[{"key": "f1", "command": "a", "when": "x"}]`, remote: `[{"key": "f1", "command": "a", "when": "y"}]`,
			has: []string{`"x"`, `"y"`}},
		{name: "VS Code: a rule without a command throws", t: item.Keybindings,
			base: `[]`, local: `[{"key": "f1"}, 7, null]`, remote: `[{"key": "f2", "command": "b"}]`, has: []string{`"f1"`, `"f2"`, "7", "null"}},
		{name: "both ordered one key's rules, differently", t: item.Keybindings,
			base:      `[{"key": "f1", "command": "a"}, {"key": "f1", "command": "b"}, {"key": "f1", "command": "c"}]`,
			local:     `[{"key": "f1", "command": "b"}, {"key": "f1", "command": "a"}, {"key": "f1", "command": "c"}]`,
			remote:    `[{"key": "f1", "command": "a"}, {"key": "f1", "command": "c"}, {"key": "f1", "command": "b"}]`,
			conflicts: []string{"f1 › order"}},
		{name: "both rebound one command, differently", t: item.Keybindings,
			base: `[{"key": "f1", "command": "a"}]`, local: `[{"key": "f2", "command": "a"}]`, remote: `[{"key": "f3", "command": "a"}]`,
			want: `[{"key": "f2", "command": "a"}]`, conflicts: []string{"f1 → a"}},
		{name: "VS Code: a removed snippet comes back by an edit, silently", t: item.Snippets,
			base: `{"s": {"prefix": "s", "body": "b"}, "t": {}}`, local: `{"t": {}}`, remote: `{"s": {"prefix": "s", "body": "c", "description": "d"}, "t": {}}`,
			want: `{"t": {}}`, conflicts: []string{"s › body", "s › description"}},
		{name: "an edited snippet is kept whole though the other side removed it", t: item.Snippets,
			base: `{"s": {"prefix": "s", "body": "b"}}`, local: `{"s": {"prefix": "s", "body": "c"}}`, remote: `{}`,
			want: `{"s": {"prefix": "s", "body": "c"}}`, conflicts: []string{"s › body"}},
		{name: "Spork: removed here and changed there is no conflict", t: item.Settings,
			base: `{"a": 1, "b": 1}`, local: `{"b": 1}`, remote: `{"a": 2, "b": 2}`, want: `{"b": 2}`, conflicts: []string{"a"}},
		{name: "hujson: removing the first member takes the header along", t: item.Settings,
			base: "{\n\t// my settings\n\n\t\"a\": 1,\n\t\"b\": 1\n}", local: "{\n\t// my settings\n\n\t\"a\": 1,\n\t\"b\": 2\n}", remote: "{\n\t// my settings\n\n\t\"b\": 1\n}",
			want: "{\n\t// my settings\n\n\t\"b\": 2\n}"},
		{name: "hujson: CRLF becomes LF", t: item.Settings,
			base: "{\r\n  \"a\": 1\r\n}\r\n", local: "{\r\n  \"a\": 2\r\n}\r\n", remote: "{\n  \"a\": 1,\n  \"b\": [\n    1\n  ]\n}\n",
			want: "{\r\n  \"a\": 2,\r\n  \"b\": [\r\n    1\r\n  ]\r\n}\r\n"},
		{name: "hujson: refuses a byte order mark", t: item.Settings,
			base: "\ufeff{\"a\": 1}", local: "\ufeff{\"a\": 2}", remote: "{\"a\": 1, \"b\": 1}", want: "\ufeff{\"a\": 2, \"b\": 1}"},
		{name: "hujson: refuses lone CR", t: item.Settings,
			base: "{\r\t// c\r\t\"a\": 1\r}", local: "{\r\t// c\r\t\"a\": 2\r}", remote: "{\r\t// c\r\t\"a\": 1,\r\t\"b\": 1\r}", want: "{\r\t// c\r\t\"a\": 2,\r\t\"b\": 1\r}"},
		{name: "hujson: refuses an empty file", t: item.Settings, base: "", local: "", remote: "{\"a\": 1}\n", want: "{\"a\": 1}\n"},
		{name: "hujson: refuses comments alone", t: item.Settings,
			base: "// mine", local: "// mine\n// too", remote: "// mine\n{\n    \"a\": 1\n}\n", want: "// mine\n// too\n{\n    \"a\": 1\n}\n"},
		{name: "hujson: refuses a comment that ends with the file", t: item.Settings,
			base: `{"a": 1} // end`, local: `{"a": 2} // end`, remote: `{"a": 1, "b": 1} // end`, want: `{"a": 2, "b": 1} // end`},
		{name: "hujson: refuses U+2028 and broken UTF-8 in comments", t: item.Settings,
			base: "{\"a\": 1 /* \u2028 \xff */}", local: "{\"a\": 2 /* \u2028 \xff */}", remote: "{\"a\": 1 /* \u2028 \xff */, \"b\": 1}", want: "{\"a\": 2, /* \u2028 \xff */\n    \"b\": 1}"},
		{name: "go-diff: broken UTF-8 becomes U+FFFD", t: item.Settings,
			base: "{\"a\": \"\xff\", \"\xfe\": 1}", local: "{\"a\": \"\xff\", \"\xfe\": 2}", remote: "{\"a\": \"\xff\xfe\", \"\xfe\": 1}", want: "{\"a\": \"\xff\xfe\", \"\xfe\": 2}"},
		{name: "hujson: a lone surrogate becomes U+FFFD", t: item.Settings,
			base: `{"a": 1}`, local: `{"a": 2}`, remote: `{"a": 1, "b": "\ud800"}`, want: `{"a": 2, "b": "\ud800"}`},
		{name: "a value here, members there", t: item.Settings,
			base: `{"a": 1}`, local: `{"a": 2}`, remote: `{"a": {"x": 1}}`, want: `{"a": 2}`, conflicts: []string{"a"}},
		{name: "members here, a value there", t: item.Settings,
			base: `{"a": {"x": 1, "y": 1}}`, local: `{"a": {"x": 2, "y": 1}}`, remote: `{"a": 5}`, want: `{"a": {"x": 2, "y": 1}}`, conflicts: []string{"a"}},
		{name: "an empty object yields", t: item.Settings,
			base: `{"a": {"x": 1}}`, local: `{"a": {}}`, remote: `{"a": {"x": 1, "y": 2}}`, want: "{\"a\": {\n    \"y\": 2\n}}"},
		{name: "languages in another order are the same block", t: item.Settings,
			base: `{"[a][b]": {"x": 1, "y": 1}}`, local: `{"[b][a]": {"x": 2, "y": 1}}`, remote: `{"[a][b]": {"x": 1, "y": 2}}`, want: `{"[b][a]": {"x": 2, "y": 2}}`},
		{name: "a task's fields are merged by its label", t: item.Tasks,
			base:   `{"version": "2.0.0", "tasks": [{"label": "b", "command": "x", "args": ["a"]}]}`,
			local:  `{"version": "2.0.0", "tasks": [{"label": "b", "command": "y", "args": ["a"]}, {"label": "l"}]}`,
			remote: `{"version": "2.0.0", "tasks": [{"label": "r", "command": "r"}, {"label": "b", "command": "x", "args": ["b"]}]}`,
			has:    []string{`"command": "y"`, `"args": ["b"]`, `"label": "l"`, `"label": "r"`}},
		{name: "of two tasks with one label the later counts, and goes with its repetition", t: item.Tasks,
			base:   `{"tasks": [{"label": "b", "command": "1", "x": 1}, {"label": "b", "command": "2"}, {"label": "c"}]}`,
			local:  `{"tasks": [{"label": "b", "command": "1", "x": 1}, {"label": "b", "command": "2"}, {"label": "c"}, {"label": "d"}]}`,
			remote: `{"tasks": [{"label": "c"}]}`, want: `{"tasks": [{"label": "c"}, {"label": "d"}]}`},
		{name: "two servers' variables do not conflict", t: item.MCP,
			base:   `{"servers": {"s": {"command": "c", "env": {"A": "1", "B": "1"}}}}`,
			local:  `{"servers": {"s": {"command": "c", "env": {"A": "2", "B": "1"}}}}`,
			remote: `{"servers": {"s": {"command": "c", "env": {"A": "1", "B": "2"}}}}`,
			want:   `{"servers": {"s": {"command": "c", "env": {"A": "2", "B": "2"}}}}`},
		{name: "a snippet's body merges by lines", t: item.Snippets,
			base: `{"s": {"body": ["a", "b", "c", "d"]}}`, local: `{"s": {"body": ["A", "b", "c", "d"]}}`, remote: `{"s": {"body": ["a", "b", "c", "D"]}}`,
			want: `{"s": {"body": ["A", "b", "c", "D"]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := three(t, c.t, c.base, c.local, c.remote)
			var labels []string
			for _, x := range r.Conflicts {
				labels = append(labels, x.Label)
			}
			if strings.Join(labels, ", ") != strings.Join(c.conflicts, ", ") {
				t.Errorf("conflicts %q, want %q", labels, c.conflicts)
			}
			if r.Clean != (len(c.conflicts) == 0) {
				t.Errorf("clean %v", r.Clean)
			}
			if c.want != "" && string(r.Text) != c.want {
				t.Errorf("\n got %q\nwant %q", r.Text, c.want)
			}
			for _, s := range c.has {
				if !bytes.Contains(r.Text, []byte(s)) {
					t.Errorf("%s has no %s", r.Text, s)
				}
			}
			if !strings.Contains(c.base+c.local+c.remote, "\u2028") {
				valid(t, r.Text)
			}
		})
	}
}

// TestDeepAndLarge: hujson's stack overflows at a million brackets, and takes the
// process along.
func TestDeepAndLarge(t *testing.T) {
	deep := []byte(strings.Repeat("[", 1_000_000))
	for _, ty := range types {
		if _, err := Atomize(ty, deep, Options{}); !errors.Is(err, ErrTooDeep) {
			t.Errorf("%s: %v", ty, err)
		}
		if _, err := Three(ty, nil, deep, []byte("{}"), Options{}); !errors.Is(err, ErrTooDeep) {
			t.Errorf("%s: %v", ty, err)
		}
		if _, err := Render(ty, deep, nil, Options{}); !errors.Is(err, ErrTooDeep) {
			t.Errorf("%s: %v", ty, err)
		}
	}
	if _, err := Three(item.Prompts, nil, make([]byte, 64<<20+1), nil, Options{}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestSyntaxErrors(t *testing.T) {
	_, err := Atomize(item.Settings, []byte("{\n  \"a\": 1\n  \"b\": 2\n}"), Options{})
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Line != 3 || syntax.Column != 3 {
		t.Errorf("got %v", err)
	}
	base, broken := "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n", "{\n  \"a\": ,\n  \"b\": 2,\n  \"c\": 3\n}\n"
	r := three(t, item.Settings, base, broken, strings.Replace(base, "3", "4", 1))
	if !r.Clean || string(r.Text) != strings.Replace(broken, "3", "4", 1) {
		t.Errorf("lines that do not touch: %v %s", r.Clean, r.Text)
	}
	r = three(t, item.Settings, base, broken, strings.Replace(base, "1", "5", 1))
	if r.Clean || string(r.Text) != broken || len(r.Conflicts) != 1 || r.Conflicts[0].Reason.Code != Syntax || r.Conflicts[0].Reason.Args["line"] != "2" {
		t.Errorf("one line changed on both sides: %+v\n%s", r.Conflicts, r.Text)
	}
}

func TestMasks(t *testing.T) {
	o := Options{Ignore: func(p item.Path) bool { return p[len(p)-1] == "secret" || p[0] == "m" }}
	local := "{\n\t\"a\": 1,\n\t// own\n\t\"m\": {\"x\": 1},\n\t\"o\": {\"secret\": \"mine\", \"b\": 1}\n}"
	d, err := Atomize(item.Settings, []byte(local), o)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range d.Atoms {
		if strings.Contains(k.Path+string(v.Data), "secret") || strings.Contains(string(v.Data), "mine") || strings.HasPrefix(k.Path, "/m") || strings.Contains(string(v.Data), "own") {
			t.Errorf("%v %s shows what is masked", k, v.Data)
		}
	}
	got, err := Render(item.Settings, []byte(local), map[item.Key]item.Value{{Path: "/c"}: jsonValue([]byte("1")), {Path: "/o/secret"}: jsonValue([]byte("2"))}, o)
	if want := "{\n\t// own\n\t\"m\": {\"x\": 1},\n\t\"o\": {\"secret\": \"mine\"},\n\t\"c\": 1\n}"; err != nil || string(got) != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
	r, err := Three(item.Settings, []byte(`{"m": 0}`), []byte(`{"m": 0}`), []byte(`{"m": 1, "b": 2}`), o)
	if err != nil || string(r.Text) != `{"m": 0, "b": 2}` {
		t.Errorf("%v %s", err, r.Text)
	}
}

func TestRenderRefusesAtomsThatMakeNoDocument(t *testing.T) {
	for _, k := range []item.Key{{Path: "/only/two"}, {Path: "x"}} {
		if _, err := Render(item.Keybindings, []byte("[]"), map[item.Key]item.Value{k: jsonValue([]byte("1"))}, Options{}); !errors.Is(err, ErrAtoms) {
			t.Errorf("%v: %v", k, err)
		}
	}
	if _, err := Render(item.Settings, nil, map[item.Key]item.Value{{Path: "/a"}: jsonValue([]byte("}{"))}, Options{}); !errors.Is(err, ErrAtoms) {
		t.Error(err)
	}
}

// TestRenderOfAtomsThatOverlap: of a value and members below it the value stays, unless
// it is an empty place for them.
func TestRenderOfAtomsThatOverlap(t *testing.T) {
	one := jsonValue([]byte("1"))
	for _, c := range []struct {
		t         item.Type
		cur, want string
		atoms     map[item.Key]item.Value
	}{
		{item.Settings, `{"a": 1, "a.b": 1}`, `{"a": 1, "a.b": 1}`, map[item.Key]item.Value{{Path: "/a"}: one, {Path: "/a.b"}: one, {Path: "/a/x"}: one}},
		{item.Settings, "{\n\t// c\n\t\"a\": 1 // t\n}", "{\n\t// c\n\t\"a\": {\n\t\t\"x\": 1\n\t} // t\n}",
			map[item.Key]item.Value{{Path: "/a"}: jsonValue([]byte("{}")), {Path: "/a/x"}: one, {Lane: item.LaneComment, Path: "/a"}: {Kind: item.Text, Data: []byte("// c")}, {Lane: item.LaneTrail, Path: "/a"}: {Kind: item.Text, Data: []byte("// t")}}},
		{item.Settings, `{"a": {"x": 1, "y": 2}}`, `{"a": [ ]}`, map[item.Key]item.Value{{Path: "/a"}: jsonValue([]byte("[ ]")), {Path: "/a/x"}: one}},
		{item.Settings, `{"a": [1]}`, `{"a": []}`, map[item.Key]item.Value{{Path: "/a"}: jsonValue([]byte("[]")), {Path: "/a/x"}: one}},
		{item.Tasks, `{"tasks": []}`, "{\"tasks\": [\n    {\n        \"label\": \"b\",\n        \"x\": 1\n    }\n]}", map[item.Key]item.Value{{Path: "/tasks"}: jsonValue([]byte("[]")), {Path: "/tasks/b/x"}: one}},
	} {
		got, err := Render(c.t, []byte(c.cur), c.atoms, Options{})
		if err != nil || string(got) != c.want {
			t.Errorf("%v\n got %q\nwant %q", err, got, c.want)
		}
	}
}

// TestValueIsSymmetric: M6, over values that sides of random documents have.
func TestValueIsSymmetric(t *testing.T) {
	for i := range scale(3000) {
		g := &gen{Rand: rand.New(rand.NewPCG(uint64(i), 3)), t: item.Settings}
		keys := []item.Key{{Path: "/cSpell.words"}, {Path: "/x"}, {Path: "/launch/configurations"}, {Lane: item.LaneOrder}, {Path: "/s/body"}}
		k := keys[g.IntN(len(keys))]
		one := func() item.Value {
			switch {
			case g.IntN(8) == 0:
				return absent
			case k.Lane == item.LaneOrder || k.Path == "/s/body":
				var ns []string
				for range g.IntN(5) {
					ns = append(ns, g.pick("a", "b", "c", "d"))
				}
				return jsonValue(list(unique(ns)))
			case k.Path == "/launch/configurations":
				return jsonValue([]byte(`[{"type": "x", "name": "n", "v": ` + g.scalar() + `}, {"type": "y", "name": "` + g.pick("n", "m") + `"}]`))
			}
			return jsonValue([]byte("[" + g.scalar() + ", " + g.scalar() + "]"))
		}
		ty := item.Settings
		if k.Path == "/s/body" {
			ty = item.Snippets
		}
		b, l, r := one(), one(), one()
		base := &b
		if g.IntN(4) == 0 {
			base = nil
		}
		x, okX := Value(ty, k, base, l, r)
		y, okY := Value(ty, k, base, r, l)
		if okX != okY || okX && (x.Kind != y.Kind || !bytes.Equal(x.Data, y.Data)) {
			t.Fatalf("seed %d, %v: base %s, %s and %s give %s %v or %s %v", i, k, b.Data, l.Data, r.Data, x.Data, okX, y.Data, okY)
		}
		if okX && x.Kind == item.JSON {
			valid(t, x.Data)
		}
	}
}

func FuzzThree(f *testing.F) {
	f.Add(uint8(0), []byte(`{"a": 1}`), []byte(`{"a": 1, "b": {"c": 2}}`), []byte("{ // x\n\"a\": {}}"))
	f.Add(uint8(1), []byte(`[{"key": "f1", "command": "a"}]`), []byte(`[{"key": "f1", "command": "b"}, 1]`), []byte(`[{"key": "f1", "command": "a", "when": "(x && y) || z =~ /a/i"}]`))
	f.Add(uint8(2), []byte(`{"s": {"body": ["a"]}}`), []byte(`{"s": {"body": "b"}}`), []byte(`{"": {"": {"footer": 1}}}`))
	f.Add(uint8(3), []byte(`{"tasks": [{"label": "a"}, {}, {"label": "#a"}]}`), []byte(`{"tasks": [{"label": "a", "x": 1}]}`), []byte(`{"tasks": {}}`))
	f.Fuzz(func(t *testing.T, which uint8, base, local, remote []byte) {
		ty := types[int(which)%len(types)]
		r, err := Three(ty, base, local, remote, Options{})
		if err != nil {
			return
		}
		for _, side := range [][]byte{base, local, remote} {
			if faults(side) > 0 {
				return
			}
		}
		if faults(r.Text) > 0 {
			t.Fatalf("%s merged of %q, %q, %q does not parse: %q", ty, base, local, remote, r.Text)
		}
		a, err := Atomize(ty, local, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Render(ty, local, a.Atoms, Options{}); err != nil || !bytes.Equal(got, local) {
			t.Fatalf("Render(x, Atomize(x)) of %q is %q, %v", local, got, err)
		}
		b, err := Atomize(ty, remote, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Render(ty, local, b.Atoms, Options{})
		if err != nil {
			t.Fatalf("%q to %q: %v", local, remote, err)
		}
		sameValues(t, ty, string(got), string(remote), "rendered")
	})
}
