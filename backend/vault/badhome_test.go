package vault

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plait/backend/keyring"
	"plait/backend/problem"
	"plait/backend/store/driver"
)

func TestNoVaultYet(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "laptop")
	_, err := Open(bg, m.o)
	told(t, err, problem.NoVault, "plait init")
	if len(tree(t, m.o.Home)) != 0 {
		t.Error("asking made something")
	}
}

// The database is gone, the keys are not: said so each time, and joining anew helps.
func TestDatabaseLost(t *testing.T) {
	t.Parallel()
	laptop, desktop, dir := two(t)
	desktop.close()
	must(t, os.RemoveAll(filepath.Join(desktop.o.Home, dbDir)))
	for range 2 {
		_, err := Open(bg, desktop.o)
		told(t, err, problem.Lost, "plait join")
	}
	must(t, os.Rename(desktop.o.Home, desktop.o.Home+"-old"))
	desktop.write("settings.json", `{"editor.fontSize": 13, "editor.tabSize": 4}`)
	laptop.write("settings.json", `{"editor.fontSize": 12, "editor.tabSize": 2}`)
	laptop.sync()
	words, err := laptop.v.Recovery(bg, RecoverySpec{New: true})
	must(t, err)
	again := newMachine(t, "desktop")
	again.root, again.code, again.o = desktop.root, desktop.code, desktop.o
	v, _, err := Join(bg, again.o, JoinSpec{Store: dir, RecoveryWords: strings.Join(words.Words, " "), DeviceName: "desktop", Keys: KeysFile})
	must(t, err)
	again.v = v
	again.attach()
	again.sync()
	cs, err := again.v.Conflicts(bg, "")
	must(t, err)
	if got := again.read("settings.json"); !strings.Contains(got, "13") {
		t.Errorf("an edit that was never sent is gone: %s (conflicts %+v)", got, cs)
	}
}

// The database lost its tail, or is one of before: restored from a backup.
func TestDatabaseRestored(t *testing.T) {
	t.Parallel()
	laptop, desktop, _ := two(t)
	db := filepath.Join(desktop.o.Home, dbDir)
	desktop.close()
	backup := filepath.Join(t.TempDir(), "db")
	copyTree(t, db, backup)
	desktop.reopen()
	desktop.write("settings.json", `{"editor.fontSize": 13, "editor.tabSize": 4}`)
	desktop.sync()
	laptop.sync()
	laptop.write("settings.json", `{"editor.fontSize": 13, "editor.tabSize": 2}`)
	laptop.sync()
	desktop.close()
	must(t, os.RemoveAll(db))
	copyTree(t, backup, db)
	desktop.reopen()
	desktop.sync()
	desktop.write("settings.json", `{"editor.fontSize": 16, "editor.tabSize": 2}`)
	desktop.sync()
	laptop.sync()
	for _, m := range []*machine{laptop, desktop} {
		if got := m.read("settings.json"); !strings.Contains(got, "16") || !strings.Contains(got, `"editor.tabSize": 2`) {
			t.Errorf("%s has %s", m.name, got)
		}
		cs, err := m.v.Conflicts(bg, "")
		must(t, err)
		if len(cs) > 0 {
			t.Errorf("%s: a restored backup made conflicts: %+v", m.name, cs)
		}
		fs, err := m.v.VerifyLog(bg)
		must(t, err)
		for _, f := range fs {
			if !f.OK {
				t.Errorf("%s: %+v", m.name, f)
			}
		}
	}
}

// The home folder as a whole, copied to another folder or machine: both go on, each
// as its own incarnation, and nothing is lost.
func TestHomeCopied(t *testing.T) {
	t.Parallel()
	laptop, desktop, dir := two(t)
	desktop.close()
	clone := newMachine(t, "clone")
	must(t, os.RemoveAll(clone.root))
	copyTree(t, desktop.root, clone.root)
	clone.reopen()
	// What the copy has attached is the original's folder: here they share it.
	desktop.reopen()
	desktop.write("settings.json", `{"editor.fontSize": 13, "editor.tabSize": 4}`)
	desktop.sync()
	clone.reopen()
	clone.sync()
	must(t, clone.v.RenameDevice(bg, "desktop", "twin"))
	desktop.reopen()
	desktop.sync()
	laptop.sync()
	for _, m := range []*machine{laptop, desktop, clone} {
		if got := m.read("settings.json"); m != clone && !strings.Contains(got, "13") {
			t.Errorf("%s has %s", m.name, got)
		}
		m.reopen()
		m.sync()
	}
	if n := len(objects(t, dir, "heads")); n < 3 {
		t.Errorf("%d heads; want those of three incarnations", n)
	}
}

