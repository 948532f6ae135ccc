package engine

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"time"

	"plait/backend/journal"
	"plait/backend/seal"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// What goes wrong between a device and the store, and in the store.
//
//	engine → gate (dies; twice; late) → store.Faults (the rest) → recorder (damage) → bucket

// A message is a Put or Delete that its sender gave up, and that arrives later.
type message struct {
	name string
	body []byte // nil: a Delete
	in   int    // calls until then
}

// connect gives the machine its own, at first faultless, view of the store.
func (m *machine) connect() {
	m.faulty = store.Faults(&recorder{m.s.bucket, m}, m.s.r.Uint64(), store.FaultOptions{})
	m.device.bucket = &gate{Bucket: m.faulty, m: m}
	m.device.store = store.New(m.device.bucket, store.Options{})
}

func (s *sim) badNetwork(m *machine) {
	o := store.FaultOptions{
		Sleep: func(_ context.Context, d time.Duration) error { s.tick(d); return nil },
		Did:   m.faulted,
	}
	p := pick(s, []float64{0.05, 0.3})
	var late, torn float64
	kind := s.r.IntN(12)
	switch kind {
	case 0:
		o.Down = pick(s, []driver.Code{driver.Transient, driver.Denied, driver.Missing, driver.Unknown})
	case 1:
		o.NoPut = pick(s, []driver.Code{driver.Full, driver.ReadOnly})
	case 2:
		o.Before, o.Lost = p, p
	case 3:
		o.Lost = p
	case 4:
		o.Hide, o.Delay = p, 40
	case 5:
		o.Stale = p
	case 6:
		o.Throt, o.Slow = p, p
	case 7:
		o.Hide, o.Stale, o.Lost, o.Before, o.Delay = p/2, p/2, p/2, p/2, 40
	case 8:
		o.Flip, o.Cut = p, p
	case 9:
		torn = p
		o.Half, o.Delay = p, 40
	case 10:
		late = p
	case 11:
		late, torn = p/3, p/3
		o.Hide, o.Half, o.Stale, o.Lost, o.Before, o.Flip, o.Cut, o.Delay = p/3, p/3, p/3, p/3, p/3, p/3, p/3, 40
	}
	m.note("network: down %q no put %q before %.2f lost %.2f hide %.2f half %.2f stale %.2f slow %.2f torn %.2f flip %.2f cut %.2f late %.2f",
		o.Down, o.NoPut, o.Before, o.Lost, o.Hide, o.Half, o.Stale, o.Slow, torn, o.Flip, o.Cut, late)
	m.faulty.Set(o)
	m.gate().late, m.gate().torn = late, torn
}

func (m *machine) gate() *gate { return m.device.bucket.(*gate) }

func (s *sim) goodNetwork(m *machine) {
	m.faulty.Set(store.FaultOptions{})
	m.gate().late, m.gate().torn = 0, 0
}

// faulted takes in one fault of the machine's view of the store.
func (m *machine) faulted(what, name string) {
	switch what {
	case "flip", "cut", "half":
		if m.met != nil {
			m.met[name] = true
		}
	case "lost", "hide":
		delete(m.met, name) // what came of it was not read
	}
	m.did("store: "+what, name)
}

// gate is where a process may die while it talks to the store, and where a message
// may arrive twice, or long after its sender gave it up.
type gate struct {
	driver.Bucket
	m          *machine
	late, torn float64

	frozen int // for so many lists of heads/ it shows what follows
	shown  []driver.Info
}

// freeze lets the machine see for a while what heads there are now, and no others.
func (m *machine) freeze(heads []driver.Info, lists int) {
	m.gate().frozen, m.gate().shown = lists, heads
}

// arrive lets messages that are due arrive, or all.
func (b *gate) arrive(all bool) {
	var rest []message
	due := b.m.late
	b.m.late = nil
	for _, x := range due {
		if x.in--; x.in > 0 && !all {
			rest = append(rest, x)
			continue
		}
		r := &recorder{b.m.s.bucket, b.m}
		if x.body == nil {
			b.m.did("store: late delete", x.name)
			_ = r.Delete(context.Background(), x.name)
			continue
		}
		if b.m.waited == nil {
			b.m.waited = map[string]bool{}
		}
		b.m.waited[x.name] = true
		b.m.did("store: late put", x.name)
		_ = r.Put(context.Background(), x.name, x.body)
	}
	b.m.late = append(rest, b.m.late...)
}

