package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"plait/backend/editor"
	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/merge/jsonc"
	"plait/backend/problem"
)

// mergeTypes are the words of --type, and the data types they stand for.
var mergeTypes = map[string]item.Type{
	"settings":    item.Settings,
	"keybindings": item.Keybindings,
	"snippets":    item.Snippets,
	"tasks":       item.Tasks,
	"mcp":         item.MCP,
	"text":        item.Prompts,
}

func (c *cli) mergeCommand() *cobra.Command {
	var kind, output string
	var ignore []string
	cmd := &cobra.Command{
		Use:   "merge --type TYPE BASE LOCAL REMOTE",
		Short: "Merges two versions of a document over their base",
		Long: `Merges two versions of an editor's document over their common base, key by key, and
writes the merged text to standard output or to the file of -o. Comments, order and
formatting follow LOCAL. It touches no vault.

BASE may be /dev/null: no base is known. Where both sides changed one key, the merged
text holds the local side, and the exit status is 1; text conflicts are marked as by
diff3. With --json, conflicts, decisions and warnings are listed with their reasons.

As a merge driver of git:

  git config merge.settings.driver 'plait merge --type settings -o %A %O %A %B'
  echo 'settings.json merge=settings' >> .gitattributes

Exit status: 0 clean, 1 conflicts, 2 error.`,
		Example: "  plait merge --type settings base.json mine.json theirs.json",
		Args:    takes(3, 3),
		RunE: c.do(func(_ context.Context, args []string) error {
			t, ok := mergeTypes[kind]
			if !ok {
				return usage("--type is one of settings, keybindings, snippets, tasks, mcp, text.")
			}
			return c.merge(t, args, output, merge.Options{Ignore: ignored(ignore), Platform: editor.Platform(runtime.GOOS)})
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&kind, "type", "", "`TYPE` of the files: settings, keybindings, snippets, tasks, mcp or text")
	flags.StringArrayVar(&ignore, "ignore", nil, "`KEY` that stays as it is in LOCAL (NAME, NAME* or a JSON pointer); may be repeated")
	flags.StringVarP(&output, "output", "o", "", "write the merged text to `FILE`")
	cmd.MarkFlagRequired("type")
	cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(sortedKeys(mergeTypes), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// merge does the merge of args' three files, and tells of it.
func (c *cli) merge(t item.Type, args []string, output string, o merge.Options) error {
	var sides [3][]byte // base, local, remote
	for i, file := range args {
		text, err := c.side(file)
		if err != nil {
			return err
		}
		sides[i] = text
	}
	if len(sides[0])+len(sides[1])+len(sides[2]) < 4<<20 {
		debug.SetGCPercent(800) // a small merge ends before collecting is worth it
	}
	if err := checkSides(t, args, sides, o); err != nil {
		return err
	}
	r, err := merge.Three(t, sides[0], sides[1], sides[2], o)
	if err != nil {
		return err
	}
	if output != "" {
		if err := replaceFile(output, r.Text, 0o666); err != nil {
			return c.fileProblem(output, err)
		}
	}
	switch {
	case c.json:
		if err := c.printJSON(mergeReport(r)); err != nil {
			return err
		}
	case output == "":
		if _, err := c.out.Write(r.Text); err != nil {
			return err
		}
	}
	if !c.json {
		c.tellMerge(r)
	}
	if !r.Clean {
		return errFound
	}
	return nil
}

// side reads one of the three files; nil is "none", which only a base can be.
func (c *cli) side(file string) ([]byte, error) {
	if file == "/dev/null" || file == os.DevNull {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, c.fileProblem(file, err)
	}
	if text == nil {
		text = []byte{}
	}
	return text, nil
}

// told is how many conflicts and how many warnings a person is told; --json lists all.
const told = 20

// tellMerge says on standard error what was not clean; a merge that was says nothing.
func (c *cli) tellMerge(r merge.Result) {
	var b bytes.Buffer
	if n := len(r.Conflicts); n > 0 {
		fmt.Fprintf(&b, "%s:\n", count(n, "conflict"))
	}
	for _, x := range r.Conflicts[:min(told, len(r.Conflicts))] {
		fmt.Fprintf(&b, "  %s  %s\n", paint(c.errTerm, bold, line(x.Label)), line(x.Reason.String()))
	}
	more(&b, len(r.Conflicts))
	for _, w := range r.Warnings[:min(told, len(r.Warnings))] {
		fmt.Fprintf(&b, "%s %s\n", paint(c.errTerm, yellow, "warning:"), line(w.Message))
	}
	more(&b, len(r.Warnings))
	c.err.Write(b.Bytes())
}

func more(b *bytes.Buffer, n int) {
	if n > told {
		fmt.Fprintf(b, "  and %d more; --json lists all\n", n-told)
	}
}

// checkSides says which of the files can't be merged as what it is to be, and where it
// is at fault. merge.Three would merge such documents by lines; asked for a structured
// merge, we rather tell, and leave lines to --type text.
func checkSides(t item.Type, files []string, sides [3][]byte, o merge.Options) error {
	if t == item.Prompts {
		return nil
	}
	for i, text := range sides {
		// Parsing costs a fraction of taking apart, which only tells what is wrong.
		if tree, err := jsonc.Parse(text); err == nil && len(tree.Errors) == 0 {
			continue
		}
		_, err := merge.Atomize(t, text, o)
		var s *merge.SyntaxError
		p := &problem.Error{Hint: "Mend the file, or merge it as --type text.", Err: err}
		switch {
		case errors.As(err, &s):
			p.Code = problem.Syntax
			p.Message = fmt.Sprintf("%s, line %d, column %d: %s. Nothing was written.", files[i], s.Line, s.Column, s.Msg)
		case errors.Is(err, merge.ErrTooLarge):
			p.Code = problem.TooLarge
			p.Message = files[i] + " is over the limit of 64 MB. Nothing was written."
		case errors.Is(err, merge.ErrTooDeep):
			p.Code = problem.TooDeep
			p.Message = files[i] + " is nested more than 1,000 levels deep. Nothing was written."
		default:
			continue
		}
		return p
	}
	return nil
}

// The JSON that `plait merge --json` prints. An absent side is left out.
type mergeJSON struct {
	Clean     bool            `json:"clean"`
	Result    string          `json:"result"`
	Conflicts []mergeConflict `json:"conflicts"`
	Decisions []mergeDecision `json:"decisions"`
	Warnings  []mergeWarning  `json:"warnings"`
}

type mergeConflict struct {
	ID     string          `json:"id"`
	Path   []string        `json:"path"`
	Label  string          `json:"label"`
	Reason string          `json:"reason"`
	Base   json.RawMessage `json:"base,omitempty"`
	Local  json.RawMessage `json:"local,omitempty"`
	Remote json.RawMessage `json:"remote,omitempty"`
}

type mergeDecision struct {
	Path   []string `json:"path"`
	Took   string   `json:"took"`
	Reason string   `json:"reason"`
}

type mergeWarning struct {
	Path    []string `json:"path"`
	Kind    string   `json:"kind"`
	Message string   `json:"message"`
}

func mergeReport(r merge.Result) mergeJSON {
	j := mergeJSON{Clean: r.Clean, Result: string(r.Text),
		Conflicts: []mergeConflict{}, Decisions: []mergeDecision{}, Warnings: []mergeWarning{}}
	for _, x := range r.Conflicts {
		j.Conflicts = append(j.Conflicts, mergeConflict{x.ID, segments(x.Key), x.Label, x.Reason.Code,
			valueJSON(x.Base), valueJSON(x.Local), valueJSON(x.Remote)})
	}
	for _, d := range r.Decisions {
		j.Decisions = append(j.Decisions, mergeDecision{segments(d.Key), d.Took, d.Reason.Code})
	}
	for _, w := range r.Warnings {
		j.Warnings = append(j.Warnings, mergeWarning{segments(w.Key), w.Kind, w.Message})
	}
	return j
}

// segments is a key's path, never null.
func segments(k item.Key) []string {
	if p := k.Segments(); p != nil {
		return p
	}
	return []string{}
}

// valueJSON is a value as JSON: a setting as it stands, without the comments inside
// it; text as a string.
func valueJSON(v *item.Value) json.RawMessage {
	if v == nil || v.Kind == item.Absent {
		return nil
	}
	if v.Kind == item.JSON {
		if strict, err := merge.Strict(v.Data); err == nil {
			return strict
		}
	}
	s, _ := json.Marshal(string(v.Data)) // a string always marshals
	return s
}

// ignored makes a mask of patterns: a JSON pointer (/a/b) masks that place and what is
// below it; NAME masks the setting of that name, also inside language blocks; NAME*
// every setting that starts so.
func ignored(patterns []string) func(item.Path) bool {
	if len(patterns) == 0 {
		return nil
	}
	return func(p item.Path) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return masks(pattern, p) })
	}
}

func masks(pattern string, p item.Path) bool {
	if strings.HasPrefix(pattern, "/") {
		at, pointer := p.String(), strings.TrimSuffix(pattern, "/")
		return at == pointer || strings.HasPrefix(at, pointer+"/")
	}
	for len(p) > 0 {
		if start, ok := strings.CutSuffix(pattern, "*"); ok && strings.HasPrefix(p[0], start) || p[0] == pattern {
			return true
		}
		if !strings.HasPrefix(p[0], "[") {
			return false
		}
		p = p[1:]
	}
	return false
}

// replaceFile writes a file whole or not at all: beside, then renamed; through a
// symlink to its target, with its mode. What is no regular file is written to.
func replaceFile(path string, text []byte, mode os.FileMode) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return os.WriteFile(path, text, mode)
	case err == nil:
		mode = info.Mode().Perm()
	default:
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, mode) // lets the system's umask choose
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".plait-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
