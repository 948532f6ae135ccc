package engine

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/keyring"
	"plait/backend/merge"
	"plait/backend/store"
	"plait/backend/store/memstore"
)

// An attack is one variant of a row of the threat model's list, on the whole engine.
// It is made twice. With all checks in it must fail: what the victim is told is as
// stated, it shows nothing that nobody wrote, and once the store is honest again (or
// the hostile member is revoked) it goes on by itself. With the checks in out taken
// out it must succeed, or it would prove nothing; with any one of them in it must not,
// or that one would hold nothing off.
type attack struct {
	row    int
	name   string
	mount  func(s *scene)                // what the attacker does
	won    func(s *scene, r *Round) bool // whether it worked
	out    []hook                        // the checks that hold it off, each by itself
	cannot string                        // instead: why it can't succeed whatever is taken out
	code   string                        // what the victim is told; "": nothing, it is passed over
	object string                        // prefix of the object named
	device func(s *scene) *device        // the device named; nil: none
	member bool                          // a paired device is hostile: it is revoked in the end
	store  bool                          // and the store with it
	third  bool                          // the scene has a third device, a tablet
	trusts bool                          // the tablet may change what runs elsewhere
	scar   bool                          // two histories of a revoked device leave traces: only that all go on is asked
	plain  bool                          // no snapshots
	early  bool                          // the victim was just admitted, and never synced
}

// canary stands in values; no byte of it may ever be in the store.
const canary = "canary-7f3a9c"

// A scene is a vault in which a laptop wrote something that the phone, the victim,
// has not seen yet.
type scene struct {
	t                     *testing.T
	w                     *world
	laptop, phone, tablet *device
	raw                   memstore.Raw
	old, honest, mounted  memstore.Snapshot
	before                map[string]string          // the victim's files
	past                  map[string]map[string]bool // what the laptop's files ever held
	ghost                 *keyring.Device            // the attacker's own keys
	extra                 any                        // what mount leaves for won
}

var files = []string{"User/settings.json", "User/tasks.json", "User/prompts/long.md", "notes/big.bin", "notes/small.txt"}

func text(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
		if i%61 == 60 {
			b[i] = '\n'
		}
	}
	return string(b)
}

func newScene(t *testing.T, a *attack) *scene {
	w := newWorld(t, 11)
	s := &scene{t: t, w: w, raw: w.bucket.Raw()}
	s.laptop = w.add("laptop")
	if !a.plain {
		s.laptop.e.cfg.sizes.snapshotEntries = 1
	}
	s.past = map[string]map[string]bool{}
	sync := func() {
		s.laptop.mustSync()
		for f, text := range s.laptop.files() {
			if s.past[f] == nil {
				s.past[f] = map[string]bool{}
			}
			s.past[f][text] = true
		}
	}
	s.laptop.write("User/settings.json", `{"a": 1, "token": "`+canary+`"}`)
	s.laptop.write("notes/big.bin", text(1, 300<<10))
	sync()
	if a.third {
		s.tablet = w.machine("tablet")
		w.admit(s.tablet, a.trusts)
		w.devices = append(w.devices, s.tablet)
		s.tablet.mustSync()
	}
	s.ghost = keyring.NewDevice(w.randReader())
	if !a.early {
		s.join()
	}
	for range 2 {
		for _, d := range w.devices {
			d.mustSync()
		}
	}
	s.old = w.bucket.Snapshot()
	s.laptop.write("User/settings.json", `{"a": 2, "b": "`+canary+`"}`)
	s.laptop.write("notes/big.bin", text(2, 300<<10))
	s.laptop.write("notes/small.txt", "small "+canary)
	sync()
	s.laptop.write("User/prompts/long.md", text(3, 9<<10)) // a segment
	sync()
	s.laptop.write("User/prompts/long.md", text(4, 9<<10)) // another
	sync()
	s.laptop.write("User/settings.json", `{"a": 3, "b": "`+canary+`"}`) // inline
	sync()
	if a.early {
		s.join()
	}
	s.honest = w.bucket.Snapshot()
	w.tick(time.Minute)
	return s
}

func (w *world) randReader() randReader {
	return randReader{rand.New(rand.NewPCG(w.rand.Uint64(), 5))}
}

// join makes the phone a member, which may not change what runs elsewhere.
func (s *scene) join() {
	s.phone = s.w.add("phone")
}

// files are what a device has on disk.
func (d *device) files() map[string]string {
	out := map[string]string{}
	for _, f := range files {
		out[f] = d.read(f)
	}
	return out
}

