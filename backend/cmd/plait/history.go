package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"plait/backend/vault"
)

func (c *cli) historyCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:               "history [ITEM]",
		Short:             "Lists versions: who changed what, and when",
		Args:              takes(0, 1),
		ValidArgsFunction: c.complete(1, itemNames),
		RunE: c.do(func(ctx context.Context, args []string) error {
			return c.withVault(ctx, func(v *vault.Vault) error {
				list, err := v.History(ctx, argument(args, 0), limit)
				if err != nil {
					return err
				}
				if c.json {
					for i := range list {
						list[i].Changes = changesJSON(list[i].Changes)
					}
					return c.printJSON(orEmpty(list))
				}
				t := table{head: []string{"VERSION", "WHEN", "DEVICE", "DID", "ITEM", "WHAT"}}
				for _, h := range list {
					t.add(cell{short(h.Version), bold}, when(h.Time), h.Device, h.Action, h.Item, whatChanged(h))
				}
				c.print(t)
				if len(list) == 0 {
					c.say("No versions yet.")
				}
				return nil
			})
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "at most `N` versions, newest first; 0: all")
	return cmd
}

// short is a version's first digits, enough to name it.
func short(version string) string { return version[:min(10, len(version))] }

// whatChanged sums a version up: its note, or the first labels.
func whatChanged(h vault.Version) string {
	if h.Note != "" {
		return h.Note
	}
	labels := make([]string, 0, 3)
	for _, ch := range h.Changes[:min(3, len(h.Changes))] {
		if ch.Label != "" {
			labels = append(labels, ch.Label)
		}
	}
	text := strings.Join(labels, ", ")
	if more := len(h.Changes) - len(labels); more > 0 && text != "" {
		text += " and " + itoa(more) + " more"
	}
	return text
}

// changesJSON is the list without nulls where lists belong.
func changesJSON(list []vault.Change) []vault.Change {
	list = orEmpty(list)
	for i := range list {
		list[i].Path = orEmpty(list[i].Path)
	}
	return list
}

func (c *cli) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff ITEM [A] [B]",
		Short: "Compares two versions of an item",
		Long: `Compares version A of an item with version B; without B, with what is current; without
both, what is current with the version before. A version is 8 or more hex digits from
` + "`plait history`" + `.`,
		Args:              takes(1, 3),
		ValidArgsFunction: c.complete(1, itemNames),
		RunE: c.do(func(ctx context.Context, args []string) error {
			return c.withVault(ctx, func(v *vault.Vault) error {
				d, err := v.Diff(ctx, args[0], argument(args, 1), argument(args, 2))
				if err != nil {
					return err
				}
				if c.json {
					d.Changes = changesJSON(d.Changes)
					return c.printJSON(d)
				}
				if d.Unified == "" && len(d.Changes) == 0 {
					c.say("No difference.")
				}
				c.tellUnified(d.Unified)
				if d.Unified == "" {
					c.tellChanges(d.Changes)
				}
				return nil
			})
		}),
	}
}

// tellUnified prints a unified diff, painted on a terminal.
func (c *cli) tellUnified(diff string) {
	for l := range strings.Lines(diff) {
		st := style("")
		switch {
		case strings.HasPrefix(l, "+++"), strings.HasPrefix(l, "---"):
			st = bold
		case strings.HasPrefix(l, "@@"):
			st = dim
		case strings.HasPrefix(l, "+"):
			st = green
		case strings.HasPrefix(l, "-"):
			st = red
		}
		c.say("%s", c.paint(st, strings.TrimRight(l, "\r\n")))
	}
}

// tellChanges prints each changed key with its values.
func (c *cli) tellChanges(list []vault.Change) {
	t := table{}
	for _, ch := range list {
		sign, text := cell{"  ~", yellow}, sideText(ch.Before).text+" → "+sideText(ch.After).text
		switch {
		case ch.Before == nil:
			sign, text = cell{"  +", green}, sideText(ch.After).text
		case ch.After == nil:
			sign, text = cell{"  -", red}, sideText(ch.Before).text
		}
		label := ch.Label
		if label == "" {
			label = "(the whole text)"
		}
		t.add(sign, label, text)
	}
	c.print(t)
}

func (c *cli) restoreCommand() *cobra.Command {
	var s vault.RestoreSpec
	cmd := &cobra.Command{
		Use:   "restore (ITEM|TYPE|COLLECTION|all) --to (VERSION|TIME)",
		Short: "Takes back an earlier version, as a new one",
		Long: `Writes the content of an earlier version (8 or more hex digits from ` + "`plait history`" + `) or
of a time (2026-11-01, 2026-11-01T09:00:00Z, or 2h for two hours ago) as a new version,
on all devices with the next sync. What is replaced stays in the history.`,
		Example: `  plait restore default/settings --to 2h --dry-run
  plait restore all --to 2026-11-01`,
		Args:              takes(1, 1),
		ValidArgsFunction: c.complete(1, itemNames),
		RunE: c.do(func(ctx context.Context, args []string) error {
			s.What = args[0]
			return c.withVault(ctx, func(v *vault.Vault) error {
				r, err := v.Restore(ctx, s)
				if err != nil {
					return err
				}
				if c.json {
					r.Items = orEmpty(r.Items)
					for i := range r.Items {
						r.Items[i].Changes = changesJSON(r.Items[i].Changes)
					}
					return c.printJSON(r)
				}
				verb := "Restored to"
				if !r.Done {
					verb = "Would restore to"
				}
				if len(r.Items) == 0 {
					c.say("Nothing differs from what was on %s.", when(r.To))
					return nil
				}
				c.say("%s what was on %s:", verb, when(r.To))
				for _, it := range r.Items {
					c.say("\n%s", c.paint(bold, line(it.Item)))
					c.tellChanges(it.Changes)
				}
				if r.Done {
					c.say("\nThe next `plait sync` sends it to your other devices.")
				}
				return nil
			})
		}),
	}
	cmd.Flags().StringVar(&s.To, "to", "", "`VERSION` or TIME to go back to")
	cmd.Flags().BoolVar(&s.DryRun, "dry-run", false, "only show what would change")
	cmd.MarkFlagRequired("to")
	return cmd
}

func (c *cli) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR",
		Short: "Writes everything in the vault as plain files into a new folder",
		Args:  takes(1, 1),
		RunE: c.do(func(ctx context.Context, args []string) error {
			return c.withVault(ctx, func(v *vault.Vault) error {
				n, err := v.Export(ctx, args[0])
				if err != nil {
					return err
				}
				if c.json {
					return c.printJSON(map[string]any{"dir": args[0], "files": n})
				}
				c.say("%s written to %s, unencrypted.", count(n, "file"), args[0])
				return nil
			})
		}),
	}
}
