package plan_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"plait/backend/item"
	"plait/backend/plan"
	"plait/backend/state"
)

// scaled multiplies a number of cases by PLAIT_SCALE.
func scaled(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("PLAIT_SCALE"), 64); err == nil && f > 0 {
		return max(1, int(float64(n)*f))
	}
	return n
}

const (
	shared  = item.Name("default/settings")
	overlay = item.Name("default/settings@linux")
)

func key(path string) item.Key { return item.Key{Path: path} }

func jsonValue(s string) item.Value { return item.Value{Kind: item.JSON, Data: []byte(s)} }

func textValue(s string) item.Value { return item.Value{Kind: item.Text, Data: []byte(s)} }

// A scene is the state of an item and its overlay, one replica's basis, and its disk.
type scene struct {
	t        *testing.T
	typ      item.Type
	items    map[item.Name]*state.Item
	strategy state.Strategy
	disk     map[item.Key]item.Value
	basis    plan.Basis
	seq      map[byte]uint64
	time     item.HLC
}

func newScene(t *testing.T) *scene {
	return &scene{t: t, typ: item.Settings, strategy: state.Merge,
		items: map[item.Name]*state.Item{shared: {}, overlay: {}},
		disk:  map[item.Key]item.Value{}, basis: plan.Basis{}, seq: map[byte]uint64{}}
}

func (s *scene) layers() []plan.Layer {
	var out []plan.Layer
	for _, n := range []item.Name{overlay, shared} {
		out = append(out, plan.Layer{Name: n, Item: s.items[n], Shown: state.View(s.typ, s.items[n], state.Always(s.strategy))})
	}
	return out
}

// entry applies writes as an entry of the device that the letter names.
func (s *scene) entry(by byte, a item.Action, writes ...item.Write) item.Dot {
	s.seq[by]++
	s.time++
	e := &item.Entry{Author: item.Author{Device: item.Device{15: by}}, Seq: s.seq[by], Time: s.time << 16, Action: a}
	for _, w := range writes {
		s.items[w.Item].Apply(e, w)
	}
	return e.Dot()
}

// remote has another device write one value.
func (s *scene) remote(by byte, n item.Name, k item.Key, v item.Value, replaces ...item.Dot) item.Dot {
	return s.entry(by, item.Edit, item.Write{Item: n, Key: k, Value: v, Replaces: replaces})
}

// observe records what the disk says, and returns it.
func (s *scene) observe(contact bool) plan.Observed {
	o := plan.Observe(s.typ, s.layers(), s.disk, s.basis, contact)
	d := item.Dot{}
	if len(o.Writes) > 0 {
		d = s.entry('m', item.Edit, o.Writes...)
	}
	s.basis = o.Basis(s.basis, d)
	return o
}

// apply puts on the disk what is wanted.
func (s *scene) apply() plan.Targeted {
	tg := plan.Target(s.typ, s.layers(), s.disk, s.basis)
	s.disk = tg.Want
	s.basis = tg.ReadBack(s.typ, s.basis, s.disk)
	return tg
}

func (s *scene) set(path, v string) { s.disk[key(path)] = jsonValue(v) }

