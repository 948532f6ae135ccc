package localdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var testKey = [32]byte{1, 2, 3}

func openAt(t *testing.T, dir string, change ...func(*Options)) *Badger {
	t.Helper()
	o := Options{Key: testKey, Wait: -1}
	for _, c := range change {
		c(&o)
	}
	db, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func reopen(t *testing.T, db *Badger) *Badger {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return openAt(t, db.dir)
}

func setKey(t *testing.T, db DB, key, value string) {
	t.Helper()
	if err := db.Update(func(tx Tx) error { return tx.Set(key, []byte(value)) }); err != nil {
		t.Fatal(err)
	}
}

// setKeys gives keys from..to-1 values that only they have, in one transaction.
func setKeys(t *testing.T, db DB, from, to int) {
	t.Helper()
	err := db.Update(func(tx Tx) error {
		for i := from; i < to; i++ {
			if err := tx.Set(fmt.Sprint("key", i), []byte(strings.Repeat(fmt.Sprint(i), 100))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// L4: what became of the database's folder, and what opening says of it.
func TestPast(t *testing.T) {
	cases := []struct {
		name string
		do   func(t *testing.T, dir, backup string) // backup is the folder two transactions ago
		want Info
	}{
		{"nothing", func(*testing.T, string, string) {}, Info{Counter: 5}},
		{"rows from a backup", func(t *testing.T, dir, backup string) {
			copyDir(t, backup+"/rows", dir+"/rows")
		}, Info{Counter: 3, LostTail: true}},
		{"rows lost", func(t *testing.T, dir, _ string) {
			os.RemoveAll(dir + "/rows")
		}, Info{Fresh: true, LostTail: true}},
		{"anchor lost", func(t *testing.T, dir, _ string) {
			os.Remove(dir + "/anchor")
		}, Info{Counter: 5, NoAnchor: true}},
		{"anchor from a backup", func(t *testing.T, dir, backup string) {
			b, _ := os.ReadFile(backup + "/anchor")
			os.WriteFile(dir+"/anchor", b, 0o600)
		}, Info{Counter: 5, NoAnchor: true}},
		{"anchor overwritten", func(t *testing.T, dir, _ string) {
			os.WriteFile(dir+"/anchor", make([]byte, 8192), 0o600)
		}, Info{Counter: 5, NoAnchor: true}},
		{"newer slot torn", func(t *testing.T, dir, _ string) {
			b, _ := os.ReadFile(dir + "/anchor")
			b[slotStride+20] ^= 1 // counter 5 is in the second slot
			os.WriteFile(dir+"/anchor", b, 0o600)
		}, Info{Counter: 5}},
		{"all copied elsewhere", func(t *testing.T, dir, _ string) {
			copyDir(t, dir, dir+".copy")
			os.Rename(dir, dir+".old")
			os.Rename(dir+".copy", dir)
		}, Info{Counter: 5, Copied: true}},
		{"all from a backup", func(t *testing.T, dir, backup string) {
			os.Rename(dir, dir+".old")
			copyDir(t, backup, dir)
		}, Info{Counter: 3, Copied: true}},
		{"moved", func(t *testing.T, dir, _ string) {
			os.Rename(dir, dir+".moved")
			os.Mkdir(dir, 0o700)
			os.Remove(dir)
			os.Rename(dir+".moved", dir)
		}, Info{Counter: 5}},
		{"another history of equal length", func(t *testing.T, dir, backup string) {
			db := openAt(t, backup)
			setKey(t, db, "other", "4")
			setKey(t, db, "other", "5")
			db.Close()
			copyDir(t, backup+"/rows", dir+"/rows")
		}, Info{Counter: 5, LostTail: true}},
		{"another history, longer by one", func(t *testing.T, dir, backup string) {
			db := openAt(t, backup)
			for i := range 3 {
				setKey(t, db, "other", fmt.Sprint(i))
			}
			db.Close()
			copyDir(t, backup+"/rows", dir+"/rows")
		}, Info{Counter: 6, LostTail: true}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "db")
			backup := dir + ".backup"
			db := openAt(t, dir)
			for i := range 3 {
				setKey(t, db, "key", fmt.Sprint(i))
			}
			db.Close()
			copyDir(t, dir, backup)
			db = openAt(t, dir)
			setKey(t, db, "key", "3")
			setKey(t, db, "key", "4")
			db.Close()
			c.do(t, dir, backup)

			db = openAt(t, dir)
			if got := db.Info(); got != c.want {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
			if !c.want.Doubtful() {
				return
			}
			// An update does not hide it, until it is accepted; then it is gone.
			setKey(t, db, "more", "1")
			db = reopen(t, db)
			if got := db.Info(); got.Counter != c.want.Counter+1 || !got.Doubtful() {
				t.Fatalf("after an update: %+v, want %+v", got, c.want)
			}
			if err := db.Accept(); err != nil {
				t.Fatal(err)
			}
			want := Info{Counter: db.Info().Counter}
			for range 2 {
				if got := db.Info(); got != want {
					t.Fatalf("after accepting: %+v, want %+v", got, want)
				}
				db = reopen(t, db)
			}
			setKey(t, db, "more", "2")
			if got := reopen(t, db).Info(); got != (Info{Counter: want.Counter + 1}) {
				t.Fatalf("later: %+v", got)
			}
		})
	}
}

// A log that lost its end opens, and says so.
func TestLostLog(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, dir)
	for i := range 5 {
		setKey(t, db, fmt.Sprint("key", i), strings.Repeat("v", 5000))
	}
	// A copy while it runs is what a power cut leaves; then the log is cut.
	copied := filepath.Join(t.TempDir(), "cut")
	copyDir(t, dir, copied)
	logs, _ := filepath.Glob(copied + "/rows/*.mem")
	if len(logs) != 1 {
		t.Fatalf("%d logs", len(logs))
	}
	b, _ := os.ReadFile(logs[0])
	clear(b[20_000:])
	os.WriteFile(logs[0], b, 0o600)
	got := openAt(t, copied).Info()
	if !got.LostTail || got.Counter == 0 || got.Counter >= 5 {
		t.Errorf("got %+v", got)
	}
}

func TestDamage(t *testing.T) {
	built := filepath.Join(t.TempDir(), "db")
	db := openAt(t, built)
	setKeys(t, db, 0, 200)
	setKey(t, db, "large", strings.Repeat("x", 200<<10))
	db.Close()
	build := func(t *testing.T) string {
		dir := filepath.Join(t.TempDir(), "db")
		copyDir(t, built, dir)
		return dir
	}
	flip := func(t *testing.T, pattern string) func(dir string) {
		return func(dir string) {
			paths, _ := filepath.Glob(dir + "/" + pattern)
			if len(paths) == 0 {
				t.Fatalf("no %s", pattern)
			}
			b, _ := os.ReadFile(paths[0])
			b[len(b)/2] ^= 0x40
			os.WriteFile(paths[0], b, 0o600)
		}
	}
	all := func(dir string) error {
		db, err := Open(context.Background(), dir, Options{Key: testKey})
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = Dump(db)
		return err
	}
	cases := []struct {
		name string
		do   func(dir string)
		want Code
	}{
		{"none", func(string) {}, ""},
		{"table changed", flip(t, "rows/*.sst"), ErrDamaged},
		{"table cut", func(dir string) {
			p, _ := filepath.Glob(dir + "/rows/*.sst")
			os.Truncate(p[0], 100)
		}, ErrDamaged},
		{"table missing", func(dir string) {
			p, _ := filepath.Glob(dir + "/rows/*.sst")
			os.Remove(p[0])
		}, ErrDamaged},
		{"manifest changed", flip(t, "rows/MANIFEST"), ErrDamaged},
		{"manifest missing", func(dir string) { os.Remove(dir + "/rows/MANIFEST") }, ErrDamaged},
		{"key registry missing", func(dir string) { os.Remove(dir + "/rows/KEYREGISTRY") }, ErrDamaged},
		{"large value changed", flip(t, "large/*"), ErrDamaged},
		{"large value cut", func(dir string) {
			p, _ := filepath.Glob(dir + "/large/*")
			os.Truncate(p[0], 100<<10)
		}, ErrDamaged},
		{"large value missing", func(dir string) {
			p, _ := filepath.Glob(dir + "/large/*")
			os.Remove(p[0])
		}, ErrDamaged},
		{"redo file of rubbish", func(dir string) { os.WriteFile(dir+"/redo", []byte("rubbish"), 0o600) }, ErrDamaged},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := build(t)
			c.do(dir)
			err := all(dir)
			if c.want == "" && err != nil || c.want != "" && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	t.Run("another key", func(t *testing.T) {
		_, err := Open(t.Context(), build(t), Options{Key: [32]byte{9}})
		if !errors.Is(err, ErrKey) {
			t.Errorf("got %v, want %v", err, ErrKey)
		}
	})
}

// What Badger leaves half-made when it dies does not keep it from opening.
func TestLeftovers(t *testing.T) {
	for _, name := range []string{"00009.mem", "000099.vlog", "000099.sst", "MANIFEST-REWRITE", "TABLES.tmp"} {
		for _, n := range []int{0, 5, 4096} {
			dir := t.TempDir()
			db := openAt(t, dir)
			setKey(t, db, "a", "1")
			db.Close()
			if err := os.WriteFile(filepath.Join(dir, "rows", name), make([]byte, n), 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := Open(t.Context(), dir, Options{Key: testKey})
			if err != nil {
				t.Errorf("%s of %d bytes: %v", name, n, err)
				continue
			}
			if all, err := Dump(db); err != nil || string(all["a"]) != "1" || db.Info().Doubtful() {
				t.Errorf("%s of %d bytes: %q, %v, %+v", name, n, all, err, db.Info())
			}
			setKey(t, db, "a", "2")
			db.Close()
		}
	}
}

func TestFull(t *testing.T) {
	free := uint64(1 << 40)
	db := openAt(t, t.TempDir(), func(o *Options) { o.free = func(string) (uint64, error) { return free, nil } })
	setKey(t, db, "a", "1")
	free = reserve + 100
	err := db.Update(func(tx Tx) error { return tx.Set("a", make([]byte, 1000)) })
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want %v", err, ErrFull)
	}
	setKey(t, db, "a", "2") // and goes on once there is room
	dir := db.dir
	db.Close()
	free = 0
	none := func(o *Options) { o.free = func(string) (uint64, error) { return 0, nil } }
	db = openAt(t, dir, none) // looking is always possible
	if all, err := Dump(db); err != nil || string(all["a"]) != "2" {
		t.Errorf("with a full disk: %q, %v", all, err)
	}
	if err := db.Update(func(tx Tx) error { return tx.Set("a", nil) }); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want %v", err, ErrFull)
	}
}

func TestNewer(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, dir)
	setKey(t, db, "a", "1")
	m := meta{Version: formatVersion + 1, Counter: 2}
	if err := db.write(nil, m); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := Open(t.Context(), dir, Options{Key: testKey}); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v, want %v", err, ErrNewer)
	}
}

// L2: crash at every step of a commit that has large values and is too large for
// one of Badger's transactions. What is found after is all of it or nothing.
func TestCrashAtEveryStep(t *testing.T) {
	value := func(round, i int) []byte {
		n := 6000
		if i%100 == 0 {
			n = 100 << 10
		}
		return []byte(strings.Repeat(fmt.Sprintf("%d.%d ", round, i), n/6))
	}
	const keys = 300
	write := func(db DB, round int) error {
		return db.Update(func(tx Tx) error {
			for i := range keys {
				if err := tx.Set(fmt.Sprint("k", i), value(round, i)); err != nil {
					return err
				}
			}
			return tx.Set("round", fmt.Append(nil, round))
		})
	}
	crash := errors.New("crash")
	var steps []string
	for at := 0; ; at++ {
		dir := t.TempDir()
		left := -1
		steps = nil
		db := openAt(t, dir, func(o *Options) {
			o.crash = func(step string) error {
				steps = append(steps, step)
				if left--; left == -1 {
					return crash
				}
				return nil
			}
		})
		if err := write(db, 1); err != nil {
			t.Fatal(err)
		}
		left, steps = at, nil
		err := write(db, 2)
		if err == nil {
			break
		}
		if !errors.Is(err, crash) || !errors.Is(err, ErrBroken) {
			t.Fatal(err)
		}
		if err := write(db, 3); !errors.Is(err, ErrBroken) {
			t.Fatalf("update after a crash: %v", err)
		}
		// The disk as the crash left it; the process that holds it is another.
		copied := filepath.Join(t.TempDir(), "after")
		copyDir(t, dir, copied)
		db = openAt(t, copied)
		step := steps[len(steps)-1]
		if i := db.Info(); i.LostTail || i.NoAnchor {
			t.Fatalf("crash at %d, %s: %+v", at, step, i)
		}
		all, err := Dump(db)
		if err != nil {
			t.Fatal(err)
		}
		round := int(all["round"][0] - '0')
		if committed := slices.Contains([]string{"batch", "redo done", "anchor"}, step); committed != (round == 2) {
			t.Errorf("crash at %d, %s: round %d", at, step, round)
		}
		for i := range keys {
			if got := all[fmt.Sprint("k", i)]; string(got) != string(value(round, i)) {
				t.Fatalf("crash at %d, %s: key %d is not of round %d", at, step, i, round)
			}
		}
		files, _ := os.ReadDir(copied + "/large")
		if len(files) != keys/100 {
			t.Errorf("crash at %d, %s: %d large files", at, step, len(files))
		}
		if _, err := os.Stat(copied + "/redo"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("crash at %d, %s: a redo file is left", at, step)
		}
		if err := write(db, 4); err != nil {
			t.Fatal(err)
		}
		db.Close()
	}
	if len(steps) < 8 {
		t.Errorf("only %d steps: %q", len(steps), steps)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, dir)
	_, err := Open(t.Context(), dir, Options{Key: testKey, Wait: -1})
	var busy *Busy
	if !errors.As(err, &busy) || busy.PID != os.Getpid() {
		t.Fatalf("got %v, want busy with process %d", err, os.Getpid())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, dir, Options{Key: testKey}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	done := make(chan error)
	go func() {
		db, err := Open(context.Background(), dir, Options{Key: testKey})
		if err == nil {
			err = db.Close()
		}
		done <- err
	}()
	db.Close()
	if err := <-done; err != nil {
		t.Errorf("after release: %v", err)
	}
}

// A thousand short processes leave no more tables than a few dozen.
func TestTablesStayFew(t *testing.T) {
	dir := t.TempDir()
	for i := range 38 {
		db := openAt(t, dir)
		if n := len(db.db.Tables()); n > maxTables+1 {
			t.Fatalf("%d tables at the %dth opening", n, i)
		}
		setKey(t, db, fmt.Sprint("key", i), "v")
		db.Close()
	}
	db := openAt(t, dir)
	if all, _ := Dump(db); len(all) != 38 {
		t.Errorf("%d keys", len(all))
	}
	files, _ := os.ReadDir(dir + "/rows")
	if len(files) > maxTables+10 {
		t.Errorf("%d files", len(files))
	}
}

func TestFingerprint(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	fa, err := Fingerprint(a)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := Fingerprint(a); again != fa {
		t.Error("a folder has two fingerprints")
	}
	if fb, _ := Fingerprint(b); fb == fa {
		t.Error("two folders have one fingerprint")
	}
	if _, err := Fingerprint(a + "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
