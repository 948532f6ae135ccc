package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"

	"plait/backend/chunk"
	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/localdb"
	"plait/backend/seal"
	"plait/backend/store"
)

// A machine is a simulated device with all that may befall it.
type machine struct {
	*device
	s        *sim
	faulty   *store.Faulty
	spool    *simSpool
	platform string
	off      map[string]bool // sources that are not attached
	out      bool            // it was revoked, or never got in

	effects, crashAt int
	fate             disk.Fate
	dead             bool // crashed, and not started again
	lastOp           string

	bad     bool // files can't be read or written as they should
	badDB   func(committed bool) error
	badPack error // what the spool answers
	late    []message
	met     map[string]bool // objects of which this round read other bytes than were put
	copied  bool            // there is a second machine with its keys
	doubted bool            // its database was once older than its disk, or copied
	rounds  int
	pending []saved
	saves   map[[32]byte]bool // contents that a person saved here
	broken  map[string][]byte // documents that a person broke, as they were before
	waited  map[string]bool   // objects that waited to be sent when the round began
	hidden  Source            // its folder is not there
	syncing bool
	saving  map[string]int // how often somebody saves a file while the device syncs
	backup  *backup
}

var errDead = errors.New("the process is dead")

// next numbers the effects of a process on anything that lasts, and says what
// becomes of it there.
func (m *machine) next(op string) disk.Fate {
	m.effects++
	if m.crashAt == 0 || m.effects != m.crashAt {
		return disk.Go
	}
	m.lastOp = op
	return m.fate
}

// effect runs one effect, or dies before or after it.
func (m *machine) effect(op string, do func() error) error {
	if m.dead {
		return errDead
	}
	switch m.next(op) {
	case disk.Go:
		return do()
	case disk.CrashAfter:
		_ = do()
	}
	m.die()
	return errDead
}

func (m *machine) die() {
	m.dead = true
	m.fs.Crash()
}

// hook is the database's.
func (m *machine) hook(_ int, committed bool) error {
	if m.dead {
		return errDead
	}
	if m.badDB != nil {
		if err := m.badDB(committed); err != nil {
			return err
		}
	}
	switch m.next("database") {
	case disk.Go:
		return nil
	}
	_ = committed // before or after a commit are two points
	m.die()
	return errDead
}

// diskEffect is the disk's: called from within it.
func (m *machine) diskEffect(op, _ string) disk.Fate {
	if m.dead {
		return disk.CrashBefore
	}
	f := m.next("disk " + op)
	m.dead = f != disk.Go
	return f
}

// machine makes a device that has not begun yet.
func (s *sim) machine(name string) *machine {
	m := &machine{s: s, off: map[string]bool{}, saves: map[[32]byte]bool{}, broken: map[string][]byte{}, platform: pick(s, []string{"linux", "linux", "mac"})}
	s.world.disk = disk.MemoryOptions{Effect: m.diskEffect}
	switch s.r.IntN(4) {
	case 0:
		s.world.disk.NoExchange = true
	case 1:
		s.world.disk.NoExchange, s.world.disk.NoLinks = true, s.chance(0.5)
	}
	m.device = s.world.machine(name)
	if s.chance(0.25) {
		m.fs.Mkdir("/" + name + "/Other")
		m.sources = append(m.sources, &userDir{id: "other", root: "/" + name + "/Other", collection: "default"})
	}
	m.spool = &simSpool{m: m, packs: map[item.Hash][]byte{}, unsynced: map[item.Hash]bool{}}
	m.connect()
	m.db.SetHook(m.hook)
	m.fs.OnExchange(m.exchanged)
	return m
}

// start opens the engine, as a new process does.
func (m *machine) start() {
	c := m.device.config()
	c.Spool, c.Platform, c.Store = m.spool, m.platform, m.device.store
	c.DB = broken.database(c.DB)
	c.Log = slog.New(slog.NewTextHandler(m.s.log, nil))
	c.sizes = sizes{inline: 600, refs: 2, heads: 4, snapshotBytes: 4 << 10, snapshotEntries: 12, past: 4}
	doubtful := m.db.Info().Doubtful()
	var attached []Source
	for _, src := range m.sources {
		if !m.off[src.ID()] {
			attached = append(attached, src)
		}
	}
	e, err := Open(c, attached)
	if m.dead || m.expelled(err) {
		return
	}
	m.s.must(err)
	m.e = e
	if doubtful {
		if err := m.db.Accept(); err != nil && !m.dead {
			m.s.must(err)
		}
	}
}

// expelled notes that the device learned of its revocation: it can do nothing more.
func (m *machine) expelled(err error) bool {
	if errors.Is(err, keyring.NotMember) && !m.out {
		m.out = true
		m.note("is out: %v", err)
	}
	return m.out
}

// revive starts the machine again after a crash; with power, unsynced things are lost.
func (m *machine) revive() {
	for range 3 {
		power := m.s.chance(0.5)
		m.crashAt, m.dead = 0, false
		if power {
			m.did("crash: power cut", "")
			m.fs.Reboot(m.s.r)
			m.spool.cut()
		} else {
			m.fs.Reboot(nil)
		}
		m.db.Reopen()
		m.start()
		if !m.dead {
			return
		}
	}
}

