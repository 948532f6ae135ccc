package merge

import (
	"bytes"
	"unicode/utf8"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
	"plait/backend/merge/text"
)

// Value merges one atom three ways. base is nil where none is known; a side may be a
// tombstone. ok is false for a conflict.
//
// It is symmetric: exchanging local and remote changes neither bytes nor ok.
//
//	base local remote → merged
//	A    A     B        B           one side changed it
//	A    B     B'       the first of B and B' by bytes, if they mean the same
//	A    B     C        text, sets, keyed lists, objects: merged inside, or a conflict
//	A    B     –        conflict
//
// Comments and skeletons that differ give no ok either, though nobody need be asked:
// the caller takes the first side in dot order of comments, the latest of skeletons.
func Value(t item.Type, k item.Key, base *item.Value, local, remote item.Value) (item.Value, bool) {
	if Same(t, k, local, remote) {
		return either(local, remote), true
	}
	if base != nil {
		l, r := Same(t, k, *base, local), Same(t, k, *base, remote)
		switch {
		case l && k.Lane != item.LaneOrder:
			return remote, true
		case r && k.Lane != item.LaneOrder:
			return local, true
		}
	}
	if k.Lane == item.LaneOrder && local.Kind != remote.Kind {
		if local.Kind == item.Absent {
			return remote, true
		}
		if remote.Kind == item.Absent {
			return local, true
		}
	}
	if local.Kind != remote.Kind || local.Kind == item.Absent || local.Kind == item.Hidden || local.Kind == item.Blob {
		return item.Value{}, false
	}
	if base != nil && base.Kind != local.Kind {
		base = nil
	}
	switch {
	case k.Lane == item.LaneSkeleton:
		return item.Value{}, false
	case k.Lane == item.LaneOrder:
		var b []byte
		if base != nil {
			b = base.Data
		}
		out, ok := mergeOrder(b, local.Data, remote.Data, base != nil, t == item.Keybindings)
		return jsonValue(out), ok
	case local.Kind == item.Text:
		return mergeTexts(base, local, remote)
	}
	var b []byte
	if base != nil {
		b = base.Data
	}
	if bytes.Compare(local.Data, remote.Data) > 0 {
		local, remote = remote, local
	}
	out, ok := mergeJSON(t, k.Segments(), b, local.Data, remote.Data)
	return jsonValue(out), ok
}

// either is one of two values that mean the same, whichever side is which.
func either(a, b item.Value) item.Value {
	if c := bytes.Compare(a.Data, b.Data); c > 0 || c == 0 && a.Mode > b.Mode {
		return b
	}
	return a
}

// mergeTexts merges two texts and their execute bits over base.
func mergeTexts(base *item.Value, local, remote item.Value) (item.Value, bool) {
	out := item.Value{Kind: item.Text, Mode: local.Mode}
	if local.Mode != remote.Mode {
		out.Mode = mergeMode(base, local.Mode, remote.Mode)
	}
	if bytes.Equal(local.Data, remote.Data) {
		out.Data = local.Data
		return out, true
	}
	if base == nil || !isText(base.Data) || !isText(local.Data) || !isText(remote.Data) {
		return item.Value{}, false
	}
	m := text.Merge(base.Data, local.Data, remote.Data)
	if !m.Clean {
		return item.Value{}, false
	}
	out.Data = m.Text()
	return out, true
}

// mergeMode takes the execute bit of the side that changed it. One bit can't be
// changed to two different values, so it never conflicts; without a base the file
// that can be run stays so.
func mergeMode(base *item.Value, local, remote uint32) uint32 {
	if base != nil {
		switch {
		case (base.Mode^local)&0o100 != 0 && (base.Mode^remote)&0o100 == 0:
			return local
		case (base.Mode^remote)&0o100 != 0 && (base.Mode^local)&0o100 == 0:
			return remote
		}
	}
	if local&0o100 != remote&0o100 {
		return max(local&0o100, remote&0o100) | min(local, remote)&^0o100
	}
	return min(local, remote)
}

// isText says whether data can be merged by lines: UTF-8 without NUL.
func isText(data []byte) bool {
	return bytes.IndexByte(data, 0) < 0 && utf8.Valid(data)
}

// tree parses the text of a value; nil if it is none.
func tree(raw []byte) *jsonc.Tree {
	t, err := jsonc.Parse(raw)
	if err != nil || len(t.Errors) > 0 || t.Root() == jsonc.None {
		return nil
	}
	return t
}
