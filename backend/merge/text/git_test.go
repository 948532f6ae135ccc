package text

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// gitMerge asks the git that is installed here.
func gitMerge(t *testing.T, base, local, remote []byte) (out []byte, conflicts bool) {
	t.Helper()
	dir := t.TempDir()
	for name, b := range map[string][]byte{"base": base, "local": local, "remote": remote} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command("git", "merge-file", "-p", "-q", "--diff3", "-L", "l", "-L", "b", "-L", "r", "local", "base", "remote")
	c.Dir = dir
	out, err := c.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() >= 128) {
		t.Fatalf("git merge-file: %v", err)
	}
	return out, err != nil
}

// Random merges agree with the installed git, in at least 99 of 100: clean or not,
// and every byte of what is clean. They can't all: where lines repeat, git's
// heuristics and a longest common subsequence may pair other ones.
func TestInstalledGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("skipped: no git here")
	}
	total, agree, marked, conflicting := 0, 0, 0, 0
	for seed := range uint64(scale(250)) {
		m := newMaker(seed + 1<<32)
		if seed%5 == 0 {
			m.end = "\r\n"
		}
		d := m.doc(m.IntN(24))
		b, l, r := m.bytes(d), m.bytes(m.edit(d, m.IntN(5))), m.bytes(m.edit(d, m.IntN(5)))
		if bytes.IndexByte(bytes.Join([][]byte{b, l, r}, nil), 0) >= 0 {
			continue // git takes it for binary
		}
		want, conflicts := gitMerge(t, b, l, r)
		got := Merge(b, l, r)
		text := got.Markers([3]string{"b", "l", "r"})
		total++
		switch {
		case got.Clean == conflicts:
			t.Logf("seed %d: clean %v, git's conflicts %v\n%q\n%q\n%q", seed, got.Clean, conflicts, b, l, r)
		case got.Clean && !bytes.Equal(text, want):
			t.Logf("seed %d: %q %q %q:\ngot  %q\nwant %q", seed, b, l, r, text, want)
		default:
			agree++
			if !got.Clean {
				conflicting++
				if bytes.Equal(text, want) {
					marked++
				}
			}
		}
	}
	t.Logf("%d of %d agree; of %d with conflicts, %d with equal markers", agree, total, conflicting, marked)
	if agree*100 < total*99 {
		t.Error("too few agree with git")
	}
}

// Large text goes through anchors first, where git goes without; it is the same merge.
func TestInstalledGitLarge(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("skipped: no git here")
	}
	for seed := range uint64(scale(4)) {
		r := rand.New(rand.NewPCG(seed, 9))
		b, l, m := large(3000+r.IntN(3000), 0, seed)
		edit := func(v []byte, from int) []byte {
			var out []byte
			i := 0
			for line := range bytes.Lines(v) {
				if i%20 == from {
					out = append(out, "changed\n"...)
				} else {
					out = append(out, line...)
				}
				i++
			}
			return out
		}
		l, m = edit(l, 3), edit(m, 13)
		want, conflicts := gitMerge(t, b, l, m)
		got := Merge(b, l, m)
		if got.Clean == conflicts || !bytes.Equal(got.Text(), want) {
			t.Errorf("seed %d: clean %v, git's conflicts %v; equal %v", seed, got.Clean, conflicts, bytes.Equal(got.Text(), want))
		}
	}
}

// What Unified prints, git can apply.
func TestUnifiedApplies(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("skipped: no git here")
	}
	for seed := range uint64(scale(100)) {
		m := newMaker(seed + 2<<32)
		d := m.doc(1 + m.IntN(40))
		a, b := m.bytes(d), m.bytes(m.edit(d, 1+m.IntN(6)))
		patch := Unified(a, b, "a/file", "b/file", 3)
		if len(a) == 0 || len(b) == 0 || patch == nil {
			if (patch == nil) != bytes.Equal(a, b) {
				t.Errorf("seed %d: nothing printed for %q and %q", seed, a, b)
			}
			continue
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "file")
		if err := os.WriteFile(file, a, 0o600); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("git", "apply", "--whitespace=nowarn", "--unidiff-zero", "-")
		c.Dir, c.Stdin = dir, bytes.NewReader(patch)
		c.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("seed %d: %v: %s\n%s", seed, err, out, patch)
			continue
		}
		if got, _ := os.ReadFile(file); !bytes.Equal(got, b) {
			t.Errorf("seed %d: applied:\n%q\nwant\n%q\n%s", seed, got, b, patch)
		}
	}
}
