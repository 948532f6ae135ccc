package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"plait/backend/problem"
	"plait/backend/vault"
)

func (c *cli) conflictsCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "conflicts [ITEM]",
		Short:             "Shows where devices disagree, with the reason and all sides",
		Args:              takes(0, 1),
		ValidArgsFunction: c.complete(1, itemNames),
		RunE: c.do(func(ctx context.Context, args []string) error {
			return c.withVault(ctx, func(v *vault.Vault) error {
				list, err := v.Conflicts(ctx, argument(args, 0))
				if err != nil {
					return err
				}
				if c.json {
					return c.printJSON(conflictsJSON(list))
				}
				if len(list) == 0 {
					c.say("%s No conflicts.", c.paint(green, "✓"))
				}
				c.tellConflicts(list)
				return nil
			})
		}),
	}
}

// conflictsJSON is the list without nulls where lists belong.
func conflictsJSON(list []vault.ItemConflicts) []vault.ItemConflicts {
	list = orEmpty(list)
	for i := range list {
		list[i].Conflicts = orEmpty(list[i].Conflicts)
		for j := range list[i].Conflicts {
			list[i].Conflicts[j].Path = orEmpty(list[i].Conflicts[j].Path)
		}
	}
	return list
}

// tellConflicts shows each conflict with its sides, and how to decide the first.
func (c *cli) tellConflicts(list []vault.ItemConflicts) {
	for _, it := range list {
		c.say("\n%s", c.paint(bold, line(it.Item)))
		for _, x := range it.Conflicts {
			label := x.Label
			if label == "" {
				label = "(the whole text)"
			}
			c.say("  %s  %s", c.paint(bold, line(label)), c.paint(dim, "id "+line(x.ID)))
			c.say("  %s", x.Why)
			sides := []vault.Side{{Device: "last in sync", Value: x.Base}, {Device: localName(x), Value: x.Local}, {Device: remoteName(x), Value: x.Remote}}
			c.tellSides(append(sides, x.Others...))
		}
	}
	if len(list) > 0 && len(list[0].Conflicts) > 0 {
		x := list[0].Conflicts[0]
		choose := ""
		switch {
		case len(x.Path) > 0:
			for _, seg := range x.Path {
				choose += "--path " + shellQuote(seg) + " "
			}
		case len(list[0].Conflicts) > 1:
			choose = "--id " + x.ID + " "
		}
		c.say("\nDecide with, for example: plait resolve %s %s--take local", shellQuote(list[0].Item), choose)
	}
}

// localName is this device, with the editor where several here have sides.
func localName(x vault.Conflict) string {
	name := "this device"
	if len(x.Devices) > 0 {
		if _, editor, two := strings.Cut(x.Devices[0], " · "); two {
			name += " · " + editor
		}
	}
	return name
}

// remoteName is the device of the remote side, where it is told.
func remoteName(x vault.Conflict) string {
	if len(x.Devices) > 1 && x.Devices[1] != "" {
		return x.Devices[1]
	}
	return "other device"
}

// tellSides shows a conflict's sides, one a line; texts of several lines as such.
func (c *cli) tellSides(sides []vault.Side) {
	blocks := false
	for _, s := range sides {
		text, ok := wholeText(s.Value)
		blocks = blocks || ok && strings.Count(strings.TrimSuffix(text, "\n"), "\n") > 0
	}
	t := table{}
	for _, s := range sides {
		text, ok := wholeText(s.Value)
		if !blocks || !ok {
			t.add("    "+s.Device, sideText(s.Value))
			continue
		}
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		for i, l := range lines[:min(len(lines), mostLines)] {
			name := ""
			if i == 0 {
				name = "    " + s.Device
			}
			t.add(name, "│ "+shorten(l))
		}
		if more := len(lines) - mostLines; more > 0 {
			t.add("", cell{"│ … " + count(more, "more line"), dim})
		}
	}
	c.print(t)
}

// mostLines is how many lines of a text a conflict shows.
const mostLines = 8

// wholeText is a JSON string's text.
func wholeText(v json.RawMessage) (string, bool) {
	var s string
	return s, len(v) > 0 && v[0] == '"' && json.Unmarshal(v, &s) == nil
}

// opaqueText is what a person reads of content that is shown by size and hash only.
func opaqueText(v json.RawMessage) (string, bool) {
	var o struct {
		Size *int64  `json:"size"`
		Hash *string `json:"hash"`
	}
	d := json.NewDecoder(bytes.NewReader(v))
	d.DisallowUnknownFields()
	if d.Decode(&o) != nil || o.Size == nil || o.Hash == nil {
		return "", false
	}
	text := size(*o.Size)
	if *o.Hash != "" {
		text += ", SHA-256 " + *o.Hash + "…"
	}
	return text, true
}

