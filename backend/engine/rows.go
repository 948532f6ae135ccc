package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/plan"
)

// The rows of the local database. FORMAT.md describes them.
const (
	rowMeta     = "m"
	rowGenesis  = "genesis"
	rowEntry    = "e/"  // author/seq: an entry's record, as it travels
	rowState    = "s/"  // item: what state holds of it
	rowStamps   = "t/"  // replica/xx: stamps and content hashes of a 256th of its files
	rowBasis    = "r/"  // replica/item: basis of a file
	rowDirty    = "d/"  // item: state changed, replicas may lag behind
	rowIntent   = "i/"  // replica/item: what is about to be written
	rowMoved    = "sm"  // strategies changed, and not every item was looked at since
	rowWriting  = "W/"  // replica: files are being written; displaced ones may lie beside them
	rowKept     = "o/"  // replica/item/time: bytes of a document before it was overwritten
	rowOpen     = "x/"  // item: has open conflicts
	rowHead     = "h/"  // author: newest head seen
	rowSeen     = "n/"  // store/author: newest head seen there
	rowKey      = "k/"  // hash: a key statement
	rowKeyOut   = "ko/" // hash: a statement of ours that the store does not have
	rowPack     = "p/"  // hash: what lies where in a pack
	rowPackOut  = "po/" // hash: a pack of ours that the store does not have
	rowCursor   = "c/"  // store: what we sent there
	rowWaiting  = "w/"  // replica/item: could not be read or written, and why
	rowApproved = "a/"  // item: dots that the person let take effect here
	rowAsked    = "u/"  // item: waits for approval
	rowReplica  = "R/"  // id: a replica's definition (kept by vault)
	rowFound    = "f/"  // code/object: what was found wrong in the store
	rowOut      = "q/"  // name: a sealed object that is to be sent again as it is
)

var encMode = func() cbor.EncMode {
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic("engine: " + err.Error())
	}
	return m
}()

// The database is our own and encrypted; limits still keep a damaged row from
// taking all memory.
var decMode = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		MaxArrayElements: 4 << 20, MaxMapPairs: 4 << 20, MaxNestedLevels: 16,
	}.DecMode()
	if err != nil {
		panic("engine: " + err.Error())
	}
	return m
}()

func setCBOR(tx localdb.Tx, key string, v any) error {
	b, err := encMode.Marshal(v)
	if err != nil {
		return fmt.Errorf("row %s: %w", key, err)
	}
	return tx.Set(key, b)
}

func getCBOR(tx localdb.Tx, key string, v any) (bool, error) {
	b, ok, err := tx.Get(key)
	if err != nil || !ok {
		return false, err
	}
	if err := decMode.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("row %s: %w", key, err)
	}
	return true, nil
}

func entryRow(d item.Dot) string { return fmt.Sprintf("%s%s/%016x", rowEntry, d.Author, d.Seq) }

// entryOf reads an entry row's key back.
func entryOf(key string) (item.Dot, bool) {
	as, seq, ok := strings.Cut(strings.TrimPrefix(key, rowEntry), "/")
	if !ok {
		return item.Dot{}, false
	}
	a, ok := parseAuthor(as)
	if !ok {
		return item.Dot{}, false
	}
	var n uint64
	if _, err := fmt.Sscanf(seq, "%016x", &n); err != nil {
		return item.Dot{}, false
	}
	return item.Dot{Author: a, Seq: n}, true
}

func parseAuthor(s string) (item.Author, bool) {
	ds, is, ok := strings.Cut(s, ".")
	if !ok {
		return item.Author{}, false
	}
	d, err := item.ParseDevice(ds)
	if err != nil {
		return item.Author{}, false
	}
	var inc uint64
	if _, err := fmt.Sscanf(is, "%016x", &inc); err != nil {
		return item.Author{}, false
	}
	return item.Author{Device: d, Inc: inc}, true
}

// intent is what is about to be written to a file: the hash of its content (zero:
// it is to be removed), and the basis that it then has.
type intent struct {
	hash  item.Hash
	basis []byte
}

func (i intent) marshal() []byte { return append(i.hash[:], i.basis...) }

func parseIntent(b []byte) (i intent, err error) {
	if len(b) < len(i.hash) {
		return i, errors.New("no intent")
	}
	copy(i.hash[:], b)
	i.basis = b[len(i.hash):]
	return i, nil
}

// A basis travels as parallel lists: short keys, and dots named by index into one
// table, since most atoms of a file stand for the same few entries.
type basisWire struct {
	Layers []item.Name     `cbor:"1,keyasint"`
	Dots   []item.Dot      `cbor:"2,keyasint"`
	Atoms  []basisAtomWire `cbor:"3,keyasint"`
}

type basisAtomWire struct {
	_     struct{} `cbor:",toarray"`
	Lane  item.Lane
	Path  string
	Layer int
	Kind  item.Kind
	Data  []byte
	Large *item.Content
	Mode  uint32
	Dots  []int
}

func encodeBasis(b plan.Basis) ([]byte, error) {
	var w basisWire
	layers, dots := map[item.Name]int{}, map[item.Dot]int{}
	for _, k := range sortedKeys(b) {
		a := b[k]
		li, ok := layers[a.Layer]
		if !ok {
			li = len(w.Layers)
			layers[a.Layer] = li
			w.Layers = append(w.Layers, a.Layer)
		}
		aw := basisAtomWire{Lane: k.Lane, Path: k.Path, Layer: li, Kind: a.Value.Kind, Data: a.Value.Data, Large: a.Value.Large, Mode: a.Value.Mode}
		for _, d := range a.Dots {
			di, ok := dots[d]
			if !ok {
				di = len(w.Dots)
				dots[d] = di
				w.Dots = append(w.Dots, d)
			}
			aw.Dots = append(aw.Dots, di)
		}
		w.Atoms = append(w.Atoms, aw)
	}
	return encMode.Marshal(w)
}

func decodeBasis(b []byte) (plan.Basis, error) {
	out := plan.Basis{}
	if len(b) == 0 {
		return out, nil
	}
	var w basisWire
	if err := decMode.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("basis: %w", err)
	}
	for _, a := range w.Atoms {
		if a.Layer < 0 || a.Layer >= len(w.Layers) {
			return nil, errors.New("basis: layer out of range")
		}
		ba := plan.BasisAtom{Layer: w.Layers[a.Layer], Value: item.Value{Kind: a.Kind, Data: a.Data, Large: a.Large, Mode: a.Mode}}
		for _, d := range a.Dots {
			if d < 0 || d >= len(w.Dots) {
				return nil, errors.New("basis: dot out of range")
			}
			ba.Dots = append(ba.Dots, w.Dots[d])
		}
		out[item.Key{Lane: a.Lane, Path: a.Path}] = ba
	}
	return out, nil
}
