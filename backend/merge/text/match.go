package text

import "slices"

const (
	// small is up to how many lines, of both sides, a gap goes to the kernel
	// whole, as git would compare it; beyond, unique lines cut it first.
	small = 1 << 10

	// depth is how often a gap between unique lines is cut again: reversed text
	// would otherwise be cut one line at a time.
	depth = 8
)

// A hunk says that lines [A, AEnd) of one document stand where [B, BEnd) of another do.
type hunk struct{ A, AEnd, B, BEnd int }

// A matcher compares documents whose lines were interned together. It keeps its
// tables from one comparison to the next: a merge may make thousands of small ones.
type matcher struct {
	inA, inB []int32 // how often a number is in the gap at hand; 0 between gaps
	where    []int32 // where it is in b

	// Of the comparison at hand:
	a, b         []int32
	goneA, goneB []bool // lines of a that are gone from b, and those of b that are new
	left         int    // of the allowance
	coarse       bool   // some part of any comparison so far was too costly
}

// newMatcher prepares to compare lines whose numbers are below distinct.
func newMatcher(distinct int) *matcher {
	t := make([]int32, 3*distinct)
	return &matcher{inA: t[:distinct], inB: t[distinct : 2*distinct], where: t[2*distinct:], left: allowance}
}

// compare finds the hunks in which b differs from a.
func (m *matcher) compare(a, b []int32) []hunk {
	m.a, m.b, m.goneA, m.goneB = a, b, make([]bool, len(a)), make([]bool, len(b))
	m.gap(0, len(a), 0, len(b), 0)
	settle(a, b, m.goneA, m.goneB)
	return collect(m.goneA, m.goneB)
}

func (m *matcher) gap(a, aEnd, b, bEnd, level int) {
	for a < aEnd && b < bEnd && m.a[a] == m.b[b] {
		a, b = a+1, b+1
	}
	for a < aEnd && b < bEnd && m.a[aEnd-1] == m.b[bEnd-1] {
		aEnd, bEnd = aEnd-1, bEnd-1
	}
	if a == aEnd || b == bEnd {
		m.replace(a, aEnd, b, bEnd)
		return
	}
	if aEnd-a+bEnd-b > small && level < depth {
		if at := m.unique(a, aEnd, b, bEnd); len(at) > 0 {
			m.between(at, a, aEnd, b, bEnd, level)
			return
		}
	}
	m.exact(a, aEnd, b, bEnd, level)
}

// between compares what lies between pairs of lines that are taken as the same.
func (m *matcher) between(at []pair, a, aEnd, b, bEnd, level int) {
	for _, p := range at {
		m.gap(a, int(p.a), b, int(p.b), level+1)
		a, b = int(p.a)+1, int(p.b)+1
	}
	m.gap(a, aEnd, b, bEnd, level+1)
}

func (m *matcher) replace(a, aEnd, b, bEnd int) {
	for i := a; i < aEnd; i++ {
		m.goneA[i] = true
	}
	for j := b; j < bEnd; j++ {
		m.goneB[j] = true
	}
}

// exact drops lines that the other side lacks, and has the kernel compare the rest.
func (m *matcher) exact(a, aEnd, b, bEnd, level int) {
	m.count(a, aEnd, b, bEnd)
	next := int32(0)
	number := func(lines []int32, from int) (runes []rune, at []int) {
		for i, id := range lines {
			if m.inA[id] == 0 || m.inB[id] == 0 {
				continue
			}
			if m.where[id] < 0 {
				m.where[id] = next
				next++
			}
			runes, at = append(runes, toRune(m.where[id])), append(at, from+i)
		}
		return runes, at
	}
	for _, id := range m.b[b:bEnd] {
		m.where[id] = -1
	}
	ra, atA := number(m.a[a:aEnd], a)
	rb, atB := number(m.b[b:bEnd], b)
	m.clear(a, aEnd, b, bEnd)

	switch {
	case next > maxRunes:
		m.coarse = true
		m.replace(a, aEnd, b, bEnd)
		return
	case len(ra)+len(rb) > freely && !m.afford(ra, rb):
		m.rough(a, aEnd, b, bEnd, level)
		return
	}
	m.replace(a, aEnd, b, bEnd)
	kernel(ra, rb, func(i, j int) {
		if i, j := atA[i], atB[j]; m.a[i] == m.b[j] {
			m.goneA[i], m.goneB[j] = false, false
		}
	})
}

