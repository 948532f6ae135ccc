package state_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"plait/backend/item"
	"plait/backend/state/statetest"
)

// TestBrokenVariants shows that the oracle tells the design from what looks like
// it: each broken way of doing it ends, for some seeds, with siblings that are not
// the writes which no write replaced. The honest way never does.
func TestBrokenVariants(t *testing.T) {
	for _, c := range []struct {
		name string
		how  broken
	}{
		{"honest", honest},
		{"applying out of causal order", anyOrder},
		{"adopting a vector from a head", adoptsVector},
		{"computing the basis anew from state", basisAnew},
	} {
		t.Run(c.name, func(t *testing.T) {
			runs, caught := scaled(200), 0
			for seed := range uint64(runs) {
				w := newWorld(rand.New(rand.NewPCG(seed, 5)), 2+int(seed%4), c.how)
				w.run(t, 40, nil)
				if slices.ContainsFunc(w.all, func(d *device) bool { return w.log.Check(doc, d.it, nil) != nil }) {
					caught++
				}
			}
			judge(t, c.how == honest, caught, runs)
		})
	}
	for _, c := range []struct {
		name   string
		dotted bool
	}{
		{"the model with dots", true},
		{"merging on a last common ancestor", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			runs, caught := scaled(400), 0
			for seed := range uint64(runs) {
				if !ancestorRun(rand.New(rand.NewPCG(seed, 6)), 2+int(seed%4), c.dotted) {
					caught++
				}
			}
			judge(t, c.dotted, caught, runs)
		})
	}
}

func judge(t *testing.T, right bool, caught, runs int) {
	t.Helper()
	t.Logf("the oracle objects in %d of %d runs", caught, runs)
	if right && caught > 0 {
		t.Errorf("the oracle objects to the right way in %d of %d runs", caught, runs)
	}
	if !right && caught == 0 {
		t.Errorf("the oracle never objects, in %d runs", runs)
	}
}

// A commit is a version of the whole document, as git keeps it: what each atom has
// (writes by number; several are a conflict), and the versions that it came from.
type commit struct {
	id      int
	parents []*commit
	atoms   map[item.Key][]item.Dot
	known   map[item.Dot][]item.Dot // with dots: every write it has seen, and what each replaced
}

// ancestorRun lets devices merge whole documents three-way on their last common
// ancestor, with stale reads, and says whether all of them end with the siblings
// that the oracle expects. With dotted, heads merge by replaced dots instead, over
// the same steps.
func ancestorRun(r *rand.Rand, n int, dotted bool) bool {
	log := statetest.New()
	made := 0
	next := func(atoms map[item.Key][]item.Dot, parents ...*commit) *commit {
		made++
		c := &commit{made, parents, atoms, map[item.Dot][]item.Dot{}}
		for _, p := range parents {
			maps.Copy(c.known, p.known)
		}
		return c
	}
	root := next(map[item.Key][]item.Dot{})
	heads := make([]*commit, n)
	published := make([][]*commit, n)
	for i := range heads {
		heads[i], published[i] = root, []*commit{root}
	}
	keys := []item.Key{key("/a"), key("/b")}
	seq := make([]uint64, n)
	meet := func(i int, other *commit) {
		mine := heads[i]
		switch {
		case reaches(mine, other):
			return
		case reaches(other, mine):
			heads[i] = other
		default:
			base := lastCommon(mine, other)
			atoms := map[item.Key][]item.Dot{}
			for _, k := range keys {
				if dotted {
					atoms[k] = survivors(union(mine.atoms[k], other.atoms[k]), mine.known, other.known)
				} else {
					atoms[k] = threeWay(base.atoms[k], mine.atoms[k], other.atoms[k])
				}
			}
			heads[i] = next(atoms, mine, other)
		}
		published[i] = append(published[i], heads[i])
	}
	for range 40 {
		i := r.IntN(n)
		if r.IntN(2) == 0 {
			k := keys[r.IntN(len(keys))]
			seq[i]++
			var id item.Device
			id[0] = byte(i + 1)
			e := &item.Entry{Author: item.Author{Device: id}, Seq: seq[i], Action: item.Edit,
				Writes: []item.Write{{Item: doc, Key: k, Value: jsonValue(fmt.Sprint(made)), Replaces: heads[i].atoms[k]}}}
			if err := log.Record(e); err != nil {
				panic(err)
			}
			atoms := maps.Clone(heads[i].atoms)
			atoms[k] = []item.Dot{e.Dot()}
			replaces := heads[i].atoms[k]
			heads[i] = next(atoms, heads[i])
			heads[i].known[e.Dot()] = replaces
			published[i] = append(published[i], heads[i])
		} else {
			from := published[r.IntN(n)]
			meet(i, from[len(from)-1-r.IntN(min(3, len(from)))])
		}
	}
	for range n {
		for i := range heads {
			for j := range heads {
				meet(i, heads[j])
			}
		}
	}
	for _, h := range heads {
		for _, k := range keys {
			if log.CheckAtom(statetest.Atom{Item: doc, Key: k}, nil, h.atoms[k]) != nil {
				return false
			}
		}
	}
	return true
}

// lastCommon is the first common ancestor that a walk from both finds: the newest.
func lastCommon(a, b *commit) *commit {
	todo := []*commit{a}
	for len(todo) > 0 {
		slices.SortFunc(todo, func(x, y *commit) int { return y.id - x.id })
		c := todo[0]
		if reaches(b, c) {
			return c
		}
		todo = slices.Compact(append(todo[1:], c.parents...))
	}
	panic("no common ancestor")
}

// reaches says whether old is c or came before it.
func reaches(c, old *commit) bool {
	seen := map[*commit]bool{}
	var walk func(*commit) bool
	walk = func(c *commit) bool {
		if c == old {
			return true
		}
		if seen[c] || c.id < old.id {
			return false
		}
		seen[c] = true
		return slices.ContainsFunc(c.parents, walk)
	}
	return walk(c)
}

func threeWay(base, a, b []item.Dot) []item.Dot {
	switch {
	case slices.Equal(a, b), slices.Equal(b, base):
		return a
	case slices.Equal(a, base):
		return b
	}
	return union(a, b)
}

func union(a, b []item.Dot) []item.Dot {
	out := slices.Concat(a, b)
	slices.SortFunc(out, item.Dot.Compare)
	return slices.Compact(out)
}

// survivors leaves out what a write replaced that either side has seen.
func survivors(in []item.Dot, known ...map[item.Dot][]item.Dot) []item.Dot {
	return slices.DeleteFunc(in, func(d item.Dot) bool {
		return slices.ContainsFunc(known, func(seen map[item.Dot][]item.Dot) bool {
			for _, replaced := range seen {
				if slices.Contains(replaced, d) {
					return true
				}
			}
			return false
		})
	})
}
