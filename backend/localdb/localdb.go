// Package localdb is everything that is kept on this device between runs: an
// ordered map of keys to values, changed in durable transactions. Open opens the
// real one (Badger); NewMemory is its twin for tests and the simulation.
package localdb

// A DB is an ordered map. Its methods may be called concurrently; transactions
// that write run one at a time.
type DB interface {
	// View runs fn over one consistent state.
	View(fn func(Tx) error) error

	// Update runs fn, and commits what it wrote if fn returns nil: all or, after
	// a crash at any point, none. It returns only when a crash would lose nothing.
	// A transaction may be of any size; values too.
	Update(fn func(Tx) error) error

	// Close ends the use of the database.
	Close() error
}

// A Tx is a transaction. What it returns stays valid after it, and is not to be changed.
type Tx interface {
	// Get returns the value, and whether there is one.
	Get(key string) (value []byte, ok bool, err error)

	// Set and Delete fail in a View.
	Set(key string, value []byte) error
	Delete(key string) error

	// Scan calls fn for each key with the prefix, in byte order, until fn returns
	// an error, which Scan returns (Stop: nil). It sees the transaction's own writes.
	// fn must not write.
	Scan(prefix string, fn func(key string, value []byte) error) error
}
