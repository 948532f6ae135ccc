package view

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/merge/text"
)

// A builder plans a merge of JSON documents.
type builder struct {
	*Plan
	in       Input
	versions [3][]byte
	docs     [3]merge.Doc
	merged   merge.Doc

	conflicts map[item.Key]*merge.Conflict
	decisions map[item.Key]*merge.Decision
	units     [3]map[string]bool
	twice     map[string]bool // roots of duplicates
	byNumber  map[int]string  // roots, by the member's number in the full document
}

// gather makes a point of each conflict and each decision. Atoms that only make
// sense together are one: a value and what stands below it where another side
// has a value; a value that a side lacks, and its comments.
func (b *builder) gather() {
	b.conflicts, b.decisions = map[item.Key]*merge.Conflict{}, map[item.Key]*merge.Decision{}
	heads := map[string]bool{} // paths of values that are decided about
	var keys []item.Key
	for i := range b.in.Conflicts {
		c := &b.in.Conflicts[i]
		at := c.Key
		if c.Reason.Code == merge.Rebound && c.Local != nil {
			// It is named by the rule that both sides gave up; what stands in the result
			// until somebody chooses is local's.
			if k, ok := b.ruleOf(*c.Local); ok {
				at = k
			}
		}
		b.conflicts[at] = c
		keys = append(keys, at)
	}
	for i := range b.in.Decisions {
		d := &b.in.Decisions[i]
		if _, known := b.conflicts[d.Key]; known || d.Key.Lane == item.LaneSkeleton {
			continue
		}
		b.decisions[d.Key] = d
		keys = append(keys, d.Key)
	}
	for _, k := range keys {
		if k.Lane == item.LaneValue {
			heads[k.Path] = true
		}
	}
	b.countUnits()
	families := map[item.Key][]item.Key{}
	var order []item.Key
	for _, k := range keys {
		head := b.headOf(k, heads)
		if _, known := families[head]; !known {
			order = append(order, head)
		}
		families[head] = append(families[head], k)
	}
	for _, head := range order {
		b.addPoint(head, families[head])
	}
}

// countUnits finds which snippets, tasks, servers and the like a side has at all.
func (b *builder) countUnits() {
	if b.Type == item.Settings || b.Type == item.Keybindings {
		return // there each value stands for itself
	}
	for s := range b.docs {
		b.units[s] = map[string]bool{}
		for k := range b.docs[s].Atoms {
			if k.Lane == item.LaneValue {
				b.units[s][merge.Unit(b.Type, k)] = true
			}
		}
	}
}

// headOf is the key that k is decided together with.
func (b *builder) headOf(k item.Key, heads map[string]bool) item.Key {
	if u := merge.Unit(b.Type, k); u != "" && b.units[Local] != nil &&
		b.units[Local][u] != b.units[Remote][u] && k.Lane <= item.LaneTrail {
		return item.Key{Path: u} // half a task is none
	}
	switch {
	case k.Lane == item.LaneValue:
	case comment(k):
		owner := ownerOf(k)
		if top, ok := topmost(owner, heads); ok && b.comesOrGoes(item.Key{Path: top}) {
			return item.Key{Path: top}
		}
		return k
	default:
		return k
	}
	top, _ := topmost(k.Path, heads)
	return item.Key{Path: top}
}

// topmost is the shortest of the paths that path stands at or below.
func topmost(path string, paths map[string]bool) (string, bool) {
	for i := 1; i <= len(path); i++ {
		if i == len(path) || path[i] == '/' {
			if paths[path[:i]] {
				return path[:i], true
			}
		}
	}
	return path, false
}

// ownerOf is the path that a comment stands at.
func ownerOf(k item.Key) string {
	if i := strings.LastIndex(k.Path, "//"); i >= 0 && k.Lane == item.LaneComment {
		return k.Path[:i]
	}
	return k.Path
}

// comesOrGoes says whether a side lacks the key.
func (b *builder) comesOrGoes(k item.Key) bool {
	for s := range b.docs {
		if _, ok := b.docs[s].Atoms[k]; !ok {
			return true
		}
	}
	return false
}

func (b *builder) addPoint(head item.Key, keys []item.Key) {
	pt := point{keys: []item.Key{head}, rule: b.Type == item.Keybindings, merged: map[item.Key]item.Value{}}
	for _, k := range keys {
		if k != head {
			pt.keys = append(pt.keys, k)
		}
	}
	conflict := b.conflicts[head]
	for _, k := range keys {
		if c := b.conflicts[k]; conflict == nil && c != nil {
			conflict = c
		}
	}
	if conflict != nil && conflict.Reason.Code == merge.Rebound {
		b.rebind(&pt, conflict)
	}
	if head.Lane == item.LaneValue && (conflict != nil && conflict.Reason.Code == merge.Shape || len(keys) > 1 || keys[0] != head) {
		b.below(&pt, head.Path)
	}
	slices.SortFunc(pt.keys[1:], func(x, y item.Key) int {
		return cmp.Or(cmp.Compare(x.Path, y.Path), cmp.Compare(x.Lane, y.Lane))
	})
	for s := range pt.side {
		pt.side[s] = b.atomsOf(&pt, s)
	}
	for _, k := range pt.keys {
		if v, ok := b.merged.Atoms[k]; ok {
			pt.merged[k] = v
		}
	}
	b.Chunks = append(b.Chunks, b.chunk(&pt, conflict))
	b.points = append(b.points, pt)
}

