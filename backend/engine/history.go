package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
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

// entries reads all entries that are here, in causal order. Texts that travel with a
// dictionary are resolved along the way.
func (e *Engine) entries() ([]Past, error) {
	byAuthor := map[item.Author][]journal.Record{}
	first := map[item.Author]uint64{}
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowEntry, func(k string, b []byte) error {
			d, ok := entryOf(k)
			if !ok {
				return fmt.Errorf("row %s is damaged", k)
			}
			var r journal.Record
			if err := decMode.Unmarshal(b, &r); err != nil {
				return fmt.Errorf("row %s: %w", k, err)
			}
			if len(byAuthor[d.Author]) == 0 {
				first[d.Author] = d.Seq
			}
			byAuthor[d.Author] = append(byAuthor[d.Author], r)
			return nil
		})
	})
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
					if w.Value.Kind == item.Text || w.Key.Lane == item.LaneSkeleton {
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
		h, ok := e.heads[g.author]
		if !ok {
			continue
		}
		name, err := journal.ParseHeadName(h.Name)
		if err != nil {
			return err
		}
		pub, ok := e.signer(g.author)
		if !ok {
			continue
		}
		head, err := e.openVault().Head(name, h.Object, pub)
		if err != nil {
			return fmt.Errorf("head of %s: %w", g.author, err)
		}
		recs, bad, err := e.records(ctx, &fetched{name: name, head: head}, 1)
		if err != nil {
			return err
		}
		if bad != nil {
			return bad
		}
		if _, err := journal.Verify(recs, journal.Tip{Author: g.author}); err != nil {
			return fmt.Errorf("journal of %s: %w", g.author, err)
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
