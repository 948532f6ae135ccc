package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"plait/backend/vault"
)

func (c *cli) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Shows what is in sync, what waits, and for what",
		Long:  `Shows what is known on this device, without asking the store.`,
		Args:  takes(0, 0),
		RunE: c.do(func(ctx context.Context, _ []string) error {
			return c.withVault(ctx, func(v *vault.Vault) error {
				s, err := v.Status(ctx)
				if err != nil {
					return err
				}
				if c.json {
					s.Types, s.Editors = orEmpty(s.Types), orEmpty(s.Editors)
					return c.printJSON(s)
				}
				c.tellStatus(s)
				return nil
			})
		}),
	}
}

// marks are the states' signs: never colour alone.
var marks = map[string]cell{
	"up-to-date": {"✓", green},
	"waiting":    {"…", yellow},
	"needs-you":  {"!", yellow},
	"problem":    {"✗", red},
}

func (c *cli) tellStatus(s vault.Status) {
	m := marks[s.State]
	c.say("%s %s", c.paint(m.style, m.text), s.Sentence)
	last := when(s.LastSync)
	if last == "" {
		last = "never"
	}
	c.say("  %s · %s · last sync %s\n", s.DeviceName, s.Store, last)
	t := table{head: []string{"COLLECTION", "TYPE", "ITEMS", "STATE", "STRATEGY", "CHANGED"}}
	for _, r := range s.Types {
		t.add(r.Collection, r.Type, r.Items, typeState(r), r.Strategy, when(r.Changed))
	}
	c.print(t)
	if len(s.Types) == 0 {
		c.say("Nothing is attached yet: `plait editors` shows what can be.")
	}
	for _, a := range s.Approvals {
		c.say("%s waits for `plait approve %s`.", a, a)
	}
	for _, p := range s.Problems {
		c.say("%s %s %s", c.paint(red, "✗"), strings.TrimSpace(plain(p.Item)+" "+plain(p.Message)), p.Hint)
	}
}

// typeState is a row's most urgent word.
func typeState(r vault.TypeStatus) cell {
	switch {
	case r.Conflicts > 0:
		return cell{"! " + needsChoice(r.Conflicts), yellow}
	case r.Approval > 0:
		return cell{"! waits for approval", yellow}
	case r.Waiting > 0:
		return cell{"… " + count(r.Waiting, "item") + " could not be written", yellow}
	case r.Unsent > 0:
		return cell{"↑ " + count(r.Unsent, "change") + " to send", ""}
	}
	return cell{"✓ up to date", green}
}
