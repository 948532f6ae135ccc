package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/merge"
	"plait/backend/plan"
	"plait/backend/state"
)

// What makes code run (tasks, MCP servers, terminal profiles) takes effect here
// only if it was written by a device that may change what runs here, or once a
// person approved it. Until then it is in state, and the file keeps what it has.

// approvedRow lists the writes that the person approved for one item.
type approvedRow struct {
	Dots []item.Dot `cbor:"1,keyasint"`
}

// trusted says whether a device may change what runs here.
func (e *Engine) trusted(d item.Device) bool {
	if d == e.meta.Me.Device {
		return true
	}
	m, ok := e.ring.Member(d)
	return ok && m.Run
}

// unapproved are the dots of writes that wait for approval.
func (e *Engine) unapproved(dots []item.Dot, ok map[item.Dot]bool) bool {
	for _, d := range dots {
		if !e.trusted(d.Author.Device) && !ok[d] {
			return true
		}
	}
	return false
}

func (e *Engine) approved(n item.Name) (map[item.Dot]bool, error) {
	ok := map[item.Dot]bool{}
	return ok, e.db.View(func(tx localdb.Tx) error {
		var row approvedRow
		_, err := getCBOR(tx, rowApproved+string(n), &row)
		for _, d := range row.Dots {
			ok[d] = true
		}
		return err
	})
}

// holdBack takes out of a target what waits for approval, and notes that it does.
func (e *Engine) holdBack(l *look, t *plan.Targeted, layers []plan.Layer) error {
	typ := l.item.Type()
	var held []item.Key
	var ok map[item.Dot]bool
	for k, b := range t.Basis {
		if !merge.Executes(typ, k) || len(b.Dots) == 0 {
			continue
		}
		if ok == nil {
			var err error
			if ok, err = e.approved(l.item); err != nil {
				return stop(err)
			}
		}
		if checkRun.fails(e.unapproved(b.Dots, ok)) && !slices.Equal(b.Dots, l.basis[k].Dots) {
			held = append(held, k)
		}
	}
	for _, k := range held {
		if v, on := l.atoms[k]; on {
			t.Want[k] = v
		} else {
			delete(t.Want, k)
		}
		if b, had := l.basis[k]; had {
			t.Basis[k] = b
		} else {
			delete(t.Basis, k)
		}
	}
	return stop(e.noteAsked(l.item, len(held) > 0))
}

func (e *Engine) noteAsked(n item.Name, asked bool) error {
	was := false
	if err := e.db.View(func(tx localdb.Tx) error {
		_, ok, err := tx.Get(rowAsked + string(n))
		was = ok
		return err
	}); err != nil || was == asked {
		return err
	}
	return e.commit(func(tx localdb.Tx) error {
		if asked {
			return tx.Set(rowAsked+string(n), nil)
		}
		return tx.Delete(rowAsked + string(n))
	})
}

// Asked lists the items of which something waits for approval.
func (e *Engine) Asked() ([]item.Name, error) {
	var ns []item.Name
	return ns, e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowAsked, func(k string, _ []byte) error {
			ns = append(ns, item.Name(k[len(rowAsked):]))
			return nil
		})
	})
}

// A Held value is one that waits for approval: what stands in this device's file, and
// what would.
type Held struct {
	Key         item.Key
	Here, There item.Value
}

// Held lists what of an item waits for approval. as stands for exactly these writes
// and values: whoever approved what was shown compares it before Approve. "": none wait.
func (e *Engine) Held(n item.Name) (held []Held, as string, err error) {
	dots, held, err := e.held(n)
	if err != nil || len(dots) == 0 {
		return held, "", err
	}
	dots = slices.Clone(dots)
	slices.SortFunc(dots, item.Dot.Compare)
	h := sha256.New()
	part := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	for _, d := range slices.Compact(dots) {
		part([]byte(d.String()))
	}
	for _, x := range held { // in order of layers and keys
		part([]byte{byte(x.Key.Lane), byte(x.There.Kind)})
		part([]byte(x.Key.Path))
		part(x.There.Data)
	}
	// 80 bits: who writes what waits could find two contents of one shorter sum.
	return held, hex.EncodeToString(h.Sum(nil)[:10]), nil
}

func (e *Engine) held(n item.Name) (dots []item.Dot, held []Held, err error) {
	ok, err := e.approved(n.Shared())
	if err != nil {
		return nil, nil, err
	}
	layers, err := e.layers(n.Shared())
	if err != nil {
		return nil, nil, err
	}
	here, err := e.onDisk(n.Shared())
	if err != nil {
		return nil, nil, err
	}
	for _, l := range layers {
		for _, k := range sortedKeys(l.Shown) {
			s := l.Shown[k]
			if !merge.Executes(n.Type(), k) || !e.unapproved(s.Dots, ok) {
				continue
			}
			dots = append(dots, s.Dots...)
			h := Held{Key: k, Here: here[k].Value, There: s.Value}
			if state.Present(h.Here) != state.Present(h.There) || state.Present(h.Here) && !merge.Same(n.Type(), k, h.Here, h.There) {
				held = append(held, h)
			}
		}
	}
	return dots, held, nil
}

// onDisk is what the first replica that holds an item last had on its disk.
func (e *Engine) onDisk(n item.Name) (plan.Basis, error) {
	for _, r := range e.reps {
		if r.src.Collection() != n.Collection() {
			continue
		}
		if err := e.loadRows(r); err != nil {
			return nil, err
		}
		if _, had := r.rows[n]; had {
			return e.basisOf(r, n)
		}
	}
	return nil, nil
}

// Approve lets what waits of an item take effect here; the next round writes it.
// It returns how many writes that concerned.
func (e *Engine) Approve(n item.Name) (int, error) {
	dots, _, err := e.held(n)
	if err != nil || len(dots) == 0 {
		return 0, err
	}
	shared := n.Shared()
	err = e.commit(func(tx localdb.Tx) error {
		var row approvedRow
		if _, err := getCBOR(tx, rowApproved+string(shared), &row); err != nil {
			return err
		}
		row.Dots = append(row.Dots, dots...)
		slices.SortFunc(row.Dots, item.Dot.Compare)
		row.Dots = slices.Compact(row.Dots)
		if err := setCBOR(tx, rowApproved+string(shared), row); err != nil {
			return err
		}
		if err := tx.Delete(rowAsked + string(shared)); err != nil {
			return err
		}
		return tx.Set(rowDirty+string(shared), nil)
	})
	return len(dots), err
}