func TestSecondProcess(t *testing.T) {
	t.Parallel()
	laptop, _, _ := two(t)
	start := time.Now()
	_, err := Open(bg, laptop.o)
	told(t, err, problem.Busy, "process")
	if d := time.Since(start); d < 150*time.Millisecond || d > 5*time.Second {
		t.Errorf("it waited %s", d)
	}
	laptop.sync()
}

func TestWrongWords(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	laptop, c := found(t, "laptop", dir)
	words := func(w string) error {
		m := newMachine(t, "desktop")
		_, _, err := Join(bg, m.o, JoinSpec{Store: dir, RecoveryWords: w, Keys: KeysFile})
		if len(tree(t, m.o.Home)) != 0 {
			t.Errorf("after %q something stays in the home folder", w)
		}
		if _, serr := os.Stat(m.o.Home); serr == nil {
			t.Errorf("after %q the home folder stays", w)
		}
		return err
	}
	before := tree(t, dir)
	told(t, words(strings.Repeat("abandon ", 23)+"art"), problem.WrongKey)
	told(t, words(strings.Join(c.RecoveryWords[:23], " ")), problem.WrongKey)
	swapped := append([]string{}, c.RecoveryWords...)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	if swapped[0] != swapped[1] {
		told(t, words(strings.Join(swapped, " ")), problem.WrongKey)
	}
	told(t, words("nonsense"), problem.WrongKey)
	if !sameTree(before, tree(t, dir)) {
		t.Error("a wrong guess wrote to the store")
	}
	now, err := laptop.v.Recovery(bg, RecoverySpec{New: true})
	must(t, err)
	told(t, words(strings.Join(c.RecoveryWords, " ")), problem.WrongKey, "replaced")
	join(t, "desktop", dir, Created{RecoveryWords: now.Words})
}

func TestWrongCode(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	found(t, "laptop", dir)
	for _, code := range []string{"no such code", strings.Repeat("abandon ", 11) + "about", ""} {
		m := newMachine(t, "desktop")
		s := JoinSpec{Store: dir, Code: code, Keys: KeysFile}
		if code == "" {
			s.Code = " "
		}
		_, _, err := Join(bg, m.o, s)
		told(t, err, problem.WrongCode)
		if _, serr := os.Stat(m.o.Home); serr == nil {
			t.Errorf("after %q the home folder stays", code)
		}
	}
}

func TestKeysByPassphrase(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	m := newMachine(t, "laptop")
	m.o.kdf = keyring.KDF{Time: 3, Memory: 64 << 10, Threads: 4}
	_, _, err := Create(bg, m.o, CreateSpec{Store: dir, Keys: KeysPassphrase})
	told(t, err, problem.Locked, "--passphrase-file")
	if _, serr := os.Stat(m.o.Home); serr == nil {
		t.Error("the home folder stays")
	}
	if len(tree(t, dir)) != 0 {
		t.Error("a vault was begun")
	}
	say := "correct horse battery"
	m.o.Passphrase = func() ([]byte, error) { return []byte(say), nil }
	v, c, err := Create(bg, m.o, CreateSpec{Store: dir, Keys: KeysPassphrase})
	must(t, err)
	must(t, v.Close())
	if c.Keys != KeysPassphrase {
		t.Errorf("keys are kept by %s", c.Keys)
	}
	say = "wrong"
	_, err = Open(bg, m.o)
	told(t, err, problem.WrongPassphrase)
	m.o.Passphrase = nil
	_, err = Open(bg, m.o)
	told(t, err, problem.Locked)
	m.o.Passphrase = func() ([]byte, error) { return []byte("correct horse battery"), nil }
	m.reopen()
}

