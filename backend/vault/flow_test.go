package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plait/backend/editor"
	"plait/backend/engine"
	"plait/backend/problem"
)

// pair lets machine b join by a code that a shows, both sides at once.
func pair(t *testing.T, a *machine, b *machine, dir string, p *pairing) (joined Joined, paired Paired, words []string, joinErr, pairErr error) {
	t.Helper()
	p.code = make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		paired, pairErr = a.v.Pair(bg, p)
	}()
	code := <-p.code
	var v *Vault
	v, joined, joinErr = Join(bg, b.o, JoinSpec{Store: dir, Code: code, DeviceName: b.name, Keys: KeysFile, CheckWords: func(w []string) { words = w }})
	b.v = v
	<-done
	return joined, paired, words, joinErr, pairErr
}

func TestPair(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	laptop, _ := found(t, "laptop", dir)
	desktop := newMachine(t, "desktop | work")
	p := &pairing{approve: true, run: true}
	joined, paired, words, jerr, perr := pair(t, laptop, desktop, dir, p)
	must(t, jerr)
	must(t, perr)
	if p.asked[0] != "desktop | work" || p.asked[1] != "linux" {
		t.Errorf("the person is asked about %q", p.asked)
	}
	if !slices.Equal(words, p.words) || len(words) != 4 {
		t.Errorf("the sides show %v and %v", words, p.words)
	}
	if paired.Name != "desktop | work" || !paired.Run || joined.Device != paired.Device || !slices.Contains(joined.Devices, "laptop") {
		t.Errorf("paired %+v, joined %+v", paired, joined)
	}
	if left := objects(t, dir, "join"); len(left) > 0 {
		t.Errorf("in the mailbox there stays %v", left)
	}
	desktop.attach()
	desktop.sync()
	if desktop.read("settings.json") != laptop.read("settings.json") {
		t.Errorf("the desktop has %s", desktop.read("settings.json"))
	}
	for _, m := range []*machine{laptop, desktop} {
		m.sync()
		rows, err := m.v.Devices(bg)
		must(t, err)
		if len(rows) != 2 || !rows[0].This {
			t.Errorf("%s lists %+v", m.name, rows)
		}
	}
}

func TestPairRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	laptop, _ := found(t, "laptop", dir)
	desktop := newMachine(t, "desktop")
	before := len(objects(t, dir, "keys"))
	_, _, _, jerr, perr := pair(t, laptop, desktop, dir, &pairing{})
	told(t, jerr, problem.Refused)
	told(t, perr, problem.Refused)
	if _, err := os.Stat(desktop.o.Home); err == nil {
		t.Error("the home folder stays")
	}
	if got := len(objects(t, dir, "keys")); got != before {
		t.Errorf("%d statements, %d before", got, before)
	}
	rows, err := laptop.v.Devices(bg)
	must(t, err)
	if len(rows) != 1 {
		t.Errorf("devices %+v", rows)
	}
}

func TestPairCodeExpires(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	laptop, _ := found(t, "laptop", dir)
	p := &pairing{approve: true, code: make(chan string, 1)}
	done := make(chan error, 1)
	late := make(chan struct{})
	laptop.v.o.Clock = func() time.Time {
		select {
		case <-late:
			return time.Now().Add(11 * time.Minute)
		default:
			return time.Now()
		}
	}
	go func() { _, err := laptop.v.Pair(bg, p); done <- err }()
	code := <-p.code
	close(late)
	told(t, <-done, problem.WrongCode, "expired")
	if left := objects(t, dir, "join"); len(left) > 0 {
		t.Errorf("in the mailbox there stays %v", left)
	}
	desktop := newMachine(t, "desktop")
	_, _, err := Join(bg, desktop.o, JoinSpec{Store: dir, Code: code, Keys: KeysFile})
	told(t, err, problem.WrongCode)
}

func TestPairCancelled(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	laptop, _ := found(t, "laptop", dir)
	ctx, cancel := context.WithCancel(bg)
	p := &pairing{approve: true, code: make(chan string, 1)}
	done := make(chan error, 1)
	go func() { _, err := laptop.v.Pair(ctx, p); done <- err }()
	<-p.code
	cancel()
	told(t, <-done, problem.Cancelled)
	if left := objects(t, dir, "join"); len(left) > 0 {
		t.Errorf("in the mailbox there stays %v", left)
	}
	laptop.sync()
}

