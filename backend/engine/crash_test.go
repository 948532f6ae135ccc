package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/store"
)

// A crashScenario is something that one device does, at every write of which it may crash.
type crashScenario struct {
	name    string
	subject string            // the device that crashes
	setup   func(w *world)    // what came before
	steps   []crashStep       // each is repeated until it is done
	check   func(w *world)    // what must be so in the end, crash or not
	between func(string) bool // paths that may hold more than old or new for an instant
}

// A crashStep does something in a world; it can be repeated after a crash.
type crashStep func(w *world) error

// A fate is what becomes of a device at a write: it dies before it, in the middle or
// after it, and its machine too (the power is cut) or not.
type fate struct {
	name  string
	as    disk.Fate
	power bool
	try   int // which of what a disk may lose is lost
}

// waysToDie are the fates at a write of that kind.
func waysToDie(kind string) []fate {
	ways := []fate{{name: "before", as: disk.CrashBefore}, {name: "after", as: disk.CrashAfter}}
	for _, parts := range []string{"disk write", "put", "spool write"} {
		if strings.HasPrefix(kind, parts) {
			ways = append(ways, fate{name: "torn", as: disk.CrashTorn})
		}
	}
	tries := 1
	if kind == "commit" {
		tries = 4 // nothing follows that would make the disk keep what came before
	}
	for _, f := range slices.Clone(ways) {
		f.name, f.power = "power cut "+f.name, true
		for f.try = range tries {
			ways = append(ways, f)
		}
	}
	return ways
}

// manyPoints is above how many writes a scenario has two ways to die at each, drawn by its
// seed, unless PLAIT_SCALE is 4 or more: then, as in smaller ones, all.
const manyPoints = 30

func scale() float64 {
	if f, err := strconv.ParseFloat(os.Getenv("PLAIT_SCALE"), 64); err == nil {
		return f
	}
	return 1
}

// TestCrashEverywhere runs each scenario once in peace, which numbers its writes, then
// once for each write and each way to die there. What survived goes on; in the end all
// must be as in peace: same files, same history, nothing left over.
func TestCrashEverywhere(t *testing.T) {
	var points, ran, all atomic.Int64
	scenarios := crashScenarios()
	t.Run("scenarios", func(t *testing.T) {
		for i, s := range scenarios {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				p, r, a := s.run(t, uint64(i))
				points.Add(int64(p))
				ran.Add(int64(r))
				all.Add(int64(a))
			})
		}
	})
	t.Logf("crashes: %d scenarios, %d write points, every one crashed at, in %d of %d ways", len(scenarios), points.Load(), ran.Load(), all.Load())
}

// crashWorld is a world whose devices can be endangered.
func crashWorld(t testing.TB, seed uint64) *world {
	w := newWorld(t, seed)
	w.onFineDisks()
	w.kit = func(d *device) {
		d.spool, d.bucket = newCrashSpool(), &crashBucket{Bucket: w.bucket}
		d.store = store.New(d.bucket, store.Options{})
	}
	return w
}

func (s *crashScenario) run(t *testing.T, seed uint64) (points, ran, all int) {
	origin := crashWorld(t, seed)
	s.setup(origin)
	first := origin.clone(seed)
	peace := &crashRun{s: s, w: first, seen: map[string]map[[32]byte]bool{}}
	c := first.dev(s.subject).endanger(0, disk.Go)
	peace.play(nil, nil)
	points = c.n
	want := peace.end(nil)
	if t.Failed() || points == 0 {
		t.Fatalf("in peace, with %d writes", points)
	}
	r := rand.New(rand.NewPCG(seed, 5))
	for at := 1; at <= points; at++ {
		ways := waysToDie(c.kinds[at-1])
		all += len(ways)
		if points > manyPoints && scale() < 4 {
			r.Shuffle(len(ways), func(i, j int) { ways[i], ways[j] = ways[j], ways[i] })
			ways = ways[:2]
		}
		ran += len(ways)
		for _, f := range ways {
			run := &crashRun{s: s, w: origin.clone(seed), seen: peace.seen, at: fmt.Sprintf("%s: %s write %d of %d (%s)", s.name, f.name, at, points, c.kinds[at-1])}
			var power *rand.Rand
			if f.power {
				power = rand.New(rand.NewPCG(seed, uint64(at+1000*f.try)))
			}
			c := run.w.dev(s.subject).endanger(at, f.as)
			run.play(c, power)
			run.end(&want)
			if t.Failed() {
				t.Fatalf("%s, power cut by seed %d\nwrites: %s", run.at, at+1000*f.try, strings.Join(c.kinds, "; "))
			}
		}
	}
	return points, ran, all
}

