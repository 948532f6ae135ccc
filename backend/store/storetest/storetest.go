// Package storetest is what every store has to pass, each driver and each wrapper: the
// contract of driver.Bucket, as tests. A bug found in one becomes a case for all.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plait/backend/store/driver"
)

// Run tests the buckets that open returns, each empty and its own.
func Run(t *testing.T, open func(*testing.T) driver.Bucket) {
	for _, c := range []struct {
		name string
		test func(*testing.T, driver.Bucket)
	}{
		{"S1 what is put comes back", putGet},
		{"S2 a name is written once", writeOnce},
		{"S3 a cut Put leaves nothing", cutPut},
		{"S4 ranges", ranges},
		{"S5 lists are in order and by prefix", lists},
		{"S6 deleting twice is no error", deletes},
		{"S7 names are refused", names},
		{"S8 large and empty objects", large},
		{"S9 many at once", concurrent},
		{"S10 one of many writers of a name wins", race},
		{"S11 bytes are the store's own", aliasing},
		{"S12 codes", codes},
		{"S13 what is cancelled stops", cancelled},
		{"S14 objects from files", putFile},
		{"S15 watching", watching},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

const some = "packs/some.1"

func put(t *testing.T, b driver.Bucket, name, body string) {
	t.Helper()
	if err := b.Put(t.Context(), name, []byte(body)); err != nil {
		t.Fatalf("Put(%s) = %v", name, err)
	}
}

func want(t *testing.T, b driver.Bucket, name, body string) {
	t.Helper()
	if got, err := b.Get(t.Context(), name, driver.All); err != nil || string(got) != body {
		t.Errorf("Get(%s) = %.40q, %v; want %.40q", name, got, err, body)
	}
}

func wantCode(t *testing.T, b driver.Bucket, what string, err error, code driver.Code) {
	t.Helper()
	if err == nil || b.Code(err) != code {
		t.Errorf("%s = %v, code %q; want code %q", what, err, b.Code(err), code)
	}
}

func wantNone(t *testing.T, b driver.Bucket, name string) {
	t.Helper()
	_, err := b.Get(t.Context(), name, driver.All)
	wantCode(t, b, "Get("+name+")", err, driver.NotFound)
}

func wantList(t *testing.T, b driver.Bucket, prefix string, names ...string) {
	t.Helper()
	infos, err := b.List(t.Context(), prefix)
	if err != nil {
		t.Fatalf("List(%q) = %v", prefix, err)
	}
	var got []string
	for _, i := range infos {
		got = append(got, i.Name)
	}
	if !slices.Equal(got, names) {
		t.Errorf("List(%q) = %q, want %q", prefix, got, names)
	}
}

func putGet(t *testing.T, b driver.Bucket) {
	wantNone(t, b, some)
	put(t, b, some, "body")
	want(t, b, some, "body")
	put(t, b, "vault.json", "{}")
	want(t, b, "vault.json", "{}")
}

func writeOnce(t *testing.T, b driver.Bucket) {
	put(t, b, some, "body")
	put(t, b, some, "body") // whoever lost the reply asks again
	for _, other := range []string{"bodz", "bod", "body2", ""} {
		// A store that can't tell may say that it went well, but keeps the first.
		if err := b.Put(t.Context(), some, []byte(other)); err != nil {
			wantCode(t, b, fmt.Sprintf("Put of %q over other bytes", other), err, driver.Exists)
		}
		want(t, b, some, "body")
	}
	wantList(t, b, "packs/", some)
}

func cutPut(t *testing.T, b driver.Bucket) {
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	err := b.Put(cut, some, bytes.Repeat([]byte("2"), 1<<20))
	wantCode(t, b, "Put under a cancelled context", err, driver.Cancelled)
	wantNone(t, b, some)
	wantList(t, b, "packs/")
	put(t, b, some, "whole")
	want(t, b, some, "whole")

	// Cut at some moment in between: whole or not there, and to be put again.
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<19)
	for i := range 6 {
		name := fmt.Sprintf("packs/cut.%d", i)
		cut, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
		err := b.Put(cut, name, body)
		cancel()
		got, getErr := b.Get(t.Context(), name, driver.All)
		switch {
		case getErr == nil && !bytes.Equal(got, body):
			t.Fatalf("a cut Put left %d bytes of %d", len(got), len(body))
		case err == nil && getErr != nil:
			t.Fatalf("Put succeeded, Get = %v", getErr)
		case getErr != nil:
			wantCode(t, b, "Get", getErr, driver.NotFound)
		}
		if err := b.Put(t.Context(), name, body); err != nil {
			t.Fatalf("Put again = %v", err)
		}
	}
}

func ranges(t *testing.T, b driver.Bucket) {
	put(t, b, some, "0123456789")
	for _, c := range []struct {
		r    driver.Range
		want string
	}{
		{driver.All, "0123456789"},
		{driver.Range{Offset: 0, Size: 4}, "0123"},
		{driver.Range{Offset: 3, Size: 4}, "3456"},
		{driver.Range{Offset: 9, Size: 1}, "9"},
		{driver.Range{Offset: 8, Size: 5}, "89"},
		{driver.Range{Offset: 4}, "456789"},
		{driver.Range{Offset: 10, Size: 1}, ""},
		{driver.Range{Offset: 1 << 40, Size: 1}, ""},
		{driver.Range{Offset: 2, Size: 1 << 60}, "23456789"}, // nobody makes room for what is only said
		{driver.Range{Offset: 1 << 62, Size: 1<<63 - 1}, ""},
	} {
		if got, err := b.Get(t.Context(), some, c.r); err != nil || string(got) != c.want {
			t.Errorf("Get(%v) = %.40q, %v; want %q", c.r, got, err, c.want)
		}
	}
	for _, r := range []driver.Range{{Offset: -1, Size: 2}, {Size: -1}} {
		if got, err := b.Get(t.Context(), some, r); err == nil {
			t.Errorf("Get(%v) = %.40q", r, got)
		}
	}
	if _, err := b.Get(t.Context(), "packs/none", driver.Range{Offset: 1, Size: 1}); b.Code(err) != driver.NotFound {
		t.Errorf("a range of nothing = %v", err)
	}
}

func lists(t *testing.T, b driver.Bucket) {
	wantList(t, b, "heads/")
	wantList(t, b, "")
	names := []string{"heads/a.1", "heads/a.10", "heads/a.2", "heads/b.1", "keys/x", "packs/a", "vault.json"}
	for i, n := range rand.New(rand.NewPCG(1, 1)).Perm(len(names)) {
		put(t, b, names[n], strings.Repeat("x", i))
	}
	wantList(t, b, "", names...)
	wantList(t, b, "heads/", names[:4]...)
	wantList(t, b, "heads/a.", names[:3]...)
	wantList(t, b, "heads/a.1", names[:2]...)
	wantList(t, b, "heads/c")
	wantList(t, b, "join/")
	infos, _ := b.List(t.Context(), "")
	for _, i := range infos {
		if body, err := b.Get(t.Context(), i.Name, driver.All); err != nil || int64(len(body)) != i.Size {
			t.Errorf("%s is listed with %d bytes, has %d, %v", i.Name, i.Size, len(body), err)
		}
	}
	if err := b.Delete(t.Context(), "heads/a.10"); err != nil {
		t.Fatal(err)
	}
	wantList(t, b, "heads/a.1", "heads/a.1")
	for _, prefix := range []string{"heads", "/", "../", "heads/../", "Heads/", "heads/a/b"} {
		if infos, err := b.List(t.Context(), prefix); err == nil {
			t.Errorf("List(%q) = %v", prefix, infos)
		}
	}
}

func deletes(t *testing.T, b driver.Bucket) {
	put(t, b, some, "body")
	put(t, b, "packs/other", "other")
	for range 2 {
		if err := b.Delete(t.Context(), some); err != nil {
			t.Fatalf("Delete = %v", err)
		}
		wantNone(t, b, some)
	}
	if err := b.Delete(t.Context(), "keys/never"); err != nil {
		t.Errorf("Delete under a prefix without objects = %v", err)
	}
	wantList(t, b, "packs/", "packs/other")
	put(t, b, some, "written again")
	want(t, b, some, "written again")
}

func names(t *testing.T, b driver.Bucket) {
	for _, name := range []string{
		"", "/", "a", "packs", "packs/", "/packs/a", "packs/a/b", "../a", "packs/..", "packs/.", "./a", "packs/../vault.json",
		"packs/A", "Packs/a", "packs/a b", "packs/a\\b", "packs\\a", "packs/a\x00", "packs/ä", "packs/a_b", "packs/a:b", "c:/a",
		"packs/.a", "packs/a.", "packs/-a", "packs/a-", "packs/con", "nul/a", "packs/com1.x", "packs/a.tmp", "packs/a.part",
		"packs/a.sync-conflict-20240101-120000-abc2345", "packs/a (conflicted copy)", "packs/" + strings.Repeat("a", 200),
		"vault.json/a.", "VAULT.JSON", "vault.json.",
	} {
		if err := b.Put(t.Context(), name, []byte("x")); err == nil {
			t.Errorf("Put(%q) went well", name)
		} else {
			wantCode(t, b, fmt.Sprintf("Put(%q)", name), err, driver.BadName)
		}
		if _, err := b.Get(t.Context(), name, driver.All); err == nil {
			t.Errorf("Get(%q) went well", name)
		}
		if err := b.Delete(t.Context(), name); err == nil {
			t.Errorf("Delete(%q) went well", name)
		}
	}
	wantList(t, b, "")
	long := "heads/" + strings.Repeat("a", 190)
	put(t, b, long, "x")
	wantList(t, b, "", long)
}

func large(t *testing.T, b driver.Bucket) {
	body := make([]byte, 20<<20+1)
	rand.NewChaCha8([32]byte{1}).Read(body)
	if err := b.Put(t.Context(), some, body); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Get(t.Context(), some, driver.All); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	r := driver.Range{Offset: 15 << 20, Size: 64 << 10}
	if got, err := b.Get(t.Context(), some, r); err != nil || !bytes.Equal(got, body[r.Offset:r.Offset+r.Size]) {
		t.Errorf("a range from the middle: %d bytes, %v", len(got), err)
	}
	body[len(body)-1] ^= 1
	if err := b.Put(t.Context(), some, body); err != nil {
		wantCode(t, b, "Put of bytes that differ in the last", err, driver.Exists)
	}
	put(t, b, "packs/empty", "")
	put(t, b, "packs/empty", "")
	want(t, b, "packs/empty", "")
}

func concurrent(t *testing.T, b driver.Bucket) {
	var all sync.WaitGroup
	var names []string
	for w := range 8 {
		for i := range 12 {
			names = append(names, fmt.Sprintf("segments/%d.%02d", w, i))
		}
		all.Go(func() {
			for i := range 12 {
				name, body := fmt.Sprintf("segments/%d.%02d", w, i), strings.Repeat(fmt.Sprint(w, i), 1000)
				if err := b.Put(t.Context(), name, []byte(body)); err != nil {
					t.Errorf("Put(%s) = %v", name, err)
				}
				if got, err := b.Get(t.Context(), name, driver.All); err != nil || string(got) != body {
					t.Errorf("Get(%s) = %d bytes, %v", name, len(got), err)
				}
				if _, err := b.List(t.Context(), "segments/"); err != nil {
					t.Errorf("List = %v", err)
				}
				if err := b.Delete(t.Context(), "keys/none"); err != nil {
					t.Errorf("Delete = %v", err)
				}
			}
		})
	}
	all.Wait()
	wantList(t, b, "segments/", names...)
}

func race(t *testing.T, b driver.Bucket) {
	for round := range 5 {
		name := fmt.Sprintf("heads/race.%d", round)
		var all sync.WaitGroup
		var mu sync.Mutex
		var won []string
		for w := range 8 {
			all.Go(func() {
				body := strings.Repeat(string(rune('a'+w/2)), 5000) // each of four bodies twice
				err := b.Put(t.Context(), name, []byte(body))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won = append(won, body)
				} else if b.Code(err) != driver.Exists {
					t.Errorf("Put = %v", err)
				}
			})
		}
		all.Wait()
		slices.Sort(won)
		if won = slices.Compact(won); len(won) != 1 {
			t.Fatalf("%d different bodies were put under one name", len(won))
		}
		want(t, b, name, won[0])
	}
}

