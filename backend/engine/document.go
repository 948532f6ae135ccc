package engine

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"

	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/merge"
	"plait/backend/plan"
)

// An editor's document is written whole: taken apart, laid out, exchanged and read back.

// writeOne brings one file to what is shown.
func (e *Engine) writeOne(r *replica, n item.Name) (applied bool, err error) {
	path, ok, err := r.src.Locate(n)
	if err != nil {
		return false, err
	}
	if !ok {
		return false, nil
	}
	row, had := r.rows[n]
	l := &look{rep: r, item: n, path: path, row: row, had: had}
	switch err := e.read(l); {
	case errors.Is(err, fs.ErrNotExist):
		l.atoms = map[item.Key]item.Value{}
	case err != nil:
		return false, err
	}
	if had && (row.present != l.exists || row.hash != l.hash) || !had && l.exists {
		return false, errAgain
	}
	target, layers, err := e.target(l)
	if err != nil {
		return false, err
	}
	if fileGone(target, layers) {
		if !l.exists {
			return false, e.settleRow(l, target)
		}
		return true, e.removeDoc(l, target)
	}
	var out []byte
	var left *forged
	if len(target.Want) > 0 || l.exists {
		if out, left, err = e.layOut(l, &target); err != nil {
			return false, err
		}
	}
	if l.exists && bytes.Equal(out, l.raw) || !l.exists && out == nil {
		err = e.settleRow(l, target)
	} else {
		applied, err = true, e.replaceDoc(l, target, out)
	}
	if err == nil && left != nil {
		err = left
	}
	return applied, err
}

// target says what a file is to hold, without what waits for approval.
func (e *Engine) target(l *look) (plan.Targeted, []plan.Layer, error) {
	basis, err := e.basisOf(l.rep, l.item)
	if err != nil {
		return plan.Targeted{}, nil, stop(err)
	}
	ignore := l.rep.src.Options(l.item, l.raw).Ignore
	l.basis, l.aside = basis.Split(ignore)
	layers, err := e.layers(l.item)
	if err != nil {
		return plan.Targeted{}, nil, stop(err)
	}
	for i := range layers {
		layers[i].Shown = plan.Unmasked(ignore, layers[i].Shown)
	}
	t := plan.Target(l.item.Type(), layers, l.atoms, l.basis)
	keepWhole(l, &t)
	if err := e.holdBack(l, &t, layers); err != nil {
		return t, nil, err
	}
	return t, layers, nil
}

// fileGone says whether an item was removed whole: nothing is wanted, and its
// layout is gone too (a document that is only empty keeps its layout).
func fileGone(t plan.Targeted, layers []plan.Layer) bool {
	if len(t.Conflicts) > 0 || len(layers) == 0 {
		return false
	}
	for k := range t.Want {
		if k.Lane == item.LaneValue {
			return false
		}
	}
	for _, l := range layers {
		for k, s := range l.Shown {
			if (k.Lane == item.LaneSkeleton || k.Lane == item.LaneValue) && s.Value.Kind != item.Absent {
				return false
			}
		}
	}
	return len(layers[len(layers)-1].Item.Atoms) > 0
}

// settleRow moves a basis where the file needs no writing, to what the file holds (E2):
// a comment for which an empty document has no place is not on this disk.
func (e *Engine) settleRow(l *look, t plan.Targeted) error {
	l.basis = asRead(l, t, l.atoms)
	if !l.had && !l.exists && len(t.Basis) == 0 {
		return nil
	}
	l.row.hash, l.row.present, l.row.mask = l.hash, l.exists, l.rep.src.MaskPrint()
	if l.exists {
		l.row.stamp = l.info.Stamp
	}
	l.row.sure = l.exists && l.info.Stamp.Settled(l.read)
	return stop(e.commit(func(tx localdb.Tx) error { return putRows(tx, l) }))
}

// intend records what is about to be written, and keeps the bytes that it takes
// the place of (E1).
func (e *Engine) intend(l *look, basis plan.Basis, out []byte) error {
	raw, err := encodeBasis(basis)
	if err != nil {
		return stop(err)
	}
	in := intent{basis: raw}
	if out != nil {
		in.hash = sha256.Sum256(out)
	}
	b := in.marshal()
	id := l.rep.src.ID() + "/" + string(l.item)
	kept := fmt.Sprintf("%s%s/%016x", rowKept, id, uint64(e.meta.Clock)+1)
	err = e.commit(func(tx localdb.Tx) error {
		if l.exists && l.raw != nil {
			if err := e.keep(tx, rowKept+id+"/", kept, l.raw); err != nil {
				return err
			}
		}
		if err := e.beginWriting(tx, l.rep); err != nil {
			return err
		}
		return tx.Set(rowIntent+id, b)
	})
	if err != nil {
		return stop(err)
	}
	l.rep.intents[l.item] = b
	return nil
}

