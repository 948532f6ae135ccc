// Package driver is what a store implements, and the codes for what goes wrong
// there. Callers hold a store.Store, never a Bucket.
package driver

import "context"

// A Bucket keeps opaque objects under names of the form prefix/rest, both parts of
// [a-z0-9.-], or the single name vault.json. Every name has one writer and is
// written once, so nothing here compares and swaps. Its methods may be called
// concurrently.
type Bucket interface {
	// Get returns the object, or the given range of it, or an error of code
	// NotFound. A range past the end is cut.
	Get(ctx context.Context, name string, r Range) ([]byte, error)

	// Put writes a new object, whole, or on any error none. Under a name that
	// is there, equal bytes succeed; others give code Exists, where the store can tell.
	// It returns only once the store would still have it after a crash.
	Put(ctx context.Context, name string, body []byte) error

	// List returns every object whose name starts with prefix, in name order.
	// It may be stale: lack what was put, or show what was deleted, a moment ago.
	List(ctx context.Context, prefix string) ([]Info, error)

	// Delete removes an object; one that is not there is no error.
	Delete(ctx context.Context, name string) error

	// Code classifies an error that this Bucket returned.
	Code(err error) Code
}

// A FilePutter is a Bucket that can take an object from a file that will not
// change, cheaper than through memory: a folder links it. The contract is Put's.
type FilePutter interface {
	PutFile(ctx context.Context, name, path string) error
}

// A Watcher is a Bucket that can say that something may have changed.
type Watcher interface {
	// Watch sends on the channel when objects under prefix may have changed,
	// until ctx ends, when it closes the channel. Sends may be dropped or merged.
	Watch(ctx context.Context, prefix string) (<-chan struct{}, error)
}

// Info describes an object.
type Info struct {
	Name string
	Size int64
}

// A Range is a part of an object: Size bytes from Offset; all if Size is 0.
type Range struct{ Offset, Size int64 }

// All is the whole object.
var All = Range{}

// A Code says what a caller can do about an error. It is itself an error, so
// errors.Is(err, driver.Full) works on anything that wraps it.
type Code string

func (c Code) Error() string { return string(c) }

const (
	NotFound  Code = "not found"
	Exists    Code = "exists with other bytes" // somebody else is us
	Full      Code = "out of space"            // downloads still work
	ReadOnly  Code = "read-only"               // downloads still work
	Missing   Code = "store missing"           // the folder, bucket or account itself is not there
	Transient Code = "temporarily unavailable" // back off, try again
	Denied    Code = "access denied"           // ask the person
	Cancelled Code = "cancelled"
	Unknown   Code = "unknown" // a bug until proved otherwise
)
