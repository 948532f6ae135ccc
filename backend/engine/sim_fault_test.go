package engine

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/store"
)

// What goes wrong.

func (s *sim) wait(m *machine) { s.tick(time.Duration(s.r.IntN(72)) * time.Hour) }

func (s *sim) sync(m *machine) {
	if r := m.round(RoundOptions{NoPush: s.chance(0.03), NoApply: s.chance(0.03), AcceptRemovals: s.chance(0.1)}); r != nil && r.Caught != nil && s.chance(0.5) {
		m.round(RoundOptions{AcceptRemovals: true})
	}
}

func (s *sim) syncAll(*machine) {
	for _, m := range s.fleet {
		m.round(RoundOptions{})
	}
}

// syncCut lets the process die somewhere on the way.
func (s *sim) syncCut(m *machine) {
	m.crashAt = m.effects + 1 + s.r.IntN(pick(s, []int{4, 30, 100}))
	m.fate = pick(s, []disk.Fate{disk.CrashBefore, disk.CrashTorn, disk.CrashAfter})
	m.round(RoundOptions{})
	m.crashAt = 0
}

func (s *sim) syncWhileSaving(m *machine) {
	m.saving = map[string]int{}
	for p := range m.files() {
		m.saving[p] = 2
	}
	m.round(RoundOptions{})
	m.saving = nil
}

// syncOnBadDisk lets operations on the person's files fail, or what else lies on that disk.
func (s *sim) syncOnBadDisk(m *machine) {
	p := pick(s, []float64{0.02, 0.2, 1})
	ops, err := "write create mkdir sync", error(disk.ErrFull)
	switch s.r.IntN(5) {
	case 0:
		ops, err = "read open stat list lstat", disk.ErrBroken
	case 1:
		ops, err = "rename exchange link unlink open", disk.ErrLocked
	case 2:
		err = disk.ErrBroken
	case 3:
		s.syncOnBadDatabase(m)
		return
	}
	what := map[error]string{disk.ErrFull: "full", disk.ErrBroken: "broken", disk.ErrLocked: "locked"}[err]
	m.bad = true
	m.fs.SetFault(func(op, path string) error {
		if strings.Contains(ops, op) && s.chance(p) {
			m.did("disk: "+what, op+" "+path)
			return s.diskError(err)
		}
		return nil
	})
	if err == disk.ErrFull && s.chance(0.5) {
		m.badPack = err
	}
	m.note("disk: %s fail with %v, %.2f", ops, err, p)
	m.round(RoundOptions{})
	m.fs.SetFault(nil)
	m.badPack, m.bad = nil, false
}

// syncOnBadDatabase lets transactions fail: of a full disk, after which the engine goes
// on; or of a broken one, after which nobody knows whether the last is there, and a new
// process has to look.
func (s *sim) syncOnBadDatabase(m *machine) {
	full, p := s.chance(0.5), pick(s, []float64{0.02, 0.2, 1})
	broken := false
	m.bad = true
	m.badDB = func(committed bool) error {
		switch {
		case !s.chance(p):
			return nil
		case full && !committed:
			m.did("database: full", "")
			return localdb.ErrFull
		case full:
			return nil
		}
		broken = true
		m.did("database: broken "+map[bool]string{false: "before", true: "after"}[committed]+" a commit", "")
		return disk.ErrBroken
	}
	m.note("database: full %v, %.2f", full, p)
	m.round(RoundOptions{})
	m.badDB, m.bad = nil, false
	if broken {
		m.db.Reopen()
		m.start()
	}
}

// diskError is what the disk is made to answer; a broken engine might take it otherwise.
func (s *sim) diskError(err error) error {
	if broken != nil && broken.disk != nil {
		return broken.disk(err)
	}
	return err
}

func (s *sim) lockFile(m *machine) {
	n := item.Name("default/" + pick(s, documents).item)
	p, _, _ := pick(s, m.profiles()).Locate(n)
	if _, have := m.fs.Content(p); have {
		locked := s.chance(0.5)
		if locked {
			m.did("disk: file locked", p)
		}
		m.fs.Lock(p, locked)
	}
}

func (s *sim) restart(m *machine) {
	m.did("device: restart", "")
	m.start()
}

func (s *sim) setClock(m *machine) {
	m.skew = time.Duration(s.r.IntN(21)-10) * 365 * 24 * time.Hour
	if s.chance(0.5) {
		m.skew = 0
	}
	switch {
	case m.skew > 0:
		m.did("clock: years ahead", m.skew.String())
	case m.skew < 0:
		m.did("clock: years behind", m.skew.String())
	}
}

// unmount syncs while a folder is not there, which must remove nothing.
func (s *sim) unmount(m *machine) {
	src := pick(s, m.sources)
	m.did("disk: root gone", src.Root())
	m.fs.Move(src.Root(), src.Root()+".gone")
	m.hidden = src
	m.round(RoundOptions{})
	m.hidden = nil
	if _, err := m.fs.Stat(src.Root()); err == nil {
		// The root was made anew, as nothing was known of it: what is there stays, and what was comes back over it.
		for p, b := range m.fs.Files(src.Root() + ".gone") {
			to := strings.Replace(p, src.Root()+".gone", src.Root(), 1)
			if _, have := m.fs.Content(to); !have {
				m.fs.WriteFile(to, b)
			} else {
				m.pending = slices.DeleteFunc(m.pending, func(sv saved) bool { return sv.path == to })
			}
		}
		m.fs.RemoveAll(src.Root() + ".gone")
		return
	}
	m.fs.Move(src.Root()+".gone", src.Root())
}