// delays says whether a message is given up now, and arrives later.
func (b *gate) delays(x message) error {
	if b.late == 0 || !b.m.s.chance(b.late) {
		return nil
	}
	x.in = 1 + b.m.s.r.IntN(60)
	b.m.note("%s is on its way", x.name)
	b.m.late = append(b.m.late, x)
	return fmt.Errorf("no answer: %w", driver.Transient)
}

func (b *gate) Put(ctx context.Context, name string, body []byte) error {
	err := b.put(ctx, name, body)
	if broken != nil && broken.put != nil {
		err = broken.put(b, err)
	}
	return err
}

func (b *gate) put(ctx context.Context, name string, body []byte) error {
	b.arrive(false)
	return b.m.effect("put", func() error {
		if err := b.delays(message{name: name, body: bytes.Clone(body)}); err != nil {
			return err
		}
		if b.torn > 0 && len(body) > 1 && b.m.s.chance(b.torn) {
			// It breaks off, and lies there as far as it came until it is put again.
			n := b.m.s.r.IntN(len(body))
			if err := (&recorder{b.m.s.bucket, b.m}).Put(ctx, name, body); err == nil && b.m.s.damaged[name] == nil {
				b.m.s.damaged[name] = func(whole []byte) []byte { return whole[:min(n, len(whole))] }
				b.m.s.broken[name] = b.m
			}
			b.m.did("store: torn", name)
			return fmt.Errorf("broke off: %w", driver.Transient)
		}
		err := b.Bucket.Put(ctx, name, body)
		if err == nil && b.m.s.chance(0.03) {
			b.m.did("store: twice", name)
			_ = b.Bucket.Put(ctx, name, body)
		}
		return err
	})
}

func (b *gate) Delete(ctx context.Context, name string) error {
	b.arrive(false)
	return b.m.effect("delete", func() error {
		if err := b.delays(message{name: name}); err != nil {
			return err
		}
		return b.Bucket.Delete(ctx, name)
	})
}

func (b *gate) Get(ctx context.Context, name string, r driver.Range) ([]byte, error) {
	if b.m.dead {
		return nil, errDead
	}
	b.arrive(false)
	met := b.m.met[name]
	delete(b.m.met, name)
	body, err := b.Bucket.Get(ctx, name, r)
	if met && (err != nil || !strings.HasPrefix(name, store.Packs)) {
		b.m.met[name] = true // of packs that are fetched ahead, what is damaged is fetched again
	}
	return body, err
}

func (b *gate) List(ctx context.Context, prefix string) ([]driver.Info, error) {
	if b.m.dead {
		return nil, errDead
	}
	b.arrive(false)
	if prefix == store.Heads && b.frozen > 0 {
		b.frozen--
		b.m.did("store: stale to a copy", "")
		return slices.Clone(b.shown), nil
	}
	return b.Bucket.List(ctx, prefix)
}

// recorder sees every object that really gets to the store, and shows those that lie
// damaged there as they lie.
type recorder struct {
	driver.Bucket
	m *machine
}

func (b *recorder) Put(ctx context.Context, name string, body []byte) error {
	b.m.s.sawObject(b.m, name, body)
	delete(b.m.s.damaged, name)
	delete(b.m.s.broken, name)
	return b.Bucket.Put(ctx, name, body)
}

func (b *recorder) Get(ctx context.Context, name string, r driver.Range) ([]byte, error) {
	body, err := b.Bucket.Get(ctx, name, r)
	damage := b.m.s.damaged[name]
	if err != nil || damage == nil {
		return body, err
	}
	whole, err := b.Bucket.Get(ctx, name, driver.All)
	if err != nil {
		return nil, err
	}
	bad := damage(whole)
	bad = bad[min(r.Offset, int64(len(bad))):]
	if r.Size > 0 {
		bad = bad[:min(r.Size, int64(len(bad)))]
	}
	if !bytes.Equal(bad, body) {
		b.m.did("store: damage read", name)
		if b.m.met != nil {
			b.m.met[name] = true
		}
	}
	return bad, nil
}

