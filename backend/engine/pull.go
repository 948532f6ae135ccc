package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/localdb"
	"plait/backend/seal"
	"plait/backend/state"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// A Bad is something wrong with what a store holds. It stops nothing that is whole
// from being applied.
type Bad struct {
	Code   string      // changed, rollback, forked, incomplete, foreign, newer, stranger, clock
	Object string      // the object's name, where there is one
	Device item.Device // whose it is, where that is known
	Detail string
	Err    error
}

func (b *Bad) Error() string {
	s := b.Code
	if b.Object != "" {
		s += ": " + b.Object
	}
	if b.Device != (item.Device{}) {
		s += " of " + b.Device.String()
	}
	if b.Detail != "" {
		s += ": " + b.Detail
	}
	if b.Err != nil {
		s += ": " + b.Err.Error()
	}
	return s
}

// same says whether another tells of the same.
func (b *Bad) same(o *Bad) bool {
	return b.Code == o.Code && b.Object == o.Object && b.Device == o.Device && b.Detail == o.Detail
}

func (b *Bad) Unwrap() error { return b.Err }

// seenRow is the newest head of an author that this device saw in one store.
type seenRow struct {
	N    uint64    `cbor:"1,keyasint"`
	Hash item.Hash `cbor:"2,keyasint"`
	Done bool      `cbor:"3,keyasint"` // all that it covers is applied here
}

// headRow is the newest head of an author that this device read, wherever.
type headRow struct {
	Name     string      `cbor:"1,keyasint"`
	Object   []byte      `cbor:"2,keyasint"`
	Seq      uint64      `cbor:"3,keyasint"`
	Vector   item.Vector `cbor:"4,keyasint"`
	Time     item.HLC    `cbor:"5,keyasint"`
	Snapshot *item.Hash  `cbor:"6,keyasint,omitempty"` // that it names
	Keys     []item.Hash `cbor:"7,keyasint,omitempty"` // newest statements that it names
}

func newHeadRow(f *fetched) headRow {
	r := headRow{Name: f.name.String(), Object: f.object, Seq: f.head.Seq, Vector: f.head.Vector, Time: f.head.Time, Keys: f.head.Keys}
	if f.head.Snapshot != nil {
		r.Snapshot = &f.head.Snapshot.Name
	}
	return r
}

// listing is what one list of heads/ told.
type listing struct {
	heads map[item.Author][]journal.HeadName // newest first
}

// list asks the store for all heads: the one request of a round with nothing to do.
func (e *Engine) list(ctx context.Context) (*listing, error) {
	infos, err := e.cfg.Store.List(ctx, store.Heads)
	if err != nil {
		return nil, err
	}
	l := &listing{heads: map[item.Author][]journal.HeadName{}}
	for _, i := range infos {
		n, err := journal.ParseHeadName(i.Name)
		if err != nil {
			continue // another program's
		}
		l.heads[n.Author] = append(l.heads[n.Author], n)
	}
	for a := range l.heads {
		slices.SortFunc(l.heads[a], func(x, y journal.HeadName) int {
			if x.N != y.N {
				return -cmpUint(x.N, y.N)
			}
			return slices.Compare(x.Hash[:], y.Hash[:])
		})
	}
	return l, nil
}

func cmpUint(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// has says whether a head of that name is listed.
func (l *listing) has(a item.Author, name string) bool {
	return slices.ContainsFunc(l.heads[a], func(n journal.HeadName) bool { return n.String() == name })
}

func (l *listing) authors() []item.Author {
	v := item.Vector{}
	for a := range l.heads {
		v[a] = item.Tip{}
	}
	return v.Authors()
}

func (e *Engine) loadSeen() (map[item.Author]seenRow, error) {
	seen := map[item.Author]seenRow{}
	prefix := rowSeen + e.cfg.StoreID + "/"
	return seen, e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(prefix, func(k string, b []byte) error {
			a, ok := parseAuthor(k[len(prefix):])
			if !ok {
				return fmt.Errorf("row %s is damaged", k)
			}
			var s seenRow
			if err := decMode.Unmarshal(b, &s); err != nil {
				return fmt.Errorf("row %s: %w", k, err)
			}
			seen[a] = s
			return nil
		})
	})
}

