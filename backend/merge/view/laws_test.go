package view

import (
	"bytes"
	"maps"
	"testing"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/merge/text"
)

func build(t testing.TB, in Input) *Plan {
	t.Helper()
	p, err := Build(in)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return p
}

// wantValues is what the choices should make of a plan's values.
func wantValues(p *Plan, merged map[item.Key]item.Value, choose func(int) Choice) map[item.Key]item.Value {
	want := map[item.Key]item.Value{}
	for k, v := range merged {
		if k.Lane == item.LaneValue {
			want[k] = v
		}
	}
	for i := range p.Chunks {
		if !p.Chunks[i].Decides() {
			continue
		}
		vs, err := p.points[i].atoms(choose(i))
		if err != nil {
			panic(err)
		}
		for _, k := range p.points[i].keys {
			if v, ok := vs[k]; !ok {
				delete(want, k)
			} else if k.Lane == item.LaneValue {
				want[k] = v
			}
		}
	}
	for k := range want { // a container with members is not empty, and so no value
		for i, c := range k.Path {
			if c == '/' && i > 0 {
				delete(want, item.Key{Path: k.Path[:i]})
			}
		}
	}
	return want
}

func checkValues(t testing.TB, p *Plan, got []byte, want map[item.Key]item.Value) {
	t.Helper()
	d, err := merge.Atomize(p.Type, got, p.options)
	if err != nil {
		t.Fatalf("the result does not read: %v\n%s", err, got)
	}
	n := 0
	for k, v := range d.Atoms {
		if k.Lane != item.LaneValue {
			continue
		}
		n++
		if w, ok := want[k]; !ok || !merge.Same(p.Type, k, v, w) {
			t.Fatalf("%s is %s, want %s (%v), in\n%s", k.Path, v.Data, w.Data, ok, got)
		}
	}
	if n != len(want) {
		for k := range want {
			if _, ok := d.Atoms[k]; !ok {
				t.Fatalf("%s is missing in\n%s", k.Path, got)
			}
		}
	}
}

// combinations calls f for every way to decide the conflicts, of up to 8; of more,
// for some.
func combinations(m *maker, p *Plan, f func(choices map[string]Choice)) {
	ids := p.Conflicts()
	options := func(id string) []Choice {
		cs := []Choice{{}}
		for _, o := range p.Chunk(id).Options {
			if o.ID != Custom {
				cs = append(cs, Choice{Option: o.ID})
			}
		}
		return cs
	}
	total := 1
	for _, id := range ids {
		total *= len(options(id))
		if total > 300 {
			break
		}
	}
	if total > 300 {
		for range 60 {
			c := map[string]Choice{}
			for _, id := range ids {
				os := options(id)
				c[id] = os[m.IntN(len(os))]
			}
			f(c)
		}
		return
	}
	for n := range total {
		c := map[string]Choice{}
		for _, id := range ids {
			os := options(id)
			c[id] = os[n%len(os)]
			n /= len(os)
		}
		f(c)
	}
}

// W2: whatever is chosen, the result reads, and says what was chosen.
func TestEveryChoice(t *testing.T) {
	each(t, 70, 5, func(t testing.TB, m *maker, in Input) {
		p := build(t, in)
		if !p.json {
			return
		}
		merged := mergedAtoms(t, in)
		combinations(m, p, func(choices map[string]Choice) {
			got := p.Render(choices)
			if ds := validity(got); len(ds) > 0 {
				t.Fatalf("%v: %v\n%s", choices, ds, got)
			}
			checkValues(t, p, got, wantValues(p, merged, func(i int) Choice { return choices[p.Chunks[i].ID] }))
		})
	})
}

func mergedAtoms(t testing.TB, in Input) map[item.Key]item.Value {
	t.Helper()
	r, err := merge.Three(in.Type, in.Base, in.Local, in.Remote, in.Options)
	if err != nil {
		t.Fatalf("Three: %v", err)
	}
	d, err := merge.Atomize(in.Type, r.Text, in.Options)
	if err != nil {
		t.Fatalf("Atomize: %v", err)
	}
	return d.Atoms
}

