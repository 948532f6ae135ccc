package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"plait/backend/item"
	"plait/backend/problem"
	"plait/backend/vault"
)

func (c *cli) syncCommand() *cobra.Command {
	var s vault.SyncOptions
	var watch bool
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Syncs the attached editors and folders with the store",
		Long: `Reads what changed here, takes what changed elsewhere, writes it to the editors'
files, and sends what is new. With --watch it goes on, whenever files or the store
change, until it is stopped.

Exit status: 0 in sync, 1 conflicts wait, 2 anything else.`,
		Args: takes(0, 0),
		RunE: c.do(func(ctx context.Context, _ []string) error {
			if s.Pull && s.Push {
				return usage("--pull and --push exclude each other; without them, sync does both.")
			}
			for _, t := range s.Only {
				if !slices.Contains(item.Types, item.Type(t)) {
					return usage("%q is not a data type: %s.", t, strings.Join(typeNames(), ", "))
				}
			}
			if watch {
				return c.watch(ctx, s)
			}
			return c.withVault(ctx, func(v *vault.Vault) error {
				r, err := v.Sync(ctx, s)
				c.progress.clear()
				if c.json {
					err = errors.Join(err, c.printJSON(syncJSON(r)))
				} else {
					c.tellSync(r, err == nil)
				}
				return outcome(r, err)
			})
		}),
	}
	flags := cmd.Flags()
	flags.BoolVar(&watch, "watch", false, "go on until stopped: sync whenever files or the store change")
	flags.StringSliceVar(&s.Only, "only", nil, "only these data types, as `TYPE,...`")
	flags.BoolVar(&s.Pull, "pull", false, "only receive: push nothing")
	flags.BoolVar(&s.Push, "push", false, "only send: apply nothing")
	flags.BoolVar(&s.AcceptRemovals, "accept-removals", false, "record a large loss that the safety catch held back")
	cmd.RegisterFlagCompletionFunc("only", cobra.FixedCompletions(typeNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func typeNames() []string {
	names := make([]string, len(item.Types))
	for i, t := range item.Types {
		names[i] = string(t)
	}
	return names
}

// syncJSON is a result without nulls where lists belong.
func syncJSON(r vault.SyncResult) vault.SyncResult {
	r.Conflicts = conflictsJSON(r.Conflicts)
	return r
}

// outcome is what a sync ends with: an error before what could not be done, that
// before conflicts that wait.
func outcome(r vault.SyncResult, err error) error {
	if err != nil {
		return err
	}
	if e := r.Error; e != nil {
		return &problem.Error{Code: problem.Code(e.Code), Message: e.Message, Hint: e.Hint}
	}
	for _, w := range r.Waiting {
		if problem.Code(w.Code) != problem.Approval { // that is a choice, not a failure
			return &problem.Error{Code: problem.Code(w.Code), Message: waitingText(w), Hint: w.Hint}
		}
	}
	if r.Items.Conflicts > 0 {
		return errFound
	}
	return nil
}

func waitingText(w vault.Waiting) string {
	name := w.Item
	if w.File != "" {
		name = w.File
	}
	return name + ": " + strings.TrimRight(w.Reason, ".") + ". Everything else was synced."
}

// tellSync tells a person what a sync did.
func (c *cli) tellSync(r vault.SyncResult, whole bool) {
	n := r.Items
	var parts []string
	for _, p := range []struct {
		n    int
		text string
	}{{n.Pushed, "sent"}, {n.Pulled, "received"}, {n.Applied, "written to your files"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", count(p.n, "item"), p.text))
		}
	}
	switch {
	case len(parts) > 0:
		c.say("%s (%s, %s up, %s down).", capital(strings.Join(parts, ", ")), seconds(r.Seconds), size(r.Bytes.Up), size(r.Bytes.Down))
	case whole && r.Error == nil && n.Conflicts == 0 && len(r.Waiting) == 0:
		c.say("%s Everything is up to date.", c.paint(green, "✓"))
	}
	for _, w := range r.Warnings {
		c.say("%s %s", c.paint(yellow, "warning:"), strings.TrimPrefix(plain(w.Item)+": "+plain(w.Message), ": "))
	}
	for _, w := range r.Waiting {
		if problem.Code(w.Code) == problem.Approval {
			c.say("%s %s waits: %s.\n  %s", c.paint(yellow, "!"), w.Item, w.Reason, w.Hint)
		}
	}
	if n.Conflicts > 0 {
		c.say("%s; all else is in sync:", c.paint(bold, needsChoice(n.Conflicts)))
		c.tellConflicts(r.Conflicts)
	}
}

// needsChoice is "1 setting needs your choice": of keys, whatever their type.
func needsChoice(n int) string {
	if n == 1 {
		return "1 key needs your choice"
	}
	return fmt.Sprintf("%d keys need your choice", n)
}

// watch syncs until it is stopped, which is no failure.
func (c *cli) watch(ctx context.Context, s vault.SyncOptions) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	quiet := false // an idle round was told; further ones need no line
	err = vault.Watch(ctx, o, s, func(r vault.SyncResult, err error) {
		c.progress.clear()
		if c.json {
			c.printLine(syncJSON(r))
		} else {
			n := r.Items
			asks := func(w vault.Waiting) bool { return problem.Code(w.Code) == problem.Approval }
			idle := err == nil && r.Error == nil && n.Pulled+n.Pushed+n.Applied+n.Conflicts == 0 && !slices.ContainsFunc(r.Waiting, func(w vault.Waiting) bool { return !asks(w) })
			if !idle || !quiet {
				c.tellSync(r, err == nil)
			}
			quiet = idle
		}
		if err := outcome(r, err); err != nil && !errors.Is(err, errFound) && ctx.Err() == nil {
			c.fail(err)
		}
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}
