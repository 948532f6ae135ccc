package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var options = map[string]MemoryOptions{
	"exchange": {}, "link": {NoExchange: true}, "copy": {NoExchange: true, NoLinks: true},
}

func newMemory(o MemoryOptions) *Memory {
	m := NewMemory(ticking(func() time.Time { return time.Unix(1_800_000_000, 0) }), o)
	m.Mkdir("/u")
	return m
}

// scale is how much more the counted tests do than usual.
func scale(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("PLAIT_SCALE"), 64); err == nil {
		return int(float64(n) * f)
	}
	return n
}

// A scenario changes files of one disk and returns what had succeeded.
type scenario struct {
	name   string
	before map[string]string
	run    func(m *Memory) (acknowledged map[string]string)
	after  map[string]string // by file; "" is absent

	discards bool // what was acknowledged may be gone from beside
}

func content(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func stampOfFile(m *Memory, p string) Expect {
	i, err := m.Stat(p)
	if err != nil {
		return Expect{Absent: true}
	}
	return Expect{Stamp: i.Stamp}
}

var scenarios = []scenario{
	{"new file", nil, func(m *Memory) map[string]string {
		if _, err := m.Replace("/u/f", strings.NewReader("new"), 0o644, Expect{Absent: true}); err != nil {
			return nil
		}
		return map[string]string{"/u/f": "new"}
	}, map[string]string{"/u/f": "new"}, false},

	{"new file, new directories", nil, func(m *Memory) map[string]string {
		if _, err := m.Replace("/u/a/b/f", strings.NewReader("new"), 0o644, Expect{Absent: true}); err != nil {
			return nil
		}
		return map[string]string{"/u/a/b/f": "new"}
	}, map[string]string{"/u/a/b/f": "new"}, false},

	{"replace and discard", map[string]string{"/u/f": "old content"}, func(m *Memory) map[string]string {
		s, err := m.Replace("/u/f", strings.NewReader("new"), 0o644, stampOfFile(m, "/u/f"))
		if err != nil {
			return nil
		}
		_ = m.Discard(s)
		return map[string]string{"/u/f": "new"}
	}, map[string]string{"/u/f": "new"}, true},

	{"remove", map[string]string{"/u/f": "old"}, func(m *Memory) map[string]string {
		if _, err := m.Remove("/u/f", stampOfFile(m, "/u/f")); err != nil {
			return nil
		}
		return map[string]string{"/u/f": ""}
	}, map[string]string{"/u/f": ""}, false},

	{"many", map[string]string{"/u/f": "old f", "/u/g": "old g", "/u/d/h": "old h"}, func(m *Memory) map[string]string {
		ok := map[string]string{}
		changes := []Change{
			{"/u/f", content("new f"), 0o644, stampOfFile(m, "/u/f")},
			{"/u/g", nil, 0, stampOfFile(m, "/u/g")},
			{"/u/d/h", content("new h"), 0o644, stampOfFile(m, "/u/d/h")},
			{"/u/e/i", content("new i"), 0o644, Expect{Absent: true}},
		}
		wants := []string{"new f", "", "new h", "new i"}
		err := m.Write(changes, func(i int, _ Swapped, err error) error {
			if err == nil {
				ok[changes[i].Path] = wants[i]
			}
			return err
		})
		if err != nil {
			return nil // what succeeded need not be durable
		}
		return ok
	}, map[string]string{"/u/f": "new f", "/u/g": "", "/u/d/h": "new h", "/u/e/i": "new i"}, false},
}

// TestCrash dies at every effect of every scenario, in all ways, the power failing or not.
func TestCrash(t *testing.T) {
	points := 0
	for _, sc := range scenarios {
		for how, o := range options {
			for _, fate := range []Fate{CrashBefore, CrashTorn, CrashAfter} {
				for n := 1; ; n++ {
					reached := false
					cuts := []*rand.Rand{nil}
					for seed := range scale(8) {
						cuts = append(cuts, rand.New(rand.NewPCG(uint64(seed), uint64(n))))
					}
					for c, cut := range cuts {
						if crashOnce(t, fmt.Sprintf("%s, %s, fate %d at effect %d, cut %d", sc.name, how, fate, n, c), sc, o, n, fate, cut) {
							reached = true
						}
					}
					if !reached {
						break
					}
					points++
				}
			}
		}
	}
	t.Logf("%d crash points, each without and with %d power cuts", points, scale(8))
}

func crashOnce(t *testing.T, what string, sc scenario, o MemoryOptions, n int, fate Fate, cut *rand.Rand) bool {
	m := newMemory(o)
	for p, c := range sc.before {
		m.WriteFile(p, []byte(c))
	}
	m.CrashAt(n, fate)
	acknowledged := sc.run(m)
	crashed := m.Crashed()
	m.Reboot(cut)

	left, err := m.Leftovers("/u")
	if err != nil {
		t.Fatalf("%s: Leftovers: %v", what, err)
	}
	aside := map[string][]string{}
	for _, s := range left {
		b, _, err := m.Read(s.Aside, 0)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		aside[s.Path] = append(aside[s.Path], string(b))
	}
	files := m.Files("/u")
	for p, after := range sc.after {
		b, ok := files[p]
		is, before := string(b), sc.before[p]
		if ok != (is != "") || is != before && is != after {
			t.Errorf("%s: %s = %q, want %q or %q whole (D1)", what, p, is, before, after)
		}
		if ack, done := acknowledged[p]; done && is != ack {
			t.Errorf("%s: %s = %q, but %q was acknowledged", what, p, is, ack)
		}
		if before != "" && is != before && !slices.Contains(aside[p], before) && (len(acknowledged) == 0 || !sc.discards) {
			t.Errorf("%s: %q of %s is lost: beside are %q (D2)", what, before, p, aside[p])
		}
		for _, b := range aside[p] {
			if b != before && b != after {
				t.Errorf("%s: beside %s lies %q, neither old nor new", what, p, b)
			}
		}
	}
	for _, s := range left {
		if err := m.Discard(s); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for p := range m.Files("/u") {
		if _, known := sc.after[p]; !known {
			t.Errorf("%s: %s is left", what, p)
		}
	}
	return crashed
}

// TestFaults makes each effect fail once: the change must fail as well, or be whole, and
// nothing may be left beside.
func TestFaults(t *testing.T) {
	for _, sc := range scenarios {
		for how, o := range options {
			for _, code := range []error{ErrFull, ErrBroken, ErrLocked} {
				for n := 1; ; n++ {
					m := newMemory(o)
					for p, c := range sc.before {
						m.WriteFile(p, []byte(c))
					}
					at, op := 0, ""
					m.SetFault(func(o, p string) error {
						if o == "unlink" || o == "rmdir" {
							return nil // cleaning up; TestCrash covers its absence
						}
						if at++; at == n {
							op = o + " " + p
							return code
						}
						return nil
					})
					ack := sc.run(m)
					m.SetFault(nil)
					if op == "" {
						break
					}
					what := fmt.Sprintf("%s, %s, %v at %d, %s", sc.name, how, code, n, op)
					left, err := m.Leftovers("/u")
					if err != nil {
						t.Fatal(what, err)
					}
					files := m.Files("/u")
					for p, after := range sc.after {
						is := string(files[p])
						if want, ok := ack[p]; ok && is != want || is != after && is != sc.before[p] {
							t.Errorf("%s: %s = %q", what, p, is)
						}
					}
					if len(ack) == 0 && len(sc.after) == 1 && maps.Equal(asStrings(files), sc.before) && len(left) > 0 {
						t.Errorf("%s: nothing was changed, but %+v is left", what, left)
					}
				}
			}
		}
	}
}

func asStrings(files map[string][]byte) map[string]string {
	all := map[string]string{}
	for p, b := range files {
		all[p] = string(b)
	}
	return all
}

func TestFullDisk(t *testing.T) {
	m := newMemory(MemoryOptions{})
	m.WriteFile("/u/f", []byte("old"))
	m.SetFault(func(op, _ string) error {
		if op == "write" {
			return ErrFull
		}
		return nil
	})
	if s, err := m.Replace("/u/f", strings.NewReader("much more"), 0o644, stampOfFile(m, "/u/f")); !errors.Is(err, ErrFull) || s.Aside != "" {
		t.Errorf("%+v, %v", s, err)
	}
	if got := asStrings(m.Files("/u")); !maps.Equal(got, map[string]string{"/u/f": "old"}) {
		t.Errorf("files = %q", got)
	}
}

func TestLocked(t *testing.T) {
	for how, o := range options {
		m := newMemory(o)
		m.WriteFile("/u/f", []byte("old"))
		e := stampOfFile(m, "/u/f")
		m.Lock("/u/f", true)
		if _, _, err := m.Read("/u/f", 0); !errors.Is(err, ErrLocked) {
			t.Errorf("%s: Read: %v", how, err)
		}
		if _, err := m.Replace("/u/f", strings.NewReader("new"), 0o644, e); !errors.Is(err, ErrLocked) {
			t.Errorf("%s: Replace: %v", how, err)
		}
		if _, err := m.Remove("/u/f", e); !errors.Is(err, ErrLocked) {
			t.Errorf("%s: Remove: %v", how, err)
		}
		if got := asStrings(m.Files("/u")); !maps.Equal(got, map[string]string{"/u/f": "old"}) {
			t.Errorf("%s: files = %q", how, got)
		}
		m.Lock("/u/f", false)
		if _, err := m.Replace("/u/f", strings.NewReader("new"), 0o644, stampOfFile(m, "/u/f")); err != nil {
			t.Errorf("%s: unlocked: %v", how, err)
		}
	}
}

// TestRaced has another program save in the instant between the check and the exchange.
func TestRaced(t *testing.T) {
	saves := map[string]func(*Memory, string){
		"rename":   func(m *Memory, p string) { m.SaveByRename(p, []byte("theirs")) },
		"in place": func(m *Memory, p string) { m.WriteFile(p, []byte("theirs")) },
	}
	for how, save := range saves {
		for _, remove := range []bool{false, true} {
			m := newMemory(MemoryOptions{})
			m.WriteFile("/u/f", []byte("old"))
			m.OnExchange(func(p string) { save(m, p) })
			var s Swapped
			var err error
			if remove {
				s, err = m.Remove("/u/f", stampOfFile(m, "/u/f"))
			} else {
				s, err = m.Replace("/u/f", strings.NewReader("ours"), 0o644, stampOfFile(m, "/u/f"))
			}
			if b, _ := m.Content(s.Aside); err != nil || !s.Raced || string(b) != "theirs" {
				t.Errorf("%s, remove %v: %+v, %v; displaced %q", how, remove, s, err, b)
			}
		}
	}

	// A file that appears, goes, or turns into something else in that instant is left alone.
	m := newMemory(MemoryOptions{})
	m.OnExchange(func(p string) { m.SaveByRename(p, []byte("theirs")) })
	if s, err := m.Replace("/u/new", strings.NewReader("ours"), 0o644, Expect{Absent: true}); !errors.Is(err, ErrChanged) {
		t.Errorf("appeared: %+v, %v", s, err)
	}
	for what, other := range map[string]func(p string){
		"went":      func(p string) { m.RemoveAll(p) },
		"directory": func(p string) { m.RemoveAll(p); m.Mkdir(p) },
		"symlink":   func(p string) { m.RemoveAll(p); m.Symlink("/u/new", p) },
	} {
		for _, remove := range []bool{false, true} {
			m.OnExchange(nil)
			m.RemoveAll("/u/x")
			m.WriteFile("/u/x", []byte("old"))
			m.OnExchange(other)
			var err error
			if remove {
				_, err = m.Remove("/u/x", stampOfFile(m, "/u/x"))
			} else {
				_, err = m.Replace("/u/x", strings.NewReader("ours"), 0o644, stampOfFile(m, "/u/x"))
			}
			if !errors.Is(err, ErrChanged) {
				t.Errorf("%s, remove %v: %v", what, remove, err)
			}
			if i, err := m.Lstat("/u/x"); err == nil && i.Mode.IsRegular() {
				t.Errorf("%s, remove %v: overwritten: %v", what, remove, i.Mode)
			}
		}
	}
	if got := asStrings(m.Files("/u")); !maps.Equal(got, map[string]string{"/u/new": "theirs"}) {
		t.Errorf("files = %q", got)
	}
}

// With only hard links the save is still seen if it falls before the link.
func TestRacedWithoutExchange(t *testing.T) {
	for _, how := range []string{"link", "copy"} {
		m := newMemory(options[how])
		m.WriteFile("/u/f", []byte("old"))
		m.OnExchange(func(p string) { m.SaveByRename(p, []byte("theirs")) })
		s, err := m.Replace("/u/f", strings.NewReader("ours"), 0o644, stampOfFile(m, "/u/f"))
		if b, _ := m.Content("/u/f"); !errors.Is(err, ErrChanged) || string(b) != "theirs" {
			t.Errorf("%s: %+v, %v; file %q", how, s, err, b)
		}
	}
}

func TestUnreadableDirectory(t *testing.T) {
	m := newMemory(MemoryOptions{})
	m.WriteFile("/u/a/f", nil)
	m.WriteFile("/u/b/f", nil)
	m.SetFault(func(op, p string) error {
		if op == "list" && p == filepath.FromSlash("/u/a") {
			return fs.ErrPermission
		}
		return nil
	})
	var seen, broken []string
	err := m.Scan("/u", func(i Info, err error) error {
		if err != nil {
			broken = append(broken, i.Name)
			return nil
		}
		seen = append(seen, i.Name)
		return nil
	})
	if err != nil || !slices.Equal(seen, []string{"a", "b", "f"}) || !slices.Equal(broken, []string{"a"}) {
		t.Errorf("seen %q, broken %q, %v", seen, broken, err)
	}
}

// On a disk that folds names, a name that means another file is refused; and a name
// in the other Unicode form means the file that is there.
func TestGuardFolding(t *testing.T) {
	for _, c := range []struct{ there, name string }{
		{"README", "readme"}, {"src/Main.go", "src/main.go"}, {"SRC/x", "src/y"}, {"É", "é"}, {"a\u200cb", "ab"},
	} {
		m := newMemory(MemoryOptions{FoldCase: true})
		m.WriteFile("/u/"+c.there, []byte("x"))
		g := NewGuard(m, "/u", false)
		if p, err := g.Place(c.name); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%q over %q: %s, %v", c.name, c.there, p, err)
		}
		g = NewGuard(m, "/u", false)
		g.without = guardAlias
		if _, err := g.Place(c.name); err != nil {
			t.Errorf("%q over %q is stopped by something else as well: %v", c.name, c.there, err)
		}
		plain := newMemory(MemoryOptions{})
		plain.WriteFile("/u/"+c.there, []byte("x"))
		if _, err := NewGuard(plain, "/u", false).Place(c.name); err != nil {
			t.Errorf("where names are not folded, %q beside %q: %v", c.name, c.there, err)
		}
	}
	for _, o := range []MemoryOptions{{}, {FoldCase: true}} {
		m := newMemory(o)
		m.WriteFile("/u/e\u0301/o\u0308.txt", []byte("x"))
		if p, err := NewGuard(m, "/u", false).Place("é/ö.txt"); p != filepath.FromSlash("/u/e\u0301/o\u0308.txt") || err != nil {
			t.Errorf("decomposed file: %q, %v", p, err)
		}
	}
	m := newMemory(MemoryOptions{})
	g := NewGuard(m, "/u", false)
	if _, err := g.Place("a/f"); err != nil {
		t.Fatal(err)
	}
	m.WriteFile("/u/a/f", nil)
	if p, err := g.Place("a/f"); err != nil {
		t.Errorf("made meanwhile: %s, %v", p, err)
	}
}

// What was discarded stays away once that is settled, whatever is lost of the rest.
func TestSettle(t *testing.T) {
	back := 0
	for seed := range uint64(20) {
		for _, settle := range []bool{false, true} {
			m := newMemory(MemoryOptions{})
			m.WriteFile("/d/f", []byte("old"))
			i, _ := m.Stat("/d/f")
			s, err := m.Replace("/d/f", strings.NewReader("new"), 0o644, Expect{Stamp: i.Stamp})
			if err == nil {
				err = m.Discard(s)
			}
			if err == nil && settle {
				err = m.Settle()
			}
			if err != nil {
				t.Fatal(err)
			}
			m.Reboot(rand.New(rand.NewPCG(seed, 1)))
			if n := len(m.Files("/")); n > 1 && settle {
				t.Errorf("seed %d: %d files", seed, n)
			} else if n > 1 {
				back++
			}
			if effects := m.Effects(); m.Settle() != nil || settle && m.Effects() != effects {
				t.Error("settling nothing was no rest")
			}
		}
	}
	if back == 0 {
		t.Error("no power cut brought anything back: this tests nothing")
	}
}

func TestClone(t *testing.T) {
	a := newMemory(MemoryOptions{})
	a.WriteFile("/d/f", []byte("old"))
	if _, err := a.Replace("/d/g", strings.NewReader("new"), 0o644, Expect{Absent: true}); err != nil {
		t.Fatal(err)
	}
	was := a.Files("/")
	b := a.Clone(a.m.clock, MemoryOptions{})
	sa, _ := a.Stat("/d/f")
	if sb, err := b.Stat("/d/f"); err != nil || sb != sa || !maps.EqualFunc(was, b.Files("/"), slices.Equal) {
		t.Errorf("the clone has %+v, %v; want %+v", sb, err, sa)
	}
	b.WriteFile("/d/f", []byte("other"))
	b.RemoveAll("/d/g")
	if !maps.EqualFunc(was, a.Files("/"), slices.Equal) {
		t.Errorf("a change of the clone changed the first: %q", a.Files("/"))
	}
}