func (s *scene) writes(o plan.Observed, want ...string) {
	s.t.Helper()
	var got []string
	for _, w := range o.Writes {
		got = append(got, fmt.Sprintf("%s%s=%s replacing %d", w.Item, w.Key.Path, show(w.Value), len(w.Replaces)))
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("writes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (s *scene) onDisk(want string) {
	s.t.Helper()
	var got []string
	for k, v := range s.disk {
		got = append(got, k.Path+"="+show(v))
	}
	slices.Sort(got)
	if g := strings.Join(got, " "); g != want {
		s.t.Errorf("on disk: %s, want %s", g, want)
	}
}

// quiet checks that nothing more is to do.
func (s *scene) quiet() {
	s.t.Helper()
	if o := plan.Observe(s.typ, s.layers(), s.disk, s.basis, false); len(o.Writes)+len(o.Adopt) > 0 {
		s.t.Errorf("still observes %v, adopts %v", o.Writes, o.Adopt)
	}
	if tg := plan.Target(s.typ, s.layers(), s.disk, s.basis); tg.Changed {
		s.t.Errorf("still wants %v", tg.Want)
	}
}

func show(v item.Value) string {
	switch v.Kind {
	case item.Absent:
		return "-"
	case item.Hidden:
		return "hidden"
	}
	return string(v.Data)
}

// TestObserve is the table above Observe (P1).
func TestObserve(t *testing.T) {
	t.Run("add, change, remove", func(t *testing.T) {
		s := newScene(t)
		s.set("/a", "1")
		s.set("/b", "1")
		o := s.observe(false)
		s.writes(o, "default/settings/a=1 replacing 0", "default/settings/b=1 replacing 0")
		if o.Added != 2 || o.Changed+o.Removed != 0 {
			t.Errorf("counts %+v", o)
		}
		s.quiet()
		s.set("/a", "2")
		delete(s.disk, key("/b"))
		o = s.observe(false)
		s.writes(o, "default/settings/a=2 replacing 1", "default/settings/b=- replacing 1")
		if o.Changed != 1 || o.Removed != 1 || o.Added != 0 {
			t.Errorf("counts %+v", o)
		}
		s.apply()
		s.quiet()
		s.set("/b", "3")
		s.writes(s.observe(false), "default/settings/b=3 replacing 1")
	})
	t.Run("equal meaning is no edit", func(t *testing.T) {
		s := newScene(t)
		s.set("/a", "1")
		s.observe(false)
		s.set("/a", "1.0")
		s.writes(s.observe(false))
		s.apply()
		s.onDisk("/a=1.0")
		s.quiet()
	})
	t.Run("the basis, not the state, says what is replaced", func(t *testing.T) {
		s := newScene(t)
		d := s.remote('r', shared, key("/a"), jsonValue("1"))
		s.apply()
		s.remote('r', shared, key("/a"), jsonValue("2"), d) // not applied here
		s.set("/a", "3")
		s.writes(s.observe(false), "default/settings/a=3 replacing 1")
		if n := len(s.items[shared].Atoms[key("/a")].Live); n != 2 {
			t.Errorf("%d siblings, want 2", n)
		}
		tg := s.apply()
		s.onDisk("/a=3")
		if len(tg.Conflicts) != 1 || tg.Conflicts[0].Own < 0 || show(tg.Conflicts[0].Conflict.Sides[tg.Conflicts[0].Own].Value) != "3" {
			t.Errorf("conflicts %+v", tg.Conflicts)
		}
		s.quiet()
	})
	t.Run("recorded, but the basis not moved", func(t *testing.T) {
		for name, change := range map[string]func(s *scene){
			"changed": func(s *scene) { s.set("/a", "2") },
			"removed": func(s *scene) { delete(s.disk, key("/a")) },
			"added":   func(s *scene) { s.set("/b", "2") },
		} {
			s := newScene(t)
			s.set("/a", "1")
			s.observe(false)
			change(s)
			before := s.basis.Clone()
			s.observe(false)
			s.basis = before // the crash
			if o := s.observe(false); len(o.Writes) > 0 {
				t.Errorf("%s: written again: %v", name, o.Writes)
			}
			s.quiet()
		}
	})
	t.Run("a layout alone is no edit", func(t *testing.T) {
		s := newScene(t)
		layout := item.Key{Lane: item.LaneSkeleton}
		s.disk[layout] = textValue("{}")
		s.set("/a", "1")
		s.writes(s.observe(false), "default/settings={} replacing 0", "default/settings/a=1 replacing 0")
		s.disk[layout] = textValue("{ }")
		s.writes(s.observe(false))
		s.quiet()
		s.disk[layout] = textValue("{  }")
		s.set("/b", "1")
		s.writes(s.observe(false), "default/settings={  } replacing 1", "default/settings/b=1 replacing 0")
		s.quiet()
	})
	t.Run("orders", func(t *testing.T) {
		s := newScene(t)
		order := item.Key{Lane: item.LaneOrder}
		for _, step := range []struct{ order, want string }{
			{`["a","b"]`, ""},
			{`["a","x","b"]`, ""},
			{`["x","a"]`, "default/settings=[\"x\",\"a\"] replacing 0"},
			{`["x","a","c"]`, ""},
			{`["c","x"]`, "default/settings=[\"c\",\"x\"] replacing 1"},
		} {
			s.disk[order] = jsonValue(step.order)
			want := []string{step.want}
			if step.want == "" {
				want = nil
			}
			s.writes(s.observe(false), want...)
			s.quiet()
		}
		delete(s.disk, order)
		s.writes(s.observe(false))
	})
	t.Run("nothing was lost by losing the basis", func(t *testing.T) {
		s := newScene(t)
		s.set("/a", "1")
		s.set("/b", "1")
		s.observe(false)
		delete(s.disk, key("/a"))
		s.writes(s.observe(true)) // contact: nothing is removed
	})
}

// TestContact is first contact: equal joins, one-sided is added, differing conflicts.
func TestContact(t *testing.T) {
	s := newScene(t)
	gone := s.remote('r', shared, key("/back"), jsonValue("1"))
	s.entry('r', item.Edit,
		item.Write{Item: shared, Key: key("/equal"), Value: jsonValue("1.0")},
		item.Write{Item: shared, Key: key("/there"), Value: jsonValue("1")},
		item.Write{Item: shared, Key: key("/differs"), Value: jsonValue("1")},
		item.Write{Item: shared, Key: key("/back"), Value: item.Value{}, Replaces: []item.Dot{gone}})
	s.set("/equal", "1")
	s.set("/here", "2")
	s.set("/differs", "2")
	s.set("/back", "2")
	var c plan.Contact
	c.Preview(s.typ, s.layers(), s.disk)
	if want := (plan.Contact{Here: 4, Vault: 3, Equal: 1, Add: 2, Get: 1, Conflict: 1}); c != want {
		t.Errorf("preview %+v, want %+v", c, want)
	}
	s.writes(s.observe(true), "default/settings/back=2 replacing 1", "default/settings/differs=2 replacing 0", "default/settings/here=2 replacing 0")
	tg := s.apply()
	s.onDisk("/back=2 /differs=2 /equal=1 /here=2 /there=1")
	if len(tg.Conflicts) != 1 || tg.Conflicts[0].Conflict.Key != key("/differs") {
		t.Errorf("conflicts %+v", tg.Conflicts)
	}
	s.quiet()
}

// TestRecall: a restored disk's old values are known, its own edits are not lost.
func TestRecall(t *testing.T) {
	s := newScene(t)
	for _, k := range []string{"/old", "/edited", "/now"} {
		d := s.remote('r', shared, key(k), jsonValue("1"))
		s.remote('r', shared, key(k), jsonValue("2"), d)
	}
	s.set("/old", "1")
	s.set("/edited", "3")
	s.set("/now", "2")
	s.basis = plan.Recall(s.typ, s.layers(), s.disk)
	s.writes(s.observe(true), "default/settings/edited=3 replacing 0")
	s.apply()
	s.onDisk("/edited=3 /now=2 /old=2")
	s.quiet()
}

// TestOverlays edits and removes through layers.
func TestOverlays(t *testing.T) {
	s := newScene(t)
	a := key("/a")
	s.remote('r', shared, a, jsonValue("1"))
	s.remote('r', shared, key("/b"), jsonValue("1"))
	s.apply()
	d := s.entry('m', item.Config, item.Write{Item: overlay, Key: a, Value: jsonValue("1")})
	s.apply()
	if got := s.basis[a]; got.Layer != overlay || got.Dots[0] != d {
		t.Fatalf("basis %+v", got)
	}
	s.set("/a", "2")
	s.set("/c", "3")
	s.writes(s.observe(false), "default/settings@linux/a=2 replacing 1", "default/settings/c=3 replacing 0")
	s.apply()
	s.onDisk("/a=2 /b=1 /c=3")
	delete(s.disk, a)
	s.writes(s.observe(false), "default/settings@linux/a=hidden replacing 1")
	s.apply()
	s.onDisk("/b=1 /c=3")
	s.quiet()
	// Shared again: the overlay lets go, and the shared value comes.
	s.entry('m', item.Config, item.Write{Item: overlay, Key: a, Replaces: s.basis[a].Dots})
	s.apply()
	s.onDisk("/a=1 /b=1 /c=3")
	s.quiet()
	// Removed there, and added again: what the overlay let go of is nobody's.
	delete(s.disk, a)
	s.writes(s.observe(false), "default/settings/a=- replacing 1")
	s.apply()
	s.set("/a", "5")
	s.writes(s.observe(false), "default/settings/a=5 replacing 1")
	s.quiet()
}
