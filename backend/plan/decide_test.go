package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"plait/backend/item"
	"plait/backend/plan"
	"plait/backend/state"
)

func (s *scene) view() map[item.Key]state.Shown {
	return state.View(s.typ, s.items[shared], state.Always(s.strategy))
}

func writes(ws []item.Write) string {
	var out []string
	for _, w := range ws {
		text := fmt.Sprintf("%s=%s replacing %d", w.Key.Path, show(w.Value), len(w.Replaces))
		if w.Time != 0 {
			text += fmt.Sprintf(" at %d", w.Time>>16)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// TestSettle says who chooses, and what (P5).
func TestSettle(t *testing.T) {
	a := key("/a")
	device := func(by byte) item.Device { return item.Device{15: by} }
	two := func(s *scene) { // p at 1, q at 2
		s.remote('p', shared, a, jsonValue("1"))
		s.remote('q', shared, a, jsonValue("2"))
	}
	for name, c := range map[string]struct {
		strategy state.Strategy
		make     func(s *scene)
		me       byte
		want     string
	}{
		"local takes one's own":       {state.Local, two, 'p', "/a=1 replacing 2 at 1"},
		"remote takes the other's":    {state.Remote, two, 'p', "/a=2 replacing 2 at 2"},
		"who wrote none does nothing": {state.Local, two, 'r', ""},
		"latest writes nothing":       {state.Latest, two, 'p', ""},
		"manual writes nothing":       {state.Manual, two, 'p', ""},
		"merge writes nothing":        {state.Merge, two, 'p', ""},
		"what merging leaves":         {state.MergeRemote, two, 'q', "/a=1 replacing 2 at 1"},
		"all one's own": {state.Remote, func(s *scene) {
			s.remote('p', shared, a, jsonValue("1"))
			s.remote('p', shared, a, jsonValue("2"))
		}, 'p', "/a=2 replacing 2 at 2"},
		"automatic ones are nobody's": {state.Local, func(s *scene) {
			s.entry('p', item.Settle, item.Write{Item: shared, Key: a, Value: jsonValue("1")})
			s.entry('q', item.Settle, item.Write{Item: shared, Key: a, Value: jsonValue("2")})
		}, 'p', ""},
		"equal meaning": {state.Local, func(s *scene) {
			s.remote('p', shared, a, jsonValue("1"))
			s.remote('q', shared, a, jsonValue("1.0"))
		}, 'p', ""},
		"a subtree, the value": {state.Local, func(s *scene) {
			s.remote('p', shared, a, jsonValue("1"))
			s.remote('q', shared, key("/a/b"), jsonValue("2"))
		}, 'p', "/a=1 replacing 1 at 1, /a/b=- replacing 1 at 1"},
		"a subtree, what is below": {state.Remote, func(s *scene) {
			s.remote('p', shared, a, jsonValue("1"))
			s.remote('q', shared, key("/a/b"), jsonValue("2"))
			s.remote('q', shared, key("/a/c"), jsonValue("3"))
		}, 'p', "/a=- replacing 1 at 3, /a/b=2 replacing 1 at 3, /a/c=3 replacing 1 at 3"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.strategy = c.strategy
			c.make(s)
			ws := plan.Settle(device(c.me), shared, s.items[shared], s.view(), state.Always(c.strategy))
			if got := writes(ws); got != c.want {
				t.Errorf("writes %s, want %s", got, c.want)
			}
			if len(ws) == 0 {
				return
			}
			s.entry(c.me, item.Settle, ws...)
			if again := plan.Settle(device(c.me), shared, s.items[shared], s.view(), state.Always(c.strategy)); len(again) > 0 {
				t.Errorf("settles again: %s", writes(again))
			}
		})
	}
}

// TestResolve decides conflicts, and they are gone.
func TestResolve(t *testing.T) {
	a, b, c := key("/a"), key("/a/b"), key("/a/c")
	for name, x := range map[string]struct {
		make   func(s *scene)
		choice func(*state.Conflict) plan.Choice
		want   string
		left   int // conflicts
	}{
		"a side": {
			func(s *scene) { s.remote('p', shared, a, jsonValue("1")); s.remote('q', shared, a, jsonValue("2")) },
			func(*state.Conflict) plan.Choice { return plan.Choice{Side: 1} }, "/a=2 replacing 2", 0},
		"removing": {
			func(s *scene) { s.remote('p', shared, a, jsonValue("1")); s.remote('q', shared, a, jsonValue("2")) },
			func(*state.Conflict) plan.Choice { return plan.Choice{Side: -1} }, "/a=- replacing 2", 0},
		"a value of one's own": {
			func(s *scene) { s.remote('p', shared, a, jsonValue("1")); s.remote('q', shared, a, jsonValue("2")) },
			func(*state.Conflict) plan.Choice {
				return plan.Choice{Side: -1, Values: map[item.Key]item.Value{a: jsonValue("3")}}
			}, "/a=3 replacing 2", 0},
		"a subtree's value": {
			func(s *scene) { s.remote('p', shared, a, jsonValue("1")); s.remote('q', shared, b, jsonValue("2")) },
			func(c *state.Conflict) plan.Choice { return plan.Choice{Side: 1 - c.Below} }, "/a=1 replacing 1, /a/b=- replacing 1", 0},
		"what is below": {
			func(s *scene) { s.remote('p', shared, a, jsonValue("1")); s.remote('q', shared, b, jsonValue("2")) },
			func(c *state.Conflict) plan.Choice { return plan.Choice{Side: c.Below} }, "/a=- replacing 1", 0},
		"what is below, removed with the rest": {
			func(s *scene) {
				d := s.remote('o', shared, b, jsonValue("0"))
				s.entry('p', item.Edit, item.Write{Item: shared, Key: a, Value: jsonValue("1")}, item.Write{Item: shared, Key: b, Replaces: []item.Dot{d}})
				s.remote('q', shared, b, jsonValue("2"), d)
			},
			func(c *state.Conflict) plan.Choice { return plan.Choice{Side: c.Below} }, "/a=- replacing 1, /a/b=2 replacing 2", 0},
		"what is below conflicts too": {
			func(s *scene) {
				s.remote('p', shared, a, jsonValue("1"))
				s.remote('q', shared, b, jsonValue("2"))
				s.remote('r', shared, b, jsonValue("3"))
			},
			func(c *state.Conflict) plan.Choice { return plan.Choice{Side: c.Below} }, "/a=- replacing 1", 1},
		"members that no side had": {
			func(s *scene) { s.remote('p', shared, a, jsonValue("1")); s.remote('q', shared, b, jsonValue("2")) },
			func(*state.Conflict) plan.Choice {
				return plan.Choice{Side: -1, Values: map[item.Key]item.Value{c: jsonValue("4")}}
			}, "/a=- replacing 1, /a/b=- replacing 1, /a/c=4 replacing 0", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			x.make(s)
			view := s.view()
			conflict := view[a].Conflict
			ws, err := plan.Resolve(shared, s.items[shared], view, conflict, x.choice(conflict))
			if err != nil {
				t.Fatal(err)
			}
			if got := writes(ws); got != x.want {
				t.Errorf("writes %s, want %s", got, x.want)
			}
			s.entry('m', item.Resolve, ws...)
			left := 0
			for k, v := range s.view() {
				if v.Conflict != nil && v.Conflict.Key == k {
					left++
				}
			}
			if left != x.left {
				t.Errorf("%d conflicts left, want %d", left, x.left)
			}
			if _, err := plan.Resolve(shared, s.items[shared], view, conflict, plan.Choice{Side: 9}); err == nil {
				t.Error("side 9 was chosen")
			}
		})
	}
}

// TestResolveUnseen: a decision replaces the siblings that were shown, no others.
func TestResolveUnseen(t *testing.T) {
	s := newScene(t)
	a := key("/a")
	s.remote('p', shared, a, jsonValue("1"))
	s.remote('q', shared, a, jsonValue("2"))
	view := s.view()
	s.remote('r', shared, a, jsonValue("3"))
	ws, err := plan.Resolve(shared, s.items[shared], view, view[a].Conflict, plan.Choice{Side: 0})
	if err != nil {
		t.Fatal(err)
	}
	s.entry('m', item.Resolve, ws...)
	if c := s.view()[a].Conflict; c == nil || len(c.Sides) != 2 {
		t.Errorf("conflict %+v, want one with the write that came meanwhile", c)
	}
}

// TestKeep: a changed strategy can keep what was shown.
func TestKeep(t *testing.T) {
	s := newScene(t)
	a := key("/a")
	s.remote('p', shared, a, jsonValue("1"))
	s.remote('q', shared, a, jsonValue("2"))
	s.remote('q', shared, key("/b"), jsonValue("3"))
	s.strategy = state.Latest
	before := s.view()
	s.strategy = state.Merge
	ws := plan.Keep(s.typ, shared, before, s.view())
	if got, want := writes(ws), "/a=2 replacing 2"; got != want {
		t.Errorf("writes %s, want %s", got, want)
	}
	if again := plan.Keep(s.typ, shared, before, before); len(again) > 0 {
		t.Errorf("keeps what does not change: %s", writes(again))
	}
}

// TestCatch is the safety catch.
func TestCatch(t *testing.T) {
	basis := func(n int) plan.Basis {
		b := plan.Basis{}
		for i := range n {
			b[key(fmt.Sprintf("/k%d", i))] = plan.BasisAtom{Layer: shared, Value: jsonValue("1")}
		}
		return b
	}
	disk := func(n int) map[item.Key]item.Value {
		d := map[item.Key]item.Value{}
		for i := range n {
			d[key(fmt.Sprintf("/k%d", i))] = jsonValue("2")
		}
		return d
	}
	type file struct {
		had, has int
		exists   bool
	}
	whole := file{10, 10, true}
	for name, c := range map[string]struct {
		root  bool
		files []file
		want  plan.Why
	}{
		"nothing lost":                    {true, []file{whole}, ""},
		"the root vanished":               {false, []file{{1, 0, false}}, plan.WhyRoot},
		"an empty root vanished":          {false, []file{{0, 0, false}}, ""},
		"a file cut to nothing":           {true, []file{{1, 0, true}, whole}, plan.WhyCut},
		"a file removed":                  {true, []file{{1, 0, false}, whole}, ""},
		"nine of ten atoms":               {true, []file{{10, 1, true}}, ""},
		"ten of forty-nine":               {true, []file{{49, 39, true}}, plan.WhyMany},
		"ten of fifty, a fifth":           {true, []file{{50, 40, true}}, ""},
		"ten files":                       {true, slices.Repeat([]file{{1, 0, false}}, 10), plan.WhyMany},
		"ten files of many":               {true, append(slices.Repeat([]file{{1, 0, false}}, 10), slices.Repeat([]file{{1, 1, true}}, 40)...), ""},
		"ten, and others came for them":   {true, []file{{20, 10, true}, {0, 30, true}}, plan.WhyMany},
		"what never had a value is empty": {true, []file{{0, 0, true}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := plan.Counts{Root: true}, plan.Counts{Root: c.root}
			for i, f := range c.files {
				plan.Count(&before, &after, item.Name(fmt.Sprint("x/snippets/", i)), basis(f.had), disk(f.has), f.exists)
			}
			caught := plan.Catch(before, after)
			if got := why(caught); got != c.want {
				t.Errorf("caught %q, want %q (%+v, %+v)", got, c.want, before, after)
			}
		})
	}
	t.Run("an empty text", func(t *testing.T) {
		var before, after plan.Counts
		b := plan.Basis{key(""): {Layer: "x/files/a", Value: textValue("text")}}
		plan.Count(&before, &after, "x/files/a", b, map[item.Key]item.Value{key(""): textValue("")}, true)
		if got := why(plan.Catch(before, after)); got != plan.WhyCut {
			t.Errorf("caught %q", got)
		}
	})
}

func why(c *plan.Caught) plan.Why {
	if c == nil {
		return ""
	}
	return c.Why
}

// TestMask: a mask that comes or goes writes nothing (P4).
func TestMask(t *testing.T) {
	s := newScene(t)
	s.set("/secret", "1")
	s.set("/o/x", "1")
	s.set("/a", "1")
	s.observe(false)
	mask := func(p item.Path) bool { return p[0] == "secret" || p[0] == "o" }
	layers := func() []plan.Layer {
		ls := s.layers()
		for i := range ls {
			ls[i].Shown = plan.Unmasked(mask, ls[i].Shown)
		}
		return ls
	}
	disk := map[item.Key]item.Value{key("/a"): jsonValue("1")} // as taken apart under the mask
	seen, aside := s.basis.Split(mask)
	if len(seen) != 1 || len(aside) != 2 {
		t.Fatalf("seen %v, aside %v", seen, aside)
	}
	if o := plan.Observe(s.typ, layers(), disk, seen, false); len(o.Writes) > 0 {
		t.Errorf("a mask writes %s", writes(o.Writes))
	}
	tg := plan.Target(s.typ, layers(), disk, seen)
	if len(tg.Want) != 1 || tg.Changed {
		t.Errorf("wants %v", tg.Want)
	}
	s.basis = tg.ReadBack(s.typ, seen, disk).Put(aside)
	s.writes(s.observe(false)) // unmasked again: nothing either
	s.quiet()
}
