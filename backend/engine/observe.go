package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"plait/backend/chunk"
	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/plan"
	"plait/backend/state"
)

// MaxDocument is how large an editor's document may be (merge's own limit).
const MaxDocument = 64 << 20

// A look is one file as found on disk in this round.
type look struct {
	rep    *replica
	item   item.Name
	path   string
	info   disk.Info
	read   time.Time // when reading it began
	exists bool
	raw    []byte                  // of a document
	atoms  map[item.Key]item.Value // taken apart; empty if it does not exist
	hash   item.Hash               // of the content
	fresh  bool                    // read now; else only its stamp was looked at
	row    fileRow                 // what the database held
	had    bool                    // whether it held anything
	basis  plan.Basis              // decoded, without what is masked now
	aside  plan.Basis              // what is masked now
	seen   plan.Observed
	moved  bool // row must be written
	remask bool // another mask than before: what is shown may differ
}

// observed is what the files of all replicas say against their bases.
type observed struct {
	looks   []*look
	writes  []item.Write
	waiting []Waiting
	writer  *chunk.Writer // nil until a file is to be cut
	caught  *Caught       // the first replica that the safety catch held back
}

// A Waiting is an item that could not be read or written; it is tried again each round.
type Waiting struct {
	Replica string    `cbor:"1,keyasint"`
	Item    item.Name `cbor:"2,keyasint"`
	Path    string    `cbor:"3,keyasint"`
	Code    string    `cbor:"4,keyasint"` // invalid, too-large, locked, denied, changed, full, odd, name, incomplete, damaged, offline, forged, unknown
	Line    int       `cbor:"5,keyasint,omitempty"`
	Detail  string    `cbor:"6,keyasint,omitempty"`
}

// Caught is the safety catch: removals that are not recorded until a person says so.
type Caught struct {
	Replica string // label
	Root    string
	What    *plan.Caught
}

func (c *Caught) Error() string {
	return fmt.Sprintf("safety catch: %s (%s): %s", c.Replica, c.Root, c.What.Why)
}

// observe looks at every file of the replicas, and says what changed. It writes nothing.
// No two of them may hold the same items: an entry writes an atom at most once.
// A replica that the safety catch holds back is left alone, and no other for it.
func (e *Engine) observe(ctx context.Context, reps []*replica, types map[item.Type]bool, acceptRemovals bool) (*observed, error) {
	o := &observed{}
	for _, r := range reps {
		err := ctx.Err()
		if err == nil {
			err = e.observeReplica(ctx, r, o, types, acceptRemovals)
		}
		var caught *Caught
		if r.caught = errors.As(err, &caught); r.caught {
			o.caught = cmp.Or(o.caught, caught)
			continue
		}
		if err != nil {
			if o.writer != nil {
				o.writer.Abort()
			}
			return nil, err
		}
	}
	return o, nil
}

