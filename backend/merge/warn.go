package merge

import (
	"plait/backend/item"
)

// warnings are those of the documents and those of the merge.
func (m *merger) warnings() []Warning {
	ws := append(append([]Warning{}, m.local.warnings...), m.remote.warnings...)
	return ws
}

// Warnings says what a merge made that nobody wrote.
func Warnings(t item.Type, local, remote, merged map[item.Key]item.Value, o Options) []Warning {
	return nil
}

// Executes says whether what stands at k makes code run on a machine.
func Executes(t item.Type, k item.Key) bool { return t == item.Tasks || t == item.MCP }
