package jsonc

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

var seeds = []string{
	"", " ", "\ufeff", "{}", "[]", "null", "{\"a\":1,}", "// c", "/* c", "/", "{\"a\": /* x */ 1 // t\n}", "{\"a\"", "[1,,2]", "{\"\\ud800\":\"\xff\"}",
	"{\r\n\t// section\r\n\r\n\t// lead\r\n\t\"a\": [\r\n\t\t1\r\n\t], // trail\r\n\t// footer\r\n}\r\n", "{\"a\":1\r\"b\":2}", "{\"a\":1}}", "[1}", "{]", "-", "01", "1e", "\"\\u00", "{\"a\":1\n// c\n,\n\"b\":2}",
	"{ // header\n}", "{ /* h */ \"a\": 1 }", "[[[[", "{\"a\":{\"b\":{\"c\":{}}}}",
}

// FuzzParse: T1, T2 and T3, with the standard library's parser as the oracle for what
// has neither comments nor trailing commas.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		tr, err := Parse(src)
		if err != nil {
			return
		}
		end := int32(0)
		for i, n := range tr.Nodes {
			if n.Start < 0 || n.End < n.Start || int(n.End) > len(src) || n.Next <= int32(i) || int(n.Next) > len(tr.Nodes) {
				t.Fatalf("node %d is %+v in %d bytes", i, n, len(src))
			}
			if n.Parent < 0 && n.End < end {
				t.Fatal("the root ends before its children")
			}
			end = max(end, n.End)
			Unquote(tr.RawKey(int32(i)))
			if s, ok := tr.Text(int32(i)); ok && !utf8.ValidString(s) {
				t.Fatalf("%q is not valid UTF-8", s)
			}
		}
		if json.Valid(src) && len(tr.Errors) > 0 {
			t.Fatalf("%q is JSON, but: %v", src, tr.Errors)
		}
		if len(tr.Errors) == 0 && tr.Root() != None {
			c := Canonical(src)
			if !json.Valid(c) && utf8.Valid(src) {
				t.Fatalf("canonical %q of %q is no JSON", c, src)
			}
			if !bytes.Equal(Canonical(c), c) {
				t.Fatalf("canonical %q is not its own", c)
			}
		}
	})
}

// FuzzPatch: T4 and T5. Each byte of script is one edit of the node that it names.
func FuzzPatch(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), []byte{0, 1, 2, 3, 4, 5, 6, 7, 21, 42})
	}
	f.Fuzz(func(t *testing.T, src, script []byte) {
		tr, err := Parse(src)
		if err != nil || len(tr.Errors) > 0 || len(src) > 1<<12 {
			return
		}
		p := NewPatch(tr, Layout{})
		for _, b := range script {
			edit(tr, p, b)
		}
		out := p.Bytes()
		again, err := Parse(out)
		if err != nil || len(again.Errors) > 0 {
			t.Fatalf("%q became %q: %v", src, out, again.Errors)
		}
	})
}

func edit(tr *Tree, p *Patch, b byte) {
	if tr.Root() == None {
		p.SetRoot(&Member{Kind: Object, Members: []*Member{{Key: Quote("k"), Value: []byte("1")}}})
		return
	}
	i := int32(int(b/6) % len(tr.Nodes))
	text := []string{"// line", "/* block */", "/* two\n * lines */ // and", ""}[b%4]
	switch b % 6 {
	case 0:
		p.SetValue(i, []byte("[\n  1, // one\n  {}\n]"))
	case 1:
		p.SetComment(i, Slot(b/6%3), text)
	case 2, 3:
		if tr.Nodes[i].Kind.Container() {
			p.SetComment(i, Header+Slot(b%2), text)
		}
	default:
		if !tr.Nodes[i].Kind.Container() {
			return
		}
		var seq []Place
		for n, c := range tr.Children(i) {
			if n%3 != int(b/12)%3 {
				seq = append(seq, Place{Node: c})
			} else {
				p.KeepSection(c)
			}
		}
		m := &Member{Value: []byte("2"), Comments: [slots]string{Lead: text}}
		if tr.Nodes[i].Kind == Object {
			m.Key = Quote("new")
		}
		seq = append(seq, Place{Node: None, New: m})
		if b%2 == 1 && len(seq) > 1 {
			seq[0], seq[len(seq)-1] = seq[len(seq)-1], seq[0]
		}
		p.SetSequence(i, seq)
	}
}

