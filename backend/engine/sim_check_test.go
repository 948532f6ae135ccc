package engine

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/merge"
	"plait/backend/plan"
	"plait/backend/state"
	"plait/backend/state/statetest"
	"plait/backend/store"
)

// What has to hold in the end: the invariants I1 to I11 of the threat model.

// maxRounds is how many rounds of everybody may apply, write or send something once all
// is well (I10). The first of the fleet hears of the last only in the next round, which
// gives two; what somebody chooses for all over what came (a strategy that settles) is
// new, and gives a third.
const maxRounds = 3

// heal ends all faults, and lets everybody sync until nothing changes (I10).
func (s *sim) heal() {
	s.note("heals")
	s.mend(nil)
	for _, m := range s.fleet {
		m.gate().arrive(true)
		m.connect()
		m.fs.SetFault(nil)
		m.fs.OnExchange(m.exchanged)
		for p := range m.files() {
			m.fs.Lock(p, false)
		}
		for _, p := range sortedPaths(m.broken) {
			m.store2(p, m.broken[p])
		}
		clear(m.broken)
		m.start()
	}
	if len(s.forked) > 0 {
		s.checkForked()
		return
	}
	for round := 1; ; round++ {
		// Who took something in renews its head within a day: what of a revoked device
		// counts hangs on it.
		s.tick(25 * time.Hour)
		s.note("round %d of the end", round)
		quiet := true
		for _, m := range s.fleet {
			r := m.round(RoundOptions{AcceptRemovals: true})
			quiet = quiet && (m.out || r != nil && r.Pulled+r.Applied == 0 && r.Usage.RequestsUp == 0)
		}
		if quiet {
			break
		}
		if round > maxRounds {
			s.t.Errorf("I10: not quiet after %d rounds", maxRounds)
			break
		}
		s.rounds = round
	}
	s.tick(time.Minute)
}

// checkForked: two copies of one device that wrote under one name, as neither could see
// what the other sent, are told of by all that keep syncing. What builds on the one history
// and what builds on the other do not meet again, so nothing else of the end holds.
func (s *sim) checkForked() {
	var last map[*machine]*Round
	for range maxRounds + 1 {
		s.tick(25 * time.Hour)
		last = map[*machine]*Round{}
		for _, m := range s.fleet {
			if r := m.round(RoundOptions{AcceptRemovals: true}); r != nil && !m.out {
				last[m] = r
			}
		}
	}
	for _, m := range s.live() {
		forked := func(b *Bad) bool { return b.Code == "forked" }
		began := func(a item.Author) bool { return s.forked[a.Device] } // with a snapshot: of what it stands for, nothing can be told
		if slices.ContainsFunc(m.e.meta.Floor.Authors(), began) {
			continue
		}
		if r := last[m]; r != nil && !slices.ContainsFunc(r.Bad, forked) {
			s.t.Errorf("%s does not tell of a fork: %s", m.name, told(r, nil))
		}
	}
}

func (s *sim) check() {
	if len(s.forked) > 0 {
		return
	}
	live := s.live()
	s.note("live: %d of %d", len(live), len(s.fleet))
	if s.t.Failed() || len(live) == 0 {
		return
	}
	for _, m := range live {
		s.checkIdle(m)
	}
	s.checkSame(live)
	all := s.checkHistory(live)
	s.checkWrites(all)
	s.checkPromises(live, all)
	for _, m := range live {
		s.checkDisk(m)
	}
	s.checkRevoked(live)
	if at := bytes.Index(s.log.b, []byte(simCanary)); at >= 0 {
		s.t.Errorf("I8: the log holds a simCanary: %.200q", s.log.b[max(0, at-80):])
	}
}

