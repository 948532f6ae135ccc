package engine

import (
	"context"
	"errors"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/localdb"
	"plait/backend/state"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// applyCode says what an entry that can't be applied is a sign of.
func applyCode(err error) string {
	switch {
	case errors.Is(err, state.ErrForked):
		return "forked"
	case errors.Is(err, state.ErrNewer):
		return "newer"
	}
	return "changed"
}

// twins looks at heads that share a number. Two that the device did sign are a fork:
// it has two histories. Others only bear the name, as anybody may who can write to
// the store: they are told of and left out of the names returned.
func (e *Engine) twins(ctx context.Context, names []journal.HeadName, seen seenRow, p *pulled) (rest []journal.HeadName, forked bool, err error) {
	count := map[uint64]int{}
	if seen.N > 0 {
		count[seen.N]++
	}
	for _, n := range names {
		if n.N != seen.N || n.Hash != seen.Hash {
			count[n.N]++
		}
	}
	genuine := map[uint64]bool{seen.N: seen.N > 0}
	for _, n := range names {
		if n.N == seen.N && n.Hash == seen.Hash || !checkTwin.fails(count[n.N] > 1) || n.N < seen.N {
			rest = append(rest, n)
			continue
		}
		_, bad, err := e.readHead(ctx, n)
		if err != nil {
			return nil, false, err
		}
		if bad != nil && bad.Code != "stranger" && !errors.Is(bad.Err, journal.ErrKey) {
			p.bad = append(p.bad, bad)
			continue
		}
		if bad == nil && genuine[n.N] {
			p.bad = append(p.bad, &Bad{Code: "forked", Device: n.Author.Device, Object: n.String(), Detail: "two heads with one number: two copies of this device are in use"})
			return nil, true, nil
		}
		genuine[n.N] = bad == nil
		rest = append(rest, n)
	}
	return rest, false, nil
}

// ofRevoked says whether what is wrong is only about the journal of a revoked device,
// which nobody will mend. Whether something of it that counts is lacking, the heads
// of others tell.
func (e *Engine) ofRevoked(b *Bad) bool {
	if m, ok := e.ring.Member(b.Device); ok && !m.Revoked {
		return false
	}
	if _, known := e.signer(item.Author{Device: b.Device}); !known {
		return false
	}
	n, err := journal.ParseHeadName(b.Object)
	return err != nil || n.Author.Device == b.Device
}

// twinOwn looks for heads that this device signed and did not write: a copy of it wrote
// under the same incarnation, when neither saw what the other sent. What goes on there
// would go on with a history that others refuse, and nobody here would hear of it.
func (e *Engine) twinOwn(ctx context.Context, l *listing) ([]*Bad, error) {
	c, out, err := e.loadCursor()
	if err != nil {
		return nil, err
	}
	own := map[string]bool{c.Head: true}
	for _, n := range c.Old {
		own[n] = true
	}
	if out != nil {
		for _, n := range out.Names {
			own[n] = true
		}
	}
	var bads []*Bad
	for _, n := range l.heads[e.meta.Me] {
		// Before the oldest that is kept there may be some of its own that came late.
		if own[n.String()] || n.N+uint64(len(c.Old)) < c.N {
			continue
		}
		_, bad, err := e.readHead(ctx, n)
		if err != nil {
			return bads, err
		}
		if bad == nil {
			bad = &Bad{Code: "forked", Device: n.Author.Device, Object: n.String(), Detail: "a copy of this device wrote under the same name: two copies of it are in use"}
		}
		bads = append(bads, bad)
	}
	return bads, nil
}

// sameHistory says whether what is applied here of a journal goes through the entry
// that another device says it saw of it; true where that can't be told.
func (e *Engine) sameHistory(tx localdb.Tx, a item.Author, t item.Tip) (bool, error) {
	have := e.meta.Vector[a]
	switch {
	case t.Seq == 0 || have.Seq < t.Seq:
		return true, nil
	case have.Seq == t.Seq:
		return have.Hash == t.Hash, nil
	}
	var r journal.Record
	ok, err := getCBOR(tx, entryRow(item.Dot{Author: a, Seq: t.Seq}), &r)
	return !ok || r.Hash.Short() == t.Hash, err
}

// foreignOwn leaves out of a listing what only bears this device's name, newest
// first, and says what that was. What this device did sign stays: another copy of it
// is in use, or it lost what it wrote. So does what is not what it is named for, or
// can't be had: nobody can tell whether this device put it there before it was damaged,
// and to go on under the same incarnation would use its dots twice (E6).
func (e *Engine) foreignOwn(ctx context.Context, l *listing) ([]*Bad, error) {
	c, out, err := e.loadCursor()
	if err != nil {
		return nil, err
	}
	var bads []*Bad
	names := l.heads[e.meta.Me]
	for len(names) > 0 {
		n := names[0]
		if s := n.String(); n.N < c.N || s == c.Head || out != nil && s == out.Next.Head {
			break
		}
		_, bad, err := e.readHead(ctx, n)
		if err != nil {
			return bads, err
		}
		if bad == nil || errors.Is(bad.Err, journal.ErrKey) {
			break
		}
		if errors.Is(bad.Err, store.Changed) || errors.Is(bad.Err, driver.NotFound) {
			bads = append(bads, bad)
			break
		}
		if !checkOwnSigned.fails(bad.Code == "changed") {
			break
		}
		bad.Detail = "it bears this device's name, and this device did not write it"
		bads = append(bads, bad)
		names = names[1:]
	}
	if len(names) == 0 {
		delete(l.heads, e.meta.Me)
	} else {
		l.heads[e.meta.Me] = names
	}
	return bads, nil
}