// Nothing chosen, JSON is as the merge has it, byte for byte where nothing that is
// not in it could be chosen; text is as the merge has it.
func TestNothingChosen(t *testing.T) {
	each(t, 100, 4, func(t testing.TB, m *maker, in Input) {
		p := build(t, in)
		got := p.Session().Result()
		if !p.json {
			if want := text.Merge(in.Base, in.Local, in.Remote).Text(); !bytes.Equal(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
			return
		}
		checkValues(t, p, got, wantValues(p, mergedAtoms(t, in), func(int) Choice { return Choice{} }))
		if len(p.Conflicts()) == 0 && bytes.Equal(in.Local, in.Base) && bytes.Equal(in.Remote, in.Base) && !bytes.Equal(got, in.Base) {
			t.Fatalf("nothing changed, and the result is\n%s", got)
		}
	})
}

// act does something at random, as a person would.
func act(t testing.TB, m *maker, s *Session) Delta {
	t.Helper()
	p := s.plan
	if m.IntN(8) == 0 {
		res := s.Result()
		from := m.IntN(len(res) + 1)
		to := min(len(res), from+m.IntN(12))
		d, err := s.EditResult(text.Range{Start: from, End: to}, []byte(m.pick("", "x", "// typed\n", ",", "\"k\": 1")))
		if err != nil {
			t.Fatalf("EditResult: %v", err)
		}
		return d
	}
	return click(t, m, s, p)
}

func click(t testing.TB, m *maker, s *Session, p *Plan) Delta {
	t.Helper()
	var ids []string
	for _, c := range p.Chunks {
		if c.Decides() {
			ids = append(ids, c.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	c := p.Chunk(ids[m.IntN(len(ids))])
	o := c.Options[m.IntN(len(c.Options))].ID
	if m.IntN(6) == 0 {
		o = Undecided
	}
	custom := []byte(m.leaf())
	if comment(item.Key{Lane: c.Lane}) && p.json {
		custom = []byte("// mine")
	}
	d, err := s.Resolve(c.ID, o, custom)
	if err != nil {
		t.Fatalf("Resolve(%s, %s, %s): %v", c.ID, o, custom, err)
	}
	return d
}

// W3, W4: deltas make the result, which equals rendering anew; undo takes back, redo
// makes again.
func TestDeltasAndUndo(t *testing.T) {
	each(t, 70, 6, func(t testing.TB, m *maker, in Input) {
		p := build(t, in)
		s := p.Session()
		now := s.Result()
		history := [][]byte{now}
		check := func(what string, d Delta) {
			t.Helper()
			shift := bytes.Count(s.Result(), newline) - bytes.Count(now, newline)
			for _, x := range d {
				shift -= x.LineShift
			}
			if now = d.Apply(now); !bytes.Equal(now, s.Result()) || shift != 0 {
				t.Fatalf("%s: deltas give\n%s\nthe result is\n%s\n%d lines off", what, now, s.Result(), shift)
			}
			if again := p.join(p.pieces(s.choose, s.typed)); !bytes.Equal(again, now) {
				t.Fatalf("%s: rendered anew\n%s\nnot\n%s", what, again, now)
			}
			if n := s.bytes.before(len(s.pieces)); n != len(now) {
				t.Fatalf("%s: %d bytes counted, %d there", what, n, len(now))
			}
		}
		for range 8 {
			before := len(s.done)
			check("act", act(t, m, s))
			if len(s.done) > before {
				history = append(history, now)
			}
		}
		for i := len(history) - 2; i >= 0; i-- {
			if check("undo", s.Undo()); !bytes.Equal(now, history[i]) {
				t.Fatalf("undone to\n%s\nnot\n%s", now, history[i])
			}
		}
		if s.CanUndo() {
			t.Fatalf("there is more to undo")
		}
		for _, want := range history[1:] {
			if check("redo", s.Redo()); !bytes.Equal(now, want) {
				t.Fatalf("done again to\n%s\nnot\n%s", now, want)
			}
		}
	})
}

var newline = []byte{'\n'}

// pinned merges failed once.
var pinned = []struct {
	t    item.Type
	seed uint64
}{
	{item.MCP, 360}, // a comment inside an element that is there twice went to either
}

func TestPinned(t *testing.T) {
	for _, c := range pinned {
		in := newMaker(c.t, c.seed).input(6)
		p := build(t, in)
		for _, chunk := range p.Chunks {
			for _, o := range chunk.Options {
				if o.ID == Custom {
					continue
				}
				choices := map[string]Choice{chunk.ID: {Option: o.ID}}
				want := p.Render(choices)
				for range 20 {
					if got := p.Render(choices); !bytes.Equal(got, want) {
						t.Fatalf("%s, seed %d, %s: %s\nand\n%s", c.t, c.seed, chunk.Label, got, want)
					}
				}
			}
		}
	}
}

// W1: the order of clicks does not matter.
func TestOrderOfClicks(t *testing.T) {
	each(t, 40, 6, func(t testing.TB, m *maker, in Input) {
		p := build(t, in)
		s := p.Session()
		for range 6 {
			click(t, m, s, p)
		}
		choices := map[string]Choice{}
		for i, c := range s.choice {
			choices[p.Chunks[i].ID] = c
		}
		other := p.Session()
		for id, c := range choices { // in any order
			if _, err := other.Resolve(id, c.Option, c.Custom); err != nil {
				t.Fatalf("Resolve: %v", err)
			}
		}
		if want := p.Render(choices); !bytes.Equal(s.Result(), want) || !bytes.Equal(other.Result(), want) {
			t.Fatalf("results differ:\n%s\n%s\n%s", s.Result(), other.Result(), want)
		}
	})
}

// Local everywhere gives local's values, with remote's where they don't conflict.
func TestAllLocal(t *testing.T) {
	each(t, 40, 6, func(t testing.TB, m *maker, in Input) {
		p := build(t, in)
		s := p.Session()
		s.Bulk(Rule{Option: TakeLocal}, nil)
		if len(s.Left()) > 0 {
			t.Fatalf("left: %v", s.Left())
		}
		if p.json {
			checkValues(t, p, s.Result(), wantValues(p, mergedAtoms(t, in), func(i int) Choice {
				if p.Chunks[i].Kind == text.Conflict {
					return Choice{Option: TakeLocal}
				}
				return Choice{}
			}))
		}
		for _, side := range []OptionID{TakeLocal, TakeRemote} { // and a side for all there is to decide
			var all []string
			for _, c := range p.Chunks {
				if c.Decides() {
					all = append(all, c.ID)
				}
			}
			s.Bulk(Rule{Option: side}, all)
			if !p.json && p.Sides[Local].EOL == p.Sides[Remote].EOL && !bytes.Equal(s.Result(), p.Sides[sideOf(side)].Bytes) {
				t.Fatalf("%s everywhere gives %q", side, s.Result())
			}
		}
	})
}

// W6: a rule does what clicks do, as one step; and Preview counts it.
func TestBulk(t *testing.T) {
	each(t, 40, 6, func(t testing.TB, m *maker, in Input) {
		p := build(t, in)
		for _, o := range []OptionID{TakeLocal, TakeRemote, TakeBase, LocalFirst, Word} {
			a, b := p.Session(), p.Session()
			before := a.Result()
			counts := a.Preview(Rule{Option: o}, nil)
			d := a.Bulk(Rule{Option: o}, nil)
			n := 0
			for _, id := range p.Conflicts() {
				for _, x := range p.Chunk(id).Options {
					if x.ID == o {
						n++
						if _, err := b.Resolve(id, o, nil); err != nil {
							t.Fatalf("Resolve: %v", err)
						}
					}
				}
			}
			if counts[o] != n || counts[Undecided] != len(p.Conflicts())-n || len(a.Left()) != len(b.Left()) {
				t.Fatalf("%s: counted %v, clicked %d of %d", o, counts, n, len(p.Conflicts()))
			}
			if !bytes.Equal(a.Result(), b.Result()) || !bytes.Equal(d.Apply(before), a.Result()) {
				t.Fatalf("%s: bulk gives\n%s\nclicks\n%s", o, a.Result(), b.Result())
			}
			if a.Undo(); !bytes.Equal(a.Result(), before) || a.CanUndo() {
				t.Fatalf("%s: not one step", o)
			}
		}
	})
}

// W5: what was decided is decided again in a plan of the same documents; after an
// unrelated change, ids are the same.
func TestExportImport(t *testing.T) {
	each(t, 40, 6, func(t testing.TB, m *maker, in Input) {
		p := build(t, in)
		s := p.Session()
		for range 5 {
			act(t, m, s)
		}
		other := build(t, in).Session()
		before := other.Result()
		r := s.Export()
		d, kept, lost := other.Import(r)
		if len(lost) > 0 || len(kept) != len(r.Choices) {
			t.Fatalf("lost %v of %v", lost, r)
		}
		if !bytes.Equal(other.Result(), s.Result()) || !bytes.Equal(d.Apply(before), s.Result()) {
			t.Fatalf("imported\n%s\nexported\n%s", other.Result(), s.Result())
		}
		if other.Undo(); !bytes.Equal(other.Result(), before) {
			t.Fatalf("import is not one step")
		}
	})
}

func TestIDsStay(t *testing.T) {
	in := Input{Type: item.Settings,
		Base:   []byte("{\n  \"a\": 1,\n  \"b\": 2\n}\n"),
		Local:  []byte("{\n  \"a\": 10,\n  \"b\": 2\n}\n"),
		Remote: []byte("{\n  \"a\": 11,\n  \"b\": 2\n}\n")}
	s := build(t, in).Session()
	id := s.Left()[0]
	if _, err := s.Resolve(id, TakeRemote, nil); err != nil {
		t.Fatal(err)
	}
	in.Remote = []byte("{\n  // new\n  \"0\": 0,\n  \"a\": 11,\n  \"b\": 3\n}\n")
	later := build(t, in).Session()
	_, kept, lost := later.Import(s.Export())
	if len(kept) != 1 || kept[0] != id || len(lost) != 0 {
		t.Errorf("kept %v, lost %v, want %s kept", kept, lost, id)
	}
	in.Remote = bytes.ReplaceAll(in.Remote, []byte("11"), []byte("12"))
	later = build(t, in).Session()
	if _, kept, lost = later.Import(s.Export()); len(kept) != 0 || len(lost) != 1 {
		t.Errorf("kept %v, lost %v, want all lost", kept, lost)
	}
	if got := later.Left(); len(got) != 1 {
		t.Errorf("left %v", got)
	}
}

// Slots follow each other, and each chunk's range is inside its slot.
func TestRanges(t *testing.T) {
	each(t, 40, 6, func(t testing.TB, m *maker, in Input) {
		p := build(t, in)
		s := p.Session()
		for range 4 {
			click(t, m, s, p)
		}
		res := s.Result()
		seen := maps.Clone(map[string]bool{})
		for _, c := range p.Chunks {
			if seen[c.ID] {
				t.Fatalf("id %s is there twice", c.ID)
			}
			seen[c.ID] = true
			r := s.RangeOf(c.ID)
			if r.Start > r.End || r.End > len(res) || bytes.Count(res[:r.Start], newline) != r.Line {
				t.Fatalf("%s (%s): %v of %d", c.ID, c.Label, r, len(res))
			}
			for side, sp := range c.Span {
				if doc := p.Sides[side].Bytes; sp.Start > sp.End || sp.End > len(doc) {
					t.Fatalf("%s (%s): side %d at %v of %d", c.ID, c.Label, side, sp, len(doc))
				}
			}
		}
	})
}