// live are the machines whose keys are in the vault.
func (s *sim) live() []*machine {
	genesis := s.bucket.Raw().Get(store.VaultFile)
	ring, _, err := keyring.Build(keyring.VaultID(genesis), genesis, s.stored())
	s.must(err)
	s.ring = ring
	return slices.DeleteFunc(slices.Clone(s.fleet), func(m *machine) bool {
		x, ok := s.ring.Member(m.keys.ID())
		return !ok || x.Revoked || m.out // also where the word of who revoked it was voided later
	})
}

// checkIdle: a round with nothing to do is one request, sends nothing and writes nothing (I10).
func (s *sim) checkIdle(m *machine) {
	before := m.effects
	r := m.round(RoundOptions{})
	if r == nil {
		return
	}
	if r.Usage.RequestsDown != 1 || r.Usage.RequestsUp != 0 || r.Usage.BytesUp != 0 || m.effects != before {
		s.t.Errorf("I10: %s: a round with nothing to do: %+v, and %d effects", m.name, r.Usage, m.effects-before)
	}
	if len(r.Bad) > 0 || r.Offline != nil || r.Caught != nil || len(r.Waiting) > 0 {
		s.t.Errorf("%s is not well in the end: %s", m.name, told(r, nil))
	}
}

// checkSame: all live devices have equal states (I1).
func (s *sim) checkSame(live []*machine) {
	first := live[0]
	names, err := first.e.Items()
	s.must(err)
	for _, m := range live[1:] {
		others, err := m.e.Items()
		s.must(err)
		if !slices.Equal(names, others) {
			s.t.Errorf("I1: %s has items %v, and %s %v", first.name, names, m.name, others)
			return
		}
		if !sameVector(first.e.Vector(), m.e.Vector()) {
			s.t.Errorf("I1: %s has applied %v, and %s %v", first.name, first.e.Vector(), m.name, m.e.Vector())
		}
		for _, n := range names {
			s.sameItem(first, m, n)
		}
	}
}

func sameVector(a, b item.Vector) bool { return a.Dominates(b) && b.Dominates(a) }

func (s *sim) sameItem(a, b *machine, n item.Name) {
	x, err := a.e.item(n)
	s.must(err)
	y, err := b.e.item(n)
	s.must(err)
	for _, k := range union(x.Keys(), y.Keys()) {
		ax, ay := live(x, k), live(y, k)
		if !slices.EqualFunc(ax, ay, func(p, q state.Sibling) bool { return p.Dot == q.Dot && p.Value.Same(q.Value) && p.Time == q.Time }) {
			s.t.Errorf("I1: %s: %v is %s on %s, and %s on %s", n, k, dump(ax), a.name, dump(ay), b.name)
		}
	}
	va, _, err := a.e.View(context.Background(), n)
	s.must(err)
	vb, _, err := b.e.View(context.Background(), n)
	s.must(err)
	for k, p := range va {
		q := vb[k]
		if p.How != q.How || (p.Conflict == nil) != (q.Conflict == nil) || p.Conflict == nil && s.fact(n, k, p.Value) != s.fact(n, k, q.Value) {
			s.t.Errorf("I1: %s: %s shows %v as %v %q, and %s as %v %q", n, a.name, k, p.How, p.Value.Data, b.name, q.How, q.Value.Data)
		}
	}
}

func live(it *state.Item, k item.Key) []state.Sibling {
	if a := it.Atoms[k]; a != nil {
		return a.Live
	}
	return nil
}

func dump(in []state.Sibling) string {
	var b strings.Builder
	for _, x := range in {
		fmt.Fprintf(&b, "[%s %d %.60q]", x.Dot, x.Value.Kind, x.Value.Data)
	}
	return b.String()
}

func union(a, b []item.Key) []item.Key {
	ks := append(slices.Clone(a), b...)
	slices.SortFunc(ks, state.CompareKeys)
	return slices.Compact(ks)
}

