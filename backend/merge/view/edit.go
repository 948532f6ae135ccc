package view

import (
	"bytes"
	"fmt"

	"plait/backend/merge/text"
)

// EditResult replaces bytes [r.Start, r.End) of the result, as by typing. The slots
// that it touches keep what is typed, and what there was to decide in them counts
// as decided, until something is chosen there again.
func (s *Session) EditResult(r text.Range, typed []byte) (Delta, error) {
	total := s.bytes.before(len(s.pieces))
	if r.Start < 0 || r.Start > r.End || r.End > total {
		return nil, fmt.Errorf("bytes %d to %d of %d: no such range", r.Start, r.End, total)
	}
	if r.Start == r.End && len(typed) == 0 || len(s.pieces) == 0 {
		return nil, nil
	}
	first := min(s.bytes.find(r.Start), len(s.pieces)-1)
	last := first
	if r.End > r.Start {
		last = min(s.bytes.find(r.End-1), len(s.pieces)-1)
	} else if p := s.plan; p.json && first == p.group[1] && first > p.group[0] && r.Start == s.bytes.before(first) {
		first--      // typed before the closing bracket: after the last member
		last = first // so that commas are seen to
	}
	head := s.shown(first)[:r.Start-s.bytes.before(first)]
	tail := s.shown(last)[r.End-s.bytes.before(last):]
	var st step
	for i := first; i <= last; i++ {
		now := []byte{}
		if i == first {
			now = bytes.Join([][]byte{head, typed, tail}, nil)
		}
		if bytes.Equal(now, s.shown(i)) {
			continue
		}
		st.typed = append(st.typed, typedChange{i, s.typed[i], now})
		for _, n := range s.plan.Slots[i].Chunks {
			if s.plan.Chunks[n].Decides() {
				st.choices = append(st.choices, choiceChange{n, s.choice[n], Choice{Option: Custom}})
			}
		}
	}
	if len(st.typed) == 0 {
		return nil, nil
	}
	return s.do(st), nil
}

func (s *Session) shown(slot int) []byte { return s.pieces[slot].text(s.sep[slot]) }
