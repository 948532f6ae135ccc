package editor

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"plait/backend/item"
)

// Find lists the editors whose data is here: in the order of editors.json, each product's
// Flatpak and portable installations after its ordinary one.
func Find(env Env) []Editor {
	var all []Editor
	seen := map[string]bool{} // User folders: two descriptors may lead to one
	add := func(e Editor) {
		if real, err := env.FS.Real(e.UserDir); err == nil && !seen[real] {
			seen[real] = true
			e.Profiles, e.Problems = profiles(env.FS, e.UserDir)
			all = append(all, e)
		}
	}
	for _, d := range descriptors() {
		apps := env.apps(d)
		portable := env.portable(d, apps)
		if dir := env.userDir(d.User); dir != "" {
			e := env.editor(d, dir)
			e.ExtensionsDir = env.first(d.Extensions)
			e.Version = env.version(ordinary(apps, portable))
			add(e)
		}
		if env.goos() == "linux" {
			for _, f := range d.Flatpak {
				if e, ok := env.flatpak(d, f); ok {
					add(e)
				}
			}
		}
		for i, p := range portable {
			add(env.portableEditor(d, p, i))
		}
	}
	return all
}

func (env Env) editor(d descriptor, userDir string) Editor {
	e := Editor{ID: d.ID, Name: d.Name, Commands: d.Commands, UserDir: userDir, Gallery: d.Gallery,
		Platform: Platform(env.goos()), Types: d.Types}
	if len(d.Commands) > 0 {
		e.Command = d.Commands[0]
	}
	return e
}

// userDir is the first of the patterns' folders that holds settings, else the first there is.
func (env Env) userDir(patterns []string) string {
	any := ""
	for _, p := range patterns {
		for _, dir := range env.expand(p) {
			if !env.isDir(dir) {
				continue
			}
			if env.isFile(filepath.Join(dir, "settings.json")) {
				return dir
			}
			if any == "" {
				any = dir
			}
		}
	}
	return any
}

func (env Env) first(patterns []string) string {
	for _, p := range patterns {
		for _, dir := range env.expand(p) {
			if env.isDir(dir) {
				return dir
			}
		}
	}
	return ""
}

func (env Env) flatpak(d descriptor, f flatpak) (Editor, bool) {
	base := filepath.Join(env.Home, ".var", "app", f.App)
	dir := filepath.Join(base, "config", f.Config, "User")
	if !env.isDir(dir) {
		return Editor{}, false
	}
	e := env.editor(d, dir)
	e.ID += "-flatpak"
	e.Name += " (Flatpak)"
	e.Flatpak = f.App
	e.Command = "flatpak run " + f.App
	if ext := filepath.Join(base, filepath.FromSlash(f.Extensions)); env.isDir(ext) {
		e.ExtensionsDir = ext
	}
	for _, root := range []string{"/var/lib/flatpak", filepath.Join(env.dir("XDG_DATA_HOME", filepath.Join(env.Home, ".local", "share")), "flatpak")} {
		if e.Version == "" {
			e.Version = env.version([]string{filepath.Join(root, "app", f.App, "current", "active", "files", filepath.FromSlash(f.Program))})
		}
	}
	return e, true
}

// A portable installation's data folder, and the program it belongs to.
type portable struct{ data, app string }

// portable finds data beside programs: data/, or on macOS <name>-portable-data beside the
// application. VSCODE_PORTABLE names the one that this process was started from.
func (env Env) portable(d descriptor, apps []string) []portable {
	var all []portable
	for _, app := range apps {
		data := filepath.Join(app, "data")
		if env.goos() == "darwin" {
			if d.PortableMac == "" {
				continue
			}
			data = filepath.Join(filepath.Dir(app), d.PortableMac)
		}
		if env.isDir(filepath.Join(data, "user-data", "User")) {
			all = append(all, portable{data, app})
		}
	}
	if v := env.getenv("VSCODE_PORTABLE"); d.ID == "vscode" && filepath.IsAbs(v) && env.isDir(filepath.Join(v, "user-data", "User")) {
		all = append(all, portable{data: v})
	}
	return all
}

