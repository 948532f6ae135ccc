package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"plait/backend/problem"
	"plait/backend/vault"
)

func (c *cli) recoveryCommand() *cobra.Command {
	var newFile, test string
	cmd := &cobra.Command{
		Use:   "recovery [--new FILE] [--passphrase-file FILE] [--test FILE]",
		Short: "Shows, tests or changes the recovery words and their passphrase",
		Long: `Shows since when the recovery words hold, and whether a passphrase can stand for them.

--test FILE checks words (- reads them from standard input) against the vault.
--new FILE makes new words and writes them to a new file: the old ones open nothing
any more. With --passphrase-file, that passphrase can stand for the new words, in
join --recovery-passphrase-file.

--passphrase-file alone sets the passphrase and shows the new words that this makes,
unless this device's keys are kept by a passphrase: then it opens those, as in any
other command. With both, give the keys' own in PLAIT_PASSPHRASE_FILE.`,
		Args: takes(0, 0),
		RunE: c.do(func(ctx context.Context, _ []string) error {
			return c.recovery(ctx, newFile, test)
		}),
	}
	cmd.Flags().StringVar(&newFile, "new", "", "make new words, and write them to a new `FILE`")
	cmd.Flags().StringVar(&test, "test", "", "check the words in `FILE`")
	cmd.MarkFlagsMutuallyExclusive("new", "test")
	return cmd
}

func (c *cli) recovery(ctx context.Context, newWords, test string) error {
	var s vault.RecoverySpec
	if test != "" {
		if c.inTerm && test == "-" {
			c.note("The 24 words:")
		}
		words, err := c.secretFile(test)
		if err != nil {
			return err
		}
		s.Test = strings.Join(strings.Fields(string(words)), " ")
	}
	return c.withVault(ctx, func(v *vault.Vault) error {
		if c.passphraseFile != "" && test == "" {
			status, err := v.Status(ctx)
			if err != nil {
				return err
			}
			if newWords != "" || status.Keys != vault.KeysPassphrase {
				if s.Passphrase, err = c.secretFile(c.passphraseFile); err != nil {
					return err
				}
			}
		}
		s.New = newWords != "" || s.Passphrase != nil
		file, err := c.newSecretFile(newWords)
		if err != nil {
			return err
		}
		r, err := v.Recovery(ctx, s)
		if err != nil {
			file.abandon()
			return err
		}
		if err := file.write(strings.Join(r.Words, " ")); err != nil {
			c.note("%s could not be written; the words are shown here instead.", newWords)
		} else if file != nil {
			r.Words = nil
		}
		return c.tellRecovery(r, newWords)
	})
}

func (c *cli) tellRecovery(r vault.Recovery, file string) error {
	wrong := r.Matches != nil && !*r.Matches
	switch {
	case c.json:
		if err := c.printJSON(r); err != nil {
			return err
		}
	case r.Matches != nil && *r.Matches:
		c.say("%s These words open the vault.", c.paint(green, "✓"))
	case wrong:
	default:
		c.say("The recovery words hold since %s.", when(r.Since))
		if r.Passphrase {
			c.say("A passphrase can stand for them.")
		}
		if !r.Tested.IsZero() {
			c.say("They were last tested on %s.", when(r.Tested))
		}
		if len(r.Words) > 0 {
			c.tellWords(r.Words)
		} else if file != "" {
			c.say("The new words are in %s; the old ones open nothing any more.", file)
		}
	}
	if wrong {
		return problem.New(problem.WrongKey, "These words do not open the vault. Nothing was changed.")
	}
	return nil
}

func (c *cli) devicesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "devices",
		Short: "Lists the vault's devices; renames or revokes one",
		Args:  takes(0, 0),
		RunE: c.do(func(ctx context.Context, _ []string) error {
			return c.withVault(ctx, func(v *vault.Vault) error {
				rows, err := v.Devices(ctx)
				if err != nil {
					return err
				}
				if c.json {
					return c.printJSON(orEmpty(rows))
				}
				t := table{head: []string{"NAME", "SYSTEM", "LAST SEEN", "FINGERPRINT", "STATE"}}
				for _, d := range rows {
					seen := when(d.LastSeen)
					if d.This {
						seen = "now"
					}
					t.add(d.Name, d.Platform, seen, d.Fingerprint, deviceState(d))
				}
				c.print(t)
				return nil
			})
		}),
	}
	cmd.AddCommand(c.renameCommand(), c.revokeCommand())
	return cmd
}

func deviceState(d vault.DeviceRow) cell {
	switch {
	case d.Revoked:
		return cell{"revoked", red}
	case d.ClockAhead != "":
		return cell{"clock " + d.ClockAhead + " ahead", yellow}
	case d.This:
		return cell{"this device", green}
	case !d.Run:
		return cell{"may not change what runs here", dim}
	}
	return cell{}
}

func (c *cli) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "rename [DEVICE] NAME",
		Short:             "Names a device (this one, unless another is given)",
		Args:              takes(1, 2),
		ValidArgsFunction: c.complete(1, deviceNames),
		RunE: c.do(func(ctx context.Context, args []string) error {
			return c.withVault(ctx, func(v *vault.Vault) error {
				device, name := "", args[len(args)-1]
				if len(args) == 2 {
					device = args[0]
				} else {
					status, err := v.Status(ctx)
					if err != nil {
						return err
					}
					device = status.Device
				}
				if err := v.RenameDevice(ctx, device, name); err != nil {
					return err
				}
				if c.json {
					return c.printJSON(map[string]string{"name": name})
				}
				c.say("It is called %s now. The next `plait sync` tells the other devices.", name)
				return nil
			})
		}),
	}
}

func (c *cli) revokeCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke DEVICE",
		Short: "Takes a device out of the vault, and changes the keys",
		Long: `Takes a device out of the vault for good: it can read nothing that is written from now
on. It keeps what it has seen, and until the store's passwords are changed it can
still delete there.`,
		Args:              takes(1, 1),
		ValidArgsFunction: c.complete(1, deviceNames),
		RunE: c.do(func(ctx context.Context, args []string) error {
			if c.inTerm && !yes {
				if ok, err := c.ask("Take " + args[0] + " out of the vault for good?"); err != nil || !ok {
					return problem.New(problem.Cancelled, "Nothing was changed.")
				}
			}
			return c.withVault(ctx, func(v *vault.Vault) error {
				r, err := v.RevokeDevice(ctx, args[0])
				if err != nil {
					return err
				}
				if c.json {
					r.Notes = orEmpty(r.Notes)
					return c.printJSON(r)
				}
				c.say("%s is revoked, and the keys are new.", r.Name)
				for _, n := range r.Notes {
					c.say("  %s", n)
				}
				return nil
			})
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