func TestJoinByPassphrase(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	laptop, c := found(t, "laptop", dir)
	m := newMachine(t, "desktop")
	_, _, err := Join(bg, m.o, JoinSpec{Store: dir, RecoveryPassphrase: []byte("a long passphrase"), Keys: KeysFile})
	told(t, err, problem.WrongPassphrase, "24 words")
	r, err := laptop.v.Recovery(bg, RecoverySpec{Passphrase: []byte("a long passphrase")})
	must(t, err)
	if len(r.Words) != 24 || !r.Passphrase || strings.Join(r.Words, " ") == strings.Join(c.RecoveryWords, " ") {
		t.Errorf("recovery is %+v", r)
	}
	_, _, err = Join(bg, m.o, JoinSpec{Store: dir, RecoveryPassphrase: []byte("another passphrase"), Keys: KeysFile})
	told(t, err, problem.WrongPassphrase)
	var newest time.Time
	v, _, err := Join(bg, m.o, JoinSpec{Store: dir, RecoveryPassphrase: []byte("a long passphrase"), Keys: KeysFile, DeviceName: "desktop",
		Newest: func(at time.Time, _ string) bool { newest = at; return true }})
	must(t, err)
	m.v = v
	if newest.IsZero() {
		t.Error("nobody was told how fresh the store is")
	}
	m.attach()
	m.sync()
	if m.read("settings.json") != laptop.read("settings.json") {
		t.Errorf("it has %s", m.read("settings.json"))
	}
	yes, no := strings.Join(r.Words, " "), strings.Join(c.RecoveryWords, " ")
	for words, want := range map[string]bool{yes: true, no: false} {
		got, err := m.v.Recovery(bg, RecoverySpec{Test: words})
		must(t, err)
		if got.Matches == nil || *got.Matches != want {
			t.Errorf("the test of %.20s… says %v, want %v", words, got.Matches, want)
		}
	}
}

func TestStaleStoreRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	_, c := found(t, "laptop", dir)
	m := newMachine(t, "desktop")
	_, _, err := Join(bg, m.o, JoinSpec{Store: dir, RecoveryWords: strings.Join(c.RecoveryWords, " "), Keys: KeysFile,
		Newest: func(time.Time, string) bool { return false }})
	told(t, err, problem.Cancelled)
	if _, err := os.Stat(m.o.Home); err == nil {
		t.Error("the home folder stays")
	}
}

// A revoked device reads nothing more, and what it writes counts nowhere.
func TestRevoke(t *testing.T) {
	t.Parallel()
	laptop, desktop, dir := two(t)
	desktop.write("settings.json", `{"editor.fontSize": 13, "editor.tabSize": 4}`)
	desktop.sync()
	must(t, laptop.v.RenameDevice(bg, "desktop", "stolen"))
	if rows, err := laptop.v.Devices(bg); err != nil || rows[1].Name != "stolen" {
		t.Errorf("renamed: %+v %v", rows, err)
	}
	told(t, errOf(laptop.v.RevokeDevice(bg, "laptop")), problem.Usage)
	told(t, errOf(laptop.v.RevokeDevice(bg, "nobody")), problem.UnknownDevice)
	epoch, _, _ := laptop.v.eng.Keys().Current()
	r, err := laptop.v.RevokeDevice(bg, "stolen")
	must(t, err)
	if r.Name != "stolen" || r.Epoch == epoch.String() || len(r.Notes) < 3 || !strings.Contains(strings.Join(r.Notes, " "), dir) {
		t.Errorf("revoked %+v", r)
	}
	if got := laptop.read("settings.json"); strings.Contains(got, "14") {
		t.Error("the test is off")
	}
	told(t, errOf(laptop.v.RevokeDevice(bg, "stolen")), problem.Usage)
	laptop.sync()
	if got := laptop.read("settings.json"); !strings.Contains(got, "13") {
		t.Errorf("what it wrote before is lost: %s", got)
	}
	laptop.write("settings.json", `{"editor.fontSize": 20, "editor.tabSize": 4, "after": "the revocation"}`)
	laptop.sync()
	before := desktop.read("settings.json")
	desktop.write("snippets/go.json", `{"Zombie": {"prefix": "z", "body": "zombie"}}`)
	_, err = desktop.v.Sync(bg, SyncOptions{})
	told(t, err, problem.Revoked)
	if got := desktop.read("settings.json"); got != before {
		t.Errorf("the revoked device reads on: %s", got)
	}
	laptop.sync()
	if got := laptop.read("snippets/go.json"); got != "(none)" {
		t.Errorf("what it wrote afterwards arrived: %s", got)
	}
	rows, err := laptop.v.Devices(bg)
	must(t, err)
	if len(rows) != 2 || !rows[1].Revoked {
		t.Errorf("devices %+v", rows)
	}
}

