package folderstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plait/backend/store/driver"
)

func create(t *testing.T) *Bucket {
	t.Helper()
	b, err := Create(filepath.Join(t.TempDir(), "deep", "store"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantCode(t *testing.T, what string, err error, code driver.Code) {
	t.Helper()
	if driver.CodeOf(err) != code {
		t.Errorf("%s = %v; want code %q", what, err, code)
	}
}

var errCrash = errors.New("crash")

// Crash before each effect on the disk, one after the other (F1): afterwards the
// object is there whole or not at all, nothing else shows, and putting it again works.
func TestCrashes(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 1<<20) // three writes
	spooled := filepath.Join(t.TempDir(), "spooled")
	if err := os.WriteFile(spooled, body, 0o600); err != nil {
		t.Fatal(err)
	}
	for how, put := range map[string]func(b *Bucket) error{
		"bytes": func(b *Bucket) error { return b.Put(context.Background(), "packs/a", body) },
		"file":  func(b *Bucket) error { return b.PutFile(context.Background(), "packs/a", spooled) },
	} {
		for at := 0; ; at++ {
			b := create(t)
			n := 0
			b.hook = func(string) error {
				if n++; n > at {
					return errCrash // and at everything after it
				}
				return nil
			}
			err := put(b)
			if err == nil {
				if at < 3 {
					t.Errorf("%s: only %d effects were numbered", how, at)
				}
				break
			}
			if !errors.Is(err, errCrash) {
				t.Fatalf("%s, crash %d: %v", how, at, err)
			}
			b.fresh.Store(false)
			after, err := Open(b.root)
			if err != nil {
				t.Fatal(err)
			}
			after.fresh.Store(true) // there is no vault.json here
			infos, err := after.List(t.Context(), "")
			if err != nil || len(infos) > 1 {
				t.Fatalf("%s, crash %d: list %v, %v", how, at, infos, err)
			}
			got, err := after.Get(t.Context(), "packs/a", driver.All)
			if len(infos) == 1 && !bytes.Equal(got, body) || len(infos) == 0 && driver.CodeOf(err) != driver.NotFound {
				t.Errorf("%s, crash %d: %d bytes, %v", how, at, len(got), err)
			}
			if err := put(after); err != nil {
				t.Errorf("%s, crash %d: put again: %v", how, at, err)
			}
			if got, _ := after.Get(t.Context(), "packs/a", driver.All); !bytes.Equal(got, body) {
				t.Errorf("%s, crash %d: %d bytes after putting again", how, at, len(got))
			}
		}
	}
}

func TestLeftoversAreRemovedWhenOld(t *testing.T) {
	b := create(t)
	if err := b.Put(t.Context(), "packs/a", []byte("a")); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(b.root, "packs")
	files := map[string]time.Duration{ // and how old they are
		newTempName():          48 * time.Hour,
		newTempName():          time.Hour, // somebody may be writing it
		"~syncthing~other.tmp": 48 * time.Hour,
		"notes.tmp":            48 * time.Hour,
	}
	for name, age := range files {
		at := time.Now().Add(-age)
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	b, _ = Open(b.root)
	b.fresh.Store(true)
	if err := b.Put(t.Context(), "packs/b", []byte("b")); err != nil {
		t.Fatal(err)
	}
	for name, age := range files {
		_, err := os.Lstat(filepath.Join(dir, name))
		gone := errors.Is(err, fs.ErrNotExist)
		if want := strings.HasPrefix(name, tempPrefix) && age > tempAge; gone != want {
			t.Errorf("%s, %v old: gone is %v", name, age, gone)
		}
	}
}

// The folder goes away: nothing is made in its place (F3).
func TestMissing(t *testing.T) {
	for how, lose := range map[string]func(root string) error{
		"removed":          os.RemoveAll,
		"empty, unmounted": func(root string) error { return errors.Join(os.RemoveAll(root), os.Mkdir(root, 0o700)) },
		"a file":           func(root string) error { return errors.Join(os.RemoveAll(root), os.WriteFile(root, nil, 0o600)) },
	} {
		b, ctx := create(t), t.Context()
		if err := errors.Join(b.Put(ctx, marker, []byte("{}")), b.Put(ctx, "heads/a", []byte("a"))); err != nil {
			t.Fatal(err)
		}
		if _, err := b.List(ctx, "join/"); err != nil {
			t.Errorf("a prefix without a directory = %v", err)
		}
		if err := lose(b.root); err != nil {
			t.Fatal(err)
		}
		for _, b := range []*Bucket{b, {root: b.root}} {
			_, err := b.Get(ctx, "heads/a", driver.All)
			wantCode(t, how+": Get", err, driver.Missing)
			_, err = b.List(ctx, "heads/")
			wantCode(t, how+": List", err, driver.Missing)
			_, err = b.List(ctx, "")
			wantCode(t, how+": List of all", err, driver.Missing)
			wantCode(t, how+": Put", b.Put(ctx, "heads/b", []byte("b")), driver.Missing)
			wantCode(t, how+": Delete", b.Delete(ctx, "heads/a"), driver.Missing)
			_, err = b.Watch(ctx, "heads/")
			wantCode(t, how+": Watch", err, driver.Missing)
		}
		if left, _ := os.ReadDir(b.root); len(left) != 0 {
			t.Errorf("%s: %v was written there", how, left)
		}
		_, err := Open(b.root)
		if how != "empty, unmounted" {
			wantCode(t, how+": Open", err, driver.Missing)
		} else if err != nil {
			t.Errorf("Open of an empty folder = %v", err)
		}
	}
}

// A new vault's folder may be there and empty: reading its vault.json then says so.
func TestEmptyFolder(t *testing.T) {
	b, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Get(t.Context(), marker, driver.All)
	wantCode(t, "Get", err, driver.NotFound)
	if _, err := Create(b.root); err != nil {
		t.Errorf("Create where a folder is = %v", err)
	}
}

func TestForeignFiles(t *testing.T) {
	b, ctx := create(t), t.Context()
	if err := errors.Join(b.Put(ctx, marker, []byte("{}")), b.Put(ctx, "heads/a.1", []byte("a"))); err != nil {
		t.Fatal(err)
	}
	heads := filepath.Join(b.root, "heads")
	for _, name := range []string{
		"a.1 (conflicted copy)", "a.1 (Anna's conflicted copy 2026-01-01)", "a.1.sync-conflict-20260101-120000-ABCDEFG", "a.1.sync-conflict-20260101-120000-2345672",
		".~tmp~", ".syncthing.a.1.tmp", "~syncthing~a.1.tmp", "a.1.tmp", "a.1.part", ".a.1.Xy12", ".DS_Store", "Thumbs.db", "desktop.ini", "a.1~", "A.1", "ä", "Icon\r",
	} {
		if err := os.WriteFile(filepath.Join(heads, name), []byte("foreign"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(
		os.Mkdir(filepath.Join(heads, "dir"), 0o700), os.Symlink(filepath.Join(heads, "a.1"), filepath.Join(heads, "link")),
		os.Mkdir(filepath.Join(b.root, ".stfolder"), 0o700), os.Mkdir(filepath.Join(b.root, "@eaDir"), 0o700),
		os.WriteFile(filepath.Join(b.root, "desktop.ini"), nil, 0o600), os.WriteFile(filepath.Join(b.root, "heads (1)"), nil, 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	for prefix, n := range map[string]int{"heads/": 1, "": 2, "heads/a": 1} {
		// desktop.ini is a name that an object of some prefix might have; store.Store passes it over.
		infos, err := b.List(ctx, prefix)
		infos = slices.DeleteFunc(infos, func(i driver.Info) bool { return i.Name == "heads/desktop.ini" })
		if err != nil || len(infos) != n {
			t.Errorf("List(%q) = %v, %v", prefix, infos, err)
		}
	}
	for _, odd := range []string{"heads/link", "heads/dir"} {
		if body, err := b.Get(ctx, odd, driver.All); err == nil {
			t.Errorf("Get(%s) = %q", odd, body)
		}
		wantCode(t, "Put over "+odd, b.Put(ctx, odd, []byte("x")), driver.Exists)
	}
	// Half of an object shows as what it is: short. The next time it is whole.
	if err := os.WriteFile(filepath.Join(heads, "half.1"), []byte("ha"), 0o600); err != nil {
		t.Fatal(err)
	}
	if body, err := b.Get(ctx, "heads/half.1", driver.All); string(body) != "ha" || err != nil {
		t.Errorf("Get of half = %q, %v", body, err)
	}
}

func TestCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code driver.Code
	}{
		{fs.ErrPermission, driver.ReadOnly}, {errors.New("?"), driver.Unknown}, {context.Canceled, driver.Cancelled},
	} {
		b := create(t)
		b.hook = func(string) error { return c.err }
		wantCode(t, "Put", b.Put(t.Context(), "packs/a", nil), c.code)
		wantCode(t, "Delete", b.Delete(t.Context(), "packs/a"), c.code)
	}
	wantCode(t, "reading", read(fs.ErrPermission), driver.Denied)
}

// Puts that wait for one directory share its sync, and none returns before one that
// began after its rename.
func TestGroupSync(t *testing.T) {
	var g group
	var syncs atomic.Int32
	gate := make(chan struct{})
	var coming, all sync.WaitGroup
	coming.Add(50)
	for range 50 {
		all.Go(func() {
			coming.Done()
			g.sync(func() error { syncs.Add(1); <-gate; return nil })
		})
	}
	coming.Wait()
	close(gate)
	all.Wait()
	if n := syncs.Load(); n < 1 || n > 25 {
		t.Errorf("%d syncs for 50 puts that came at once", n)
	}
	failed := errors.New("disk failed")
	if err := g.sync(func() error { return failed }); err != failed {
		t.Errorf("sync = %v", err)
	}
}

func TestPutFileLinks(t *testing.T) {
	b := create(t)
	path := filepath.Join(t.TempDir(), "spooled")
	if err := os.WriteFile(path, []byte("spooled"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.PutFile(t.Context(), "packs/a", path); err != nil {
		t.Fatal(err)
	}
	x, _ := os.Stat(path)
	y, err := os.Stat(b.path("packs/a"))
	if err != nil || !os.SameFile(x, y) {
		t.Skipf("no hard links here: %v", err)
	}
	dir, _ := os.Stat(filepath.Dir(b.path("packs/a")))
	if y.Mode().Perm() != dir.Mode().Perm()&0o666 {
		t.Errorf("mode %v in a folder of %v", y.Mode(), dir.Mode())
	}
}

func BenchmarkPut(b *testing.B) {
	s, err := Create(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []int{1 << 10, 8 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			body := make([]byte, size)
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				if err := s.Put(b.Context(), fmt.Sprintf("packs/%d.%d", size, i), body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkList(b *testing.B) {
	s, err := Create(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for i := range 20 {
		s.Put(b.Context(), fmt.Sprintf("heads/%d", i), []byte("head"))
	}
	for b.Loop() {
		if infos, err := s.List(b.Context(), "heads/"); err != nil || len(infos) != 20 {
			b.Fatal(err)
		}
	}
}
