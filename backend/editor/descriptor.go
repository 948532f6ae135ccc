package editor

import (
	_ "embed"
	"encoding/json"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"plait/backend/item"
)

// A descriptor is what editors.json says of one product.
type descriptor struct {
	ID          string              `json:"id"`
	Name        string              `json:"name"`
	Config      string              `json:"config"`
	Dot         string              `json:"dot"`
	User        []string            `json:"user"`
	Extensions  []string            `json:"extensions"`
	Commands    []string            `json:"commands"`
	Gallery     string              `json:"gallery"`
	Types       []item.Type         `json:"types"`
	Flatpak     []flatpak           `json:"flatpak"`
	Apps        map[string][]string `json:"apps"`
	PortableMac string              `json:"portableMac"`
}

type flatpak struct {
	App        string `json:"app"`
	Config     string `json:"config"`
	Extensions string `json:"extensions"` // below ~/.var/app/<app>
	Program    string `json:"program"`    // below the installation's files
}

//go:embed editors.json
var editorsJSON []byte

// descriptors are all editors that are known, in the order in which they are shown.
func descriptors() []descriptor {
	var f struct {
		Editors []descriptor `json:"editors"`
	}
	if err := json.Unmarshal(editorsJSON, &f); err != nil {
		panic("editor: editors.json: " + err.Error())
	}
	for i := range f.Editors {
		d := &f.Editors[i]
		if len(d.User) == 0 {
			d.User = []string{"${CONFIG}/" + d.Config + "/User"}
		}
		if len(d.Extensions) == 0 {
			d.Extensions = []string{"${HOME}/" + d.Dot + "/extensions"}
		}
		if len(d.Types) == 0 {
			d.Types = fileTypes
		}
	}
	return f.Editors
}

// fileTypes are the data types that an editor keeps in files of their own.
var fileTypes = []item.Type{item.Settings, item.Keybindings, item.Snippets, item.Prompts, item.Tasks, item.MCP}

func (e Env) goos() string {
	if e.OS == "" {
		return runtime.GOOS
	}
	return e.OS
}

func (e Env) getenv(name string) string {
	if e.Getenv == nil {
		return ""
	}
	return e.Getenv(name)
}

// dir is a variable's value if it is an absolute path, else the fallback. The XDG
// specification has relative ones ignored.
func (e Env) dir(name, fallback string) string {
	if v := e.getenv(name); filepath.IsAbs(v) {
		return v
	}
	return fallback
}

// variable is what ${name} stands for; empty if it has no meaning here.
func (e Env) variable(name string) string {
	switch goos := e.goos(); name {
	case "HOME":
		return e.Home
	case "CONFIG":
		if v := e.getenv("VSCODE_APPDATA"); filepath.IsAbs(v) {
			return v
		}
		switch goos {
		case "windows":
			return e.dir("APPDATA", filepath.Join(e.Home, "AppData", "Roaming"))
		case "darwin":
			return filepath.Join(e.Home, "Library", "Application Support")
		}
		return e.dir("XDG_CONFIG_HOME", filepath.Join(e.Home, ".config"))
	case "DATA":
		if goos == "windows" || goos == "darwin" {
			e.Getenv = without(e.Getenv, "VSCODE_APPDATA")
			return e.variable("CONFIG")
		}
		return e.variable("XDG")
	case "XDG":
		if goos == "windows" {
			return ""
		}
		return e.dir("XDG_DATA_HOME", filepath.Join(e.Home, ".local", "share"))
	case "LOCALAPPDATA":
		if goos != "windows" {
			return ""
		}
		return e.dir(name, filepath.Join(e.Home, "AppData", "Local"))
	}
	return e.dir(name, "")
}

func without(getenv func(string) string, name string) func(string) string {
	return func(n string) string {
		if n == name || getenv == nil {
			return ""
		}
		return getenv(n)
	}
}

// expand is the existing paths that a pattern of editors.json stands for, sorted.
func (e Env) expand(pattern string) []string {
	if rest, ok := strings.CutPrefix(pattern, "${"); ok {
		name, below, _ := strings.Cut(rest, "}")
		base := e.variable(name)
		if base == "" {
			return nil
		}
		return e.glob(base, strings.TrimPrefix(below, "/"))
	}
	return e.glob("/", strings.TrimPrefix(pattern, "/"))
}

// glob follows a pattern down from base, one name at a time.
func (e Env) glob(base, pattern string) []string {
	if pattern == "" {
		if _, err := e.FS.Stat(base); err != nil {
			return nil
		}
		return []string{base}
	}
	seg, rest, _ := strings.Cut(pattern, "/")
	if !strings.Contains(seg, "*") {
		return e.glob(filepath.Join(base, seg), rest)
	}
	infos, err := e.FS.List(base)
	if err != nil {
		return nil
	}
	var all []string
	for _, i := range infos {
		if wild(seg, i.Name) {
			all = append(all, e.glob(filepath.Join(base, i.Name), rest)...)
		}
	}
	slices.Sort(all)
	return all
}

// wild says whether name is as pattern has it; * stands for any characters.
func wild(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, ok := strings.Cut(name, part)
		if !ok {
			return false
		}
		name = after
	}
	return strings.HasSuffix(name, parts[len(parts)-1])
}

func (e Env) isDir(path string) bool {
	i, err := e.FS.Stat(path)
	return err == nil && i.Mode.IsDir()
}

func (e Env) isFile(path string) bool {
	i, err := e.FS.Stat(path)
	return err == nil && i.Mode.IsRegular()
}