// A crashRun is one playing of a scenario.
type crashRun struct {
	s    *crashScenario
	w    *world
	at   string                       // which crash this is about
	seen map[string]map[[32]byte]bool // what each file held in peace, at some step's end; a zero: nothing
}

func (r *crashRun) errorf(format string, args ...any) {
	r.w.t.Helper()
	r.w.t.Errorf("%s: "+format, append([]any{r.at}, args...)...)
}

func (w *world) dev(name string) *device {
	for _, d := range w.devices {
		if d.name == name {
			return d
		}
	}
	w.t.Fatalf("no device %s", name)
	return nil
}

// play does the steps. With c nil it notes what the files hold.
func (r *crashRun) play(c *crasher, power *rand.Rand) {
	w, d := r.w, r.w.dev(r.s.subject)
	for _, o := range w.devices {
		if o != d && o.known() {
			w.must(o.start())
		}
	}
	r.note(c)
	for i, step := range r.s.steps {
		for {
			err := error(nil)
			if d.e == nil && d.known() {
				err = d.start()
			}
			if err == nil {
				err = step(w)
			}
			if c != nil && c.isDead() {
				d.reboot(power)
				c.mu.Lock()
				c.dead = false
				c.mu.Unlock()
				c = nil
				r.survivors(d)
				continue
			}
			if err != nil {
				w.t.Fatalf("%s: step %d: %v", r.at, i+1, err)
			}
			break
		}
		r.note(c)
	}
	if c != nil {
		r.errorf("it was not reached")
	}
}

// known says whether the device's database was begun.
func (d *device) known() bool { return !d.db.Info().Fresh }

func (r *crashRun) note(c *crasher) {
	if r.at != "" {
		return
	}
	for _, d := range r.w.devices {
		for p, b := range d.fs.Files("/" + d.name) {
			if r.seen[p] == nil {
				r.seen[p] = map[[32]byte]bool{}
			}
			r.seen[p][sha256.Sum256(b)] = true
		}
	}
}

// survivors checks that every file is whole right after the crash.
func (r *crashRun) survivors(d *device) {
	for p, b := range d.fs.Files("/" + d.name) {
		if disk.Own(path.Base(p)) || r.seen[p][sha256.Sum256(b)] || r.s.between != nil && r.s.between(p) {
			continue
		}
		r.errorf("after the crash %s holds neither old nor new:\n%.200q", p, b)
	}
}

// outcome is what is compared with peace.
type outcome struct {
	files     map[string]string
	history   map[string]bool
	conflicts map[string]string
	left      map[string]string
}

// end lets all devices sync until nothing moves, and checks that all is well.
func (r *crashRun) end(want *outcome) outcome {
	w := r.w
	for _, d := range w.devices {
		if d.e == nil {
			w.must(d.start())
		}
	}
	for pass := 0; ; pass++ {
		moved := false
		for _, d := range r.order() {
			res, err := d.sync(RoundOptions{})
			if err != nil || res.Offline != nil || len(res.Bad) > 0 || res.Caught != nil {
				w.t.Fatalf("%s: pass %d, %s: %v %v %v %v", r.at, pass, d.name, err, res.Offline, res.Bad, res.Caught)
			}
			moved = moved || res.Pulled+res.Pushed+res.Applied > 0
			r.tidy(d)
		}
		w.tick(10 * time.Second)
		if !moved {
			break
		}
		if pass == 5 {
			w.t.Fatalf("%s: no rest after %d passes", r.at, pass)
		}
	}
	for range 2 {
		for _, d := range w.devices {
			_, err := d.sync(RoundOptions{})
			w.must(err)
		}
	}
	for _, d := range w.devices {
		points, effects := d.db.Points(), d.fs.Effects()
		res, err := d.sync(RoundOptions{})
		w.must(err)
		if res.Usage.RequestsDown != 1 || res.Usage.RequestsUp != 0 || d.db.Points() != points || d.fs.Effects() != effects {
			r.errorf("%s: a sync with nothing to do: %+v, %d commits, %d effects", d.name, res.Usage, (d.db.Points()-points)/2, d.fs.Effects()-effects)
		}
	}
	r.alike()
	if r.s.check != nil {
		r.s.check(w)
	}
	got := r.outcome()
	if want != nil {
		r.same("files", want.files, got.files)
		r.same("conflicts", want.conflicts, got.conflicts)
		r.same("left in the database", want.left, got.left)
		for v := range got.history {
			if !want.history[v] {
				r.errorf("history has what nobody wrote: %s", v)
			}
		}
		for v := range want.history {
			if !got.history[v] {
				r.errorf("history lacks what was written: %s", v)
			}
		}
	}
	return got
}

