package localdb

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// overlay is what a transaction has written and not yet committed.
type overlay struct {
	rows   map[string]change
	sorted []string // the keys, in order; nil when stale
}

type change struct {
	value  []byte
	remove bool
}

func (o *overlay) set(key string, c change) {
	if o.rows == nil {
		o.rows = map[string]change{}
	}
	if _, ok := o.rows[key]; !ok {
		o.sorted = nil
	}
	o.rows[key] = c
}

func (o *overlay) keys() []string {
	if o.sorted == nil {
		o.sorted = make([]string, 0, len(o.rows))
		for k := range o.rows {
			o.sorted = append(o.sorted, k)
		}
		slices.Sort(o.sorted)
	}
	return o.sorted
}

// under is the keys with the prefix, in order.
func (o *overlay) under(prefix string) []string {
	keys := o.keys()
	i, _ := slices.BinarySearch(keys, prefix)
	keys = keys[i:]
	for n, k := range keys {
		if !strings.HasPrefix(k, prefix) {
			return keys[:n]
		}
	}
	return keys
}

// before passes to fn, and returns without, the changes that sort before key
// (all, if end), and says whether key itself is changed and so hidden.
func (o *overlay) before(changed []string, key string, end bool, fn func(string, []byte) error) ([]string, bool, error) {
	for len(changed) > 0 && (end || changed[0] <= key) {
		k := changed[0]
		if !end && k == key {
			return changed, true, nil
		}
		changed = changed[1:]
		if c := o.rows[k]; !c.remove {
			if err := fn(k, c.value); err != nil {
				return changed, false, err
			}
		}
	}
	return changed, false, nil
}

func checkKey(key string) error {
	if len(key) == 0 || len(key) > MaxKey {
		return ErrBadKey
	}
	return nil
}

func stopped(err error) error {
	if errors.Is(err, Stop) {
		return nil
	}
	return err
}

// tx is a transaction over a snapshot of Badger.
type tx struct {
	db       *Badger
	txn      *badger.Txn
	writable bool
	overlay
}

func (t *tx) Get(key string) ([]byte, bool, error) {
	if err := checkKey(key); err != nil {
		return nil, false, err
	}
	if c, ok := t.rows[key]; ok {
		return c.value, !c.remove, nil
	}
	var row *badger.Item
	err := guarded(func() (err error) {
		row, err = t.txn.Get([]byte(rowUser + key))
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, &opError{"get", ErrDamaged, err}
	}
	value, err := t.db.value(row)
	return value, err == nil, err
}

func (t *tx) Set(key string, value []byte) error {
	return t.change(key, change{value: append([]byte{}, value...)})
}

func (t *tx) Delete(key string) error { return t.change(key, change{remove: true}) }

func (t *tx) change(key string, c change) error {
	if !t.writable {
		return ErrReadOnly
	}
	if err := checkKey(key); err != nil {
		return err
	}
	t.set(key, c)
	return nil
}

func (t *tx) Scan(prefix string, fn func(key string, value []byte) error) error {
	changed := t.under(prefix)
	err := scanRows(t.txn, rowUser+prefix, func(rest string, row *badger.Item) error {
		key := prefix + rest
		var hidden bool
		var err error
		if changed, hidden, err = t.before(changed, key, false, fn); err != nil || hidden {
			return err
		}
		value, err := t.db.value(row)
		if err != nil {
			return err
		}
		return fn(key, value)
	})
	if err == nil {
		_, _, err = t.before(changed, "", true, fn)
	}
	return stopped(err)
}

// value copies a row's value, from its file if it is a large one.
func (b *Badger) value(row *badger.Item) ([]byte, error) {
	var v []byte
	err := guarded(func() (err error) {
		v, err = row.ValueCopy(nil)
		return err
	})
	if err == nil && row.UserMeta() == largeRow {
		var ref largeRef
		if ref, err = parseRef(v); err == nil {
			v, err = b.large.get(ref)
		}
	}
	if err != nil {
		return nil, &opError{fmt.Sprintf("read value of %.40q", row.Key()), ErrDamaged, err}
	}
	if v == nil {
		v = []byte{}
	}
	return v, nil
}
