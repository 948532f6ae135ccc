package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/plan"
	"plait/backend/state"
)

// What people wrote, and what therefore has to be, or may be, in history.

// A fact is a value of an atom, whichever layer it is in.
type fact struct {
	n item.Name
	k item.Key
	v string
}

// gone is an atom that somebody removed.
type gone struct {
	by item.Device
	n  item.Name
	k  item.Key
}

// done is a value that somebody gave an atom.
type done struct {
	by item.Device
	fact
}

// saved is what a person saved that no round has looked at yet.
type saved struct {
	src   Source
	path  string
	n     item.Name
	facts []fact
	round int
}

// A promise is a round that said it was well: who gave it, and when.
type promise struct {
	m     *machine
	round int
}

func fsMode(m uint32) fs.FileMode { return fs.FileMode(m) }

func (m *machine) note(format string, a ...any) {
	m.s.note("%s: %s", m.name, fmt.Sprintf(format, a...))
}

// meaning is a value in one of its spellings.
func (s *sim) meaning(v item.Value) string {
	switch v.Kind {
	case item.Blob:
		return "blob " + v.Large.Hash.String()
	case item.JSON:
		var x any
		if json.Unmarshal(v.Data, &x) == nil {
			if b, err := json.Marshal(x); err == nil {
				return string(b)
			}
		}
	}
	return string(v.Data)
}

func (s *sim) fact(n item.Name, k item.Key, v item.Value) fact {
	if n.Type() == item.Files && v.Kind == item.Text {
		return fact{n.Shared(), k, "blob " + s.fleet[0].e.namer.Name(v.Data).String()}
	}
	return fact{n.Shared(), k, s.meaning(v)}
}

// atoms are the values of a document or a file.
func (s *sim) atoms(n item.Name, raw []byte, have bool) map[item.Key]item.Value {
	out := map[item.Key]item.Value{}
	if !have {
		return out
	}
	if n.Type() == item.Files {
		return map[item.Key]item.Value{theFile: {Kind: item.Text, Data: raw}}
	}
	doc, err := merge.Atomize(n.Type(), raw, merge.Options{Platform: "linux"})
	if err != nil {
		return out
	}
	for k, v := range doc.Atoms {
		if k.Lane == item.LaneValue {
			out[k] = v
		}
	}
	return out
}

// comments are those of a document.
func (s *sim) comments(n item.Name, raw []byte) map[item.Key]item.Value {
	out := map[item.Key]item.Value{}
	if n.Type() == item.Files || raw == nil {
		return out
	}
	doc, err := merge.Atomize(n.Type(), raw, merge.Options{Platform: "linux"})
	if err != nil {
		return out
	}
	for k, v := range doc.Atoms {
		if k.Lane == item.LaneComment || k.Lane == item.LaneTrail {
			out[k] = v
		}
	}
	return out
}

// save is a person saving a file, or removing it.
func (m *machine) save(src Source, n item.Name, text []byte, have bool) {
	p, _, err := src.Locate(n)
	m.s.must(err)
	old, had := m.fs.Content(p)
	if whole, broken := m.broken[p]; broken {
		old, had = whole, true
		delete(m.broken, p)
	}
	m.remember(src, n, p, old, had, text, have)
	m.note("saves %s: %q", p, short(text, have))
	if !have {
		m.fs.Lock(p, false)
		m.fs.RemoveAll(p)
		return
	}
	m.store2(p, text)
}

func short(text []byte, have bool) string {
	if !have {
		return "(removed)"
	}
	return string(text[:min(len(text), 900)])
}

// store2 writes a file as one of the two kinds of editors does.
func (m *machine) store2(p string, text []byte) {
	if _, have := m.fs.Content(p); have {
		m.fs.Lock(p, false)
	}
	if m.s.chance(0.5) {
		m.fs.WriteFile(p, text)
	} else {
		m.fs.SaveByRename(p, text)
	}
}

// remember takes in what a save changes.
func (m *machine) remember(src Source, n item.Name, p string, old []byte, had bool, text []byte, have bool) {
	s := m.s
	before, after := s.atoms(n, old, had), s.atoms(n, text, have)
	id := m.keys.ID()
	sv := saved{src: src, path: p, n: n, round: m.rounds}
	for k, v := range after {
		f := s.fact(n, k, v)
		if b, was := before[k]; was && s.fact(n, k, b) == f && n.Type() != item.Files {
			continue
		}
		s.said[f], s.changed[done{id, f}] = true, true
		sv.facts = append(sv.facts, f)
	}
	for k := range before {
		if _, is := after[k]; !is {
			s.removed[gone{id, n.Shared(), k}] = true
		}
	}
	after = s.comments(n, text)
	for k := range s.comments(n, old) {
		if _, is := after[k]; !is {
			s.removed[gone{id, n.Shared(), k}] = true
		}
	}
	m.saves[sha256.Sum256(text)] = true
	// What nobody looked at before the person saved again, only the person ever had; while
	// a round runs it has looked.
	m.pending = slices.DeleteFunc(m.pending, func(o saved) bool { return o.path == p && !m.syncing })
	m.pending = append(m.pending, sv)
}