// backUp copies what the machine has.
func (s *sim) backUp(m *machine) {
	m.note("is backed up")
	m.backup = &backup{db: m.db.Clone(localdb.Info{}), files: m.files(), packs: maps.Clone(m.spool.packs), rounds: m.rounds}
}

// files are the person's files, without what the engine has under way.
func (m *machine) files() map[string][]byte {
	out := map[string][]byte{}
	for p, b := range m.fs.Files("/" + m.name) {
		if !disk.Own(path.Base(p)) {
			out[p] = b
		}
	}
	return out
}

// restoreBackup brings the database back as it was, or all of the machine.
func (s *sim) restoreBackup(m *machine) {
	if m.backup == nil {
		with := slices.DeleteFunc(slices.Clone(s.fleet), func(m *machine) bool { return m.backup == nil || m.out })
		if len(with) == 0 {
			return
		}
		m = pick(s, with)
	}
	b := m.backup
	m.unpromise(b.rounds)
	info := pick(s, []localdb.Info{{}, {LostTail: true}, {NoAnchor: true}})
	whole := s.chance(0.4)
	if whole {
		m.did("device: backup put back whole", fmt.Sprintf("%+v", info))
	} else {
		m.did("device: backup of the database put back", fmt.Sprintf("%+v", info))
	}
	m.db = b.db.Clone(info)
	m.db.SetHook(m.hook)
	m.doubted = true
	if whole {
		m.spool.packs = maps.Clone(b.packs)
		for _, src := range m.sources {
			m.fs.RemoveAll(src.Root())
			m.fs.Mkdir(src.Root())
		}
		for p, raw := range b.files {
			m.fs.WriteFile(p, raw)
		}
		clear(m.broken)
		m.pending = nil
	}
	m.start()
	m.allThere()
}

// unpromise forgets what rounds after that one promised, unless all of it was sent:
// who restores a backup loses what was nowhere else.
func (m *machine) unpromise(after int) {
	if n, err := m.e.Unsent(); err == nil && n == 0 && !m.waitsForPacks() {
		return
	}
	for f, p := range m.s.promised {
		if p.m.keys == m.keys && p.round > after {
			delete(m.s.promised, f)
		}
	}
}

func (m *machine) waitsForPacks() bool {
	n := 0
	m.s.must(m.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowPackOut, func(string, []byte) error { n++; return nil })
	}))
	return n > 0
}

// allThere notes that whatever the machine's files hold may be written by it anew.
func (m *machine) allThere() {
	for _, p := range sortedPaths(m.files()) {
		src, n, ok := m.itemOf(p)
		if !ok {
			continue
		}
		raw, _ := m.fs.Content(p)
		for k, v := range m.s.atoms(n, raw, true) {
			f := m.s.fact(n, k, v)
			m.s.changed[done{m.keys.ID(), f}] = true
			m.s.offered[f] = true
		}
		_ = src
	}
}

func sortedPaths(files map[string][]byte) []string {
	var ps []string
	for p := range files {
		ps = append(ps, p)
	}
	slices.Sort(ps)
	return ps
}

// clone copies the whole machine; both go on.
func (s *sim) clone(m *machine) {
	if len(s.fleet) >= 8 || m.copied {
		return
	}
	c := s.machine(m.name)
	c.sources, c.keys = m.sources, m.keys
	c.off = maps.Clone(m.off)
	info := pick(s, []localdb.Info{{}, {Copied: true}})
	c.db = m.db.Clone(info)
	c.db.SetHook(c.hook)
	c.spool.packs = maps.Clone(m.spool.packs)
	for p, raw := range m.files() {
		c.fs.WriteFile(p, raw)
	}
	for b, raw := range m.broken {
		c.broken[b] = raw
	}
	maps.Copy(c.saves, m.saves)
	c.skew, c.platform = m.skew, m.platform
	c.doubted, m.doubted, c.copied, m.copied = true, true, true, true
	s.goodNetwork(m)
	if info.Copied {
		m.did("device: copied and noticed", c.name)
	} else {
		m.did("device: copied", c.name)
	}
	s.fleet = append(s.fleet, c)
	c.start()
	c.allThere()
	m.allThere()
	if s.chance(0.3) {
		// Neither sees what the other sends.
		heads, err := s.bucket.List(context.Background(), store.Heads)
		s.must(err)
		c.freeze(heads, 1+s.r.IntN(6))
		m.freeze(heads, 1+s.r.IntN(6))
	}
}

func (s *sim) detach(m *machine) {
	src := pick(s, m.sources)
	if m.off[src.ID()] {
		return
	}
	m.off[src.ID()] = true
	m.did("device: detached", src.ID())
	m.s.must(m.e.Detached(src.ID()))
	m.start()
}

func (s *sim) attach(m *machine) {
	off := slices.DeleteFunc(slices.Clone(m.sources), func(src Source) bool { return !m.off[src.ID()] })
	if len(off) == 0 {
		return
	}
	src := pick(s, off)
	delete(m.off, src.ID())
	m.did("device: attached", src.ID())
	m.allThere()
	m.start()
	m.s.must(m.e.Attached(src.Collection()))
}

// changeMask makes one setting belong to the machine alone, or no more.
func (s *sim) changeMask(m *machine) {
	src := pick(s, m.profiles()).(*userDir)
	m.did("device: mask", "")
	if src.ignore == nil {
		src.ignore = func(p item.Path) bool { return p[0] == "machine.path" || p[0] == "editor.fontFamily" }
		src.print = [8]byte{1}
		return
	}
	src.ignore, src.print = nil, [8]byte{}
}
