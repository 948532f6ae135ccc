package view

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/merge/text"
)

func find(t *testing.T, p *Plan, label string) *Chunk {
	t.Helper()
	for i := range p.Chunks {
		if p.Chunks[i].Label == label {
			return &p.Chunks[i]
		}
	}
	var all []string
	for _, c := range p.Chunks {
		all = append(all, c.Label)
	}
	t.Fatalf("no chunk %q among %q", label, all)
	return nil
}

func choose(t *testing.T, s *Session, id string, o OptionID, custom string) {
	t.Helper()
	if _, err := s.Resolve(id, o, []byte(custom)); err != nil {
		t.Fatalf("Resolve(%s, %s): %v", id, o, err)
	}
}

const base = `{
    // the font
    "editor.fontSize": 12, // small
    "list": ["a", "b"],
    "greeting": "hello big world",
    "[go]": {
        "editor.tabSize": 4
    },
    "gone": 1
}
`

func settings(edits ...string) []byte {
	return []byte(strings.NewReplacer(edits...).Replace(base))
}

// One merge, and what each option makes of it.
func TestOptions(t *testing.T) {
	p := build(t, Input{
		Type: item.Settings, Base: []byte(base),
		Local:  settings("12", "14", `"b"]`, `"b", "c"]`, "big world", "small world", "4", "8", "    \"gone\": 1\n", "", "    },\n", "    }\n"),
		Remote: settings("12", "13", `"b"]`, `"b", "d"]`, "world", "world!", "4", "2", `"gone": 1`, `"gone": 2`),
	})
	if p.whole != nil || p.Stats.Conflicts != len(p.Conflicts()) {
		t.Fatalf("stats %+v", p.Stats)
	}
	s := p.Session()
	for _, c := range []struct {
		label  string
		option OptionID
		custom string
		want   string // in the result
	}{
		{"editor.fontSize", TakeRemote, "", "    // the font\n    \"editor.fontSize\": 13, // small\n"},
		{"editor.fontSize", TakeBase, "", "\"editor.fontSize\": 12, // small\n"},
		{"editor.fontSize", Custom, "15", "\"editor.fontSize\": 15, // small\n"},
		{"[go] › editor.tabSize", TakeRemote, "", "    \"[go]\": {\n        \"editor.tabSize\": 2\n    }"},
		{"greeting", Word, "", `"greeting": "hello small world!"`},
		{"gone", TakeRemote, "", "    },\n    \"gone\": 2\n}\n"},
		{"gone", TakeLocal, "", "    }\n}\n"},
	} {
		chunk := find(t, p, c.label)
		choose(t, s, chunk.ID, c.option, c.custom)
		if got := string(s.Result()); !strings.Contains(got, c.want) {
			t.Errorf("%s, %s: want %q in\n%s", c.label, c.option, c.want, got)
		}
		if ds := s.Validity(); len(ds) > 0 {
			t.Errorf("%s, %s: %v", c.label, c.option, ds)
		}
	}
	c := find(t, p, "[go] › editor.tabSize")
	if c.Reason.Code != merge.BothChanged || c.Kind != text.Conflict || c.Value != [3]string{"4", "8", "2"} {
		t.Errorf("chunk %+v", c)
	}
	r := s.RangeOf(c.ID)
	if got := string(s.Result()[r.Start:r.End]); got != `"editor.tabSize": 2` || r.Line != 6 || r.LineEnd != 7 {
		t.Errorf("range %v is %q", r, got)
	}
	if w := p.Words(find(t, p, "greeting").ID); len(w.BaseLocal) != 1 || len(w.BaseRemote) != 1 {
		t.Errorf("words %+v", w)
	}
}

