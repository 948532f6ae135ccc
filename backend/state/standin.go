package state

import (
	"encoding/json"
	"maps"
	"slices"

	"plait/backend/item"
)

// standIn is the sibling that stands for all that is to be seen below root in a
// subtree's conflict: dot, time and action of the latest write there, and as its
// value a JSON object for people to read. keys are in order, at least one.
func standIn(it *Item, view map[item.Key]Shown, root item.Key, keys []item.Key) Sibling {
	newest := make([]Sibling, len(keys))
	top := &branch{}
	depth := len(root.Segments())
	for i, k := range keys {
		newest[i] = Newest(present(it.Atoms[k].Live))
		v := newest[i].Value
		if s := view[k]; s.Conflict == nil {
			v = s.Value
		}
		top.add(k.Segments()[depth:], v.Data)
	}
	s := Newest(newest)
	s.Value = item.Value{Kind: item.JSON, Data: top.write(nil)}
	s.Replaces, s.ReplacedBy = nil, nil
	return s
}

// A branch is an object being put together from the values of leaves.
type branch struct {
	leaf []byte // shown where nothing is below
	sub  map[string]*branch
}

func (b *branch) add(p item.Path, leaf []byte) {
	for _, seg := range p[:min(len(p), maxDepth)] {
		if b.sub == nil {
			b.sub = make(map[string]*branch)
		}
		next := b.sub[seg]
		if next == nil {
			next = &branch{}
			b.sub[seg] = next
		}
		b = next
	}
	b.leaf = leaf
}

// write appends the branch as JSON. Leaves are taken as they were written.
func (b *branch) write(out []byte) []byte {
	if len(b.sub) == 0 {
		return append(out, b.leaf...)
	}
	out = append(out, '{')
	for i, seg := range slices.Sorted(maps.Keys(b.sub)) {
		if i > 0 {
			out = append(out, ", "...)
		}
		name, err := json.Marshal(seg)
		if err != nil {
			panic("state: a string that JSON can't hold: " + err.Error())
		}
		out = append(append(out, name...), ": "...)
		out = b.sub[seg].write(out)
	}
	return append(out, '}')
}
