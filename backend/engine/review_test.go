package engine

import (
	"context"
	"fmt"
	"path"
	"strings"
	"testing"

	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/state"
	"plait/backend/store"
)

// A lateFS lets a program that held the displaced file open write to it, once.
type lateFS struct {
	*disk.Memory
	text *string
}

func (f lateFS) Discard(sw disk.Swapped) error {
	if t := *f.text; t != "" {
		*f.text = ""
		f.WriteFile(sw.Aside, []byte(t))
	}
	return f.Memory.Discard(sw)
}

// What a program that held the old file open wrote after the exchange is taken up,
// and not left beside the file for ever; nor does it undo what was just applied.
func TestLateWriteToDisplacedFileIsTakenUp(t *testing.T) {
	for _, name := range []string{"User/prompts/tidy.md", "notes/one.txt"} {
		w := newWorld(t, 11)
		a := w.add("a")
		a.write(name, "one\n\nfar\n")
		a.mustSync()
		b := w.add("b")
		b.mustSync()
		a.write(name, "ONE\n\nfar\n")
		a.mustSync()
		late := "one\n\nfar away\n"
		b.e.cfg.FS = lateFS{b.fs, &late}
		w.tick(10e9)
		b.mustSync()
		for range 2 {
			w.tick(10e9)
			b.mustSync()
			a.mustSync()
		}
		if n := len(b.fs.Files("/b/" + path.Dir(name))); n != 1 {
			t.Errorf("%s: %d files lie there", name, n)
		}
		cs, err := a.e.Conflicts(t.Context(), "")
		w.must(err)
		if len(cs) == 0 && a.read(name) != "ONE\n\nfar away\n" {
			t.Errorf("%s: a has %q", name, a.read(name))
		}
		past, err := a.e.History(t.Context(), "")
		w.must(err)
		found := false
		for _, p := range past {
			for _, x := range p.Entry.Writes {
				found = found || strings.Contains(string(x.Value.Data), "far away")
			}
		}
		if !found {
			t.Errorf("%s: what was written late is lost", name)
		}
	}
}

// A strategy that another device set is followed in the same round by all that it is about.
func TestStrategyOfAThirdDeviceSettles(t *testing.T) {
	w := newWorld(t, 12)
	a := w.add("a")
	a.write("User/settings.json", settings)
	a.mustSync()
	b, c := w.add("b"), w.add("c")
	b.mustSync()
	c.mustSync()
	a.write("User/settings.json", strings.Replace(settings, "12", "14", 1))
	b.write("User/settings.json", strings.Replace(settings, "12", "13", 1))
	for range 2 {
		for _, d := range w.devices {
			d.mustSync()
		}
	}
	w.must(c.e.SetStrategy("settings", state.Local))
	for range 4 {
		w.tick(10e9)
		for _, d := range []*device{c, a, b} {
			d.mustSync()
		}
	}
	it, err := c.e.item("default/settings")
	w.must(err)
	if n := len(it.Atoms[item.Key{Path: "/editor.fontSize"}].Live); n > 1 {
		t.Errorf("%d siblings are left", n)
	}
	if x, y := a.read("User/settings.json"), b.read("User/settings.json"); x != y {
		t.Errorf("a has\n%s\nb has\n%s", x, y)
	}
}

// An incarnation that begins while a file is half written takes the intent along.
func TestNewIncarnationWithIntent(t *testing.T) {
	w := newWorld(t, 13)
	a := w.add("a")
	a.write("User/settings.json", settings)
	a.mustSync()
	b := w.add("b")
	b.mustSync()
	a.write("User/settings.json", strings.Replace(settings, "12", "14", 1))
	a.mustSync()
	b.write("User/settings.json", strings.Replace(settings, "8", "6", 1))
	// The file can't be exchanged: the intent stays.
	b.fs.SetFault(func(op, path string) error {
		if op == "exchange" {
			return fmt.Errorf("no")
		}
		return nil
	})
	if _, err := b.sync(RoundOptions{NoPush: true}); err != nil {
		t.Fatal(err)
	}
	b.fs.SetFault(nil)
	w.must(b.e.newIncarnation(nil))
	b.mustSync()
	a.mustSync()
	if x, y := a.read("User/settings.json"), b.read("User/settings.json"); x != y || !strings.Contains(x, "14") || !strings.Contains(x, "6") {
		t.Errorf("a has\n%s\nb has\n%s", x, y)
	}
}

