package main

import (
	"context"
	"strings"
	"time"

	"github.com/skip2/go-qrcode"
	"github.com/spf13/cobra"

	"plait/backend/vault"
)

func (c *cli) pairCommand() *cobra.Command {
	ui := &pairing{c: c}
	cmd := &cobra.Command{
		Use:   "pair",
		Short: "Adds a device: shows a code for it, and approves it",
		Long: `Shows a code to be typed on the new device (plait join --store URL --code -), waits for
it, shows four check words that the new device must show too, and asks for approval.
A code works once, for 10 minutes.`,
		Args: takes(0, 0),
		RunE: c.do(func(ctx context.Context, _ []string) error {
			if !c.inTerm && !ui.yes {
				return usage("Approving a device needs a terminal, or --yes.")
			}
			return c.withVault(ctx, func(v *vault.Vault) error {
				p, err := v.Pair(ctx, ui)
				if err != nil {
					return err
				}
				if c.json {
					return c.printLine(p)
				}
				c.say("%s is a member of the vault now.", p.Name)
				if !p.Run {
					c.say("What it changes in tasks, MCP servers and terminal profiles waits here for `plait approve`.")
				}
				return nil
			})
		}),
	}
	cmd.Flags().BoolVar(&ui.yes, "yes", false, "approve whoever uses the code, without asking (for scripts)")
	cmd.Flags().BoolVar(&ui.run, "may-run", false, "with --yes: it may also change what runs here (tasks, MCP servers, terminal profiles)")
	return cmd
}

// pairing is the person's side of pairing, on a terminal or with --yes.
type pairing struct {
	c        *cli
	yes, run bool
}

// Show implements vault.PairUI. The code stands alone on its line, for scripts too.
func (p *pairing) Show(code string, expires time.Time) {
	p.c.progress.clear()
	if p.c.json {
		p.c.printLine(struct {
			Code    string    `json:"code"`
			Expires time.Time `json:"expires"`
		}{code, expires})
		return
	}
	p.c.note("On the new device, run `plait join --store URL --code -` and type:\n")
	p.c.say("%s", code)
	if p.c.outTerm {
		if q, err := qrcode.New(code, qrcode.Low); err == nil {
			p.c.say("\n%s", q.ToSmallString(false))
		}
	}
	p.c.note("\nWaiting for it until %s ...", expires.Local().Format("15:04"))
}

// Approve implements vault.PairUI.
func (p *pairing) Approve(name, platform string, words []string) (approve, run bool, err error) {
	p.c.progress.clear()
	if p.c.json {
		p.c.printLine(struct {
			Name     string   `json:"name"`
			Platform string   `json:"platform"`
			Words    []string `json:"words"`
		}{name, platform, words})
	} else {
		p.c.note("\n%s (%s) asks to join. Both devices must show these words:\n\n  %s\n", name, platform, strings.Join(words, "  "))
	}
	if p.yes {
		return true, p.run, nil
	}
	if approve, err = p.c.ask("Does it show the same four words?"); err != nil || !approve {
		return false, false, err
	}
	run, err = p.c.ask("May it also change what runs on this device (tasks, MCP servers, terminal profiles)?")
	return err == nil, run, err
}
