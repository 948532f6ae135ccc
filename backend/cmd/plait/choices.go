package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"plait/backend/vault"
)

var strategies = []string{"merge", "latest", "local", "remote", "manual"}

func (c *cli) strategyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "strategy [TYPE|ITEM] [merge|latest|local|remote|manual]",
		Short: "Shows or sets what happens where devices disagree",
		Long: `Shows the strategies in force, or sets one for a data type or an item, on all devices:

  merge   what can be merged is; the rest asks (the default)
  latest  the newest change wins
  local   the side of the device that changed it wins, once
  remote  the other side wins, once
  manual  asks, even where a merge is clean

What loses stays in the history.`,
		Args: takes(0, 2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return strategies, cobra.ShellCompDirectiveNoFileComp
			}
			names, d := c.complete(1, itemNames)(cmd, args, start)
			if len(args) == 0 {
				names = append(names, typeNames()...)
			}
			return names, d
		},
		RunE: c.do(func(ctx context.Context, args []string) error {
			what, strategy := argument(args, 0), argument(args, 1)
			if strategy != "" && !slices.Contains(strategies, strategy) {
				return usage("%q is not a strategy: %s.", strategy, strings.Join(strategies, ", "))
			}
			return c.withVault(ctx, func(v *vault.Vault) error {
				rows, err := v.Strategies(ctx, what, strategy)
				if err != nil {
					return err
				}
				if c.json {
					return c.printJSON(orEmpty(rows))
				}
				t := table{head: []string{"FOR", "STRATEGY", ""}}
				for _, r := range rows {
					name, origin := r.For, cell{"default", dim}
					if name == "" {
						name = "everything else"
					}
					if r.Set {
						origin = cell{"set", ""}
					}
					t.add(name, r.Strategy, origin)
				}
				c.print(t)
				return nil
			})
		}),
	}
}

func (c *cli) overlayCommand() *cobra.Command {
	var path []string
	var device, system, shared bool
	cmd := &cobra.Command{
		Use:   "overlay ITEM --path SEGMENT... (--device | --os | --shared)",
		Short: "Keeps a key different on this device or system, or shared again",
		Long: `Moves a key to the layer where it belongs: only on this device, on all devices of
this operating system, or shared by all.`,
		Example:           "  plait overlay default/settings --path terminal.integrated.fontSize --device",
		Args:              takes(1, 1),
		ValidArgsFunction: c.complete(1, itemNames),
		RunE: c.do(func(ctx context.Context, args []string) error {
			layer := "shared"
			switch {
			case device:
				layer = "device"
			case system:
				layer = "os"
			}
			return c.withVault(ctx, func(v *vault.Vault) error {
				if err := v.Overlay(ctx, args[0], path, layer); err != nil {
					return err
				}
				if c.json {
					return c.printJSON(map[string]any{"item": args[0], "path": path, "layer": layer})
				}
				where := map[string]string{"device": "kept on this device", "os": "kept on devices of this system", "shared": "shared by all devices"}[layer]
				c.say("%s of %s is %s now.", strings.Join(path, " › "), args[0], where)
				return nil
			})
		}),
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&path, "path", nil, "a `SEGMENT` of the key's path; one flag each, dots are not split")
	flags.BoolVar(&device, "device", false, "only on this device")
	flags.BoolVar(&system, "os", false, "on all devices of this operating system")
	flags.BoolVar(&shared, "shared", false, "on all devices")
	cmd.MarkFlagRequired("path")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return oneOf(cmd, "device", "os", "shared") }
	return cmd
}

func (c *cli) approveCommand() *cobra.Command {
	var dryRun bool
	var as string
	cmd := &cobra.Command{
		Use:   "approve ITEM",
		Short: "Lets another device's change to what runs here take effect",
		Long: `Tasks, MCP servers and terminal profiles make programs run. What a device that may
not change them wrote there waits, without effect, until it is approved here.

On a terminal the changes are shown, and asked about. A script approves what waits
at that moment, and is told what that was; or it looks first: --dry-run prints a value
that stands for the changes shown, and --as with that value approves those and nothing
that arrived since.`,
		Example: `  plait approve default/tasks
  plait approve default/tasks --dry-run
  plait approve default/tasks --as 0f1e2d3c4b5a69788796`,
		Args:              takes(1, 1),
		ValidArgsFunction: c.complete(1, itemNames),
		RunE: c.do(func(ctx context.Context, args []string) error {
			return c.withVault(ctx, func(v *vault.Vault) error {
				a, err := v.Approve(ctx, args[0], as)
				if err != nil {
					return err
				}
				if as == "" && !dryRun && a.As != "" {
					if c.inTerm && !c.json {
						c.say("%s", c.paint(bold, line(a.Item)))
						c.tellChanges(a.Changes)
						yes, err := c.ask("Let this take effect here?")
						if err != nil {
							return err
						}
						if !yes {
							c.say("Nothing was changed.")
							return nil
						}
					}
					if a, err = v.Approve(ctx, args[0], a.As); err != nil {
						return err
					}
				}
				if c.json {
					a.Changes = changesJSON(a.Changes)
					return c.printJSON(a)
				}
				if a.As == "" {
					c.say("Nothing of %s waits for approval.", a.Item)
					return nil
				}
				c.say("%s", c.paint(bold, line(a.Item)))
				c.tellChanges(a.Changes)
				switch {
				case !a.Done:
					c.say("\nNothing was changed. To let it take effect here: plait approve %s --as %s", shellQuote(a.Item), a.As)
				case a.Applied:
					c.say("\n%s approved, and written to your files.", capital(count(len(a.Changes), "change")))
				default:
					c.say("\n%s approved. The next `plait sync` writes to your files.", capital(count(len(a.Changes), "change")))
				}
				return nil
			})
		}),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would take effect")
	cmd.Flags().StringVar(&as, "as", "", "approve the changes that --dry-run showed with this `VALUE`, and no others")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "as")
	return cmd
}