// pulled is what reading the store brought.
type pulled struct {
	items    map[item.Name]bool
	from     map[item.Name]item.Vector // what the authors of entries about an item had seen
	bad      []*Bad
	keysRead bool // statements were listed in this pull
}

// saw notes what the author of an entry about an item had seen, the entry itself too.
func (p *pulled) saw(n item.Name, en *item.Entry) {
	if p.from[n] == nil {
		p.from[n] = item.Vector{}
	}
	p.from[n].Join(en.Deps)
	p.from[n].Join(item.Vector{en.Author: item.Tip{Seq: en.Seq}})
}

// fetched is one author's head as read in this round, with the records that this
// device lacks.
type fetched struct {
	name    journal.HeadName
	head    *journal.Head
	object  []byte
	records []journal.Record
}

// pull reads every head that is new, and applies what it leads to, in causal order (E5).
func (e *Engine) pull(ctx context.Context, l *listing) (*pulled, error) {
	p := &pulled{items: map[item.Name]bool{}, from: map[item.Name]item.Vector{}}
	seen, err := e.loadSeen()
	if err != nil {
		return nil, err
	}
	if bad, err := e.sameVault(ctx, l, seen); err != nil || bad != nil {
		if bad != nil {
			p.bad = append(p.bad, bad)
		}
		return p, err
	}
	var heads []*fetched
	for _, a := range l.authors() {
		if a == e.meta.Me {
			continue
		}
		if err := ctx.Err(); err != nil {
			return p, err
		}
		f, err := e.fetchHead(ctx, a, l.heads[a], seen[a], p)
		if err != nil {
			return p, err
		}
		if f != nil {
			heads = append(heads, f)
		}
	}
	for _, a := range sortedAuthors(seen) {
		if _, ok := l.heads[a]; a != e.meta.Me && checkGone.fails(!ok) {
			p.bad = append(p.bad, &Bad{Code: "rollback", Device: a.Device, Detail: fmt.Sprintf("head %d was seen here, and none is there now", seen[a].N)})
		}
	}
	if err := e.joinSnapshot(ctx, heads, p); err != nil {
		return p, err
	}
	for _, f := range heads {
		if err := e.fetchRecords(ctx, f, p); err != nil {
			return p, err
		}
	}
	if err := e.applyAll(heads, p); err != nil {
		return p, err
	}
	if err := e.settleHeads(heads, p); err != nil {
		return p, err
	}
	err = e.checkSnapshots(ctx, heads, p)
	p.bad = slices.DeleteFunc(p.bad, e.ofRevoked)
	return p, err
}

func sortedAuthors[V any](m map[item.Author]V) []item.Author {
	v := item.Vector{}
	for a := range m {
		v[a] = item.Tip{}
	}
	return v.Authors()
}

// sameVault notices a store that holds another vault, or none any more.
func (e *Engine) sameVault(ctx context.Context, l *listing, seen map[item.Author]seenRow) (*Bad, error) {
	known := len(seen) == 0
	for a := range seen {
		if len(l.heads[a]) > 0 {
			known = true
		}
	}
	if known {
		return nil, nil
	}
	return e.vaultThere(ctx)
}

// vaultThere looks whose vault the store holds; nil: this device's.
func (e *Engine) vaultThere(ctx context.Context) (*Bad, error) {
	b, err := e.cfg.Store.Get(ctx, store.VaultFile)
	switch {
	case errors.Is(err, driver.NotFound) && !checkVault.fails(true):
	case errors.Is(err, driver.NotFound):
		return &Bad{Code: "rollback", Object: store.VaultFile, Detail: "the store is empty, though this device has synced with it"}, nil
	case err != nil:
		return nil, err
	case checkVault.fails(vaultID(b) != e.meta.Vault):
		return &Bad{Code: "foreign", Object: store.VaultFile, Detail: "the store holds another vault"}, nil
	}
	return nil, nil
}

