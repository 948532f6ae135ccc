package merge

import (
	"strings"
	"testing"

	"plait/backend/item"
)

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		name                string
		t                   item.Type
		base, local, remote string
		want                string // kind and label
	}{
		{"clash", item.Keybindings, `[]`, `[{"key": "ctrl+a", "command": "x"}]`, `[{"key": "Ctrl+A", "command": "y"}]`, "keybinding-clash ctrl+a → y"},
		{"a chord that starts with the other", item.Keybindings, `[]`, `[{"key": "ctrl+k", "command": "x"}]`, `[{"key": "ctrl+k ctrl+c", "command": "y"}]`, "keybinding-clash ctrl+k → x"},
		{"conditions that exclude each other", item.Keybindings, `[]`, `[{"key": "f1", "command": "x", "when": "a && b"}]`, `[{"key": "f1", "command": "y", "when": "!a"}]`, ""},
		{"two values of one key", item.Keybindings, `[]`, `[{"key": "f1", "command": "x", "when": "l == 'go'"}]`, `[{"key": "f1", "command": "y", "when": "l == c"}]`, ""},
		{"both rules are from one side", item.Keybindings, `[]`, `[]`, `[{"key": "f1", "command": "x"}, {"key": "f1", "command": "y"}]`, ""},
		{"two keys", item.Keybindings, `[]`, `[{"key": "f1", "command": "x"}]`, `[{"key": "f2", "command": "x"}]`, "keybinding-twice f2 → x"},
		{"orphaned negation", item.Keybindings, `[{"key": "f2", "command": "x"}]`, `[{"key": "f2", "command": "x"}, {"key": "f1", "command": "-x"}]`, `[]`, "negation-orphaned f1 → -x"},
		{"override", item.Settings, `{"a": 1}`, `{"a": 1, "[go]": {"a": 2}}`, `{"a": 3}`, "language-override [go] › a"},
		{"override that was there", item.Settings, `{"a": 1, "[go]": {"a": 2}}`, `{"a": 1, "[go]": {"a": 2}, "b": 1}`, `{"a": 3, "[go]": {"a": 2}}`, ""},
		{"type", item.Settings, `{"a": 1}`, `{"a": 1, "b": 1}`, `{"a": "1"}`, "type-change a"},
		{"prefix", item.Snippets, `{}`, `{"l": {"prefix": "p"}}`, `{"r": {"prefix": ["q", "p"]}}`, "prefix-clash r › prefix"},
		{"duplicate", item.Settings, `{}`, `{"a": 1, "a": 2}`, `{"b": 1}`, "duplicate-key a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := three(t, c.t, c.base, c.local, c.remote)
			var got []string
			for _, w := range r.Warnings {
				got = append(got, w.Kind+" "+Label(c.t, w.Key))
				if w.Message == "" {
					t.Errorf("%v says nothing", w)
				}
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
			if c.want == "" || strings.HasPrefix(c.want, DuplicateKey) {
				return
			}
			maps := [3]map[item.Key]item.Value{atomize(t, c.t, c.local), atomize(t, c.t, c.remote), atomize(t, c.t, string(r.Text))}
			if ws := Warnings(c.t, maps[0], maps[1], maps[2], Options{}); len(ws) != len(r.Warnings) {
				t.Errorf("Warnings finds %v, Three %v", ws, r.Warnings)
			}
		})
	}
}

