package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"plait/backend/disk"
	"plait/backend/store"
)

// onFineDisks makes the disks of devices to come stamp in nanoseconds, and every effect
// take its time.
func (w *world) onFineDisks() {
	w.disk.Effect = func(string, string) disk.Fate {
		w.tick(5*time.Millisecond + 123)
		return disk.Go
	}
}

// reads counts how many files a device opens.
func (d *device) reads(n *int) {
	d.fs.SetFault(func(op, path string) error {
		if op == "open" && strings.HasPrefix(path, "/"+d.name+"/") {
			*n++
		}
		return nil
	})
}

// Every object is whole after a sync, packs too.
func TestCheckStore(t *testing.T) {
	w := newWorld(t, 4)
	a := w.add("a")
	a.write("notes/large.txt", strings.Repeat("0123456789", 30000))
	a.mustSync()
	packs := 0
	w.must(a.e.CheckStore(t.Context(), func(c Check) {
		if c.Err != nil {
			t.Errorf("%s: %v", c.Object, c.Err)
		}
		if strings.HasPrefix(c.Object, store.Packs) {
			packs++
		}
	}))
	if packs != 1 {
		t.Fatalf("%d packs were read", packs)
	}
	name := w.bucket.Raw().Names(store.Packs)[0]
	w.bucket.Raw().Corrupt(name, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	found := false
	w.must(a.e.CheckStore(t.Context(), func(c Check) { found = found || c.Object == name && c.Err != nil }))
	if !found {
		t.Error("a changed pack is found whole")
	}
}

// What was just written is not read again by the next sync, and what was saved right
// after it is.
func TestJustWrittenIsNotReadAgain(t *testing.T) {
	w := newWorld(t, 3)
	w.onFineDisks()
	a := w.add("a")
	const files = 300
	for i := range files {
		a.write(fmt.Sprintf("notes/%03d.txt", i), strings.Repeat("0123456789", 1+i))
	}
	a.write("User/settings.json", settings)
	a.mustSync()
	b := w.add("b")
	if r := b.mustSync(); r.Applied != files+1 {
		t.Fatalf("applied %d files", r.Applied)
	}
	n := 0
	b.reads(&n)
	points := b.db.Points()
	b.mustSync()
	if n > 0 {
		t.Errorf("the first sync with nothing to do read %d files", n)
	}
	if got := b.db.Points(); got != points {
		t.Errorf("it wrote to the database %d times", (got-points)/2)
	}
	a.reads(&n)
	for range 2 {
		n = 0
		a.mustSync()
	}
	if n > 0 {
		t.Errorf("the device that has the files read %d", n)
	}

	// The same size, in the instant of the exchange: only the stamp can tell.
	a.write("notes/007.txt", strings.Repeat("abcdefghij", 8))
	a.mustSync()
	if r := b.mustSync(); r.Applied != 1 {
		t.Fatalf("applied %d files", r.Applied)
	}
	b.fs.WriteFile("/b/notes/007.txt", []byte(strings.Repeat("ABCDEFGHIJ", 8)))
	b.mustSync()
	a.mustSync()
	if got := a.read("notes/007.txt"); !strings.HasPrefix(got, "ABC") {
		t.Errorf("a save right after an apply did not travel: %s", got)
	}
}
