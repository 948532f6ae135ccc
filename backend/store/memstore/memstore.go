// Package memstore is a store in memory, for tests and the simulation, and the
// model of what a driver has to do: no goroutine, no clock, no order of a map shows.
// What real stores do worse (stale lists, lost replies, torn objects) is put over
// it by store.Faults; what an attacker does is under Raw.
package memstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"plait/backend/store/driver"
)

// A Bucket is a driver.Bucket in memory.
type Bucket struct {
	mu      sync.Mutex
	objects map[string][]byte // bytes are never changed in place
}

// New returns an empty store.
func New() *Bucket { return &Bucket{objects: map[string][]byte{}} }

// Get implements driver.Bucket.
func (b *Bucket) Get(ctx context.Context, name string, r driver.Range) ([]byte, error) {
	if err := ready(ctx, name); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	body, ok := b.objects[name]
	if !ok {
		return nil, fmt.Errorf("object %s: %w", name, driver.NotFound)
	}
	if r.Offset < 0 || r.Size < 0 {
		return nil, fmt.Errorf("range of %d from %d: %w", r.Size, r.Offset, driver.Unknown)
	}
	body = body[min(r.Offset, int64(len(body))):]
	if r.Size > 0 {
		body = body[:min(r.Size, int64(len(body)))]
	}
	return bytes.Clone(body), nil
}

// Put implements driver.Bucket.
func (b *Bucket) Put(ctx context.Context, name string, body []byte) error {
	if err := ready(ctx, name); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if there, ok := b.objects[name]; ok {
		if !bytes.Equal(there, body) {
			return fmt.Errorf("object %s: %w", name, driver.Exists)
		}
		return nil
	}
	b.objects[name] = append([]byte{}, body...)
	return nil
}

// List implements driver.Bucket.
func (b *Bucket) List(ctx context.Context, prefix string) ([]driver.Info, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := driver.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var infos []driver.Info
	for _, name := range slices.Sorted(maps.Keys(b.objects)) {
		if strings.HasPrefix(name, prefix) {
			infos = append(infos, driver.Info{Name: name, Size: int64(len(b.objects[name]))})
		}
	}
	return infos, nil
}

// Delete implements driver.Bucket.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := ready(ctx, name); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, name)
	return nil
}

// Code implements driver.Bucket.
func (b *Bucket) Code(err error) driver.Code { return driver.CodeOf(err) }

func ready(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return driver.CheckName(name)
}
