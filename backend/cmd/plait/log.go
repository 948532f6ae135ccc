package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"plait/backend/vault"
)

func (c *cli) logCommand() *cobra.Command {
	var q vault.LogQuery
	var verify bool
	var export string
	cmd := &cobra.Command{
		Use:   "log [--verify | --export FILE]",
		Short: "Shows the audit log: who, when, what; checks or exports it",
		Long: `Shows the audit log: every change by every device, and every change of devices and keys,
signed and chained; labels and counts, never values. --verify checks signatures and
chains, and ends with status 1 if something is wrong. --export writes CSV, or JSON
where FILE ends in .json; - is standard output.`,
		Args: takes(0, 0),
		RunE: c.do(func(ctx context.Context, _ []string) error {
			return c.withVault(ctx, func(v *vault.Vault) error {
				switch {
				case verify:
					findings, err := v.VerifyLog(ctx)
					if err != nil {
						return err
					}
					return c.tellFindings(findings)
				case export != "":
					return c.exportLog(ctx, v, q, export)
				}
				rows, err := v.Log(ctx, q)
				if err != nil {
					return err
				}
				if c.json {
					return c.printJSON(orEmpty(rows))
				}
				t := table{head: []string{"WHEN", "DEVICE", "DID", "TO", ""}}
				for _, r := range rows {
					t.add(when(r.Time), r.Device, r.Action, fewer(r.Target), r.Detail)
				}
				c.print(t)
				if len(rows) == 0 {
					c.say("Nothing in the log fits.")
				}
				return nil
			})
		}),
	}
	flags := cmd.Flags()
	flags.BoolVar(&verify, "verify", false, "check signatures and chains")
	flags.StringVar(&export, "export", "", "write the log to `FILE`")
	flags.StringVar(&q.Item, "item", "", "only of this `ITEM`")
	flags.StringVar(&q.Device, "device", "", "only by this `DEVICE`")
	flags.StringVar(&q.Action, "action", "", "only this `ACTION`: edit, resolve, restore, admit, revoke, ...")
	flags.StringVar(&q.Since, "since", "", "only from this `TIME` on (2026-11-01, 2h)")
	flags.StringVar(&q.Until, "until", "", "only up to this `TIME`")
	flags.IntVar(&q.Limit, "limit", 0, "at most `N` lines, newest first; 0: all")
	cmd.MarkFlagsMutuallyExclusive("verify", "export")
	cmd.RegisterFlagCompletionFunc("item", c.complete(0, itemNames))
	cmd.RegisterFlagCompletionFunc("device", c.complete(0, deviceNames))
	return cmd
}

// fewer keeps a list of items to a column's width; --json and --export name more.
func fewer(target string) string {
	const most = 2
	names := strings.Split(target, ", ")
	if len(names) <= most {
		return target
	}
	return strings.Join(names[:most], ", ") + ", …"
}

// exportLog writes the log to a file, whole or not at all, or to standard output.
func (c *cli) exportLog(ctx context.Context, v *vault.Vault, q vault.LogQuery, file string) error {
	format := "csv"
	if strings.EqualFold(filepath.Ext(file), ".json") || file == "-" && c.json {
		format = "json"
	}
	if file == "-" {
		return v.ExportLog(ctx, q, format, c.out)
	}
	var text bytes.Buffer
	if err := v.ExportLog(ctx, q, format, &text); err != nil {
		return err
	}
	if err := replaceFile(file, text.Bytes(), 0o600); err != nil {
		return c.fileProblem(file, err)
	}
	if c.json {
		return c.printJSON(map[string]string{"file": file, "format": format})
	}
	c.say("The log is in %s.", file)
	return nil
}

func (c *cli) doctorCommand() *cobra.Command {
	var store bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Checks this device, and with --store every object there",
		Long: `Checks this device: keys, database, clock, editors, files, store. With --store it reads
every object in the store. It changes nothing. Ends with status 1 if it finds something.`,
		Args: takes(0, 0),
		RunE: c.do(func(ctx context.Context, _ []string) error {
			return c.withVault(ctx, func(v *vault.Vault) error {
				findings, err := v.Doctor(ctx, store)
				if err != nil {
					return err
				}
				return c.tellFindings(findings)
			})
		}),
	}
	cmd.Flags().BoolVar(&store, "store", false, "read every object in the store")
	return cmd
}

// tellFindings prints what was checked, and ends with status 1 if something is wrong.
func (c *cli) tellFindings(findings []vault.Finding) error {
	wrong := false
	t := table{}
	for _, f := range findings {
		mark := cell{"✓", green}
		if !f.OK {
			mark, wrong = cell{"✗", red}, true
		}
		t.add(mark, f.Check, f.Message)
		for _, more := range []string{f.Object, f.Hint} {
			if !f.OK && more != "" && !strings.Contains(f.Message, more) {
				t.add("", "", more)
			}
		}
	}
	if c.json {
		if err := c.printJSON(orEmpty(findings)); err != nil {
			return err
		}
	} else {
		c.progress.clear()
		c.print(t)
	}
	if wrong {
		return errFound
	}
	return nil
}