func errOf[T any](_ T, err error) error { return err }

// Tasks from a device that may not change what runs here wait for approval.
func TestApprove(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	laptop, _ := found(t, "laptop", dir)
	desktop := newMachine(t, "desktop")
	_, _, _, jerr, perr := pair(t, laptop, desktop, dir, &pairing{approve: true})
	must(t, jerr)
	must(t, perr)
	desktop.attach()
	desktop.sync()
	desktop.write("tasks.json", `{"version": "2.0.0", "tasks": [{"label": "build", "command": "make"}]}`)
	desktop.sync()
	laptop.sync()
	if got := laptop.read("tasks.json"); strings.Contains(got, "make") {
		t.Errorf("it runs here already: %s", got)
	}
	st, err := laptop.v.Status(bg)
	must(t, err)
	if !slices.Contains(st.Approvals, "default/tasks") {
		t.Errorf("status %+v", st)
	}
	shown, err := laptop.v.Approve(bg, "default/tasks", "")
	must(t, err)
	if got := laptop.read("tasks.json"); strings.Contains(got, "make") {
		t.Errorf("a dry run had effect: %s", got)
	}
	desktop.write("tasks.json", `{"version": "2.0.0", "tasks": [{"label": "build", "command": "make install"}]}`)
	desktop.sync()
	laptop.sync()
	told(t, errOf(laptop.v.Approve(bg, "default/tasks", shown.As)), problem.Outdated, "changed since")
	if got := laptop.read("tasks.json"); strings.Contains(got, "make") {
		t.Errorf("what was not shown runs: %s", got)
	}
	shown, err = laptop.v.Approve(bg, "default/tasks", "")
	must(t, err)
	done, err := laptop.v.Approve(bg, "default/tasks", shown.As)
	must(t, err)
	if !done.Done {
		t.Errorf("%+v", done)
	}
	laptop.sync()
	if got := laptop.read("tasks.json"); !strings.Contains(got, "make") {
		t.Errorf("approved, and it has %s", got)
	}
	told(t, errOf(laptop.v.Approve(bg, "default/nothing", "")), problem.UnknownItem)
}

func TestConflictAndHistory(t *testing.T) {
	t.Parallel()
	laptop, desktop, _ := two(t)
	laptop.write("settings.json", strings.Replace(laptop.read("settings.json"), "12", "14", 1))
	desktop.write("settings.json", strings.Replace(desktop.read("settings.json"), "12", "16", 1))
	laptop.sync()
	res := desktop.sync()
	if res.Items.Conflicts != 1 {
		t.Fatalf("conflicts %+v", res.Conflicts)
	}
	told(t, errOf(desktop.v.Resolve(bg, ResolveSpec{Item: "default/settings", Path: []string{"nothing"}, Take: "local"})), problem.UnknownConflict)
	_, err := desktop.v.Resolve(bg, ResolveSpec{Item: "default/settings", Path: []string{"editor.fontSize"}, Take: "laptop"})
	must(t, err)
	desktop.sync()
	laptop.sync()
	for _, m := range []*machine{laptop, desktop} {
		if got := m.read("settings.json"); !strings.Contains(got, `"editor.fontSize": 14, // small`) {
			t.Errorf("%s has %s", m.name, got)
		}
	}
	vs, err := laptop.v.History(bg, "default/settings", 0)
	must(t, err)
	if len(vs) < 3 || vs[0].Action != "resolve" {
		t.Errorf("history %+v", vs)
	}
	first := vs[len(vs)-1].Version
	d, err := laptop.v.Diff(bg, "default/settings", first[:10], "")
	must(t, err)
	if len(d.Changes) != 1 || string(d.Changes[0].After) != "14" {
		t.Errorf("diff %+v", d)
	}
	r, err := laptop.v.Restore(bg, RestoreSpec{What: "default/settings", To: first[:10], DryRun: true})
	must(t, err)
	if r.Done || len(r.Items) != 1 || strings.Contains(laptop.read("settings.json"), "12") {
		t.Errorf("dry run: %+v", r)
	}
	_, err = laptop.v.Restore(bg, RestoreSpec{What: "default/settings", To: first[:10]})
	must(t, err)
	laptop.sync()
	desktop.sync()
	if got := desktop.read("settings.json"); !strings.Contains(got, `"editor.fontSize": 12`) {
		t.Errorf("restored, and the desktop has %s", got)
	}
	told(t, errOf(laptop.v.Restore(bg, RestoreSpec{What: "default/settings", To: "ffffffffff"})), problem.UnknownVersion)
	told(t, errOf(laptop.v.Restore(bg, RestoreSpec{What: "default/nothing", To: first})), problem.UnknownItem)
	out := filepath.Join(t.TempDir(), "out")
	n, err := laptop.v.Export(bg, out)
	must(t, err)
	if n == 0 || len(tree(t, out)) == 0 {
		t.Errorf("%d items exported, files %v", n, tree(t, out))
	}
	told(t, errOf(laptop.v.Export(bg, out)), problem.NotEmpty)
}

