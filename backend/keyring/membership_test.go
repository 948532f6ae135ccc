package keyring

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"plait/backend/item"
)

// fleet is a vault of n devices, the first of which admitted the others.
func fleet(t *testing.T, n int) (*world, []*Device) {
	if fleets[n].w == nil {
		w := newWorld(t, 40)
		ds := []*Device{w.first}
		for range n - 1 {
			ds = append(ds, w.admit(w.first, true))
		}
		fleets[n].w, fleets[n].ds = w, ds
	}
	c := *fleets[n].w
	c.t, c.rand, c.statements = t, chance(41), maps.Clone(c.statements)
	return &c, slices.Clone(fleets[n].ds)
}

// fleets are founded once.
var fleets [5]struct {
	w  *world
	ds []*Device
}

func removal(d *Device) body {
	return body{Kind: KindRevoke, Revoke: &revokeBody{d.ID(), []limit{}}}
}

// TestMembership is the table of FORMAT.md, "Membership". All of do's statements are
// made by devices that have seen the fleet of four (a, b, c, d) and, of each other's,
// what after names.
func TestMembership(t *testing.T) {
	type move struct {
		by    string // device, "words", or "x" and "y", who are newcomers
		what  string // "revoke d", "admit x"
		after string // names of moves it has seen, by number
	}
	for _, x := range []struct {
		name string
		do   []move
		live string
	}{
		{"one revokes one", []move{{"a", "revoke b", ""}}, "acd"},
		{"both revoke each other", []move{{"a", "revoke b", ""}, {"b", "revoke a", ""}}, "cd"},
		{"a third in the middle is spared", []move{{"a", "revoke b", ""}, {"b", "revoke a", ""}, {"b", "revoke c", ""}}, "cd"},
		{"what the revoker had seen stands", []move{{"b", "revoke c", ""}, {"a", "revoke b", "0"}}, "ad"},
		{"what it had not is void", []move{{"b", "revoke c", ""}, {"a", "revoke b", ""}}, "acd"},
		{"afterwards is too late", []move{{"a", "revoke b", ""}, {"b", "revoke a", "0"}}, "acd"},
		{"afterwards, not saying so, is mutual", []move{{"a", "revoke b", ""}, {"c", "admit x", "0"}, {"b", "revoke a", ""}}, "cdx"},
		{"a circle of three", []move{{"a", "revoke b", ""}, {"b", "revoke c", ""}, {"c", "revoke a", ""}}, "d"},
		{"a circle does not reach further", []move{{"a", "revoke b", ""}, {"b", "revoke c", ""}, {"c", "revoke a", ""}, {"a", "revoke d", ""}}, "d"},
		{"a chain", []move{{"a", "revoke b", ""}, {"b", "revoke c", ""}, {"c", "revoke d", ""}}, "ac"},
		{"a friend hits back", []move{{"b", "admit x", ""}, {"x", "revoke a", "0"}, {"a", "revoke b", ""}}, "acd"},
		{"a friend of a friend hits back", []move{{"b", "admit x", ""}, {"x", "admit y", "0"}, {"y", "revoke a", "0 1"}, {"a", "revoke b", ""}}, "acd"},
		{"a friend that the revoker had seen stays", []move{{"b", "admit x", ""}, {"a", "revoke b", "0"}}, "acdx"},
		{"two invited the same, one is out", []move{{"b", "admit x", ""}, {"c", "admit x", ""}, {"a", "revoke b", ""}}, "acdx"},
		{"a revoked one can't be admitted again", []move{{"a", "revoke b", ""}, {"a", "admit b", "0"}}, "acd"},
		{"the words outrank a device", []move{{"words", "revoke a", ""}, {"a", "revoke b", ""}}, "bcd"},
		{"the words after a massacre", []move{{"a", "revoke b", ""}, {"a", "revoke c", "0"}, {"a", "revoke d", "0 1"}, {"words", "revoke a", ""}}, "bcd"},
		{"the words bring a new one in", []move{{"a", "revoke b", ""}, {"b", "revoke a", ""}, {"words", "admit x", "0 1"}}, "cdx"},
		{"one leaves", []move{{"b", "revoke b", ""}}, "acd"},
		{"all revoke all", []move{{"a", "revoke b", ""}, {"b", "revoke c", ""}, {"c", "revoke d", ""}, {"d", "revoke a", ""}}, ""},
		{"two newcomers hit back at a clone", []move{{"b", "admit x", ""}, {"b", "admit y", ""}, {"x", "revoke b", "0"}, {"y", "revoke b", "1"}}, "acd"},
	} {
		t.Run(x.name, func(t *testing.T) {
			w, ds := fleet(t, 4)
			who := map[string]*Device{"a": ds[0], "b": ds[1], "c": ds[2], "d": ds[3], "x": NewDevice(w.rand), "y": NewDevice(w.rand)}
			start := w.ring().Frontier()
			var made []Statement
			for _, m := range x.do {
				var h Holder = w.seed.Recovery()
				if m.by != "words" {
					h = who[m.by]
				}
				b := removal(who[m.what[len(m.what)-1:]])
				if m.what[:5] == "admit" {
					b = admission(who[m.what[6:]])
				}
				b.Format, b.Vault, b.Author, b.Time = format, w.vault, h.Principal(), noon.Unix()
				b.Seen = slices.Clone(start)
				for _, c := range m.after {
					if c != ' ' {
						b.Seen = append(b.Seen, made[c-'0'].Name)
					}
				}
				b.Seen = sorted(b.Seen)
				made = append(made, newStatement(h, b, nil))
			}
			w.put(made, nil)
			got := ""
			for _, name := range []string{"a", "b", "c", "d", "x", "y"} {
				if w.isLive(who[name]) {
					got += name
				}
			}
			if got != x.live {
				t.Errorf("live: %q; want %q", got, x.live)
			}
		})
	}
}

