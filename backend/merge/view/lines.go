package view

import (
	"fmt"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/merge/text"
)

// byLines plans a merge of text: each of its chunks is a slot.
func (p *Plan) byLines(v [3][]byte, readable bool) {
	r := text.Merge(v[Base], v[Local], v[Remote])
	if r.Coarse {
		p.Diags = append(p.Diags, Diag{Kind: "coarse", Message: "a part differs too much to be compared line by line"})
	}
	reason := merge.TextDiffers
	if !readable {
		reason = merge.Syntax
	}
	eol := "\n"
	if p.Sides[Local].EOL == "\r\n" || p.Sides[Local].EOL == "" && p.Sides[Remote].EOL == "\r\n" {
		eol = "\r\n"
	}
	for i, tc := range r.Chunks {
		c := Chunk{Kind: tc.Kind, Slot: i, Span: [3]text.Range{tc.Base, tc.Local, tc.Remote}}
		pt := point{lines: true, eol: []byte(eol)}
		var values [3]item.Value
		for s := range v {
			part := r.Part(tc, s)
			pt.part[s] = part
			values[s] = item.Value{Kind: item.Text, Data: part}
			c.Value[s], _ = shorten(part)
			c.Has[s] = s != Base || p.Sides[Base].Known
		}
		c.ID = merge.ID(p.Type, item.Key{}, &values[Base], values[Local], values[Remote])
		c.Label = lineLabel(tc.Local)
		c.Class, c.Auto = Exact, TakeLocal
		switch tc.Kind {
		case text.Unchanged:
			c.Class, c.Auto = NoClass, Undecided
		case text.Conflict:
			c.Class, c.Auto, c.Reason = NoClass, Undecided, merge.Reason{Code: reason}
		case text.Remote:
			c.Auto, c.Reason = TakeRemote, merge.Reason{Code: merge.RemoteOnly}
		case text.Local:
			c.Reason = merge.Reason{Code: merge.LocalOnly}
		case text.Both:
			c.Reason = merge.Reason{Code: merge.SameChange}
		}
		if r.Coarse && c.Class == Exact {
			c.Class = Heuristic
		}
		if tc.Region > 0 {
			c.Group = fmt.Sprint(tc.Region)
		}
		if tc.Kind != text.Unchanged {
			c.Options = pt.offer(&c, p.Sides[Base].Known)
		}
		p.Chunks, p.points = append(p.Chunks, c), append(p.points, pt)
		p.Slots = append(p.Slots, Slot{fixed: pt.linePiece(pt.part[Local])})
	}
	p.group = [2]int{0, len(p.Slots)}
}

func lineLabel(r text.Range) string {
	switch r.LineEnd - r.Line {
	case 0:
		return fmt.Sprintf("after line %d", r.Line)
	case 1:
		return fmt.Sprintf("line %d", r.Line+1)
	}
	return fmt.Sprintf("lines %d–%d", r.Line+1, r.LineEnd)
}