// damage lets an object lie damaged in the store, for everybody.
func (s *sim) damage(*machine) {
	names := s.bucket.Raw().Names("")
	names = slices.DeleteFunc(names, func(n string) bool { return n == store.VaultFile })
	if len(names) == 0 {
		return
	}
	// Most have long been read: rather one of the newest.
	slices.SortStableFunc(names, func(a, b string) int { return s.putAt[a] - s.putAt[b] })
	name := names[max(0, len(names)-1-s.r.IntN(6))]
	at, bit := s.r.Float64(), byte(1)<<s.r.IntN(8)
	index := func(b []byte) int { return int(at * float64(len(b))) }
	how := pick(s, []string{"flipped", "cut", "torn"})
	s.damaged[name] = map[string]func([]byte) []byte{
		"flipped": func(b []byte) []byte { b = bytes.Clone(b); b[index(b)] ^= bit; return b },
		"cut":     func(b []byte) []byte { return b[:index(b)] },
		"torn":    func(b []byte) []byte { b = bytes.Clone(b); clear(b[index(b):]); return b },
	}[how]
	s.did("store: damaged for all")
	s.note("%s lies %s at %.3f", name, how, at)
}

func (s *sim) mend(*machine) {
	for _, n := range sortedNamesOf(s.damaged) {
		// What broke off on its way is for the one to mend who sent it, if it still can.
		if w := s.broken[n]; w != nil && !w.out && !w.doubted && !w.copied {
			continue
		}
		s.note("%s is whole again", n)
		delete(s.damaged, n)
	}
}

func sortedNamesOf[V any](in map[string]V) []string {
	var names []string
	for n := range in {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// checkTold: what a round read of the store that is not what was put there is named.
// That nothing of it was applied, all other checks say.
func (m *machine) checkTold(r *Round) {
	for _, name := range sortedNamesOf(m.met) {
		if x, ok := m.e.ring.Member(m.s.owner[name]); !ok || x.Revoked {
			continue // nobody mends a revoked device's
		}
		said := func(err error) bool { return err != nil && strings.Contains(err.Error(), name) }
		told := said(r.Offline)
		for _, b := range r.Bad {
			told = told || b.Object == name || said(b)
		}
		for _, w := range r.Waiting {
			told = told || strings.Contains(w.Detail, name)
		}
		if !told {
			m.s.t.Errorf("%s read %s damaged, and does not say so", m.name, name)
		}
	}
}

// sawObject looks at an object on its way into the store.
func (s *sim) sawObject(m *machine, name string, body []byte) {
	s.note("%s puts %s, %d bytes", m.name, name, len(body))
	if s.putAt[name] == 0 {
		s.putAt[name], s.owner[name] = len(s.putAt)+1, m.keys.ID()
	}
	if bytes.Contains(body, []byte(simCanary)) || strings.Contains(name, simCanary) {
		s.t.Errorf("I8: %s holds a simCanary", name)
	}
	if strings.HasPrefix(name, store.Heads) || strings.HasPrefix(name, store.Segments) {
		if strings.HasPrefix(name, store.Heads) {
			s.sawHead(m, name)
			body = body[ed25519.SignatureSize:]
		}
		s.sawSealed(body)
		s.sawEpoch(m, name, body)
	}
}

// sawHead notices two heads with one number: two copies of a device that did not see
// each other's.
func (s *sim) sawHead(m *machine, name string) {
	n, err := journal.ParseHeadName(name)
	s.must(err)
	short := strings.TrimSuffix(name, n.Hash.String())
	switch was, ok := s.numbered[short]; {
	case !ok:
		s.numbered[short] = name
	case was != name:
		if !m.copied && !m.doubted {
			s.t.Errorf("I7: %s puts a second head of one number", m.name)
		}
		m.did("device: fork", name)
		s.forked[n.Author.Device] = true
	}
}

// sawEpoch: no object is sealed for somebody whom its maker knows to be revoked (I9).
func (s *sim) sawEpoch(m *machine, name string, body []byte) {
	epoch, err := seal.EpochOf(body)
	if err != nil || m.e == nil {
		return
	}
	for _, o := range s.fleet {
		if x, ok := m.e.ring.Member(o.keys.ID()); !ok || !x.Revoked {
			continue
		}
		keys, err := m.e.ring.Unlock(o.keys)
		if err != nil {
			continue
		}
		if _, err := keys.Epoch(epoch); err == nil && !m.waited[name] {
			s.t.Errorf("I9: %s seals %s for %s, whom it knows to be revoked", m.name, name, o.name)
		}
	}
}
