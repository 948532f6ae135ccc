package state

import (
	"slices"
	"strings"

	"plait/backend/item"
	"plait/backend/merge"
)

// maxDepth is as deep as documents go (the parser's cap); deeper paths, which no
// honest device writes, are not looked at for what lies above them.
const maxDepth = 1000

// showSubtrees finds values with values below them, which no document can hold
// both of. An empty object, being a place for members, yields to them. Any other
// is one conflict with all that is below it, or the latest side wins, as the
// strategy at the upper path says.
func showSubtrees(t item.Type, it *Item, view map[item.Key]Shown, strategy func(item.Key) Strategy) {
	below := make(map[item.Key][]item.Key) // of each topmost value that does not yield
	var yields []item.Key
	for k, s := range view {
		if k.Lane != item.LaneValue || !isPath(k.Path) || !shows(it, k, s) {
			continue
		}
		var root item.Key
		found := false
		for p, n := k.Path, 0; p != "" && n < maxDepth; n++ {
			p = p[:strings.LastIndexByte(p, '/')]
			up := item.Key{Lane: item.LaneValue, Path: p}
			switch us, ok := view[up]; {
			case !ok || !shows(it, up, us):
			case isPlace(t, up, it.Atoms[up], us):
				yields = append(yields, up)
			default:
				root, found = up, true // the last one found is the topmost
			}
		}
		if found {
			below[root] = append(below[root], k)
		}
	}
	for _, k := range yields {
		s := view[k]
		s.Value, s.How, s.Conflict = item.Value{}, HowChosen, nil
		view[k] = s
	}
	for root, keys := range below {
		slices.SortFunc(keys, CompareKeys)
		showSubtree(t, it, view, root, keys, strategy(root))
	}
}

// showSubtree decides between the value at root and those at keys below it.
func showSubtree(t item.Type, it *Item, view map[item.Key]Shown, root item.Key, keys []item.Key, s Strategy) {
	upper := present(it.Atoms[root].Live)
	lower := standIn(it, view, root, keys)
	all := append([]item.Key{root}, keys...)
	if s.asks() {
		sides := insert(upper, lower)
		i, _ := find(sides, lower.Dot)
		if i+1 < len(sides) && sides[i+1].Dot == lower.Dot {
			// One entry wrote both, which only a hostile one does; insert put ours first.
			i = slices.IndexFunc(sides, func(x Sibling) bool { return x.Dot == lower.Dot })
		}
		c := &Conflict{Key: root, Keys: all, Sides: sides, Below: i, Reason: merge.Reason{Code: merge.Shape, Args: map[string]string{"key": merge.Label(t, root)}}}
		for _, k := range all {
			v := view[k]
			v.Value, v.Conflict = item.Value{}, c
			view[k] = v
		}
		return
	}
	hide := keys
	if Later(lower, Newest(upper)) {
		hide = []item.Key{root}
	}
	for _, k := range hide {
		v := view[k]
		v.Value, v.How, v.Conflict = item.Value{}, HowLatest, nil
		view[k] = v
	}
	for _, k := range all {
		v := view[k]
		v.Subtree = all
		view[k] = v
	}
}

// shows says whether something is to be seen at k, decided or not.
func shows(it *Item, k item.Key, s Shown) bool {
	if s.Conflict == nil {
		return Present(s.Value)
	}
	return Present(present(it.Atoms[k].Live)[0].Value)
}

// isPlace says whether all that is to be seen is an empty container that can hold
// members: an object, or for the types whose arrays are taken apart, an array.
func isPlace(t item.Type, k item.Key, a *Atom, s Shown) bool {
	if s.Conflict == nil {
		return isEmpty(t, k, s.Value)
	}
	return !slices.ContainsFunc(present(a.Live), func(s Sibling) bool { return !isEmpty(t, k, s.Value) })
}

func isEmpty(t item.Type, k item.Key, v item.Value) bool {
	if v.Kind != item.JSON {
		return false
	}
	if merge.Same(t, k, v, item.Value{Kind: item.JSON, Data: []byte("{}")}) {
		return true
	}
	return t != item.Settings && merge.Same(t, k, v, item.Value{Kind: item.JSON, Data: []byte("[]")})
}