func (e *Engine) observeReplica(ctx context.Context, r *replica, o *observed, types map[item.Type]bool, accept bool) error {
	if err := e.loadRows(r); err != nil {
		return err
	}
	docs, err := r.src.Documents(e.cfg.FS)
	rootGone := errors.Is(err, fs.ErrNotExist)
	if err != nil && !rootGone {
		o.waiting = append(o.waiting, e.waiting(r, "", r.src.Root(), err))
		return nil
	}
	mask := r.src.MaskPrint()
	found := make(map[item.Name]bool, len(docs))
	var todo []*look
	for _, d := range docs {
		found[d.Item] = true
		if types != nil && !types[d.Item.Type()] {
			continue
		}
		row, had := r.rows[d.Item]
		l := &look{rep: r, item: d.Item, path: d.Path, info: d.Info, exists: true, row: row, had: had}
		if d.Err != nil {
			o.waiting = append(o.waiting, e.waiting(r, d.Item, d.Path, d.Err))
			continue
		}
		if had && row.present && row.sure && row.stamp == d.Info.Stamp && row.mask == mask {
			continue
		}
		todo = append(todo, l)
	}
	present := 0
	was, is := plan.Counts{Root: true}, plan.Counts{Root: !rootGone}
	for n, row := range r.rows {
		if !row.present {
			continue
		}
		present++
		if found[n] || types != nil && !types[n.Type()] {
			continue
		}
		path, ok, err := r.src.Locate(n)
		if err != nil || !ok {
			continue
		}
		todo = append(todo, &look{rep: r, item: n, path: path, row: row, had: true, fresh: true, atoms: map[item.Key]item.Value{}})
	}
	if rootGone && present == 0 {
		return nil
	}
	slices.SortFunc(todo, func(a, b *look) int { return cmp.Compare(a.item, b.item) })
	if err := e.readAll(ctx, todo, o); err != nil {
		return err
	}
	looked := map[item.Name]bool{}
	var here []*look
	for _, l := range todo {
		if !l.fresh {
			continue
		}
		looked[l.item] = true
		if err := e.compare(l, mask); err != nil {
			return err
		}
		plan.Count(&was, &is, l.item, l.basis, l.atoms, l.exists)
		here = append(here, l)
	}
	for n, row := range r.rows {
		if row.present && !looked[n] && row.values > 0 {
			was.Items, is.Items = was.Items+1, is.Items+1
			was.Atoms, is.Atoms = was.Atoms+int(row.values), is.Atoms+int(row.values)
		}
	}
	if rootGone {
		was.Items = max(was.Items, present) // also where what it held is doubtful
	}
	if caught := plan.Catch(was, is); caught != nil && !accept {
		return &Caught{Replica: r.src.Label(), Root: r.src.Root(), What: caught}
	}
	for _, l := range here {
		o.looks = append(o.looks, l)
		o.writes = append(o.writes, l.seen.Writes...)
	}
	return nil
}

// read takes a document apart; files are read by readAll.
func (e *Engine) read(l *look) error {
	l.read = e.cfg.Clock()
	raw, info, err := e.cfg.FS.Read(l.path, MaxDocument)
	if err != nil {
		return err
	}
	return e.take(l, raw, info)
}

// take fills a look from bytes that were read.
func (e *Engine) take(l *look, raw []byte, info disk.Info) error {
	l.raw, l.info, l.exists, l.fresh = raw, info, true, true
	l.hash = sha256.Sum256(raw)
	doc, err := merge.Atomize(l.item.Type(), raw, l.rep.src.Options(l.item, raw))
	if err != nil {
		l.fresh = false
		return err
	}
	l.atoms = doc.Atoms
	return nil
}

// compare says what a look's disk side changed against its basis.
func (e *Engine) compare(l *look, mask [8]byte) error {
	basis, err := e.basisOf(l.rep, l.item)
	if err != nil {
		return err
	}
	ignore := l.rep.src.Options(l.item, l.raw).Ignore
	if l.item.Type() == item.Files {
		ignore = nil
	}
	l.basis, l.aside = basis.Split(ignore)
	if l.had && !l.row.present && len(l.basis) == 0 && !l.exists {
		return nil
	}
	if err := e.intended(l, l.basis); err != nil {
		return err
	}
	layers, err := e.layers(l.item)
	if err != nil {
		return err
	}
	contact := !l.had
	if e.meta.Doubt {
		// The database may be older than the disk: what is in an atom's history is no edit.
		l.basis, contact = plan.Recall(l.item.Type(), layers, l.atoms), true
		l.moved = true
	}
	l.seen = plan.Observe(l.item.Type(), layers, l.atoms, l.basis, contact)
	now := fileRow{stamp: l.info.Stamp, mask: mask, hash: l.hash, present: l.exists}
	now.sure = l.exists && l.info.Stamp.Settled(l.read)
	was := l.row
	if was.stamp != now.stamp || was.sure != now.sure || was.mask != now.mask || was.hash != now.hash || was.present != now.present ||
		len(l.seen.Adopt) > 0 || len(l.seen.Writes) > 0 {
		l.moved = true
	}
	l.remask = l.had && was.mask != now.mask
	l.row = now
	return nil
}

