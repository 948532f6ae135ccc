package engine

import (
	"slices"
	"testing"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/localdb"
)

// Row 28: who can change a device's own database cuts, reorders or splices the log.
// Then log --verify has to say so.
func TestAttack28Log(t *testing.T) {
	for _, a := range attack28Log() {
		t.Run("row 28 "+a.name, func(t *testing.T) { a.try(t) })
	}
}

type logAttack struct {
	name  string
	out   []hook
	mount func(s *scene)
}

func attack28Log() []logAttack {
	row := func(s *scene, d *device, seq uint64) string { return entryRow(item.Dot{Author: d.e.meta.Me, Seq: seq}) }
	read := func(s *scene, key string) (r journal.Record) {
		s.w.must(s.phone.db.View(func(tx localdb.Tx) error {
			ok, err := getCBOR(tx, key, &r)
			if err == nil && !ok {
				s.t.Fatalf("no row %s", key)
			}
			return err
		}))
		return r
	}
	write := func(s *scene, fn func(tx localdb.Tx) error) { s.w.must(s.phone.db.Update(fn)) }
	last := func(s *scene) uint64 { return s.phone.e.Vector()[s.laptop.e.meta.Me].Seq }
	return []logAttack{
		{"the end is cut off", []hook{here(checkLog)}, func(s *scene) {
			write(s, func(tx localdb.Tx) error { return tx.Delete(row(s, s.laptop, last(s))) })
		}},
		{"the beginning is cut off", []hook{here(checkLog)}, func(s *scene) {
			write(s, func(tx localdb.Tx) error { return tx.Delete(row(s, s.laptop, 1)) })
		}},
		{"all of it is gone", []hook{here(checkLog)}, func(s *scene) {
			write(s, func(tx localdb.Tx) error {
				for i := uint64(1); i <= last(s); i++ {
					if err := tx.Delete(row(s, s.laptop, i)); err != nil {
						return err
					}
				}
				return nil
			})
		}},
		{"one entry is dropped", []hook{inJournal("checkSeq"), inJournal("checkPrev")}, func(s *scene) {
			write(s, func(tx localdb.Tx) error { return tx.Delete(row(s, s.laptop, 3)) })
		}},
		{"two entries change places", []hook{inJournal("checkSeq"), inJournal("checkPrev")}, func(s *scene) {
			a, b := read(s, row(s, s.laptop, 3)), read(s, row(s, s.laptop, 4))
			write(s, func(tx localdb.Tx) error {
				if err := setCBOR(tx, row(s, s.laptop, 3), b); err != nil {
					return err
				}
				return setCBOR(tx, row(s, s.laptop, 4), a)
			})
		}},
		{"an entry of another journal is spliced in", []hook{inJournal("checkSeq"), inJournal("checkPrev"), inJournal("checkAuthor")}, func(s *scene) {
			r := read(s, row(s, s.tablet, 1))
			write(s, func(tx localdb.Tx) error { return setCBOR(tx, row(s, s.laptop, 2), r) })
		}},
		{"what an entry says is changed", []hook{inJournal("checkPayload")}, func(s *scene) {
			r := read(s, row(s, s.laptop, 2))
			r.Payload[len(r.Payload)/2] ^= 1
			write(s, func(tx localdb.Tx) error { return setCBOR(tx, row(s, s.laptop, 2), r) })
		}},
	}
}

func (a *logAttack) try(t *testing.T) {
	s := newScene(t, &attack{third: true, plain: true})
	s.tablet.write("User/settings.json", `{"a": 1}`)
	s.tablet.mustSync()
	s.phone.mustSync()
	sound := func() bool {
		cs, err := s.phone.e.VerifyLog()
		s.w.must(err)
		for _, c := range cs {
			if c.Err != nil && c.Device == s.laptop.e.Device() {
				return false
			}
		}
		return true
	}
	if !sound() {
		t.Fatal("the log does not verify as it is")
	}
	a.mount(s)
	if sound() {
		t.Error("the log verifies")
	}
	if !hooked(s, a.out, sound) {
		t.Error("it is another check that holds: this proves nothing")
	}
	for i, h := range a.out {
		if rest := slices.Delete(slices.Clone(a.out), i, i+1); len(rest) > 0 && hooked(s, rest, sound) {
			t.Errorf("the log verifies with %s in, too: that is not what holds it off", h.name)
		}
	}
}
