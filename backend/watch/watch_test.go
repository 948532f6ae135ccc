package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

func TestDebounce(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	d := Debounce{Quiet: Quiet, Longest: Longest}
	if _, ok := d.Due(); ok {
		t.Error("due without a change")
	}
	if _, ok := d.Take(at(0)); ok {
		t.Error("taken without a change")
	}
	d.Add(at(0), "b")
	d.Add(at(200), "a")
	d.Add(at(250), "b")
	if due, ok := d.Due(); due != at(550) || !ok {
		t.Errorf("due %v, %v", due, ok)
	}
	if e, ok := d.Take(at(549)); ok {
		t.Errorf("taken early: %+v", e)
	}
	if e, ok := d.Take(at(550)); !ok || !slices.Equal(e.Paths, []string{"a", "b"}) || e.All {
		t.Errorf("taken: %+v, %v", e, ok)
	}
	if _, ok := d.Due(); ok {
		t.Error("due again")
	}

	// Something that never rests is told after 5 s all the same.
	for ms := 1000; ms < 7000; ms += 100 {
		d.Add(at(ms), "log")
		if due, _ := d.Due(); due.After(at(6000)) {
			t.Fatalf("at %d ms due only at %v", ms, due)
		}
	}
	if e, ok := d.Take(at(6000)); !ok || len(e.Paths) != 1 {
		t.Errorf("%+v, %v", e, ok)
	}

	d.Add(at(8000), "a")
	d.All(at(8001))
	if e, ok := d.Take(at(9000)); !ok || !e.All || e.Paths != nil {
		t.Errorf("%+v, %v", e, ok)
	}
	for i := range tooMany + 1 {
		d.Add(at(10000), fmt.Sprint(i))
	}
	if e, _ := d.Take(at(11000)); !e.All {
		t.Error("a thousand paths are told one by one")
	}
}

// fake is a source whose events the test makes up.
type fake struct {
	events chan fsnotify.Event
	errs   chan error
	mu     sync.Mutex // guards dirs and refuse
	dirs   map[string]int
	refuse error
}

func newFake() *fake {
	return &fake{events: make(chan fsnotify.Event), errs: make(chan error), dirs: map[string]int{}}
}

func (f *fake) Add(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return f.refuse
	}
	f.dirs[dir]++
	return nil
}

func (f *fake) Remove(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.dirs, dir)
	return nil
}

func (f *fake) Close() error { return nil }

func (f *fake) start(targets []Target, o Options) *Watcher {
	return start(f, f.events, f.errs, targets, o)
}

func own(name string) bool { return strings.HasPrefix(name, ".plait-") }

func TestWatcher(t *testing.T) {
	dir := t.TempDir()
	p := func(name string) string { return filepath.Join(dir, name) }
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		w := f.start([]Target{{Dir: dir, Files: []string{"settings.json", "mcp.json"}}}, Options{Ignore: own})
		defer w.Close()

		begin := time.Now()
		f.events <- fsnotify.Event{Name: p("settings.json"), Op: fsnotify.Write}
		e := <-w.Events()
		if took := time.Since(begin); took != Quiet || !slices.Equal(e.Paths, []string{p("settings.json")}) {
			t.Errorf("after %v: %+v", took, e)
		}

		// What does not matter is not told.
		for _, e := range []fsnotify.Event{
			{Name: p("other.json"), Op: fsnotify.Write}, {Name: p(".plait-old-x-settings.json"), Op: fsnotify.Create},
			{Name: p("settings.json"), Op: fsnotify.Chmod}, {Name: filepath.Dir(dir) + "/else", Op: fsnotify.Create},
		} {
			f.events <- e
		}
		select {
		case e := <-w.Events():
			t.Errorf("told: %+v", e)
		case <-time.After(time.Minute):
		}

		// A save by renaming, as the system tells it.
		f.events <- fsnotify.Event{Name: p("settings.json.tmp"), Op: fsnotify.Create}
		f.events <- fsnotify.Event{Name: p("settings.json.tmp"), Op: fsnotify.Rename}
		f.events <- fsnotify.Event{Name: p("settings.json"), Op: fsnotify.Create}
		if e := <-w.Events(); !slices.Equal(e.Paths, []string{p("settings.json")}) {
			t.Errorf("%+v", e)
		}

		// Without rest, it is told after 5 s, and nothing of the time in which nobody listens is lost.
		begin = time.Now()
		for range 60 {
			f.events <- fsnotify.Event{Name: p("mcp.json"), Op: fsnotify.Write}
			<-time.After(100 * time.Millisecond) // of the bubble's time
		}
		e = <-w.Events()
		if took := time.Since(begin); took != 6*time.Second || !slices.Equal(e.Paths, []string{p("mcp.json")}) {
			t.Errorf("after %v: %+v", took, e)
		}
		e = <-w.Events()
		if !slices.Equal(e.Paths, []string{p("mcp.json")}) {
			t.Errorf("the rest: %+v", e)
		}

		// Lost events.
		f.errs <- fsnotify.ErrEventOverflow
		if e := <-w.Events(); !e.All || e.Err != nil {
			t.Errorf("overflow: %+v", e)
		}
		broken := errors.New("broken")
		f.errs <- broken
		if e := <-w.Events(); !e.All || !errors.Is(e.Err, broken) {
			t.Errorf("error: %+v", e)
		}
	})
}