// fetchHead reads an author's newest whole head, if it is news. names are newest first.
func (e *Engine) fetchHead(ctx context.Context, a item.Author, names []journal.HeadName, seen seenRow, p *pulled) (*fetched, error) {
	if top, limited := e.limit(a); checkRevoked.fails(limited) && e.meta.Vector[a].Seq >= top {
		if _, known := e.signer(a); known {
			return nil, nil // revoked, and all of it that counts is here
		}
	}
	if checkBack.fails(names[0].N < seen.N) {
		p.bad = append(p.bad, &Bad{Code: "rollback", Device: a.Device, Object: names[0].String(),
			Detail: fmt.Sprintf("head %d was seen here before, and the newest there now is %d", seen.N, names[0].N)})
		return nil, nil
	}
	names, forked, err := e.twins(ctx, names, seen, p)
	if forked || err != nil {
		return nil, err
	}
	for _, n := range names {
		if checkBack.fails(n.N < seen.N) || n.N == seen.N && n.Hash == seen.Hash && seen.Done {
			return nil, nil
		}
		f, bad, err := e.readHead(ctx, n)
		if err == nil && (bad != nil && (bad.Code == "stranger" || errors.Is(bad.Err, journal.ErrKey)) || bad == nil && len(e.ring.Missing(f.head.Keys...)) > 0) {
			// Somebody was admitted, or an epoch made, that this device has not heard of.
			if err = e.readKeys(ctx, p); err == nil && bad != nil {
				f, bad, err = e.readHead(ctx, n)
			}
		}
		if err != nil {
			return nil, err
		}
		if bad == nil {
			if missing := e.ring.Missing(f.head.Keys...); len(missing) > 0 {
				bad = &Bad{Code: "incomplete", Device: a.Device, Object: store.HashName(store.Keys, missing[0]), Detail: "a statement that its newest head names is not there"}
				p.bad = append(p.bad, bad)
				return f, nil
			}
		}
		if bad != nil {
			p.bad = append(p.bad, bad)
			if bad.Code == "stranger" {
				return nil, nil
			}
			if m, ok := e.ring.Member(a.Device); errors.Is(bad.Err, journal.ErrKey) && ok && !m.Revoked {
				// Its device signed it: there is an epoch that this one does not know,
				// perhaps since somebody was revoked.
				e.behind = true
			}
			continue
		}
		return f, nil
	}
	return nil, nil
}

func (e *Engine) openVault() journal.Opener {
	return journal.Opener{Vault: e.meta.Vault, Key: e.epochKey}
}

// readHead fetches and opens one head. Bad is about the object, err about the store.
func (e *Engine) readHead(ctx context.Context, n journal.HeadName) (*fetched, *Bad, error) {
	bad := func(code, detail string, err error) (*fetched, *Bad, error) {
		return nil, &Bad{Code: code, Object: n.String(), Device: n.Author.Device, Detail: detail, Err: err}, nil
	}
	pub, ok := e.signer(n.Author)
	if checkMember.fails(!ok) {
		return bad("stranger", "no member of the vault wrote it", nil)
	}
	obj, err := e.cfg.Store.Get(ctx, n.String())
	switch {
	case errors.Is(err, driver.NotFound):
		return bad("incomplete", "listed, but not there", err)
	case errors.Is(err, store.Changed), errors.Is(err, store.TooLarge):
		return bad("changed", "", err)
	case err != nil:
		return nil, nil, err
	}
	h, err := e.openVault().Head(n, obj, pub)
	if errors.Is(err, journal.ErrKey) {
		return bad("incomplete", "it is sealed under a key that has not reached this device yet", err)
	}
	if err != nil {
		return bad(openCode(err), "", err)
	}
	return &fetched{name: n, head: h, object: obj}, nil, nil
}

