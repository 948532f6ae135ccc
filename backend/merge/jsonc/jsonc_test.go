package jsonc

import "testing"

func set(t *testing.T, src, raw string, keys ...string) string {
	t.Helper()
	b, err := Set([]byte(src), []byte(raw), Layout{Unit: "  "}, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSetAndRemove(t *testing.T) {
	for _, c := range []struct{ src, raw, want string }{
		{"{}", "1", "{\n  \"k\": 1\n}"},
		{"", "1", "{\n  \"k\": 1\n}\n"},
		{"{\n}", "1", "{\n  \"k\": 1\n}"},
		{"// c", "1", "// c\n{\n  \"k\": 1\n}\n"},
		{"{ \"a\": 1 }", "1", "{ \"a\": 1, \"k\": 1 }"},
		{"{\"a\":1}", "1", "{\"a\":1, \"k\":1}"},
		{"{\"a\":1,\"b\":2}", "1", "{\"a\":1,\"b\":2,\"k\":1}"},
		{"{\r\n\t\"a\": 1 // x\r\n}", "1", "{\r\n\t\"a\": 1, // x\r\n\t\"k\": 1\r\n}"},
		{"{\n\t\"a\": 1,\n\t// foot\n}", "1", "{\n\t\"a\": 1,\n\t\"k\": 1,\n\t// foot\n}"},
		{"{ // h\n}", "1", "{ // h\n  \"k\": 1\n}"},
		{"{ /* h */ }", "1", "{ /* h */\n  \"k\": 1\n}"},
		{"{ \"k\": /*x*/ 2 }", "1", "{ \"k\": /*x*/ 1 }"},
	} {
		if got := set(t, c.src, c.raw, "k"); got != c.want {
			t.Errorf("Set(%q)\n got %q\nwant %q", c.src, got, c.want)
		}
	}
	for _, c := range []struct{ src, want string }{
		{"{\"k\": 1}", "{}"},
		{"{\n  // own\n  \"k\": 1 // t\n}", "{}"},
		{"{\n  // head\n\n  // own\n  \"k\": 1, // t\n  \"b\": 2\n}", "{\n  // head\n\n  \"b\": 2\n}"},
		{"{\n  \"a\": 1, // a\n  \"k\": 1\n}", "{\n  \"a\": 1 // a\n}"},
		{"{\n  \"a\": 1,\n  \"k\": 1,\n}", "{\n  \"a\": 1,\n}"},
		{"{\n  \"k\": 1,\n  \"a\": 1\n  // foot\n}", "{\n  \"a\": 1\n  // foot\n}"},
	} {
		b, err := Remove([]byte(c.src), Layout{}, "k")
		if err != nil || string(b) != c.want {
			t.Errorf("Remove(%q)\n got %q, %v\nwant %q", c.src, b, err, c.want)
		}
	}
}
