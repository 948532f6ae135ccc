package vault

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"plait/backend/store"
	"plait/backend/store/driver"
	"strings"
	"testing"
	"time"

	"plait/backend/problem"
)

// spoil lets the laptop write, does something to its newest objects, and wants the
// desktop's sync to say so and apply nothing; and, once the store is as it was, to go
// on by itself.
func spoil(t *testing.T, do func(laptop *machine, dir string) (undo func()), code problem.Code, words ...string) {
	t.Helper()
	laptop, desktop, dir := two(t)
	laptop.write("settings.json", `{"editor.fontSize": 14, "long": "`+noise(9000)+`"}`)
	laptop.sync()
	before := desktop.read("settings.json")
	undo := do(laptop, dir)
	desktop.reopen()
	_, err := desktop.v.Sync(bg, SyncOptions{})
	told(t, err, code, words...)
	if got := desktop.read("settings.json"); got != before {
		t.Errorf("settings.json is now %q", got)
	}
	st, serr := desktop.v.Status(bg)
	must(t, serr)
	if st.State != "problem" || len(st.Problems) == 0 {
		t.Errorf("status is %s: %s; want the problem", st.State, st.Sentence)
	}
	undo()
	desktop.reopen()
	desktop.sync()
	if got := desktop.read("settings.json"); !strings.Contains(got, "14") {
		t.Errorf("once the store is whole again settings.json is %q", got)
	}
	if st, _ := desktop.v.Status(bg); st.State != "up-to-date" {
		t.Errorf("then the status is %s: %s", st.State, st.Sentence)
	}
}

// edit changes a file and says how to change it back.
func edit(t *testing.T, path string, change func([]byte) []byte) func() {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.Chmod(path, 0o644))
	must(t, os.WriteFile(path, change(append([]byte{}, b...)), 0o644))
	return func() { must(t, os.WriteFile(path, b, 0o644)) }
}

// hide takes files away and says how to bring them back.
func hide(t *testing.T, paths ...string) func() {
	t.Helper()
	away := t.TempDir()
	for _, p := range paths {
		must(t, os.Rename(p, filepath.Join(away, filepath.Base(p))))
	}
	return func() {
		for _, p := range paths {
			must(t, os.Rename(filepath.Join(away, filepath.Base(p)), p))
		}
	}
}

// noise is text that does not compress to where it fits into a head.
func noise(n int) string {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return string(b)
}

func last(paths []string) string { return paths[len(paths)-1] }

func TestObjectsSpoilt(t *testing.T) {
	t.Parallel()
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	t.Run("head changed", func(t *testing.T) {
		spoil(t, func(m *machine, dir string) func() { return edit(t, m.newHead(dir), flip) }, problem.Changed, "laptop", "heads/", "Nothing of it was applied")
	})
	t.Run("head cut", func(t *testing.T) {
		spoil(t, func(m *machine, dir string) func() {
			return edit(t, m.newHead(dir), func(b []byte) []byte { return b[:len(b)/2] })
		}, problem.Changed, "laptop", "heads/")
	})
	t.Run("segment cut", func(t *testing.T) {
		spoil(t, func(m *machine, dir string) func() {
			return edit(t, last(objects(t, dir, "segments")), func(b []byte) []byte { return b[:10] })
		}, problem.Changed, "laptop", "segments/")
	})
	t.Run("segment empty", func(t *testing.T) {
		spoil(t, func(m *machine, dir string) func() {
			return edit(t, last(objects(t, dir, "segments")), func(b []byte) []byte { return nil })
		}, problem.Changed, "laptop", "segments/")
	})
	t.Run("segment swapped for a head", func(t *testing.T) {
		spoil(t, func(m *machine, dir string) func() {
			b, err := os.ReadFile(m.newHead(dir))
			must(t, err)
			return edit(t, last(objects(t, dir, "segments")), func([]byte) []byte { return b })
		}, problem.Changed, "laptop", "segments/")
	})
	t.Run("segment missing", func(t *testing.T) {
		spoil(t, func(m *machine, dir string) func() { return hide(t, last(objects(t, dir, "segments"))) }, problem.Incomplete, "laptop", "may still be on its way")
	})
}

// Rolled back: in words, that the store is older than what was seen.
func TestStoreRolledBack(t *testing.T) {
	t.Parallel()
	laptop, desktop, dir := two(t)
	backup := filepath.Join(t.TempDir(), "backup")
	copyTree(t, dir, backup)
	laptop.write("settings.json", `{"editor.fontSize": 14}`)
	laptop.sync()
	desktop.sync()
	now := filepath.Join(t.TempDir(), "now")
	copyTree(t, dir, now)
	put := func(from string) {
		must(t, os.RemoveAll(dir))
		copyTree(t, from, dir)
	}
	put(backup)
	for _, m := range []*machine{desktop, laptop} {
		m.reopen()
		_, err := m.v.Sync(bg, SyncOptions{})
		told(t, err, problem.Rollback, "older", "laptop")
		if got := m.read("settings.json"); !strings.Contains(got, "14") {
			t.Errorf("%s lost its edit: %q", m.name, got)
		}
	}
	put(now)
	desktop.write("settings.json", `{"editor.fontSize": 15}`)
	for _, m := range []*machine{desktop, laptop, desktop} {
		m.reopen()
		m.sync()
	}
	if got := laptop.read("settings.json"); !strings.Contains(got, "15") {
		t.Errorf("once the store is whole again the laptop has %q", got)
	}
}

