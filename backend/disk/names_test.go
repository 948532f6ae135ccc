package disk

import (
	"errors"
	"strings"
	"testing"
)

// attacks are names that a hostile device may send, and the one rule that stops each.
var attacks = []struct {
	rule rule
	on   System
	name string
}{
	{ruleForm, Linux, ""},
	{ruleForm, Linux, "a\xff"},
	{ruleForm, Linux, "a\ufffdb"},
	{ruleForm, Linux, strings.Repeat("n", 256)},
	{ruleForm, Linux, strings.Repeat("n/", 2000) + "n"},

	{ruleAbsolute, Linux, "/etc/passwd"},
	{ruleAbsolute, Mac, "/a"},
	{ruleAbsolute, Linux, "/"},

	{ruleUp, Linux, ".."},
	{ruleUp, Linux, "../../.ssh/authorized_keys"},
	{ruleUp, Mac, "a/../../b"},
	{ruleUp, Linux, "a//b"},
	{ruleUp, Linux, "a/./b"},
	{ruleUp, Linux, "a/"},

	{ruleControl, Linux, "a\x00b"},
	{ruleControl, Linux, "a\x1b]0;x\x07"},
	{ruleControl, Linux, "a\nb"},
	{ruleControl, Mac, "a\u0085b"},
	{ruleControl, Linux, "exe.\u202etxt"},

	{ruleOwn, Linux, ".plait-old-aaaaaaaa-settings.json"},
	{ruleOwn, Mac, "a/.PLAIT-new-x"},
	{ruleOwn, Mac, ".pl\u200cait-x"},

	{ruleUnicode, Linux, "e\u0301.txt"},
	{ruleUnicode, Mac, "a/A\u030a"},
	{ruleUnicode, Windows, "\u1100\u1161"},

	{ruleReserved, Windows, "con"},
	{ruleReserved, Windows, "a/AUX.json"},
	{ruleReserved, Windows, "lpt1.tar.gz"},
	{ruleReserved, Windows, "COM³"},
	{ruleReserved, Windows, "nul .txt"},
	{ruleReserved, Windows, "CONIN$"},

	{ruleWindows, Windows, "settings.json::$DATA"},
	{ruleWindows, Windows, `a\b`},
	{ruleWindows, Windows, "a./b"},
	{ruleWindows, Windows, "a "},
	{ruleWindows, Windows, "a?b"},
}

func TestCheckNameRefuses(t *testing.T) {
	for _, a := range attacks {
		err := checkName(a.on, a.name, "")
		if !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), string(a.rule)) {
			t.Errorf("on %s, %.40q: %v; want %q", a.on, a.name, err, a.rule)
		}
		if err := checkName(a.on, a.name, a.rule); err != nil {
			t.Errorf("on %s, %.40q is stopped by another rule as well: %v: this case proves nothing of %q", a.on, a.name, err, a.rule)
		}
	}
}

// On Windows some names break several rules; each must still be refused.
func TestCheckNameRefusesOnWindows(t *testing.T) {
	for _, n := range []string{`C:\x`, "C:x", `\\host\share`, `\x`, `..\x`, `a\..\..\x`, "aux", "AUX.", "a/con.txt/b", "git~1:x", "..", "/a", `\\?\C:\x`} {
		if err := CheckNameOn(Windows, n); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%q: %v", n, err)
		}
	}
}

func TestCheckNameAllows(t *testing.T) {
	for _, sys := range []System{Linux, Mac, Windows} {
		for _, n := range []string{"settings.json", "a/b/c", "snippets/go.json", "ü/é", "日本/語", "...", "a..b", ".hidden", "COM10", "console", "auxiliary.c", "a b", "-x", "~", "e\u200d"} {
			if n == "..." && sys == Windows {
				continue
			}
			if err := CheckNameOn(sys, n); err != nil {
				t.Errorf("on %s, %q: %v", sys, n, err)
			}
		}
	}
	for _, n := range []string{"aux.c", "a:b", `a\b`, "a."} {
		if err := CheckNameOn(Linux, n); err != nil {
			t.Errorf("on linux, %q: %v", n, err)
		}
	}
}

func TestJoinAndRel(t *testing.T) {
	root := t.TempDir()
	p, err := Join(root, "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if rel, err := Rel(root, p); rel != "a/b" || err != nil {
		t.Errorf("Rel = %q, %v", rel, err)
	}
	if _, err := Join(root, "../a"); !errors.Is(err, ErrUnsafe) {
		t.Errorf("Join up = %v", err)
	}
	if _, err := Rel(root, root+"x"); !errors.Is(err, ErrUnsafe) {
		t.Errorf("Rel of a sibling = %v", err)
	}
	if rel, err := Rel(root, root+"/e\u0301"); rel != "é" || err != nil {
		t.Errorf("Rel of a decomposed name = %q, %v", rel, err)
	}
}

func TestClashes(t *testing.T) {
	got := Clashes([]string{"README", "readme", "a/B", "A/c", "x", "x/y", "é", "ok", "oK/z", "Straße", "Strasse"})
	want := [][]string{{"A", "a"}, {"README", "readme"}, {"oK", "ok"}, {"x", "x/y"}}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if strings.Join(got[i], "|") != strings.Join(want[i], "|") {
			t.Errorf("group %d: got %q, want %q", i, got[i], want[i])
		}
	}
	if Fold("K") != Fold("\u212a") || Fold("é") != Fold("E\u0301") || Fold("a\u200cb") != Fold("ab") || Fold("σ") != Fold("ς") {
		t.Error("Fold tells apart what some system does not")
	}
}

func FuzzCheckName(f *testing.F) {
	for _, a := range attacks {
		f.Add(a.name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, sys := range []System{Linux, Mac, Windows} {
			if CheckNameOn(sys, name) != nil {
				continue
			}
			if p, err := Join("/r", name); sys == Here && (err != nil || !strings.HasPrefix(p, "/r/")) {
				t.Errorf("%q is allowed and leads to %q, %v", name, p, err)
			}
		}
	})
}
