package view

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/merge/jsonc"
	"plait/backend/merge/text"
)

var (
	// ErrUnknown says that there is no such chunk, or nothing to choose for it.
	ErrUnknown = errors.New("nothing to choose")
	// ErrOption says that the chunk does not offer that.
	ErrOption = errors.New("not among the options")
)

// A CustomError says why what a person wrote can't stand there.
type CustomError struct{ Diags []Diag }

func (e *CustomError) Error() string {
	d := e.Diags[0]
	return fmt.Sprintf("line %d, column %d: %s", d.Line, d.Column, d.Message)
}

// A point is what a chunk's options choose between: atoms of a JSON document that
// only make sense together, or lines.
type point struct {
	keys   []item.Key // the one that names it first
	side   [3]map[item.Key]item.Value
	merged map[item.Key]item.Value

	rule    bool // a keybinding
	rebound bool // the sides have one rule under different keys

	lines bool
	part  [3][]byte
	eol   []byte
}

// one is a side's value, if the point is about one atom.
func (pt *point) one(side int) ([]byte, bool) {
	if pt.lines {
		return pt.part[side], true
	}
	if len(pt.keys) != 1 {
		return nil, false
	}
	v, ok := pt.side[side][pt.keys[0]]
	return v.Data, ok
}

// offer lists what can be chosen.
func (pt *point) offer(c *Chunk, baseKnown bool) []Option {
	ids := []OptionID{TakeLocal, TakeRemote}
	if baseKnown {
		ids = append(ids, TakeBase)
	}
	if c.Auto == Merged {
		ids = append([]OptionID{Merged}, ids...)
	}
	var os []Option
	for _, id := range append(ids, LocalFirst, OtherFirst, Word) {
		data, ok := pt.show(id)
		if !ok {
			continue
		}
		o := Option{ID: id}
		o.Text, o.Cut = shorten(data)
		os = append(os, o)
	}
	return append(os, Option{ID: Custom})
}

// show is what an option would put there, as text; ok is false if it can't be offered.
func (pt *point) show(id OptionID) (data []byte, ok bool) {
	switch id {
	case TakeLocal, TakeRemote, TakeBase:
		data, _ = pt.one(sideOf(id))
		if !pt.lines && len(pt.keys) > 1 {
			data = pt.several(pt.side[sideOf(id)])
		}
		return data, true
	case Merged:
		return pt.several(pt.merged), true
	case LocalFirst, OtherFirst:
		return pt.both(id == OtherFirst)
	case Word:
		return pt.words()
	}
	return nil, false
}

func (pt *point) several(vs map[item.Key]item.Value) []byte {
	var out []byte
	for _, k := range pt.keys {
		if v, ok := vs[k]; ok {
			if len(out) > 0 {
				out = append(out, '\n')
			}
			out = append(out, v.Data...)
		}
	}
	return out
}

func sideOf(id OptionID) int {
	switch id {
	case TakeRemote:
		return Remote
	case TakeBase:
		return Base
	}
	return Local
}

// atoms is what an option makes of a point's keys; missing ones are removed.
func (pt *point) atoms(c Choice) (map[item.Key]item.Value, error) {
	switch c.Option {
	case Undecided, Merged:
		return pt.merged, nil
	case TakeLocal, TakeRemote, TakeBase:
		return pt.side[sideOf(c.Option)], nil
	}
	if pt.rebound && (c.Option == LocalFirst || c.Option == OtherFirst) {
		both := maps.Clone(pt.side[Local])
		maps.Copy(both, pt.side[Remote])
		return both, nil
	}
	key := pt.keys[0]
	data, kind := c.Custom, item.JSON
	if c.Option != Custom {
		var ok bool
		if data, ok = pt.show(c.Option); !ok {
			return nil, fmt.Errorf("%w: %s", ErrOption, c.Option)
		}
	}
	if comment(key) {
		kind = item.Text
		if !onlyComments(data) {
			return nil, &CustomError{[]Diag{{Kind: "syntax", Message: "a comment starts with // or is between /* and */", Line: 1, Column: 1}}}
		}
	} else if ds := valueErrors(data); len(ds) > 0 {
		return nil, &CustomError{ds}
	}
	return map[item.Key]item.Value{key: {Kind: kind, Data: data}}, nil
}

