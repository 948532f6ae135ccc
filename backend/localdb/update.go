package localdb

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/dgraph-io/badger/v4"
)

// View runs fn over one consistent state.
func (b *Badger) View(fn func(Tx) error) (err error) {
	txn, err := b.begin()
	if err != nil {
		return err
	}
	defer b.end(txn)
	return fn(&tx{db: b, txn: txn})
}

// Update runs fn and commits what it wrote; see DB.
func (b *Badger) Update(fn func(Tx) error) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	if b.broken != nil {
		return &opError{"update", ErrBroken, b.broken}
	}
	if err := b.writable(); err != nil {
		return err
	}
	txn, err := b.begin()
	if err != nil {
		return err
	}
	defer b.end(txn)
	t := &tx{db: b, txn: txn, writable: true}
	if err := fn(t); err != nil {
		return err
	}
	if len(t.rows) == 0 {
		return nil
	}
	return b.commit(t, b.stored == "", !b.Info().Doubtful())
}

// Accept stores this folder's fingerprint, and anchors the database as it is.
func (b *Badger) Accept() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	if b.broken != nil {
		return &opError{"accept", ErrBroken, b.broken}
	}
	if !b.Info().Doubtful() {
		return nil
	}
	if err := b.writable(); err != nil {
		return err
	}
	txn, err := b.begin()
	if err != nil {
		return err
	}
	defer b.end(txn)
	if err := b.commit(&tx{db: b, txn: txn, writable: true}, true, false); err != nil {
		return err
	}
	if err := b.mark.reset(b.last); err != nil {
		return b.fail("accept", err)
	}
	b.state.Lock()
	b.info = Info{Counter: b.last.Counter}
	b.state.Unlock()
	return nil
}

// begin starts a transaction of Badger's over a state that no large transaction
// is half way into.
func (b *Badger) begin() (*badger.Txn, error) {
	b.state.Lock()
	if b.closed {
		b.state.Unlock()
		return nil, ErrClosed
	}
	b.running++
	b.state.Unlock()
	b.snapshot.RLock()
	defer b.snapshot.RUnlock()
	return b.db.NewTransaction(false), nil
}

// end also removes the files of large values that are no more, when nothing
// runs that may have begun before they were replaced.
func (b *Badger) end(txn *badger.Txn) {
	txn.Discard()
	b.state.Lock()
	defer b.state.Unlock()
	b.running--
	if b.running > 0 {
		return
	}
	for _, id := range b.garbage {
		if err := b.large.remove(id); err != nil {
			b.log.Warn("large value not removed", "error", err) // the next opening tries again
		}
	}
	b.garbage = nil
	if b.retired != nil {
		if err := b.retired.Close(); err != nil {
			b.log.Warn("database opened for reading not closed", "error", err)
		}
		b.retired = nil
	}
	b.idle.Broadcast()
}

// fail remembers that a commit's outcome is unknown.
func (b *Badger) fail(op string, err error) error {
	b.broken = err
	return &opError{op, ErrBroken, err}
}

func (b *Badger) step(name string) error {
	if b.opts.crash == nil {
		return nil
	}
	return b.opts.crash(name)
}

// commit makes the transaction's rows last, in this order: files of large
// values; the rows, at once or by way of the redo file; the anchor. The rows
// are what counts: what stands before them is unreferenced without them, and the
// anchor may be one behind.
func (b *Badger) commit(t *tx, stamp, anchored bool) error {
	size := uint64(0)
	for k, c := range t.rows {
		size += uint64(len(k) + len(c.value))
	}
	if err := b.room(size); err != nil {
		return err
	}
	if err := b.flatten(maxPending); err != nil {
		return b.fail("flatten", err)
	}
	rows, refs, dropped, err := b.rowsOf(t)
	if err != nil {
		return err
	}
	if stamp {
		rows = append(rows, row{key: rowPrint, value: []byte(b.print)})
	}
	m := chain(b.last, rows)
	if err := b.step("rows"); err != nil {
		return b.fail("commit", err)
	}
	if err := b.write(rows, m); err != nil {
		return b.fail("commit", err)
	}
	b.last = mark{m.Counter, m.Hash}
	if stamp {
		b.stored = b.print
	}
	for k := range t.rows {
		delete(b.refs, k)
	}
	for k, r := range refs {
		b.refs[k] = r
	}
	b.state.Lock()
	b.info.Fresh, b.info.Counter = false, m.Counter
	b.garbage = append(b.garbage, dropped...)
	b.state.Unlock()
	if !anchored {
		return nil
	}
	if err := b.step("anchor"); err != nil {
		return b.fail("anchor", err)
	}
	if err := b.mark.set(b.last); err != nil {
		return b.fail("anchor", err)
	}
	return nil
}

// rowsOf turns the callers' keys and values into rows, in key order, and writes
// the files of large ones. dropped are the files that these rows replace.
func (b *Badger) rowsOf(t *tx) (rows []row, refs map[string]largeRef, dropped [][16]byte, err error) {
	refs = map[string]largeRef{}
	defer func() {
		if err != nil { // nothing refers to them; the next opening would do the same
			for _, r := range refs {
				b.large.remove(r.id)
			}
		}
	}()
	rows = make([]row, 0, len(t.rows)+1)
	for _, key := range t.keys() {
		c := t.rows[key]
		old, was := b.refs[key]
		if was {
			dropped = append(dropped, old.id)
		}
		switch {
		case c.remove:
			rows = append(rows, row{key: rowUser + key, remove: true})
		case len(c.value) <= inline:
			rows = append(rows, row{key: rowUser + key, value: c.value})
		default:
			if err := b.step("large"); err != nil {
				return nil, refs, nil, b.fail("write large value", err)
			}
			ref, err := b.large.put(c.value)
			refs[key] = ref
			if errors.Is(err, syscall.ENOSPC) {
				return nil, refs, nil, &opError{"write large value", ErrFull, err}
			}
			if err != nil {
				return nil, refs, nil, fmt.Errorf("write large value: %w", err)
			}
			rows = append(rows, row{key: rowUser + key, value: ref.bytes(), kind: largeRow},
				row{key: rowLarge + key, value: ref.bytes()})
			continue
		}
		if was {
			rows = append(rows, row{key: rowLarge + key, remove: true})
		}
	}
	if len(refs) > 0 {
		if err := syncDir(b.large.dir); err != nil {
			return nil, refs, nil, fmt.Errorf("sync large values: %w", err)
		}
	}
	return rows, refs, dropped, nil
}

// write commits the rows in one of Badger's transactions; if they are too many
// for that, by way of the redo file.
func (b *Badger) write(rows []row, m meta) error {
	txn := b.db.NewTransaction(true)
	defer txn.Discard()
	err := (row{key: rowMeta, value: m.bytes()}).apply(txn)
	for i := 0; err == nil && i < len(rows); i++ {
		err = rows[i].apply(txn)
	}
	if err == nil {
		err = (row{key: rowHigh, value: []byte{1}}).apply(txn)
	}
	if errors.Is(err, badger.ErrTxnTooBig) {
		return b.writeStaged(rows, m)
	}
	if err != nil {
		return err
	}
	return txn.Commit()
}
