package merge

import (
	"bytes"
	"errors"
	"slices"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
	"plait/backend/merge/text"
)

// Three merges a document. A nil base means that none is known: what only one side has
// is added then, and what both have, differently, conflicts. The text is local with
// remote's changes. Where local is base byte for byte, it is remote.
//
// A side with a syntax error is merged by lines. Three fails only with ErrTooDeep and
// ErrTooLarge.
func Three(t item.Type, base, local, remote []byte, o Options) (Result, error) {
	if max(len(base), len(local), len(remote)) > jsonc.MaxSize {
		return Result{}, ErrTooLarge
	}
	if !structured(t) {
		return threeTexts(t, base, local, remote), nil
	}
	m := merger{t: t, o: o, known: base != nil}
	var err error
	for _, side := range []struct {
		d    **doc
		text []byte
		like **doc
		name string
	}{{&m.local, local, nil, "local"}, {&m.remote, remote, &m.local, "remote"}, {&m.base, base, &m.local, "base"}} {
		var like *doc
		if side.like != nil {
			like = *side.like
		}
		*side.d, err = cut(t, side.text, o, like)
		var syntax *SyntaxError
		if errors.As(err, &syntax) {
			return threeLines(t, base, local, remote, syntax, side.name), nil
		}
		if err != nil {
			return Result{}, err
		}
	}
	return m.merge(base, local, remote)
}

// threeTexts merges what is one atom of text, or bytes.
func threeTexts(t item.Type, base, local, remote []byte) Result {
	k := item.Key{}
	val := func(b []byte) *item.Value { return &item.Value{Kind: item.Text, Data: b} }
	res := Result{Clean: true, Text: local}
	switch {
	case bytes.Equal(local, remote):
		if base != nil && !bytes.Equal(base, local) {
			res.decide(k, "both", SameChange)
		}
		return res
	case base != nil && bytes.Equal(base, remote):
		res.decide(k, "local", LocalOnly)
		return res
	case base != nil && bytes.Equal(base, local):
		res.Text = remote
		res.decide(k, "remote", RemoteOnly)
		return res
	}
	chunks := 0
	if isText(base) && isText(local) && isText(remote) {
		m := text.Merge(base, local, remote)
		if m.Clean {
			res.Text = m.Text()
			res.decide(k, "merged", MergedInside)
			return res
		}
		res.Text, chunks = m.Markers([3]string{"base", "local", "remote"}), m.Conflicts()
	}
	res.Clean = false
	c := Conflict{Key: k, Label: Label(t, k), Reason: Reason{Code: TextDiffers}, Local: val(local), Remote: val(remote)}
	if chunks > 0 {
		c.Reason.Args = map[string]string{"places": itoa(chunks)}
	}
	if base != nil {
		c.Base = val(base)
	}
	c.ID = ID(t, k, c.Base, *c.Local, *c.Remote)
	res.Conflicts = []Conflict{c}
	return res
}

// threeLines merges a structured document of which a side has a syntax error. Where
// lines conflict, or would give more errors than a side has, local stays.
func threeLines(t item.Type, base, local, remote []byte, syntax *SyntaxError, side string) Result {
	r := threeTexts(t, base, local, remote)
	if r.Clean && faults(r.Text) <= max(faults(local), faults(remote)) {
		return r
	}
	k := item.Key{}
	c := Conflict{Key: k, Label: Label(t, k), Local: &item.Value{Kind: item.Text, Data: local}, Remote: &item.Value{Kind: item.Text, Data: remote}}
	if base != nil {
		c.Base = &item.Value{Kind: item.Text, Data: base}
	}
	c.Reason = Reason{Syntax, map[string]string{"side": side, "line": itoa(syntax.Line), "column": itoa(syntax.Column), "message": syntax.Msg}}
	c.ID = ID(t, k, c.Base, *c.Local, *c.Remote)
	return Result{Text: local, Conflicts: []Conflict{c}}
}

func faults(src []byte) int {
	t, err := jsonc.Parse(src)
	if err != nil {
		return 1 << 30
	}
	return len(t.Errors)
}

func (r *Result) decide(k item.Key, took, code string) {
	r.Decisions = append(r.Decisions, Decision{k, took, Reason{Code: code}})
}

// merger merges three documents that were cut.
type merger struct {
	t                   item.Type
	o                   Options
	known               bool
	base, local, remote *doc

	changes map[item.Key]item.Value // what turns local into the result
	above   map[string]bool         // paths of local below which the result has values; see anyBelow
	result  Result
}

var absent = item.Value{Kind: item.Absent}

func (d *doc) value(k item.Key) item.Value {
	if a := d.find(k); a != nil {
		return a.value()
	}
	return absent
}

func (m *merger) merge(base, local, remote []byte) (Result, error) {
	m.changes = map[item.Key]item.Value{}
	m.atoms()
	m.units()
	m.shapes()
	m.rebound()
	m.orphans()
	m.result.Clean = len(m.result.Conflicts) == 0
	m.result.Warnings = m.warnings()
	slices.SortFunc(m.result.Conflicts, func(a, b Conflict) int { return compareKeys(a.Key, b.Key) })
	slices.SortFunc(m.result.Decisions, func(a, b Decision) int { return compareKeys(a.Key, b.Key) })

	if m.o.Ignore == nil && m.result.Clean && (m.known && bytes.Equal(base, local) || !m.known && m.nothing(m.local)) {
		m.result.Text = remote
		return m.result, nil
	}
	cs := make([]change, 0, len(m.changes))
	for k, v := range m.changes {
		cs = append(cs, change{k, v})
	}
	slices.SortFunc(cs, func(a, b change) int { return compareKeys(a.key, b.key) })
	out, err := m.local.render(cs, m.merged, m.remote)
	m.result.Text = out
	return m.result, err
}