// A replica that is not attached at the moment keeps a basis that means something.
func TestNewIncarnationRenamesAllBases(t *testing.T) {
	w := newWorld(t, 14)
	a := w.add("a")
	b := w.add("b")
	b.mustSync()
	b.write("User/settings.json", settings)
	_, err := b.sync(RoundOptions{NoPush: true})
	w.must(err)
	all := b.sources
	w.must(b.e.SetSources(all[1:]))
	w.must(b.e.newIncarnation(nil))
	w.must(b.e.SetSources(all))
	b.mustSync()
	b.write("User/settings.json", strings.Replace(settings, "8", "6", 1))
	b.mustSync()
	a.mustSync()
	if got := a.read("User/settings.json"); !strings.Contains(got, "6") {
		t.Errorf("a has\n%s", got)
	}
}

// What a mask no longer takes comes to the file.
func TestUnmaskedValueArrives(t *testing.T) {
	w := newWorld(t, 15)
	a := w.add("a")
	a.write("User/settings.json", settings)
	a.mustSync()
	b := w.add("b")
	b.sources[0].(*userDir).ignore = func(p item.Path) bool { return p[0] == "editor.fontSize" }
	b.sources[0].(*userDir).print = [8]byte{1}
	b.mustSync()
	if got := b.read("User/settings.json"); strings.Contains(got, "fontSize") {
		t.Fatal(got)
	}
	b.sources[0].(*userDir).ignore, b.sources[0].(*userDir).print = nil, [8]byte{}
	w.tick(10e9)
	b.mustSync()
	b.mustSync()
	if got := b.read("User/settings.json"); !strings.Contains(got, "fontSize\": 12") {
		t.Errorf("b has\n%s", got)
	}
}

// A file becomes a folder, and a folder a file.
func TestFileBecomesFolderAndBack(t *testing.T) {
	w := newWorld(t, 16)
	a := w.add("a")
	a.write("notes/x", "file\n")
	a.write("notes/y/z", "below\n")
	a.mustSync()
	b := w.add("b")
	b.mustSync()
	a.fs.RemoveAll("/a/notes/x")
	a.write("notes/x/deep", "below x\n")
	a.fs.RemoveAll("/a/notes/y")
	a.write("notes/y", "file y\n")
	a.mustSync()
	for range 3 {
		w.tick(10e9)
		_, err := b.sync(RoundOptions{})
		w.must(err)
	}
	b.mustSync()
	if b.read("notes/x/deep") != "below x\n" || b.read("notes/y") != "file y\n" {
		t.Errorf("b has x/deep %q, y %q", b.read("notes/x/deep"), b.read("notes/y"))
	}
	b.fs.RemoveAll("/b/notes/x")
	b.write("notes/x", "file again\n")
	b.mustSync()
	for range 3 {
		w.tick(10e9)
		_, err := a.sync(RoundOptions{})
		w.must(err)
	}
	a.mustSync()
	if a.read("notes/x") != "file again\n" {
		t.Errorf("a has x %q", a.read("notes/x"))
	}
}

// A pack that was sent in a later life of the database, and is gone from the spool
// since, keeps nothing from being sent.
func TestPackThatWasSentAlready(t *testing.T) {
	w := newWorld(t, 17)
	a := w.add("a")
	a.mustSync()
	a.write("notes/large.txt", strings.Repeat("0123456789", 30000))
	_, err := a.sync(RoundOptions{NoPush: true})
	w.must(err)
	var waiting []string
	names, err := a.e.allPacks()
	w.must(err)
	for _, p := range names {
		waiting = append(waiting, packName(p.Name))
		w.must(a.store.Put(context.Background(), packName(p.Name), a.spool.(MemorySpool).Pack(p.Name)))
		w.must(a.spool.Remove(p.Name))
	}
	if len(waiting) != 1 {
		t.Fatal(waiting)
	}
	a.mustSync()
	b := w.add("b")
	b.mustSync()
	if b.read("notes/large.txt") != a.read("notes/large.txt") {
		t.Error("b lacks the file")
	}
	_ = store.Packs
}

