package vault

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"plait/backend/problem"
)

// A crashCase is a command that is cut at each of its writes, before and after it:
// in the database, in Plait's folder, on the person's disk and in the store. Run again,
// or gone on from, nothing is lost and nothing stays behind that nobody can use.
type crashCase struct {
	name    string
	prepare func(w *crashWorld)
	victim  string
	command func(w *crashWorld, m *crashMachine) error // in the life that may end
	again   func(w *crashWorld, m *crashMachine)       // what the person does then
	slow    bool                                       // check words are made to take time
}

const crashSettings = `{"editor.fontSize": 12, "editor.tabSize": 4}`

func crashFound(w *crashWorld) *crashMachine {
	m := w.add("laptop")
	v, c, err := Create(bg, m.options(), CreateSpec{Store: "folder:/store", DeviceName: "laptop", Keys: KeysFile})
	must(w.t, err)
	w.words = strings.Join(c.RecoveryWords, " ")
	m.v = v
	m.write(crashSettings)
	m.attach()
	m.sync()
	return m
}

func crashJoin(m *crashMachine, o Options) error {
	v, _, err := Join(bg, o, JoinSpec{Store: "folder:/store", RecoveryWords: m.w.words, DeviceName: m.name, Keys: KeysFile})
	m.v = v
	return err
}

func crashTwo(w *crashWorld) (laptop, desktop *crashMachine) {
	laptop, desktop = crashFound(w), w.add("desktop")
	must(w.t, crashJoin(desktop, desktop.options()))
	desktop.attach()
	desktop.sync()
	laptop.sync()
	return laptop, desktop
}

// begun opens a machine's vault after init or join was cut; false: it is to be run again,
// as a person is told.
func (m *crashMachine) begun(command string) bool {
	m.w.t.Helper()
	v, err := Open(bg, m.next())
	if err == nil {
		m.v = v
		return true
	}
	told(m.w.t, err, problem.NoVault, "plait "+command)
	return false
}

// settled makes sure that both have the same settings, and only each other for company.
func settled(w *crashWorld, texts ...string) {
	w.t.Helper()
	a, b := w.all["laptop"], w.all["desktop"]
	for range 2 {
		for _, m := range []*crashMachine{a, b} {
			m.reopen()
			m.sync()
		}
	}
	if got := a.devices(); len(got) != 2 {
		w.t.Errorf("the vault has the devices %q", got)
	}
	if w.stored("join") > 0 {
		w.t.Error("in the mailbox something stays")
	}
	for _, text := range texts {
		if !strings.Contains(a.read(), text) || !strings.Contains(b.read(), text) {
			w.t.Errorf("%s is lost: %s and %s", text, a.read(), b.read())
		}
	}
}