func TestOverlayAndStrategies(t *testing.T) {
	t.Parallel()
	laptop, desktop, _ := two(t)
	must(t, laptop.v.Overlay(bg, "default/settings", []string{"editor.fontSize"}, "device"))
	laptop.write("settings.json", strings.Replace(laptop.read("settings.json"), "12", "22", 1))
	laptop.sync()
	desktop.sync()
	if got := desktop.read("settings.json"); !strings.Contains(got, `"editor.fontSize": 12`) {
		t.Errorf("what is for the laptop alone came here: %s", got)
	}
	if got := laptop.read("settings.json"); !strings.Contains(got, "22") {
		t.Errorf("the laptop has %s", got)
	}
	if err := laptop.v.Overlay(bg, "default/settings", []string{"no.such.key"}, "device"); err == nil {
		t.Error("an overlay for a key that is not there")
	} else {
		told(t, err, problem.UnknownKey)
	}
	_, err := laptop.v.Strategies(bg, "settings", "latest")
	must(t, err)
	laptop.sync()
	desktop.sync()
	laptop.write("settings.json", strings.Replace(laptop.read("settings.json"), `"editor.tabSize": 4`, `"editor.tabSize": 3`, 1))
	laptop.sync()
	desktop.skew = 2 * time.Minute
	desktop.write("settings.json", strings.Replace(desktop.read("settings.json"), `"editor.tabSize": 4`, `"editor.tabSize": 8`, 1))
	desktop.sync()
	laptop.sync()
	for _, m := range []*machine{laptop, desktop} {
		if got := m.read("settings.json"); !strings.Contains(got, `"editor.tabSize": 8`) {
			t.Errorf("the latest is 8, and %s has %s", m.name, got)
		}
	}
	told(t, errOf(laptop.v.Strategies(bg, "settings", "whatever")), problem.Usage)
}

func TestAttach(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	m := newMachine(t, "laptop")
	must(t, os.MkdirAll(filepath.Join(m.code, "profiles", "-work1"), 0o755))
	must(t, os.MkdirAll(filepath.Join(m.code, "globalStorage"), 0o755))
	m.write("globalStorage/storage.json", `{"userDataProfiles": [{"location": "-work1", "name": "Work"}]}`)
	m.write("profiles/-work1/settings.json", `{"work": true}`)
	m.write("settings.json", `{"a": 1}`)
	v, _, err := Create(bg, m.o, CreateSpec{Store: dir, Keys: KeysFile})
	must(t, err)
	m.v = v
	attach := func(s AttachSpec) error { return errOf(m.v.Attach(bg, s, false)) }
	told(t, attach(AttachSpec{Editor: "emacs"}), problem.UnknownEditor)
	told(t, attach(AttachSpec{Editor: "cod"}), problem.UnknownEditor, "VS Code")
	told(t, attach(AttachSpec{Editor: "code", Profile: "Wrk"}), problem.UnknownEditor, "Work")
	told(t, attach(AttachSpec{}), problem.Usage)
	told(t, attach(AttachSpec{Path: m.root + "/no/such", Name: "x"}), problem.Usage)
	told(t, attach(AttachSpec{Path: m.root}), problem.Usage, "--name")
	told(t, attach(AttachSpec{Path: m.root, Name: "all", Files: true}), problem.Usage, "contain each other")
	p, err := m.v.Attach(bg, AttachSpec{Editor: "VS CODE"}, true)
	must(t, err)
	if p.Done || len(p.Types) == 0 || p.Types[0].Action != "upload" {
		t.Errorf("the plan is %+v", p)
	}
	must(t, attach(AttachSpec{Editor: "code"}))
	if err := attach(AttachSpec{Editor: "code"}); err == nil {
		t.Error("attached twice")
	} else if c := problem.From(err).Code; c != problem.Usage && c != problem.Attached {
		t.Errorf("attached twice: %v", err)
	}
	must(t, attach(AttachSpec{Editor: "code", Profile: "work"}))
	notes := filepath.Join(m.root, "notes")
	must(t, os.MkdirAll(notes, 0o755))
	must(t, os.WriteFile(filepath.Join(notes, "a.txt"), []byte("x"), 0o755))
	must(t, attach(AttachSpec{Path: notes, Name: "My notes", Files: true}))
	user := filepath.Join(m.root, "elsewhere")
	must(t, os.MkdirAll(user, 0o755))
	must(t, attach(AttachSpec{Path: user, Name: "Elsewhere"}))
	m.sync()
	if b, err := os.ReadFile(filepath.Join(user, "settings.json")); err != nil || !strings.Contains(string(b), `"a": 1`) {
		t.Errorf("an added User folder got %s %v", b, err)
	}
	items, err := m.v.Items(bg)
	must(t, err)
	for _, want := range []string{"default/settings", "my-notes/files/a.txt"} {
		if !slices.Contains(items, want) {
			t.Errorf("items are %v, without %s", items, want)
		}
	}
	es, err := m.v.Editors(bg)
	must(t, err)
	attached := 0
	for _, e := range es {
		if e.Attached {
			attached++
		}
	}
	if attached != 4 {
		t.Errorf("editors %+v", es)
	}
	must(t, m.v.Detach(bg, "My notes", ""))
	must(t, m.v.Detach(bg, "code", "Work"))
	told(t, m.v.Detach(bg, "nothing", ""), problem.UnknownEditor, "Elsewhere")
	if b, err := os.ReadFile(filepath.Join(notes, "a.txt")); err != nil || string(b) != "x" {
		t.Errorf("detaching touched a file: %q %v", b, err)
	}
	must(t, os.Remove(filepath.Join(notes, "a.txt")))
	m.sync()
	must(t, attach(AttachSpec{Path: notes, Name: "notes", Files: true, Collection: "my-notes"}))
	m.sync()
	if b, err := os.ReadFile(filepath.Join(notes, "a.txt")); err != nil || string(b) != "x" {
		t.Errorf("attached again, it is %q %v: a removal while detached is no removal", b, err)
	}
}