// What can't stand where it is put is refused, and changes nothing.
func TestRefused(t *testing.T) {
	p := build(t, Input{Type: item.Settings, Base: []byte(base), Local: settings("12", "14"), Remote: settings("12", "13")})
	s := p.Session()
	id := s.Left()[0]
	before := s.Result()
	for _, custom := range []string{"", "1,", "1 // so", "{", "1 2", "\"", "// c\n1", "1}", "\"a\nb\""} {
		var bad *CustomError
		if _, err := s.Resolve(id, Custom, []byte(custom)); !errors.As(err, &bad) || len(bad.Diags) == 0 {
			t.Errorf("custom %q: %v", custom, err)
		}
	}
	if _, err := s.Resolve(id, Word, nil); !errors.Is(err, ErrOption) {
		t.Errorf("word of numbers: %v", err)
	}
	if _, err := s.Resolve("nowhere", TakeLocal, nil); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown id: %v", err)
	}
	if _, err := s.EditResult(text.Range{Start: 5, End: 4}, nil); err == nil {
		t.Error("a range that ends before it starts was edited")
	}
	if s.CanUndo() || !bytes.Equal(s.Result(), before) {
		t.Error("refused choices left something")
	}
}

// An automatic decision can be changed, and taken back.
func TestChangingDecisions(t *testing.T) {
	p := build(t, Input{Type: item.Settings, Base: []byte(base), Local: []byte(base), Remote: settings("12", "13", `    "gone": 1`+"\n", "", "    },\n", "    }\n")})
	s := p.Session()
	c, gone := find(t, p, "editor.fontSize"), find(t, p, "gone")
	if c.Kind != text.Remote || c.Auto != TakeRemote || c.Class != Exact || len(s.Left()) != 0 {
		t.Errorf("chunk %+v, left %v", c, s.Left())
	}
	if got := string(s.Result()); !strings.Contains(got, "13") || strings.Contains(got, "gone") {
		t.Errorf("merged\n%s", got)
	}
	merged := s.Result()
	choose(t, s, c.ID, TakeLocal, "")
	choose(t, s, gone.ID, TakeLocal, "")
	if got := s.Result(); !bytes.Equal(got, []byte(base)) {
		t.Errorf("with both changes refused\n%s", got)
	}
	choose(t, s, c.ID, Undecided, "")
	choose(t, s, gone.ID, Undecided, "")
	if got := s.Result(); !bytes.Equal(got, merged) {
		t.Errorf("with both choices taken back\n%s", got)
	}
}

// A snippet that one side removed and the other changed goes or stays whole.
func TestHalfASnippetIsNone(t *testing.T) {
	b := "{\n\t\"log\": {\n\t\t\"prefix\": \"log\",\n\t\t\"body\": [\"a\"]\n\t},\n\t\"x\": {\"prefix\": \"x\", \"body\": \"x\"}\n}\n"
	r := "{\n\t\"x\": {\"prefix\": \"x\", \"body\": \"x\"}\n}\n"
	p := build(t, Input{Type: item.Snippets, Base: []byte(b), Local: []byte(strings.Replace(b, `"a"`, `"b"`, 1)), Remote: []byte(r)})
	s := p.Session()
	if len(s.Left()) != 1 {
		t.Fatalf("left %v", s.Left())
	}
	choose(t, s, s.Left()[0], TakeRemote, "")
	if got := string(s.Result()); got != r {
		t.Errorf("removed:\n%s", got)
	}
	s.Undo()
	choose(t, s, s.Left()[0], TakeBase, "")
	if got := string(s.Result()); got != b {
		t.Errorf("as it was:\n%s", got)
	}
}

