package plan_test

import (
	"testing"

	"plait/backend/item"
	"plait/backend/plan"
)

// TestTarget is what a disk gets and keeps (P2, P3).
func TestTarget(t *testing.T) {
	a := key("/a")
	t.Run("an edit that is not recorded stays", func(t *testing.T) {
		s := newScene(t)
		d := s.remote('r', shared, a, jsonValue("1"))
		s.remote('r', shared, key("/b"), jsonValue("1"))
		s.apply()
		s.remote('r', shared, a, jsonValue("2"), d)
		s.set("/a", "3")
		delete(s.disk, key("/b"))
		s.set("/c", "4")
		if tg := s.apply(); tg.Changed {
			t.Errorf("wants %v", tg.Want)
		}
		s.onDisk("/a=3 /c=4")
	})
	t.Run("what could not be applied keeps its basis", func(t *testing.T) {
		s := newScene(t)
		d := s.remote('r', shared, a, jsonValue("1"))
		s.apply()
		before := s.disk
		s.remote('r', shared, a, jsonValue("2"), d)
		s.remote('r', shared, key("/b"), jsonValue("2"))
		tg := plan.Target(s.typ, s.layers(), s.disk, s.basis)
		s.basis = tg.ReadBack(s.typ, s.basis, before) // the write failed
		s.disk = before
		s.writes(s.observe(false))
		s.apply()
		s.onDisk("/a=2 /b=2")
		s.quiet()
	})
	t.Run("an empty replica gets the latest", func(t *testing.T) {
		s := newScene(t)
		s.remote('r', shared, a, jsonValue("1"))
		s.remote('q', shared, a, jsonValue("2"))
		tg := s.apply()
		s.onDisk("/a=2")
		if len(tg.Conflicts) != 1 || show(tg.Conflicts[0].Conflict.Sides[tg.Conflicts[0].Own].Value) != "2" {
			t.Errorf("conflicts %+v", tg.Conflicts)
		}
		s.quiet()
		s.set("/a", "3")
		s.writes(s.observe(false), "default/settings/a=3 replacing 1") // changes that side, decides nothing
		if n := len(s.items[shared].Atoms[a].Live); n != 2 {
			t.Errorf("%d siblings, want 2", n)
		}
	})
	t.Run("neither side descends", func(t *testing.T) {
		s := newScene(t)
		s.remote('r', shared, key("/other"), jsonValue("0"))
		s.apply()
		s.remote('r', shared, a, jsonValue("1"))
		s.remote('q', shared, a, jsonValue("2"))
		tg := s.apply()
		s.onDisk("/other=0")
		if len(tg.Conflicts) != 1 || tg.Conflicts[0].Own != -1 {
			t.Errorf("conflicts %+v", tg.Conflicts)
		}
		s.quiet()
	})
	t.Run("both descend", func(t *testing.T) {
		s := newScene(t)
		d := s.remote('r', shared, a, jsonValue("0"))
		s.apply()
		s.remote('r', shared, a, jsonValue("1"), d)
		s.remote('q', shared, a, jsonValue("2"), d)
		s.apply()
		s.onDisk("/a=0")
		s.quiet()
	})
	t.Run("removed here, changed there", func(t *testing.T) {
		s := newScene(t)
		d := s.remote('r', shared, a, jsonValue("0"))
		s.apply()
		delete(s.disk, a)
		s.observe(false)
		s.remote('r', shared, a, jsonValue("1"), d)
		tg := s.apply()
		s.onDisk("")
		if len(tg.Conflicts) != 1 || show(tg.Conflicts[0].Conflict.Sides[tg.Conflicts[0].Own].Value) != "-" {
			t.Errorf("conflicts %+v", tg.Conflicts)
		}
		s.quiet()
	})
	t.Run("changed here, removed there", func(t *testing.T) {
		s := newScene(t)
		d := s.remote('r', shared, a, jsonValue("0"))
		s.apply()
		s.set("/a", "1")
		s.observe(false)
		s.remote('r', shared, a, item.Value{}, d)
		s.apply()
		s.onDisk("/a=1")
		s.quiet()
	})
	t.Run("one conflict holds nothing else up", func(t *testing.T) {
		s := newScene(t)
		s.set("/a", "1")
		s.observe(false)
		s.remote('r', shared, a, jsonValue("2"))
		s.remote('r', shared, key("/b"), jsonValue("3"))
		s.apply()
		s.onDisk("/a=1 /b=3")
		s.quiet()
	})
	t.Run("a subtree keeps its side", func(t *testing.T) {
		s := newScene(t)
		s.set("/a", "1")
		s.observe(false)
		s.remote('r', shared, key("/a/b"), jsonValue("2"))
		tg := s.apply()
		s.onDisk("/a=1")
		if len(tg.Conflicts) != 1 || tg.Conflicts[0].Own < 0 || tg.Conflicts[0].Own == tg.Conflicts[0].Conflict.Below {
			t.Errorf("conflicts %+v", tg.Conflicts)
		}
		s.quiet()
		s.set("/a", "5")
		s.writes(s.observe(false), "default/settings/a=5 replacing 1")
		s.apply()
		s.onDisk("/a=5")
		s.quiet()
	})
	t.Run("a subtree's other side", func(t *testing.T) {
		s := newScene(t)
		s.set("/a/b", "1")
		s.observe(false)
		d := s.remote('r', shared, a, jsonValue("2"))
		tg := s.apply()
		s.onDisk("/a/b=1")
		if len(tg.Conflicts) != 1 || tg.Conflicts[0].Own != tg.Conflicts[0].Conflict.Below {
			t.Errorf("conflicts %+v", tg.Conflicts)
		}
		s.quiet()
		s.remote('r', shared, a, item.Value{}, d)
		s.apply()
		s.onDisk("/a/b=1")
		s.quiet()
	})
	t.Run("an empty replica meets a subtree", func(t *testing.T) {
		for _, lastIs := range []string{"/a", "/a/b"} {
			s := newScene(t)
			first := "/a/b"
			if lastIs == first {
				first = "/a"
			}
			s.remote('r', shared, key(first), jsonValue("1"))
			s.remote('q', shared, key(lastIs), jsonValue("2"))
			s.apply()
			s.onDisk(lastIs + "=2")
			s.quiet()
		}
	})
	t.Run("a comment goes with its key, and that is no edit", func(t *testing.T) {
		s := newScene(t)
		note := item.Key{Lane: item.LaneComment, Path: "/a"}
		head := item.Key{Lane: item.LaneComment, Path: "/o//header"}
		d := s.remote('r', shared, a, jsonValue("1"))
		e := s.remote('r', shared, key("/o/x"), jsonValue("1"))
		s.remote('r', shared, note, textValue("// a"))
		s.remote('r', shared, head, textValue("// o"))
		s.apply()
		if len(s.disk) != 4 {
			t.Fatalf("on disk: %v", s.disk)
		}
		d = s.remote('r', shared, a, item.Value{}, d)
		s.remote('r', shared, key("/o/x"), item.Value{}, e)
		s.apply()
		s.onDisk("")
		s.quiet()
		s.remote('r', shared, a, jsonValue("2"), d)
		s.apply()
		s.onDisk("/a=// a /a=2")
		s.quiet()
	})
	t.Run("collected while away", func(t *testing.T) {
		s := newScene(t)
		d := s.remote('r', shared, a, jsonValue("1"))
		s.apply()
		delete(s.items[shared].Atoms, a)
		s.apply()
		s.onDisk("/a=1") // not known to be covered: nothing is lost for want of state
		layers := s.layers()
		layers[1].Vector = item.Vector{d.Author: item.Tip{Seq: d.Seq}}
		tg := plan.Target(s.typ, layers, s.disk, s.basis)
		if len(tg.Want) > 0 || !tg.Changed {
			t.Errorf("wants %v", tg.Want)
		}
		if b := tg.ReadBack(s.typ, s.basis, tg.Want); len(b) > 0 {
			t.Errorf("basis %v", b)
		}
	})
}