// A portable installation keeps its data beside the program.
func TestPortable(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	m := newMachine(t, "laptop")
	user := filepath.Join(m.root, "VSCode-linux-x64", "data", "user-data", "User")
	must(t, os.MkdirAll(user, 0o755))
	must(t, os.WriteFile(filepath.Join(user, "settings.json"), []byte(`{"portable": true}`), 0o644))
	es, err := FindEditors(bg, m.o)
	must(t, err)
	name := ""
	for _, e := range es {
		if e.Path == user {
			name = e.Name
		}
	}
	if name == "" {
		t.Fatalf("found %+v", es)
	}
	v, _, err := Create(bg, m.o, CreateSpec{Store: dir, Keys: KeysFile})
	must(t, err)
	m.v = v
	_, err = m.v.Attach(bg, AttachSpec{Editor: name}, false)
	must(t, err)
	if r := m.sync(); r.Items.Pushed == 0 {
		t.Errorf("sync %+v", r)
	}
}

// Everything that can go wrong has words: what the engine finds wrong with a store is
// never shown as it is.
func TestWordsForAllThatIsBad(t *testing.T) {
	t.Parallel()
	m, _ := found(t, "laptop", filepath.Join(t.TempDir(), "store"))
	for _, code := range []string{"changed", "rollback", "forked", "incomplete", "foreign", "newer", "stranger"} {
		b := &engine.Bad{Code: code, Object: "heads/x", Device: m.v.local.Device.ID(), Detail: "a detail", Err: errors.New("secret internals")}
		err := m.v.verdict(&engine.Round{Bad: []*engine.Bad{b}})
		told(t, err, problem.Code(code))
		if p := problem.From(err); strings.Contains(p.Message+p.Hint, "internals") {
			t.Errorf("%s: %s", code, p.Message)
		}
	}
	for _, code := range []string{"invalid", "too-large", "too-deep", "locked", "denied", "full", "changed", "odd", "name", "incomplete", "forged", "damaged", "offline", "unknown"} {
		w := m.v.waiting(engine.Waiting{Code: code, Line: 3, Path: "/x/settings.json", Detail: "detail"})
		if !problem.Known(problem.Code(w.Code)) || w.Reason == "" || w.Hint == "" || code != "unknown" && w.Code == string(problem.Internal) {
			t.Errorf("%s: %+v", code, w)
		}
	}
	var nf *editor.NotFound
	_, err := m.v.Attach(bg, AttachSpec{Editor: "nano"}, false)
	if !errors.As(err, &nf) {
		t.Errorf("%v does not wrap what the editors said", err)
	}
}