func (env Env) portableEditor(d descriptor, p portable, n int) Editor {
	e := env.editor(d, filepath.Join(p.data, "user-data", "User"))
	e.ID += "-portable"
	e.Name += " (portable)"
	if n > 0 {
		e.ID += "-" + strconv.Itoa(n+1)
		e.Name = strings.TrimSuffix(e.Name, ")") + " " + strconv.Itoa(n+1) + ")"
	}
	e.Portable = true
	if ext := filepath.Join(p.data, "extensions"); env.isDir(ext) {
		e.ExtensionsDir = ext
	}
	if p.app != "" {
		e.Version = env.version([]string{p.app})
		e.Command = ""
		if len(d.Commands) > 0 {
			if bin := filepath.Join(p.app, "bin", d.Commands[0]); env.isFile(bin) {
				e.Command = bin
			}
		}
	}
	return e
}

// ordinary leaves out the programs that keep their data beside them.
func ordinary(apps []string, beside []portable) []string {
	var kept []string
	for _, app := range apps {
		mine := true
		for _, p := range beside {
			mine = mine && p.app != app
		}
		if mine {
			kept = append(kept, app)
		}
	}
	return kept
}

// apps are the folders in which a product is installed: what its commands on the PATH lead
// to, then the usual places.
func (env Env) apps(d descriptor) []string {
	var all []string
	seen := map[string]bool{}
	add := func(app string) {
		if !seen[app] {
			seen[app] = true
			all = append(all, app)
		}
	}
	for _, dir := range filepath.SplitList(env.getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		for _, c := range d.Commands {
			if env.goos() == "windows" {
				c += ".cmd"
			}
			if app := env.appOf(filepath.Join(dir, c), d); app != "" {
				add(app)
			}
		}
	}
	for _, pattern := range d.Apps[env.goos()] {
		for _, app := range env.expand(pattern) {
			add(app)
		}
	}
	return all
}

// appOf is the folder of the program that a command on the PATH starts, if it is d's: several
// editors answer to "code".
func (env Env) appOf(command string, d descriptor) string {
	if !env.isFile(command) {
		return ""
	}
	at, err := env.FS.Real(command)
	if err != nil {
		return ""
	}
	// <app>/bin/code; on macOS <app>/Contents/Resources/app/bin/code.
	for range 5 {
		at = filepath.Dir(at)
		for _, res := range resources {
			var product struct {
				ApplicationName string `json:"applicationName"`
			}
			if env.readJSON(filepath.Join(at, filepath.FromSlash(res), "product.json"), &product) != nil {
				continue
			}
			for _, c := range d.Commands {
				if c == product.ApplicationName {
					return at
				}
			}
			return ""
		}
	}
	return ""
}

// resources are where product.json and package.json may be below a program's folder.
var resources = []string{"resources/app", "Contents/Resources/app", "."}

// version is that of the first program that tells one.
func (env Env) version(apps []string) string {
	for _, app := range apps {
		for _, res := range resources {
			var p struct {
				Version string `json:"version"`
			}
			if env.readJSON(filepath.Join(app, filepath.FromSlash(res), "package.json"), &p) == nil && p.Version != "" {
				return p.Version
			}
		}
	}
	return ""
}

// maxMeta bounds the files that are read for what they say about an editor.
const maxMeta = 16 << 20

func (env Env) readJSON(path string, into any) error {
	b, _, err := env.FS.Read(path, maxMeta)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// Custom is an editor whose User folder a person named. What is known of it, because
// it is one of those found, or by what lies beside it, is filled in.
func Custom(env Env, dir, name string) (Editor, error) {
	info, err := env.FS.Stat(dir)
	if err != nil {
		return Editor{}, err
	}
	if !info.Mode.IsDir() {
		return Editor{}, &fs.PathError{Op: "attach", Path: dir, Err: errors.New("not a directory")}
	}
	if real, err := env.FS.Real(dir); err == nil {
		for _, e := range Find(env) {
			if r, err := env.FS.Real(e.UserDir); err == nil && r == real {
				e.ID, e.Name, e.UserDir = "path:"+dir, name, dir
				e.Profiles, e.Problems = profiles(env.FS, dir)
				return e, nil
			}
		}
	}
	e := env.editor(descriptor{ID: "path:" + dir, Name: name, Types: fileTypes}, dir)
	// <root>/User with <root>/extensions (code-server), or user-data/User with extensions beside
	// user-data (portable).
	for _, ext := range []string{filepath.Join(dir, "..", "extensions"), filepath.Join(dir, "..", "..", "extensions")} {
		if e.ExtensionsDir == "" && env.isDir(ext) {
			e.ExtensionsDir = ext
		}
	}
	e.Profiles, e.Problems = profiles(env.FS, dir)
	return e, nil
}

// Has says whether the editor keeps documents of a type.
func (e Editor) Has(t item.Type) bool {
	for _, h := range e.Types {
		if h == t {
			return true
		}
	}
	return false
}
