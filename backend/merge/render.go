package merge

import (
	"fmt"
	"slices"
	"strings"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// Render puts want into current, with as few edits as that takes: byte order mark,
// line ends, indentation, trailing commas and all that want says nothing about stay.
// A document without a value is laid out by want's skeleton.
//
// Members that want does not have go, with the comments they own. Comments of members
// that want does not have are left out, and so is {} or [] at a path that has members.
// Of a value and members below it the value wins. It fails with a *SyntaxError,
// ErrTooDeep or ErrTooLarge for current, ErrTooDeep or ErrAtoms for want.
func Render(t item.Type, current []byte, want map[item.Key]item.Value, o Options) ([]byte, error) {
	if !structured(t) {
		if v, ok := want[item.Key{}]; ok && v.Kind == item.Text {
			return v.Data, nil
		}
		return nil, nil
	}
	for k := range want { // before laying it out takes minutes
		if jsonc.TooDeep(strings.Count(k.Path, "/")) {
			return nil, ErrTooDeep
		}
	}
	cur, err := cut(t, current, o, nil)
	if err != nil {
		return nil, err
	}
	hints := skeletonOf(t, want)
	if hints != nil && cur.tree.Root() == jsonc.None && hints.tree.Root() != jsonc.None && anyValue(want) {
		cur, hints = hints.startOver(current, o), nil
	}
	return cur.render(cur.diff(want), func(k item.Key) (item.Value, bool) { v, ok := want[k]; return v, ok }, hints)
}

func anyValue(want map[item.Key]item.Value) bool {
	for k, v := range want {
		if k.Lane == item.LaneValue && v.Kind == item.JSON {
			return true
		}
	}
	return false
}

// A change gives an atom a value, or takes it away.
type change struct {
	key   item.Key
	value item.Value // Absent: take away
}

// diff lists, in key order, what turns the document into want.
func (d *doc) diff(want map[item.Key]item.Value) []change {
	var cs []change
	for i := range d.atoms {
		a := &d.atoms[i]
		v, ok := want[a.key]
		switch {
		case !ok || v.Kind == item.Absent || v.Kind == item.Hidden:
			if a.key.Lane != item.LaneOrder {
				cs = append(cs, change{key: a.key})
			}
		case !Same(d.t, a.key, a.value(), v):
			cs = append(cs, change{a.key, v})
		}
	}
	for k, v := range want {
		if v.Kind == item.Absent || v.Kind == item.Hidden || k.Lane == item.LaneSkeleton {
			continue
		}
		if d.find(k) == nil && !d.ignored(k) {
			cs = append(cs, change{k, v})
		}
	}
	slices.SortFunc(cs, func(a, b change) int { return compareKeys(a.key, b.key) })
	return cs
}

// compareKeys orders keys by path, then by lane.
func compareKeys(a, b item.Key) int {
	if c := strings.Compare(a.Path, b.Path); c != 0 {
		return c
	}
	return int(a.Lane) - int(b.Lane)
}

// ignored says whether a key is masked here, by itself or by what holds it.
func (d *doc) ignored(k item.Key) bool {
	if d.o.Ignore == nil {
		return false
	}
	path := k.Path
	if k.Lane == item.LaneComment || k.Lane == item.LaneTrail {
		path, _ = slotOf(k)
	}
	segs := item.Key{Path: path}.Segments()
	for n := 1; n <= len(segs); n++ {
		if d.o.Ignore(segs[:n:n]) {
			return true
		}
	}
	return false
}

// render writes the document with the changes made, which are in key order. want is all
// that it shall hold; hints, if not nil, say where new members go.
func (d *doc) render(cs []change, want func(item.Key) (item.Value, bool), hints *doc) ([]byte, error) {
	if len(cs) == 0 {
		return d.tree.Src, nil
	}
	e := &editor{
		d: d, hints: hints, want: want,
		gone: map[int32]bool{}, new: map[int32][]*fresh{}, whole: map[int32]bool{}, made: map[string]*fresh{}, values: map[string]bool{},
		touched: map[int32]bool{}, orders: map[int32][]item.Key{}, comments: map[string][]change{},
	}
	var l jsonc.Layout
	if hints != nil {
		l = hints.tree.Layout(l)
	}
	e.patch = jsonc.NewPatch(d.tree, l)
	if err := e.apply(cs); err != nil {
		return nil, err
	}
	out := e.patch.Bytes()
	t, err := jsonc.Parse(out)
	if err != nil {
		return nil, err
	}
	if len(t.Errors) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrAtoms, t.Errors[0].Msg)
	}
	return out, nil
}
