package merge

import (
	"strings"

	"plait/backend/item"
)

// Executes says whether what stands at k can make code run on a machine: tasks, MCP
// servers, rules that type into a terminal, and the settings that name a program, its
// arguments or its environment. Such values from a device that may not change what
// runs here wait for approval. Comments, orders and layouts run nothing.
//
// It errs on the side of asking: any setting counts whose name ends as those do that
// name programs.
func Executes(t item.Type, k item.Key) bool {
	if k.Lane != item.LaneValue {
		return false
	}
	p := k.Segments()
	switch t {
	case item.Tasks, item.MCP:
		return true
	case item.Keybindings:
		return len(p) != 4 || ruleExecutes(p)
	case item.Settings:
		if len(p) == 0 {
			return true // a document that is no object: whatever it is
		}
		if strings.HasPrefix(p[0], "[") {
			if p = p[1:]; len(p) == 0 {
				return false
			}
		}
		return settingExecutes(strings.ToLower(strings.Join(p, ".")))
	}
	return false
}

// ruleExecutes says whether a keybinding's command can type into a terminal or start a
// task, by itself or among the commands in its arguments.
func ruleExecutes(p item.Path) bool {
	for _, c := range []string{"sendSequence", "runTask", "tasks.", "terminal.runSelectedText", "runActiveFile", "debug.", "vscode.executeCommand", "extension.installExtension", "installExtension"} {
		if strings.Contains(p[1], c) || strings.Contains(p[3], c) {
			return true
		}
	}
	return false
}

// prefixes of settings that start programs, or say whether one may start, in lower case.
var executing = []string{
	"terminal.integrated.profiles.", "terminal.integrated.automationprofile.", "terminal.integrated.automationshell.",
	"terminal.integrated.shell", "terminal.integrated.env.", "terminal.integrated.defaultprofile.", "terminal.external.",
	"tasks.", "launch.", "task.allowautomatictasks", "mcp.", "chat.mcp.", "chat.tools.", "chat.agent.",
	"security.workspace.trust.", "code-runner.", "emeraldwalk.runonsave", "runonsave.", "filewatcher.commands",
	"git.path", "python.defaultinterpreterpath", "python.venvpath", "go.alternatetools", "go.toolsenvvars", "go.goroot",
	"npm.scriptexplorer", "npm.packagemanager", "remote.ssh.path", "remote.ssh.configfile",
	"application.shellenvironment", "vim.autoswitchinputmethod", "github.copilot.chat.agent",
}

// endings of settings that name programs, their arguments or their environment.
var endings = []string{
	"executable", "executablepath", "binarypath", "binary", "binpath", "serverpath", "server.path", "command", "commands",
	"commandline", "interpreterpath", "interpreter", "compilerpath", "compiler", "clangdpath", "toolpath", "clipath",
	"runtimepath", "runtime", "runtimeexecutable", "javahome", "java.home", "nodepath", "vmargs", "jvmargs", "jvmarguments",
	"shell", "shellargs", "shellpath", "dockerpath", "composepath", "lldbpath", "gdbpath", "midebuggerpath", "debuggerpath",
	"extraargs", "serverargs", "cmd", "exec", "program", "linterpath", "formatterpath", "gopath", "sdkpath", "tsdk", "typescript.tsdk",
	"plugins", "pluginpaths", "loader", "preload", "onsave", "hook", "hooks",
}

func settingExecutes(name string) bool {
	for _, e := range executing {
		if strings.HasPrefix(name, e) || name == strings.TrimSuffix(e, ".") {
			return true
		}
	}
	for seg := range strings.SplitSeq(name, ".") {
		if strings.HasSuffix(seg, "environmentvariables") || seg == "env" || seg == "environment" {
			return true
		}
	}
	for _, e := range endings {
		if strings.HasSuffix(name, e) {
			return true
		}
	}
	return strings.HasSuffix(name, ".path") || strings.Contains(name, "executable")
}
