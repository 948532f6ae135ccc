// Package editor knows the VS Code family: which editors are here, where each keeps what,
// and what of it must not travel.
//
// Where things are is data (editors.json), and so is VS Code's own list of settings that belong
// to one machine (machine.json, extracted by maskgen). The code only reads.
//
//	Find → Editor, Profile → Documents: file ↔ item     Mask: which atoms stay here
//
// # Guarantees
//
//   - ED1 Find changes nothing, runs nothing, and survives whatever it finds; what it could
//     not read is in Editor.Problems.
//   - ED2 A name from the vault becomes a path only through disk.Guard (Path).
//   - ED3 A mask is a function of its input: equal fingerprints mean equal masks.
//   - ED4 What is masked stays masked for as long as its reason is there; a damaged settings
//     file takes no reason away (see Mask).
package editor

import (
	"strings"

	"plait/backend/disk"
	"plait/backend/item"
)

// Env is where editors are looked for. Home and FS must be set.
type Env struct {
	Home   string // the person's home directory, absolute
	OS     string // as runtime.GOOS has it; empty: the system this runs on
	Getenv func(string) string
	FS     disk.FS
}

// An Editor is one installation's data. Two installations of one product (from the
// system and from Flatpak, say) are two editors.
type Editor struct {
	ID       string   // "vscode", "vscode-flatpak", "vscodium-portable-2"; stable as long as none comes or goes
	Name     string   // "VS Code", "VS Code (Flatpak)"
	Command  string   // what starts it on a command line; may be empty
	Commands []string // that, and other names of it

	UserDir       string // holds settings.json
	ExtensionsDir string // may be empty: not known
	Gallery       string // where its extensions come from: microsoft, openvsx, own
	Version       string // empty: could not be told
	Portable      bool   // its data lies beside the program
	Flatpak       string // the application's id
	Platform      string // linux, mac, windows: whose keybindings these are

	Types    []item.Type // which data types it keeps in files
	Profiles []Profile   // the default one first
	Problems []error     // what could not be read while looking
}

// A Profile is one of an editor's profiles.
type Profile struct {
	ID         string // the folder under profiles/; empty for the default profile
	Name       string
	Dir        string // holds settings.json
	Default    bool
	Collection string // which collection it joins, unless the person says otherwise

	// Inherits says which types this profile takes from the default one: they are not its own.
	Inherits map[item.Type]bool
}

// Profile finds a profile by name or id, in any case; the empty name is the default's.
func (e Editor) Profile(name string) (Profile, error) {
	var names []string
	for _, p := range e.Profiles {
		if name == "" && p.Default || strings.EqualFold(p.Name, name) || p.ID != "" && strings.EqualFold(p.ID, name) {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Profile{}, &NotFound{What: "profile of " + e.Name, Name: name, Near: near(name, names)}
}

// Platform is the name that items use for a system: linux, mac or windows. What is
// neither Windows nor macOS counts as Linux, as it does for VS Code.
func Platform(goos string) string {
	switch goos {
	case "darwin", "ios":
		return "mac"
	case "windows":
		return "windows"
	}
	return "linux"
}
