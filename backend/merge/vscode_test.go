package merge

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// vectors reads a file of the shared cases; it skips the test where there are none.
func vectors(t *testing.T, name string, into any) {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(here), "../../../shared/vectors", name)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("skipped: the shared vectors are not here (%s)", name)
	}
	if err := stdjson.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// differences from VS Code that are meant, by the case's name after its suite, with why.
var differences = map[string]string{
	// settings: layout where a key is added. Values are equal to VS Code's in all of them.
	"Insert after a setting and after a comment at the end":                                          footerStays,
	"Insert after a setting ending with comma and after a comment at the end":                        footerStays,
	"Insert after a comment and there are no settings":                                               footerStays,
	"Insert after a setting and between a comment and setting":                                       leadStays,
	"Insert after a setting between two comments and there is a setting after":                       leadStays,
	"Insert after a setting between two comments on the same line and there is a setting after":      leadStays,
	"Insert after a setting between two line comments on the same line and there is a setting after": leadStays,
	"Insert after a setting between two comments and there is no setting after":                      footerStays,
	"Insert after a setting with comma and between two comments and there is no setting after":       footerStays,
	"Insert before a setting and before a comment at the beginning":                                  leadStays,
	"Insert before a setting ending with comma and before a comment at the begninning":               leadStays,
	"Insert before a setting and between a setting and comment":                                      leadStays,
	"Insert before a setting between two comments and there is a setting before":                     leadStays,
	"Insert before a setting between two comments on the same line and there is a setting before":    leadStays,
	"Insert before a setting between two comments and there is no setting before":                    leadStays,
	"Insert before a setting with comma and between two comments and there is no setting before":     leadStays,
	"Insert after a comment with comma separator of previous setting and there is a comment after":   footerStays,
	"Insert after a comment with comma separator of previous setting and no next nodes":              "a comma after the last member is the document's style, and stays",
}

const (
	leadStays   = "a comment belongs to the key below it; adding another key does not take it away"
	footerStays = "a comment after the last member is the document's footer; a new member goes before it"
)

type settingsCase struct {
	Name, Op            string
	Base                *string
	Local, Remote       string
	Key, Source, Target string
	Ignored             []string
	ResolvedConflicts   []struct{ Key string }
	Expect              struct {
		Content           string
		LocalContent      *string
		RemoteContent     *string
		HasConflicts      bool
		ConflictsSettings []struct{ Key string }
	}
}

