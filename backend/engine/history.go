package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/localdb"
	"plait/backend/state"
)

// A Past is an entry as history shows it.
type Past struct {
	Entry *item.Entry
	Hash  item.Hash
}

// journals reads the records of every journal that are here, in order, and which entry
// is the first of each.
func (e *Engine) journals() (records map[item.Author][]journal.Record, first map[item.Author]uint64, err error) {
	records, first = map[item.Author][]journal.Record{}, map[item.Author]uint64{}
	return records, first, e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowEntry, func(k string, b []byte) error {
			d, ok := entryOf(k)
			if !ok {
				return fmt.Errorf("row %s is damaged", k)
			}
			var r journal.Record
			if err := decMode.Unmarshal(b, &r); err != nil {
				return fmt.Errorf("row %s: %w", k, err)
			}
			if len(records[d.Author]) == 0 {
				first[d.Author] = d.Seq
			}
			records[d.Author] = append(records[d.Author], r)
			return nil
		})
	})
}

// entries reads all entries that are here, in causal order. Texts that travel with a
// dictionary are resolved along the way.
func (e *Engine) entries() ([]Past, error) {
	byAuthor, first, err := e.journals()
	if err != nil {
		return nil, err
	}
	type textAt struct {
		n item.Name
		k item.Key
		d item.Dot
	}
	type text struct {
		data  []byte
		depth int
	}
	texts := map[textAt]text{}
	vec := item.Vector{}
	for a, s := range first {
		if s > 1 {
			vec[a] = item.Tip{Seq: s - 1}
		}
	}
	var out []Past
	authors := sortedAuthors(byAuthor)
	for progress := true; progress; {
		progress = false
		for _, a := range authors {
			for len(byAuthor[a]) > 0 {
				r := byAuthor[a][0]
				h, err := r.Open()
				if err != nil {
					return nil, fmt.Errorf("entry %d of %s: %w", first[a], a, err)
				}
				if !covers(vec, h.Deps, first) {
					break
				}
				en, depths, err := journal.Decode(r, func(n item.Name, k item.Key, d item.Dot) ([]byte, int, bool) {
					if t, ok := texts[textAt{n, k, d}]; ok {
						return t.data, t.depth, true
					}
					return e.text(n, k, d)
				})
				if err != nil {
					return nil, fmt.Errorf("entry %d of %s: %w", h.Seq, a, err)
				}
				for i, w := range en.Writes {
					if len(w.Value.Data) > 0 {
						texts[textAt{w.Item, w.Key, en.Dot()}] = text{w.Value.Data, int(depths[i])}
					}
				}
				out = append(out, Past{Entry: en, Hash: r.Hash})
				vec[a] = item.Tip{Seq: h.Seq, Hash: r.Hash.Short()}
				byAuthor[a] = byAuthor[a][1:]
				progress = true
			}
		}
	}
	return out, nil
}

// covers says whether an entry's past is in hand, as far as it can be: journals of
// which nothing is here (they came in a snapshot) don't count.
func covers(vec, deps item.Vector, first map[item.Author]uint64) bool {
	for a, t := range deps {
		if _, here := first[a]; here && vec[a].Seq < t.Seq {
			return false
		}
	}
	return true
}

// History lists the entries that touched an item (its overlays too), or any for "",
// newest first.
func (e *Engine) History(ctx context.Context, n item.Name) ([]Past, error) {
	if err := e.backfill(ctx); err != nil {
		e.log.Info("older history could not be fetched", "why", err)
	}
	all, err := e.entries()
	if err != nil {
		return nil, err
	}
	var out []Past
	for _, p := range slices.Backward(all) {
		if n == "" || slices.ContainsFunc(p.Entry.Writes, func(w item.Write) bool { return w.Item == n || w.Item.Shared() == n }) {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b Past) int {
		switch {
		case a.Entry.Time > b.Entry.Time:
			return -1
		case a.Entry.Time < b.Entry.Time:
			return 1
		}
		return 0
	})
	return out, nil
}

// ErrNoVersion and ErrAmbiguous are what Find returns.
var (
	ErrNoVersion = errors.New("no such version")
	ErrAmbiguous = errors.New("several versions start so")
)

// Find finds the entry whose hash starts with the given hex digits, at least 8.
func (e *Engine) Find(ctx context.Context, version string) (Past, error) {
	version = strings.ToLower(version)
	if len(version) < 8 {
		return Past{}, ErrNoVersion
	}
	if _, err := hex.DecodeString(version + strings.Repeat("0", len(version)%2)); err != nil {
		return Past{}, ErrNoVersion
	}
	all, err := e.History(ctx, "")
	if err != nil {
		return Past{}, err
	}
	var found []Past
	for _, p := range all {
		if strings.HasPrefix(p.Hash.String(), version) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return Past{}, ErrNoVersion
	case 1:
		return found[0], nil
	}
	return Past{}, ErrAmbiguous
}