// openCode says what an object that does not open is a sign of.
func openCode(err error) string {
	if errors.Is(err, seal.ErrNewer) || errors.Is(err, journal.ErrNewer) {
		return "newer"
	}
	return "changed"
}

// fetchRecords brings the entries between what is applied here and the head.
func (e *Engine) fetchRecords(ctx context.Context, f *fetched, p *pulled) error {
	a := f.head.Author
	tip := e.meta.Vector[a]
	if checkTip.fails(f.head.Seq < tip.Seq || f.head.Seq == tip.Seq && tip.Seq > 0 && f.head.Hash.Short() != tip.Hash) {
		p.bad = append(p.bad, &Bad{Code: "forked", Device: a.Device, Object: f.name.String(), Detail: "it does not go on from what was read of this device before"})
		f.head = nil
		return nil
	}
	recs, bad, err := e.records(ctx, f, tip.Seq+1)
	if err != nil {
		return err
	}
	if bad != nil {
		p.bad = append(p.bad, bad)
		f.head = nil
		return nil
	}
	end, err := journal.Verify(recs, journal.Tip{Author: a, Seq: tip.Seq, Hash: e.meta.Tips[a]})
	if err == nil && checkEnd.fails(end.Seq != f.head.Seq || end.Hash != f.head.Hash) {
		err = errors.New("the entries do not add up to the head")
	}
	if checkChain.fails(err != nil) {
		code := openCode(err)
		if errors.Is(err, journal.ErrForked) {
			code = "forked"
		}
		p.bad = append(p.bad, &Bad{Code: code, Device: a.Device, Object: f.name.String(), Detail: "it does not go on from what was read of this device before", Err: err})
		f.head = nil
		return nil
	}
	f.records = recs
	return nil
}

// readKeys reads statements, once a pull.
func (e *Engine) readKeys(ctx context.Context, p *pulled) error {
	if p.keysRead {
		return nil
	}
	p.keysRead = true
	bad, err := e.syncKeys(ctx)
	p.bad = append(p.bad, bad...)
	return err
}

// records collects an author's records from seq on, out of the head and the
// segments before it.
func (e *Engine) records(ctx context.Context, f *fetched, from uint64) ([]journal.Record, *Bad, error) {
	h := f.head
	if from > h.Seq {
		return nil, nil, nil
	}
	parts := [][]journal.Record{h.Inline}
	have := h.Seq + 1 - uint64(len(h.Inline)) // first sequence in hand
	next := 0
	var prev *journal.Ref
	for have > from {
		var ref journal.Ref
		switch {
		case next < len(h.Segments):
			ref = h.Segments[next]
			next++
		case prev != nil:
			ref = *prev
		default:
			return nil, &Bad{Code: "changed", Object: f.name.String(), Device: h.Author.Device, Detail: fmt.Sprintf("no segment leads to entry %d", have-1)}, nil
		}
		if ref.Author != h.Author || ref.Last+1 != have {
			return nil, &Bad{Code: "changed", Object: f.name.String(), Device: h.Author.Device, Detail: "its segments do not follow each other"}, nil
		}
		seg, bad, err := e.segment(ctx, ref)
		if bad != nil || err != nil {
			return nil, bad, err
		}
		parts = append(parts, seg.Records)
		have, prev = ref.First, seg.Prev
	}
	slices.Reverse(parts)
	all := slices.Concat(parts...)
	return all[from-have:], nil, nil
}