// keepPromises notes what a round that said it was well has to have recorded.
func (m *machine) keepPromises(r *Round) {
	var rest []saved
	for _, sv := range m.pending {
		if sv.round >= m.rounds || m.off[sv.src.ID()] || sv.src == m.hidden || m.broken[sv.path] != nil ||
			slices.ContainsFunc(r.Waiting, func(w Waiting) bool { return w.Item == "" || w.Item.Shared() == sv.n.Shared() }) {
			rest = append(rest, sv)
			continue
		}
		ignore := sv.src.Options(sv.n, nil).Ignore
		for _, f := range sv.facts {
			if !plan.Masked(ignore, f.k) {
				m.s.promised[f] = promise{m, m.rounds}
			}
		}
	}
	m.pending = rest
}

// mergeOf says whether a text is what a merge of others in history makes: who saves just
// that wrote nothing that is not there, and it is no entry.
func (s *sim) mergeOf(f fact, have map[fact]item.Value) bool {
	var texts []item.Value
	for g, v := range have {
		if g.n == f.n && g.k == f.k && v.Kind == item.Text {
			texts = append(texts, v)
		}
	}
	for _, base := range texts {
		for _, l := range texts {
			for _, r := range texts {
				if v, ok := merge.Value(f.n.Type(), f.k, &base, l, r); ok && s.fact(f.n, f.k, v) == f {
					return true
				}
			}
		}
	}
	return false
}

// exchanged is called in the instant before the engine takes a file's place: maybe
// somebody saves in it. What is displaced then has to be in history (I6), if a
// person wrote it.
func (m *machine) exchanged(p string) {
	s := m.s
	src, n, ok := m.itemOf(p)
	if !ok {
		return
	}
	// A third save within the microseconds of one exchange may be made of an earlier one
	// that was just given back: then it is the person who replaced that.
	if m.saving[p] > 0 && s.chance(0.5) {
		m.saving[p]--
		if raw, have := m.fs.Content(p); have {
			text := raw
			if n.Type() == item.Files {
				text = append(bytes.Clone(raw), []byte(s.fresh()+"\n")...)
			} else if e := s.edited(n, raw); e != nil {
				text = e
			}
			s.tick(10 * time.Millisecond)
			m.remember(src, n, p, raw, true, text, true)
			m.did("disk: saved in between", fmt.Sprintf("%s: %q", p, short(text, true)))
			m.store2(p, text)
		}
	}
	raw, have := m.fs.Content(p)
	if !have || !m.saves[sha256.Sum256(raw)] {
		return
	}
	ignore := src.Options(n, nil).Ignore
	for k, v := range s.atoms(n, raw, true) {
		if f := s.fact(n, k, v); s.said[f] && !plan.Masked(ignore, k) {
			s.promised[f] = promise{m, m.rounds}
		}
	}
}

// itemOf finds which item a path holds.
func (m *machine) itemOf(p string) (Source, item.Name, bool) {
	for _, src := range m.sources {
		if f, is := src.(*filesDir); is {
			if len(p) > len(f.root) && p[:len(f.root)+1] == f.root+"/" {
				return src, item.NewName("notes", item.Files, "", p[len(f.root)+1:]), true
			}
			continue
		}
		for _, d := range documents {
			n := item.Name("default/" + d.item)
			if q, _, _ := src.Locate(n); q == p {
				return src, n, true
			}
		}
	}
	return nil, "", false
}

// choosable notes that what an item shows, or ever had, may be written again by a choice.
func (m *machine) choosable(n item.Name) {
	it, err := m.e.item(n)
	m.s.must(err)
	shown, err := m.e.view(n, it)
	m.s.must(err)
	for k, sh := range shown {
		m.s.offered[m.s.fact(n, k, sh.Value)] = true
		if sh.Conflict == nil {
			continue
		}
		for _, side := range sh.Conflict.Sides {
			if state.Present(side.Value) {
				m.s.offered[m.s.fact(n, k, side.Value)] = true
			}
		}
	}
}