// Named but missing: all that is whole is applied.
func TestPackMissing(t *testing.T) {
	t.Parallel()
	laptop, desktop, dir := two(t)
	notes := func(m *machine) string { return filepath.Join(m.root, "notes") }
	for _, m := range []*machine{laptop, desktop} {
		must(t, os.MkdirAll(notes(m), 0o755))
		_, err := m.v.Attach(bg, AttachSpec{Path: notes(m), Name: "notes", Files: true}, false)
		must(t, err)
	}
	laptop.sync()
	desktop.sync()
	big := noise(300 << 10)
	must(t, os.WriteFile(filepath.Join(notes(laptop), "big.bin"), []byte(big), 0o644))
	must(t, os.WriteFile(filepath.Join(notes(laptop), "small.txt"), []byte("small"), 0o644))
	laptop.write("settings.json", `{"editor.fontSize": 14}`)
	laptop.sync()
	pack := last(objects(t, dir, "packs"))
	for _, c := range []struct {
		what string
		code problem.Code
		do   func() func()
	}{
		{"missing", problem.Incomplete, func() func() { return hide(t, pack) }},
		{"changed", problem.Changed, func() func() { return edit(t, pack, func(b []byte) []byte { b[len(b)/3] ^= 4; return b }) }},
	} {
		undo := c.do()
		desktop.reopen()
		res, err := desktop.v.Sync(bg, SyncOptions{})
		told(t, err, c.code, "packs/", "laptop")
		if len(res.Waiting) != 1 || res.Waiting[0].Item != "notes/files/big.bin" || res.Waiting[0].Code != string(c.code) {
			t.Errorf("%s: waiting is %+v", c.what, res.Waiting)
		}
		if got := desktop.read("settings.json"); !strings.Contains(got, "14") {
			t.Errorf("%s: what is whole was not applied: %q", c.what, got)
		}
		if b, _ := os.ReadFile(filepath.Join(notes(desktop), "small.txt")); string(b) != "small" {
			t.Errorf("%s: small.txt is %q", c.what, b)
		}
		if _, err := os.Stat(filepath.Join(notes(desktop), "big.bin")); err == nil {
			t.Errorf("%s: something stands at big.bin", c.what)
		}
		undo()
	}
	desktop.sync()
	if b, _ := os.ReadFile(filepath.Join(notes(desktop), "big.bin")); string(b) != big {
		t.Errorf("once it is there big.bin has %d bytes, want %d", len(b), len(big))
	}
}

