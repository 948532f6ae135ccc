package localdb

import (
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"golang.org/x/crypto/chacha20poly1305"
)

// Options say how to open a database. Only Key has to be given.
type Options struct {
	Key  [32]byte      // everything on disk is encrypted under keys drawn from it
	Log  *slog.Logger  // nil: nothing is logged
	Wait time.Duration // for another process to let go; 0: Wait, negative: not at all

	Rand io.Reader // nil: the system's

	// free replaces the question how much room the disk has, in tests.
	free func(dir string) (uint64, error)
	// crash is called before each numbered step of a commit, in tests.
	crash func(step string) error
}

// Badger is the database on disk.
type Badger struct {
	dir    string
	opts   Options
	log    *slog.Logger
	held   *Held
	tables *tables
	large  largeFiles
	redo   redoFile
	mark   *anchor

	// writing is held by the one Update that runs. It guards what follows.
	writing sync.Mutex
	last    mark                // the newest transaction
	print   string              // this folder's fingerprint
	stored  string              // the fingerprint in the database
	refs    map[string]largeRef // rows that refer to large values
	broken  error               // why the database must be opened again

	// snapshot is held while a transaction's start is chosen, and exclusively while
	// a large transaction is carried over in several of Badger's (L3), or db changes.
	// It guards db and looking.
	snapshot sync.RWMutex
	db       *badger.DB
	looking  bool // db was opened for reading only

	// state guards what follows; idle is signalled when running falls to 0.
	state   sync.Mutex
	idle    *sync.Cond
	running int
	closed  bool
	info    Info
	garbage [][16]byte // large files to remove once nothing runs that may read them
	retired *badger.DB // to close then too
}

var _ DB = (*Badger)(nil)

// Sizes were chosen for processes that live for a few milliseconds: Badger
// reserves and clears a memtable at each opening, and allots its files anew.
const (
	memTable   = 8 << 20
	maxTables  = 32                   // more are merged into few before closing
	maxPending = 48                   // or, while running, before the next commit
	reserve    = 2*2*memTable + 4<<20 // what Badger may write by itself, through memory maps that kill the process when the disk is full
)

func (b *Badger) badgerOptions(looking bool) badger.Options {
	return badger.DefaultOptions(filepath.Join(b.dir, "rows")).
		WithLogger(badgerLog{b.log}).
		WithSyncWrites(true).
		WithEncryptionKey(b.subkey("rows")).
		// One key for good: a file of keys that grows is one more that a crash can tear.
		WithEncryptionKeyRotationDuration(100 * 365 * 24 * time.Hour).
		WithReadOnly(looking).
		WithBlockCacheSize(4 << 20). // must not be 0 with encryption
		WithIndexCacheSize(4 << 20).
		WithCompression(options.None).
		WithMemTableSize(memTable).
		WithBaseTableSize(memTable).
		WithNumMemtables(2).
		// No compaction by itself: short processes would start it over and over.
		// Close merges the tables; nothing waits for that.
		WithNumCompactors(0).
		WithNumLevelZeroTables(4). // what Flatten leaves at most
		WithNumLevelZeroTablesStall(1 << 20).
		// All values are among the rows, so the value log stays empty.
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(1 << 20).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMetricsEnabled(false).
		WithDetectConflicts(false). // one writer at a time
		WithBypassLockGuard(true)   // the lock is ours
}

// Open opens the database in dir, and makes it if it is not there. It waits for
// another process that has it open; after that it returns a *Busy. Other errors
// have code ErrKey, ErrDamaged, ErrNewer or ErrFull, or are the system's.
func Open(ctx context.Context, dir string, o Options) (*Badger, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.free == nil {
		o.free = freeSpace
	}
	held, err := Lock(ctx, dir, o.Wait)
	if err != nil {
		return nil, err
	}
	b := &Badger{dir: dir, opts: o, log: o.Log, held: held}
	b.idle = sync.NewCond(&b.state)
	if err := b.open(); err != nil {
		b.shut()
		return nil, err
	}
	return b, nil
}