// shorten keeps text to one line of a terminal.
func shorten(s string) string {
	if text := []rune(s); len(text) > 100 {
		return string(text[:99]) + "…"
	}
	return s
}

// sideText shows one side's value on one line.
func sideText(v json.RawMessage) cell {
	if v == nil {
		return cell{"(not there)", dim}
	}
	if text, ok := opaqueText(v); ok {
		return cell{text: text}
	}
	return cell{text: shorten(string(v))}
}

func (c *cli) resolveCommand() *cobra.Command {
	var s vault.ResolveSpec
	var value string
	var editor bool
	cmd := &cobra.Command{
		Use:   "resolve ITEM [--path SEGMENT... | --id ID] (--take SIDE | --value JSON | --editor)",
		Short: "Decides a conflict, or with neither --path nor --id all of an item",
		Long: `Decides a conflict: takes a side (local is this device's, remote the other's, base
what both last had, both where that makes sense, or a device by name), a value of
your own, or what you make of it in $VISUAL or $EDITOR. The next sync carries the
choice to the other devices; what was not chosen stays in the history.`,
		Example: `  plait resolve default/settings --path editor.fontSize --take remote
  plait resolve default/settings --path '[go]' --path editor.tabSize --value 8
  plait resolve default/settings --editor`,
		Args:              takes(1, 1),
		ValidArgsFunction: c.complete(1, itemNames),
		RunE: c.do(func(ctx context.Context, args []string) error {
			s.Item = args[0]
			if value != "" {
				if !json.Valid([]byte(value)) {
					return problem.New(problem.Invalid, "%s is not JSON. Nothing was changed.", value)
				}
				s.Value = json.RawMessage(value)
			}
			return c.withVault(ctx, func(v *vault.Vault) error {
				var r vault.Resolved
				var err error
				if editor {
					r, err = c.resolveInEditor(ctx, v, s)
				} else {
					r, err = v.Resolve(ctx, s)
				}
				if err != nil {
					return err
				}
				if c.json {
					return c.printJSON(r)
				}
				c.say("%s resolved in %s; %d left.", count(r.Chosen, "conflict"), r.Item, r.Left)
				if !r.Applied {
					c.say("The next `plait sync` writes it to your files, and sends it.")
				}
				return nil
			})
		}),
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&s.Path, "path", nil, "a `SEGMENT` of the key's path; one flag each, dots are not split")
	flags.StringVar(&s.ID, "id", "", "the conflict's `ID`")
	flags.StringVar(&s.Take, "take", "", "the `SIDE` to take: local, remote, base, both, or a device's name")
	flags.StringVar(&value, "value", "", "a value of your own, as `JSON`")
	flags.BoolVar(&editor, "editor", false, "decide in $VISUAL or $EDITOR")
	cmd.MarkFlagsMutuallyExclusive("path", "id")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return oneOf(cmd, "take", "value", "editor") }
	cmd.RegisterFlagCompletionFunc("take", c.completeSides)
	return cmd
}

// resolveInEditor lets the person edit the document with its conflicts marked.
func (c *cli) resolveInEditor(ctx context.Context, v *vault.Vault, s vault.ResolveSpec) (vault.Resolved, error) {
	program := os.Getenv("VISUAL")
	if program == "" {
		program = os.Getenv("EDITOR")
	}
	if program == "" {
		return vault.Resolved{}, usage("--editor needs $VISUAL or $EDITOR, such as EDITOR='code --wait'.")
	}
	text, ext, done, err := v.ResolveText(ctx, s)
	if err != nil {
		return vault.Resolved{}, err
	}
	dir, err := os.MkdirTemp("", "plait-") // mode 0700: what is edited may be secret
	if err != nil {
		return vault.Resolved{}, err
	}
	defer os.RemoveAll(dir)
	file := dir + string(os.PathSeparator) + "resolve" + ext
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return vault.Resolved{}, err
	}
	words := append(strings.Fields(program), file)
	run := exec.CommandContext(ctx, words[0], words[1:]...)
	run.Stdin, run.Stdout, run.Stderr = c.in, c.err, c.err
	if err := run.Run(); err != nil {
		return vault.Resolved{}, &problem.Error{Code: problem.Cancelled,
			Message: "The editor did not end well. Nothing was changed.", Hint: "Run it again.", Err: err}
	}
	edited, err := os.ReadFile(file)
	if err != nil {
		return vault.Resolved{}, c.fileProblem(file, err)
	}
	return done(edited)
}
