package jsonc

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tailscale/hujson"
)

// shared is where cases from elsewhere are; tests that need them skip without.
func shared(t *testing.T, name string) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(here), "../../../../shared/vectors", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: the shared vectors are not here (%s)", name)
	}
	return path
}

// allowed are files that JSON forbids and we take, because VS Code does.
var allowed = map[string]string{
	"n_array_extra_comma.json":                                       "trailing comma",
	"n_array_number_and_comma.json":                                  "trailing comma",
	"n_object_trailing_comma.json":                                   "trailing comma",
	"n_object_trailing_comment.json":                                 "comment",
	"n_object_trailing_comment_slash_open.json":                      "comment",
	"n_structure_object_with_comment.json":                           "comment",
	"n_object_lone_continuation_byte_in_key_and_trailing_comma.json": "trailing comma; the key's bytes are kept",
	"n_single_space.json":                                            "an empty file",
	"n_structure_no_data.json":                                       "an empty file",
	"n_structure_UTF8_BOM_no_data.json":                              "an empty file with a byte order mark",
}

func TestJSONTestSuite(t *testing.T) {
	dir := shared(t, "JSONTestSuite/test_parsing")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 300 {
		t.Fatal(len(files), err)
	}
	for _, f := range files {
		src, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		tr, err := Parse(src)
		bad := err != nil || len(tr.Errors) > 0
		switch {
		case strings.HasPrefix(f.Name(), "y_") && bad:
			t.Errorf("%s is refused: %v %v", f.Name(), err, tr.Errors)
		case strings.HasPrefix(f.Name(), "n_") && bad == (allowed[f.Name()] != ""):
			t.Errorf("%s: refused %v; meant to be taken: %q", f.Name(), bad, allowed[f.Name()])
		}
		if err == nil {
			if got := NewPatch(tr, Layout{}).Bytes(); !bytes.Equal(got, src) {
				t.Errorf("%s changes when nothing is edited", f.Name())
			}
		}
	}
}

// layouts are edits of node-jsonc-parser whose text is meant to differ, with why; the
// values are the same.
var layouts = map[string]string{
	"insert property 17": "it removes the blanks after the closing bracket; bytes outside the edit stay here",
	"insert property 19": "it puts the comment behind the new value; here a file's header stays its header, and a new file ends with a line end",
	"insert property 18": "a new file ends with a line end",
	"insert property 13": "it asks for a place by a callback; here new members go to the end",
	"insert property 14": "it asks for a place by a callback; here new members go to the end",
	"remove property 20": "what is left empty is written {}",
	"set item 26":        "it lays out an array on lines when one is added; here a one-line array stays one",
	"remove last item in the array if ends with comma 37": "a trailing comma is the document's style, and stays",
	"set property without formatting 39":                  "it lays out a value by the depth of its container; here by the indentation of its line",
	"set property without formatting 40":                  "it may be told to write without line ends; a value given as text stays as it was given",
}

type modify struct {
	Title   string
	Fn      string
	Args    []json.RawMessage
	Applied string
}

func TestNodeJSONCParserEdits(t *testing.T) {
	b, err := os.ReadFile(shared(t, "node-jsonc-parser/edit.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []modify
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		name := c.Title + " " + itoa(i)
		t.Run(name, func(t *testing.T) {
			var src string
			var path []any
			if json.Unmarshal(c.Args[0], &src) != nil || json.Unmarshal(c.Args[1], &path) != nil {
				t.Fatal("not readable")
			}
			got, err := apply(src, path, c.Args[2], bytes.Contains(c.Args[3], []byte(`"isArrayInsertion": true`)) || bytes.Contains(c.Args[3], []byte(`"isArrayInsertion":true`)))
			if err != nil {
				t.Fatal(err)
			}
			if !Equal([]byte(got), []byte(c.Applied)) {
				t.Errorf("values differ\n got %s\nwant %s", got, c.Applied)
			}
			if _, meant := layouts[name]; (got == c.Applied) == meant {
				t.Errorf("listed as different: %v\n got %q\nwant %q", meant, got, c.Applied)
			}
		})
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// apply is what modify does, by what this package has: Set and Remove for members, a
// Patch for elements.
func apply(src string, path []any, value json.RawMessage, insert bool) (string, error) {
	l := Layout{EOL: "\n", Unit: "  "}
	remove := bytes.Contains(value, []byte(`"$undefined"`))
	var keys []string
	for _, p := range path {
		if s, ok := p.(string); ok {
			keys = append(keys, s)
		}
	}
	raw := pretty(value)
	if len(keys) == len(path) {
		var out []byte
		var err error
		if remove {
			out, err = Remove([]byte(src), l, keys...)
		} else {
			out, err = Set([]byte(src), raw, l, keys...)
		}
		return string(out), err
	}
	index := int(path[len(path)-1].(float64))
	t, err := Parse([]byte(src))
	if err != nil {
		return "", err
	}
	p := NewPatch(t, l)
	at := t.Find(keys...)
	if at == None {
		el := &Member{Key: Quote(keys[0]), Kind: Array, Members: []*Member{{Value: raw}}}
		p.SetRoot(&Member{Kind: Object, Members: []*Member{el}})
		return string(p.Bytes()), nil
	}
	cs := t.Children(at)
	if index < 0 || index > len(cs) {
		index = len(cs)
	}
	if index < len(cs) && !remove && !insert {
		p.SetValue(cs[index], raw)
		return string(p.Bytes()), nil
	}
	seq := places(cs)
	if remove {
		seq = append(seq[:index], seq[index+1:]...)
	} else {
		seq = append(seq[:index:index], append([]Place{{Node: None, New: &Member{Value: raw}}}, seq[index:]...)...)
	}
	p.SetSequence(at, seq)
	return string(p.Bytes()), nil
}

func pretty(value json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Indent(&b, value, "", "  ") != nil {
		return value
	}
	return b.Bytes()
}

// TestAgainstHujson: what an independent parser takes we take, and mean the same by it.
func TestAgainstHujson(t *testing.T) {
	for _, s := range []string{
		"{}", "[1, 2.50, -0, 1e3]", "{\"a\": [true, null], /* c */ \"b\": {\"c\": \"\\u00e9\\/\"},}", "// x\n[\n1, // y\n]\n",
		"{\"k\": 1, \"k\": 2}", "{\"\\u006b\": \"\\ud83c\\udf89\"}", "{\"big\": 123456789012345678901234567890}", "\"\\ud800\"",
	} {
		v, err := hujson.Parse([]byte(s))
		if err != nil {
			t.Fatal(s, err)
		}
		tr, err := Parse([]byte(s))
		if err != nil || len(tr.Errors) > 0 {
			t.Errorf("%s: %v %v", s, err, tr.Errors)
			continue
		}
		v.Standardize()
		if got, want := Canonical([]byte(s)), Canonical(v.Pack()); !bytes.Equal(got, want) {
			t.Errorf("%s means %s, by hujson %s", s, got, want)
		}
	}
}