// maxKept is how many overwritten versions of a document's exact bytes are kept
// here; what it said stays in history for good.
const maxKept = 20

func (e *Engine) keep(tx localdb.Tx, prefix, key string, raw []byte) error {
	var old []string
	var last []byte
	if err := tx.Scan(prefix, func(k string, b []byte) error { old, last = append(old, k), b; return nil }); err != nil {
		return err
	}
	if last != nil && bytes.Equal(last, raw) {
		return nil
	}
	for len(old) >= maxKept {
		if err := tx.Delete(old[0]); err != nil {
			return err
		}
		old = old[1:]
	}
	if len(old) > 0 && key <= old[len(old)-1] {
		key = old[len(old)-1] + "+"
	}
	return tx.Set(key, raw)
}

func expectation(l *look) disk.Expect {
	if !l.exists {
		return disk.Expect{Absent: true}
	}
	return disk.Expect{Stamp: l.info.Stamp}
}

// asRead is a document's basis once Plait wrote it and it reads as atoms. What was there
// before and did not come out is not there, which is no edit of anybody's (E2): a comment
// whose place is gone.
func asRead(l *look, t plan.Targeted, atoms map[item.Key]item.Value) plan.Basis {
	basis := t.ReadBack(l.item.Type(), l.basis, atoms)
	for k, b := range basis {
		if _, on := atoms[k]; !on && b.Value.Kind != item.Absent {
			b.Value = item.Value{}
			basis[k] = b
		}
	}
	return basis
}

// replaceDoc writes a document.
func (e *Engine) replaceDoc(l *look, t plan.Targeted, out []byte) error {
	doc, err := merge.Atomize(l.item.Type(), out, l.rep.src.Options(l.item, l.raw))
	if err != nil {
		return fmt.Errorf("reading %s back: %w", l.path, err)
	}
	basis := asRead(l, t, doc.Atoms)
	if err := e.intend(l, basis, out); err != nil {
		return err
	}
	sw, err := e.cfg.FS.Replace(l.path, bytes.NewReader(out), 0o644, expectation(l))
	if errors.Is(err, disk.ErrChanged) {
		return errAgain
	}
	if err != nil {
		return err
	}
	if same, err := e.takeAside(l, sw); err != nil || !same {
		return cmpErr(err, errAgain)
	}
	if err := e.moveBasis(l, basis, out, sw.After); err != nil {
		return err
	}
	if err := e.discard(sw); err != nil || !ordered(l, basis, doc.Atoms) {
		return err
	}
	return errOrdered
}

// ordered says whether keybindings came to stand in an order that nobody wrote.
func ordered(l *look, basis plan.Basis, atoms map[item.Key]item.Value) bool {
	for k := range atoms {
		if _, known := basis[k]; !known && k.Lane == item.LaneOrder && l.item.Type() == item.Keybindings {
			return true
		}
	}
	return false
}

// removeDoc removes a document that was removed elsewhere.
func (e *Engine) removeDoc(l *look, t plan.Targeted) error {
	if err := e.intend(l, t.Basis, nil); err != nil {
		return err
	}
	sw, err := e.cfg.FS.Remove(l.path, expectation(l))
	if errors.Is(err, disk.ErrChanged) {
		return errAgain
	}
	if err != nil {
		return err
	}
	if same, err := e.takeAside(l, sw); err != nil || !same {
		return cmpErr(err, errAgain)
	}
	l.basis, l.atoms, l.exists, l.hash = t.Basis, map[item.Key]item.Value{}, false, item.Hash{}
	l.row = fileRow{mask: l.rep.src.MaskPrint()}
	if err := stop(e.commit(func(tx localdb.Tx) error { return putRows(tx, l) })); err != nil {
		return err
	}
	return e.discard(sw)
}

// moveBasis notes what a file holds now that it was written and is the one that was
// meant (E2).
func (e *Engine) moveBasis(l *look, basis plan.Basis, out []byte, after disk.Info) error {
	old := l.basis
	l.basis = basis
	l.row.hash, l.row.present, l.row.mask, l.row.stamp = sha256.Sum256(out), true, l.rep.src.MaskPrint(), after.Stamp
	l.row.sure = after.Stamp.Exchanged()
	err := stop(e.commit(func(tx localdb.Tx) error { return putRows(tx, l) }))
	l.basis = old
	return err
}