// layers are an item's states on this device as they are shown, topmost first.
func (e *Engine) layers(n item.Name) ([]plan.Layer, error) {
	var ls []plan.Layer
	for _, name := range e.layersOf(n) {
		it, err := e.item(name)
		if err != nil {
			return nil, err
		}
		if len(it.Atoms) == 0 && name != n {
			continue
		}
		shown, err := e.view(name, it)
		if err != nil {
			return nil, err
		}
		ls = append(ls, plan.Layer{Name: name, Shown: shown, Item: it, Vector: e.meta.Vector})
	}
	return ls, nil
}

// view shows one item under the strategies in force.
func (e *Engine) view(n item.Name, it *state.Item) (map[item.Key]state.Shown, error) {
	if err := e.loadStrategies(); err != nil {
		return nil, err
	}
	if texts := e.texts[n]; texts != nil {
		it = inflated(it, texts)
	}
	return state.View(n.Type(), it, func(k item.Key) state.Strategy { return e.strategy(n, k) }), nil
}

// inflated is a file's state with its contents as texts.
func inflated(it *state.Item, texts map[item.Hash][]byte) *state.Item {
	it = it.Clone()
	for _, a := range it.Atoms {
		for _, list := range [][]state.Sibling{a.Live, a.Past} {
			for i, s := range list {
				if s.Value.Kind != item.Blob {
					continue
				}
				if b, ok := texts[s.Value.Large.Hash]; ok {
					list[i].Value = item.Value{Kind: item.Text, Data: b, Mode: s.Value.Mode}
				}
			}
		}
	}
	return it
}

// intended completes what a crash cut between writing a file and moving its basis
// (E2): atoms that stand on disk as the intent says take the intent's dots.
func (e *Engine) intended(l *look, basis plan.Basis) error {
	raw := l.rep.intents[l.item]
	if raw == nil {
		return nil
	}
	in, err := parseIntent(raw)
	if err != nil {
		return fmt.Errorf("intent for %s: %w", l.item, err)
	}
	meant, err := decodeBasis(in.basis)
	if err != nil {
		return fmt.Errorf("intent for %s: %w", l.item, err)
	}
	for k, a := range meant {
		d, on := l.atoms[k]
		if a.Value.Kind == item.Absent && !on || on && merge.Same(l.item.Type(), k, d, a.Value) {
			basis[k] = a
			l.moved = true
		}
	}
	return nil
}

// waiting turns an error about a file into a row for the person.
func (e *Engine) waiting(r *replica, n item.Name, path string, err error) Waiting {
	w := Waiting{Replica: r.src.ID(), Item: n, Path: path, Code: "unknown", Detail: err.Error()}
	var syn *merge.SyntaxError
	var left *forged
	bad, offline := e.contentTrouble(n, err)
	switch {
	case bad != nil && bad.Code == "incomplete":
		w.Code = "incomplete"
	case bad != nil:
		w.Code, w.Detail = "damaged", bad.Object
	case offline != nil:
		w.Code, w.Detail = "offline", ""
	case errors.As(err, &left):
		w.Code, w.Detail = "forged", ""
		for _, d := range left.by {
			w.Detail = e.DeviceName(d)
		}
	case errors.As(err, &syn):
		w.Code, w.Line, w.Detail = "invalid", syn.Line, syn.Msg
	case errors.Is(err, disk.ErrTooLarge), errors.Is(err, merge.ErrTooLarge):
		w.Code = "too-large"
	case errors.Is(err, merge.ErrTooDeep):
		w.Code = "too-deep"
	case errors.Is(err, disk.ErrLocked):
		w.Code = "locked"
	case errors.Is(err, disk.ErrFull):
		w.Code = "full"
	case errors.Is(err, disk.ErrChanged):
		w.Code = "changed"
	case errors.Is(err, disk.ErrOdd):
		w.Code = "odd"
	case errors.Is(err, disk.ErrUnsafe):
		w.Code = "name"
	case errors.Is(err, fs.ErrPermission):
		w.Code = "denied"
	}
	return w
}
