package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// A step of the README's quick start: what one pastes, and what it says is printed.
type step struct {
	line        int // of the README, where it begins
	paste, want string
}

// steps reads the fenced blocks of the quick start: what is marked sh is pasted, and what
// follows it without a mark is its output.
func steps(readme string) []step {
	var out []step
	fence, in := "", false
	for n, l := range strings.Split(readme, "\n") {
		switch {
		case l == "## Quick start":
			in = true
		case in && strings.HasPrefix(l, "## "):
			return out
		case !in:
		case fence == "" && strings.HasPrefix(l, "```"):
			if fence = l; l == "```sh" {
				out = append(out, step{line: n + 2})
			}
		case l == "```":
			fence = ""
		case fence == "```sh":
			out[len(out)-1].paste += l + "\n"
		case fence != "":
			out[len(out)-1].want += l + "\n"
		}
	}
	return out
}

// varying is what differs from run to run, and what stands for it in a comparison.
var varying = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`[0-9.]+ (ms|s), [0-9.]+ k?B up, [0-9.]+ k?B down`), "TOOK, SENT, GOT"},
	{regexp.MustCompile(`\bid [a-z2-7]{13}\b`), "id ID"},
	{regexp.MustCompile(`\b[0-9]{1,2} [A-Z][a-z]{2} [0-9]{2}:[0-9]{2}\b`), "THEN"},
	{regexp.MustCompile(`(?m)^  [a-z]+  [a-z]+  [a-z]+  [a-z]+$`), "  FOUR  CHECK  WORDS  HERE"},
}

func settled(text, try string) string {
	text = strings.ReplaceAll(text, try, "/home/you/plait/try")
	for _, v := range varying {
		text = v.is.ReplaceAllString(text, v.as)
	}
	return text
}

// pattern is text in which a line of "…" is any lines, or none.
func pattern(text string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`\A`)
	for l := range strings.Lines(text) {
		if l == "…\n" {
			b.WriteString(`(?s:.*\n)?`)
		} else {
			b.WriteString(regexp.QuoteMeta(l))
		}
	}
	return regexp.MustCompile(b.String() + `\z`)
}

// What the README has one paste prints what the README says, with the real program.
func TestReadmeQuickStart(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil || runtime.GOOS == "windows" {
		t.Skip("the quick start is for bash")
	}
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	list := steps(string(readme))
	if len(list) < 5 {
		t.Fatalf("%d steps in the quick start", len(list))
	}
	clone, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(clone, "build/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(clone, "build/bin/plait")); err != nil {
		t.Fatal(err)
	}
	const mark = "=== step %d"
	var typed strings.Builder
	for i, s := range list {
		paste := s.paste
		if runtime.GOOS == "darwin" {
			paste = regexp.MustCompile(`(?m)^user=.*$`).ReplaceAllString(paste, `user="Library/Application Support/Code/User"`)
		}
		fmt.Fprintf(&typed, "echo '"+mark+"'\n%s\n", i, paste)
	}
	cmd := exec.Command(bash, "-c", typed.String())
	cmd.Dir = clone
	cmd.Env = append(os.Environ(), "PLAIT_KEYCHAIN=off")
	printed, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	text := settled(string(printed), filepath.Join(clone, "try"))
	for i, s := range list {
		_, got, found := strings.Cut(text, fmt.Sprintf(mark, i)+"\n")
		if !found {
			t.Fatalf("README.md:%d was not reached; printed:\n%s", s.line, printed)
		}
		got, _, _ = strings.Cut(got, fmt.Sprintf(mark, i+1))
		if want := settled(s.want, "\x00"); !pattern(want).MatchString(got) {
			t.Errorf("README.md:%d prints\n%s\nand the README says\n%s", s.line, got, want)
		}
	}
}