// AsOf replays history: the states of all items as the author of an entry saw them
// with it (version), or as they were at a time.
func (e *Engine) AsOf(ctx context.Context, version *Past, t time.Time) (map[item.Name]*state.Item, error) {
	if err := e.backfill(ctx); err != nil {
		return nil, fmt.Errorf("fetching older history: %w", err)
	}
	all, err := e.entries()
	if err != nil {
		return nil, err
	}
	items := map[item.Name]*state.Item{}
	for _, p := range all {
		if version != nil {
			own := p.Entry.Author == version.Entry.Author && p.Entry.Seq <= version.Entry.Seq
			if !own && !version.Entry.Deps.Covers(p.Entry.Dot()) {
				continue
			}
		} else if p.Entry.Time.Time().After(t) {
			continue
		}
		for _, w := range p.Entry.Writes {
			it := items[w.Item]
			if it == nil {
				it = &state.Item{}
				items[w.Item] = it
			}
			it.Apply(p.Entry, w)
		}
	}
	return items, nil
}

// backfill fetches the entries that a snapshot stood in for when this device joined.
func (e *Engine) backfill(ctx context.Context) error {
	type gap struct {
		author item.Author
		until  uint64 // the first entry that is here, or one past the tip
	}
	firsts := map[item.Author]uint64{}
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowEntry, func(k string, _ []byte) error {
			if d, ok := entryOf(k); ok && firsts[d.Author] == 0 {
				firsts[d.Author] = d.Seq
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	var gaps []gap
	for a, t := range e.meta.Vector {
		first := firsts[a]
		if first == 0 {
			first = t.Seq + 1
		}
		if first > 1 {
			gaps = append(gaps, gap{a, first})
		}
	}
	if len(gaps) == 0 {
		return nil
	}
	if e.cfg.Store == nil {
		return errContentMissing
	}
	slices.SortFunc(gaps, func(a, b gap) int { return a.author.Compare(b.author) })
	for _, g := range gaps {
		lacks := &Bad{Code: "incomplete", Device: g.author.Device, Detail: fmt.Sprintf("entries before its %d are not to be had", g.until)}
		f, err := e.headFor(ctx, g.author)
		if err != nil {
			return err
		}
		if f == nil {
			return lacks
		}
		recs, bad, err := e.records(ctx, f, 1)
		if err != nil {
			return err
		}
		if bad != nil {
			return bad
		}
		if _, err := journal.Verify(recs, journal.Tip{Author: g.author}); err != nil {
			return fmt.Errorf("journal of %s: %w", g.author, err)
		}
		if uint64(len(recs))+1 < g.until {
			return lacks
		}
		err = e.commit(func(tx localdb.Tx) error {
			for i, r := range recs {
				if seq := uint64(i + 1); seq < g.until {
					if err := putRecord(tx, item.Dot{Author: g.author, Seq: seq}, r); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// headFor is the newest head of an author: the one that was read here, else one that the
// store lists. (Of who was put out before this device came, none is read in a round.)
// nil: there is none.
func (e *Engine) headFor(ctx context.Context, a item.Author) (*fetched, error) {
	pub, ok := e.signer(a)
	if !ok {
		return nil, nil
	}
	if h, ok := e.heads[a]; ok {
		name, err := journal.ParseHeadName(h.Name)
		if err != nil {
			return nil, err
		}
		head, err := e.openVault().Head(name, h.Object, pub)
		if err != nil {
			return nil, fmt.Errorf("head of %s: %w", a, err)
		}
		return &fetched{name: name, head: head, object: h.Object}, nil
	}
	l, err := e.list(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range l.heads[a] {
		f, bad, err := e.readHead(ctx, n)
		if err != nil {
			return nil, err
		}
		if bad == nil {
			return f, nil
		}
	}
	return nil, nil
}

// Wrote is the value that a dot gave an atom, if state or a record here has it.
func (e *Engine) Wrote(n item.Name, k item.Key, d item.Dot) (item.Value, bool) {
	if it, err := e.item(n); err == nil && it.Atoms[k] != nil {
		if s, ok := it.Atoms[k].Find(d); ok {
			return s.Value, true
		}
	}
	if w, _ := e.recorded(n, k, d); w != nil {
		return w.Value, true
	}
	return item.Value{}, false
}

// recorded is an entry's write of an atom, nil if it made none. known says whether the
// entry is here at all.
func (e *Engine) recorded(n item.Name, k item.Key, d item.Dot) (w *item.Write, known bool) {
	if e.past == nil {
		all, err := e.entries()
		if err != nil {
			e.log.Info("history can't be read", "why", err)
			return nil, false
		}
		e.past = make(map[item.Dot]*item.Entry, len(all))
		for _, p := range all {
			e.past[p.Entry.Dot()] = p.Entry
		}
	}
	en := e.past[d]
	if en == nil {
		return nil, false
	}
	if i := slices.IndexFunc(en.Writes, func(w item.Write) bool { return w.Item == n && w.Key == k }); i >= 0 {
		return &en.Writes[i], true
	}
	return nil, true
}

// ShownOf is what a past state shows: where devices disagreed, the latest.
func (e *Engine) ShownOf(n item.Name, it *state.Item) map[item.Key]item.Value {
	out := map[item.Key]item.Value{}
	for k, s := range state.View(n.Type(), it, state.Always(state.Latest)) {
		if state.Present(s.Value) {
			out[k] = s.Value
		}
	}
	return out
}

// Bring makes the writes that give an item the atoms that it once had.
func (e *Engine) Bring(ctx context.Context, n item.Name, was map[item.Key]item.Value) ([]item.Write, error) {
	shown, it, err := e.View(ctx, n)
	if err != nil {
		return nil, err
	}
	keys := map[item.Key]bool{}
	for k := range shown {
		keys[k] = true
	}
	for k := range was {
		keys[k] = true
	}
	var ws []item.Write
	differs := false
	for _, k := range sortedKeys(keys) {
		s := shown[k]
		v := was[k]
		same := s.Conflict == nil && (state.Present(v) == state.Present(s.Value)) && (!state.Present(v) || state.Same(n.Type(), k, s.Value, v))
		if same {
			continue
		}
		w := item.Write{Item: n, Key: k, Value: v}
		if a := it.Atoms[k]; a != nil {
			w.Replaces = a.Dots()
		} else if v.Kind == item.Absent {
			continue
		}
		differs = differs || k.Lane != item.LaneSkeleton && k.Lane != item.LaneOrder
		ws = append(ws, w)
	}
	if !differs {
		return nil, nil
	}
	return ws, nil
}

// Tip is the hash of this device's last entry: the version that it just wrote.
func (e *Engine) Tip() item.Hash { return e.meta.Chain }

// Content returns a value's bytes, at most limit of them.
func (e *Engine) Content(ctx context.Context, v item.Value, limit int64) ([]byte, error) {
	return e.bytesOf(ctx, v, limit)
}

// CopyContent writes a value's bytes.
func (e *Engine) CopyContent(ctx context.Context, w io.Writer, v item.Value) error {
	return e.copyTo(ctx, w, v, "")
}

// Overlay moves what is shown of a key, and all below it, to a layer of an item:
// "device" or "os" writes it there, over the shared value; "shared" takes it back
// into the shared item, and out of the layers above. It says whether there is such a key.
func (e *Engine) Overlay(n item.Name, p item.Path, layer string) (bool, error) {
	names := e.layersOf(n)
	to := map[string]int{"device": 0, "os": 1, "shared": 2}[layer]
	layers, err := e.layers(n)
	if err != nil {
		return false, err
	}
	shownIn := map[item.Name]map[item.Key]state.Shown{}
	for _, l := range layers {
		shownIn[l.Name] = l.Shown
	}
	prefix := p.String()
	within := func(k item.Key) bool {
		return k.Lane == item.LaneValue && (k.Path == prefix || strings.HasPrefix(k.Path, prefix+"/"))
	}
	now := map[item.Key]item.Value{}
	for i := len(names) - 1; i >= 0; i-- {
		for k, s := range shownIn[names[i]] {
			if !within(k) || s.Conflict != nil {
				continue
			}
			if s.Value.Kind == item.Hidden {
				delete(now, k)
			} else if state.Present(s.Value) {
				now[k] = s.Value
			}
		}
	}
	if len(now) == 0 {
		return false, nil
	}
	var ws []item.Write
	put := func(name item.Name, k item.Key, v item.Value) error {
		it, err := e.item(name)
		if err != nil {
			return err
		}
		w := item.Write{Item: name, Key: k, Value: v}
		if a := it.Atoms[k]; a != nil {
			if len(a.Live) == 1 && a.Live[0].Value.Same(v) {
				return nil
			}
			w.Replaces = a.Dots()
		} else if v.Kind == item.Absent {
			return nil
		}
		ws = append(ws, w)
		return nil
	}
	for _, k := range sortedKeys(now) {
		if err := put(names[to], k, now[k]); err != nil {
			return false, err
		}
		for i := range names[:to] {
			if err := put(names[i], k, item.Value{}); err != nil {
				return false, err
			}
		}
	}
	return true, e.Configure(ws, "layer "+layer+" for "+strings.Join(p, " › "))
}