func TestWatcherWithoutRoom(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.refuse = errors.New("no space left on device")
		w := f.start([]Target{{Dir: dir}}, Options{})
		if e := <-w.Events(); !e.All || !errors.Is(e.Err, f.refuse) {
			t.Errorf("%+v", e)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if _, open := <-w.Events(); open {
			t.Error("events after Close")
		}
		w.Set(nil) // after Close: nothing happens
		w.Close()
	})
}

func TestSet(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	for _, d := range []string{a, b} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		w := f.start([]Target{{Dir: a}}, Options{})
		defer w.Close()
		w.Set([]Target{{Dir: b}})
		<-w.Events() // b is new: look
		f.events <- fsnotify.Event{Name: filepath.Join(a, "x"), Op: fsnotify.Write}
		f.events <- fsnotify.Event{Name: filepath.Join(b, "y"), Op: fsnotify.Write}
		if e := <-w.Events(); !slices.Equal(e.Paths, []string{filepath.Join(b, "y")}) {
			t.Errorf("%+v", e)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.dirs[a] != 0 || f.dirs[b] == 0 {
			t.Errorf("watched: %v", f.dirs)
		}
	})
}

// TestSystem sees what real saves look like.
func TestSystem(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := func(parts ...string) string { return filepath.Join(append([]string{root}, parts...)...) }
	do := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	do(os.MkdirAll(p("User"), 0o755), os.MkdirAll(p("dotfiles"), 0o755), os.MkdirAll(p("files", "deep"), 0o755),
		os.WriteFile(p("dotfiles", "mcp.json"), nil, 0o644), os.WriteFile(p("User", "settings.json"), nil, 0o644))
	if err := os.Symlink(p("dotfiles", "mcp.json"), p("User", "mcp.json")); err != nil {
		t.Skip("no symlinks here")
	}
	w, err := Open([]Target{{Dir: p("User")}, {Dir: p("User", "snippets")}, {Dir: p("files"), Tree: true}},
		Options{Quiet: 5 * time.Millisecond, Ignore: own})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	// told waits until the path, or a directory above it, has been told.
	told := func(what, path string) {
		t.Helper()
		patience := time.After(20 * time.Second)
		for {
			select {
			case e := <-w.Events():
				if e.Err != nil {
					t.Fatalf("%s: %v", what, e.Err)
				}
				for _, got := range e.Paths {
					if e.All || path == got || strings.HasPrefix(path, got+string(filepath.Separator)) {
						return
					}
				}
			case <-patience:
				t.Fatalf("%s: %s was never told", what, path)
			}
		}
	}
	save := func(path, content string) {
		t.Helper()
		do(os.WriteFile(path+".tmp", []byte(content), 0o644), os.Rename(path+".tmp", path))
	}
	settings := p("User", "settings.json")
	do(os.WriteFile(settings, []byte("1"), 0o644))
	told("write in place", settings)
	for range 3 {
		save(settings, "2")
		told("rename over", settings)
	}
	do(os.Remove(settings), os.WriteFile(settings, []byte("3"), 0o644))
	told("remove and create", settings)

	save(p("dotfiles", "mcp.json"), "x")
	told("target of a symlink", p("User", "mcp.json"))

	do(os.Mkdir(p("User", "snippets"), 0o755))
	told("directory made later", p("User", "snippets"))
	save(p("User", "snippets", "go.json"), "{}")
	told("file in it", p("User", "snippets", "go.json"))

	do(os.MkdirAll(p("files", "a", "b"), 0o755), os.WriteFile(p("files", "a", "b", "c"), nil, 0o644))
	told("new tree", p("files", "a", "b", "c"))
	do(os.WriteFile(p("files", "a", "b", "d"), nil, 0o644))
	told("file in a new tree", p("files", "a", "b", "d"))
	do(os.WriteFile(p("files", "deep", "e"), nil, 0o644))
	told("file in an old tree", p("files", "deep", "e"))

	// The whole User folder is exchanged for another.
	do(os.MkdirAll(p("other"), 0o755), os.WriteFile(p("other", "settings.json"), []byte("5"), 0o644),
		os.Rename(p("User"), p("User.bak")), os.Rename(p("other"), p("User")))
	told("folder exchanged", p("User"))
	save(settings, "6")
	told("file in the exchanged folder", settings)
}