func TestKeysDamaged(t *testing.T) {
	t.Parallel()
	m, _ := found(t, "laptop", filepath.Join(t.TempDir(), "store"))
	m.close()
	file := filepath.Join(m.o.Home, keyring.LocalFile)
	undo := edit(t, file, func(b []byte) []byte { return b[:len(b)/2] })
	_, err := Open(bg, m.o)
	told(t, err, problem.KeysDamaged)
	undo()
	other, _ := found(t, "other", filepath.Join(t.TempDir(), "store"))
	other.close()
	b, err := os.ReadFile(filepath.Join(other.o.Home, keyring.LocalFile))
	must(t, err)
	undo = edit(t, file, func([]byte) []byte { return b })
	_, err = Open(bg, m.o)
	told(t, err, problem.KeyMismatch)
	undo()
	must(t, os.Chmod(file, 0o644))
	m.reopen()
	fs, err := m.v.Doctor(bg, false)
	must(t, err)
	if len(fs) == 0 || fs[0].OK {
		t.Errorf("keys that others may read: doctor says %+v", fs)
	}
}

// An init or join that is cut anywhere leaves nothing here, or what it takes to go on; and can be run again.
func TestInterruptedBeginning(t *testing.T) {
	t.Parallel()
	for _, after := range []int{0, 1, 2, 3, 4} {
		dir := filepath.Join(t.TempDir(), "store")
		m := newMachine(t, "laptop")
		m.o.OpenBucket = failsAfter(after)
		_, _, err := Create(bg, m.o, CreateSpec{Store: dir, Keys: KeysFile})
		if err == nil {
			t.Fatalf("after %d requests: it went well; ask for fewer", after)
		}
		told(t, err, problem.Denied)
		left := slices.Collect(maps.Keys(tree(t, m.o.Home)))
		if note := filepath.Join(m.o.Home, beginningFile); len(left) > 0 && (after < 1 || !slices.Equal(left, []string{note})) {
			t.Errorf("init cut after %d requests leaves %v", after, left)
		}
		m.o.OpenBucket = openFolder
		if len(left) > 0 {
			_, err := Open(bg, m.o)
			told(t, err, problem.NoVault, "plait init", "not finished")
			if after >= 2 { // vault.json is there
				_, _, err = Create(bg, newMachine(t, "other").o, CreateSpec{Store: dir, Keys: KeysFile})
				told(t, err, problem.Exists, "not finished", "vault.json")
			}
		}
		v, _, err := Create(bg, m.o, CreateSpec{Store: dir, Keys: KeysFile})
		must(t, err)
		m.v = v
		if got := len(objects(t, dir, "keys")); got != 1 {
			t.Errorf("init cut after %d requests and run again: %d statements", after, got)
		}
	}
	dir := filepath.Join(t.TempDir(), "store")
	laptop, c := found(t, "laptop", dir)
	for _, after := range []int{0, 2, 5, 8} {
		m := newMachine(t, "desktop")
		m.o.OpenBucket = failsAfter(after)
		_, _, err := Join(bg, m.o, JoinSpec{Store: dir, RecoveryWords: strings.Join(c.RecoveryWords, " "), Keys: KeysFile})
		if err == nil {
			t.Fatalf("after %d requests: it went well; ask for fewer", after)
		}
		told(t, err, problem.Denied)
		left := slices.Sorted(maps.Keys(tree(t, m.o.Home)))
		if rest := []string{filepath.Join(m.o.Home, "keys.plait"), filepath.Join(m.o.Home, beginningFile)}; len(left) > 0 && !slices.Equal(left, rest) {
			t.Errorf("join cut after %d requests leaves %v", after, left)
		}
		if len(left) > 0 {
			_, err := Open(bg, m.o)
			told(t, err, problem.NoVault, "plait join", "not finished")
		}
		m.o.OpenBucket = openFolder
		if after == 8 {
			v, _, err := Join(bg, m.o, JoinSpec{Store: dir, RecoveryWords: strings.Join(c.RecoveryWords, " "), Keys: KeysFile})
			must(t, err)
			m.v = v
			m.attach()
			m.sync()
			if m.read("settings.json") != laptop.read("settings.json") {
				t.Error("it did not get what the laptop has")
			}
		}
	}
}

// failsAfter opens a folder that can't be reached any more after so many requests.
func failsAfter(n int) func(context.Context, string, bool) (driver.Bucket, error) {
	left := n
	return func(ctx context.Context, url string, create bool) (driver.Bucket, error) {
		b, err := openFolder(ctx, url, create)
		if err != nil {
			return nil, err
		}
		return &cutOff{Bucket: b, left: &left}, nil
	}
}

