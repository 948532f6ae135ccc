package memstore

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// A Snapshot is all that a store held at one moment: what one who owns the store
// keeps in order to roll it back.
type Snapshot map[string][]byte

// Snapshot returns the present content. It costs one entry an object, not its bytes.
func (b *Bucket) Snapshot() Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.objects)
}

// Restore makes the content that of the snapshot, which stays usable.
func (b *Bucket) Restore(s Snapshot) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objects = maps.Clone(s)
}

// Raw is the store as its owner sees it: able to do to objects whatever they
// like, past all rules. Methods panic for a name that is not there, since a test
// that attacks nothing proves nothing.
type Raw struct{ b *Bucket }

// Raw gives an attacker's access.
func (b *Bucket) Raw() Raw { return Raw{b} }

// Names lists the objects whose names start with prefix, in name order.
func (r Raw) Names(prefix string) []string {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	names := slices.Sorted(maps.Keys(r.b.objects))
	return slices.DeleteFunc(names, func(n string) bool { return len(n) < len(prefix) || n[:len(prefix)] != prefix })
}

// Has says whether the object is there.
func (r Raw) Has(name string) bool {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	_, ok := r.b.objects[name]
	return ok
}

// Get returns a copy of the object's bytes.
func (r Raw) Get(name string) []byte {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	return bytes.Clone(r.must(name))
}

// Set writes bytes under any name, over what is there.
func (r Raw) Set(name string, body []byte) {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	r.b.objects[name] = append([]byte{}, body...)
}

// Corrupt replaces the object by what change makes of a copy of it.
func (r Raw) Corrupt(name string, change func([]byte) []byte) { r.Set(name, change(r.Get(name))) }

// Swap exchanges the bytes of two objects.
func (r Raw) Swap(x, y string) {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	r.b.objects[x], r.b.objects[y] = r.must(y), r.must(x)
}

// Remove takes the object away.
func (r Raw) Remove(name string) {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	r.must(name)
	delete(r.b.objects, name)
}

func (r Raw) must(name string) []byte {
	body, ok := r.b.objects[name]
	if !ok {
		panic(fmt.Sprintf("memstore: no object %s to attack", name))
	}
	return body
}