func aliasing(t *testing.T, b driver.Bucket) {
	body := []byte("body")
	if err := b.Put(t.Context(), some, body); err != nil {
		t.Fatal(err)
	}
	body[0] = 'X'
	got, _ := b.Get(t.Context(), some, driver.All)
	want(t, b, some, "body")
	if len(got) > 0 {
		got[0] = 'Y'
	}
	want(t, b, some, "body")
}

func codes(t *testing.T, b driver.Bucket) {
	if c := b.Code(nil); c != "" {
		t.Errorf("Code(nil) = %q", c)
	}
	if c := b.Code(errors.New("something else")); c != driver.Unknown {
		t.Errorf("Code of any error = %q", c)
	}
	_, err := b.Get(t.Context(), some, driver.All)
	if !errors.Is(err, driver.NotFound) {
		t.Errorf("errors.Is(%v, NotFound) is false", err)
	}
}

func cancelled(t *testing.T, b driver.Bucket) {
	put(t, b, some, "body")
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Get(cut, some, driver.All)
	wantCode(t, b, "Get", err, driver.Cancelled)
	_, err = b.List(cut, "packs/")
	wantCode(t, b, "List", err, driver.Cancelled)
	wantCode(t, b, "Delete", b.Delete(cut, some), driver.Cancelled)
	want(t, b, some, "body")
}

