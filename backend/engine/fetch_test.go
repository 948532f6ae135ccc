package engine

import (
	"math/rand/v2"
	"testing"

	"plait/backend/store"
)

// Who has a large file fetches of its next version what changed, and not the whole.
func TestReceiveAChange(t *testing.T) {
	w := newWorld(t, 1)
	w.kit = func(d *device) {
		var m store.Meter
		d.store = store.New(store.Count(d.bucket, &m), store.Options{Meter: &m})
	}
	a, b := w.add("a"), w.add("b")
	body := make([]byte, 3<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range body {
		body[i] = byte(r.Uint32())
	}
	a.write("notes/big", string(body))
	a.mustSync()
	if got := b.mustSync().Usage.BytesDown; got < int64(len(body)) {
		t.Fatalf("the whole file came in %d bytes", got)
	}
	body = append(body[:1<<20], append([]byte{'x'}, body[1<<20:]...)...)
	a.write("notes/big", string(body))
	sent := a.mustSync().Usage
	got := b.mustSync().Usage
	if b.read("notes/big") != string(body) {
		t.Fatal("the new version is not there")
	}
	if sent.BytesUp > 600<<10 || got.BytesDown > 600<<10 {
		t.Errorf("one byte put into 3 MB cost %d bytes up, %d down", sent.BytesUp, got.BytesDown)
	}
}
