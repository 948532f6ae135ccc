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
	c.say("  %s · %s · last sync %s", s.DeviceName, s.Store, last)
	here := map[string]bool{}
	for _, e := range s.Editors {
		here[e.Collection] = true
	}
	t := table{head: []string{"COLLECTION", "TYPE", "ITEMS", "STATE", "STRATEGY"}}
	for _, r := range s.Types {
		t.add(r.Collection, r.Type, r.Items, typeState(r, here[r.Collection]), r.Strategy)
	}
	if len(s.Types) > 0 {
		c.say("")
	}
	c.print(t)
	if len(s.Approvals) > 0 {
		c.say("")
	}
	for _, a := range s.Approvals {
		c.say("%s waits for `plait approve %s`.", a, shellQuote(a))
	}
	for i, p := range s.Problems {
		if i == 0 {
			c.say("")
		}
		c.say("%s %s.", c.paint(red, "✗"), strings.TrimRight(p.Message, "."))
		if p.Hint != "" {
			c.say("  %s", p.Hint)
		}
	}
}

// typeState is a row's most urgent word.
func typeState(r vault.TypeStatus, here bool) cell {
	switch {
	case r.Conflicts > 0:
		return cell{"! " + needsChoice(r.Conflicts), yellow}
	case !here:
		return cell{"not attached here", dim}
	case r.Approval > 0:
		return cell{"! waits for approval", yellow}
	case r.Waiting > 0:
		return cell{"… " + count(r.Waiting, "item") + " could not be synced", yellow}
	}
	return cell{"✓ up to date", green}
}
