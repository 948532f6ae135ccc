package merge

import (
	"testing"

	"plait/backend/item"
)

func three(t *testing.T, ty item.Type, base, local, remote string) Result {
	t.Helper()
	var b []byte
	if base != "-" {
		b = []byte(base)
	}
	r, err := Three(ty, b, []byte(local), []byte(remote), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestThreeSettings(t *testing.T) {
	for _, c := range []struct{ name, base, local, remote, want string }{
		{"both add", "{\n\t\"a\": 1\n}", "{\n\t\"a\": 1,\n\t\"l\": 1\n}", "{\n\t\"r\": [\n\t\t1\n\t],\n\t\"a\": 1\n}", "{\n\t\"r\": [\n\t\t1\n\t],\n\t\"a\": 1,\n\t\"l\": 1\n}"},
		{"nested", "{\n\t\"[go]\": {\n\t\t\"x\": 1\n\t}\n}", "{\n\t\"[go]\": {\n\t\t\"x\": 2\n\t}\n}", "{\n\t\"[go]\": {\n\t\t\"x\": 1,\n\t\t// why\n\t\t\"y\": 1.0\n\t}\n}", "{\n\t\"[go]\": {\n\t\t\"x\": 2,\n\t\t// why\n\t\t\"y\": 1.0\n\t}\n}"},
		{"new object", "{\n\t\"a\": 1\n}", "{\n  \"a\": 2\n}", "{\n\t\"a\": 1,\n\t\"o\": {\n\t\t/* in */ \"x\": 1e3, // t\n\t\t\"e\": {}\n\t}\n}", "{\n  \"a\": 2,\n  \"o\": {\n    /* in */\n    \"x\": 1e3, // t\n    \"e\": {}\n  }\n}"},
		{"removed object", "{\n\t\"a\": {\"x\": 1, \"y\": 2},\n\t\"b\": 1\n}", "{\n\t\"a\": {\"x\": 1, \"y\": 2},\n\t\"b\": 2\n}", "{\n\t\"b\": 1\n}", "{\n\t\"b\": 2\n}"},
		{"emptied object", "{\"a\": {\"x\": 1}, \"b\": 1}", "{\"a\": {\"x\": 1}, \"b\": 2}", "{\"a\": {}, \"b\": 1}", "{\"a\": {}, \"b\": 2}"},
		{"order", "{\"a\": 1, \"b\": 2, \"c\": 3}", "{\"a\": 9, \"b\": 2, \"c\": 3}", "{\"c\": 3, \"a\": 1, \"b\": 2}", "{\"c\": 3, \"a\": 9, \"b\": 2}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := three(t, item.Settings, c.base, c.local, c.remote)
			if !r.Clean || string(r.Text) != c.want {
				t.Errorf("clean %v\n got %s\nwant %s\n%v", r.Clean, r.Text, c.want, r.Conflicts)
			}
		})
	}
}