func TestDepth(t *testing.T) {
	for _, c := range []struct {
		n    int
		want error
	}{{MaxDepth, nil}, {MaxDepth + 1, ErrTooDeep}, {1_000_000, ErrTooDeep}} {
		for _, open := range []string{"[", "{\"a\":"} {
			if _, err := Parse([]byte(strings.Repeat(open, c.n))); err != c.want {
				t.Errorf("%d × %s: %v, want %v", c.n, open, err, c.want)
			}
		}
	}
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	if !Equal([]byte(deep), []byte(" "+deep)) {
		t.Error("a document of the greatest depth is not equal to itself")
	}
}

func TestTooLarge(t *testing.T) {
	if _, err := Parse(make([]byte, MaxSize+1)); err != ErrTooLarge {
		t.Errorf("got %v", err)
	}
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"1.0", "1", true}, {"10e-1", "1", true}, {"100", "1e2", true}, {"-0", "0", true}, {"0.10", "0.1", true}, {"1", "2", false}, {"1", "-1", false},
		{"12345678901234567890123", "12345678901234567890124", false}, {"1e400", "1e401", false}, {"1e99999999999999999999", "1e99999999999999999999", true},
		{`"\u0041"`, `"A"`, true}, {`"\/"`, `"/"`, true}, {`"\ud83c\udf89"`, `"🎉"`, true}, {`"\ud800"`, `"\ud801"`, false}, {`"\n"`, `"\u000a"`, true},
		{`{"a": 1, "b": 2}`, `{"b": 2, "a": 1}`, true}, {`{"a": 1, "a": 2}`, `{"a": 2}`, true}, {`{"\u0061": 1}`, `{"a": 1}`, true}, {"[1, 2]", "[2, 1]", false},
		{"[1, // c\n 2,]", "[1,2]", true}, {"true", "false", false}, {`"1"`, "1", false}, {"null", "{}", false}, {"\"\xff\"", "\"\xfe\"", false},
	} {
		if got := Equal([]byte(c.a), []byte(c.b)); got != c.want {
			t.Errorf("Equal(%s, %s) = %v", c.a, c.b, got)
		}
		if got := Hash([]byte(c.a)) == Hash([]byte(c.b)); got != c.want {
			t.Errorf("equal hashes of %s and %s: %v", c.a, c.b, got)
		}
	}
}

func TestPosition(t *testing.T) {
	src := []byte("\ufeffa\r\nbc\rd\nef")
	for _, c := range []struct{ offset, line, column int }{{3, 1, 1}, {4, 1, 2}, {6, 2, 1}, {7, 2, 2}, {9, 3, 1}, {11, 4, 1}, {99, 4, 3}} {
		if l, col := Position(src, c.offset); l != c.line || col != c.column {
			t.Errorf("offset %d is at %d:%d, want %d:%d", c.offset, l, col, c.line, c.column)
		}
	}
}

func TestReindent(t *testing.T) {
	for _, c := range []struct{ raw, indent, want string }{
		{"[\n\t1\n]", "  ", "[\n    1\n  ]"},
		{"{\r\n    \"a\": {\r\n        \"b\": 1\r\n    }\r\n}", "  ", "{\n    \"a\": {\n      \"b\": 1\n    }\n  }"},
		{"[\n    1\n  ]", "  ", "[\n    1\n  ]"},
		{"[ // c\n\t1, /* x\n\t * y */ 2\n]", "", "[ // c\n  1, /* x\n   * y */ 2\n]"},
		{"\"a\\nb\"", "\t", "\"a\\nb\""},
	} {
		if got := string(Reindent([]byte(c.raw), c.indent, Layout{"\n", "  "})); got != c.want {
			t.Errorf("Reindent(%q)\n got %q\nwant %q", c.raw, got, c.want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var s strings.Builder
	s.WriteString("{\n")
	for i := range 60_000 {
		s.WriteString("\t// what the next one is for, at some length\n\t\"section.group.setting" + itoa(i) + "\": { \"enabled\": true, \"list\": [1, 2.5, \"three\"] },\n")
	}
	s.WriteString("\t\"last\": null\n}\n")
	src := []byte(s.String())
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if t, err := Parse(src); err != nil || len(t.Errors) > 0 {
			b.Fatal(err)
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	src := []byte(`{"b": [1, 2.50, "\u00e9"], "a": {"x": true, "y": null}}`)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		Canonical(src)
	}
}