func (e *Engine) segment(ctx context.Context, ref journal.Ref) (*journal.Segment, *Bad, error) {
	name := store.HashName(store.Segments, ref.Name)
	bad := func(code string, err error) (*journal.Segment, *Bad, error) {
		return nil, &Bad{Code: code, Object: name, Device: ref.Author.Device, Err: err}, nil
	}
	obj, err := e.cfg.Store.Get(ctx, name)
	switch {
	case errors.Is(err, driver.NotFound) && !checkThere.fails(true):
		return &journal.Segment{}, nil, nil
	case errors.Is(err, driver.NotFound):
		return bad("incomplete", err)
	case errors.Is(err, store.Changed), errors.Is(err, store.TooLarge):
		return bad("changed", err)
	case err != nil:
		return nil, nil, err
	}
	seg, err := e.openVault().Segment(ref, obj)
	if err != nil {
		return bad(openCode(err), err)
	}
	return seg, nil, nil
}

// applyBatch is how many entries one transaction takes.
const applyBatch = 256

// applyAll applies what was fetched, in causal order; what must wait for something
// that the store does not show yet is left there.
func (e *Engine) applyAll(heads []*fetched, p *pulled) error {
	b := e.newBatch()
	for progress := true; progress; {
		progress = false
		for _, f := range heads {
			for f.head != nil && len(f.records) > 0 {
				ok, err := e.applyOne(b, f, p)
				if err != nil {
					return e.undo(err)
				}
				if !ok {
					break
				}
				f.records = f.records[1:]
				progress = true
				if b.entries >= applyBatch {
					if err := e.commitBatch(b, p); err != nil {
						return err
					}
					b = e.newBatch()
				}
			}
		}
	}
	return e.commitBatch(b, p)
}

// A batch is entries that were applied in memory and are to be committed.
type batch struct {
	meta    meta
	entries int
	rows    []func(localdb.Tx) error
	touched map[item.Name]bool
}

func (e *Engine) newBatch() *batch {
	m := e.meta
	m.Vector, m.Tips = m.Vector.Clone(), cloneTips(m.Tips)
	return &batch{meta: m, touched: map[item.Name]bool{}}
}

// applyOne applies an author's next entry; false if it has to wait.
func (e *Engine) applyOne(b *batch, f *fetched, p *pulled) (bool, error) {
	r := f.records[0]
	hd, err := r.Open()
	if err != nil {
		return false, e.refuse(f, p, "changed", err)
	}
	if checkRevoked.fails(e.voided(hd.Author, hd.Seq)) {
		f.records = nil // what a revoked device went on to write
		return false, nil
	}
	probe := &item.Entry{Author: hd.Author, Seq: hd.Seq, Prev: hd.Prev, Time: hd.Time, Deps: hd.Deps, Action: hd.Action}
	var missing *state.Missing
	switch err := state.CanApply(b.meta.Vector, probe); {
	case err == nil:
	case errors.As(err, &missing):
		if checkCausal.fails(true) {
			return false, nil
		}
	case checkCausal.fails(true):
		return false, e.refuse(f, p, applyCode(err), err)
	}
	en, depths, err := journal.Decode(r, e.textEver)
	if err != nil {
		return false, e.refuse(f, p, openCode(err), err)
	}
	// Now with its writes: what they replace must have been seen, and what they are
	// must be something that state can hold.
	if err := state.CanApply(b.meta.Vector, en); checkSane.fails(err != nil) && checkCausal.fails(true) {
		return false, e.refuse(f, p, applyCode(err), err)
	}
	for i := range en.Writes {
		w := &en.Writes[i]
		it, err := e.item(w.Item)
		if err != nil {
			return false, err
		}
		it.Apply(en, *w)
		b.touched[w.Item] = true
		if w.Item.Type() != item.Policy {
			p.items[w.Item.Shared()] = true
		}
		if w.Key.Lane == item.LaneValue { // orders and layouts follow what was merged
			p.saw(w.Item, en)
		}
		if depths[i] > 0 {
			e.setDepth(b, w.Item, w.Key, en.Dot(), depths[i])
		}
	}
	dot := en.Dot()
	b.rows = append(b.rows, func(tx localdb.Tx) error { return putRecord(tx, dot, r) })
	for _, pk := range en.Packs {
		if e.packs != nil {
			e.packs.add(pk)
		}
		b.rows = append(b.rows, func(tx localdb.Tx) error { return setCBOR(tx, rowPack+pk.Name.String(), pk) })
	}
	e.hear(en.Time)
	b.meta.Clock = e.meta.Clock
	b.meta.Vector[hd.Author] = item.Tip{Seq: hd.Seq, Hash: r.Hash.Short()}
	b.meta.Tips[hd.Author] = r.Hash
	b.entries++
	return true, nil
}

