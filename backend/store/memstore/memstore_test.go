package memstore_test

import (
	"testing"

	"plait/backend/store/driver"
	"plait/backend/store/memstore"
	"plait/backend/store/storetest"
)

func TestBucket(t *testing.T) {
	storetest.Run(t, func(*testing.T) driver.Bucket { return memstore.New() })
}

func TestSnapshot(t *testing.T) {
	b, ctx := memstore.New(), t.Context()
	b.Put(ctx, "heads/a", []byte("1"))
	before := b.Snapshot()
	b.Put(ctx, "heads/b", []byte("2"))
	b.Raw().Set("heads/a", []byte("changed"))
	b.Restore(before)
	b.Put(ctx, "heads/c", []byte("3"))
	b.Restore(before)
	if names := b.Raw().Names(""); len(names) != 1 || string(b.Raw().Get("heads/a")) != "1" {
		t.Errorf("rolled back to %q, %q", names, b.Raw().Get("heads/a"))
	}
}

func TestRaw(t *testing.T) {
	b, ctx := memstore.New(), t.Context()
	b.Put(ctx, "heads/a", []byte("1"))
	b.Put(ctx, "heads/b", []byte("2"))
	r := b.Raw()
	r.Swap("heads/a", "heads/b")
	r.Corrupt("heads/b", func(x []byte) []byte { return append(x, '!') })
	if a, b := string(r.Get("heads/a")), string(r.Get("heads/b")); a != "2" || b != "1!" {
		t.Errorf("swapped and changed: %q, %q", a, b)
	}
	if r.Remove("heads/a"); r.Has("heads/a") || !r.Has("heads/b") {
		t.Error("removed the wrong one")
	}
	defer func() {
		if recover() == nil {
			t.Error("an attack on nothing went unnoticed")
		}
	}()
	r.Remove("heads/a")
}
