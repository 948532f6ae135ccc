package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A plan is which directories have to be watched for some targets, as the disk is, and what
// an event in one of them means. Only directories are watched: a watch on a file would end with
// the first save that renames another over it.
type plan struct {
	targets []Target
	dirs    map[string]bool
	linked  map[string][]string // the targets of symlinked files → the links' paths
	awaited map[string]bool     // paths whose coming means that a target, or a part of its way, is there
}

func lay(targets []Target, ignore func(string) bool) plan {
	p := plan{targets: targets, dirs: map[string]bool{}, linked: map[string][]string{}, awaited: map[string]bool{}}
	for _, t := range targets {
		p.lead(t.Dir)
		if t.Tree {
			p.tree(t.Dir, ignore)
		} else {
			p.links(t)
		}
	}
	return p
}

// lead watches a directory, and the one above it, for its going and coming; or as much of
// the way to it as there is.
func (p *plan) lead(dir string) {
	for at := dir; ; at = filepath.Dir(at) {
		above := filepath.Dir(at)
		if i, err := os.Stat(at); err == nil && i.IsDir() {
			p.dirs[at] = true
			if at == dir && above != at {
				p.dirs[above] = true
				p.awaited[at] = true
			}
			return
		}
		p.awaited[at] = true
		if above == at {
			return
		}
	}
}

func (p *plan) tree(root string, ignore func(string) bool) {
	// What can't be read can't be watched either; a scan will say so.
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		if path != root && ignore(d.Name()) {
			return filepath.SkipDir
		}
		p.dirs[path] = true
		return nil
	})
}

// links watches the directories in which symlinked files really lie.
func (p *plan) links(t Target) {
	entries, err := os.ReadDir(t.Dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink == 0 || !t.has(e.Name()) {
			continue
		}
		link := filepath.Join(t.Dir, e.Name())
		real, err := filepath.EvalSymlinks(link)
		if err != nil {
			continue // it leads nowhere: what it led to can't be told
		}
		if i, err := os.Stat(real); err != nil || i.IsDir() {
			continue
		}
		p.dirs[filepath.Dir(real)] = true
		p.linked[real] = append(p.linked[real], link)
	}
}

func (t Target) has(name string) bool { return t.Files == nil || slices.Contains(t.Files, name) }

// told is what a change of path is to be told as; nothing if it does not matter.
func (p *plan) told(path string) []string {
	paths := slices.Clone(p.linked[path])
	for _, t := range p.targets {
		switch {
		case path == t.Dir,
			t.Tree && strings.HasPrefix(path, t.Dir+string(filepath.Separator)),
			filepath.Dir(path) == t.Dir && t.has(filepath.Base(path)):
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func (p *plan) watched(path string) bool { return p.dirs[path] }
func (p *plan) awaits(path string) bool  { return p.awaited[path] }

func (p *plan) inTree(path string) bool {
	return slices.ContainsFunc(p.targets, func(t Target) bool {
		return t.Tree && strings.HasPrefix(path, t.Dir+string(filepath.Separator))
	})
}