// A folder that is not mounted stops nothing but itself; and it is not filled anew
// either, where the database is in doubt.
func TestCatchHoldsBackOneReplica(t *testing.T) {
	for _, doubt := range []bool{false, true} {
		w := newWorld(t, 18)
		a := w.add("a")
		a.write("User/settings.json", settings)
		a.write("notes/one.txt", "one\n")
		a.mustSync()
		b := w.add("b")
		b.mustSync()
		if doubt {
			w.must(b.e.newIncarnation(nil))
		}
		b.fs.RemoveAll("/b/notes")
		b.write("User/settings.json", strings.Replace(settings, "8", "6", 1))
		a.write("User/settings.json", strings.Replace(settings, "12", "14", 1))
		a.write("notes/two.txt", "two\n")
		a.mustSync()
		for range 2 {
			w.tick(10e9)
			r, err := b.sync(RoundOptions{})
			w.must(err)
			if r.Caught == nil || r.Caught.Root != "/b/notes" {
				t.Fatalf("doubt %v: caught %v", doubt, r.Caught)
			}
		}
		a.mustSync()
		for _, d := range w.devices {
			// In doubt, an edit that history does not know is met as one: it conflicts.
			if got := d.read("User/settings.json"); !strings.Contains(got, "14") || !doubt && !strings.Contains(got, "6") {
				t.Errorf("doubt %v: %s has\n%s", doubt, d.name, got)
			}
		}
		if a.read("notes/one.txt") != "one\n" || b.read("notes/two.txt") != "(none)" {
			t.Errorf("doubt %v: a has %q, b has %q", doubt, a.read("notes/one.txt"), b.read("notes/two.txt"))
		}
		b.fs.Mkdir("/b/notes")
		b.fs.WriteFile("/b/notes/one.txt", []byte("one\n"))
		w.tick(10e9)
		b.mustSync()
		if b.read("notes/two.txt") != "two\n" {
			t.Errorf("doubt %v: b lacks two.txt", doubt)
		}
	}
}

// An edit of a disk that lags behind replaces what others may have forgotten: they
// can read it all the same.
func TestEditOfWhatOthersForgot(t *testing.T) {
	w := newWorld(t, 19)
	w.sizes = shipped
	w.sizes.past = 2
	a := w.add("a")
	text := func(n int) string {
		return strings.Repeat("a line that stays as it is\n", 40) + fmt.Sprintln("version", n)
	}
	a.write("User/prompts/tidy.md", text(1))
	a.mustSync()
	b := w.add("b")
	b.mustSync()
	for n := range 3 {
		a.write("User/prompts/tidy.md", text(2+n))
		a.mustSync()
	}
	// b takes in, and applies nothing; a hears that b has seen it all, and forgets.
	_, err := b.sync(RoundOptions{NoApply: true})
	w.must(err)
	w.tick(25 * 3600e9)
	_, err = b.sync(RoundOptions{NoApply: true})
	w.must(err)
	a.mustSync()
	for n := range 4 {
		a.write("User/prompts/tidy.md", text(5+n))
		a.mustSync()
	}
	b.write("User/prompts/tidy.md", text(1)+"an edit at b\n")
	_, err = b.sync(RoundOptions{NoApply: true})
	w.must(err)
	a.mustSync()
	if cs, err := a.e.Conflicts(t.Context(), ""); err != nil || len(cs) != 1 {
		t.Errorf("a has %d conflicts, and the text\n%s", len(cs), a.read("User/prompts/tidy.md"))
	}
}
