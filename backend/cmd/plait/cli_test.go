package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"plait/backend/problem"
	"plait/backend/vault"
)

// testCLI is a run whose output is kept, and that has no terminal.
func testCLI(t *testing.T) (c *cli, out, errs *bytes.Buffer) {
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	c = &cli{in: null, out: out, err: errs}
	c.progress = &progress{c: c}
	return c, out, errs
}

// commands are the commands and flags that scripts rely on. They may be added to.
var commands = map[string]string{
	"init":           "store device-name recovery-file keys",
	"join":           "store code recovery-file recovery-passphrase-file device-name keys",
	"pair":           "yes",
	"editors":        "",
	"attach":         "profile collection path name files dry-run",
	"detach":         "",
	"sync":           "watch only pull push accept-removals",
	"status":         "",
	"conflicts":      "",
	"resolve":        "path id take value editor",
	"strategy":       "",
	"overlay":        "path device os shared",
	"history":        "",
	"diff":           "",
	"restore":        "to dry-run",
	"recovery":       "new",
	"devices":        "",
	"devices rename": "",
	"devices revoke": "",
	"approve":        "as",
	"log":            "verify export",
	"doctor":         "store",
	"export":         "",
	"merge":          "type ignore output",
}

func TestCommands(t *testing.T) {
	c, _, _ := testCLI(t)
	root := c.root()
	for name, flags := range commands {
		cmd, _, err := root.Find(strings.Fields(name))
		if err != nil || cmd.CommandPath() != "plait "+name {
			t.Errorf("no command %q", name)
			continue
		}
		for _, f := range append(strings.Fields(flags), "json", "passphrase-file") {
			if cmd.Flags().Lookup(f) == nil && cmd.InheritedFlags().Lookup(f) == nil {
				t.Errorf("plait %s has no --%s", name, f)
			}
		}
	}
	if f := root.Commands()[slices.IndexFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == "merge" })].Flags().Lookup("output"); f.Shorthand != "o" {
		t.Error("plait merge has no -o")
	}
	for _, cmd := range root.Commands() {
		if !cmd.Hidden && (cmd.Short == "" || cmd.GroupID == "" && cmd.Name() != "help" && cmd.Name() != "completion") {
			t.Errorf("plait %s lacks a line of help, or a group", cmd.Name())
		}
	}
}