func (b *Badger) open() (err error) {
	for _, sub := range []string{"rows", "large"} {
		if err := os.MkdirAll(filepath.Join(b.dir, sub), 0o700); err != nil {
			return fmt.Errorf("make database folder: %w", err)
		}
	}
	if b.print, err = Fingerprint(b.dir); err != nil {
		return err
	}
	b.large = largeFiles{filepath.Join(b.dir, "large"), b.aead("large"), b.opts.Rand}
	b.redo = redoFile{b.dir, b.aead("redo"), b.opts.Rand}
	if err := b.openRows(); err != nil {
		return err
	}
	prev, err := b.recover()
	if err != nil {
		return err
	}
	anchor, remembered, found, err := openAnchor(b.dir, b.subkey("anchor"))
	if err != nil {
		return err
	}
	b.mark = anchor
	b.info = judge(b.last, prev, remembered, found)
	b.info.Copied = b.stored != "" && b.stored != b.print
	if b.info.Fresh && !found {
		// So that its absence means something from the first commit on.
		return b.mark.set(b.last)
	}
	return nil
}

// openRows looks at what is there, and opens it: for reading only, if it was
// closed in order, since that leaves the disk alone and takes a fraction of the
// time. The first Update opens it anew, see writable.
func (b *Badger) openRows() (err error) {
	b.tables = openTables(b.badgerOptions(true))
	if err := b.tables.tidy(); err != nil {
		return fmt.Errorf("tidy database: %w", err)
	}
	if err := b.tables.check(false); err != nil {
		return &opError{"open database", ErrDamaged, err}
	}
	b.looking = b.closedInOrder()
	b.db, err = b.openBadger(b.looking)
	return err
}

// closedInOrder says whether nothing is left to be carried over.
func (b *Badger) closedInOrder() bool {
	if runtime.GOOS == "windows" {
		return false // Badger can't open for reading only there
	}
	if _, err := os.Stat(filepath.Join(b.dir, "rows", badger.ManifestFilename)); err != nil {
		return false
	}
	for _, pattern := range []string{"redo*", "rows/*.mem"} {
		if left, err := filepath.Glob(filepath.Join(b.dir, pattern)); err != nil || len(left) > 0 {
			return false
		}
	}
	return true
}

// openBadger opens Badger and turns its complaints into codes.
func (b *Badger) openBadger(looking bool) (db *badger.DB, err error) {
	if !looking {
		if err := b.room(0); err != nil {
			return nil, err
		}
	}
	err = guarded(func() (err error) {
		db, err = badger.Open(b.badgerOptions(looking))
		return err
	})
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, badger.ErrEncryptionKeyMismatch) || strings.Contains(err.Error(), badger.ErrEncryptionKeyMismatch.Error()):
		err = &opError{"open database", ErrKey, err}
	case errors.Is(err, os.ErrPermission):
		err = fmt.Errorf("open database: %w", err)
	default:
		err = &opError{"open database", ErrDamaged, err}
	}
	return nil, err // Badger has cleaned up after itself
}

// writable opens Badger for writing, if it was not. The caller holds writing.
func (b *Badger) writable() error {
	b.state.Lock()
	closed := b.closed
	b.state.Unlock()
	if closed {
		return ErrClosed
	}
	if !b.looking {
		return nil
	}
	db, err := b.openBadger(false)
	if err != nil {
		return err
	}
	b.snapshot.Lock()
	old := b.db
	b.db, b.looking = db, false
	b.snapshot.Unlock()
	b.state.Lock()
	b.retired = old
	b.state.Unlock()
	return nil
}

