package vault

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plait/backend/disk"
	"plait/backend/editor"
	"plait/backend/problem"
	"plait/backend/store"
	"plait/backend/store/driver"
	"plait/backend/store/folderstore"
)

// A machine is a person's computer in a folder: a home directory with VS Code's data,
// and Plait's own folder. What is tested here is real: folders, database, store.
type machine struct {
	t    *testing.T
	name string
	root string // everything of the machine
	code string // VS Code's User folder
	o    Options
	v    *Vault
	skew time.Duration
}

var bg = context.Background()

func openFolder(_ context.Context, url string, create bool) (driver.Bucket, error) {
	_, path, err := store.ParseURL(url)
	if err != nil {
		return nil, problem.Wrap(problem.BadLocation, err)
	}
	if create {
		return folderstore.Create(path)
	}
	return folderstore.Open(path)
}

func newMachine(t *testing.T, name string) *machine {
	t.Helper()
	m := &machine{t: t, name: name, root: filepath.Join(t.TempDir(), name)}
	m.code = filepath.Join(m.root, ".config", "Code", "User")
	must(t, os.MkdirAll(m.code, 0o755))
	m.o = Options{
		Home: filepath.Join(m.root, "plait"), OpenBucket: openFolder, FS: disk.OS(),
		Env:   editor.Env{Home: m.root, OS: "linux", Getenv: func(string) string { return "" }, FS: disk.OS()},
		Clock: func() time.Time { return time.Now().Add(m.skew) },
		Wait:  200 * time.Millisecond,
	}
	t.Cleanup(m.close)
	return m
}

func (m *machine) close() {
	if m.v != nil {
		if err := m.v.Close(); err != nil {
			m.t.Error(err)
		}
		m.v = nil
	}
}

// reopen is the next command: what was open is closed first.
func (m *machine) reopen() {
	m.t.Helper()
	m.close()
	v, err := Open(bg, m.o)
	must(m.t, err)
	m.v = v
}

func must(t testing.TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatalf("%v (%+v)", err, problem.From(err))
	}
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	p := filepath.Join(m.code, name)
	must(m.t, os.MkdirAll(filepath.Dir(p), 0o755))
	must(m.t, os.WriteFile(p, []byte(text), 0o644))
}

func (m *machine) read(name string) string {
	b, err := os.ReadFile(filepath.Join(m.code, name))
	if errors.Is(err, os.ErrNotExist) {
		return "(none)"
	}
	must(m.t, err)
	return string(b)
}

func (m *machine) sync() SyncResult {
	m.t.Helper()
	r, err := m.v.Sync(bg, SyncOptions{})
	must(m.t, err)
	return r
}

// attach attaches VS Code.
func (m *machine) attach() {
	m.t.Helper()
	_, err := m.v.Attach(bg, AttachSpec{Editor: "code"}, false)
	must(m.t, err)
}

// found makes a vault in a folder, with VS Code attached and synced.
func found(t *testing.T, name, dir string) (*machine, Created) {
	t.Helper()
	m := newMachine(t, name)
	v, c, err := Create(bg, m.o, CreateSpec{Store: dir, DeviceName: name, Keys: KeysFile})
	must(t, err)
	m.v = v
	m.write("settings.json", `{
    // fonts
    "editor.fontSize": 12, // small
    "editor.tabSize": 4
}
`)
	m.attach()
	m.sync()
	return m, c
}

// join makes another machine a device by the recovery words, with VS Code attached.
func join(t *testing.T, name, dir string, c Created) *machine {
	t.Helper()
	m := newMachine(t, name)
	v, _, err := Join(bg, m.o, JoinSpec{Store: dir, RecoveryWords: strings.Join(c.RecoveryWords, " "), DeviceName: name, Keys: KeysFile})
	must(t, err)
	m.v = v
	m.attach()
	m.sync()
	return m
}

// two are two machines in sync over a folder.
func two(t *testing.T) (laptop, desktop *machine, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	laptop, c := found(t, "laptop", dir)
	desktop = join(t, "desktop", dir, c)
	laptop.sync()
	desktop.sync()
	return laptop, desktop, dir
}

// told checks an error: its code, that it has words for a person, and which.
func told(t *testing.T, err error, code problem.Code, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want %s", code)
	}
	p := problem.From(err)
	if p.Code != code {
		t.Errorf("code %s (%s; %v); want %s", p.Code, p.Message, err, code)
	}
	if !problem.Known(p.Code) || p.Message == "" || p.Hint == "" {
		t.Errorf("%+v: want a known code, words and a hint", p)
	}
	for _, w := range words {
		if !strings.Contains(p.Message+" "+p.Hint, w) {
			t.Errorf("%q %q does not say %q", p.Message, p.Hint, w)
		}
	}
	for _, raw := range []string{"%!", "<nil>", "0x", "cbor", "goroutine", "driver:", "engine:"} {
		if strings.Contains(p.Message, raw) {
			t.Errorf("%q shows what is inside", p.Message)
		}
	}
}

// objects lists what a folder store holds under a prefix, newest last.
func objects(t *testing.T, dir, prefix string) []string {
	t.Helper()
	var out []string
	times := map[string]time.Time{}
	must(t, filepath.WalkDir(filepath.Join(dir, filepath.FromSlash(prefix)), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		out = append(out, p)
		times[p] = info.ModTime()
		return nil
	}))
	slices.SortFunc(out, func(a, b string) int { return times[a].Compare(times[b]) })
	return out
}

// newHeadFile is the newest head of a machine, as a file.
func (m *machine) newHead(dir string) string {
	m.t.Helper()
	id := m.v.local.Device.ID().String()
	var best string
	var most int
	for _, p := range objects(m.t, dir, "heads") {
		parts := strings.Split(filepath.Base(p), ".")
		if parts[0] != id {
			continue
		}
		n := 0
		for _, r := range parts[2] {
			n = 10*n + int(r-'0')
		}
		if n >= most {
			best, most = p, n
		}
	}
	return best
}

// copyTree copies a directory as it is.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	must(t, os.CopyFS(to, os.DirFS(from)))
	must(t, filepath.WalkDir(from, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		return os.Chmod(filepath.Join(to, rel), info.Mode().Perm())
	}))
}

// tree is what is in a directory, byte for byte.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		out[p] = string(b)
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

func sameTree(a, b map[string]string) bool { return maps.Equal(a, b) }

// pairing answers for the person at the old device.
type pairing struct {
	code    chan string
	approve bool
	run     bool
	mu      sync.Mutex
	asked   []string // name, platform
	words   []string
}

func (p *pairing) Show(code string, _ time.Time) { p.code <- code }

func (p *pairing) Approve(name, platform string, words []string) (bool, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.words = []string{name, platform}, words
	return p.approve, p.run, nil
}
