package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestKill runs the real program on two homes and a folder store while files change,
// kills it at random instants (SIGKILL), and runs it again: 50 times, or more by
// PLAIT_SCALE. Each device changes its own settings and files only, so what must stand
// in the end is known, and nothing may be in conflict.
func TestKill(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGKILL")
	}
	rounds := 50
	if f, err := strconv.ParseFloat(os.Getenv("PLAIT_SCALE"), 64); err == nil {
		rounds = max(1, int(float64(rounds)*f))
	}
	seed := uint64(1)
	if n, err := strconv.ParseUint(os.Getenv("PLAIT_SEED"), 10, 64); err == nil {
		seed = n
	}
	k := newKilling(t, seed)
	for round := range rounds {
		k.round = round
		k.play()
		if round%8 == 7 {
			k.agree()
		}
	}
	k.agree()
	for _, m := range k.machines {
		m.plait("log", "--verify")
		m.plait("doctor", "--store")
	}
	t.Logf("kill -9: %d rounds by seed %d, %d of them while it ran: %v", rounds, seed, k.alive, k.doing)
	if k.alive*2 < rounds {
		t.Errorf("only %d of %d rounds were cut: this tests little", k.alive, rounds)
	}
}

// killing is two machines, and what must stand on both in the end.
type killing struct {
	t        *testing.T
	r        *rand.Rand
	dir      string
	round    int
	machines []*machine
	settings map[string]string          // key: value, as JSON
	files    map[string][]byte          // name below notes: content
	ever     map[string]map[string]bool // name: hashes of all it ever held
	took     time.Duration              // of a whole sync
	alive    int
	doing    map[string]int
}

// A machine is one home with what is attached there.
type machine struct {
	k    *killing
	name string
	home string
}

