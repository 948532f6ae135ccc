package editor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"plait/backend/disk"
	"plait/backend/item"
)

// MaxDocument is how large a document may be that is taken apart; the merge engine's own limit.
const MaxDocument = 64 << 20

// A Document is a file that holds an item, or would.
type Document struct {
	Type   item.Type
	Rest   string // the NAME part of the item: "" for settings, "linux" for keybindings, "go.json" for a snippet
	Path   string
	Info   disk.Info // of the file, symlinks followed; zero if it is absent or Err is set
	Absent bool
	Err    error // it is there and can't be looked at
}

// single are the types of which a profile has one document.
var single = map[item.Type]string{
	item.Settings: "settings.json", item.Keybindings: "keybindings.json", item.Tasks: "tasks.json", item.MCP: "mcp.json",
}

// A folder is where a type has one document a file.
type folder struct {
	name string
	ends []string // what its files' names end in
}

var folders = map[item.Type]folder{
	item.Snippets: {"snippets", []string{".json", ".code-snippets"}},
	item.Prompts:  {"prompts", []string{".prompt.md", ".instructions.md", ".chatmode.md", ".agent.md"}},
}

func (f folder) holds(name string) bool {
	return slices.ContainsFunc(f.ends, func(end string) bool { return len(name) > len(end) && strings.HasSuffix(name, end) })
}

// Documents lists a profile's documents of one type: those in folders that are there,
// and single ones, there or not. It is empty for a type that the profile takes from the
// default one. An error means that what is there can't be told: nothing may be concluded
// from what is missing.
func (e Editor) Documents(fsys disk.FS, p Profile, t item.Type) ([]Document, error) {
	if !e.Has(t) || p.Inherits[t] {
		return nil, nil
	}
	if name, ok := single[t]; ok {
		return []Document{e.look(fsys, Document{Type: t, Rest: e.rest(t), Path: filepath.Join(p.Dir, name)})}, nil
	}
	f := folders[t]
	dir := filepath.Join(p.Dir, f.name)
	infos, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", t, e.Name, err)
	}
	var all []Document
	for _, i := range infos {
		if !f.holds(i.Name) || i.Mode.IsDir() {
			continue
		}
		rest, err := disk.Rel(dir, i.Path)
		d := Document{Type: t, Rest: rest, Path: i.Path, Err: err}
		if err == nil {
			d = e.look(fsys, d)
		}
		all = append(all, d)
	}
	return all, nil
}

// rest is the NAME part for a type of which a profile has one document.
func (e Editor) rest(t item.Type) string {
	if t == item.Keybindings {
		return e.Platform
	}
	return ""
}

func (e Editor) look(fsys disk.FS, d Document) Document {
	i, err := fsys.Stat(d.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.Absent = true
	case err != nil:
		d.Err = err
	case !i.Mode.IsRegular():
		d.Err = &disk.Error{Op: "read", Path: d.Path, Code: disk.ErrOdd}
	case i.Size > MaxDocument:
		d.Err = &disk.Error{Op: "read", Path: d.Path, Code: disk.ErrTooLarge}
	default:
		d.Info = i
	}
	return d
}

// Path is where a profile keeps the item of this type and NAME part. ok is false if it
// does not keep it: another platform's keybindings, a type that it takes from the default
// profile, a name that is none of that type's. The error is the name's: see disk.Guard.
func (e Editor) Path(fsys disk.FS, p Profile, t item.Type, rest string) (path string, ok bool, err error) {
	if !e.Has(t) || p.Inherits[t] {
		return "", false, nil
	}
	if name, one := single[t]; one {
		return filepath.Join(p.Dir, name), rest == e.rest(t), nil
	}
	f, known := folders[t]
	if !known {
		return "", false, nil
	}
	if err := disk.CheckName(rest); err != nil {
		return "", false, err
	}
	if strings.Contains(rest, "/") || !f.holds(rest) {
		return "", false, nil
	}
	// The folder itself may be a symlink, and so may its files: people keep them as dotfiles.
	path, err = disk.NewGuard(fsys, filepath.Join(p.Dir, f.name), true).Place(rest)
	return path, err == nil, err
}

// Watched lists the directories in which a profile's documents are, there or not.
func (e Editor) Watched(p Profile) []string {
	dirs := []string{p.Dir}
	for _, t := range e.Types {
		if f, ok := folders[t]; ok && !p.Inherits[t] {
			dirs = append(dirs, filepath.Join(p.Dir, f.name))
		}
	}
	return dirs
}