// value is what a text of JSON with comments means, for comparing.
func value(t *testing.T, text string) any {
	t.Helper()
	tr, err := jsonc.Parse([]byte(text))
	if err != nil || len(tr.Errors) > 0 {
		t.Fatalf("%q does not parse: %v %v", text, err, tr.Errors)
	}
	if tr.Root() == jsonc.None {
		return nil
	}
	var v any
	if err := stdjson.Unmarshal(tr.Canonical(0), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func ignoring(keys []string) Options {
	if len(keys) == 0 {
		return Options{}
	}
	return Options{Ignore: func(p item.Path) bool { return len(p) == 1 && slices.Contains(keys, p[0]) }}
}

func TestVSCodeSettings(t *testing.T) {
	var cases []settingsCase
	vectors(t, "vscode/settings.json", &cases)
	for _, c := range cases {
		_, name, _ := strings.Cut(strings.TrimSpace(c.Name), " / ")
		t.Run(fmt.Sprint(c.Op, "/", name), func(t *testing.T) {
			switch c.Op {
			case "merge":
				settingsMerge(t, c)
			case "addSetting":
				addSetting(t, name, c)
			case "updateIgnoredSettings":
				updateIgnored(t, c)
			}
		})
	}
}

func settingsMerge(t *testing.T, c settingsCase) {
	var base []byte
	if c.Base != nil {
		base = []byte(*c.Base)
	}
	r, err := Three(item.Settings, base, []byte(c.Local), []byte(c.Remote), ignoring(c.Ignored))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, k := range c.Expect.ConflictsSettings {
		want = append(want, k.Key)
	}
	resolved := map[string]bool{} // Three knows no choices made before: they stay conflicts
	for _, k := range c.ResolvedConflicts {
		resolved[k.Key] = true
	}
	for _, k := range r.Conflicts {
		if s := k.Key.Segments()[0]; !resolved[s] {
			got = append(got, s)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("conflicts %v, want %v", got, want)
	}
	if len(want) > 0 || len(resolved) > 0 {
		return
	}
	if !r.Clean {
		t.Error("not clean, though no key conflicts")
	}
	merged := c.Local
	if c.Expect.LocalContent != nil {
		merged = *c.Expect.LocalContent
	}
	if got, want := value(t, string(r.Text)), value(t, merged); !reflect.DeepEqual(got, want) {
		t.Errorf("merged %v, want %v", got, want)
	}
}

// addSetting renders source's value of one key into target.
func addSetting(t *testing.T, name string, c settingsCase) {
	src, err := Atomize(item.Settings, []byte(c.Source), Options{})
	if err != nil {
		t.Fatal(err)
	}
	dst, err := Atomize(item.Settings, []byte(c.Target), Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := item.Key{Path: "/" + c.Key}
	dst.Atoms[k] = src.Atoms[k]
	dst.Atoms[skeletonKey] = src.Atoms[skeletonKey]
	got, err := Render(item.Settings, []byte(c.Target), dst.Atoms, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if g, w := value(t, string(got)), value(t, c.Expect.Content); !reflect.DeepEqual(g, w) {
		t.Errorf("values %v, want %v", g, w)
	}
	_, meant := differences[name]
	if same := string(got) == c.Expect.Content; same == meant {
		t.Errorf("listed as different: %v\n got %q\nwant %q", meant, got, c.Expect.Content)
	}
}

// updateIgnored gives source's masked values to target: what VS Code does to keep each
// side's own, masks do here by never touching them.
func updateIgnored(t *testing.T, c settingsCase) {
	if c.Target == "" {
		return // VS Code returns the empty text; so does Render for atoms of nothing
	}
	o := ignoring(c.Ignored)
	dst, err := Atomize(item.Settings, []byte(c.Target), o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Render(item.Settings, []byte(c.Source), dst.Atoms, o)
	if err != nil {
		t.Fatal(err)
	}
	if g, w := value(t, string(got)), value(t, c.Expect.Content); !reflect.DeepEqual(g, w) {
		t.Errorf("values %v, want %v", g, w)
	}
}

type textsCase struct {
	Name          string
	Base          *string
	Local, Remote string
	Expect        struct {
		MergeContent string
		HasConflicts bool
	}
}

// rulesDiffer are keybindings cases whose outcome is meant to be another.
var rulesDiffer = map[string]string{
	"merge when local and remote with one entry but different value":                                    "no base is known, so both keys are kept: a command may have two",
	"merge when local and remote with different keybinding":                                             "no base is known, so both keys are kept: a command may have two",
	"merge when the entry is removed in local but updated in remote":                                    keyIsIdentity,
	"merge when the entry is removed in local but updated in remote and a new entry is added in local":  keyIsIdentity,
	"merge when the entry is removed in remote but updated in local":                                    keyIsIdentity,
	"merge when the entry is removed in remote but updated in local and a new entry is added in remote": keyIsIdentity,
	"merge when local and remote has moved forwareded with conflicts (2)":                               "remote rebinds c and gives its old key to d, local touches neither: nothing conflicts",
}

const keyIsIdentity = "a rule's key is part of its name: one side removed a rule, the other removed it too and added another, so the other stays"

func TestVSCodeKeybindings(t *testing.T) {
	var cases []textsCase
	vectors(t, "vscode/keybindings.json", &cases)
	for _, c := range cases {
		_, name, _ := strings.Cut(c.Name, " / ")
		t.Run(name, func(t *testing.T) {
			var base []byte
			if c.Base != nil {
				base = []byte(*c.Base)
			}
			r, err := Three(item.Keybindings, base, []byte(c.Local), []byte(c.Remote), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, meant := rulesDiffer[name]; meant {
				if !r.Clean {
					t.Errorf("conflicts %v", r.Conflicts)
				}
				if !c.Expect.HasConflicts {
					t.Error("listed as different, but VS Code merges it cleanly")
				}
				return
			}
			if c.Expect.HasConflicts || !r.Clean {
				t.Fatalf("conflict: VS Code %v, here %v", c.Expect.HasConflicts, r.Conflicts)
			}
			got, want := rulesIn(t, string(r.Text)), rulesIn(t, c.Expect.MergeContent)
			if !slices.Equal(got, want) {
				t.Errorf("rules\n got %q\nwant %q", got, want)
			}
		})
	}
}

// rulesIn names a document's rules, sorted: order is checked where it has a meaning.
func rulesIn(t *testing.T, text string) []string {
	t.Helper()
	d, err := Atomize(item.Keybindings, []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for k, v := range d.Atoms {
		switch k.Lane {
		case item.LaneValue:
			out = append(out, k.Path)
		case item.LaneOrder:
			out = append(out, "order "+string(v.Data))
		}
	}
	slices.Sort(out)
	return out
}

type filesCase struct {
	Name                string
	Base, Local, Remote map[string]string
	Expect              struct {
		Local, Remote struct {
			Added, Updated map[string]string
			Removed        []string
		}
		Conflicts []string
	}
}

// TestVSCodeSnippets merges each file that is on both sides. Which files there are is
// the engine's: one item a file.
func TestVSCodeSnippets(t *testing.T) {
	var cases []filesCase
	vectors(t, "vscode/snippets.json", &cases)
	for _, c := range cases {
		_, name, _ := strings.Cut(c.Name, " / ")
		t.Run(name, func(t *testing.T) {
			for file, local := range c.Local {
				remote, ok := c.Remote[file]
				if !ok {
					continue
				}
				var base []byte
				if b, ok := c.Base[file]; ok {
					base = []byte(b)
				}
				r, err := Three(item.Snippets, base, []byte(local), []byte(remote), Options{})
				if err != nil {
					t.Fatal(err)
				}
				if want := slices.Contains(c.Expect.Conflicts, file); want == r.Clean {
					t.Errorf("%s: clean %v, VS Code's conflict %v", file, r.Clean, want)
				}
				if !r.Clean {
					continue
				}
				want := local
				if up, ok := c.Expect.Local.Updated[file]; ok {
					want = up
				}
				if !bytes.Equal(r.Text, []byte(want)) {
					t.Errorf("%s:\n got %s\nwant %s", file, r.Text, want)
				}
			}
		})
	}
}
