package editor

import (
	_ "embed"
	"encoding/json"
	"sync"
)

// BuiltIn is VS Code's own list of settings that do not travel, as maskgen extracts it.
type BuiltIn struct {
	Source      string            `json:"source"`      // the npm release
	VSCode      string            `json:"vscode"`      // the version of VS Code in it
	Machine     []string          `json:"machine"`     // scope machine or machine-overridable
	Ignored     []string          `json:"ignored"`     // ignoreSync
	Never       []string          `json:"never"`       // disallowSyncIgnore: about sync itself; they never travel
	Conditional []string          `json:"conditional"` // machine-scoped only where the editor runs remotely: they travel
	Desktop     map[string]string `json:"desktop"`     // by hand: what only the desktop's build registers, and why
}

//go:generate go run ./maskgen -o machine.json
//go:embed machine.json
var machineJSON []byte

// builtIn is that list; read once, since every mask needs it.
var builtIn = sync.OnceValue(func() BuiltIn {
	var b BuiltIn
	if err := json.Unmarshal(machineJSON, &b); err != nil {
		panic("editor: machine.json: " + err.Error())
	}
	return b
})