// checkHistory: chains verify (I11), and state is what the entries add up to (I2).
func (s *sim) checkHistory(live []*machine) []Past {
	oracle := statetest.New()
	var all []Past
	for _, m := range live {
		checks, err := m.e.VerifyLog()
		s.must(err)
		for _, c := range checks {
			if c.Err != nil {
				s.t.Errorf("I11: %s: journal %s: %v", m.name, c.Object, c.Err)
			}
		}
		if err := m.e.backfill(context.Background()); err != nil {
			s.t.Errorf("I3: %s can't fetch older history: %v", m.name, err)
			continue
		}
		past, err := m.e.entries()
		if err != nil {
			s.t.Errorf("I3: %s can't read history: %v", m.name, err)
			continue
		}
		total := 0
		for _, t := range m.e.Vector() {
			total += int(t.Seq)
		}
		if len(past) != total {
			s.t.Errorf("I3: %s has %d of %d entries", m.name, len(past), total)
		}
		for _, p := range past {
			if err := oracle.Record(p.Entry); err != nil {
				s.t.Errorf("I2: %s: %v", m.name, err)
			}
		}
		if len(past) > len(all) {
			all = past
		}
	}
	for _, m := range live {
		names, err := m.e.Items()
		s.must(err)
		for _, n := range names {
			it, err := m.e.item(n)
			s.must(err)
			if err := oracle.Check(n, it, m.e.Vector()); err != nil {
				s.t.Errorf("I2: %s: %s: %v", m.name, n, err)
			}
		}
	}
	return all
}

// checkWrites: nobody wrote a value that no person wrote (I4), or removed what no
// person removed (I5).
func (s *sim) checkWrites(all []Past) {
	doubted := map[item.Device]bool{}
	for _, m := range s.fleet {
		if m.doubted {
			doubted[m.keys.ID()] = true
		}
	}
	for _, p := range all {
		by := p.Entry.Author.Device
		for _, w := range p.Entry.Writes {
			if w.Item.Type() == item.Policy || w.Key.Lane == item.LaneOrder || w.Key.Lane == item.LaneSkeleton {
				continue
			}
			if !state.Present(w.Value) {
				if p.Entry.Action == item.Edit && !s.removed[gone{by, w.Item.Shared(), w.Key}] {
					s.t.Errorf("I5: %s (%s) removed %s %v, which no person did there", s.nameOf(by), p.Entry.Dot(), w.Item, w.Key)
				}
				continue
			}
			if w.Key.Lane != item.LaneValue {
				continue
			}
			f := s.fact(w.Item, w.Key, w.Value)
			switch {
			case p.Entry.Action == item.Edit && !doubted[by]:
				if !s.changed[done{by, f}] {
					s.t.Errorf("I5: %s (%s) wrote %s %s %q, which no person did there", s.nameOf(by), p.Entry.Dot(), w.Item, w.Key.Path, f.v)
				}
			case !s.said[f] && !s.offered[f] && !doubted[by]:
				s.t.Errorf("I4: %s (%s, %s) wrote %s %s %q, which nobody did", s.nameOf(by), p.Entry.Dot(), p.Entry.Action, w.Item, w.Key.Path, f.v)
			}
		}
	}
}

func (s *sim) nameOf(d item.Device) string {
	for _, m := range s.fleet {
		if m.keys.ID() == d {
			return m.name
		}
	}
	return d.String()
}

// checkPromises: what a round took in can be had from history (I3), and so can what
// the engine took the place of (I6).
func (s *sim) checkPromises(live []*machine, all []Past) {
	have := map[fact]item.Value{}
	for _, p := range all {
		for _, w := range p.Entry.Writes {
			if w.Key.Lane == item.LaneValue && state.Present(w.Value) {
				have[s.fact(w.Item, w.Key, w.Value)] = w.Value
			}
		}
	}
	in := map[*keyring.Device]bool{}
	for _, m := range live {
		in[m.keys] = true
	}
	for f, p := range s.promised {
		if !in[p.m.keys] {
			continue // what a revoked device wrote need not count
		}
		if _, ok := have[f]; !ok && !s.mergeOf(f, have) {
			s.t.Errorf("I3: %s took in %s %s %q in its round %d, and history has it not", p.m.name, f.n, f.k.Path, f.v, p.round)
		}
	}
	for _, m := range live {
		for f, v := range have {
			if v.Kind != item.Blob {
				continue
			}
			b, err := m.e.Content(context.Background(), v, 1<<20)
			if err != nil || m.e.namer.Name(b) != v.Large.Hash {
				s.t.Errorf("I3: %s can't have the content of %s %s: %v", m.name, f.n, f.v, err)
			}
		}
	}
}

