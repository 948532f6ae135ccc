package localdb

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"github.com/fxamacker/cbor/v2"
)

// Rows in Badger. The lowest and the highest key are in every transaction, so
// that every table spans them all: tables that overlap are merged together,
// and opening stays quick however many short processes there were.
const (
	rowMeta   = "\x00"       // meta
	rowPrint  = "\x01print"  // the fingerprint of the folder
	rowStaged = "\x01staged" // the counter of the large transaction that is being carried over
	rowLarge  = "\x02"       // and a caller's key: refers to its large value, too
	rowUser   = "\x10"       // and a caller's key
	rowHigh   = "\xff"
)

// Badger's user meta of a row.
const (
	plainRow byte = 0
	largeRow byte = 1 // the value is a largeRef
)

const formatVersion = 1

// meta is the row at the lowest key.
type meta struct {
	Version uint     `cbor:"1,keyasint"`
	Counter uint64   `cbor:"2,keyasint"`
	Hash    [32]byte `cbor:"3,keyasint"` // over Prev, Counter and the transaction's rows
	Prev    [32]byte `cbor:"4,keyasint"`
}

var (
	encMode = must(cbor.CoreDetEncOptions().EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		TagsMd: cbor.TagsForbidden, MaxNestedLevels: 4, MaxArrayElements: 64, MaxMapPairs: 64,
	}.DecMode())
	tableMode = must(cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		TagsMd: cbor.TagsForbidden, MaxNestedLevels: 4, MaxArrayElements: 64, MaxMapPairs: 1 << 16,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("localdb: " + err.Error())
	}
	return v
}

func (m meta) bytes() []byte { return must(encMode.Marshal(m)) }

func parseMeta(b []byte) (meta, error) {
	var m meta
	if err := decMode.Unmarshal(b, &m); err != nil {
		return meta{}, err
	}
	if m.Version > formatVersion {
		return meta{}, &opError{"open database", ErrNewer, fmt.Errorf("format %d", m.Version)}
	}
	if m.Version == 0 || m.Counter == 0 {
		return meta{}, errors.New("meta row: no version or counter")
	}
	return m, nil
}

func (b *Badger) readMeta() (m meta, err error) {
	err = b.db.View(func(txn *badger.Txn) error {
		row, err := txn.Get([]byte(rowMeta))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return row.Value(func(v []byte) error {
			m, err = parseMeta(v)
			return err
		})
	})
	if err != nil && !errors.Is(err, ErrNewer) {
		err = &opError{"read database", ErrDamaged, err}
	}
	return m, err
}

// A row is what a transaction does to one of Badger's keys.
type row struct {
	key    string
	value  []byte
	kind   byte
	remove bool
}

// size is what the row takes of one of Badger's transactions, which are limited in
// rows too: as if each had 96 bytes at least.
func (r row) size() int { return max(len(r.key)+len(r.value)+32, 128) }

// apply puts the row into txn. What it returns may be badger.ErrTxnTooBig.
func (r row) apply(txn *badger.Txn) error {
	if r.remove {
		return txn.Delete([]byte(r.key))
	}
	return txn.SetEntry(badger.NewEntry([]byte(r.key), r.value).WithMeta(r.kind))
}

// chain is the next transaction's meta: it commits to all before it.
func chain(last mark, rows []row) meta {
	h := sha256.New()
	h.Write(last.Hash[:])
	n := binary.BigEndian.AppendUint64(nil, last.Counter+1)
	h.Write(n)
	for _, r := range rows {
		n = binary.BigEndian.AppendUint32(n[:0], uint32(len(r.key)))
		n = binary.BigEndian.AppendUint32(n, uint32(len(r.value)))
		n = append(n, r.kind, 0)
		if r.remove {
			n[len(n)-1] = 1
		}
		h.Write(n)
		h.Write([]byte(r.key))
		h.Write(r.value)
	}
	m := meta{Version: formatVersion, Counter: last.Counter + 1, Prev: last.Hash}
	h.Sum(m.Hash[:0])
	return m
}

// scanRows calls fn for each row under the prefix, with the rest of its key.
func scanRows(txn *badger.Txn, prefix string, fn func(key string, it *badger.Item) error) error {
	var it *badger.Iterator
	start := func() error {
		it = txn.NewIterator(badger.IteratorOptions{Prefix: []byte(prefix)})
		it.Rewind()
		return nil
	}
	next := func() error { it.Next(); return nil }
	err := guarded(start)
	if it != nil {
		defer it.Close()
	}
	for ; err == nil && it.Valid(); err = guarded(next) {
		row := it.Item()
		if err := fn(string(row.Key()[len(prefix):]), row); err != nil {
			return err
		}
	}
	if err != nil {
		return &opError{"scan", ErrDamaged, err}
	}
	return nil
}