// order has the device that crashed first.
func (r *crashRun) order() []*device {
	ds := []*device{r.w.dev(r.s.subject)}
	for _, d := range r.w.devices {
		if d != ds[0] {
			ds = append(ds, d)
		}
	}
	return ds
}

func (r *crashRun) same(what string, want, got map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[k]; !ok || g != want[k] {
			r.errorf("%s: %s is\n%.300s\nand in peace\n%.300s", what, k, g, want[k])
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			r.errorf("%s: %s is there, and not in peace:\n%.300s", what, k, got[k])
		}
	}
}

// tidy checks that a round left nothing beside files or in the spool.
func (r *crashRun) tidy(d *device) {
	for p := range d.fs.Files("/") {
		if disk.Own(path.Base(p)) {
			r.errorf("%s: %s was left", d.name, p)
		}
	}
	if s := d.spool.(*crashSpool); len(s.cut)+len(s.packs) > 0 {
		r.errorf("%s: %d packs and %d half ones were left in the spool", d.name, len(s.packs), len(s.cut))
	}
}

// alike checks that live devices hold one state, and that every chain verifies.
func (r *crashRun) alike() {
	var want string
	var whose string
	for _, d := range r.w.devices {
		if m, ok := r.w.devices[0].e.ring.Member(d.keys.ID()); !ok || m.Revoked {
			continue
		}
		got := d.e.stateText(r.w)
		if whose == "" {
			want, whose = got, d.name
		} else if got != want {
			r.errorf("%s holds\n%s\nand %s\n%s", d.name, got, whose, want)
		}
		checks, err := d.e.VerifyLog()
		r.w.must(err)
		for _, c := range checks {
			if c.Err != nil {
				r.errorf("%s: chain of %s: %v", d.name, c.Object, c.Err)
			}
		}
	}
	d := r.w.dev(r.s.subject)
	r.w.must(d.e.CheckStore(context.Background(), func(c Check) {
		if c.Err != nil {
			r.errorf("store: %s: %v", c.Object, c.Err)
		}
	}))
}

// stateText writes down what is live in all items.
func (e *Engine) stateText(w *world) string {
	var b strings.Builder
	names, err := e.Items()
	w.must(err)
	for _, n := range names {
		it, err := e.item(n)
		w.must(err)
		for _, k := range it.Keys() {
			for _, s := range it.Atoms[k].Live {
				fmt.Fprintf(&b, "%s %v %s %s\n", n, k, s.Dot, valueText(s.Value))
			}
		}
	}
	return b.String()
}

func valueText(v item.Value) string {
	if v.Large != nil {
		return fmt.Sprintf("large %d %x %o", v.Large.Size, v.Large.Hash[:6], v.Mode)
	}
	return fmt.Sprintf("%v %.80q %o", v.Kind, v.Data, v.Mode)
}

func (r *crashRun) outcome() outcome {
	o := outcome{files: map[string]string{}, history: map[string]bool{}, conflicts: map[string]string{}, left: map[string]string{}}
	for _, d := range r.w.devices {
		for p, b := range d.fs.Files("/" + d.name) {
			o.files[p] = string(b)
		}
		past, err := d.e.entries()
		r.w.must(err)
		for _, p := range past {
			for _, w := range p.Entry.Writes {
				o.history[fmt.Sprintf("%s %v %s", w.Item, w.Key, valueText(w.Value))] = true
			}
		}
		cs, err := d.e.Conflicts(context.Background(), "")
		r.w.must(err)
		for _, c := range cs {
			o.conflicts[fmt.Sprintf("%s %s %v", d.name, c.Item, c.Key)] = valueText(c.Local.Value) + " | " + valueText(c.Remote.Value)
		}
		rows, err := localdb.Dump(d.db)
		r.w.must(err)
		for k := range rows {
			for _, prefix := range []string{rowDirty, rowIntent, rowOut, rowPackOut, rowKeyOut, rowWaiting, rowAsked, rowWriting} {
				if strings.HasPrefix(k, prefix) {
					o.left[d.name+" "+k] = ""
				}
			}
		}
	}
	return o
}

// syncs is the step of syncing devices, in order.
func syncs(names ...string) crashStep {
	return func(w *world) error {
		for _, n := range names {
			if err := w.dev(n).round(); err != nil {
				return err
			}
		}
		return nil
	}
}

// round syncs; all that is wrong is an error.
func (d *device) round() error {
	r, err := d.sync(RoundOptions{})
	switch {
	case err != nil:
		return err
	case r.Offline != nil:
		return r.Offline
	case len(r.Bad) > 0:
		return r.Bad[0]
	case r.Caught != nil:
		return r.Caught
	case len(r.Waiting) > 0:
		return errors.New(r.Waiting[0].Path + " waits: " + r.Waiting[0].Code + " " + r.Waiting[0].Detail)
	}
	return nil
}
