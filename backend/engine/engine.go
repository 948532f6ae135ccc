// Package engine runs the round: observe → record → pull → apply entries in causal
// order → write the replicas → push. What is true is decided by state, merge and
// plan; the engine moves bytes between the person's files, the local database and
// the store, in an order that loses nothing.
//
// # Guarantees
//
//   - E1 Commit before apply: no file of the person's is overwritten before what it
//     held is recorded, as an entry and byte for byte.
//   - E2 Only what was read back counts: a basis moves after the file was written
//     and read, never before, so what could not be written never reads as an edit.
//   - E3 An entry is recorded with the state it makes, in one transaction.
//   - E4 Nothing is sent before what it names: packs, segments, snapshot, keys, head.
//   - E5 Nothing from the store is applied before it is opened, its author is a
//     member, its place in the author's chain is right, and all that its author had
//     seen is applied here.
//   - E6 A dot is used once: before anything is sent, this device's own newest head
//     in the store must be the one that it wrote; else it goes on in a new incarnation.
//   - E7 With nothing to do, a round is one listing, and writes nothing.
package engine

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"plait/backend/chunk"
	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/localdb"
	"plait/backend/state"
	"plait/backend/store"
)

// Config is what an Engine is made of. All but Log and Progress must be set.
type Config struct {
	DB       localdb.DB
	FS       disk.FS
	Store    *store.Store
	StoreID  string // names the store in cursors; stable as long as the store is the same
	Spool    Spool
	Keys     *keyring.Device // this device's keys
	Platform string          // linux, mac or windows
	Clock    disk.Clock
	Rand     io.Reader
	Log      *slog.Logger
	Workers  int // how many files are read and sealed at once; 1 is deterministic
	Progress func(phase string, done, total, bytesDone, bytesTotal int64)

	// Restored says that the database may be a copy or have lost its tail: the
	// device goes on in a new incarnation, and pulls before it observes.
	Restored bool

	sizes sizes // zero: as they ship
}

// sizes are the thresholds at which a journal takes its further forms. The
// simulation lowers them, so that all forms occur in a short life.
type sizes struct {
	inline          int   // bytes of entries that travel in the head itself
	refs            int   // segments that a head names
	heads           int   // earlier heads that gather before they are deleted
	snapshotBytes   int64 // of segments since the last snapshot
	snapshotEntries int   // of all authors, likewise
	past            int   // replaced writes that an item may keep beyond its live ones
}

// shipped are the sizes in force outside tests.
//
// A snapshot is due when a newcomer would read more in segments than in a snapshot,
// and enough of it to be worth an object.
var shipped = sizes{inline: 2 << 10, refs: 16, heads: 16, snapshotBytes: 256 << 10, snapshotEntries: 200, past: 64}

// An Engine is one device's part of a vault. It is not safe for concurrent use:
// one goroutine owns it.
type Engine struct {
	cfg    Config
	db     localdb.DB
	log    *slog.Logger
	meta   meta
	items  map[item.Name]*state.Item
	reps   []*replica
	ring   *keyring.Ring
	keys   *keyring.Keys
	known  map[item.Hash][]byte // statements, by name
	heads  map[item.Author]headRow
	namer  *chunk.Namer
	packs  *packIndex // where chunks lie; nil until needed
	chunks *chunk.Reader
	strat  map[string]state.Strategy
	depths map[string]int                     // of rowDepth
	past   map[item.Dot]*item.Entry           // all entries here; nil until needed
	texts  map[item.Name]map[item.Hash][]byte // sides of files in conflict that are texts

	writing       map[string]bool // replicas beside whose files displaced ones may lie
	left          bool            // displaced content may still lie beside a file
	spoolClean    bool
	strategyMoved bool // every item is to be looked at again
	ringMoved     bool // whether everybody has every key is to be looked at again
	behind        bool // a live device seals under an epoch that is not known here
}

// meta is the one row that changes with each entry.
type meta struct {
	Me     item.Author   `cbor:"1,keyasint"`
	Seq    uint64        `cbor:"2,keyasint"` // of this author's last entry
	Chain  item.Hash     `cbor:"3,keyasint"` // its hash
	Clock  item.HLC      `cbor:"4,keyasint"`
	Vector item.Vector   `cbor:"5,keyasint"`           // all that is applied, own entries too
	Old    []item.Author `cbor:"6,keyasint,omitempty"` // this device's former incarnations
	Vault  item.Hash     `cbor:"7,keyasint"`
	// Tips are the hashes of the last applied entries of the other journals.
	Tips  map[item.Author]item.Hash `cbor:"8,keyasint"`
	Doubt bool                      `cbor:"9,keyasint,omitempty"`  // the disk may be newer than this database: pull before looking
	Floor item.Vector               `cbor:"10,keyasint,omitempty"` // what a snapshot brought when this device joined
}

