package view

import (
	"bytes"

	"plait/backend/merge/text"
)

// sideMembers says where members stand in base, local and remote.
type sideMembers [3]struct {
	seg   segments
	at    map[string]int
	known bool
	lines []int // offsets of line starts
}

func (b *builder) sideMembers(eol string) *sideMembers {
	var m sideMembers
	for i, doc := range b.versions {
		s := &m[i]
		s.lines = []int{0}
		for at := 0; ; {
			n := bytes.IndexByte(doc[at:], '\n')
			if n < 0 {
				break
			}
			at += n + 1
			s.lines = append(s.lines, at)
		}
		if s.seg, s.known = cut(doc); s.known {
			s.at = b.roots(&s.seg, eol)
		}
	}
	return &m
}

func (m *sideMembers) span(side, from, to int) text.Range {
	line := func(at int) int {
		lo, hi := 0, len(m[side].lines)
		for hi-lo > 1 {
			if mid := (lo + hi) / 2; m[side].lines[mid] <= at {
				lo = mid
			} else {
				hi = mid
			}
		}
		return lo
	}
	r := text.Range{Start: from, End: to, Line: line(from)}
	if r.LineEnd = line(to); to > from && to > m[side].lines[r.LineEnd] {
		r.LineEnd++
	}
	return r
}

func (m *sideMembers) head() (out [3]text.Range) {
	for i := range m {
		if m[i].known {
			out[i] = m.span(i, 0, m[i].seg.from[0])
		}
	}
	return out
}

func (m *sideMembers) tail() (out [3]text.Range) {
	for i := range m {
		if m[i].known {
			out[i] = m.span(i, m[i].seg.from[len(m[i].seg.nodes)], len(m[i].seg.tree.Src))
		}
	}
	return out
}

// of is where a member stands; an empty range at the end of the members where it
// does not.
func (m *sideMembers) of(root string) [3]text.Range { return m.run([]string{root}) }

// run is where members stand that follow each other in the result. Where a side
// has them in another order, its range holds others, too.
func (m *sideMembers) run(roots []string) (out [3]text.Range) {
	for s := range m {
		if !m[s].known {
			continue
		}
		from, to := -1, -1
		for _, r := range roots {
			if i, ok := m[s].at[r]; ok {
				if from < 0 || i < from {
					from = i
				}
				to = max(to, i)
			}
		}
		if from < 0 {
			end := m[s].seg.from[len(m[s].seg.nodes)]
			out[s] = m.span(s, end, end)
			continue
		}
		out[s] = m.span(s, m[s].seg.from[from], m[s].seg.from[to+1])
	}
	return out
}