// A command that both sides bound to another key has one, the other, or both.
func TestRebound(t *testing.T) {
	rule := func(key string) string { return "{ \"key\": \"" + key + "\", \"command\": \"run\" }" }
	doc := func(key string) []byte {
		return []byte("[\n\t" + rule(key) + ",\n\t" + `{ "key": "f9", "command": "x" }` + "\n]\n")
	}
	p := build(t, Input{Type: item.Keybindings, Base: doc("f1"), Local: doc("f2"), Remote: doc("f3")})
	s := p.Session()
	if len(s.Left()) != 1 || p.Chunk(s.Left()[0]).Reason.Code != merge.Rebound {
		t.Fatalf("left %v of %+v", s.Left(), p.Chunks)
	}
	id := s.Left()[0]
	for o, want := range map[OptionID]string{TakeLocal: "f2 f9", TakeRemote: "f3 f9", TakeBase: "f1 f9", LocalFirst: "f2 f3 f9"} {
		choose(t, s, id, o, "")
		var keys []string
		out, err := s.Outcome()
		if err != nil {
			t.Fatalf("%s: %v\n%s", o, err, s.Result())
		}
		for k := range out {
			if k.Lane == item.LaneValue {
				keys = append(keys, k.Segments()[0])
			}
		}
		for _, k := range strings.Fields(want) {
			if !strings.Contains(strings.Join(keys, " "), k) || len(keys) != len(strings.Fields(want)) {
				t.Errorf("%s: keys %v, want %s\n%s", o, keys, want, s.Result())
				break
			}
		}
	}
}

// A value on one side and members on the other are one question.
func TestShape(t *testing.T) {
	p := build(t, Input{Type: item.Settings, Base: []byte(`{"a": {"x": 1}, "b": 1}`), Local: []byte(`{"a": 5, "b": 1}`), Remote: []byte(`{"a": {"x": 2, "y": 3}, "b": 1}`)})
	s := p.Session()
	if len(s.Left()) != 1 {
		t.Fatalf("left %v", s.Left())
	}
	for o, want := range map[OptionID]string{TakeLocal: `"a": 5`, TakeRemote: `"y": 3`, TakeBase: `"x": 1`} {
		choose(t, s, s.plan.Conflicts()[0], o, "")
		if got := string(s.Result()); !strings.Contains(got, want) || len(s.Validity()) > 0 {
			t.Errorf("%s: %s", o, got)
		}
	}
}