// round syncs, and takes in what that means for what is promised.
func (m *machine) round(o RoundOptions) *Round {
	if m.out {
		return nil
	}
	m.rounds++
	m.syncing, m.waited, m.met = true, map[string]bool{}, map[string]bool{}
	if _, out, err := m.e.loadCursor(); err == nil && out != nil {
		for _, n := range out.Names {
			m.waited[n] = true
		}
	}
	r, err := m.sync(o)
	m.syncing = false
	if m.dead {
		m.did([]string{"", "crash: before", "crash: torn", "crash: after"}[m.fate], m.lastOp)
		m.revive()
		return nil
	}
	m.s.note("%s round: %s", m.name, told(r, err))
	if m.expelled(err) {
		return nil
	}
	if err != nil {
		if !m.bad {
			m.s.t.Errorf("%s: round: %v", m.name, err)
		}
		return r
	}
	if broken != nil && broken.mute != "" {
		r.Bad = slices.DeleteFunc(r.Bad, func(b *Bad) bool { return b.Code == broken.mute })
	}
	m.checkTold(r)
	if r.Caught == nil && !o.NoObserve && !m.e.meta.Doubt {
		m.keepPromises(r)
	}
	return r
}

func told(r *Round, err error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pulled %d pushed %d applied %d, %+v", r.Pulled, r.Pushed, r.Applied, r.Usage)
	if err != nil {
		fmt.Fprintf(&b, " error %v", err)
	}
	if r.Offline != nil {
		fmt.Fprintf(&b, " offline: %v", r.Offline)
	}
	for _, x := range r.Bad {
		fmt.Fprintf(&b, " bad: %v", x)
	}
	for _, x := range r.Waiting {
		fmt.Fprintf(&b, " waits: %s %s %s", x.Item, x.Code, x.Detail)
	}
	if r.Caught != nil {
		fmt.Fprintf(&b, " caught: %v", r.Caught)
	}
	return b.String()
}

// simSpool is a folder of packs that loses in a power cut what was not synced.
type simSpool struct {
	m        *machine
	packs    map[item.Hash][]byte
	unsynced map[item.Hash]bool
}

func (p *simSpool) cut() {
	for _, h := range sortedHashes(p.unsynced) {
		if p.m.s.chance(0.5) {
			delete(p.packs, h)
		}
	}
	clear(p.unsynced)
}

func sortedHashes[V any](in map[item.Hash]V) []item.Hash {
	hs := make([]item.Hash, 0, len(in))
	for h := range in {
		hs = append(hs, h)
	}
	slices.SortFunc(hs, func(a, b item.Hash) int { return slices.Compare(a[:], b[:]) })
	return hs
}

func (p *simSpool) Create() (chunk.SpoolFile, error) {
	if p.m.badPack != nil {
		p.m.did("disk: spool full", "")
		return nil, p.m.badPack
	}
	return &simPack{spool: p}, p.m.effect("spool create", func() error { return nil })
}

func (p *simSpool) Sync() error {
	return p.m.effect("spool sync", func() error { clear(p.unsynced); return nil })
}

func (p *simSpool) Put(ctx context.Context, st *store.Store, name item.Hash) error {
	b, ok := p.packs[name]
	if !ok {
		return fmt.Errorf("pack %s: %w", name, fs.ErrNotExist)
	}
	return st.Put(ctx, packName(name), b)
}

func (p *simSpool) Read(name item.Hash, offset, size int64) ([]byte, error) {
	b, ok := p.packs[name]
	if !ok {
		return nil, fmt.Errorf("pack %s: %w", name, fs.ErrNotExist)
	}
	return slices.Clone(b[min(offset, int64(len(b))):min(int64(len(b)), offset+size)]), nil
}

func (p *simSpool) Remove(name item.Hash) error {
	return p.m.effect("spool remove", func() error { delete(p.packs, name); return nil })
}

func (p *simSpool) Clean(keep map[item.Hash]bool) error {
	for _, h := range sortedHashes(p.packs) {
		if !keep[h] {
			if err := p.Remove(h); err != nil {
				return err
			}
		}
	}
	return nil
}

type simPack struct {
	spool *simSpool
	body  []byte
}

func (f *simPack) Write(b []byte) (int, error) { f.body = append(f.body, b...); return len(b), nil }

func (f *simPack) Keep(p item.Pack) error {
	return f.spool.m.effect("spool keep", func() error {
		f.spool.packs[p.Name], f.spool.unsynced[p.Name] = f.body, true
		for _, c := range p.Chunks {
			// Chunks lie there without what their index says: salt and nonce come first.
			f.spool.m.s.sawUnique([56]byte(f.body[c.Offset:]), f.body[c.Offset:c.Offset+c.Size])
		}
		return nil
	})
}

func (f *simPack) Discard() { f.body = nil }

// sawSealed notes the salt and nonce of one sealed object (I7).
func (s *sim) sawSealed(b []byte) {
	u, err := seal.UniqueOf(b)
	if err != nil {
		s.t.Errorf("not a sealed object: %v", err)
		return
	}
	s.sawUnique(u, b)
}

func (s *sim) sawUnique(u [56]byte, b []byte) {
	sum := sha256.Sum256(b)
	if old, ok := s.sealed[u]; ok && old != sum {
		s.t.Errorf("I7: two objects under one salt and nonce")
	}
	s.sealed[u] = sum
}

// backup is a copy of what a machine has, taken at one moment.
type backup struct {
	db     *localdb.Memory
	files  map[string][]byte
	packs  map[item.Hash][]byte
	rounds int
}
