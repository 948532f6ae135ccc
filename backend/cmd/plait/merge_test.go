package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plait/backend/item"
)

// What --ignore masks:
//
//	NAME         the setting, at the top or in a language's block
//	NAME*        all settings that start so
//	/a/b         that place, and what is below it
func TestIgnored(t *testing.T) {
	for _, c := range []struct {
		pattern string
		path    item.Path
		want    bool
	}{
		{"a.b", item.Path{"a.b"}, true},
		{"a.b", item.Path{"a.b", "below"}, true},
		{"a.b", item.Path{"[go]", "a.b"}, true},
		{"a.b", item.Path{"[go][rust]", "a.b"}, true},
		{"a.b", item.Path{"a"}, false},
		{"a.b", item.Path{"a.bc"}, false},
		{"b", item.Path{"a", "b"}, false},
		{"[go]", item.Path{"[go]", "x"}, true},
		{"a.*", item.Path{"a.b"}, true},
		{"a.*", item.Path{"[go]", "a.b"}, true},
		{"a.*", item.Path{"b.a"}, false},
		{"/a/b", item.Path{"a", "b"}, true},
		{"/a/b", item.Path{"a", "b", "c"}, true},
		{"/a/b", item.Path{"a", "bc"}, false},
		{"/a/b", item.Path{"a"}, false},
		{"/x~1y", item.Path{"x/y"}, true},
	} {
		if got := ignored([]string{"zzz", c.pattern})(c.path); got != c.want {
			t.Errorf("%q masks %q: %v; want %v", c.pattern, c.path, got, c.want)
		}
	}
	if ignored(nil) != nil {
		t.Error("no pattern must mask nothing, cheaply")
	}
}

// -o keeps a file's mode, writes through a symlink, and leaves nothing beside.
func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "f"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Skip("no symlinks here:", err)
	}
	if err := replaceFile(link, []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(file); string(text) != "new" {
		t.Errorf("target holds %q", text)
	}
	if info, _ := os.Lstat(link); info.Mode()&os.ModeSymlink == 0 {
		t.Error("the symlink is one no more")
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v; want 0600", info.Mode())
	}
	if err := replaceFile(filepath.Join(dir, "fresh"), []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	list, _ := os.ReadDir(dir)
	if len(list) != 3 {
		t.Errorf("left in the folder: %v", list)
	}
}

// Text from elsewhere can't drive the terminal (C4).
func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"plain":            "plain",
		"ünï ✓":            "ünï ✓",
		"\x1b[31mred\x07":  `\u001b[31mred\u0007`,
		"a\nb\tc":          "a\nb\tc",
		"right\u202eleft":  `right\u202eleft`,
		"\u009b31m":        `\u009b31m`,
		"broken\xff":       "broken\ufffd",
		"carriage\rreturn": `carriage\u000dreturn`,
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q; want %q", in, got, want)
		}
	}
	if got := line("a\nb"); strings.Contains(got, "\n") {
		t.Errorf("line keeps a newline: %q", got)
	}
}