// recover completes or drops what a crash left, and reads what Update needs.
// It returns the hash of the transaction before the last.
func (b *Badger) recover() (prev [32]byte, err error) {
	m, err := b.readMeta()
	if err != nil {
		return prev, err
	}
	if m, err = b.replay(m); err != nil {
		return prev, err
	}
	b.last = mark{m.Counter, m.Hash}
	b.refs = map[string]largeRef{}
	used := map[[16]byte]bool{}
	err = b.db.View(func(txn *badger.Txn) error {
		row, err := txn.Get([]byte(rowPrint))
		if err == nil {
			err = row.Value(func(v []byte) error { b.stored = string(v); return nil })
		}
		if err != nil && !errors.Is(err, badger.ErrKeyNotFound) {
			return err
		}
		return scanRows(txn, rowLarge, func(key string, it *badger.Item) error {
			return it.Value(func(v []byte) error {
				ref, err := parseRef(v)
				b.refs[key], used[ref.id] = ref, true
				return err
			})
		})
	})
	if err != nil {
		return prev, &opError{"read database", ErrDamaged, err}
	}
	if err := b.large.sweep(used); err != nil {
		return prev, fmt.Errorf("sweep large values: %w", err)
	}
	return m.Prev, nil
}

// room returns ErrFull unless size bytes, and what Badger needs for itself, fit.
func (b *Badger) room(size uint64) error {
	free, err := b.opts.free(b.dir)
	if err != nil {
		return fmt.Errorf("ask for free space: %w", err)
	}
	if free < reserve+3*size { // a large transaction is written aside, to the log and to tables
		return &opError{"write database", ErrFull, fmt.Errorf("%d bytes free, %d needed", free, reserve+3*size)}
	}
	return nil
}

func (b *Badger) subkey(purpose string) []byte {
	k, err := hkdf.Key(sha256.New, b.opts.Key[:], nil, "plait localdb 1 "+purpose, 32)
	if err != nil {
		panic("localdb: 32 bytes are too many for HKDF: " + err.Error())
	}
	return k
}

func (b *Badger) aead(purpose string) cipher.AEAD {
	a, err := chacha20poly1305.NewX(b.subkey(purpose))
	if err != nil {
		panic("localdb: wrong key size: " + err.Error())
	}
	return a
}

// Info says what was found out at opening.
func (b *Badger) Info() Info {
	b.state.Lock()
	defer b.state.Unlock()
	return b.info
}

// Close waits for running transactions, merges tables that have become many,
// and lets other processes in.
func (b *Badger) Close() error {
	b.state.Lock()
	if b.closed {
		b.state.Unlock()
		return nil
	}
	b.closed = true
	for b.running > 0 {
		b.idle.Wait()
	}
	b.state.Unlock()
	if err := b.flatten(maxTables); err != nil {
		b.log.Warn("database not flattened", "error", err) // it only opens slower
	}
	return b.shut()
}

func (b *Badger) flatten(most int) error {
	if b.looking || b.broken != nil || len(b.db.Tables()) <= most || b.room(0) != nil {
		return nil
	}
	if err := b.tables.check(true); err != nil { // merging would drop what it can't read
		return &opError{"flatten", ErrDamaged, err}
	}
	return b.db.Flatten(1)
}

// Check reads every table and every large value, and returns ErrDamaged if one is
// not as it was written.
func (b *Badger) Check() error {
	if err := b.tables.check(true); err != nil {
		return &opError{"check", ErrDamaged, err}
	}
	return b.View(func(tx Tx) error {
		return tx.Scan("", func(string, []byte) error { return nil })
	})
}

// shut releases everything that is held, in reverse order.
func (b *Badger) shut() (err error) {
	if b.retired != nil {
		err = b.retired.Close()
	}
	if b.db != nil {
		if err = b.db.Close(); err != nil {
			err = fmt.Errorf("close database: %w", err)
		}
		if !b.looking {
			if nerr := b.tables.note(); nerr != nil {
				b.log.Warn("tables not noted", "error", nerr) // they are checked less
			}
		}
	}
	if b.mark != nil {
		b.mark.file.Close()
	}
	if rerr := b.held.Release(); err == nil && rerr != nil {
		err = fmt.Errorf("release lock: %w", rerr)
	}
	return err
}