// rebind adds the other keys that a command was bound to, in the form that a rule
// with such a value has.
func (b *builder) rebind(pt *point, c *merge.Conflict) {
	pt.rebound = true
	for _, v := range []*item.Value{c.Local, c.Remote, c.Base} {
		if v == nil {
			continue
		}
		if k, ok := b.ruleOf(*v); ok && !slices.Contains(pt.keys, k) {
			pt.keys = append(pt.keys, k)
		}
	}
}

// ruleOf is the key of the atom that a keybinding is.
func (b *builder) ruleOf(v item.Value) (item.Key, bool) {
	if v.Kind != item.JSON {
		return item.Key{}, false
	}
	d, err := merge.Atomize(b.Type, slices.Concat([]byte{'['}, v.Data, []byte{']'}), merge.Options{})
	if err != nil {
		return item.Key{}, false
	}
	for k := range d.Atoms {
		if k.Lane == item.LaneValue {
			return k, true
		}
	}
	return item.Key{}, false
}

// below adds to a point all that stands below its key on any side.
func (b *builder) below(pt *point, path string) {
	known := map[item.Key]bool{}
	for _, k := range pt.keys {
		known[k] = true
	}
	for _, d := range append(b.docs[:], b.merged) {
		for k := range d.Atoms {
			if k.Lane <= item.LaneTrail && !known[k] && strings.HasPrefix(k.Path, path+"/") {
				known[k] = true
				pt.keys = append(pt.keys, k)
			}
		}
	}
}

// atomsOf is what a side has of a point. The conflict's own value counts, unless
// it stands for what the side has below.
func (b *builder) atomsOf(pt *point, side int) map[item.Key]item.Value {
	out := map[item.Key]item.Value{}
	for _, k := range pt.keys {
		if v, ok := b.docs[side].Atoms[k]; ok {
			out[k] = v
		}
	}
	for _, k := range pt.keys {
		c := b.conflicts[k]
		if c == nil || pt.rebound {
			continue
		}
		v := [3]*item.Value{c.Base, c.Local, c.Remote}[side]
		_, direct := out[k]
		switch {
		case v == nil || v.Kind == item.Absent || v.Kind == item.Hidden:
			delete(out, k)
		case direct || len(out) == 0:
			out[k] = *v
		}
	}
	return out
}

// chunk describes a point.
func (b *builder) chunk(pt *point, conflict *merge.Conflict) Chunk {
	head := pt.keys[0]
	c := Chunk{Keys: pt.keys, Lane: head.Lane, Path: head.Segments(), Label: merge.Label(b.Type, head), Slot: -1}
	for s := range pt.side {
		c.Has[s] = len(pt.side[s]) > 0
		c.Value[s], _ = shorten(pt.several(pt.side[s]))
	}
	if conflict != nil {
		c.ID, c.Kind, c.Reason, c.Class = conflict.ID, text.Conflict, conflict.Reason, NoClass
		if c.ID == "" || conflict.Key != head {
			c.ID = pt.id(b.Type)
		}
	} else {
		c.ID = pt.id(b.Type)
		b.decided(&c, pt)
	}
	if c.Lane == item.LaneOrder && c.Kind != text.Conflict {
		return c // for information
	}
	c.Options = pt.offer(&c, b.Sides[Base].Known)
	return c
}

// decided fills in what the merge did by itself.
func (b *builder) decided(c *Chunk, pt *point) {
	c.Kind, c.Class, c.Auto = text.Both, Exact, Merged
	for i, k := range pt.keys {
		d := b.decisions[k]
		if d == nil {
			continue
		}
		if i == 0 || c.Reason.Code == "" {
			c.Reason = d.Reason
		}
		switch d.Took {
		case "local":
			c.Kind = text.Local
		case "remote":
			c.Kind = text.Remote
		case "merged":
			c.Class = Safe
		}
		if i == 0 {
			break
		}
	}
	if c.Reason.Code == merge.CommentDiffers || c.Reason.Code == merge.OrderChosen || c.Reason.Code == merge.CommentGone {
		c.Class = Heuristic
	}
	for _, s := range []int{Local, Remote} {
		if same(pt.side[s], pt.merged) {
			c.Auto = []OptionID{TakeBase, TakeLocal, TakeRemote}[s]
			return
		}
	}
}

// id names a point that is no conflict, as a conflict is named.
func (pt *point) id(t item.Type) string {
	v := [3]item.Value{}
	for s := range v {
		if len(pt.side[s]) > 0 {
			v[s] = item.Value{Kind: item.JSON, Data: pt.several(pt.side[s])}
		}
	}
	return merge.ID(t, pt.keys[0], &v[Base], v[Local], v[Remote])
}

func same(a, b map[item.Key]item.Value) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || !bytes.Equal(v.Data, w.Data) {
			return false
		}
	}
	return true
}