// checkDisk: files show what state shows.
func (s *sim) checkDisk(m *machine) {
	names, err := m.e.Items()
	s.must(err)
	for _, rep := range m.e.reps {
		for _, n := range names {
			if n != n.Shared() || n.Collection() != rep.src.Collection() || n.Type() == item.Policy {
				continue
			}
			p, ok, err := rep.src.Locate(n)
			if err != nil || !ok {
				continue
			}
			raw, have := m.fs.Content(p)
			disk := s.atoms(n, raw, have)
			layers, err := m.e.layers(n)
			s.must(err)
			ignore := rep.src.Options(n, raw).Ignore
			keys := map[item.Key]bool{}
			for k := range disk {
				keys[k] = true
			}
			for _, l := range layers {
				for k := range l.Shown {
					keys[k] = true
				}
			}
			for k := range keys {
				s.checkAtom(m, n, k, disk, layers, plan.Masked(ignore, k))
			}
		}
	}
}

func (s *sim) checkAtom(m *machine, n item.Name, k item.Key, disk map[item.Key]item.Value, layers []plan.Layer, masked bool) {
	if k.Lane != item.LaneValue || masked || merge.Executes(n.Type(), k) {
		return
	}
	var want item.Value
	for i, l := range layers {
		sh, ok := l.Shown[k]
		if !ok || sh.Conflict == nil && sh.Value.Kind == item.Absent {
			continue
		}
		if noPlace(layers[:i], k) {
			break
		}
		if sh.Conflict != nil {
			return
		}
		want = sh.Value
		break
	}
	got, on := disk[k]
	switch {
	case state.Present(want) != on:
		s.t.Errorf("%s: %s %s: the disk has it: %v; shown is %d %.80q", m.name, n, k.Path, on, want.Kind, want.Data)
	case on && s.fact(n, k, want) != s.fact(n, k, got):
		s.t.Errorf("%s: %s %s: the disk has %.80q; shown is %.80q", m.name, n, k.Path, got.Data, want.Data)
	}
}

// noPlace says whether a value of an upper layer stands where k would have to, above or below.
func noPlace(upper []plan.Layer, k item.Key) bool {
	for _, l := range upper {
		for u, s := range l.Shown {
			if u.Lane == item.LaneValue && state.Present(s.Value) && string(s.Value.Data) != "{}" &&
				(strings.HasPrefix(k.Path, u.Path+"/") || strings.HasPrefix(u.Path, k.Path+"/")) {
				return true
			}
		}
	}
	return false
}

// checkRevoked: who is revoked can open nothing of the epoch in force (I9).
func (s *sim) checkRevoked(live []*machine) {
	for _, m := range s.fleet {
		if x, ok := s.ring.Member(m.keys.ID()); ok && !x.Revoked {
			continue
		}
		keys, err := s.ring.Unlock(m.keys)
		if err != nil {
			continue
		}
		id, _, ok := live[0].e.keys.Current()
		if !ok {
			s.t.Errorf("I9: no epoch is in force on %s", live[0].name)
			continue
		}
		if _, err := keys.Epoch(id); err == nil {
			s.t.Errorf("I9: %s is revoked, and can open the epoch in force", m.name)
		}
	}
}

// canaryLog keeps what was logged.
type canaryLog struct{ b []byte }

func (l *canaryLog) Write(p []byte) (int, error) { l.b = append(l.b, p...); return len(p), nil }
