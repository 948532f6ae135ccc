package engine

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"plait/backend/localdb"
	"plait/backend/store"
)

// What the simulation found, each told alone.

// Keybindings that meet on one key are put in order once, in the round in which they
// meet: not by each device anew, a round later.
func TestRulesThatMeetAreOrderedOnce(t *testing.T) {
	w := newWorld(t, 21)
	a, b, c := w.add("a"), w.add("b"), w.add("c")
	a.write("User/keybindings.json", "[\n    {\"key\": \"ctrl+1\", \"command\": \"one\"}\n]\n")
	for range 2 {
		a.mustSync()
		b.mustSync()
		c.mustSync()
	}
	a.write("User/keybindings.json", "[\n    {\"key\": \"ctrl+1\", \"command\": \"one\"},\n    {\"key\": \"ctrl+5\", \"command\": \"two\"}\n]\n")
	b.write("User/keybindings.json", "[\n    {\"key\": \"ctrl+1\", \"command\": \"one\"},\n    {\"key\": \"ctrl+5\", \"command\": \"three\"}\n]\n")
	a.mustSync()
	b.mustSync()
	c.mustSync()
	a.mustSync()
	for _, d := range w.devices {
		if r := d.mustSync(); r.Pulled+r.Applied+r.Pushed > 0 {
			t.Errorf("%s has not come to rest: %+v", d.name, r)
		}
	}
	if x, y := a.read("User/keybindings.json"), b.read("User/keybindings.json"); strings.Index(x, "two") < strings.Index(x, "three") != (strings.Index(y, "two") < strings.Index(y, "three")) {
		t.Errorf("orders differ:\n%s\n%s", x, y)
	}
}

// A text that was merged is nobody's, and no device sends its content.
func TestMergedTextIsNotPacked(t *testing.T) {
	w := newWorld(t, 22)
	a, b := w.add("a"), w.add("b")
	lines := strings.Split(strings.Repeat("a line of a longer text\n", 80), "\n")
	text := func(at int, s string) string {
		l := slices.Clone(lines)
		l[at] = s
		return strings.Join(l, "\n")
	}
	a.write("notes/long.txt", text(1, "one"))
	a.mustSync()
	b.mustSync()
	a.write("notes/long.txt", text(1, "ONE"))
	l := strings.Split(text(1, "one"), "\n")
	l[70] = "seventy"
	b.write("notes/long.txt", strings.Join(l, "\n"))
	a.mustSync()
	b.mustSync()
	a.mustSync()
	packs := len(w.bucket.Raw().Names(store.Packs))
	for range 3 {
		w.tick(10 * time.Second)
		for _, d := range w.devices {
			if r := d.mustSync(); r.Pushed > 0 {
				t.Errorf("%s sends %d", d.name, r.Pushed)
			}
		}
	}
	if n := len(w.bucket.Raw().Names(store.Packs)); n != packs {
		t.Errorf("%d packs more for a text that nobody wrote", n-packs)
	}
}

// A comment for which the document has no place for a while is not taken for removed.
func TestCommentWithoutAPlaceStays(t *testing.T) {
	w := newWorld(t, 23)
	a, b := w.add("a"), w.add("b")
	a.write("User/settings.json", "{\n    \"[go]\": {\n        \"editor.tabSize\": 8\n    },\n    \"one\": 1\n}\n")
	a.mustSync()
	b.mustSync()
	a.write("User/settings.json", "{\n    \"[go]\": {\n        \"editor.tabSize\": 8\n        // stays\n    },\n    \"one\": 1\n}\n")
	b.write("User/settings.json", "{\n    \"[go]\": 3,\n    \"one\": 1\n}\n")
	b.mustSync()
	for range 3 {
		a.mustSync()
		w.tick(10 * time.Second)
	}
	if got := a.read("User/settings.json"); strings.Contains(got, "// stays") || !strings.Contains(got, `"[go]": 3`) {
		t.Fatalf("a has\n%s", got)
	}
	b.write("User/settings.json", "{\n    \"[go]\": {\n        \"editor.tabSize\": 8\n    },\n    \"one\": 1\n}\n")
	for range 2 {
		b.mustSync()
		a.mustSync()
	}
	for _, d := range w.devices {
		if got := d.read("User/settings.json"); !strings.Contains(got, "// stays") {
			t.Errorf("%s has\n%s", d.name, got)
		}
	}
}

// A head of its own that can't be read, of a life of which a restored database knows
// nothing, makes a device go on under another name: never under one that it may have used.
func TestDamagedOwnHeadAfterBackup(t *testing.T) {
	w := newWorld(t, 24)
	a, b := w.add("a"), w.add("b")
	a.write("User/settings.json", `{"a": 1}`)
	a.mustSync()
	b.mustSync()
	was := a.db.Clone(localdb.Info{})
	a.write("User/settings.json", `{"a": 2}`)
	a.mustSync()
	c, _, err := a.e.loadCursor()
	w.must(err)
	newest := c.Head
	raw := slices.Clone(w.bucket.Raw().Get(newest))
	w.bucket.Raw().Corrupt(newest, func(b []byte) []byte { b = slices.Clone(b); b[len(b)/2] ^= 1; return b })
	a.db = was
	a.open()
	a.write("User/settings.json", `{"a": 3}`)
	r, err := a.sync(RoundOptions{})
	w.must(err)
	if !slices.ContainsFunc(r.Bad, func(b *Bad) bool { return b.Code == "changed" && b.Object == newest }) {
		t.Errorf("told %v; want word of %s", r.Bad, newest)
	}
	w.bucket.Raw().Set(newest, raw)
	for range 2 {
		for _, d := range w.devices {
			r, err := d.sync(RoundOptions{})
			w.must(err)
			if len(r.Bad) > 0 {
				t.Errorf("once all is honest %s is told %v", d.name, r.Bad)
			}
		}
	}
}

// Two copies of a device that wrote under one name when neither saw the other's head are
// both told so, the one too whose head is the newer.
func TestBothCopiesAreToldOfAFork(t *testing.T) {
	w := newWorld(t, 25)
	a, b := w.add("a"), w.add("b")
	a.write("User/settings.json", `{"a": 1}`)
	a.mustSync()
	b.mustSync()
	c := w.machine("c")
	c.keys, c.db = a.keys, a.db.Clone(localdb.Info{})
	w.must(c.db.Update(func(localdb.Tx) error { return nil }))
	c.open()
	before := w.bucket.Snapshot()
	a.write("User/settings.json", `{"a": 2}`)
	a.mustSync()
	after := w.bucket.Snapshot()
	w.bucket.Restore(before)
	c.write("User/settings.json", `{"a": 3}`)
	if _, err := c.sync(RoundOptions{AcceptRemovals: true}); err != nil {
		t.Fatal(err)
	}
	whole := w.bucket.Snapshot()
	maps.Copy(whole, after)
	w.bucket.Restore(whole)
	for range 2 {
		w.tick(time.Minute)
		for _, d := range []*device{a, b, c} {
			if _, err := d.sync(RoundOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, d := range []*device{a, b, c} {
		r, err := d.sync(RoundOptions{})
		w.must(err)
		if !slices.ContainsFunc(r.Bad, func(b *Bad) bool { return b.Code == "forked" }) {
			t.Errorf("%s is told %v; want word of a fork", d.name, r.Bad)
		}
	}
}
