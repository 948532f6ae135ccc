package vault

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plait/backend/disk"
	"plait/backend/problem"
)

// A file that can't be read, or is no JSON, waits with its reason; everything else
// flows, it is not overwritten, and once it is mended it goes on.
func TestBadEditorFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		spoil  func(t *testing.T, m *machine) (mend func())
		code   problem.Code
		reason string
	}{
		{"invalid", func(t *testing.T, m *machine) func() {
			m.write("settings.json", "{\n  \"editor.fontSize\": 12,\n  \"editor.tabSize\" 4\n}\n")
			return func() { m.write("settings.json", `{"editor.fontSize": 12, "editor.tabSize": 8}`) }
		}, problem.Syntax, "line 3"},
		{"not UTF-8", func(t *testing.T, m *machine) func() {
			m.write("settings.json", "{\"a\": \"\xff\xfe\"}")
			return func() { m.write("settings.json", `{"editor.fontSize": 12, "editor.tabSize": 8}`) }
		}, "", ""},
		{"huge", func(t *testing.T, m *machine) func() {
			p := filepath.Join(m.code, "settings.json")
			must(t, os.Truncate(p, 65<<20))
			return func() { m.write("settings.json", `{"editor.fontSize": 12, "editor.tabSize": 8}`) }
		}, problem.TooLarge, "64 MB"},
		{"too deep", func(t *testing.T, m *machine) func() {
			m.write("settings.json", `{"a": `+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`}`)
			return func() { m.write("settings.json", `{"editor.fontSize": 12, "editor.tabSize": 8}`) }
		}, problem.TooDeep, "1,000"},
		{"a folder", func(t *testing.T, m *machine) func() {
			p := filepath.Join(m.code, "settings.json")
			must(t, os.Rename(p, p+".was"))
			must(t, os.Mkdir(p, 0o755))
			return func() {
				must(t, os.Remove(p))
				must(t, os.Rename(p+".was", p))
			}
		}, problem.OddFile, "no regular file"},
		{"unreadable", func(t *testing.T, m *machine) func() {
			m.o.FS = refusing{disk.OS(), filepath.Join(m.code, "settings.json"), os.ErrPermission}
			m.o.Env.FS = m.o.FS
			m.reopen()
			return func() { m.o.FS, m.o.Env.FS = disk.OS(), disk.OS(); m.reopen() }
		}, problem.FileDenied, "may not read"},
		{"locked", func(t *testing.T, m *machine) func() {
			m.o.FS = refusing{disk.OS(), filepath.Join(m.code, "settings.json"), disk.ErrLocked}
			m.o.Env.FS = m.o.FS
			m.reopen()
			return func() { m.o.FS, m.o.Env.FS = disk.OS(), disk.OS(); m.reopen() }
		}, problem.FileLocked, "locked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			laptop, desktop, _ := two(t)
			mend := c.spoil(t, desktop)
			before := tree(t, desktop.code)
			laptop.write("settings.json", `{"editor.fontSize": 14, "editor.tabSize": 4}`)
			laptop.write("keybindings.json", `[{"key": "ctrl+k", "command": "x"}]`)
			laptop.sync()
			res, err := desktop.v.Sync(bg, SyncOptions{})
			must(t, err)
			if got := desktop.read("keybindings.json"); !strings.Contains(got, "ctrl+k") {
				t.Errorf("what is in order was not applied: %q", got)
			}
			if c.code != "" {
				if len(res.Waiting) != 1 || res.Waiting[0].Code != string(c.code) || !strings.Contains(res.Waiting[0].Reason, c.reason) ||
					!strings.HasSuffix(res.Waiting[0].File, "settings.json") {
					t.Fatalf("waiting is %+v; want %s, %q", res.Waiting, c.code, c.reason)
				}
				if !problem.Known(problem.Code(res.Waiting[0].Code)) {
					t.Errorf("code %s has no words", res.Waiting[0].Code)
				}
				for p, b := range before {
					if now, err := os.ReadFile(p); err != nil || string(now) != b {
						t.Errorf("%s was changed while it waited (%v)", p, err)
					}
				}
				if st, err := desktop.v.Status(bg); err != nil || st.State != "problem" {
					t.Errorf("status is %+v %v", st, err)
				}
			}
			mend()
			desktop.sync()
			desktop.sync()
			laptop.sync()
			if got := desktop.read("settings.json"); !strings.Contains(got, "14") {
				t.Errorf("mended, it has %q", got)
			}
			if got := laptop.read("settings.json"); !strings.Contains(got, "14") {
				t.Errorf("the laptop has %q", got)
			}
		})
	}
}