// Typing makes the slot one's own; commas are still seen to, and a choice takes the
// slot back.
func TestTyping(t *testing.T) {
	p := build(t, Input{Type: item.Settings, Base: []byte(base), Local: settings("12", "14"), Remote: settings("12", "13")})
	s := p.Session()
	id := s.Left()[0]
	at := bytes.Index(s.Result(), []byte("14"))
	if _, err := s.EditResult(text.Range{Start: at, End: at + 2}, []byte("99")); err != nil {
		t.Fatal(err)
	}
	if got := string(s.Result()); got != string(settings("12", "99")) || len(s.Left()) != 0 {
		t.Errorf("typed 99: left %v\n%s", s.Left(), got)
	}
	// Something that does not parse stands as typed, and Validity says where.
	if _, err := s.EditResult(text.Range{Start: at, End: at + 2}, []byte("[")); err != nil {
		t.Fatal(err)
	}
	if ds := s.Validity(); len(ds) == 0 || ds[0].Line != 3 {
		t.Errorf("validity %v of\n%s", ds, s.Result())
	}
	choose(t, s, id, TakeRemote, "")
	if got := string(s.Result()); got != string(settings("12", "13")) {
		t.Errorf("chosen after typing:\n%s", got)
	}
	// Typed after the last member: the one before gets its comma.
	end := bytes.LastIndexByte(s.Result(), '}')
	if _, err := s.EditResult(text.Range{Start: end, End: end}, []byte("    \"new\": true\n")); err != nil {
		t.Fatal(err)
	}
	if ds := s.Validity(); len(ds) > 0 && ds[0].Message == "" {
		t.Errorf("%v", ds)
	}
	for s.CanUndo() {
		s.Undo()
	}
	if got := string(s.Result()); got != string(settings("12", "14")) {
		t.Errorf("all undone:\n%s", got)
	}
	// The whole of it replaced, as by pasting.
	if _, err := s.EditResult(text.Range{End: len(s.Result())}, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if got := string(s.Result()); got != "{}" || len(s.Validity()) > 0 {
		t.Errorf("pasted: %q", got)
	}
}

// Text whose last line lacks its end gets one if something follows after all.
func TestMissingLineEnd(t *testing.T) {
	p := build(t, Input{Type: item.Prompts, Base: []byte("a\n"), Local: []byte("a\nb"), Remote: []byte("a\nc")})
	s := p.Session()
	id := s.Left()[0]
	for o, want := range map[OptionID]string{TakeLocal: "a\nb", TakeRemote: "a\nc", TakeBase: "a\n", LocalFirst: "a\nb\nc", OtherFirst: "a\nc\nb"} {
		choose(t, s, id, o, "")
		if got := string(s.Result()); got != want {
			t.Errorf("%s: %q, want %q", o, got, want)
		}
	}
}

// A side with a syntax error is merged by lines, and Validity speaks of the result.
func TestSyntaxError(t *testing.T) {
	p := build(t, Input{Type: item.Settings, Base: []byte("{\n\"a\": 1\n}\n"), Local: []byte("{\n\"a\": 2\n}\n"), Remote: []byte("{\n\"a\": \n}\n")})
	if p.json || len(p.Sides[Remote].Errors) != 1 {
		t.Fatalf("sides %+v", p.Sides)
	}
	s := p.Session()
	id := s.Left()[0]
	if p.Chunk(id).Reason.Code != merge.Syntax || len(s.Validity()) != 0 {
		t.Errorf("%+v, %v", p.Chunk(id), s.Validity())
	}
	choose(t, s, id, TakeRemote, "")
	if ds := s.Validity(); len(ds) != 1 || ds[0].Line != 3 {
		t.Errorf("validity %v", ds)
	}
}

// What concerns all of a document, as the order of its rules or a key that is there
// twice, makes it one slot; all else is the same.
func TestWhole(t *testing.T) {
	rule := func(c string) string { return `{"key": "f1", "command": "` + c + `"}` }
	doc := func(cs ...string) []byte {
		var out []string
		for _, c := range cs {
			out = append(out, "  "+rule(c))
		}
		return []byte("[\n" + strings.Join(out, ",\n") + "\n]\n")
	}
	p := build(t, Input{Type: item.Keybindings, Base: doc("a", "b", "c"), Local: doc("b", "a", "c"), Remote: doc("a", "c", "b")})
	if p.whole == nil {
		t.Fatal("an order was cut into slots")
	}
	s := p.Session()
	if len(s.Left()) != 1 || p.Chunk(s.Left()[0]).Reason.Code != merge.OrderDiffers {
		t.Fatalf("left %v, chunks %+v", s.Left(), p.Chunks)
	}
	before := s.Result()
	d, err := s.Resolve(s.Left()[0], TakeRemote, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Result(); !bytes.Equal(got, doc("a", "c", "b")) || !bytes.Equal(d.Apply(before), got) {
		t.Errorf("remote's order:\n%s", got)
	}

	twice := []byte("{\n  \"a\": 1,\n  \"a\": 2,\n  \"b\": 3\n}\n")
	p = build(t, Input{Type: item.Settings, Base: twice, Local: bytes.Replace(twice, []byte("2"), []byte("4"), 1), Remote: []byte("{\n  \"b\": 3\n}\n")})
	s = p.Session()
	choose(t, s, s.Left()[0], TakeRemote, "")
	if out, err := s.Outcome(); err != nil || len(out[item.Key{Path: "/a"}].Data) > 0 {
		t.Errorf("removed, %v:\n%s", err, s.Result())
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte(base), settings("12", "14"), settings("12", "13"), "settings", []byte{1, 2, 3})
	f.Add([]byte("[]"), []byte(`[{"key":"a","command":"b"}]`), []byte(`[{"key":"a","command":"b","when":"c"}]`), "keybindings", []byte{0, 9})
	f.Add([]byte("a\n"), []byte("b"), []byte("c\r\n"), "prompts", []byte{4})
	f.Add([]byte(nil), []byte("{\"a\":1/* x */,}"), []byte("\xef\xbb\xbf{// c\r\"a\":2}"), "settings", []byte{3, 1, 4})
	f.Add([]byte(" "), []byte(" "), []byte("0"), "keybindings", []byte("0")) // no list of rules
	f.Fuzz(func(t *testing.T, b, l, r []byte, ty string, clicks []byte) {
		if len(b)+len(l)+len(r) > 1<<12 || len(clicks) > 12 {
			return
		}
		p, err := Build(Input{Type: item.Type(ty), Base: b, Local: l, Remote: r})
		if err != nil {
			return
		}
		s := p.Session()
		now := s.Result()
		for _, n := range clicks {
			var d Delta
			if len(p.Chunks) == 0 {
				break
			}
			if c := &p.Chunks[int(n)%len(p.Chunks)]; c.Decides() {
				o := c.Options[int(n/7)%len(c.Options)].ID
				if d, err = s.Resolve(c.ID, o, []byte("1")); err != nil {
					continue
				}
			} else if len(now) > 0 {
				at := int(n) % len(now)
				if d, err = s.EditResult(text.Range{Start: at, End: at + 1}, []byte("xy")); err != nil {
					t.Fatal(err)
				}
				d = append(d, s.Undo()...)
			}
			if now = d.Apply(now); !bytes.Equal(now, s.Result()) {
				t.Fatalf("deltas give %q, the result is %q", now, s.Result())
			}
			if again := p.join(p.pieces(s.choose, s.typed)); !bytes.Equal(again, now) {
				t.Fatalf("rendered anew %q, not %q", again, now)
			}
			if p.json && len(validity(now)) > 0 {
				t.Fatalf("%v: %q", validity(now), now)
			}
		}
	})
}

// A merge made elsewhere is shown as it was made: its conflicts, its values.
func TestGivenMerge(t *testing.T) {
	value := func(s string) *item.Value { return &item.Value{Kind: item.JSON, Data: []byte(s)} }
	k := item.Key{Path: "/editor.fontSize"}
	p := build(t, Input{
		Type: item.Settings, Base: []byte(base), Local: settings("12", "14"), Remote: settings("12", "13"),
		Merged: settings("12", "14"),
		Conflicts: []merge.Conflict{{ID: "given", Key: k, Label: "editor.fontSize", Reason: merge.Reason{Code: merge.BothChanged},
			Base: value("12"), Local: value("14"), Remote: value("15")}}, // a third device's
	})
	s := p.Session()
	if left := s.Left(); len(left) != 1 || left[0] != "given" {
		t.Fatalf("left %v", left)
	}
	choose(t, s, "given", TakeRemote, "")
	out, err := s.Outcome()
	if err != nil || string(out[k].Data) != "15" || string(s.Result()) != string(settings("12", "15")) {
		t.Errorf("%v\n%s", err, s.Result())
	}
}

// Masked keys stay as local has them, and are no question.
func TestMasked(t *testing.T) {
	in := Input{Type: item.Settings, Base: []byte(base), Local: settings("12", "14", `"gone": 1`, `"gone": 5`), Remote: settings("12", "13", `"gone": 1`, `"gone": 6`)}
	in.Options.Ignore = func(p item.Path) bool { return len(p) == 1 && p[0] == "gone" }
	s := build(t, in).Session()
	if len(s.Left()) != 1 {
		t.Fatalf("left %v", s.Left())
	}
	choose(t, s, s.Left()[0], TakeRemote, "")
	if got := string(s.Result()); got != string(settings("12", "13", `"gone": 1`, `"gone": 5`)) {
		t.Errorf("got\n%s", got)
	}
}

// Nothing but a file on each side, and no version that both had.
func TestFirstContact(t *testing.T) {
	p := build(t, Input{Type: item.Settings, Local: []byte("{\n  \"a\": 1,\n  \"b\": 2\n}\n"), Remote: []byte("{\n  \"a\": 3,\n  \"c\": 4\n}\n")})
	s := p.Session()
	if len(s.Left()) != 1 {
		t.Fatalf("left %v", s.Left())
	}
	for _, o := range p.Chunk(s.Left()[0]).Options {
		if o.ID == TakeBase {
			t.Error("a base that nobody knows is offered")
		}
	}
	if got := string(s.Result()); got != "{\n  \"a\": 1,\n  \"c\": 4,\n  \"b\": 2\n}\n" {
		t.Errorf("union:\n%s", got)
	}
}
