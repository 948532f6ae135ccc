package state_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"plait/backend/item"
	"plait/backend/state"
)

// A history is writes of one item by letters: who wrote, what, replacing which.
type history struct {
	t  *testing.T
	it *state.Item
	by map[string]item.Dot
	n  uint64
}

func newHistory(t *testing.T) *history {
	return &history{t: t, it: &state.Item{}, by: map[string]item.Dot{}}
}

// write adds the write named name; its first letter is its author. replaces names
// others, by spaces. Later writes have later times, unless at says which.
func (h *history) write(name string, k item.Key, v item.Value, replaces string) *history {
	return h.writeAs(name, k, v, replaces, item.Edit, 0)
}

func (h *history) writeAs(name string, k item.Key, v item.Value, replaces string, a item.Action, at item.HLC) *history {
	h.n++
	e := &item.Entry{Author: item.Author{Device: item.Device{15: name[0]}}, Seq: h.n, Time: item.HLC(h.n) << 16, Action: a}
	h.by[name] = e.Dot()
	w := item.Write{Key: k, Value: v, Time: at}
	for _, r := range strings.Fields(replaces) {
		w.Replaces = append(w.Replaces, h.by[r])
	}
	h.it.Apply(e, w)
	return h
}

// shown describes what is shown at k.
func (h *history) shown(typ item.Type, k item.Key, s state.Strategy) string {
	v, ok := state.View(typ, h.it, state.Always(s))[k]
	switch {
	case !ok:
		return "unknown"
	case v.Conflict != nil:
		out := "conflict " + v.Conflict.Reason.Code
		for _, side := range v.Conflict.Sides {
			out += " " + text(side.Value)
		}
		if v.Conflict.Base != nil {
			out += " base " + text(v.Conflict.Base.Value)
		}
		return out
	}
	return text(v.Value)
}

func text(v item.Value) string {
	switch v.Kind {
	case item.Absent:
		return "-"
	case item.Hidden:
		return "hidden"
	}
	return string(v.Data)
}

