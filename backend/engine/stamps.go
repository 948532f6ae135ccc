package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/plan"
	"plait/backend/state"
)

// fileRow is what a scan compares of one file of a replica. The file's basis has a row
// of its own, which is read only when the file is looked at closely.
type fileRow struct {
	stamp   disk.Stamp
	sure    bool // the stamp was old enough when taken that any later write must change it
	present bool // there was a file
	hash    item.Hash
	mask    [8]byte
	values  uint32 // of the basis: what the safety catch counts
}

// The file rows of a replica lie in stampRows rows of the database, by the hash of the
// item's name: a scan of thousands of files reads few rows, and a file that changed
// writes few bytes. Each row stays below what localdb keeps among its rows up to some
// hundred thousand files.
const (
	stampRows    = 256
	stampVersion = 1
	stampFixed   = 1 + 32 + 32 + 8 + 4
)

// stampRow is the row that holds an item's, as part of its key: FNV-1a, which is the same
// for ever.
func stampRow(n item.Name) byte {
	h := uint32(2166136261)
	for i := range len(n) {
		h = (h ^ uint32(n[i])) * 16777619
	}
	return byte(h ^ h>>8 ^ h>>16 ^ h>>24)
}

func stampKey(replica string, row byte) string {
	return fmt.Sprintf("%s%s/%02x", rowStamps, replica, row)
}

func (r *fileRow) append(b []byte, n item.Name) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(n)))
	b = append(b, n...)
	var flags byte
	if r.sure {
		flags |= 1
	}
	if r.present {
		flags |= 2
	}
	b = append(b, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(r.stamp.MTime))
	b = binary.BigEndian.AppendUint64(b, uint64(r.stamp.CTime))
	b = binary.BigEndian.AppendUint64(b, r.stamp.Inode)
	b = binary.BigEndian.AppendUint64(b, r.stamp.Size)
	b = append(b, r.hash[:]...)
	b = append(b, r.mask[:]...)
	return binary.BigEndian.AppendUint32(b, r.values)
}

// parseStamps adds what one row holds to rows.
func parseStamps(b []byte, rows map[item.Name]fileRow) error {
	damaged := errors.New("row of file stamps is damaged")
	if len(b) == 0 || b[0] != stampVersion {
		return damaged
	}
	names := string(b) // one copy for all
	for at := 1; at < len(b); {
		if len(b)-at < 2 {
			return damaged
		}
		n := int(binary.BigEndian.Uint16(b[at:]))
		at += 2
		if len(b)-at < n+stampFixed {
			return damaged
		}
		name := item.Name(names[at : at+n])
		f := b[at+n : at+n+stampFixed]
		at += n + stampFixed
		row := fileRow{
			sure: f[0]&1 != 0, present: f[0]&2 != 0,
			stamp: disk.Stamp{
				MTime: int64(binary.BigEndian.Uint64(f[1:])), CTime: int64(binary.BigEndian.Uint64(f[9:])),
				Inode: binary.BigEndian.Uint64(f[17:]), Size: binary.BigEndian.Uint64(f[25:]),
			},
			hash: item.Hash(f[33:65]), mask: [8]byte(f[65:73]), values: binary.BigEndian.Uint32(f[73:]),
		}
		rows[name] = row
	}
	return nil
}

// loadRows reads what is known of a replica's files.
func (e *Engine) loadRows(r *replica) error {
	if r.rows != nil {
		return nil
	}
	rows := map[item.Name]fileRow{}
	intents := map[item.Name][]byte{}
	err := e.db.View(func(tx localdb.Tx) error {
		var stamps [][]byte
		size := 0
		err := tx.Scan(rowStamps+r.src.ID()+"/", func(_ string, b []byte) error {
			stamps, size = append(stamps, b), size+len(b)
			return nil
		})
		if err != nil {
			return err
		}
		rows = make(map[item.Name]fileRow, size/(stampFixed+32))
		for _, b := range stamps {
			if err := parseStamps(b, rows); err != nil {
				return err
			}
		}
		prefix := rowIntent + r.src.ID() + "/"
		return tx.Scan(prefix, func(k string, b []byte) error {
			intents[item.Name(k[len(prefix):])] = b
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("files of %s: %w", r.src.ID(), err)
	}
	r.rows, r.intents = rows, intents
	return nil
}

// basisOf reads a file's basis; that of a file that nothing is known of is empty.
func (e *Engine) basisOf(r *replica, n item.Name) (plan.Basis, error) {
	if _, had := r.rows[n]; !had {
		return plan.Basis{}, nil
	}
	var raw []byte
	err := e.db.View(func(tx localdb.Tx) (err error) {
		raw, _, err = tx.Get(rowBasis + r.src.ID() + "/" + string(n))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("basis of %s: %w", n, err)
	}
	b, err := decodeBasis(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n, err)
	}
	return b, nil
}

// putRows writes what is known of files now; the replicas' rows follow.
func putRows(tx localdb.Tx, looks ...*look) error {
	changed := map[*replica]map[byte]bool{}
	for _, l := range looks {
		if err := putBasis(tx, l); err != nil {
			return err
		}
		rows := changed[l.rep]
		if rows == nil {
			rows = map[byte]bool{}
			changed[l.rep] = rows
		}
		rows[stampRow(l.item)] = true
		l.rep.rows[l.item] = l.row
	}
	for r, rows := range changed { // in any order: their keys differ
		if err := putStamps(tx, r, rows); err != nil {
			return err
		}
	}
	return nil
}

// putBasis writes a file's basis, which ends an intent.
func putBasis(tx localdb.Tx, l *look) error {
	full := l.basis.Put(l.aside)
	b, err := encodeBasis(full)
	if err != nil {
		return fmt.Errorf("basis of %s: %w", l.item, err)
	}
	l.row.values = 0
	for k, a := range full {
		if k.Lane == item.LaneValue && state.Present(a.Value) {
			l.row.values++
		}
	}
	id := l.rep.src.ID() + "/" + string(l.item)
	if l.rep.intents[l.item] != nil {
		if err := tx.Delete(rowIntent + id); err != nil {
			return err
		}
		delete(l.rep.intents, l.item)
	}
	return tx.Set(rowBasis+id, b)
}

func putStamps(tx localdb.Tx, r *replica, changed map[byte]bool) error {
	var names [stampRows][]item.Name
	for n := range r.rows {
		if i := stampRow(n); changed[i] {
			names[i] = append(names[i], n)
		}
	}
	for i, ns := range names {
		if len(ns) == 0 {
			continue
		}
		slices.Sort(ns)
		b := []byte{stampVersion}
		for _, n := range ns {
			row := r.rows[n]
			b = row.append(b, n)
		}
		if err := tx.Set(stampKey(r.src.ID(), byte(i)), b); err != nil {
			return err
		}
	}
	return nil
}
