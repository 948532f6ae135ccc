package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/localdb"
	"plait/backend/store"
)

// Heads: what the store lists, what was seen of it before, and the newest of each author.

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

func sortedAuthors[V any](m map[item.Author]V) []item.Author {
	v := item.Vector{}
	for a := range m {
		v[a] = item.Tip{}
	}
	return v.Authors()
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

// readHead fetches and opens one head. Bad is about the object, err about the store.
func (e *Engine) readHead(ctx context.Context, n journal.HeadName) (*fetched, *Bad, error) {
	bad := func(code, detail string, err error) (*fetched, *Bad, error) {
		return nil, &Bad{Code: code, Object: n.String(), Device: n.Author.Device, Detail: detail, Err: err}, nil
	}
	pub, ok := e.signer(n.Author)
	if checkMember.fails(!ok) {
		return bad("stranger", "no member of the vault wrote it", nil)
	}
	obj, missing, err := e.get(ctx, n.String(), n.Author.Device)
	if missing != nil && missing.Code == "incomplete" {
		missing.Detail = "listed, but not there"
	}
	if missing != nil || err != nil {
		return nil, missing, err
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
