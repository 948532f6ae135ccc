package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"plait/backend/problem"
	"plait/backend/vault"
)

func (c *cli) editorsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "editors",
		Short: "Lists the editors found here, attached or not",
		Args:  takes(0, 0),
		RunE: c.do(func(ctx context.Context, _ []string) error {
			found, err := c.editors(ctx)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(orEmpty(found))
			}
			t := table{head: []string{"NAME", "COMMAND", "PROFILE", "ATTACHED TO", "FOLDER"}}
			for _, e := range found {
				t.add(e.Name, e.Command, e.Profile, attachedText(e), e.Path)
			}
			c.print(t)
			if len(found) == 0 {
				c.say("No editor was found here. A folder anywhere is added with `plait attach --path DIR --name NAME`.")
			}
			return nil
		}),
	}
}

// editors lists what is here; there need be no vault yet.
func (c *cli) editors(ctx context.Context) (found []vault.EditorInfo, err error) {
	err = c.withVault(ctx, func(v *vault.Vault) error {
		found, err = v.Editors(ctx)
		return err
	})
	if !errors.Is(err, problem.NoVault) {
		return found, err
	}
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	return vault.FindEditors(ctx, o)
}

func attachedText(e vault.EditorInfo) cell {
	switch {
	case e.Missing:
		return cell{e.Collection + " (its folder is gone)", red}
	case e.Attached:
		return cell{e.Collection, green}
	}
	return cell{"no", dim}
}

func (c *cli) attachCommand() *cobra.Command {
	var s vault.AttachSpec
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "attach EDITOR [--profile P] | --path DIR --name N [--files]",
		Short: "Attaches an editor's profile or a folder, and shows what that does",
		Long: `Attaches an editor, by the name or the command that ` + "`plait editors`" + ` prints, to a
collection of the vault; or the User folder of an editor elsewhere (--path), or any
folder of files (--path with --files). It prints what will go up, come down, and
wait as a conflict; the next sync does it. Nothing that differs is overwritten.`,
		Example: `  plait attach "VS Code"
  plait attach code --profile Work --collection work --dry-run
  plait attach --path ~/notes --name notes --files`,
		Args:              takes(0, 1),
		ValidArgsFunction: c.complete(1, editorNames),
		RunE: c.do(func(ctx context.Context, args []string) error {
			if len(args) == 1 {
				s.Editor = args[0]
			}
			switch {
			case (s.Editor == "") == (s.Path == ""):
				return usage("attach takes an editor, or --path with --name.")
			case s.Path != "" && s.Name == "":
				return usage("--path needs --name, by which the folder is known from then on.")
			case s.Path == "" && (s.Name != "" || s.Files):
				return usage("--name and --files go with --path.")
			case s.Files && s.Profile != "":
				return usage("--profile goes with an editor.")
			}
			if s.Path != "" {
				abs, err := filepath.Abs(s.Path)
				if err != nil {
					return err
				}
				s.Path = abs
			}
			return c.withVault(ctx, func(v *vault.Vault) error {
				plan, err := v.Attach(ctx, s, dryRun)
				if err != nil {
					return err
				}
				return c.tellAttach(plan)
			})
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&s.Profile, "profile", "", "`PROFILE` of the editor (else its default one)")
	flags.StringVar(&s.Collection, "collection", "", "`COLLECTION` to join (else default, or the profile's name)")
	flags.StringVar(&s.Path, "path", "", "an editor's User folder, or with --files any `DIR`")
	flags.StringVar(&s.Name, "name", "", "`NAME` of what --path adds")
	flags.BoolVar(&s.Files, "files", false, "sync the folder's files as they are, whatever they are")
	flags.BoolVar(&dryRun, "dry-run", false, "only show what it would do")
	return cmd
}

func (c *cli) tellAttach(plan vault.AttachPlan) error {
	if c.json {
		plan.Types = orEmpty(plan.Types)
		return c.printJSON(plan)
	}
	name := plan.Editor
	if plan.Profile != "" && !strings.HasSuffix(name, " · "+plan.Profile) {
		name += " · " + plan.Profile
	}
	verb := "is attached to"
	if !plan.Done {
		verb = "would be attached to"
	}
	c.say("%s (%s) %s the collection %s.\n", name, plan.Path, verb, plan.Collection)
	t := table{head: []string{"TYPE", "HERE", "IN VAULT", "EQUAL", "GO UP", "COME DOWN", "DIFFER", "STAY HERE"}}
	differ := 0
	for _, r := range plan.Types {
		style := style("")
		if r.Differ > 0 {
			style = yellow
		}
		differ += r.Differ
		t.add(r.Type, r.Here, r.InVault, r.Equal, r.Add, r.Receive, cell{itoa(r.Differ), style}, r.Masked)
	}
	c.print(t)
	for _, n := range plan.Notes {
		c.say("%s", n)
	}
	if differ > 0 {
		c.say("\nWhat differs waits for your choice after the sync; until then each side keeps its own.")
	}
	if plan.Done {
		c.say("\nNext: `plait sync`.")
	}
	return nil
}

func (c *cli) detachCommand() *cobra.Command {
	var profile string
	cmd := &cobra.Command{
		Use:               "detach EDITOR|NAME",
		Short:             "Ends the syncing of an editor or a folder; its files stay",
		Args:              takes(1, 1),
		ValidArgsFunction: c.complete(1, attachedNames),
		RunE: c.do(func(ctx context.Context, args []string) error {
			return c.withVault(ctx, func(v *vault.Vault) error {
				if err := v.Detach(ctx, args[0], profile); err != nil {
					return err
				}
				if c.json {
					return c.printJSON(map[string]string{"detached": args[0]})
				}
				c.say("%s is detached. Its files stay as they are, and so does what the vault holds.", args[0])
				return nil
			})
		}),
	}
	cmd.Flags().StringVar(&profile, "profile", "", "`PROFILE` of the editor (else its default one)")
	return cmd
}