// Init writes what a new device's database must hold before Open: the vault's
// genesis and the statements that make the device a member. own says that this
// device made them, so that its first push sends them.
func Init(db localdb.DB, vault item.Hash, device item.Device, rand io.Reader, genesis []byte, statements []keyring.Statement, own bool) error {
	inc, err := freshIncarnation(rand)
	if err != nil {
		return err
	}
	m := meta{Me: item.Author{Device: device, Inc: inc}, Vault: vault, Vector: item.Vector{}}
	return db.Update(func(tx localdb.Tx) error {
		if err := tx.Set(rowGenesis, genesis); err != nil {
			return err
		}
		for _, s := range statements {
			if err := tx.Set(rowKey+s.Name.String(), s.Bytes); err != nil {
				return err
			}
			if !own {
				continue
			}
			if err := tx.Set(rowKeyOut+s.Name.String(), nil); err != nil {
				return err
			}
		}
		return setCBOR(tx, rowMeta, m)
	})
}

// ErrNoVault is what Open returns for a database that Init never wrote.
var ErrNoVault = errors.New("no vault in this database")

// Open starts an engine over a database that Init has written.
func Open(cfg Config, sources []Source) (*Engine, error) {
	e := &Engine{cfg: cfg, db: cfg.DB, log: cfg.Log}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.cfg.Workers < 1 {
		e.cfg.Workers = 1
	}
	if e.cfg.sizes == (sizes{}) {
		e.cfg.sizes = shipped
	}
	if err := e.load(); err != nil {
		return nil, err
	}
	if err := e.SetSources(sources); err != nil {
		return nil, err
	}
	if cfg.Restored {
		if err := e.newIncarnation(nil); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// load reads all that is cached; also after a failed commit, so that memory never
// runs ahead of the disk.
func (e *Engine) load() error {
	e.items, e.texts = map[item.Name]*state.Item{}, map[item.Name]map[item.Hash][]byte{}
	e.packs, e.chunks, e.strat = nil, nil, nil
	e.depths, e.past = map[string]int{}, nil
	e.meta, e.writing = meta{}, map[string]bool{}
	for _, r := range e.reps {
		r.rows, r.intents = nil, nil
	}
	err := e.db.View(func(tx localdb.Tx) error {
		ok, err := getCBOR(tx, rowMeta, &e.meta)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNoVault
		}
		if _, e.strategyMoved, err = tx.Get(rowMoved); err != nil {
			return err
		}
		if err := tx.Scan(rowWriting, func(k string, _ []byte) error { e.writing[k[len(rowWriting):]] = true; return nil }); err != nil {
			return err
		}
		if e.meta.Vector == nil {
			e.meta.Vector = item.Vector{}
		}
		if e.meta.Tips == nil {
			e.meta.Tips = map[item.Author]item.Hash{}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := e.loadHeads(); err != nil {
		return err
	}
	return e.loadRing()
}

// commit runs fn as one transaction. On an error everything cached is read anew.
func (e *Engine) commit(fn func(localdb.Tx) error) error {
	err := e.db.Update(fn)
	if err != nil {
		if lerr := e.load(); lerr != nil {
			return errors.Join(err, lerr)
		}
	}
	return err
}

// Device is this device's id.
func (e *Engine) Device() item.Device { return e.meta.Me.Device }

// Vector says how far every journal is applied here. It is not to be changed.
func (e *Engine) Vector() item.Vector { return e.meta.Vector }

// now reads the clock and moves the hybrid clock on.
func (e *Engine) now() item.HLC {
	e.meta.Clock = e.meta.Clock.Now(e.cfg.Clock())
	return e.meta.Clock
}

// hear moves the hybrid clock past another device's, unless that one runs ahead
// by more than item.MaxAhead.
func (e *Engine) hear(t item.HLC) {
	if t > e.meta.Clock && !checkClock.fails(t.Time().After(e.cfg.Clock().Add(item.MaxAhead))) {
		e.meta.Clock = t
	}
}

func (e *Engine) progress(phase string, done, total, bytesDone, bytesTotal int64) {
	if e.cfg.Progress != nil {
		e.cfg.Progress(phase, done, total, bytesDone, bytesTotal)
	}
}

// item returns an item's state, never nil; what it returns is the engine's own.
func (e *Engine) item(n item.Name) (*state.Item, error) {
	if it, ok := e.items[n]; ok {
		return it, nil
	}
	it := &state.Item{Atoms: map[item.Key]*state.Atom{}}
	err := e.db.View(func(tx localdb.Tx) error {
		b, ok, err := tx.Get(rowState + string(n))
		if err != nil || !ok {
			return err
		}
		it, err = state.Unmarshal(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("state of %s: %w", n, err)
	}
	e.items[n] = it
	return it, nil
}

// Items lists the names of all items that state holds, in order.
func (e *Engine) Items() ([]item.Name, error) {
	var ns []item.Name
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowState, func(k string, _ []byte) error {
			ns = append(ns, item.Name(k[len(rowState):]))
			return nil
		})
	})
	return ns, err
}

func freshIncarnation(rand io.Reader) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return 0, fmt.Errorf("random incarnation: %w", err)
	}
	var n uint64
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n, nil
}

// since is a convenience for durations in results.
func (e *Engine) since(t time.Time) time.Duration { return e.cfg.Clock().Sub(t) }