// TestView is the table above show.
func TestView(t *testing.T) {
	x := key("/x")
	comment := item.Key{Lane: item.LaneComment, Path: "/x"}
	layout := item.Key{Lane: item.LaneSkeleton}
	order := item.Key{Lane: item.LaneOrder, Path: ""}
	gone := item.Value{}
	body := key("")
	for name, c := range map[string]struct {
		typ  item.Type
		key  item.Key
		make func(h *history)
		want map[state.Strategy]string
	}{
		"one": {item.Settings, x, func(h *history) { h.write("a", x, jsonValue("1"), "") },
			map[state.Strategy]string{"merge": "1", "latest": "1", "manual": "1", "local": "1"}},
		"removed": {item.Settings, x, func(h *history) { h.write("a", x, jsonValue("1"), "").write("b", x, gone, "a") },
			map[state.Strategy]string{"merge": "-"}},
		"equal meaning": {item.Settings, x, func(h *history) { h.write("b", x, jsonValue("1.0"), "").write("a", x, jsonValue("1"), "") },
			map[state.Strategy]string{"merge": "1", "latest": "1", "manual": "1", "remote": "1"}},
		"both removed": {item.Settings, x, func(h *history) {
			h.write("o", x, jsonValue("0"), "").write("a", x, gone, "o").write("b", x, gone, "o")
		}, map[state.Strategy]string{"merge": "-", "manual": "-"}},
		"both changed": {item.Settings, x, func(h *history) {
			h.write("o", x, jsonValue("0"), "").write("b", x, jsonValue("2"), "o").write("a", x, jsonValue("1"), "o")
		}, map[state.Strategy]string{"merge": "conflict both-changed 1 2 base 0", "manual": "conflict both-changed 1 2 base 0",
			"latest": "1", "local": "1", "remote": "1", "merge-latest": "1"}},
		"both added": {item.Settings, x, func(h *history) { h.write("a", x, jsonValue("1"), "").write("b", x, jsonValue("2"), "") },
			map[state.Strategy]string{"merge": "conflict both-added 1 2"}},
		"changed and removed": {item.Settings, x, func(h *history) {
			h.write("o", x, jsonValue("0"), "").write("a", x, jsonValue("1"), "o").write("b", x, gone, "o")
		}, map[state.Strategy]string{"merge": "conflict changed-removed 1 - base 0", "latest": "-"}},
		"removed and changed": {item.Settings, x, func(h *history) {
			h.write("o", x, jsonValue("0"), "").write("a", x, gone, "o").write("b", x, jsonValue("1"), "o")
		}, map[state.Strategy]string{"merge": "conflict removed-changed - 1 base 0", "latest": "1"}},
		"changed and back": {item.Settings, x, func(h *history) {
			h.write("o", x, jsonValue("0"), "").write("a", x, jsonValue("1"), "o").write("a2", x, jsonValue("0"), "a").write("b", x, jsonValue("2"), "o")
		}, map[state.Strategy]string{"merge": "2", "manual": "conflict both-changed 0 2 base 0"}},
		"texts": {item.Prompts, body, func(h *history) {
			h.write("o", body, textValue("1\n2\n3\n4\n5\n"), "").write("a", body, textValue("A\n2\n3\n4\n5\n"), "o").write("b", body, textValue("1\n2\n3\n4\nB\n"), "o")
		}, map[state.Strategy]string{"merge": "A\n2\n3\n4\nB\n", "latest": "1\n2\n3\n4\nB\n"}},
		"three texts": {item.Prompts, body, func(h *history) {
			h.write("o", body, textValue("1\n2\n3\n4\n5\n6\n7\n"), "").write("c", body, textValue("1\n2\n3\nC\n5\n6\n7\n"), "o").
				write("a", body, textValue("A\n2\n3\n4\n5\n6\n7\n"), "o").write("b", body, textValue("1\n2\n3\n4\n5\n6\nB\n"), "o")
		}, map[state.Strategy]string{"merge": "A\n2\n3\nC\n5\n6\nB\n"}},
		"texts that touch": {item.Prompts, body, func(h *history) {
			h.write("o", body, textValue("1\n"), "").write("a", body, textValue("A\n"), "o").write("b", body, textValue("B\n"), "o")
		}, map[state.Strategy]string{"merge": "conflict text A\n B\n base 1\n"}},
		"comments": {item.Settings, comment, func(h *history) {
			h.write("o", comment, textValue("// 0"), "").write("b", comment, textValue("// 2"), "o").write("a", comment, textValue("// 1"), "o")
		}, map[state.Strategy]string{"merge": "// 1", "latest": "// 1", "local": "// 1", "manual": "conflict comment // 1 // 2 base // 0"}},
		"a comment kept": {item.Settings, comment, func(h *history) {
			h.write("o", comment, textValue("// 0"), "").write("a", comment, gone, "o").write("b", comment, textValue("// 2"), "o")
		}, map[state.Strategy]string{"merge": "// 2"}},
		"layouts": {item.Settings, layout, func(h *history) {
			h.write("b", layout, textValue("{ }"), "").write("a", layout, textValue("{}"), "")
		}, map[state.Strategy]string{"merge": "{}", "manual": "{}", "latest": "{}"}},
		"orders": {item.Settings, order, func(h *history) {
			h.write("o", order, jsonValue(`["x","y","z"]`), "").write("b", order, jsonValue(`["y","x","z"]`), "o").write("a", order, jsonValue(`["x","y","z","w"]`), "o")
		}, map[state.Strategy]string{"merge": `["y","x","z","w"]`, "manual": `conflict order ["x","y","z","w"] ["y","x","z"] base ["x","y","z"]`}},
		"rules in another order": {item.Keybindings, order, func(h *history) {
			h.write("o", order, jsonValue(`["x","y","z"]`), "").write("b", order, jsonValue(`["y","x","z"]`), "o").write("a", order, jsonValue(`["z","x","y"]`), "o")
		}, map[state.Strategy]string{"merge": `["z","x","y"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			c.make(h)
			for s, want := range c.want {
				if got := h.shown(c.typ, c.key, s); got != want {
					t.Errorf("%s shows %q, want %q", s, got, want)
				}
			}
		})
	}
}

// TestBase walks histories that criss-cross.
func TestBase(t *testing.T) {
	k := key("")
	t.Run("the nearest of two", func(t *testing.T) {
		h := newHistory(t).write("o", k, textValue("0\n"), "").write("p", k, textValue("1\n"), "o").
			write("a", k, textValue("2\n"), "p").write("b", k, textValue("3\n"), "p")
		if got := h.shown(item.Prompts, k, state.Merge); got != "conflict text 2\n 3\n base 1\n" {
			t.Error(got)
		}
	})
	t.Run("none", func(t *testing.T) {
		h := newHistory(t).write("a", k, textValue("2\n"), "").write("b", k, textValue("3\n"), "")
		if got := h.shown(item.Prompts, k, state.Merge); got != "conflict both-added 2\n 3\n" {
			t.Error(got)
		}
	})
	// Both a and b replaced p and q; p and q merge cleanly over o.
	crossed := func(q string) *history {
		return newHistory(t).write("o", k, textValue("1\n2\n3\n4\n5\n"), "").
			write("p", k, textValue("P\n2\n3\n4\n5\n"), "o").write("q", k, textValue(q), "o").
			write("a", k, textValue("P\n2\nA\n4\nQ\n"), "p q").write("b", k, textValue("P\n2\nB\n4\nQ\n"), "p q")
	}
	t.Run("several that merge", func(t *testing.T) {
		h := crossed("1\n2\n3\n4\nQ\n")
		if got := h.shown(item.Prompts, k, state.Merge); got != "conflict text P\n2\nA\n4\nQ\n P\n2\nB\n4\nQ\n base P\n2\n3\n4\nQ\n" {
			t.Error(got)
		}
	})
	t.Run("several that do not", func(t *testing.T) {
		h := crossed("Q\n2\n3\n4\n5\n")
		if got := h.shown(item.Prompts, k, state.Merge); strings.Contains(got, "base") {
			t.Error(got)
		}
	})
	t.Run("pruned with its conflict open", func(t *testing.T) {
		h := newHistory(t).write("o", k, textValue("0\n"), "").write("p", k, textValue("1\n"), "o").
			write("a", k, textValue("2\n"), "p").write("b", k, textValue("3\n"), "p")
		if n := h.it.Prune(func(item.Dot) bool { return true }); n != 1 {
			t.Errorf("pruned %d, want the first write only", n)
		}
		if got := h.shown(item.Prompts, k, state.Merge); got != "conflict text 2\n 3\n base 1\n" {
			t.Error(got)
		}
		h.write("c", k, textValue("4\n"), "a b")
		if n := h.it.Prune(func(d item.Dot) bool { return d != h.by["c"] }); n != 1 { // p alone
			t.Errorf("pruned %d while not all have seen c", n)
		}
		if n := h.it.Prune(func(item.Dot) bool { return true }); n != 2 {
			t.Errorf("pruned %d, want both sides", n)
		}
	})
}

// TestSubtrees puts values at a path and below it.
func TestSubtrees(t *testing.T) {
	a, ab, ac, abc := key("/a"), key("/a/b"), key("/a/c"), key("/a/b/c")
	show := func(h *history, s state.Strategy) string {
		out := ""
		for _, k := range h.it.Keys() {
			out += fmt.Sprintf("%s: %s\n", k.Path, h.shown(item.Settings, k, s))
		}
		return out
	}
	for name, c := range map[string]struct {
		make func(h *history)
		want map[state.Strategy]string
	}{
		"an object replaced, and added to": {
			func(h *history) { h.write("a", a, jsonValue("1"), "").write("b", ac, jsonValue("[2, 3]"), "") },
			map[state.Strategy]string{
				"merge":  "/a: conflict shape 1 {\"c\": [2, 3]}\n/a/c: conflict shape 1 {\"c\": [2, 3]}\n",
				"latest": "/a: -\n/a/c: [2, 3]\n",
				"remote": "/a: -\n/a/c: [2, 3]\n",
			}},
		"the value is later": {
			func(h *history) { h.write("b", ac, jsonValue("2"), "").write("a", a, jsonValue("1"), "") },
			map[state.Strategy]string{"latest": "/a: 1\n/a/c: -\n"}},
		"an empty object yields": {
			func(h *history) { h.write("a", a, jsonValue("{ }"), "").write("b", ac, jsonValue("2"), "") },
			map[state.Strategy]string{"merge": "/a: -\n/a/c: 2\n", "manual": "/a: -\n/a/c: 2\n"}},
		"an empty object alone": {
			func(h *history) {
				h.write("a", a, jsonValue("{}"), "").write("b", ac, jsonValue("2"), "").write("c", ac, item.Value{}, "b")
			},
			map[state.Strategy]string{"merge": "/a: {}\n/a/c: -\n"}},
		"a parent removed": {
			func(h *history) {
				h.write("o", ab, jsonValue("1"), "").write("a", ab, item.Value{}, "o").write("b", ac, jsonValue("2"), "")
			},
			map[state.Strategy]string{"merge": "/a/b: -\n/a/c: 2\n"}},
		"three levels": {
			func(h *history) {
				h.write("a", a, jsonValue("1"), "").write("b", ab, jsonValue("2"), "").write("c", abc, jsonValue("3"), "")
			},
			map[state.Strategy]string{"merge": "/a: conflict shape 1 {\"b\": {\"c\": 3}}\n/a/b: conflict shape 1 {\"b\": {\"c\": 3}}\n/a/b/c: conflict shape 1 {\"b\": {\"c\": 3}}\n"}},
		"a name that only begins alike": {
			func(h *history) { h.write("a", a, jsonValue("1"), "").write("b", key("/a-b/c"), jsonValue("2"), "") },
			map[state.Strategy]string{"merge": "/a: 1\n/a-b/c: 2\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			c.make(h)
			for s, want := range c.want {
				if got := show(h, s); got != want {
					t.Errorf("%s shows\n%swant\n%s", s, got, want)
				}
			}
		})
	}
}

// TestViewIsPure: the order of a map, of arrival, or a repeated call shows nowhere (S4).
func TestViewIsPure(t *testing.T) {
	for seed := range uint64(scaled(100)) {
		r := rand.New(rand.NewPCG(seed, 8))
		w := newWorld(r, 3, honest)
		w.keys = []item.Key{key("/a"), key("/a/b"), key("/a/b/c"), key("/a/d"), key("")}
		w.run(t, 50, nil)
		for _, s := range []state.Strategy{state.Merge, state.Latest, state.Manual, state.Local} {
			want := fmt.Sprint(meaning(state.View(item.Settings, w.all[0].it, state.Always(s))))
			before := string(w.all[0].it.Marshal())
			for range 3 {
				for _, d := range w.all {
					if got := fmt.Sprint(meaning(state.View(item.Settings, d.it, state.Always(s)))); got != want {
						t.Fatalf("seed %d, %s: device %s shows\n%s, want\n%s", seed, s, d.name, got, want)
					}
				}
			}
			if string(w.all[0].it.Marshal()) != before {
				t.Fatalf("seed %d: a view changed the state", seed)
			}
		}
	}
}
