package editor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A NotFound names what was looked for, and what comes near.
type NotFound struct {
	What string // "editor", "profile of VS Code"
	Name string
	Near []string // nearest first
	Gone bool     // the product is known, but has no data here
}

func (e *NotFound) Error() string {
	s := fmt.Sprintf("no %s is called %q", e.What, e.Name)
	if e.Gone {
		s = fmt.Sprintf("%s has no data here", e.Name)
	}
	if len(e.Near) > 0 {
		s += "; there is " + strings.Join(e.Near, ", ")
	}
	return s
}

// Lookup finds an editor by name, id or command, in any case. A command that several answer
// to means the first, which is the ordinary installation.
func Lookup(found []Editor, name string) (Editor, error) {
	is := func(s string) bool { return s != "" && strings.EqualFold(s, name) }
	for _, e := range found {
		if is(e.Name) || is(e.ID) {
			return e, nil
		}
	}
	for _, e := range found {
		if is(e.Command) || slices.ContainsFunc(e.Commands, is) {
			return e, nil
		}
	}
	var names []string
	for _, e := range found {
		names = append(names, e.Name)
		names = append(names, e.Commands...)
	}
	err := &NotFound{What: "editor", Name: name, Near: near(name, names)}
	for _, d := range descriptors() {
		if is(d.Name) || is(d.ID) || slices.ContainsFunc(d.Commands, is) {
			err.Name, err.Gone = d.Name, true
		}
	}
	return Editor{}, err
}

// near are the names that somebody may have meant, nearest first: those that hold what
// was typed, and those that a few slips away from it. At most three.
func near(name string, names []string) []string {
	type scored struct {
		name string
		far  int
	}
	want := simple(name)
	var all []scored
	for _, n := range names {
		got := simple(n)
		far := distance(want, got)
		if want != "" && strings.Contains(got, want) {
			far = min(far, 1)
		}
		if far <= max(1, len(want)/3) && !slices.ContainsFunc(all, func(s scored) bool { return s.name == n }) {
			all = append(all, scored{n, far})
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(a.far, b.far) })
	var best []string
	for _, s := range all[:min(3, len(all))] {
		best = append(best, s.name)
	}
	return best
}

// simple leaves letters and digits, in lower case.
func simple(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '_' || r == '.' || r == '(' || r == ')' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// distance is how many characters have to be added, dropped, exchanged, or swapped with
// their neighbour (optimal string alignment).
func distance(a, b string) int {
	as, bs := []rune(a), []rune(b)
	rows := make([][]int, len(as)+1)
	for i := range rows {
		rows[i] = make([]int, len(bs)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(as); i++ {
		for j := 1; j <= len(bs); j++ {
			change := rows[i-1][j-1]
			if as[i-1] != bs[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && as[i-1] == bs[j-2] && as[i-2] == bs[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(as)][len(bs)]
}
