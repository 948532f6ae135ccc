package view

import (
	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/merge/text"
)

// wholeDoc is a document in one slot: what is decided about it concerns all of it,
// such as the order of keybindings.
type wholeDoc struct {
	doc   []byte
	atoms map[item.Key]item.Value
}

func (b *builder) asWhole() {
	b.whole = &wholeDoc{doc: b.in.Merged, atoms: b.merged.Atoms}
	b.Slots = []Slot{{fixed: piece{a: b.in.Merged}}}
	b.group, b.always = [2]int{}, false
	for i := range b.Chunks {
		c := &b.Chunks[i]
		c.Slot = 0
		for s := range c.Span {
			c.Span[s] = text.Range{End: len(b.versions[s]), LineEnd: b.Sides[s].Lines}
		}
		if c.Lane != item.LaneOrder || c.Kind == text.Conflict {
			c.Options = b.points[i].offer(c, b.Sides[Base].Known)
		}
	}
	var all [3]text.Range
	for s := range all {
		all[s] = text.Range{End: len(b.versions[s]), LineEnd: b.Sides[s].Lines}
	}
	b.Chunks, b.points = append(b.Chunks, b.still("document", 0, all)), append(b.points, point{})
}

func (p *Plan) wholePiece(s *Slot, choose func(int) Choice) (piece, error) {
	want, err := p.wanted(s, p.whole.atoms, choose)
	if err != nil || want == nil {
		return s.fixed, err
	}
	doc, err := merge.Render(p.Type, p.whole.doc, want, p.options)
	return piece{a: doc}, err
}