// TestOrderMakesNoDifference: K1, on random histories, and whatever part of them a
// store shows.
func TestOrderMakesNoDifference(t *testing.T) {
	w, ds := fleet(t, 4)
	r := rand.New(rand.NewPCG(1, 2))
	views := []map[item.Hash][]byte{maps.Clone(w.statements), maps.Clone(w.statements), maps.Clone(w.statements), maps.Clone(w.statements)}
	for range 40 {
		i := r.IntN(len(ds))
		ring, _, err := Build(w.vault, w.genesis, views[i])
		if err != nil {
			t.Fatal(err)
		}
		k, err := ring.Unlock(ds[i])
		if err != nil {
			continue // revoked
		}
		var made []Statement
		switch n := r.IntN(10); {
		case n < 3:
			made, err = k.Admit(noon, NewDevice(w.rand).Public(), n == 0)
		case n < 5:
			victim := ds[r.IntN(len(ds))]
			if m, ok := ring.Member(victim.ID()); !ok || m.Revoked {
				continue
			}
			made, err = k.Revoke(w.rand, noon, victim.ID(), nil)
		case n < 6:
			_, made, err = k.NewRecovery(w.rand, noon)
		case n < 8:
			made, err = k.Maintain(w.rand, noon)
		default:
			for name, b := range views[r.IntN(len(views))] { // read a part of another's
				views[i][name] = b
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range made {
			views[i][s.Name] = s.Bytes
			w.statements[s.Name] = s.Bytes
		}
	}
	show := func(all map[item.Hash][]byte) string {
		ring, rejected, err := Build(w.vault, w.genesis, all)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(ring.Members(), ring.Frontier(), ring.recipients(), ring.Missing(), rejected, ring.Events())
	}
	// A map is walked in another order each time.
	want := show(w.statements)
	for range 5 {
		if got := show(maps.Clone(w.statements)); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
	names := slices.Collect(maps.Keys(w.statements))
	everybody := map[item.Device]bool{}
	for _, m := range w.ring().Members() {
		everybody[m.Device] = true
	}
	for range 20 {
		part := map[item.Hash][]byte{}
		for _, n := range names {
			if r.IntN(4) > 0 {
				part[n] = w.statements[n]
			}
		}
		if got := show(part); got != show(maps.Clone(part)) {
			t.Fatal("a part of the statements has two readings")
		}
	}
}

// TestTwoRotateAtOnce: two new epochs settle by themselves.
func TestTwoRotateAtOnce(t *testing.T) {
	w, ds := fleet(t, 3)
	a, b := w.keys(ds[0]), w.keys(ds[1])
	w.put(a.Rotate(w.rand, noon))
	w.put(b.Rotate(w.rand, noon))
	e0, _, ok0 := w.keys(ds[0]).Current()
	e1, _, ok1 := w.keys(ds[1]).Current()
	e2, _, ok2 := w.keys(w.seed.Recovery()).Current()
	if !ok0 || !ok1 || !ok2 || e0 != e1 || e1 != e2 {
		t.Errorf("current: %s, %s, %s", e0, e1, e2)
	}
	if made, err := w.keys(ds[2]).Maintain(w.rand, noon); len(made) != 0 || err != nil {
		t.Errorf("Maintain made %d, %v", len(made), err)
	}
}

// TestAdmitAndRotateAtOnce: the newcomer lacks an epoch until a member makes up for it.
func TestAdmitAndRotateAtOnce(t *testing.T) {
	w, ds := fleet(t, 3)
	a, b := w.keys(ds[0]), w.keys(ds[1])
	tablet := NewDevice(w.rand)
	w.put(a.Admit(noon, tablet.Public(), true))
	made, err := b.Revoke(w.rand, noon, ds[2].ID(), nil)
	w.put(made, err)
	if _, _, ok := w.keys(tablet).Current(); ok {
		t.Fatal("the newcomer has a current epoch already")
	}
	w.put(w.keys(ds[1]).Maintain(w.rand, noon))
	x, _, ok := w.keys(tablet).Current()
	y, _, _ := w.keys(ds[1]).Current()
	if !ok || x != y {
		t.Errorf("current: %s %v; want %s", x, ok, y)
	}
}

// TestHalfPut: after every first part of what a change puts, Maintain of any member
// makes the vault whole.
func TestHalfPut(t *testing.T) {
	for name, change := range map[string]func(w *world, ds []*Device) ([]Statement, error){
		"admit": func(w *world, ds []*Device) ([]Statement, error) {
			return w.keys(ds[0]).Admit(noon, NewDevice(chance(50)).Public(), true)
		},
		"revoke": func(w *world, ds []*Device) ([]Statement, error) {
			return w.keys(ds[0]).Revoke(w.rand, noon, ds[2].ID(), nil)
		},
		"words": func(w *world, ds []*Device) ([]Statement, error) {
			_, made, err := w.keys(ds[0]).NewRecovery(w.rand, noon)
			return made, err
		},
		"leave": func(w *world, ds []*Device) ([]Statement, error) {
			return w.keys(ds[2]).Revoke(w.rand, noon, ds[2].ID(), nil)
		},
	} {
		for n := range 4 {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				w, ds := fleet(t, 3)
				made, err := change(w, ds)
				w.put(made[:min(n, len(made))], err)
				w.put(w.keys(ds[1]).Maintain(w.rand, noon))
				for _, m := range w.ring().Live() {
					for _, d := range append(ds, NewDevice(chance(50))) {
						if d.ID() != m.Device {
							continue
						}
						k := w.keys(d)
						if _, _, ok := k.Current(); !ok {
							t.Errorf("%s has no current epoch", d)
						}
						for e := range w.ring().epochs {
							if _, err := k.Epoch(e); err != nil {
								t.Error(err)
							}
						}
					}
				}
			})
		}
	}
}

func TestRevocationSaysHowFar(t *testing.T) {
	w, laptop, phone, _ := family(t)
	tablet := w.admit(laptop, true)
	one, two := item.Author{Device: phone.ID(), Inc: 1}, item.Author{Device: phone.ID(), Inc: 2}
	a, b := w.keys(laptop), w.keys(tablet)
	w.put(a.Revoke(w.rand, noon, phone.ID(), item.Vector{one: {Seq: 7, Hash: [8]byte{7}}, {Device: laptop.ID(), Inc: 1}: {Seq: 99}}))
	w.put(b.Revoke(w.rand, noon, phone.ID(), item.Vector{one: {Seq: 5, Hash: [8]byte{5}}, two: {Seq: 1, Hash: [8]byte{1}}}))
	m, _ := w.ring().Member(phone.ID())
	want := item.Vector{one: {Seq: 7, Hash: [8]byte{7}}, two: {Seq: 1, Hash: [8]byte{1}}}
	if !m.Revoked || !maps.Equal(m.Limit, want) || len(m.RevokedBy) != 2 {
		t.Errorf("%+v; want limit %v", m, want)
	}
	if _, err := w.keys(laptop).Revoke(w.rand, noon, phone.ID(), nil); !errors.Is(err, NotMember) {
		t.Errorf("revoked twice: %v", err)
	}
	if _, err := w.keys(laptop).Admit(noon, phone.Public(), true); !errors.Is(err, NotMember) {
		t.Errorf("admitted again: %v", err)
	}
}

// TestDisown: the words undo what a thief did with a device, though it was seen.
func TestDisown(t *testing.T) {
	w, ds := fleet(t, 3)
	thief := w.keys(ds[1])
	made, err := thief.Revoke(w.rand, noon, ds[0].ID(), nil)
	w.put(made, err)
	w.put(w.keys(ds[1]).Revoke(w.rand, noon, ds[2].ID(), nil))
	tablet := NewDevice(w.rand)
	w.put(w.keys(w.seed.Recovery()).Admit(noon, tablet.Public(), true))
	if w.isLive(ds[0]) || w.isLive(ds[2]) || !w.isLive(tablet) {
		t.Fatal("the thief had no success")
	}
	w.put(w.keys(w.seed.Recovery()).Revoke(w.rand, noon, ds[1].ID(), nil, made[0].Name))
	for i, want := range []bool{true, false, true} {
		if w.isLive(ds[i]) != want {
			t.Errorf("device %d live: %v", i, !want)
		}
	}
	w.put(w.keys(tablet).Maintain(w.rand, noon))
	a, _, ok := w.keys(tablet).Current()
	if b, _, ok2 := w.keys(ds[2]).Current(); !ok || !ok2 || a != b {
		t.Errorf("current %s %v, %s %v", a, ok, b, ok2)
	}
}

// TestMissing: what a store keeps back is noticed, by who builds on it or by a head
// that names it; strangers can't feign it.
func TestMissing(t *testing.T) {
	w, laptop, phone, mallory := family(t)
	made, err := w.keys(laptop).Revoke(w.rand, noon, phone.ID(), nil)
	w.put(made, err)
	head := w.ring().Frontier()
	delete(w.statements, made[0].Name)
	r, rejected, err := Build(w.vault, w.genesis, w.statements)
	if err != nil || len(rejected) != 1 || !errors.Is(rejected[0].Err, Incomplete) || !slices.Equal(r.Missing(), []item.Hash{made[0].Name}) {
		t.Errorf("missing %v, rejected %v, %v", r.Missing(), rejected, err)
	}
	delete(w.statements, made[1].Name)
	if got := w.ring().Missing(head...); !slices.Equal(got, head) {
		t.Errorf("missing %v; want %v", got, head)
	}
	w.with(w.say(mallory, admission(mallory), func(b *body) { b.Seen = []item.Hash{{1}} }))
	if got := w.ring().Missing(); len(got) != 0 {
		t.Errorf("a stranger has us miss %v", got)
	}
}

// TestNewerStatement: what a newer version says has no effect, and others build on it.
func TestNewerStatement(t *testing.T) {
	w, laptop, _, mallory := family(t)
	b := admission(mallory)
	b.Kind = 99
	s := w.say(laptop, b, nil)
	w.with(s)
	w.put(w.keys(laptop).RequireVersions(noon, map[string]uint64{"settings": 2}))
	r, rejected, err := Build(w.vault, w.genesis, w.statements)
	if err != nil || len(rejected) != 1 || rejected[0].Name != s.Name || !errors.Is(rejected[0].Err, Newer) {
		t.Fatalf("rejected %v, %v", rejected, err)
	}
	if r.Least()["settings"] != 2 || w.isLive(mallory) {
		t.Errorf("least %v", r.Least())
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{2, 32} {
		w := &world{t: &testing.T{}, rand: chance(1), statements: map[item.Hash][]byte{}}
		w.first, w.seed = NewDevice(w.rand), NewSeed(w.rand)
		genesis, made, err := Found(w.rand, noon, w.first, w.seed, nil, KDF{})
		w.genesis, w.vault = genesis, VaultID(genesis)
		w.put(made, err)
		for range n - 1 {
			w.admit(w.first, true)
		}
		b.Run(fmt.Sprint("devices=", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.keys(w.first)
			}
		})
	}
}
