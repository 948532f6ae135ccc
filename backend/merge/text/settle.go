package text

// settle moves each group of marked lines within the freedom that repeated lines
// leave: to where the other side has marked lines too, so that removed and added
// lines become one replacement; else down as far as it goes, taking in the groups
// it meets. git does so since its beginning, and people expect to see
// changes where git shows them: this is what makes merges of repetitive text
// conflict where git's do.
func settle(a, b []int32, goneA, goneB []bool) {
	slideAll(a, goneA, goneB)
	slideAll(b, goneB, goneA)
}

// A group is a run of marked lines, perhaps empty, before an unmarked line or
// the end. Both documents have the same number of groups, since they have the
// same unmarked lines.
type group struct {
	gone     []bool
	from, to int
}

func first(gone []bool) group {
	g := group{gone: gone}
	g.to = g.end(0)
	return g
}

func (g *group) end(from int) int {
	for from < len(g.gone) && g.gone[from] {
		from++
	}
	return from
}

func (g *group) empty() bool { return g.from == g.to }

func (g *group) next() bool {
	if g.to == len(g.gone) {
		return false
	}
	g.from = g.to + 1
	g.to = g.end(g.from)
	return true
}

func (g *group) back() {
	g.to = g.from - 1
	for g.from = g.to; g.from > 0 && g.gone[g.from-1]; {
		g.from--
	}
}

// up moves the group by a line, if the line before it equals its last.
func (g *group) up(ids []int32) bool {
	if g.from == 0 || ids[g.from-1] != ids[g.to-1] {
		return false
	}
	g.from, g.to = g.from-1, g.to-1
	g.gone[g.from], g.gone[g.to] = true, false
	for g.from > 0 && g.gone[g.from-1] {
		g.from--
	}
	return true
}

// down moves the group by a line, if the line after it equals its first.
func (g *group) down(ids []int32) bool {
	if g.to == len(ids) || ids[g.from] != ids[g.to] {
		return false
	}
	g.gone[g.from], g.gone[g.to] = false, true
	g.from, g.to = g.from+1, g.end(g.to+1)
	return true
}

// slideAll settles the groups of one document; other follows the same places.
func slideAll(ids []int32, gone, otherGone []bool) {
	g, other := first(gone), first(otherGone)
	for {
		if !g.empty() {
			slide(ids, &g, &other)
		}
		if !g.next() {
			return
		}
		other.next()
	}
}

func slide(ids []int32, g, other *group) {
	highest, meets := 0, false
	for size := -1; size != g.to-g.from; { // again, if it took in another group
		size = g.to - g.from
		for g.up(ids) {
			other.back()
		}
		highest, meets = g.to, !other.empty()
		for g.down(ids) {
			other.next()
			meets = meets || !other.empty()
		}
	}
	if g.to == highest || !meets {
		return
	}
	for other.empty() {
		g.up(ids)
		other.back()
	}
}