func crashCases() []crashCase {
	conflict := func(w *crashWorld) {
		laptop, desktop := crashTwo(w)
		laptop.write(strings.Replace(crashSettings, "12", "14", 1))
		desktop.write(strings.Replace(crashSettings, "12", "16", 1))
		laptop.sync()
		desktop.sync()
	}
	resolve := func(m *crashMachine) error {
		_, err := m.v.Resolve(bg, ResolveSpec{Item: "default/settings", Path: []string{"editor.fontSize"}, Take: "laptop"})
		return err
	}
	oldest := func(m *crashMachine) string {
		vs, err := m.v.History(bg, "default/settings", 0)
		must(m.w.t, err)
		return vs[len(vs)-1].Version
	}
	restore := func(m *crashMachine) error {
		_, err := m.v.Restore(bg, RestoreSpec{What: "default/settings", To: oldest(m)})
		return err
	}
	open := func(m *crashMachine) error {
		v, err := Open(bg, m.options())
		m.v = v
		return err
	}
	return []crashCase{
		{"init", func(w *crashWorld) { w.add("laptop"); w.add("desktop") }, "laptop", func(w *crashWorld, m *crashMachine) error {
			_, _, err := Create(bg, m.options(), CreateSpec{Store: "folder:/store", DeviceName: "laptop", Keys: KeysFile})
			return err
		}, func(w *crashWorld, m *crashMachine) {
			var words []string
			if m.begun("init") {
				r, err := m.v.Recovery(bg, RecoverySpec{New: true}) // nobody saw the first
				must(w.t, err)
				words = r.Words
			} else {
				v, c, err := Create(bg, m.next(), CreateSpec{Store: "folder:/store", DeviceName: "laptop", Keys: KeysFile})
				must(w.t, err)
				m.v, words = v, c.RecoveryWords
				if n := w.stored("keys"); n != 1 {
					w.t.Errorf("%d statements: what was cut left some", n)
				}
			}
			m.write(crashSettings)
			m.attach()
			m.sync()
			d := w.all["desktop"]
			v, _, err := Join(bg, d.next(), JoinSpec{Store: "folder:/store", RecoveryWords: strings.Join(words, " "), DeviceName: "desktop", Keys: KeysFile})
			must(w.t, err)
			d.v = v
			d.attach()
			settled(w, `"editor.fontSize": 12`)
		}, false},
		{"join by words", func(w *crashWorld) { crashFound(w); w.add("desktop") }, "desktop", func(w *crashWorld, m *crashMachine) error {
			return crashJoin(m, m.options())
		}, func(w *crashWorld, m *crashMachine) {
			if !m.begun("join") {
				must(w.t, crashJoin(m, m.next()))
			}
			m.write(`{"own": 1}`)
			m.attach()
			settled(w, `"editor.fontSize": 12`, `"own": 1`)
		}, false},
		{"attach", func(w *crashWorld) {
			crashFound(w)
			d := w.add("desktop")
			must(w.t, crashJoin(d, d.options()))
			d.write(`{"own": 1}`)
		}, "desktop", func(w *crashWorld, m *crashMachine) error {
			if err := open(m); err != nil {
				return err
			}
			_, err := m.v.Attach(bg, AttachSpec{Editor: "code"}, false)
			return err
		}, func(w *crashWorld, m *crashMachine) {
			m.reopen()
			if len(m.v.cfg.Attached) == 0 {
				m.attach()
			}
			settled(w, `"editor.fontSize": 12`, `"own": 1`)
		}, false},
		{"resolve", conflict, "desktop", func(w *crashWorld, m *crashMachine) error {
			if err := open(m); err != nil {
				return err
			}
			return resolve(m)
		}, func(w *crashWorld, m *crashMachine) {
			m.reopen()
			cs, err := m.v.Conflicts(bg, "")
			must(w.t, err)
			if len(cs) > 0 {
				must(w.t, resolve(m))
			}
			settled(w, `"editor.fontSize": 14`)
			if cs, err = m.v.Conflicts(bg, ""); err != nil || len(cs) > 0 {
				w.t.Errorf("conflicts %+v (%v)", cs, err)
			}
		}, false},
		{"restore", func(w *crashWorld) {
			laptop, desktop := crashTwo(w)
			laptop.write(strings.Replace(crashSettings, "12", "14", 1))
			laptop.sync()
			desktop.sync()
		}, "desktop", func(w *crashWorld, m *crashMachine) error {
			if err := open(m); err != nil {
				return err
			}
			return restore(m)
		}, func(w *crashWorld, m *crashMachine) {
			m.reopen()
			must(w.t, restore(m))
			settled(w, `"editor.fontSize": 12`, `"editor.tabSize": 4`)
		}, false},
		{"revoke", func(w *crashWorld) {
			crashTwo(w)
			p := w.add("phone")
			must(w.t, crashJoin(p, p.options()))
			w.all["laptop"].sync()
			w.all["desktop"].sync()
		}, "desktop", func(w *crashWorld, m *crashMachine) error {
			if err := open(m); err != nil {
				return err
			}
			_, err := m.v.RevokeDevice(bg, "phone")
			return err
		}, func(w *crashWorld, m *crashMachine) {
			m.reopen()
			if slices.Contains(m.devices(), "phone") {
				_, err := m.v.RevokeDevice(bg, "phone")
				must(w.t, err)
			}
			settled(w, `"editor.fontSize": 12`)
		}, false},
		{"join by code", func(w *crashWorld) { crashFound(w); w.add("desktop") }, "desktop", func(w *crashWorld, m *crashMachine) error {
			_, joined := w.pair(m.options())
			return joined
		}, func(w *crashWorld, m *crashMachine) {
			w.all["laptop"].reopen()
			if !m.begun("join") {
				w.pairAgain()
			}
			m.attach()
			settled(w, `"editor.fontSize": 12`)
		}, true},
		{"pair", func(w *crashWorld) { crashFound(w); w.add("desktop") }, "laptop", func(w *crashWorld, m *crashMachine) error {
			v, err := Open(bg, m.options())
			if err != nil {
				return err
			}
			m.v = v
			paired, _ := w.pair(w.all["desktop"].options())
			return paired
		}, func(w *crashWorld, m *crashMachine) {
			m.reopen()
			m.sync()
			d := w.all["desktop"]
			if d.v == nil && !d.begun("join") {
				w.pairAgain()
			}
			d.attach()
			// The mailbox of a pairing that was cut stays; it is of no use to anybody.
			for n := range w.bucket.Snapshot() {
				if strings.HasPrefix(n, "join/") {
					w.bucket.Raw().Remove(n)
				}
			}
			settled(w, `"editor.fontSize": 12`)
		}, true},
	}
}

