// Package store is where a vault's sealed objects are kept, whatever kind of
// place that is. A Store puts over any driver's Bucket what all of them share:
// names, limits, hashes, counting, and errors that say what can be done. What
// should happen below it (Retry, Limit, Faults, Count) is a Bucket over a Bucket.
//
//	engine → Store → Retry → Limit → Count → folderstore, memstore, …
//
// # Guarantees
//
//   - S1 An object named by its hash is returned only if its bytes have that hash;
//     else the error has code Changed, and nothing of it is returned.
//   - S2 No object larger than its prefix allows is read into memory or written.
//   - S3 What is listed under a prefix are names that an object of a vault may have;
//     what other programs left in the store is passed over.
//   - S4 Every error is an *Error; its code is the driver's, or one of this package's.
//   - S5 Putting the same object again succeeds, so whoever lost a reply asks again.
package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plait/backend/store/driver"
)

// A Store keeps a vault's objects. Its methods may be called concurrently.
type Store struct {
	bucket driver.Bucket
	meter  *Meter
	checks check
}

// Options change how a Store counts. The zero value works.
type Options struct {
	// Meter is what the bucket already counts on (Count, below any Retry); nil: the
	// Store counts what it asks of the bucket itself.
	Meter *Meter
}

// New returns a Store over the bucket.
func New(b driver.Bucket, o Options) *Store {
	if o.Meter == nil {
		o.Meter = new(Meter)
		b = Count(b, o.Meter)
	}
	return &Store{bucket: b, meter: o.Meter, checks: allChecks}
}

// Usage is what has been asked of the store so far.
func (s *Store) Usage() Usage { return s.meter.Usage() }

// Get returns the whole object, checked against its name (S1).
// Codes: NotFound, Changed, TooLarge, or the driver's.
func (s *Store) Get(ctx context.Context, name string) ([]byte, error) {
	if err := CheckName(name); err != nil {
		return nil, s.wrap("get", name, err)
	}
	r := driver.All
	if s.checks.has(checkLimit) {
		// One byte more than allowed tells "too large" without a second request,
		// and without reading the rest.
		r.Size = MaxSize(name) + 1
	}
	body, err := s.bucket.Get(ctx, name, r)
	if err != nil {
		return nil, s.wrap("get", name, err)
	}
	if r.Size > 0 && int64(len(body)) >= r.Size {
		return nil, s.wrap("get", name, fmt.Errorf("over %d bytes: %w", MaxSize(name), TooLarge))
	}
	if want, ok := HashOf(name); ok && Sum(body) != want && s.checks.has(checkHash) {
		return nil, s.wrap("get", name, fmt.Errorf("%d bytes that hash to %x: %w", len(body), Sum(body), Changed))
	}
	return body, nil
}

// GetRange returns a part of the object, cut at its end. A part can't be checked
// against the name: what was sealed in it must be.
func (s *Store) GetRange(ctx context.Context, name string, r driver.Range) ([]byte, error) {
	err := CheckName(name)
	if err == nil && (r.Offset < 0 || r.Size <= 0 || r.Size > MaxSize(name)) && s.checks.has(checkLimit) {
		err = fmt.Errorf("range of %d from %d: %w", r.Size, r.Offset, TooLarge)
	}
	if err != nil {
		return nil, s.wrap("get", name, err)
	}
	body, err := s.bucket.Get(ctx, name, r)
	if err == nil && int64(len(body)) > r.Size {
		body, err = nil, fmt.Errorf("%d bytes came for a range of %d: %w", len(body), r.Size, Changed)
	}
	return body, s.wrap("get", name, err)
}

// Put writes a new object, durably, whole or not at all. The name must be that of
// the bytes, where names say so. Codes: Exists (of vault.json and join/), Changed (what
// is there under the name can't be what it was named for), Full, ReadOnly, or the driver's.
func (s *Store) Put(ctx context.Context, name string, body []byte) error {
	err := s.checkNew(name, int64(len(body)))
	if want, ok := HashOf(name); err == nil && ok && Sum(body) != want {
		// Written, it would be called damaged by every reader for ever.
		err = fmt.Errorf("body hashes to %x: %w", Sum(body), driver.BadName)
	}
	if err == nil {
		err = s.taken(name, s.bucket.Put(ctx, name, body))
	}
	return s.wrap("put", name, err)
}

// taken says of a name by hash under which other bytes are that those are damaged: two
// objects never share a hash.
func (s *Store) taken(name string, err error) error {
	if _, ok := HashOf(name); ok && err != nil && s.bucket.Code(err) == driver.Exists {
		return fmt.Errorf("other bytes are there: %w", Changed)
	}
	return err
}

// PutFile is Put of a file's content, which will not change from now on, and whose
// hash the caller knows to be the name's. Where the bucket can, the file is linked.
func (s *Store) PutFile(ctx context.Context, name, path string) error {
	size, err := fileSize(path)
	if err == nil {
		err = s.checkNew(name, size)
	}
	if err == nil {
		err = s.taken(name, putFile(ctx, s.bucket, name, path))
	}
	return s.wrap("put", name, err)
}

func (s *Store) checkNew(name string, size int64) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if size > MaxSize(name) {
		return fmt.Errorf("%d bytes, of at most %d: %w", size, MaxSize(name), TooLarge)
	}
	return nil
}

// List returns the objects under the prefix ("" for all), in name order. It may
// lack what was put, or show what was deleted, a moment ago. Sizes are the store's
// word.
func (s *Store) List(ctx context.Context, prefix string) ([]driver.Info, error) {
	if err := driver.CheckPrefix(prefix); err != nil {
		return nil, s.wrap("list", prefix, err)
	}
	infos, err := s.bucket.List(ctx, prefix)
	if err != nil {
		return nil, s.wrap("list", prefix, err)
	}
	infos = slices.DeleteFunc(slices.Clone(infos), func(i driver.Info) bool {
		return !strings.HasPrefix(i.Name, prefix) || CheckName(i.Name) != nil
	})
	slices.SortFunc(infos, func(a, b driver.Info) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(infos, func(a, b driver.Info) bool { return a.Name == b.Name }), nil
}

// Delete removes an object; one that is not there is no error.
func (s *Store) Delete(ctx context.Context, name string) error {
	err := CheckName(name)
	if err == nil {
		err = s.bucket.Delete(ctx, name)
	}
	return s.wrap("delete", name, err)
}

// Watch sends when objects under the prefix may have changed, until ctx ends, when
// the channel is closed. A store that can't tell gives errors.ErrUnsupported.
func (s *Store) Watch(ctx context.Context, prefix string) (<-chan struct{}, error) {
	if err := driver.CheckPrefix(prefix); err != nil {
		return nil, s.wrap("watch", prefix, err)
	}
	c, err := watch(ctx, s.bucket, prefix)
	return c, s.wrap("watch", prefix, err)
}

func (s *Store) wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	var done *Error
	if errors.As(err, &done) {
		return err
	}
	code := driver.CodeOf(err)
	if code == driver.Unknown {
		code = s.bucket.Code(err)
	}
	return &Error{Op: op, Name: name, Code: code, Err: err}
}
