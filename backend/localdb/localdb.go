// Package localdb is everything that is kept on this device between runs: an
// ordered map of keys to values, changed in durable transactions. Open opens the
// real one (Badger, encrypted); NewMemory is its twin for tests and the simulation.
//
//	dir/lock      who has it open: a file lock, with the process id in the file
//	dir/rows/     Badger, and checksums of its tables
//	dir/large/    values over 64 KiB, one encrypted file each
//	dir/redo      a transaction too large for Badger, while it is carried over
//	dir/anchor    the newest transaction's number and hash, in two slots
//
// FORMAT.md has the layouts and the order of writes.
//
// # Guarantees
//
//   - L1 Update returns nil only when a crash would lose nothing of it.
//   - L2 After a crash at any point a transaction is there whole or not at all,
//     whatever its size and that of its values.
//   - L3 A View sees one state: all of the transactions before it, none after.
//   - L4 A database that is older than it was, that lost its end, or that was
//     copied elsewhere is opened all the same, and says so in Info until Accept.
//   - L5 One process at a time has it open; one that dies lets go.
//   - L6 Nothing that is on disk can be read without the key. Large values and the
//     redo file can't be changed unnoticed either; rows are checked against
//     accidents only, since Badger encrypts without authenticating.
package localdb

// A DB is an ordered map. Its methods may be called concurrently; transactions
// that write run one at a time.
type DB interface {
	// View runs fn over one consistent state.
	View(fn func(Tx) error) error

	// Update runs fn, and commits what it wrote if fn returns nil: all or, after
	// a crash at any point, none. It returns only when a crash would lose nothing.
	// A transaction may be of any size; values too. After an error with code
	// ErrBroken it is not known whether the transaction is there: the database
	// has to be closed and opened again, and answers ErrBroken until then. Any
	// other error, fn's own and ErrFull among them, leaves everything as it was.
	Update(fn func(Tx) error) error

	// Info says what was found out at opening.
	Info() Info

	// Accept says that the caller has drawn its conclusions from Info (a fresh
	// incarnation, a pull first): the flags are cleared, durably. Until then each
	// opening finds the same again. Updates may come before it.
	Accept() error

	// Close ends the use of the database, after the transactions that run.
	// Called within one, it never returns.
	Close() error
}

// A Tx is a transaction, for use by one goroutine, until fn returns. The values
// that it returned stay valid after it, and are not to be changed.
type Tx interface {
	// Get returns the value, and whether there is one.
	Get(key string) (value []byte, ok bool, err error)

	// Set and Delete fail in a View. Set keeps no reference to value.
	// Keys have 1 to MaxKey bytes.
	Set(key string, value []byte) error
	Delete(key string) error

	// Scan calls fn for each key with the prefix, in byte order, until fn returns
	// an error, which Scan returns (Stop: nil). It sees the transaction's own writes.
	// fn must not write.
	Scan(prefix string, fn func(key string, value []byte) error) error
}

// MaxKey is the length of the longest key, in bytes.
const MaxKey = 32 << 10

// Info is what opening found out about the database's past. A caller that reads
// Fresh alone starts anew; with any other flag it must not write under its old
// incarnation again, since a copy of it may live, or entries that it sent may be
// missing here.
type Info struct {
	// Fresh: nothing has ever been committed here.
	Fresh bool

	// Copied: the database was last accepted on another machine, or in another folder.
	Copied bool

	// LostTail: the anchor knows of a transaction that the database does not have.
	// With Fresh: the database itself is gone.
	LostTail bool

	// NoAnchor: the anchor is missing, unreadable or far behind, so that nothing
	// vouches for the database's end.
	NoAnchor bool

	// Counter is how many transactions have been committed. It never goes back,
	// save with LostTail; a keychain can hold it as a third witness.
	Counter uint64
}

// Doubtful says whether the past is in doubt.
func (i Info) Doubtful() bool { return i.Copied || i.LostTail || i.NoAnchor }