// refuse gives up an author's journal for this round, saying why.
func (e *Engine) refuse(f *fetched, p *pulled, code string, err error) error {
	p.bad = append(p.bad, &Bad{Code: code, Device: f.name.Author.Device, Object: f.name.String(), Err: err})
	f.head, f.records = nil, nil
	return nil
}

func (e *Engine) commitBatch(b *batch, p *pulled) error {
	if b.entries == 0 {
		return nil
	}
	e.policyTouched(b.touched)
	err := e.commit(func(tx localdb.Tx) error {
		for _, row := range b.rows {
			if err := row(tx); err != nil {
				return err
			}
		}
		if err := e.putItems(tx, b.touched, true); err != nil {
			return err
		}
		return setCBOR(tx, rowMeta, b.meta)
	})
	if err == nil {
		e.meta, e.past = b.meta, nil
	}
	return err
}

// settleHeads notes which heads were taken in whole, and what the heads of others
// say that this store does not show.
func (e *Engine) settleHeads(heads []*fetched, p *pulled) error {
	if len(heads) == 0 {
		return nil
	}
	type claim struct {
		seq uint64
		by  journal.HeadName
	}
	missing := map[item.Author]claim{}
	// What of a revoked device counts hangs on what these say.
	for _, f := range heads {
		if f.head != nil {
			e.heads[f.head.Author] = newHeadRow(f)
		}
	}
	err := e.commit(func(tx localdb.Tx) error {
		for _, f := range heads {
			if f.head == nil {
				continue
			}
			// What of a revoked device counts may yet grow: then its head is read again.
			done := e.meta.Vector[f.head.Author].Seq >= f.head.Seq
			if len(e.ring.Missing(f.head.Keys...)) > 0 {
				done = false
			}
			a := f.head.Author
			for b, t := range f.head.Vector {
				if e.voided(b, t.Seq) {
					continue
				}
				if checkSeen.fails(e.meta.Vector[b].Seq < t.Seq) {
					if t.Seq > missing[b].seq {
						missing[b] = claim{t.Seq, f.name}
					}
					done = false
				}
				same, err := e.sameHistory(tx, b, t)
				if err != nil {
					return err
				}
				if checkSeen.fails(!same) {
					p.bad = append(p.bad, &Bad{Code: "forked", Device: b.Device, Object: f.name.String(),
						Detail: fmt.Sprintf("another device saw another entry %d of it than this one", t.Seq)})
				}
			}
			if checkSeen.fails(len(f.records) > 0 && len(missing) == 0) {
				p.bad = append(p.bad, &Bad{Code: "incomplete", Device: a.Device, Object: f.name.String(),
					Detail: "its entries build on some that the store does not show"})
			}
			if err := setCBOR(tx, rowSeen+e.cfg.StoreID+"/"+a.String(), seenRow{N: f.name.N, Hash: f.name.Hash, Done: done}); err != nil {
				return err
			}
			if err := setCBOR(tx, rowHead+a.String(), newHeadRow(f)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, a := range sortedAuthors(missing) {
		by := missing[a].by
		p.bad = append(p.bad, &Bad{Code: "incomplete", Device: a.Device, Object: by.String(),
			Detail: fmt.Sprintf("%s saw entry %d of it, and the store shows %d", e.DeviceName(by.Author.Device), missing[a].seq, e.meta.Vector[a].Seq)})
	}
	return nil
}
