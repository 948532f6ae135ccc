package localdb

import (
	"bufio"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
)

// A transaction that is too large for one of Badger's is first written whole to
// the redo file, sealed, synced and renamed: from that instant on it is
// committed. Then its rows are carried over in several of Badger's transactions,
// the first of which leaves a note (rowStaged), the last of which takes the note
// away and moves the counter. Opening repeats this from the start if the
// file is still there; repeating it changes nothing.
//
// (Rows under a staging prefix within Badger would do as well, and would write
// everything three times instead of twice.)
type redoFile struct {
	dir  string
	aead cipher.AEAD
	rand io.Reader
}

const (
	redoAAD = "redo"
	maxRow  = inline + MaxKey + 1<<10
	batch   = memTable * 15 / 100 * 85 / 100 // Badger's limit, and some room
)

func (f redoFile) path() string { return filepath.Join(f.dir, "redo") }

// A redo file holds the meta row's value, then rows: a byte of flags (1: remove;
// the rest the kind, shifted by one), and key and value, each after its length.
func (f redoFile) write(rows []row, m meta) error {
	err := writeSealed(f.path(), func(w io.Writer) error {
		s, err := newSealer(w, f.aead, []byte(redoAAD), f.rand)
		if err != nil {
			return err
		}
		if err := putBytes(s, m.bytes()); err != nil {
			return err
		}
		for _, r := range rows {
			flags := r.kind << 1
			if r.remove {
				flags |= 1
			}
			if _, err := s.Write([]byte{flags}); err != nil {
				return err
			}
			if err := putBytes(s, []byte(r.key)); err != nil {
				return err
			}
			if err := putBytes(s, r.value); err != nil {
				return err
			}
		}
		return s.Close()
	})
	if err != nil {
		return fmt.Errorf("write redo file: %w", err)
	}
	return syncDir(f.dir)
}

func putBytes(w io.Writer, b []byte) error {
	if _, err := w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b)))); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

var errRedo = errors.New("redo file malformed")

func getBytes(r io.Reader) ([]byte, error) {
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, errRedo
	}
	size := binary.BigEndian.Uint32(n[:])
	if size > maxRow {
		return nil, errRedo
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, errRedo
	}
	return b, nil
}

// readRedo calls fn for each row.
func readRedo(r io.Reader, start func(meta) error, fn func(row) error) error {
	in := bufio.NewReader(r)
	b, err := getBytes(in)
	if err != nil {
		return err
	}
	m, err := parseMeta(b)
	if err != nil {
		return err
	}
	if err := start(m); err != nil {
		return err
	}
	for {
		flags, err := in.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		key, err := getBytes(in)
		if err != nil {
			return err
		}
		value, err := getBytes(in)
		if err != nil {
			return err
		}
		if len(key) == 0 || flags>>1 > largeRow {
			return errRedo
		}
		if err := fn(row{key: string(key), value: value, kind: flags >> 1, remove: flags&1 != 0}); err != nil {
			return err
		}
	}
}

func (f redoFile) remove() error {
	for _, path := range []string{f.path() + ".tmp", f.path()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (b *Badger) writeStaged(rows []row, m meta) error {
	if err := b.step("redo"); err != nil {
		return err
	}
	if err := b.redo.write(rows, m); err != nil {
		return err
	}
	// No View may start between here and the last batch.
	b.snapshot.Lock()
	defer b.snapshot.Unlock()
	c := &carrier{b: b, m: m}
	for _, r := range rows {
		if err := c.add(r); err != nil {
			return err
		}
	}
	if err := c.finish(); err != nil {
		return err
	}
	if err := b.step("redo done"); err != nil {
		return err
	}
	return b.redo.remove()
}

// A carrier takes rows over into Badger in batches.
type carrier struct {
	b    *Badger
	m    meta
	txn  *badger.Txn
	size int
}

func (c *carrier) add(r row) error {
	if c.txn != nil && c.size+r.size() > batch {
		if err := c.commit(); err != nil {
			return err
		}
	}
	if c.txn == nil {
		c.txn, c.size = c.b.db.NewTransaction(true), 0
		note := binary.BigEndian.AppendUint64(nil, c.m.Counter)
		for _, r := range []row{{key: rowStaged, value: note}, {key: rowHigh, value: []byte{1}}} {
			if err := r.apply(c.txn); err != nil {
				return err
			}
		}
	}
	c.size += r.size()
	return r.apply(c.txn)
}

func (c *carrier) commit() error {
	if err := c.b.step("batch"); err != nil {
		c.txn.Discard()
		return err
	}
	txn := c.txn
	c.txn = nil
	defer txn.Discard()
	return txn.Commit()
}

func (c *carrier) finish() error {
	if err := c.add(row{key: rowMeta, value: c.m.bytes()}); err != nil {
		return err
	}
	if err := c.add(row{key: rowStaged, remove: true}); err != nil {
		return err
	}
	return c.commit()
}

// replay carries over what a crash interrupted, and returns the meta row as it
// then stands.
func (b *Badger) replay(m meta) (meta, error) {
	staged, err := b.staged()
	if err != nil {
		return m, err
	}
	f, err := os.Open(b.redo.path())
	if errors.Is(err, fs.ErrNotExist) {
		if staged != 0 {
			return m, &opError{"open database", ErrDamaged, errors.New("the redo file of a half-written transaction is missing")}
		}
		return m, b.redo.remove() // a .tmp may be left
	}
	if err != nil {
		return m, fmt.Errorf("open redo file: %w", err)
	}
	defer f.Close()
	var c *carrier
	o, err := newOpener(f, b.redo.aead, []byte(redoAAD))
	if err == nil {
		err = readRedo(o, func(next meta) error {
			if next.Counter == m.Counter+1 && next.Prev == m.Hash {
				c = &carrier{b: b, m: next}
				return nil
			}
			return Stop // carried over already
		}, func(r row) error { return c.add(r) })
	}
	if err == nil {
		err = c.finish()
		m = c.m
	}
	if err = stopped(err); err == nil && c == nil && staged != 0 {
		err = errors.New("it is another one than the half-written transaction's")
	}
	if err != nil {
		return m, &opError{"replay redo file", ErrDamaged, err}
	}
	f.Close()
	return m, b.redo.remove()
}

func (b *Badger) staged() (n uint64, err error) {
	err = b.db.View(func(txn *badger.Txn) error {
		row, err := txn.Get([]byte(rowStaged))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return row.Value(func(v []byte) error {
			if len(v) != 8 {
				return errors.New("staging note malformed")
			}
			n = binary.BigEndian.Uint64(v)
			return nil
		})
	})
	if err != nil {
		err = &opError{"read database", ErrDamaged, err}
	}
	return n, err
}
