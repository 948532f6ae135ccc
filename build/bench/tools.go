package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A tool syncs the folder data with something, as a person would use it. What a tool has
// no way to do returns errNot.
type tool interface {
	name() string                    // also of its program, save for Plait
	fresh(dir, data string) error    // an empty store, and data known to the tool; not timed
	sync(wrote bool) (took, error)   // data → store, durable; wrote: there is something to do
	second(dir string) (took, error) // a second device, from nothing; what it makes is kept for receive
	receive() (took, error)          // the second device takes what is new
}

var errNot = errors.New("it has no such thing")

// flush makes all of a filesystem durable: what a peer that does not do so itself is
// followed by, as part of its run.
const flush = `flush() { sync -f "$1" 2>/dev/null || sync; }; `

const plaitName = "plait"

// plait is the program under test.
type plait struct {
	program            string
	home, other, store string
	words, data        string
	parts              [3]took // of second: join, attach, sync
}

func (p *plait) name() string { return plaitName }

func (p *plait) env(home string) []string {
	return []string{"HOME=" + home, "USERPROFILE=" + home, "PLAIT_HOME=" + filepath.Join(home, "plait"), "PLAIT_KEYCHAIN=off"}
}

func (p *plait) run(home string, args ...string) (took, []byte, error) {
	return run(p.env(home), p.program, args...)
}

func (p *plait) fresh(dir, data string) error {
	p.home, p.store, p.data = filepath.Join(dir, "home"), filepath.Join(dir, "store"), data
	p.words = filepath.Join(dir, "words")
	if err := os.MkdirAll(p.home, 0o755); err != nil {
		return err
	}
	_, _, err := p.run(p.home, "init", "--store", "folder:"+p.store, "--device-name", "one", "--keys", "file", "--recovery-file", p.words)
	if err == nil {
		_, _, err = p.run(p.home, "attach", "--path", data, "--name", "data", "--files")
	}
	return err
}

func (p *plait) sync(bool) (took, error) { return p.syncAt(p.home) }

// syncAt counts what `sync --json` counts at the store.
func (p *plait) syncAt(home string) (took, error) {
	t, out, err := p.run(home, "sync", "--json")
	if err != nil {
		return t, err
	}
	var r struct{ Requests, Bytes struct{ Up, Down float64 } }
	if err := json.Unmarshal(out, &r); err != nil {
		return t, errors.Join(errors.New("sync --json"), err)
	}
	t.Requests, t.Bytes = r.Requests.Up+r.Requests.Down, r.Bytes.Up+r.Bytes.Down
	return t, nil
}

// second is all that a person does there: join, attach, sync.
func (p *plait) second(dir string) (took, error) {
	p.other = filepath.Join(dir, "home")
	data := filepath.Join(dir, "data")
	err := errors.Join(os.MkdirAll(p.other, 0o755), os.MkdirAll(data, 0o755))
	if err == nil {
		p.parts[0], _, err = p.run(p.other, "join", "--store", "folder:"+p.store, "--device-name", filepath.Base(dir), "--keys", "file", "--recovery-file", p.words)
	}
	if err == nil {
		p.parts[1], _, err = p.run(p.other, "attach", "--path", data, "--name", "data", "--files")
	}
	if err == nil {
		p.parts[2], err = p.syncAt(p.other)
	}
	all := p.parts[2]
	for _, t := range p.parts[:2] {
		all.Wall, all.CPU, all.Memory = all.Wall+t.Wall, all.CPU+t.CPU, max(all.Memory, t.Memory)
	}
	return all, err
}

func (p *plait) receive() (took, error) { return p.syncAt(p.other) }

// restic backs up: sealed and deduplicated, one way.
type restic struct{ repo, data string }

func (r *restic) name() string { return "restic" }
func (r *restic) env() []string {
	return []string{"RESTIC_PASSWORD=bench", "RESTIC_REPOSITORY=" + r.repo, "RESTIC_CACHE_DIR=" + r.repo + ".cache"}
}
func (r *restic) fresh(dir, data string) error {
	r.repo, r.data = filepath.Join(dir, "repo"), data
	_, _, err := run(r.env(), "restic", "init", "--quiet")
	return err
}
func (r *restic) sync(bool) (took, error) {
	before := sizeOf(r.repo)
	t, _, err := run(r.env(), "restic", "backup", "--quiet", r.data)
	t.Bytes = sizeOf(r.repo) - before
	return t, err
}
func (r *restic) second(dir string) (took, error) {
	t, _, err := run(append(r.env(), "DIR="+dir), "sh", "-ec", flush+`restic restore latest --quiet --target "$DIR"; flush "$DIR"`)
	return t, err
}
func (r *restic) receive() (took, error) { return took{}, errNot }