// afford pays for a comparison out of the allowance, if half of what is left
// suffices: counting costs steps, too.
func (m *matcher) afford(a, b []rune) bool {
	limit := m.left / 2
	n := min(cost(a, b, limit), limit)
	m.left -= n
	return n < limit
}

// rough is for what the allowance no longer pays for: repetitive text. Runs of
// lines may be unique where lines are not; without those it is one replacement.
func (m *matcher) rough(a, aEnd, b, bEnd, level int) {
	if level < depth {
		if at := runs(m.a[a:aEnd], m.b[b:bEnd]); len(at) > 0 {
			for i := range at {
				at[i].a, at[i].b = at[i].a+int32(a), at[i].b+int32(b)
			}
			m.between(at, a, aEnd, b, bEnd, level)
			return
		}
	}
	m.coarse = true
	m.replace(a, aEnd, b, bEnd)
}

func (m *matcher) count(a, aEnd, b, bEnd int) {
	for _, id := range m.a[a:aEnd] {
		m.inA[id]++
	}
	for _, id := range m.b[b:bEnd] {
		m.inB[id]++
	}
}

func (m *matcher) clear(a, aEnd, b, bEnd int) {
	for _, id := range m.a[a:aEnd] {
		m.inA[id] = 0
	}
	for _, id := range m.b[b:bEnd] {
		m.inB[id] = 0
	}
}

// A pair is a line of a and a line of b.
type pair struct{ a, b int32 }

// unique pairs lines that are once in each part of the gap, as far as they keep
// their order: Bram Cohen's patience diff.
func (m *matcher) unique(a, aEnd, b, bEnd int) []pair {
	m.count(a, aEnd, b, bEnd)
	for j := b; j < bEnd; j++ {
		m.where[m.b[j]] = int32(j)
	}
	var ps []pair
	for i := a; i < aEnd; i++ {
		if id := m.a[i]; m.inA[id] == 1 && m.inB[id] == 1 {
			ps = append(ps, pair{int32(i), m.where[id]})
		}
	}
	m.clear(a, aEnd, b, bEnd)
	return rising(ps)
}

// runs pairs the first lines of runs of 4, or else 16, or else 64 lines, which
// are once in each.
func runs(a, b []int32) []pair {
	a, b = slices.Clone(a), slices.Clone(b)
	for length := 1; length < 64; {
		ids := make(map[[2]int32]int32, len(a))
		a, b = double(a, length, ids), double(b, length, ids)
		if length *= 2; length == 4 || length == 16 || length == 64 {
			m := newMatcher(len(ids))
			m.a, m.b = a, b
			if at := m.unique(0, len(a), 0, len(b)); len(at) > 0 {
				return at
			}
		}
	}
	return nil
}

// double numbers runs twice as long as those that s has the numbers of.
func double(s []int32, length int, ids map[[2]int32]int32) []int32 {
	n := max(0, len(s)-length)
	for i := range n {
		key := [2]int32{s[i], s[i+length]}
		id, ok := ids[key]
		if !ok {
			id = int32(len(ids))
			ids[key] = id
		}
		s[i] = id
	}
	return s[:n]
}

// rising keeps a longest subsequence whose b rise; a rise already.
func rising(ps []pair) []pair {
	var tails []int32 // index of the smallest end of a rising run of each length
	before := make([]int32, len(ps))
	for i, p := range ps {
		n, _ := slices.BinarySearchFunc(tails, p.b, func(t, b int32) int { return int(ps[t].b) - int(b) })
		before[i] = -1
		if n > 0 {
			before[i] = tails[n-1]
		}
		if n == len(tails) {
			tails = append(tails, int32(i))
		} else {
			tails[n] = int32(i)
		}
	}
	out := make([]pair, len(tails))
	if len(out) == 0 {
		return nil
	}
	at := tails[len(tails)-1]
	for i := len(out) - 1; i >= 0; i-- {
		out[i], at = ps[at], before[at]
	}
	return out
}

// collect turns marks into hunks.
func collect(goneA, goneB []bool) []hunk {
	var hunks []hunk
	for i, j := 0, 0; i < len(goneA) || j < len(goneB); {
		h := hunk{A: i, B: j}
		for i < len(goneA) && goneA[i] {
			i++
		}
		for j < len(goneB) && goneB[j] {
			j++
		}
		if h.AEnd, h.BEnd = i, j; h.A < i || h.B < j {
			hunks = append(hunks, h)
			continue
		}
		i, j = i+1, j+1
	}
	return hunks
}