// pair lets the desktop join by a code of the laptop's. Whichever is cut, the other
// comes to an end by itself.
func (w *crashWorld) pair(o Options) (paired, joined error) {
	laptop, desktop := w.all["laptop"], w.all["desktop"]
	both := &duo{ended: make(chan struct{})}
	defer close(both.ended)
	w.mu.Lock()
	w.duo = both
	w.mu.Unlock()
	if laptop.v == nil {
		laptop.reopen()
	}
	gone, away := laptop.l.died, desktop.l.died
	p := &pairing{approve: true, run: true, code: make(chan string, 1)}
	ended := make(chan error, 2)
	go func() { _, err := laptop.v.Pair(bg, p); w.move(both); ended <- err }()
	var code string
	select {
	case code = <-p.code:
	case paired = <-ended:
		return paired, nil
	case <-gone:
		return nil, nil
	}
	go func() { // whoever waits for one that died is told
		select {
		case <-away:
		case <-gone:
		case <-both.ended:
		}
		w.move(both)
	}()
	join := make(chan error, 1)
	go func() {
		v, _, err := Join(bg, o, JoinSpec{Store: "folder:/store", Code: code, DeviceName: "desktop", Keys: KeysFile})
		desktop.v = v
		w.move(both)
		join <- err
	}()
	// Who dies never ends; the other does.
	select {
	case paired = <-ended:
	case <-gone:
		w.move(both)
	}
	select {
	case joined = <-join:
	case <-away:
		w.move(both)
	}
	return paired, joined
}

// pairAgain is what two people do after that.
func (w *crashWorld) pairAgain() {
	w.t.Helper()
	laptop, desktop := w.all["laptop"], w.all["desktop"]
	laptop.reopen()
	o := desktop.next()
	// The desktop may have been admitted before it was cut: then it needs no code.
	if v, _, err := Join(bg, o, JoinSpec{Store: "folder:/store", Code: "no code", DeviceName: "desktop", Keys: KeysFile}); err == nil {
		desktop.v = v
		return
	}
	paired, joined := w.pair(desktop.next())
	must(w.t, paired)
	must(w.t, joined)
}

func TestCrashes(t *testing.T) {
	for _, c := range crashCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			start := newCrashWorld(t)
			c.prepare(start)
			for _, m := range start.all {
				if m.v != nil {
					must(t, m.v.Close())
				}
			}
			points := 0
			for at, more := 1, true; more; at++ {
				for _, after := range []bool{false, true} {
					if c.slow && !after && at > 1 {
						continue // as after the write before
					}
					w := start.clone(t)
					m := w.all[c.victim]
					l := newLife(at, after)
					err, died := m.live(l, func() error { return c.command(w, m) })
					if !died {
						more = false
						if err != nil {
							t.Fatalf("not cut at all: %v (%+v)", err, problem.From(err))
						}
						break
					}
					points++
					t.Run(fmt.Sprintf("%d %s %v", at, l.kinds[at-1], after), func(t *testing.T) {
						w.t = t
						c.again(w, m)
					})
				}
			}
			t.Logf("%d crashes in %v", points, time.Since(began).Round(time.Millisecond))
		})
	}
}