func comment(k item.Key) bool { return k.Lane == item.LaneComment || k.Lane == item.LaneTrail }

// onlyComments says whether s could stand between two members, and end there.
func onlyComments(s []byte) bool {
	t, err := jsonc.Parse(append(bytes.Clone(s), "\n0"...))
	return err == nil && len(t.Errors) == 0 && len(t.Nodes) == 1 && bytes.HasSuffix(t.Src, t.Raw(0))
}

// valueErrors says why data is not one JSON value, comments aside.
func valueErrors(data []byte) []Diag {
	if ds := validity(data); len(ds) > 0 {
		return ds
	}
	t, err := jsonc.Parse(data)
	if err != nil || t.Root() == jsonc.None {
		return []Diag{{Kind: "syntax", Message: "a value is missing", Line: 1, Column: 1}}
	}
	if n := t.Nodes[0]; len(bytes.TrimSpace(data[:n.Start]))+len(bytes.TrimSpace(data[n.End:])) > 0 {
		return []Diag{{Kind: "syntax", Message: "one value is wanted, and no comment around it", Line: 1, Column: 1}}
	}
	return nil
}

// linePiece makes a slot's piece of lines. The last of a document may lack its end;
// if others follow after all, it gets one.
func (pt *point) linePiece(data []byte) piece {
	c := piece{a: data, there: len(data) > 0}
	if n := len(data); n > 0 && data[n-1] != '\n' {
		c.sep = pt.eol
	}
	return c
}

// linesFor is what an option makes of a point of lines.
func (pt *point) linesFor(c Choice, auto OptionID) ([]byte, error) {
	if c.Option == Undecided {
		c.Option = auto
	}
	switch c.Option {
	case Custom:
		return c.Custom, nil
	case Undecided:
		return pt.part[Local], nil
	}
	data, ok := pt.show(c.Option)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrOption, c.Option)
	}
	return data, nil
}

// both joins what the sides have: lines after lines, comments after comments,
// elements or members that the first lacks after its own.
func (pt *point) both(swap bool) ([]byte, bool) {
	if pt.rebound {
		return slices.Concat(pt.several(pt.side[Local]), []byte{'\n'}, pt.several(pt.side[Remote])), !swap
	}
	l, okL := pt.one(Local)
	r, okR := pt.one(Remote)
	if !okL || !okR || bytes.Equal(l, r) {
		return nil, false
	}
	if swap {
		l, r = r, l
	}
	switch {
	case pt.lines:
		if len(l) == 0 || len(r) == 0 {
			return nil, false
		}
		return append(pt.ended(l), r...), true
	case comment(pt.keys[0]):
		return append(append(bytes.Clone(l), '\n'), r...), true
	case pt.keys[0].Lane != item.LaneValue || pt.rule:
		return nil, false
	}
	return merge.Union(l, r)
}

func (pt *point) ended(s []byte) []byte {
	s = bytes.Clone(s)
	if s[len(s)-1] != '\n' {
		s = append(s, pt.eol...)
	}
	return s
}

// words proposes a merge of the point's words, where it says something new.
func (pt *point) words() ([]byte, bool) {
	l, okL := pt.one(Local)
	r, okR := pt.one(Remote)
	b, okB := pt.one(Base)
	if !okL || !okR || !okB || !pt.lines && pt.keys[0].Lane == item.LaneOrder {
		return nil, false
	}
	if pt.lines || comment(pt.keys[0]) {
		w, ok := text.Suggest(b, l, r)
		return w, ok && !bytes.Equal(w, l) && !bytes.Equal(w, r) && (pt.lines || onlyComments(w))
	}
	var s [3]string
	for i, raw := range [][]byte{b, l, r} {
		raw = bytes.TrimSpace(raw)
		if len(raw) < 2 || raw[0] != '"' {
			return nil, false // of numbers and the like, half of each is neither
		}
		s[i] = jsonc.Unquote(raw)
	}
	w, ok := text.Suggest([]byte(s[Base]), []byte(s[Local]), []byte(s[Remote]))
	if !ok || string(w) == s[Local] || string(w) == s[Remote] {
		return nil, false
	}
	return jsonc.Quote(strings.ToValidUTF8(string(w), "\uFFFD")), true
}