type cutOff struct {
	driver.Bucket
	left *int
}

func (c *cutOff) ask() error {
	if *c.left--; *c.left < 0 {
		return noLine{}
	}
	return nil
}

// noLine is a failure that is not tried again.
type noLine struct{}

func (noLine) Error() string { return "cut off" }
func (noLine) Unwrap() error { return driver.Denied }

func (c *cutOff) Get(ctx context.Context, name string, r driver.Range) ([]byte, error) {
	if err := c.ask(); err != nil {
		return nil, err
	}
	return c.Bucket.Get(ctx, name, r)
}

func (c *cutOff) Put(ctx context.Context, name string, b []byte) error {
	if err := c.ask(); err != nil {
		return err
	}
	return c.Bucket.Put(ctx, name, b)
}

func (c *cutOff) List(ctx context.Context, prefix string) ([]driver.Info, error) {
	if err := c.ask(); err != nil {
		return nil, err
	}
	return c.Bucket.List(ctx, prefix)
}

func TestExistsAlready(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	laptop, c := found(t, "laptop", dir)
	_, _, err := Create(bg, laptop.o, CreateSpec{Store: dir + "2", Keys: KeysFile})
	told(t, err, problem.Exists)
	if _, err := os.Stat(dir + "2"); err == nil {
		t.Error("a second store was made")
	}
	m := newMachine(t, "desktop")
	_, _, err = Create(bg, m.o, CreateSpec{Store: dir, Keys: KeysFile})
	told(t, err, problem.Exists, "plait join")
	if _, serr := os.Stat(m.o.Home); serr == nil {
		t.Error("the home folder stays")
	}
	_, _, err = Join(bg, laptop.o, JoinSpec{Store: dir, RecoveryWords: strings.Join(c.RecoveryWords, " "), Keys: KeysFile})
	told(t, err, problem.Exists)
	laptop.sync()
}

// Clocks years off, in both directions: nothing is lost, and doctor says so.
func TestClocksOff(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-10 * 365 * 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		laptop, desktop, _ := two(t)
		laptop.skew = skew
		laptop.reopen()
		laptop.write("settings.json", `{"editor.fontSize": 14, "editor.tabSize": 4}`)
		laptop.sync()
		desktop.sync()
		desktop.write("settings.json", `{"editor.fontSize": 14, "editor.tabSize": 2}`)
		desktop.sync()
		laptop.sync()
		desktop.sync()
		for _, m := range []*machine{laptop, desktop} {
			if got := m.read("settings.json"); !strings.Contains(got, "14") || !strings.Contains(got, `"editor.tabSize": 2`) {
				t.Errorf("%s: %s has %s", skew, m.name, got)
			}
		}
		fs, err := desktop.v.Doctor(bg, false)
		must(t, err)
		said := false
		for _, f := range fs {
			said = said || f.Check == "clock" && !f.OK && strings.Contains(f.Message, "laptop")
		}
		if ahead := skew > 0; said != ahead {
			t.Errorf("skew %s: doctor says of the clock: %v (%+v)", skew, said, fs)
		}
	}
}

// A founding that fails while the store still answers takes back what it put there.
func TestFailedInitTidiesTheStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	m := newMachine(t, "laptop")
	m.o.OpenBucket = func(ctx context.Context, url string, create bool) (driver.Bucket, error) {
		b, err := openFolder(ctx, url, create)
		return &noHeads{b}, err
	}
	_, _, err := Create(bg, m.o, CreateSpec{Store: dir, Keys: KeysFile})
	told(t, err, problem.Full)
	if left := tree(t, dir); len(left) != 0 {
		t.Errorf("in the store there stays %v", left)
	}
	m.o.OpenBucket = openFolder
	v, _, err := Create(bg, m.o, CreateSpec{Store: dir, Keys: KeysFile})
	must(t, err)
	m.v = v
}

// noHeads is a store whose space ends before the head.
type noHeads struct{ driver.Bucket }

func (b *noHeads) Put(ctx context.Context, name string, body []byte) error {
	if strings.HasPrefix(name, "heads/") {
		return driver.Full
	}
	return b.Bucket.Put(ctx, name, body)
}