func TestExecutes(t *testing.T) {
	yes := map[item.Type][]item.Path{
		item.Settings: {
			{"terminal.integrated.profiles.linux", "zsh", "path"}, {"terminal.integrated.automationProfile.osx"}, {"terminal.integrated.env.linux", "PATH"},
			{"python.defaultInterpreterPath"}, {"php.validate.executablePath"}, {"git.path"}, {"rust-analyzer.server.path"}, {"launch", "configurations"},
			{"code-runner.executorMap", "go"}, {"[go]", "go.alternateTools", "go"}, {"java.jdt.ls.java.home"}, {"mcp", "servers", "x"}, {},
		},
		item.Tasks:       {{"tasks", "build", "command"}},
		item.MCP:         {{"servers", "x", "env"}},
		item.Keybindings: {{"f1", "workbench.action.terminal.sendSequence", "", `{"text":"x"}`}, {"f1", "runCommands", "", `{"commands":["workbench.action.tasks.runTask"]}`}},
	}
	no := map[item.Type][]item.Path{
		item.Settings:    {{"editor.fontSize"}, {"[go]", "editor.tabSize"}, {"files.exclude", "**/.git"}, {"workbench.colorTheme"}, {"[go]"}, {"explorer.confirmDelete"}},
		item.Keybindings: {{"f1", "editor.action.rename", "", ""}},
		item.Snippets:    {{"s", "body"}},
		item.Prompts:     {{}},
	}
	for ty, paths := range yes {
		for _, p := range paths {
			if !Executes(ty, item.Key{Path: p.String()}) {
				t.Errorf("%s %q executes nothing", ty, p)
			}
			if Executes(ty, item.Key{Lane: item.LaneComment, Path: p.String()}) {
				t.Errorf("%s %q: its comment executes", ty, p)
			}
		}
	}
	for ty, paths := range no {
		for _, p := range paths {
			if Executes(ty, item.Key{Path: p.String()}) {
				t.Errorf("%s %q executes", ty, p)
			}
		}
	}
}

func TestNormalForms(t *testing.T) {
	for in, want := range map[string]string{
		"Shift+CTRL+a": "ctrl+shift+a", "meta+win+x": "cmd+x", "ctrl-k  ctrl-c": "ctrl+k ctrl+c", "ctrl++": "ctrl++", "-": "-", "": "", "cmd+[KeyA]": "cmd+[keya]",
	} {
		if got := NormalKey(in); got != want {
			t.Errorf("NormalKey(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"b && a": "a && b", "a&&a": "a", "(b||a)&&c": "(a || b) && c", "!  x": "!x", "x =~ /a && b/i && a": "a && x =~ /a && b/i", "a == 'x y'": "a == 'x y'",
		"a  ==b": "a == b", "a &&": "a &&", "((a))": "a", "a <= 1": "a <= 1", "": "", "x not in y": "x not in y", "a || b && c": "a || b && c",
	} {
		if got := NormalWhen(in); got != want {
			t.Errorf("NormalWhen(%q) = %q, want %q", in, got, want)
		}
		if again := NormalWhen(NormalWhen(in)); again != NormalWhen(in) {
			t.Errorf("NormalWhen(%q) is not its own normal form: %q", in, again)
		}
	}
	NormalWhen(strings.Repeat("!", 1<<20))
	NormalWhen(strings.Repeat("(", 1<<20))
}

func TestLabelAndID(t *testing.T) {
	for _, c := range []struct {
		t    item.Type
		k    item.Key
		want string
	}{
		{item.Settings, item.Key{Path: "/[go]/editor.tabSize"}, "[go] › editor.tabSize"},
		{item.Settings, item.Key{Lane: item.LaneComment, Path: "/a~1b"}, "a/b › comment"},
		{item.Settings, item.Key{Lane: item.LaneComment, Path: "//footer"}, "comment at its end"},
		{item.Keybindings, item.Key{Path: "/ctrl+k/x/a && b/"}, "ctrl+k → x when a && b"},
		{item.Tasks, item.Key{Path: "/tasks/#-npm: build"}, "tasks › npm: build"},
		{item.Prompts, item.Key{}, "text"},
	} {
		if got := Label(c.t, c.k); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	k, b, l, r := item.Key{Path: "/a"}, jsonValue([]byte("1")), jsonValue([]byte("2")), jsonValue([]byte("3"))
	id := ID(item.Settings, k, &b, l, r)
	if id != ID(item.Settings, k, &b, r, jsonValue([]byte(" 2.0"))) || len(id) != 13 {
		t.Errorf("%s depends on the sides' order or on how a value is written", id)
	}
	for _, other := range []string{ID(item.Settings, k, nil, l, r), ID(item.Settings, item.Key{Path: "/b"}, &b, l, r), ID(item.Tasks, k, &b, l, r), ID(item.Settings, k, &b, l, absent)} {
		if other == id {
			t.Error("two conflicts have one id")
		}
	}
	// A vector: ids outlive versions, so this may never change.
	if want := "yd7yw6mexx724"; id != want {
		t.Errorf("got id %s, want %s", id, want)
	}
}