func newKilling(t *testing.T, seed uint64) *killing {
	k := &killing{t: t, r: rand.New(rand.NewPCG(seed, 9)), dir: t.TempDir(), settings: map[string]string{}, files: map[string][]byte{},
		ever: map[string]map[string]bool{}, doing: map[string]int{}}
	if err := os.Mkdir(filepath.Join(k.dir, "store"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"laptop", "desktop"} {
		m := &machine{k: k, name: name, home: filepath.Join(k.dir, name)}
		for _, d := range []string{"user", "notes"} {
			if err := os.MkdirAll(filepath.Join(m.home, d), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		k.machines = append(k.machines, m)
	}
	a, b := k.machines[0], k.machines[1]
	m := a
	text := "{\n    // both write here\n    \"shared\": 1\n}\n"
	m.save("user/settings.json", []byte(text))
	k.settings["shared"] = "1"
	for i := range 4 {
		k.edit(a, i)
		k.edit(b, i)
	}
	store := "folder:" + filepath.Join(k.dir, "store")
	a.plait("init", "--store", store, "--device-name", "laptop", "--keys", "file", "--recovery-file", filepath.Join(k.dir, "words"))
	a.attach()
	a.plait("sync")
	b.plait("join", "--store", store, "--recovery-file", filepath.Join(k.dir, "words"), "--device-name", "desktop", "--keys", "file")
	b.attach()
	k.agree()
	a.saveNote(k.newName(a), k.content(a, 2000))
	start := time.Now()
	a.plait("sync")
	k.took = time.Since(start)
	return k
}

func (m *machine) attach() {
	m.plait("attach", "--path", filepath.Join(m.home, "user"), "--name", "code", "--collection", "default")
	m.plait("attach", "--path", filepath.Join(m.home, "notes"), "--name", "notes", "--files")
}

func (m *machine) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = m.home
	cmd.Env = []string{"HOME=" + m.home, "TMPDIR=" + m.k.dir, "PLAIT_KEYCHAIN=off", "NO_COLOR=1", "PATH=" + os.Getenv("PATH")}
	return cmd
}

// plait runs the program, which has to end well.
func (m *machine) plait(args ...string) {
	m.k.t.Helper()
	if out, err := m.command(m.k.t.Context(), args...).CombinedOutput(); err != nil {
		m.k.t.Fatalf("round %d: %s: plait %s: %v\n%s", m.k.round, m.name, strings.Join(args, " "), err, out)
	}
}

// play is one round: edits, a run that is killed, a look at what it left, and a run that is not.
func (k *killing) play() {
	m := k.machines[k.r.IntN(2)]
	other := k.machines[0]
	if other == m {
		other = k.machines[1]
	}
	if k.r.IntN(2) == 0 {
		k.edit(other, k.r.IntN(4))
		other.plait("sync") // so that there is something to apply
	}
	for range 1 + k.r.IntN(3) {
		k.edit(m, k.r.IntN(5))
	}
	switch n := k.r.IntN(10); {
	case n < 6:
		k.cut("sync", []*machine{m}, 1.1)
	case n < 8:
		k.cut("sync --watch", []*machine{m}, 4)
	default:
		k.cut("both", []*machine{m, other}, 1.5)
	}
	for _, m := range k.machines {
		k.whole(m)
	}
	m.plait("sync")
	k.tidy(m)
}

// cut starts the program on machines, saves files while it runs, and kills it at a random
// instant of the next so many lengths of a sync, unless it ended before.
func (k *killing) cut(what string, on []*machine, lengths float64) {
	args := []string{"sync"}
	if what == "sync --watch" {
		args = append(args, "--watch")
	}
	type run struct {
		cmd   *exec.Cmd
		ended chan error
		out   bytes.Buffer
	}
	var runs []*run
	for _, m := range on {
		r := &run{cmd: m.command(context.Background(), args...), ended: make(chan error, 1)}
		r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
		if err := r.cmd.Start(); err != nil {
			k.t.Fatal(err)
		}
		go func() { r.ended <- r.cmd.Wait() }()
		runs = append(runs, r)
	}
	deadline := time.NewTimer(time.Duration(k.r.Float64() * lengths * float64(k.took)))
	defer deadline.Stop()
	for range k.r.IntN(3) {
		k.edit(on[0], 1+k.r.IntN(4)) // a whole file: nobody else writes those
	}
	<-deadline.C
	cut := false
	for i, r := range runs {
		select {
		case err := <-r.ended:
			if err != nil {
				k.t.Fatalf("round %d: %s: plait %s: %v\n%s", k.round, on[i].name, strings.Join(args, " "), err, r.out.Bytes())
			}
		default:
			cut = true
			if err := r.cmd.Process.Kill(); err != nil && err != os.ErrProcessDone {
				k.t.Fatal(err)
			}
			<-r.ended
		}
	}
	if cut {
		k.alive++
		k.doing[what]++
	}
}

// edit changes something of a machine's own: 0 a setting, else a file.
func (k *killing) edit(m *machine, what int) {
	switch what {
	case 0:
		k.setting(m)
	case 1:
		m.saveNote(k.newName(m), k.content(m, 100+k.r.IntN(4000)))
	case 2, 3:
		size := 100 + k.r.IntN(3000)
		if what == 3 && k.r.IntN(4) == 0 {
			size = 300_000
		}
		m.saveNote(k.someName(m), k.content(m, size))
	case 4:
		name := k.someName(m)
		if len(k.files) < 6 {
			return
		}
		if err := os.Remove(filepath.Join(m.home, "notes", name)); err != nil && !os.IsNotExist(err) {
			k.t.Fatal(err)
		}
		delete(k.files, name)
	}
}

// setting changes a setting where it stands, or adds it.
func (k *killing) setting(m *machine) {
	key := fmt.Sprintf("%s.%d", m.name, k.r.IntN(4))
	path := filepath.Join(m.home, "user", "settings.json")
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) { // before its first sync
		text, err = []byte("{\n    \"shared\": 1\n}\n"), nil
	}
	if err != nil {
		k.t.Fatal(err)
	}
	value := strconv.Itoa(k.r.IntN(1_000_000))
	lines := strings.Split(string(text), "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"`+key+`"`) })
	line := fmt.Sprintf("    %q: %s,", key, value)
	if at < 0 {
		lines = slices.Insert(lines, 1, line)
	} else {
		comma := ""
		if strings.HasSuffix(lines[at], ",") {
			comma = ","
		}
		lines[at] = strings.TrimSuffix(line, ",") + comma
	}
	m.save("user/settings.json", []byte(strings.Join(lines, "\n")))
	k.settings[key] = value
}

func (k *killing) newName(m *machine) string {
	return fmt.Sprintf("%s/%d/%d.txt", m.name, k.r.IntN(3), k.r.IntN(12))
}

func (k *killing) someName(m *machine) string {
	var own []string
	for _, n := range slices.Sorted(maps.Keys(k.files)) {
		if strings.HasPrefix(n, m.name+"/") {
			own = append(own, n)
		}
	}
	if len(own) == 0 {
		return k.newName(m)
	}
	return own[k.r.IntN(len(own))]
}

func (k *killing) content(m *machine, size int) []byte {
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, "%s, round %d: %d\n", m.name, k.round, k.r.Uint64())
	}
	return b.Bytes()
}

