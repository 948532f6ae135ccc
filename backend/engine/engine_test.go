package engine

import (
	"context"
	"strings"
	"testing"

	"plait/backend/merge"
)

const settings = `{
    // fonts
    "editor.fontSize": 12, // small
    "editor.tabSize": 4,
    "[go]": {
        "editor.tabSize": 8
    },
    "files.exclude": { "**/.git": true }
}
`

func TestTwoDevicesMeet(t *testing.T) {
	w := newWorld(t, 1)
	a := w.add("a")
	a.write("User/settings.json", settings)
	a.mustSync()
	b := w.add("b")
	b.mustSync()
	if got := b.read("User/settings.json"); got != settings {
		t.Fatalf("b got\n%s\nwant\n%s", got, settings)
	}
	a.write("User/settings.json", strings.Replace(strings.Replace(settings, "12", "14", 1), `"editor.tabSize": 4`, `"editor.tabSize": 2`, 1))
	b.write("User/settings.json", strings.Replace(settings, "12", "13", 1)+"// end\n")
	a.mustSync()
	b.mustSync()
	a.mustSync()
	for _, d := range w.devices {
		cs, err := d.e.Conflicts(context.Background(), "")
		w.must(err)
		if len(cs) != 1 || cs[0].Key.Path != "/editor.fontSize" {
			t.Fatalf("%s: conflicts %+v", d.name, cs)
		}
		want := map[string]string{"a": "14", "b": "13"}[d.name]
		if got := string(cs[0].Local.Value.Data); got != want {
			t.Errorf("%s: local is %s, want %s", d.name, got, want)
		}
		if got := string(cs[0].Base.Value.Data); got != "12" {
			t.Errorf("%s: base is %s", d.name, got)
		}
		if got := d.read("User/settings.json"); !strings.Contains(got, `"editor.fontSize": `+want+`, // small`) || !strings.Contains(got, `"editor.tabSize": 2`) || !strings.HasSuffix(got, "// end\n") {
			t.Errorf("%s has\n%s", d.name, got)
		}
	}
}

func TestNothingToDoIsOneRequest(t *testing.T) {
	w := newWorld(t, 2)
	a := w.add("a")
	a.write("User/settings.json", settings)
	a.write("notes/big.bin", strings.Repeat("0123456789", 100000))
	a.mustSync()
	b := w.add("b")
	for range 3 {
		w.tick(10e9)
		for _, d := range w.devices {
			d.mustSync()
		}
	}
	_ = b
	for _, d := range w.devices {
		points := d.db.Points()
		r := d.mustSync()
		if r.Usage.RequestsDown != 1 || r.Usage.RequestsUp != 0 || r.Usage.BytesUp != 0 {
			t.Errorf("%s: %+v", d.name, r.Usage)
		}
		if got := d.db.Points(); got != points {
			t.Errorf("%s: a round with nothing to do wrote to the database %d times", d.name, (got-points)/2)
		}
	}
	if got, want := b.read("notes/big.bin"), a.read("notes/big.bin"); got != want {
		t.Errorf("b's file has %d bytes, want %d", len(got), len(want))
	}
}

func TestMergeMakesAWarning(t *testing.T) {
	w := newWorld(t, 3)
	a := w.add("a")
	a.write("User/keybindings.json", `[{"key": "ctrl+1", "command": "one"}]`)
	a.mustSync()
	b := w.add("b")
	b.mustSync()
	a.write("User/keybindings.json", `[{"key": "ctrl+1", "command": "one"}, {"key": "ctrl+k", "command": "kill"}]`)
	b.write("User/keybindings.json", `[{"key": "ctrl+1", "command": "one"}, {"key": "ctrl+k", "command": "keep"}]`)
	a.mustSync()
	r := b.mustSync()
	if len(r.Warnings) != 1 || r.Warnings[0].Kind != merge.KeybindingClash || r.Warnings[0].Item != "default/keybindings/linux" {
		t.Fatalf("both bound one key, and the warnings are %+v", r.Warnings)
	}
	if r := b.mustSync(); len(r.Warnings) != 0 {
		t.Errorf("warned again: %+v", r.Warnings)
	}
	if r := a.mustSync(); len(r.Warnings) != 1 {
		t.Errorf("the other device is not told: %+v", r.Warnings)
	}
	// What one side does knowing the other is nobody's accident.
	b.write("User/keybindings.json", strings.Replace(b.read("User/keybindings.json"), "]", `, {"key": "ctrl+1", "command": "two"}]`, 1))
	b.mustSync()
	if r := a.mustSync(); len(r.Warnings) != 0 {
		t.Errorf("warned of what nobody merged: %+v", r.Warnings)
	}
}