// fresh lists objects that came between the phone's last sync and the attack.
func (s *scene) fresh(prefix string) []string {
	var out []string
	for _, n := range s.raw.Names(prefix) {
		if _, was := s.old[n]; !was {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		s.t.Fatalf("no fresh object under %s to attack", prefix)
	}
	return out
}

// headOf is the name of a device's newest head.
func (s *scene) headOf(d *device) string { return s.heads(d)[0] }

func (s *scene) heads(d *device) []string {
	var ns []journal.HeadName
	for _, n := range s.raw.Names(store.Heads) {
		if h, err := journal.ParseHeadName(n); err == nil && h.Author == d.e.meta.Me {
			ns = append(ns, h)
		}
	}
	slices.SortFunc(ns, func(a, b journal.HeadName) int { return -cmpUint(a.N, b.N) })
	var out []string
	for _, n := range ns {
		out = append(out, n.String())
	}
	return out
}

// wrote are the objects that devices put since the attack was mounted.
func (s *scene) wrote() memstore.Snapshot {
	out := memstore.Snapshot{}
	for n, b := range s.w.bucket.Snapshot() {
		if was, ok := s.mounted[n]; !ok || !bytes.Equal(was, b) {
			out[n] = b
		}
	}
	return out
}

// run makes the attack once, with some checks out; with all in, it also says what is wrong.
func (a *attack) run(t *testing.T, out []hook) (won bool) {
	take := func(s *scene, off bool) {
		for _, h := range out {
			h.take(s, off)
		}
	}
	take(nil, true)
	defer take(nil, false)
	s := newScene(t, a)
	a.mount(s)
	s.mounted = s.w.bucket.Snapshot()
	take(s, true)
	defer take(s, false)
	s.before = s.phone.files()
	r, err := s.phone.sync(RoundOptions{})
	if len(out) > 0 {
		return err != nil || a.won(s, r)
	}
	if err != nil {
		t.Fatalf("the round ends with %v", err)
	}
	s.told(a, r)
	if a.won(s, r) {
		t.Errorf("the attack succeeds; told: %v", r.Bad)
	}
	if !a.scar {
		s.nothingStrange()
	}
	s.heal(a)
	return false
}

// told checks what the victim was told.
func (s *scene) told(a *attack, r *Round) {
	s.t.Helper()
	if a.code == "" {
		if len(r.Bad) > 0 || r.Offline != nil {
			s.t.Errorf("told of %v %v; want it passed over", r.Bad, r.Offline)
		}
		return
	}
	for _, b := range r.Bad {
		if b.Code == a.code && strings.HasPrefix(b.Object, a.object) && (a.device == nil || a.device(s) == nil || b.Device == a.device(s).e.Device()) {
			return
		}
	}
	s.t.Errorf("told %v (offline: %v); want %s of %s", r.Bad, r.Offline, a.code, a.object)
}

// nothingStrange makes sure that the victim shows, file by file, what it had or what
// the laptop once wrote, and that nothing that can be read went into the store.
func (s *scene) nothingStrange() {
	s.t.Helper()
	now := s.phone.files()
	for _, f := range files {
		ok := now[f] == s.before[f] || s.past[f][now[f]]
		for x := range s.past[f] {
			ok = ok || strings.HasSuffix(f, ".json") && sameJSON(now[f], x)
		}
		if !ok {
			s.t.Errorf("%s: %.200q; the laptop never had that", f, now[f])
		}
	}
	for n, b := range s.w.bucket.Snapshot() {
		if bytes.Contains(b, []byte(canary)) {
			s.t.Errorf("%s can be read", n)
		}
	}
}

func sameJSON(a, b string) bool {
	x, err1 := merge.Atomize(item.Settings, []byte(a), merge.Options{})
	y, err2 := merge.Atomize(item.Settings, []byte(b), merge.Options{})
	if err1 != nil || err2 != nil {
		return a == b
	}
	return maps.EqualFunc(valueLanes(x), valueLanes(y), func(v, w item.Value) bool { return bytes.Equal(v.Data, w.Data) })
}

func valueLanes(d merge.Doc) map[item.Key]item.Value {
	out := map[item.Key]item.Value{}
	for k, v := range d.Atoms {
		if k.Lane == item.LaneValue {
			out[k] = v
		}
	}
	return out
}

// heal makes the store honest again, and lets everybody go on by themselves.
func (s *scene) heal(a *attack) {
	s.t.Helper()
	if a.store {
		whole := maps.Clone(s.honest)
		maps.Copy(whole, s.wrote())
		s.w.bucket.Restore(whole)
	}
	if a.member {
		s.revoke(s.tablet, a.scar)
		return
	}
	whole := maps.Clone(s.honest)
	maps.Copy(whole, s.wrote())
	s.w.bucket.Restore(whole)
	s.converge(s.w.devices, false)
}

func (s *scene) converge(devices []*device, scar bool) {
	s.t.Helper()
	for round := range 3 {
		for _, d := range devices {
			s.w.tick(10 * time.Second)
			r, err := d.sync(RoundOptions{})
			s.w.must(err)
			if scar {
				r.Bad = slices.DeleteFunc(r.Bad, func(b *Bad) bool { return s.tablet != nil && b.Device == s.tablet.e.Device() })
			}
			if r.Offline != nil || len(r.Bad) > 0 || r.Caught != nil {
				s.t.Fatalf("once all is honest again %s is told %v %v %v", d.name, r.Offline, r.Bad, r.Caught)
			}
			// What a hostile member forged stays left out; files that waited go on in the second round.
			for _, w := range r.Waiting {
				if !slices.Contains([]string{"forged", "damaged", "name"}, w.Code) && round > 0 {
					s.t.Errorf("once all is honest again %s waits: %+v", d.name, w)
				}
			}
		}
	}
	if scar {
		return
	}
	want := devices[0].files()
	for _, d := range devices[1:] {
		got := d.files()
		for _, f := range files {
			if got[f] != want[f] && !(strings.HasSuffix(f, ".json") && sameJSON(got[f], want[f])) {
				s.t.Errorf("once all is honest again %s has %s: %.100q; want %.100q", d.name, f, got[f], want[f])
			}
		}
	}
}

// runAttacks makes each attack with all checks, without those that hold it off, and
// with each of those put back alone: where several hold, any one of them does.
func runAttacks(t *testing.T, attacks []attack) {
	t.Helper()
	for i := range attacks {
		a := &attacks[i]
		t.Run(fmt.Sprintf("row %d %s", a.row, a.name), func(t *testing.T) {
			a.run(t, nil)
			if t.Failed() || a.cannot != "" {
				return
			}
			if !a.run(t, a.out) {
				t.Error("the attack fails even without the checks: it proves nothing")
			}
			for i, h := range a.out {
				if rest := slices.Delete(slices.Clone(a.out), i, i+1); len(rest) > 0 && a.run(t, rest) {
					t.Errorf("the attack succeeds with %s in, too: that is not what holds it off", h.name)
				}
			}
		})
	}
}

// revoke ends a hostile member, as its owner would once told of it.
func (s *scene) revoke(d *device, scar bool) {
	s.t.Helper()
	if _, err := s.laptop.sync(RoundOptions{}); err != nil {
		s.t.Fatal(err)
	}
	if m, _ := s.laptop.e.Ring().Member(d.e.Device()); !m.Revoked {
		ss, err := s.laptop.e.Keys().Revoke(s.laptop.rand, s.w.now, d.e.Device(), s.laptop.e.Vector())
		s.w.must(err)
		s.w.must(s.laptop.e.AddStatements(ss))
	}
	for range 2 {
		for _, x := range []*device{s.laptop, s.phone} {
			if _, err := x.sync(RoundOptions{}); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	s.converge([]*device{s.laptop, s.phone}, scar)
}

// say publishes entries of a member, and a head that covers them, as the member's own
// program never would: d's keys do what the attacker wants. edit changes the head.
func (s *scene) say(d *device, edit func(h *journal.Head), entries ...*item.Entry) string {
	s.t.Helper()
	e := d.e
	c, _, err := e.loadCursor()
	s.w.must(err)
	recs, err := e.ownRecords(c.SegSeq + 1)
	s.w.must(err)
	h := &journal.Head{Author: e.meta.Me, N: c.N + 1, Time: e.now(), Seq: e.meta.Seq, Hash: e.meta.Chain, Vector: e.meta.Vector.Clone(),
		Keys: e.ring.Frontier(), Segments: c.Segments}
	delete(h.Vector, e.meta.Me)
	for _, en := range entries {
		en.Author, en.Seq, en.Prev = e.meta.Me, h.Seq+1, h.Hash
		if en.Time == 0 {
			en.Time = e.now()
		}
		if en.Deps == nil {
			en.Deps = h.Vector.Clone()
		}
		if en.Action == 0 {
			en.Action = item.Edit
		}
		r, _, err := journal.Encode(en, nil)
		s.w.must(err)
		recs = append(recs, r)
		h.Seq, h.Hash = en.Seq, r.Hash
	}
	h.Inline = recs
	if edit != nil {
		edit(h)
	}
	sealer, err := e.sealer()
	s.w.must(err)
	obj, name, err := sealer.Head(h, e.sign)
	s.w.must(err)
	s.raw.Set(name.String(), obj)
	return name.String()
}

// sets is an entry that sets one atom, over what is there.
func (s *scene) sets(d *device, n item.Name, k item.Key, v item.Value) *item.Entry {
	w := item.Write{Item: n, Key: k, Value: v}
	it, err := d.e.item(n)
	s.w.must(err)
	if a := it.Atoms[k]; a != nil {
		w.Replaces = a.Dots()
	}
	return &item.Entry{Writes: []item.Write{w}}
}

func jsonValue(s string) item.Value { return item.Value{Kind: item.JSON, Data: []byte(s)} }
func textValue(s string) item.Value { return item.Value{Kind: item.Text, Data: []byte(s)} }

const (
	settingsItem item.Name = "default/settings"
	tasksItem    item.Name = "default/tasks"
)

func at(path ...string) item.Key { return item.Key{Path: item.Path(path).String()} }

// shows says whether the victim's file has a text in it.
func shows(file, text string) func(*scene, *Round) bool {
	return func(s *scene, _ *Round) bool { return strings.Contains(s.phone.read(file), text) }
}

// silent says that the victim noticed nothing.
func silent(_ *scene, r *Round) bool { return len(r.Bad) == 0 && r.Offline == nil }

func laptop(s *scene) *device { return s.laptop }
func phone(s *scene) *device  { return s.phone }
func tablet(s *scene) *device { return s.tablet }
