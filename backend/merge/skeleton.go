package merge

import (
	"bytes"
	"strings"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// skeleton is the document with its values blanked: leaves become 0, leaf elements
// of lists a string that names them; what is masked or has no effect is not in it.
func (d *doc) skeleton() []byte {
	if len(d.inert)+len(d.masked) > 0 {
		bare, err := d.bare(Options{})
		if err != nil {
			return nil
		}
		return bare.skeleton()
	}
	src := d.tree.Src
	at := len(src) - len(bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")))
	out := make([]byte, 0, len(src))
	for i := range d.atoms {
		a := &d.atoms[i]
		if a.key.Lane != item.LaneValue {
			continue
		}
		n := &d.tree.Nodes[a.node]
		if _, container := d.paths[a.node]; container {
			continue
		}
		out = append(out, src[at:n.Start]...)
		if up := n.Parent; up >= 0 && d.tree.Nodes[up].Kind == jsonc.Array {
			name := a.key.Path
			if d.t != item.Keybindings {
				segs := a.key.Segments()
				name = segs[len(segs)-1]
			}
			out = append(out, jsonc.Quote(name)...)
		} else {
			out = append(out, '0')
		}
		at = int(n.End)
	}
	return append(out, src[at:]...)
}

// bare is the document without what is masked or has no effect, as o takes it apart.
func (d *doc) bare(o Options) (*doc, error) {
	p := jsonc.NewPatch(d.tree, jsonc.Layout{})
	for _, s := range d.containers {
		var seq []jsonc.Place
		gone := false
		for _, c := range d.tree.Children(s.node) {
			if d.live(c) {
				seq = append(seq, jsonc.Place{Node: c})
			} else {
				gone = true
			}
		}
		if gone {
			p.SetSequence(s.node, seq)
		}
	}
	return cut(d.t, p.Bytes(), o, nil)
}

// skeletonOf reads want's skeleton; nil if there is none that can be read.
func skeletonOf(t item.Type, want map[item.Key]item.Value) *doc {
	v, ok := want[skeletonKey]
	if !ok || v.Kind != item.Text {
		return nil
	}
	d, err := cut(t, v.Data, Options{}, nil)
	if err != nil {
		return nil
	}
	return d
}

// startOver takes the skeleton d for the document itself, with current's byte order mark,
// and without what is masked here but was not where the skeleton comes from: it would
// stay, with a blank for a value.
func (d *doc) startOver(current []byte, o Options) *doc {
	src := d.tree.Src
	if strings.HasPrefix(string(current), "\xef\xbb\xbf") {
		src = append([]byte("\xef\xbb\xbf"), src...)
	}
	again, err := cut(d.t, src, o, nil)
	if err == nil && len(again.masked) > 0 {
		again, err = again.bare(o)
	}
	if err != nil {
		return d
	}
	return again
}
