package view

import (
	"bytes"
	"slices"

	"plait/backend/merge/text"
)

// Resolutions are what a session decided, to be kept: a draft.
type Resolutions struct {
	Choices []Resolution `json:"choices"`
}

// A Resolution is one decision. Of what was typed, ID is the first chunk of the
// slot, and Text the slot's text.
type Resolution struct {
	ID     string   `json:"id"`
	Option OptionID `json:"option"`
	Text   []byte   `json:"text,omitempty"`
	Typed  bool     `json:"typed,omitempty"`
}

// Export lists what was decided, in the order of the document.
func (s *Session) Export() Resolutions {
	var r Resolutions
	for i, c := range s.plan.Chunks {
		if ch, ok := s.choice[i]; ok && (ch.Option != Custom || ch.Custom != nil) {
			r.Choices = append(r.Choices, Resolution{ID: c.ID, Option: ch.Option, Text: ch.Custom})
		}
		if t, ok := s.typed[c.Slot]; ok && s.plan.Slots[c.Slot].Chunks[0] == i {
			r.Choices = append(r.Choices, Resolution{ID: c.ID, Option: Custom, Text: t, Typed: true})
		}
	}
	return r
}

// Import decides again what still stands in this session's plan, as one step. lost
// lists what does not: its values changed meanwhile, or it is no question any more.
func (s *Session) Import(r Resolutions) (d Delta, kept, lost []string) {
	var all step
	for _, c := range r.Choices {
		i, ok := s.plan.byID[c.ID]
		switch {
		case !ok || s.plan.Chunks[i].Slot < 0:
		case c.Typed:
			slot := s.plan.Chunks[i].Slot
			st := step{typed: []typedChange{{slot, s.typed[slot], append([]byte{}, c.Text...)}}}
			for _, n := range s.plan.Slots[slot].Chunks {
				if s.plan.Chunks[n].Decides() {
					st.choices = append(st.choices, choiceChange{n, s.choice[n], Choice{Option: Custom}})
				}
			}
			s.apply(st)
			all.join(st)
			kept = append(kept, c.ID)
			continue
		default:
			if st, err := s.resolving(c.ID, Choice{c.Option, bytes.Clone(c.Text)}); err == nil {
				s.apply(st)
				all.join(st)
				kept = append(kept, c.ID)
				continue
			}
		}
		lost = append(lost, c.ID)
	}
	return s.atOnce(all), kept, lost
}

func (st *step) join(b step) {
	st.choices = append(st.choices, b.choices...)
	st.typed = append(st.typed, b.typed...)
}

// atOnce takes back what was applied bit by bit, and makes it one step.
func (s *Session) atOnce(st step) Delta {
	s.apply(st.back())
	return s.do(st)
}

// A Rule is how many chunks are decided at once.
type Rule struct {
	// Option is chosen wherever it is offered, if Choose is nil.
	Option OptionID
	// Choose names an option for a chunk, as by the clocks of its values;
	// Undecided leaves it.
	Choose func(*Chunk) OptionID
}

func (r Rule) option(c *Chunk) OptionID {
	o := r.Option
	if r.Choose != nil {
		o = r.Choose(c)
	}
	if o == Custom || !slices.ContainsFunc(c.Options, func(x Option) bool { return x.ID == o }) {
		return Undecided
	}
	return o
}

// Preview counts what Bulk would choose; under Undecided, what it would leave.
func (s *Session) Preview(r Rule, ids []string) map[OptionID]int {
	n := map[OptionID]int{}
	for _, id := range s.scope(ids) {
		if c := s.plan.Chunk(id); c != nil {
			n[r.option(c)]++
		}
	}
	return n
}

// Bulk applies a rule to chunks; nil means all conflicts that are left. It is one
// step to undo.
func (s *Session) Bulk(r Rule, ids []string) Delta {
	var all step
	for _, id := range s.scope(ids) {
		c := s.plan.Chunk(id)
		if c == nil {
			continue
		}
		o := r.option(c)
		if o == Undecided {
			continue
		}
		st, err := s.resolving(id, Choice{Option: o})
		if err != nil {
			continue // as the click would have been refused
		}
		s.apply(st)
		all.join(st)
	}
	return s.atOnce(all)
}

func (s *Session) scope(ids []string) []string {
	if ids == nil {
		return s.Left()
	}
	return ids
}

// Words are a chunk's differences, word by word: bytes of its values. They are
// found when they are asked for.
type Words struct{ BaseLocal, BaseRemote, LocalRemote []text.Span }

// Words compares a chunk's three values.
func (p *Plan) Words(id string) Words {
	i, ok := p.byID[id]
	if !ok || p.Chunks[i].Kind == text.Unchanged {
		return Words{}
	}
	v := p.Values(id)
	return Words{text.Words(v[Base], v[Local]), text.Words(v[Base], v[Remote]), text.Words(v[Local], v[Remote])}
}

// Values are a chunk's three values, whole; those of several atoms one a line.
func (p *Plan) Values(id string) (v [3][]byte) {
	i, ok := p.byID[id]
	if !ok {
		return v
	}
	for s := range v {
		if p.points[i].lines {
			v[s] = p.points[i].part[s]
		} else {
			v[s] = p.points[i].several(p.points[i].side[s])
		}
	}
	return v
}
