package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A took is what one run of a tool cost.
type took struct {
	wall     time.Duration
	memory   int64 // peak resident bytes of the largest process; 0: not known here
	bytes    int64 // written to the store, or (for what receives) read from it; -1: not counted
	requests int64 // -1: not counted
}

// A tool syncs the folder data with something, as a person would use it. What a tool has
// no way to do returns errNot.
type tool interface {
	name() string
	fresh(dir, data string) error    // an empty store, and data known to the tool; not timed
	sync() (took, error)             // data → store, durable
	second(dir string) (took, error) // a second device, from nothing; what it makes is kept for receive
	receive() (took, error)          // the second device takes what is new
}

var errNot = errors.New("it has no such thing")

// plait is the program under test.
type plait struct {
	program            string
	home, other, store string
	words, data        string
}

func (p *plait) name() string { return "Plait" }

func (p *plait) run(home string, args ...string) (took, []byte, error) {
	return run([]string{"HOME=" + home, "USERPROFILE=" + home, "PLAIT_HOME=" + filepath.Join(home, "plait"), "PLAIT_KEYCHAIN=off"},
		p.program, args...)
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

func (p *plait) sync() (took, error) { return p.syncAt(p.home) }

func (p *plait) syncAt(home string) (took, error) {
	t, out, err := p.run(home, "sync", "--json")
	if err != nil {
		return t, err
	}
	var r struct{ Requests, Bytes struct{ Up, Down int64 } }
	if err := json.Unmarshal(out, &r); err != nil {
		return t, fmt.Errorf("sync --json: %w", err)
	}
	t.requests, t.bytes = r.Requests.Up+r.Requests.Down, r.Bytes.Up+r.Bytes.Down
	return t, nil
}

func (p *plait) second(dir string) (took, error) {
	p.other = filepath.Join(dir, "home")
	data := filepath.Join(dir, "data")
	if err := errors.Join(os.MkdirAll(p.other, 0o755), os.MkdirAll(data, 0o755)); err != nil {
		return took{}, err
	}
	_, _, err := p.run(p.other, "join", "--store", "folder:"+p.store, "--device-name", "two", "--keys", "file", "--recovery-file", p.words)
	if err == nil {
		_, _, err = p.run(p.other, "attach", "--path", data, "--name", "data", "--files")
	}
	if err != nil {
		return took{}, err
	}
	return p.syncAt(p.other)
}

func (p *plait) receive() (took, error) { return p.syncAt(p.other) }

// restic backs up: sealed and deduplicated, one way.
type restic struct{ repo, data string }

func (r *restic) name() string { return "restic" }
func (r *restic) run(args ...string) (took, error) {
	before := sizeOf(r.repo)
	t, _, err := run([]string{"RESTIC_PASSWORD=bench", "RESTIC_REPOSITORY=" + r.repo, "RESTIC_CACHE_DIR=" + r.repo + ".cache"}, "restic", args...)
	t.bytes = sizeOf(r.repo) - before
	return t, err
}
func (r *restic) fresh(dir, data string) error {
	r.repo, r.data = filepath.Join(dir, "repo"), data
	_, err := r.run("init", "--quiet")
	return err
}
func (r *restic) sync() (took, error) { return r.run("backup", "--quiet", r.data) }
func (r *restic) second(dir string) (took, error) {
	t, err := r.run("restore", "latest", "--quiet", "--target", dir)
	t.bytes = -1
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
func (u *unison) sync() (took, error) {
	t, _, err := run([]string{"UNISON=" + u.home}, "unison", u.data, u.copy, "-batch", "-auto", "-silent", "-confirmbigdel=false")
	return t, err
}
func (u *unison) second(string) (took, error) { return took{}, errNot }
func (u *unison) receive() (took, error)      { return took{}, errNot }

// gitTool commits everything and pushes to a bare repository, in clear.
type gitTool struct{ dir, data, other string }

func (g *gitTool) name() string { return "git" }
func (g *gitTool) run(script string) (took, error) {
	before := sizeOf(filepath.Join(g.dir, "bare"))
	t, _, err := run([]string{"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_AUTHOR_NAME=b", "GIT_AUTHOR_EMAIL=b@example.com",
		"GIT_COMMITTER_NAME=b", "GIT_COMMITTER_EMAIL=b@example.com", "DIR=" + g.dir, "DATA=" + g.data, "OTHER=" + g.other}, "sh", "-ec", script)
	t.bytes = sizeOf(filepath.Join(g.dir, "bare")) - before
	return t, err
}
func (g *gitTool) fresh(dir, data string) error {
	g.dir, g.data = dir, data
	_, err := g.run(`git -c init.defaultBranch=main init -q --bare "$DIR/bare"
		git -c init.defaultBranch=main --git-dir="$DIR/git" --work-tree="$DATA" init -q
		git --git-dir="$DIR/git" remote add origin "$DIR/bare"`)
	return err
}
func (g *gitTool) sync() (took, error) {
	return g.run(`export GIT_DIR="$DIR/git" GIT_WORK_TREE="$DATA"
		git add -A; git diff --cached --quiet || { git commit -q -m x; git push -q origin main; }`)
}
func (g *gitTool) second(dir string) (took, error) {
	g.other = filepath.Join(dir, "clone")
	t, err := g.run(`git clone -q "$DIR/bare" "$OTHER"`)
	t.bytes = -1
	return t, err
}
func (g *gitTool) receive() (took, error) {
	t, err := g.run(`cd "$OTHER"; git pull -q`)
	t.bytes = -1
	return t, err
}

// sizeOf adds up the files below dir.
func sizeOf(dir string) (n int64) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

// filesIn counts the files below dir.
func filesIn(dir string) (n int) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return nil
	})
	return n
}
