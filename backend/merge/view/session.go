package view

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/merge/jsonc"
	"plait/backend/merge/text"
)

// A Session is one person deciding about one plan. It is for one goroutine.
type Session struct {
	plan   *Plan
	choice map[int]Choice // by chunk
	typed  map[int][]byte // by slot: what was typed there, instead of what is chosen

	pieces []piece
	sep    []bool // the slot's separator is shown
	last   int
	bytes  sums
	lines  sums

	done, undone []step
}

// A step is what one act changed.
type step struct {
	choices []choiceChange
	typed   []typedChange
}

type choiceChange struct {
	chunk    int
	old, new Choice
}

type typedChange struct {
	slot     int
	old, new []byte // nil: not typed
}

// A Patch replaces bytes [Start, End) of the result by Text. LineShift is how many
// lines it grows by.
type Patch struct {
	Slot       int
	Start, End int
	Text       []byte
	LineShift  int
}

// A Delta is how the result changed: patches, to be applied one after another.
type Delta []Patch

// Apply patches a former result.
func (d Delta) Apply(doc []byte) []byte {
	doc = bytes.Clone(doc)
	for _, p := range d {
		doc = slices.Concat(doc[:p.Start], p.Text, doc[p.End:])
	}
	return doc
}

// Session starts with nothing decided.
func (p *Plan) Session() *Session {
	s := &Session{plan: p, choice: map[int]Choice{}, typed: map[int][]byte{}}
	s.pieces = p.pieces(s.choose, nil)
	s.last = p.last(s.pieces)
	s.sep = make([]bool, len(s.pieces))
	lengths, lines := make([]int, len(s.pieces)), make([]int, len(s.pieces))
	for i, c := range s.pieces {
		s.sep[i] = p.separated(i, s.last, c)
		t := c.text(s.sep[i])
		lengths[i], lines[i] = len(t), bytes.Count(t, []byte{'\n'})
	}
	s.bytes, s.lines = newSums(lengths), newSums(lines)
	return s
}

// Render is the result for choices by chunk id. Of a choice that is not offered,
// or can't stand there, it shows what Undecided does.
func (p *Plan) Render(choices map[string]Choice) []byte {
	byChunk := map[int]Choice{}
	for id, c := range choices {
		if i, ok := p.byID[id]; ok {
			byChunk[i] = c
		}
	}
	return p.join(p.pieces(func(i int) Choice { return byChunk[i] }, nil))
}

// pieces renders every slot.
func (p *Plan) pieces(choose func(int) Choice, typed map[int][]byte) []piece {
	out := make([]piece, len(p.Slots))
	for i := range out {
		if t, ok := typed[i]; ok {
			out[i] = p.typedPiece(i, t)
			continue
		}
		c, err := p.piece(i, choose)
		if err != nil {
			c, _ = p.piece(i, func(int) Choice { return Choice{} })
		}
		out[i] = c
	}
	return out
}

// typedPiece is what was typed in a slot. If it reads as members, commas are still
// seen to; if not, it stands as it is.
func (p *Plan) typedPiece(slot int, typed []byte) piece {
	if slot < p.group[0] || slot >= p.group[1] {
		return piece{a: typed}
	}
	if !p.json {
		return p.points[p.Slots[slot].Chunks[0]].linePiece(typed)
	}
	m := p.bracketed()
	if c, err := m.takeOut(enclose(piece{a: typed}, m.open, m.close, "\n")); err == nil {
		return c
	}
	return piece{a: typed}
}

// bracketed is an empty member in the document's brackets.
func (p *Plan) bracketed() *small {
	for _, s := range p.Slots {
		if s.member != nil {
			return &small{open: s.member.open, close: s.member.close, eol: "\n"}
		}
	}
	if p.Type == item.Keybindings {
		return &small{open: '[', close: ']', eol: "\n"}
	}
	return &small{open: '{', close: '}', eol: "\n"}
}

func (s *Session) choose(chunk int) Choice { return s.choice[chunk] }

// Result is the merged document as it stands.
func (s *Session) Result() []byte { return s.plan.join(s.pieces) }

// Outcome is the result taken apart: what the engine writes.
func (s *Session) Outcome() (map[item.Key]item.Value, error) {
	d, err := merge.Atomize(s.plan.Type, s.Result(), s.plan.options)
	return d.Atoms, err
}

// Chosen is what was chosen for a chunk.
func (s *Session) Chosen(id string) Choice { return s.choice[s.plan.chunkOr(id)] }

func (p *Plan) chunkOr(id string) int {
	if i, ok := p.byID[id]; ok {
		return i
	}
	return -1
}

