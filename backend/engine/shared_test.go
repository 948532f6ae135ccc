package engine

import (
	"strings"
	"testing"
)

// addEditor attaches a second editor to the first one's collection.
func (d *device) addEditor(t *testing.T) {
	t.Helper()
	d.fs.Mkdir("/" + d.name + "/Other")
	d.sources = append(d.sources, &userDir{id: "other", root: "/" + d.name + "/Other", collection: "default"})
	d.open()
}

// Two editors on one device that share a collection meet like two devices do: what
// differs is asked about, and both files keep their side.
func TestTwoEditorsOfOneDeviceMeet(t *testing.T) {
	w := newWorld(t, 5)
	a := w.add("a")
	a.addEditor(t)
	a.write("User/settings.json", `{"font": 12, "one": 1}`)
	a.write("Other/settings.json", `{"font": 15, "two": 2}`)
	a.mustSync()
	for file, want := range map[string][]string{
		"User/settings.json":  {`"font": 12`, `"one": 1`, `"two": 2`},
		"Other/settings.json": {`"font": 15`, `"one": 1`, `"two": 2`},
	} {
		for _, s := range want {
			if got := a.read(file); !strings.Contains(got, s) {
				t.Errorf("%s lacks %s:\n%s", file, s, got)
			}
		}
	}
	if cs, err := a.e.Conflicts(t.Context(), ""); err != nil || len(cs) != 1 {
		t.Fatalf("conflicts: %+v, %v; want one, of font", cs, err)
	}
}

// So do edits in both between two rounds; the same edit in both is one.
func TestTwoEditorsOfOneDeviceEdit(t *testing.T) {
	w := newWorld(t, 6)
	a := w.add("a")
	a.addEditor(t)
	a.write("User/settings.json", `{"font": 12, "tab": 4, "wrap": false}`)
	a.mustSync()
	a.write("User/settings.json", `{"font": 13, "tab": 8, "wrap": true}`)
	a.write("Other/settings.json", `{"font": 14, "tab": 8, "wrap": false}`)
	a.mustSync()
	for file, font := range map[string]string{"User/settings.json": "13", "Other/settings.json": "14"} {
		if got, want := a.read(file), `{"font": `+font+`, "tab": 8, "wrap": true}`; got != want {
			t.Errorf("%s is %s; want %s", file, got, want)
		}
	}
	if cs, err := a.e.Conflicts(t.Context(), ""); err != nil || len(cs) != 1 {
		t.Fatalf("conflicts: %+v, %v; want one, of font", cs, err)
	}
}
