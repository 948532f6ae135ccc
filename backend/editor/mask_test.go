package editor

import (
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"plait/backend/item"
)

func own(t *testing.T, ty item.Type, text string) Own {
	t.Helper()
	o, err := ReadOwn(ty, "f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestMask(t *testing.T) {
	settings := `{
		// kept here
		"settingsSync.ignoredSettings": ["editor.fontSize", "-git.path", "-settingsSync.ignoredExtensions", 5, "my.\u0061"],
		"db.connections": [{"name": "x", "password": "hunter2"}],
		"rest.headers": {"Authorization": "Bearer abcdefghijklmnop0123", "Accept": "json"},
		"[go]": {"editor.tabSize": 2}
	}`
	m := NewMask(item.Settings, MaskInput{
		Declared: Declared{Machine: []string{"go.goroot"}, Ignored: []string{"ext.id"}},
		Own:      own(t, item.Settings, settings),
		Known:    []string{"rust.path"},
		Patterns: []string{"chat.*", "/[go]/editor.tabSize", "/big/*/path", "!chat.kept", "!window.zoomLevel", "!settingsSync.ignoredSettings", "mcp:/servers/x", "  ", "/bad~"},
	})
	for path, want := range map[string]Why{
		"/editor.fontSize":                WhyIgnored,
		"/[go]/editor.fontSize":           WhyIgnored,
		"/my.a":                           WhyIgnored,
		"/git.path":                       whyNot,
		"/git.defaultCloneDirectory":      WhyMachine,
		"/emmet.extensionsPath":           WhyMachine,
		"/files.dialog.defaultPath/below": WhyMachine,
		"/go.goroot":                      WhyMachine,
		"/ext.id":                         WhyMachine,
		"/rust.path":                      WhyKnown,
		"/window.zoomLevel":               whyNot,
		"/settingsSync.ignoredSettings":   WhyNever,
		"/settingsSync.ignoredExtensions": WhyNever,
		"/db.connections":                 WhySecret,
		"/rest.headers/Authorization":     WhySecret,
		"/rest.headers/Accept":            whyNot,
		"/rest.headers":                   whyNot,
		"/chat.x":                         WhyPattern,
		"/chat.kept":                      whyNot,
		"/[go]/editor.tabSize":            WhyPattern,
		"/[go]":                           whyNot,
		"/editor.tabSize":                 whyNot,
		"/big/x/path/deep":                WhyPattern,
		"/big/x":                          whyNot,
		"/servers/x":                      whyNot,
		"":                                whyNot,
	} {
		p, err := item.ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Why(p); got != want || m.Ignored(p) != (want != whyNot) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if NewMask(item.Settings, MaskInput{}).Why(item.Path{"window.zoomLevel"}) != WhyMachine {
		t.Error("window.zoomLevel travels")
	}
}

func TestMaskOfOtherTypes(t *testing.T) {
	m := NewMask(item.MCP, MaskInput{
		Own: own(t, item.MCP, `{"servers": {"gh": {"command": "npx", "env": {"GITHUB_TOKEN": "abcdefgh"}}, "ok": {"env": {"TOKEN": "${input:t}"}}},
			"inputs": [{"id": "t", "default": "ghp_0123456789012345678901234567890123456789"}]}`),
		Patterns: []string{"mcp:/servers/mine", "servers"},
	})
	for path, want := range map[string]bool{
		"/servers/gh/env": true, "/servers/gh/command": false, "/servers/gh": false, "/servers/ok/env": false,
		"/inputs/t/default": true, "/inputs/t": false, "/servers/mine/command": true, "/git.path": false,
	} {
		if p, _ := item.ParsePath(path); m.Ignored(p) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
	m = NewMask(item.Tasks, MaskInput{Own: own(t, item.Tasks, `{"version": "2.0.0", "tasks": [{"label": "deploy", "options": {"env": {"API_KEY": "abcdef"}}, "command": "x"}]}`)})
	if !m.Ignored(item.Path{"tasks", "deploy", "options"}) || m.Ignored(item.Path{"tasks", "deploy", "command"}) {
		t.Error("tasks")
	}
	m = NewMask(item.Snippets, MaskInput{Own: own(t, item.Snippets, `{"login": {"prefix": "p", "body": ["-----BEGIN RSA PRIVATE KEY-----"]}}`)})
	if !m.Ignored(item.Path{"login", "body"}) || m.Ignored(item.Path{"login", "prefix"}) {
		t.Error("snippets")
	}
}

func TestFingerprint(t *testing.T) {
	base := MaskInput{Declared: Declared{Machine: []string{"a", "b"}}, Known: []string{"k"}, Patterns: []string{"x.*"}, Own: Own{Secrets: [][]string{{"s", "t"}}}}
	print := NewMask(item.Settings, base).Fingerprint()
	same := MaskInput{Declared: Declared{Machine: []string{"b"}, Ignored: []string{"a", "k"}}, Patterns: []string{"x.*", "mcp:/y"}, Own: Own{Secrets: [][]string{{"s", "t"}, {"s", "t"}}}}
	if got := NewMask(item.Settings, same).Fingerprint(); got != print {
		t.Errorf("an equal mask has another print: %x, %x", got, print)
	}
	seen := map[[8]byte]int{print: -1}
	for i, in := range []MaskInput{
		{}, {Known: []string{"k"}}, {Patterns: []string{"x.*"}}, {Patterns: []string{"!x.*"}}, {Patterns: []string{"/x.*"}},
		{Own: Own{Secrets: [][]string{{"s"}}}}, {Own: Own{Secrets: [][]string{{"s", "t"}}}}, {Own: Own{IgnoredSettings: []string{"-git.path"}}}, {Own: Own{IgnoredSettings: []string{"q"}}},
	} {
		p := NewMask(item.Settings, in).Fingerprint()
		if j, ok := seen[p]; ok {
			t.Errorf("masks %d and %d have one print", i, j)
		}
		seen[p] = i
	}
}

func TestReadOwnDamaged(t *testing.T) {
	o, err := ReadOwn(item.Settings, "/u/settings.json", []byte("{\n  \"settingsSync.ignoredSettings\": [\"a\"],\n  \"b\": ,\n}"))
	var s *SyntaxError
	if !errors.As(err, &s) || s.Path != "/u/settings.json" || s.Line != 3 || !slices.Equal(o.IgnoredSettings, []string{"a"}) {
		t.Errorf("%+v, %v", o, err)
	}
	joined := o.Join(Own{IgnoredSettings: []string{"a", "z"}, Secrets: [][]string{{"p"}}})
	if !slices.Equal(joined.IgnoredSettings, []string{"a", "z"}) || len(joined.Secrets) != 1 {
		t.Errorf("%+v", joined)
	}
	if _, err := ReadOwn(item.Settings, "f", []byte(strings.Repeat("[", 1<<20))); err == nil {
		t.Error("a million brackets pass")
	}
	for _, text := range []string{"", "// only a comment", "\ufeff{}", "[]", "5"} {
		if _, err := ReadOwn(item.Settings, "f", []byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestBuiltIn(t *testing.T) {
	b := builtIn()
	if b.Source == "" || b.VSCode == "" || len(b.Machine) < 10 {
		t.Errorf("%+v", b)
	}
	for _, k := range []string{"git.path", "emmet.extensionsPath", "http.useLocalProxyConfiguration", "typescript.tsserver.pluginPaths"} {
		if !slices.Contains(b.Machine, k) {
			t.Errorf("%s is missing", k)
		}
	}
	if !slices.Equal(b.Never, []string{"settingsSync.ignoredExtensions", "settingsSync.ignoredSettings"}) {
		t.Errorf("never: %q", b.Never)
	}
}

const goManifest = `{"name": "go", "contributes": {"configuration": [
	{"properties": {"go.goroot": {"scope": "machine-overridable"}, "go.lint": {"scope": "resource"}, "go.alt": {"scope": "machine"}}},
	{"allOf": [{"properties": {"go.deep": {"type": "string", "ignoreSync": true}}}]}]}}`

func TestReadManifest(t *testing.T) {
	d, err := ReadManifest([]byte(goManifest))
	if err != nil || !slices.Equal(d.Machine, []string{"go.alt", "go.goroot"}) || !slices.Equal(d.Ignored, []string{"go.deep"}) {
		t.Errorf("%+v, %v", d, err)
	}
	d, err = ReadManifest([]byte(`{"contributes": {"configuration": {"properties": {"a": {"scope": "machine"}, "b": 5}}}}`))
	if err != nil || !slices.Equal(d.Machine, []string{"a"}) {
		t.Errorf("%+v, %v", d, err)
	}
	for _, text := range []string{"", "{", `{"contributes": 5}`, `{"contributes": {"configuration": 5}}`} {
		if d, err := ReadManifest([]byte(text)); err == nil {
			t.Errorf("%q: %+v", text, d)
		}
	}
}

func TestManifests(t *testing.T) {
	m := memory()
	ext := "/home/u/.vscode/extensions"
	m.WriteFile(ext+"/golang.go-1/package.json", []byte(goManifest))
	m.WriteFile(ext+"/a.b-1/package.json", []byte(`{}`))
	m.WriteFile(ext+"/extensions.json", []byte(`[]`))
	m.Mkdir(ext + "/empty")
	m.WriteFile("/dev/ext/package.json", []byte(`{"contributes": {"configuration": {"properties": {"linked": {"scope": "machine"}}}}}`))
	m.Symlink("/dev/ext", ext+"/linked")

	var ms Manifests
	reads := 0
	m.SetFault(func(op, _ string) error {
		if op == "open" {
			reads++
		}
		return nil
	})
	want := []string{"go.alt", "go.goroot", "linked"}
	for range 2 {
		d, problems, err := ms.Load(m, ext)
		if !slices.Equal(d.Machine, want) || !slices.Equal(d.Ignored, []string{"go.deep"}) || len(problems) > 0 || err != nil {
			t.Errorf("%+v, %v, %v", d, problems, err)
		}
	}
	if reads != 3 {
		t.Errorf("%d manifests were read; want 3, each once", reads)
	}

	// What is known outlives the process.
	kept, err := json.Marshal(&ms)
	if err != nil {
		t.Fatal(err)
	}
	var again Manifests
	if err := json.Unmarshal(kept, &again); err != nil {
		t.Fatal(err)
	}
	if d, _, err := again.Load(m, ext); !slices.Equal(d.Machine, want) || err != nil || reads != 3 {
		t.Errorf("%+v, %v, %d reads", d, err, reads)
	}

	// A manifest that is damaged keeps what it declared; one that goes takes it along.
	m.WriteFile(ext+"/golang.go-1/package.json", []byte("{\n\n  nope"))
	d, problems, err := again.Load(m, ext)
	if !slices.Equal(d.Machine, want) || len(problems) != 1 || !strings.Contains(problems[0].Error(), "package.json:3:") || err != nil {
		t.Errorf("%+v, %v, %v", d, problems, err)
	}
	m.RemoveAll(ext + "/golang.go-1")
	if d, problems, err := again.Load(m, ext); !slices.Equal(d.Machine, []string{"linked"}) || len(problems) > 0 || err != nil {
		t.Errorf("%+v, %v, %v", d, problems, err)
	}
	if d, _, err := again.Load(m, "/none"); len(d.Machine) > 0 || err != nil {
		t.Errorf("no folder: %+v, %v", d, err)
	}
	m.SetFault(func(op, _ string) error { return fs.ErrPermission })
	if _, _, err := again.Load(m, ext); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("unreadable folder: %v", err)
	}
}

func FuzzOwn(f *testing.F) {
	f.Add(`{"settingsSync.ignoredSettings": ["a"], "x": [{"password": "hunter2"}]}`, true)
	f.Add(`{"servers": {"a": {"env": {"TOKEN": "abcdef"}}}, "inputs": [{"id": "x"}]}`, false)
	f.Add(`{"contributes": {"configuration": [{"properties": {"a": {"scope": "machine"}}}]}}`, true)
	f.Add(`{"userDataProfiles": [{"location": "x", "name": "y"}]}`, true)
	f.Fuzz(func(t *testing.T, text string, settings bool) {
		ty := item.MCP
		if settings {
			ty = item.Settings
		}
		o, err := ReadOwn(ty, "f", []byte(text))
		if err == nil {
			mask := NewMask(ty, MaskInput{Own: o})
			for _, p := range o.Secrets {
				if !mask.Ignored(item.Path(p)) {
					t.Errorf("secret %q is not masked", p)
				}
			}
		}
		_, _ = ReadManifest([]byte(text))
		m := memory()
		m.WriteFile("/u/globalStorage/storage.json", []byte(text))
		for _, p := range func() []Profile { ps, _ := profiles(m, "/u"); return ps }() {
			if p.Dir != "/u" && !strings.HasPrefix(p.Dir, "/u/profiles/") {
				t.Errorf("profile in %s", p.Dir)
			}
		}
	})
}

func FuzzPattern(f *testing.F) {
	f.Add("editor.*", "editor.fontSize")
	f.Add("!/a/*/b", "x")
	f.Add("mcp:/a", "*")
	f.Fuzz(func(t *testing.T, pattern, key string) {
		NewMask(item.Settings, MaskInput{Patterns: []string{pattern}}).Why(item.Path{key, key})
	})
}