// Left lists the conflicts that nothing is chosen for, in order.
func (s *Session) Left() []string {
	var ids []string
	for i, c := range s.plan.Chunks {
		if c.Kind == text.Conflict && s.choice[i].Option == Undecided {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// Resolve chooses for a chunk; Undecided takes a choice back. What was typed in its
// slot is gone. Errors change nothing: ErrUnknown, ErrOption, a *CustomError.
func (s *Session) Resolve(id string, o OptionID, custom []byte) (Delta, error) {
	st, err := s.resolving(id, Choice{Option: o, Custom: bytes.Clone(custom)})
	if err != nil {
		return nil, err
	}
	return s.do(st), nil
}

func (s *Session) resolving(id string, c Choice) (step, error) {
	i, ok := s.plan.byID[id]
	if !ok || !s.plan.Chunks[i].Decides() {
		return step{}, fmt.Errorf("chunk %s: %w", id, ErrUnknown)
	}
	if c.Option != Custom {
		c.Custom = nil
	} else if c.Custom == nil {
		c.Custom = []byte{}
	}
	chunk := &s.plan.Chunks[i]
	if c.Option != Undecided && !slices.ContainsFunc(chunk.Options, func(o Option) bool { return o.ID == c.Option }) {
		return step{}, fmt.Errorf("chunk %s: %w: %s", id, ErrOption, c.Option)
	}
	var st step
	if t, typed := s.typed[chunk.Slot]; typed {
		st.typed = append(st.typed, typedChange{slot: chunk.Slot, old: t})
		for _, n := range s.plan.Slots[chunk.Slot].Chunks { // they were decided by typing
			if old := s.choice[n]; n != i && old.Option == Custom && old.Custom == nil {
				st.choices = append(st.choices, choiceChange{chunk: n, old: old})
			}
		}
	}
	st.choices = append(st.choices, choiceChange{i, s.choice[i], c})
	_, err := s.plan.piece(chunk.Slot, func(n int) Choice {
		for _, ch := range st.choices {
			if ch.chunk == n {
				return ch.new
			}
		}
		return s.choice[n]
	})
	if err != nil {
		return step{}, fmt.Errorf("chunk %s: %w", id, err)
	}
	return st, nil
}

// do makes a step, remembering how to take it back.
func (s *Session) do(st step) Delta {
	if st.empty() {
		return nil
	}
	s.done, s.undone = append(s.done, st), nil
	return s.apply(st)
}

func (st step) empty() bool {
	for _, c := range st.choices {
		if !c.old.equal(c.new) {
			return false
		}
	}
	return len(st.typed) == 0
}

func (c Choice) equal(d Choice) bool {
	return c.Option == d.Option && bytes.Equal(c.Custom, d.Custom) && (c.Custom == nil) == (d.Custom == nil)
}

// Undo takes back the last step; nil if there is none, or it changed no text.
func (s *Session) Undo() Delta {
	if len(s.done) == 0 {
		return nil
	}
	st := s.done[len(s.done)-1]
	s.done, s.undone = s.done[:len(s.done)-1], append(s.undone, st)
	return s.apply(st.back())
}

// Redo makes the step again that was last taken back.
func (s *Session) Redo() Delta {
	if len(s.undone) == 0 {
		return nil
	}
	st := s.undone[len(s.undone)-1]
	s.undone, s.done = s.undone[:len(s.undone)-1], append(s.done, st)
	return s.apply(st)
}

// CanUndo and CanRedo say whether there is a step to take back, or to make again.
func (s *Session) CanUndo() bool { return len(s.done) > 0 }
func (s *Session) CanRedo() bool { return len(s.undone) > 0 }

func (st step) back() step {
	var b step
	for _, c := range slices.Backward(st.choices) {
		b.choices = append(b.choices, choiceChange{c.chunk, c.new, c.old})
	}
	for _, t := range slices.Backward(st.typed) {
		b.typed = append(b.typed, typedChange{t.slot, t.new, t.old})
	}
	return b
}

// apply changes the state and renders the slots that it concerns.
func (s *Session) apply(st step) Delta {
	var slots []int
	for _, c := range st.choices {
		if c.new.Option == Undecided {
			delete(s.choice, c.chunk)
		} else {
			s.choice[c.chunk] = c.new
		}
		slots = append(slots, s.plan.Chunks[c.chunk].Slot)
	}
	for _, t := range st.typed {
		if t.new == nil {
			delete(s.typed, t.slot)
		} else {
			s.typed[t.slot] = t.new
		}
		slots = append(slots, t.slot)
	}
	slices.Sort(slots)
	return s.refresh(slices.Compact(slots))
}

// refresh renders slots anew. Beside them, only the separators of what was and of
// what is the last slot can change.
func (s *Session) refresh(slots []int) Delta {
	former := make(map[int]piece, len(slots))
	for _, i := range slots {
		former[i] = s.pieces[i]
		if t, ok := s.typed[i]; ok {
			s.pieces[i] = s.plan.typedPiece(i, t)
			continue
		}
		c, err := s.plan.piece(i, s.choose)
		if err != nil {
			c, _ = s.plan.piece(i, func(int) Choice { return Choice{} })
		}
		s.pieces[i] = c
	}
	last := s.plan.last(s.pieces)
	for _, i := range []int{s.last, last} {
		if i >= 0 && !slices.Contains(slots, i) {
			slots = append(slots, i)
		}
	}
	s.last = last
	slices.Sort(slots)
	var d Delta
	for _, i := range slots {
		old, ok := former[i]
		if !ok {
			old = s.pieces[i]
		}
		was := old.text(s.sep[i])
		s.sep[i] = s.plan.separated(i, last, s.pieces[i])
		if now := s.pieces[i].text(s.sep[i]); !bytes.Equal(was, now) {
			d = append(d, s.patch(i, was, now))
		}
	}
	return d
}

// patch says how slot i changed, and keeps count.
func (s *Session) patch(i int, was, now []byte) Patch {
	shift := bytes.Count(now, []byte{'\n'}) - bytes.Count(was, []byte{'\n'})
	start := s.bytes.before(i)
	p := Patch{Slot: i, Start: start, End: start + len(was), LineShift: shift}
	s.bytes.add(i, len(now)-len(was))
	s.lines.add(i, shift)
	n := 0
	for n < len(was) && n < len(now) && was[n] == now[n] {
		n++
	}
	for n > 0 && (n < len(was) && !utf8.RuneStart(was[n]) || n < len(now) && !utf8.RuneStart(now[n])) {
		n--
	}
	was, now = was[n:], now[n:]
	p.Start += n
	n = 0
	for n < len(was) && n < len(now) && was[len(was)-1-n] == now[len(now)-1-n] {
		n++
	}
	for n > 0 && !utf8.RuneStart(was[len(was)-n]) {
		n--
	}
	p.End -= n
	p.Text = bytes.Clone(now[:len(now)-n])
	return p
}

// RangeOf is where in the result a chunk shows: its member with the lines that
// belong to it, or the value itself where it is deeper.
func (s *Session) RangeOf(id string) text.Range {
	i, ok := s.plan.byID[id]
	if !ok || s.plan.Chunks[i].Slot < 0 {
		return text.Range{}
	}
	c := &s.plan.Chunks[i]
	from, line := s.bytes.before(c.Slot), s.lines.before(c.Slot)
	shown := s.pieces[c.Slot].text(s.sep[c.Slot])
	a, b := s.plan.inside(c, shown)
	r := text.Range{Start: from + a, End: from + b}
	r.Line = line + bytes.Count(shown[:a], []byte{'\n'})
	r.LineEnd = r.Line + bytes.Count(shown[a:b], []byte{'\n'})
	if b > a && shown[b-1] != '\n' {
		r.LineEnd++
	}
	return r
}

// inside finds a chunk's member within its slot; the whole slot if it is not found.
func (p *Plan) inside(c *Chunk, shown []byte) (from, to int) {
	if !p.json || c.Lane != item.LaneValue || len(c.Path) < 2 && p.whole == nil || p.Type == item.Keybindings {
		return 0, len(shown)
	}
	doc, shift := shown, 0
	if p.whole == nil {
		m := p.bracketed()
		doc, shift = enclose(piece{a: shown}, m.open, m.close, "\n"), 1
		if n := len(shown); n > 0 && (shown[n-1] == '\n' || shown[n-1] == '\r') {
			shift = 2
		}
	}
	t, err := jsonc.Parse(doc)
	if err != nil {
		return 0, len(shown)
	}
	n := t.Find(c.Path...)
	if n == jsonc.None || t.Nodes[n].Key < 0 {
		return 0, len(shown)
	}
	return int(t.Nodes[n].Key) - shift, int(t.Nodes[n].End) - shift
}

// Validity lists what is wrong with the result, if it is to be JSON.
func (s *Session) Validity() []Diag {
	if !isJSON(s.plan.Type) {
		return nil
	}
	return validity(s.Result())
}