// unison syncs two folders, in clear.
type unison struct{ home, data, copy string }

func (u *unison) name() string { return "unison" }
func (u *unison) fresh(dir, data string) error {
	u.home, u.data, u.copy = filepath.Join(dir, "unison"), data, filepath.Join(dir, "copy")
	return os.MkdirAll(u.copy, 0o755)
}
func (u *unison) sync(wrote bool) (took, error) {
	script := flush + `unison "$DATA" "$COPY" -batch -auto -silent -confirmbigdel=false`
	if wrote {
		script += `; flush "$COPY"`
	}
	t, _, err := run([]string{"UNISON=" + u.home, "DATA=" + u.data, "COPY=" + u.copy}, "sh", "-ec", script)
	return t, err
}
func (u *unison) second(string) (took, error) { return took{}, errNot }
func (u *unison) receive() (took, error)      { return took{}, errNot }

// gitTool commits everything and pushes to a bare repository, in clear.
type gitTool struct{ dir, data, other string }

func (g *gitTool) name() string { return "git" }
func (g *gitTool) run(script string) (took, error) {
	t, _, err := run([]string{"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_AUTHOR_NAME=b", "GIT_AUTHOR_EMAIL=b@example.com",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.fsync", "GIT_CONFIG_VALUE_0=all",
		"GIT_COMMITTER_NAME=b", "GIT_COMMITTER_EMAIL=b@example.com", "DIR=" + g.dir, "DATA=" + g.data, "OTHER=" + g.other}, "sh", "-ec", flush+script)
	return t, err
}
func (g *gitTool) fresh(dir, data string) error {
	g.dir, g.data = dir, data
	_, err := g.run(`git -c init.defaultBranch=main init -q --bare "$DIR/bare"
		git -c init.defaultBranch=main --git-dir="$DIR/git" --work-tree="$DATA" init -q
		git --git-dir="$DIR/git" remote add origin "$DIR/bare"`)
	return err
}
func (g *gitTool) sync(bool) (took, error) {
	before := sizeOf(filepath.Join(g.dir, "bare"))
	t, err := g.run(`export GIT_DIR="$DIR/git" GIT_WORK_TREE="$DATA"
		git add -A; git diff --cached --quiet || { git commit -q -m x; git push -q origin main; }`)
	t.Bytes = sizeOf(filepath.Join(g.dir, "bare")) - before
	return t, err
}
func (g *gitTool) second(dir string) (took, error) {
	g.other = filepath.Join(dir, "clone")
	return g.run(`git clone -q "$DIR/bare" "$OTHER"; flush "$OTHER"`)
}
func (g *gitTool) receive() (took, error) { return g.run(`cd "$OTHER"; git pull -q`) }

// cp copies: what this disk takes at least.
type cp struct{ dir, data string }

func (c *cp) name() string                 { return "cp" }
func (c *cp) fresh(dir, data string) error { c.dir, c.data = dir, data; return nil }
func (c *cp) copy(to string) (took, error) {
	t, _, err := run([]string{"DATA=" + c.data, "TO=" + to}, "sh", "-ec", flush+`cp -R "$DATA" "$TO/copy"; flush "$TO"`)
	return t, err
}
func (c *cp) sync(wrote bool) (took, error) {
	if _, err := os.Stat(filepath.Join(c.dir, "copy")); !wrote || err == nil {
		return took{}, errNot
	}
	return c.copy(c.dir)
}
func (c *cp) second(dir string) (took, error) { return c.copy(dir) }
func (c *cp) receive() (took, error)          { return took{}, errNot }

// sizeOf adds up the files below dir.
func sizeOf(dir string) float64 { _, n := tally(dir); return n }

// tally counts the files below dir, and adds them up.
func tally(dir string) (files int, size float64) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				files, size = files+1, size+float64(info.Size())
			}
		}
		return nil
	})
	return files, size
}