func putFile(t *testing.T, b driver.Bucket) {
	f, ok := b.(driver.FilePutter)
	if !ok {
		t.Skip("this store takes no files")
	}
	path := filepath.Join(t.TempDir(), "spooled")
	body := bytes.Repeat([]byte("0123456789"), 700_000)
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.PutFile(t.Context(), some, path); err != nil {
			t.Fatalf("PutFile = %v", err)
		}
	}
	want(t, b, some, string(body))
	wantList(t, b, "packs/", some)
	put(t, b, some, string(body))
	put(t, b, "packs/other", "other")
	wantCode(t, b, "PutFile over other bytes", f.PutFile(t.Context(), "packs/other", path), driver.Exists)
	want(t, b, "packs/other", "other")

	cut, cancel := context.WithCancel(t.Context())
	cancel()
	wantCode(t, b, "PutFile", f.PutFile(cut, "packs/cut", path), driver.Cancelled)
	wantNone(t, b, "packs/cut")
	err := f.PutFile(t.Context(), "packs/none", filepath.Join(t.TempDir(), "none"))
	if c := b.Code(err); err == nil || c == driver.NotFound || c == driver.Missing {
		t.Errorf("PutFile of no file = %v: that is not the store's to miss", err)
	}
	wantNone(t, b, "packs/none")
	wantCode(t, b, "PutFile under a bad name", f.PutFile(t.Context(), "../x", path), driver.BadName)

	// The file may go, and the object be deleted, without the one hurting the other.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want(t, b, some, string(body))
}

func watching(t *testing.T, b driver.Bucket) {
	w, ok := b.(driver.Watcher)
	if !ok {
		t.Skip("this store can't be watched")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changed, err := w.Watch(ctx, "heads/")
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this store can't be watched")
	}
	if err != nil {
		t.Fatal(err)
	}
	put(t, b, "heads/new.1", "x")
	select {
	case _, ok := <-changed:
		if !ok {
			t.Fatal("the channel closed while it was watched")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a new head went unnoticed")
	}
	cancel()
	late := time.After(10 * time.Second)
	for {
		select {
		case _, ok := <-changed:
			if !ok {
				return
			}
		case <-late:
			t.Fatal("the channel stays open when watching has ended")
		}
	}
}