// refusing is a disk on which one file can't be read or replaced.
type refusing struct {
	disk.FS
	path string
	err  error
}

func (r refusing) Read(p string, max int64) ([]byte, disk.Info, error) {
	if p == r.path {
		return nil, disk.Info{}, &os.PathError{Op: "read", Path: p, Err: r.err}
	}
	return r.FS.Read(p, max)
}

// The folder of an editor is gone, or everything in it: nothing is removed elsewhere
// until the person says so.
func TestFilesVanish(t *testing.T) {
	t.Parallel()
	laptop, desktop, _ := two(t)
	must(t, os.Rename(desktop.code, desktop.code+"-away"))
	_, err := desktop.v.Sync(bg, SyncOptions{})
	told(t, err, problem.Catch, "gone", "--accept-removals")
	laptop.sync()
	if got := laptop.read("settings.json"); !strings.Contains(got, "12") {
		t.Errorf("the laptop lost its settings: %q", got)
	}
	must(t, os.Rename(desktop.code+"-away", desktop.code))
	desktop.sync()

	desktop.write("settings.json", "")
	_, err = desktop.v.Sync(bg, SyncOptions{})
	if err != nil {
		told(t, err, problem.Catch)
	}
	laptop.sync()
	if got := laptop.read("settings.json"); !strings.Contains(got, "12") {
		t.Errorf("a file that was cut to nothing emptied the laptop's: %q", got)
	}
	_, err = desktop.v.Sync(bg, SyncOptions{AcceptRemovals: true})
	must(t, err)
	laptop.sync()
	if got := laptop.read("settings.json"); strings.Contains(got, "12") {
		t.Errorf("accepted, and the laptop still has %q", got)
	}
}

// A full disk: the old file stays, and the rest goes on.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	laptop, desktop, _ := two(t)
	laptop.write("settings.json", `{"editor.fontSize": 14, "editor.tabSize": 4}`)
	laptop.sync()
	before := desktop.read("settings.json")
	desktop.o.FS = unwritable{disk.OS(), disk.ErrFull}
	desktop.reopen()
	res, err := desktop.v.Sync(bg, SyncOptions{})
	must(t, err)
	if len(res.Waiting) != 1 || res.Waiting[0].Code != string(problem.DiskFull) {
		t.Errorf("waiting is %+v", res.Waiting)
	}
	if desktop.read("settings.json") != before {
		t.Error("the file changed")
	}
	desktop.o.FS = disk.OS()
	desktop.reopen()
	desktop.sync()
	if got := desktop.read("settings.json"); !strings.Contains(got, "14") {
		t.Errorf("with room again it has %q", got)
	}
}

// unwritable is a disk on which nothing can be replaced.
type unwritable struct {
	disk.FS
	err error
}

func (u unwritable) Replace(p string, _ io.Reader, _ os.FileMode, _ disk.Expect) (disk.Swapped, error) {
	return disk.Swapped{}, &os.PathError{Op: "replace", Path: p, Err: u.err}
}

// What was removed here and changed there is neither lost nor decided.
func TestRemovedAndChanged(t *testing.T) {
	t.Parallel()
	laptop, desktop, _ := two(t)
	laptop.write("settings.json", `{"editor.fontSize": 14, "editor.tabSize": 4}`)
	desktop.write("settings.json", `{"editor.tabSize": 4}`)
	laptop.sync()
	res := desktop.sync()
	if res.Items.Conflicts != 1 || res.Conflicts[0].Conflicts[0].Local != nil {
		t.Fatalf("conflicts %+v", res.Conflicts)
	}
}
