package merge

import (
	"bytes"
	"fmt"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
	"plait/backend/merge/text"
)

// Strict is a JSON value without comments and trailing commas, numbers and strings
// as they were written, for readers that take nothing else. It fails for what
// does not parse.
func Strict(raw []byte) ([]byte, error) {
	t, err := jsonc.Parse(raw)
	if err != nil {
		return nil, err
	}
	if len(t.Errors) > 0 || t.Root() == jsonc.None {
		return nil, fmt.Errorf("not one JSON value: %q", raw)
	}
	return strict(t, t.Root(), nil), nil
}

func strict(t *jsonc.Tree, n int32, out []byte) []byte {
	kind := t.Nodes[n].Kind
	if !kind.Container() {
		return append(out, t.Raw(n)...)
	}
	ends := "[]"
	if kind == jsonc.Object {
		ends = "{}"
	}
	out = append(out, ends[0])
	for i, c := range t.Children(n) {
		if i > 0 {
			out = append(out, ',')
		}
		if kind == jsonc.Object {
			out = append(append(out, t.RawKey(c)...), ':')
		}
		out = strict(t, c, out)
	}
	return append(out, ends[1])
}

// Both is a value that has what either side has: elements or members of local and
// then those of remote that local lacks; of texts every line, local's first where
// both changed the same ones. ok is false for values that can't have both.
func Both(t item.Type, k item.Key, base *item.Value, local, remote item.Value) (both item.Value, ok bool) {
	switch {
	case local.Kind == item.Text && remote.Kind == item.Text:
		var b []byte
		if base != nil && base.Kind == item.Text {
			b = base.Data
		}
		both = local
		both.Data = bothTexts(text.Merge(b, local.Data, remote.Data))
		return both, true
	case local.Kind == item.JSON && remote.Kind == item.JSON:
		data, ok := Union(local.Data, remote.Data)
		return item.Value{Kind: item.JSON, Data: data}, ok
	}
	return item.Value{}, false
}

func bothTexts(r text.Result) []byte {
	if r.Clean {
		return r.Text()
	}
	var out []byte
	for _, c := range r.Chunks {
		switch c.Kind {
		case text.Conflict:
			out = append(out, r.Part(c, 1)...)
			if len(out) > 0 && out[len(out)-1] != '\n' {
				out = append(out, '\n')
			}
			out = append(out, r.Part(c, 2)...)
		case text.Remote:
			out = append(out, r.Part(c, 2)...)
		default:
			out = append(out, r.Part(c, 1)...)
		}
	}
	return out
}

// Union appends to the list or map a what b has beyond it: elements that mean
// something new, members under new keys. ok is false for anything else.
func Union(a, b []byte) (union []byte, ok bool) {
	ta, errA := jsonc.Parse(a)
	tb, errB := jsonc.Parse(b)
	if errA != nil || errB != nil || len(ta.Errors)+len(tb.Errors) > 0 || ta.Root() == jsonc.None || tb.Root() == jsonc.None {
		return nil, false
	}
	if k := ta.Nodes[0].Kind; !k.Container() || k != tb.Nodes[0].Kind {
		return nil, false
	}
	name := func(t *jsonc.Tree, n int32) string {
		if t.Nodes[n].Key >= 0 {
			return t.Key(n)
		}
		return string(t.Canonical(n))
	}
	known := map[string]bool{}
	var seq []jsonc.Place
	for _, n := range ta.Children(0) {
		known[name(ta, n)] = true
		seq = append(seq, jsonc.Place{Node: n})
	}
	for _, n := range tb.Children(0) {
		if id := name(tb, n); !known[id] {
			known[id] = true
			seq = append(seq, jsonc.Place{Node: jsonc.None, New: &jsonc.Member{Key: tb.RawKey(n), Value: tb.Raw(n)}})
		}
	}
	p := jsonc.NewPatch(ta, jsonc.Layout{})
	p.SetSequence(0, seq)
	return p.Bytes(), true
}

// Markers is a text with both sides of every conflict in it, as git writes them with
// --conflict=diff3. labels name base, local and remote.
func Markers(base *item.Value, local, remote item.Value, labels [3]string) []byte {
	var b []byte
	if base != nil && base.Kind == item.Text {
		b = base.Data
	}
	return text.Merge(b, local.Data, remote.Data).Markers(labels)
}

// HasMarkers says whether a text has lines as Markers writes them.
func HasMarkers(b []byte) bool {
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(line, []byte("<<<<<<< ")) || bytes.HasPrefix(line, []byte(">>>>>>> ")) {
			return true
		}
	}
	return false
}