func TestStoreItself(t *testing.T) {
	t.Parallel()
	t.Run("missing", func(t *testing.T) {
		laptop, _, dir := two(t)
		laptop.write("settings.json", `{"editor.fontSize": 14}`)
		must(t, os.Rename(dir, dir+"-away"))
		laptop.reopen()
		_, err := laptop.v.Sync(bg, SyncOptions{})
		told(t, err, problem.Missing)
		if st, err := laptop.v.Status(bg); err != nil || st.Unsent == 0 {
			t.Errorf("the edit is not recorded: %+v %v", st, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("the folder was made anew: a drive that is not mounted would be filled behind its mount point")
		}
		must(t, os.Rename(dir+"-away", dir))
		laptop.reopen()
		laptop.sync()
		if st, _ := laptop.v.Status(bg); st.Unsent != 0 || st.State != "up-to-date" {
			t.Errorf("status is %+v", st)
		}
	})
	t.Run("read-only", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root writes everywhere: see the injected one")
		}
		laptop, _, dir := two(t)
		laptop.write("settings.json", `{"editor.fontSize": 14}`)
		readOnly(t, dir)
		_, err := laptop.v.Sync(bg, SyncOptions{})
		told(t, err, problem.ReadOnly)
	})
	for code, want := range map[driver.Code]problem.Code{driver.Full: problem.Full, driver.ReadOnly: problem.ReadOnly, driver.Denied: problem.Denied, driver.Transient: problem.Offline} {
		t.Run("refuses to take anything: "+string(want), func(t *testing.T) {
			laptop, desktop, _ := two(t)
			laptop.o.OpenBucket = func(ctx context.Context, url string, create bool) (driver.Bucket, error) {
				b, err := openFolder(ctx, url, create)
				if err != nil {
					return nil, err
				}
				return store.Faults(b, 1, store.FaultOptions{NoPut: code}), nil
			}
			desktop.write("settings.json", `{"editor.fontSize": 12, "editor.tabSize": 8}`)
			desktop.sync()
			laptop.write("settings.json", `{"editor.fontSize": 14, "editor.tabSize": 4}`)
			ctx, cancel := context.WithTimeout(bg, 5*time.Second)
			defer cancel()
			laptop.reopen()
			_, err := laptop.v.Sync(ctx, SyncOptions{})
			if code == driver.Transient && errors.Is(err, context.DeadlineExceeded) {
				t.Skip("it was still trying")
			}
			told(t, err, want)
			if got := laptop.read("settings.json"); !strings.Contains(got, "14") || !strings.Contains(got, "8") {
				t.Errorf("what can be read was not applied, or the edit is lost: %s", got)
			}
			laptop.o.OpenBucket = openFolder
			laptop.reopen()
			laptop.sync()
			desktop.sync()
			if got := desktop.read("settings.json"); !strings.Contains(got, "14") {
				t.Errorf("then the desktop has %s", got)
			}
		})
	}
	t.Run("another vault in its place", func(t *testing.T) {
		laptop, _, dir := two(t)
		other := filepath.Join(t.TempDir(), "other")
		found(t, "stranger", other)
		must(t, os.Rename(dir, dir+"-away"))
		must(t, os.Rename(other, dir))
		sum := tree(t, dir)
		laptop.write("settings.json", `{"editor.fontSize": 14}`)
		laptop.reopen()
		_, err := laptop.v.Sync(bg, SyncOptions{})
		told(t, err, problem.Foreign, "another vault")
		if !sameTree(sum, tree(t, dir)) {
			t.Error("the other vault was written to")
		}
		must(t, os.RemoveAll(dir))
		must(t, os.Rename(dir+"-away", dir))
		laptop.reopen()
		laptop.sync()
	})
	t.Run("emptied", func(t *testing.T) {
		laptop, _, dir := two(t)
		must(t, os.Rename(dir, dir+"-away"))
		must(t, os.MkdirAll(dir, 0o755))
		laptop.reopen()
		_, err := laptop.v.Sync(bg, SyncOptions{})
		told(t, err, problem.Missing)
		if len(tree(t, dir)) != 0 {
			t.Error("an emptied store was written to")
		}
	})
	t.Run("half-synced by another tool", func(t *testing.T) {
		laptop, desktop, dir := two(t)
		laptop.write("settings.json", `{"editor.fontSize": 14}`)
		laptop.sync()
		head := laptop.newHead(dir)
		b, err := os.ReadFile(head)
		must(t, err)
		conflict := strings.TrimSuffix(head, filepath.Ext(head)) + " (laptop's conflicted copy 2026-11-01)" + filepath.Ext(head)
		for p, b := range map[string][]byte{
			conflict: b,
			filepath.Join(filepath.Dir(head), ".syncthing."+filepath.Base(head)+".tmp"): b[:100],
			filepath.Join(filepath.Dir(head), "~"+filepath.Base(head)):                  b[:10],
			filepath.Join(dir, "desktop.ini"):                                           []byte("[.ShellClassInfo]"),
			filepath.Join(dir, ".DS_Store"):                                             {0},
			filepath.Join(dir, "heads", "sub.sync-conflict-20261101"):                   []byte("x"),
		} {
			must(t, os.WriteFile(p, b, 0o644))
		}
		desktop.reopen()
		desktop.sync()
		if got := desktop.read("settings.json"); !strings.Contains(got, "14") {
			t.Errorf("settings.json is %q", got)
		}
		fs, err := desktop.v.Doctor(bg, true)
		must(t, err)
		for _, f := range fs {
			if !f.OK {
				t.Errorf("doctor: %+v", f)
			}
		}
	})
	t.Run("a newer vault", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "store")
		_, c := found(t, "laptop", dir)
		undo := edit(t, filepath.Join(dir, "vault.json"), func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"plait": 1`, `"plait": 2`, 1))
		})
		defer undo()
		m := newMachine(t, "desktop")
		_, _, err := Join(bg, m.o, JoinSpec{Store: dir, RecoveryWords: strings.Join(c.RecoveryWords, " "), Keys: KeysFile})
		told(t, err, problem.Newer)
		if len(tree(t, m.o.Home)) != 0 {
			t.Error("something stays in the home folder")
		}
	})
	t.Run("not a vault", func(t *testing.T) {
		m := newMachine(t, "desktop")
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "holiday.jpg"), []byte("x"), 0o644))
		_, _, err := Join(bg, m.o, JoinSpec{Store: dir, RecoveryWords: strings.Repeat("abandon ", 23) + "art", Keys: KeysFile})
		if p := problem.From(err); p.Code != problem.NoVault {
			t.Errorf("%v: %+v", err, p)
		}
	})
}

func readOnly(t *testing.T, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(p, 0o555)
			t.Cleanup(func() { os.Chmod(p, 0o755) })
		}
		return err
	}))
}