// Man pages and completion scripts are made for every command.
func TestManAndCompletion(t *testing.T) {
	c, out, errs := testCLI(t)
	dir := filepath.Join(t.TempDir(), "man")
	if status := c.run(t.Context(), []string{"man", dir}); status != statusOK {
		t.Fatal(errs)
	}
	for name := range commands {
		page, err := os.ReadFile(filepath.Join(dir, "plait-"+strings.ReplaceAll(name, " ", "-")+".1"))
		if err != nil || !bytes.Contains(page, []byte("NAME")) {
			t.Errorf("no page for %s: %v", name, err)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		out.Reset()
		if status := c.run(t.Context(), []string{"completion", shell}); status != statusOK || !strings.Contains(out.String(), "plait") {
			t.Errorf("no completion for %s: %s", shell, errs)
		}
	}
	for _, w := range []struct{ line, want string }{
		{"attach --", "--dry-run"},
		{"merge --type ", "keybindings"},
		{"init --keys ", "passphrase"},
		{"sync --only ", "snippets"},
		{"strategy x ", "manual"},
	} {
		out.Reset()
		args := append([]string{"__complete"}, strings.Split(w.line, " ")...)
		if status := c.run(t.Context(), args); status != statusOK || !strings.Contains(out.String(), w.want) {
			t.Errorf("completing %q gives %q; want %s", w.line, out, w.want)
		}
	}
}

// What a sync ends with, the first that holds:
//
//	an error                            that
//	an error beside what was done       that
//	something could not be applied      its code
//	something waits for approval        nothing: that is a choice
//	conflicts                           status 1
//	nothing                             status 0
func TestOutcome(t *testing.T) {
	waiting := func(code problem.Code) vault.SyncResult {
		return vault.SyncResult{Waiting: []vault.Waiting{{Item: "a/settings", File: "/f", Code: string(code), Reason: "in use"}}}
	}
	conflict := vault.SyncResult{}
	conflict.Items.Conflicts = 2
	both := waiting(problem.FileLocked)
	both.Items.Conflicts = 1
	for _, c := range []struct {
		name string
		r    vault.SyncResult
		err  error
		want error
	}{
		{"nothing", vault.SyncResult{}, nil, nil},
		{"conflicts", conflict, nil, errFound},
		{"offline", conflict, problem.Offline, problem.Offline},
		{"incomplete beside", vault.SyncResult{Error: &vault.Notice{Code: string(problem.Incomplete), Message: "x"}}, nil, problem.Incomplete},
		{"a locked file", waiting(problem.FileLocked), nil, problem.FileLocked},
		{"a locked file and conflicts", both, nil, problem.FileLocked},
		{"approval", waiting(problem.Approval), nil, nil},
	} {
		if got := outcome(c.r, c.err); !errors.Is(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: %v; want %v", c.name, got, c.want)
		}
	}
}

// Lists are [], never null, in what scripts read.
func TestSyncJSON(t *testing.T) {
	c, out, _ := testCLI(t)
	if err := c.printLine(syncJSON(vault.SyncResult{})); err != nil {
		t.Fatal(err)
	}
	want := `{"items":{"pulled":0,"pushed":0,"applied":0,"conflicts":0},"requests":{"up":0,"down":0},` +
		`"bytes":{"up":0,"down":0},"seconds":0,"conflicts":[]}` + "\n"
	if out.String() != want {
		t.Errorf("got %s; want %s", out, want)
	}
}

func TestTable(t *testing.T) {
	c, out, _ := testCLI(t)
	c.print(table{head: []string{"A", "LONG"}, rows: [][]cell{{{text: "ünï"}, {text: "x\n\x1b[31my"}}, {{text: "z"}, {}}}})
	if want := "A    LONG\nünï  x\\n\\u001b[31my\nz\n"; out.String() != want {
		t.Errorf("got %q; want %q", out, want)
	}
	out.Reset()
	if c.print(table{head: []string{"A"}}); out.Len() > 0 {
		t.Errorf("an empty table prints %q", out)
	}
}

// Colours are for terminals, and not where NO_COLOR is set.
func TestPaint(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	if got := paint(true, red, "a"); got != "\x1b[31ma\x1b[0m" {
		t.Errorf("on a terminal: %q", got)
	}
	if got := paint(false, red, "a"); got != "a" {
		t.Errorf("elsewhere: %q", got)
	}
	t.Setenv("NO_COLOR", "1")
	if got := paint(true, red, "a"); got != "a" {
		t.Errorf("with NO_COLOR: %q", got)
	}
}

func TestProgressText(t *testing.T) {
	for want, p := range map[string]vault.Progress{
		"Sending 3 of 9 · 1.5 MB of 2.0 MB": {Phase: "push", Done: 3, Total: 9, BytesDone: 1_500_000, BytesTotal: 2_000_000},
		"Reading files 12":                  {Phase: "observe", Done: 12},
		"Receiving · 900 B":                 {Phase: "pull", BytesDone: 900},
		"dreaming":                          {Phase: "dreaming"},
	} {
		if got := progressText(p); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

// Errors: on standard error, in the shape that was asked for, never an unknown one's own text.
func TestFail(t *testing.T) {
	c, out, errs := testCLI(t)
	c.fail(errors.Join(problem.Offline, errors.New("token=hunter2")))
	if got := errs.String(); !strings.HasPrefix(got, "plait: The store can't be reached.") || !strings.Contains(got, "(offline)") {
		t.Errorf("got %q", got)
	}
	errs.Reset()
	c.json = true
	c.fail(errors.New("token=hunter2"))
	if got := errs.String(); !strings.HasPrefix(got, `{"error":{"code":"internal","message":"`) || strings.Contains(got, "hunter2") {
		t.Errorf("got %q", got)
	}
	if out.Len() > 0 {
		t.Errorf("standard output got %q", out)
	}
}

// The home folder: $PLAIT_HOME, else the system's place for data.
func TestHome(t *testing.T) {
	t.Setenv("PLAIT_HOME", filepath.Join(t.TempDir(), "x"))
	if got, err := home(); err != nil || got != os.Getenv("PLAIT_HOME") {
		t.Errorf("home = %q, %v; want $PLAIT_HOME", got, err)
	}
	t.Setenv("PLAIT_HOME", "")
	t.Setenv("HOME", "/h")
	t.Setenv("USERPROFILE", `C:\h`)
	t.Setenv("LOCALAPPDATA", `C:\h\L`)
	want := map[string]string{"linux": "/h/.local/share/plait", "darwin": "/h/Library/Application Support/Plait", "windows": `C:\h\L\Plait`}[runtime.GOOS]
	if got, err := home(); want != "" && (err != nil || got != want) {
		t.Errorf("home = %q, %v; want %q", got, err, want)
	}
}

// A passphrase comes from the flag's file, else the environment's, else a terminal; there
// is none where nobody can be asked.
func TestPassphrase(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"flag": "from flag\n", "env": "from env\r\n", "empty": "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _, _ := testCLI(t)
	t.Setenv(passphraseVariable, "")
	if c.passphrase("?", false) != nil {
		t.Error("a passphrase can be had where nobody can be asked")
	}
	t.Setenv(passphraseVariable, filepath.Join(dir, "env"))
	if got, err := c.passphrase("?", false)(); string(got) != "from env" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	c.passphraseFile = filepath.Join(dir, "flag")
	if got, err := c.passphrase("?", false)(); string(got) != "from flag" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	c.passphraseFile = filepath.Join(dir, "empty")
	if _, err := c.passphrase("?", false)(); !errors.Is(err, problem.Usage) {
		t.Errorf("an empty file gives %v", err)
	}
	c.passphraseFile = filepath.Join(dir, "gone")
	if _, err := c.passphrase("?", false)(); !errors.Is(err, problem.FileGone) || !strings.Contains(problem.From(err).Message, "gone is not there") {
		t.Errorf("a missing file gives %v", err)
	}
}

// A file for secrets is new, the owner's alone, and goes away if nothing came of it.
func TestNewSecretFile(t *testing.T) {
	c, _, _ := testCLI(t)
	path := filepath.Join(t.TempDir(), "words")
	f, err := c.newSecretFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v; want 0600", info.Mode())
	}
	if _, err := c.newSecretFile(path); !errors.Is(err, problem.NotEmpty) {
		t.Errorf("a second time: %v", err)
	}
	f.abandon()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("abandon leaves the file")
	}
	if f, _ = c.newSecretFile(path); f.write("one two") != nil {
		t.Error("write failed")
	}
	if text, _ := os.ReadFile(path); string(text) != "one two\n" {
		t.Errorf("file holds %q", text)
	}
	if none, err := c.newSecretFile(""); none != nil || err != nil || none.write("x") != nil {
		t.Error("no file must be no trouble")
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{"a.b/c-d": "a.b/c-d", "": "''", "[go]": "'[go]'", "it's": `'it'\''s'`, "a b": "'a b'"} {
		if got := shellQuote(in); got != want {
			t.Errorf("%q: %s; want %s", in, got, want)
		}
	}
}

// A line is read without taking what follows it.
func TestReadLine(t *testing.T) {
	c, _, _ := testCLI(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "first\r\nrest")
	w.Close()
	c.in = r
	if got, err := c.readLine(); string(got) != "first" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "rest" {
		t.Errorf("left %q", rest)
	}
	if _, err := c.readLine(); !errors.Is(err, problem.Usage) {
		t.Errorf("at the end: %v", err)
	}
}
