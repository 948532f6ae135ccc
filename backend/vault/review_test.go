package vault

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plait/backend/problem"
)

// What a person decides about is what stands in the file, synced or not.
func TestDecisionsAreAboutWhatStandsThere(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	a, c := found(t, "laptop", dir)
	b := join(t, "desktop", dir, c)
	b.sync()

	// A value that is to stay on this device, edited a moment ago.
	a.write("settings.json", strings.Replace(a.read("settings.json"), "12", "20", 1))
	must(t, a.v.Overlay(bg, "default/settings", []string{"editor.fontSize"}, "device"))
	if got := a.read("settings.json"); !strings.Contains(got, `"editor.fontSize": 20`) {
		t.Errorf("the laptop lost its edit:\n%s", got)
	}

	// A side of a conflict, likewise.
	a.write("settings.json", strings.Replace(a.read("settings.json"), `tabSize": 4`, `tabSize": 2`, 1))
	b.write("settings.json", strings.Replace(b.read("settings.json"), `tabSize": 4`, `tabSize": 8`, 1))
	a.sync()
	b.sync()
	b.write("settings.json", strings.Replace(b.read("settings.json"), `tabSize": 8`, `tabSize": 6`, 1))
	r, err := b.v.Resolve(bg, ResolveSpec{Item: "default/settings", Path: []string{"editor.tabSize"}, Take: "local"})
	must(t, err)
	if got := b.read("settings.json"); r.Left != 0 || !strings.Contains(got, `tabSize": 6`) {
		t.Errorf("%d conflicts are left, and the desktop has\n%s", r.Left, got)
	}

	// What a restore takes back is in history first.
	past, err := b.v.History(bg, "default/settings", 0)
	must(t, err)
	b.write("settings.json", strings.Replace(b.read("settings.json"), `tabSize": 6`, `tabSize": 5`, 1))
	_, err = b.v.Restore(bg, RestoreSpec{What: "default/settings", To: past[0].Version})
	must(t, err)
	cs, err := b.v.Conflicts(bg, "")
	must(t, err)
	if got := b.read("settings.json"); len(cs) != 0 || !strings.Contains(got, `tabSize": 6`) {
		t.Errorf("conflicts %+v, and the desktop has\n%s", cs, got)
	}
}

// A version is a version, whatever the clock says that made it.
func TestRestoreVersionOfAFastClock(t *testing.T) {
	t.Parallel()
	a, _ := found(t, "laptop", filepath.Join(t.TempDir(), "store"))
	a.skew = 24 * time.Hour
	a.write("settings.json", strings.Replace(a.read("settings.json"), "12", "20", 1))
	a.sync()
	past, err := a.v.History(bg, "default/settings", 0)
	must(t, err)
	a.skew = 0
	a.write("settings.json", strings.Replace(a.read("settings.json"), "20", "30", 1))
	a.sync()
	if _, err := a.v.Restore(bg, RestoreSpec{What: "default/settings", To: past[0].Version}); err != nil {
		t.Fatalf("%v %+v", err, problem.From(err))
	}
	if got := a.read("settings.json"); !strings.Contains(got, "20") {
		t.Errorf("restored\n%s", got)
	}
}
