package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// A Guard turns names from the vault into paths below one root, and refuses those that
// would land elsewhere or on another file (attack 22 of the threat model). It remembers
// directories that it has seen, so it is good for one round; and it trusts the person whose
// disk this is: it is no defence against who swaps directories while it looks.
type Guard struct {
	fs      FS
	root    string
	links   bool // the last segment may be a symlink
	seen    map[string]map[string]bool
	dirs    map[string]string // directories of names that are there, without a symlink on the way
	without guardRule
}

type guardRule string

const (
	guardLinks guardRule = "links"
	guardAlias guardRule = "alias"
)

// NewGuard guards a root, which may itself be a symlink. If links is set, a file may be a
// symlink, to anywhere: the person's own doing, as with dotfiles. Directories below
// root never may.
func NewGuard(fsys FS, root string, links bool) *Guard {
	return &Guard{fs: fsys, root: root, links: links, seen: map[string]map[string]bool{}, dirs: map[string]string{}}
}

// Place is the path of a name. A file that is there under the same name in another Unicode
// form (as macOS writes them) is meant by it; one that this disk takes for the same
// but that is spelt otherwise makes it ErrUnsafe. So does a symlink on the way; anything else that
// is no directory there is ErrOdd.
func (g *Guard) Place(rel string) (string, error) {
	if err := CheckName(rel); err != nil {
		return "", err
	}
	dir, at := g.root, 0
	if up := strings.LastIndexByte(rel, '/'); up >= 0 {
		if known, ok := g.dirs[rel[:up]]; ok {
			dir, at = known, up+1
		}
	}
	for last := false; !last; {
		seg, rest, more := strings.Cut(rel[at:], "/")
		last = !more
		name, info, err := g.entry(dir, seg)
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, name)
		if info == nil {
			// Nothing there, hence nothing below.
			return filepath.Join(path, filepath.FromSlash(rest)), nil
		}
		switch {
		case info.Mode&fs.ModeSymlink != 0:
			if !(last && g.links) && g.without != guardLinks {
				return "", unsafeName(path, "a symlink stands in the way")
			}
		case last && info.Mode.IsDir(), !last && !info.Mode.IsDir():
			return "", refuse("place", path, ErrOdd)
		}
		at += len(seg) + 1
		if dir = path; !last {
			g.dirs[rel[:at-1]] = dir
		}
	}
	return dir, nil
}

// entry finds the entry of dir that seg means; info is nil if there is none.
func (g *Guard) entry(dir, seg string) (name string, _ *Info, err error) {
	info, err := g.fs.Lstat(filepath.Join(dir, seg))
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return "", nil, err
	}
	if missing && isASCII(seg) {
		return seg, nil, nil
	}
	names, err := g.names(dir)
	if err != nil {
		return "", nil, err
	}
	if !missing && !names[seg] {
		// Perhaps it is newer than what is remembered.
		delete(g.seen, dir)
		if names, err = g.names(dir); err != nil {
			return "", nil, err
		}
	}
	if names[seg] {
		return seg, &info, nil
	}
	var same []string
	for n := range names {
		if norm.NFC.String(n) == seg {
			same = append(same, n)
		}
	}
	switch {
	case len(same) == 1:
		info, err := g.fs.Lstat(filepath.Join(dir, same[0]))
		return same[0], &info, err
	case missing && len(same) == 0:
		return seg, nil, nil
	case g.without == guardAlias:
		return seg, &info, nil
	}
	return "", nil, unsafeName(filepath.Join(dir, seg), "a file that is spelt otherwise is the same on this disk")
}

// names are dir's entries as they are spelt.
func (g *Guard) names(dir string) (map[string]bool, error) {
	if names, ok := g.seen[dir]; ok {
		return names, nil
	}
	infos, err := g.fs.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	names := make(map[string]bool, len(infos))
	for _, i := range infos {
		names[i.Name] = true
	}
	g.seen[dir] = names
	return names, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func unsafeName(path, why string) error {
	return &Error{Op: "place", Path: path, Code: ErrUnsafe, Err: errors.New(why)}
}