// nothing says whether d is as good as no file: no value, no comment.
func (m *merger) nothing(d *doc) bool { return d.tree.Root() == jsonc.None && len(d.atoms) == 0 }

// merged is the value of k in the result.
func (m *merger) merged(k item.Key) (item.Value, bool) {
	v, ok := m.changes[k]
	if !ok {
		v = m.local.value(k)
	}
	return v, v.Kind != item.Absent
}

// atoms merges every atom that a side has. Remote and base were cut like local, so their
// atoms know local's.
func (m *merger) atoms() {
	remotes, bases := make([]int32, len(m.local.atoms)), make([]int32, len(m.local.atoms))
	for i := range m.remote.atoms {
		if t := m.remote.atoms[i].twin; t >= 0 {
			remotes[t] = int32(i) + 1
		}
	}
	olds := map[item.Key]int32{} // base's atoms that local lacks
	for i := range m.base.atoms {
		if t := m.base.atoms[i].twin; t >= 0 {
			bases[t] = int32(i) + 1
		} else {
			olds[m.base.atoms[i].key] = int32(i) + 1
		}
	}
	value := func(d *doc, n int32) item.Value {
		if n == 0 {
			return absent
		}
		return d.atoms[n-1].value()
	}
	for i := range m.local.atoms {
		a := &m.local.atoms[i]
		m.atom(a.key, value(m.base, bases[i]), a.value(), value(m.remote, remotes[i]))
	}
	for i := range m.remote.atoms {
		if a := &m.remote.atoms[i]; a.twin < 0 {
			m.atom(a.key, value(m.base, olds[a.key]), absent, a.value())
		}
	}
}

// atom merges one atom: it records a change of local, a decision or a conflict.
func (m *merger) atom(k item.Key, b, l, r item.Value) {
	if l.Kind == r.Kind && bytes.Equal(l.Data, r.Data) {
		if m.known && !Same(m.t, k, b, l) {
			m.result.decide(k, "both", SameChange)
		}
		return
	}
	var base *item.Value
	if m.known {
		base = &b
		switch {
		case b.Kind == r.Kind && bytes.Equal(b.Data, r.Data):
			m.took(k, "local", LocalOnly)
			return
		case b.Kind == l.Kind && bytes.Equal(b.Data, l.Data):
			m.changes[k] = r
			m.took(k, "remote", RemoteOnly)
			return
		}
	} else if l.Kind == item.Absent || r.Kind == item.Absent {
		if l.Kind == item.Absent {
			m.changes[k] = r
			m.took(k, "remote", RemoteOnly)
		} else {
			m.took(k, "local", LocalOnly)
		}
		return
	}
	v, ok := Value(m.t, k, base, l, r)
	switch {
	case !ok && (k.Lane == item.LaneComment || k.Lane == item.LaneTrail):
		m.result.decide(k, "local", CommentDiffers)
	case !ok:
		m.conflict(k, base, l, r)
	case k.Lane == item.LaneOrder && Same(m.t, k, v, l):
		m.changes[k] = v // for the names that it adds
	case Same(m.t, k, v, l) && Same(m.t, k, v, r):
		if base != nil && !Same(m.t, k, *base, l) {
			m.result.decide(k, "both", SameChange)
		}
	case Same(m.t, k, v, l):
		m.took(k, "local", LocalOnly)
	case Same(m.t, k, v, r):
		m.changes[k] = r
		m.took(k, "remote", RemoteOnly)
	default:
		m.changes[k] = v
		code := MergedInside
		if k.Lane == item.LaneOrder {
			code = OrderChosen
		}
		m.result.decide(k, "merged", code)
	}
}

// took records which side an atom is from. That an order follows from what was added or
// removed is no decision of its own.
func (m *merger) took(k item.Key, side, code string) { m.result.decide(k, side, code) }

// conflict records what the person must decide; local's side stays in the text.
func (m *merger) conflict(k item.Key, base *item.Value, l, r item.Value) {
	code := BothChanged
	switch {
	case k.Lane == item.LaneOrder:
		code = OrderDiffers
	case l.Kind == item.Absent:
		code = RemovedChanged
	case r.Kind == item.Absent:
		code = ChangedRemoved
	case base == nil || base.Kind == item.Absent:
		code = BothAdded
	}
	c := Conflict{ID: ID(m.t, k, base, l, r), Key: k, Label: Label(m.t, k), Reason: Reason{Code: code}}
	c.Base, c.Local, c.Remote = there(base), there(&l), there(&r)
	m.result.Conflicts = append(m.result.Conflicts, c)
}

// there is v, or nil if it is a tombstone.
func there(v *item.Value) *item.Value {
	if v == nil || v.Kind == item.Absent {
		return nil
	}
	return v
}