// save writes a file as editors do: in place, or beside and renamed.
func (m *machine) save(name string, text []byte) {
	path := filepath.Join(m.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.k.t.Fatal(err)
	}
	to := path
	if m.k.r.IntN(2) == 0 {
		to = filepath.Join(m.k.dir, "saving")
	}
	err := os.WriteFile(to, text, 0o644)
	if err == nil && to != path {
		err = os.Rename(to, path)
	}
	if err != nil {
		m.k.t.Fatal(err)
	}
}

func (m *machine) saveNote(name string, text []byte) {
	k := m.k
	k.files[name] = text
	if k.ever[name] == nil {
		k.ever[name] = map[string]bool{}
	}
	k.ever[name][hash(text)] = true
	m.save("notes/"+name, text)
}

func hash(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// notes reads all files of a machine's folder, this program's own ones too.
func (m *machine) notes() map[string][]byte {
	all := map[string][]byte{}
	root := filepath.Join(m.home, "notes")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		name, _ := filepath.Rel(root, p)
		all[filepath.ToSlash(name)] = b
		return err
	})
	if err != nil {
		m.k.t.Fatal(err)
	}
	return all
}

// whole checks that after a kill every file is one that somebody saved.
func (k *killing) whole(m *machine) {
	for name, b := range m.notes() {
		if !strings.HasPrefix(filepath.Base(name), ".plait-") && !k.ever[name][hash(b)] {
			k.t.Fatalf("round %d: %s: %s holds what nobody saved:\n%.200q", k.round, m.name, name, b)
		}
	}
	m.readSettings()
}

func (m *machine) readSettings() map[string]string {
	text, err := os.ReadFile(filepath.Join(m.home, "user", "settings.json"))
	if err != nil {
		m.k.t.Fatal(err)
	}
	var lines []string
	for _, l := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(strings.TrimSpace(l), "//") {
			lines = append(lines, l)
		}
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal([]byte(strings.Join(lines, "\n")), &got); err != nil {
		m.k.t.Fatalf("round %d: %s: the settings are broken: %v\n%s", m.k.round, m.name, err, text)
	}
	out := map[string]string{}
	for key, v := range got {
		out[key] = string(v)
	}
	return out
}

// tidy checks that a whole run left nothing of its own.
func (k *killing) tidy(m *machine) {
	err := filepath.WalkDir(m.home, func(p string, d fs.DirEntry, err error) error {
		if err == nil && (strings.HasPrefix(d.Name(), ".plait-") || strings.HasSuffix(d.Name(), ".tmp") || strings.HasSuffix(d.Name(), ".pack")) {
			k.t.Errorf("round %d: %s: %s was left", k.round, m.name, p)
		}
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
}

// agree syncs both, and checks that both hold what was saved last.
func (k *killing) agree() {
	a, b := k.machines[0], k.machines[1]
	for _, m := range []*machine{a, b, a} {
		m.plait("sync")
	}
	for _, m := range k.machines {
		k.tidy(m)
		got := m.notes()
		for _, name := range slices.Sorted(maps.Keys(k.files)) {
			if b, ok := got[name]; !ok || !bytes.Equal(b, k.files[name]) {
				k.t.Errorf("round %d: %s: %s is there: %v, with\n%.120q\nwant\n%.120q", k.round, m.name, name, ok, b, k.files[name])
			}
		}
		for name := range got {
			if _, ok := k.files[name]; !ok {
				k.t.Errorf("round %d: %s: %s is there, and was removed", k.round, m.name, name)
			}
		}
		if got := m.readSettings(); !maps.Equal(got, k.settings) {
			k.t.Errorf("round %d: %s: settings are %v, want %v", k.round, m.name, got, k.settings)
		}
		if out, err := m.command(k.t.Context(), "sync", "--json").CombinedOutput(); err != nil {
			k.t.Errorf("round %d: %s: %v\n%s", k.round, m.name, err, out)
		}
	}
	if k.t.Failed() {
		k.t.FailNow()
	}
}
