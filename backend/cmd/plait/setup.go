package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plait/backend/problem"
	"plait/backend/store"
	"plait/backend/vault"
)

// keysFlag adds --keys.
func keysFlag(cmd *cobra.Command, mode *string) {
	cmd.Flags().StringVar(mode, "keys", "", "`WHERE` this device's keys are kept: keychain, passphrase or file (unsealed, mode 0600)")
	cmd.RegisterFlagCompletionFunc("keys", cobra.FixedCompletions(
		[]string{string(vault.KeysKeychain), string(vault.KeysPassphrase), string(vault.KeysFile)}, cobra.ShellCompDirectiveNoFileComp))
}

func keysMode(s string) (vault.KeysMode, error) {
	switch m := vault.KeysMode(s); m {
	case "", vault.KeysKeychain, vault.KeysPassphrase, vault.KeysFile:
		return m, nil
	}
	return "", usage("--keys is one of keychain, passphrase, file.")
}

func (c *cli) initCommand() *cobra.Command {
	var storeURL, name, recovery, keys string
	cmd := &cobra.Command{
		Use:   "init --store URL",
		Short: "Makes a new vault, with this device as its first",
		Long: `Makes a new vault in the store, with this device as its first, and shows the 24
recovery words: with them, the vault can be opened when all devices are lost. They
are shown once.`,
		Example: "  plait init --store folder:~/Dropbox/plait",
		Args:    takes(0, 0),
		RunE: c.do(func(ctx context.Context, _ []string) error {
			mode, err := keysMode(keys)
			if err != nil {
				return err
			}
			return c.init(ctx, vault.CreateSpec{Store: storeURL, DeviceName: name, Keys: mode}, recovery)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&storeURL, "store", "", "`URL` of the store: folder:PATH, or just the path")
	flags.StringVar(&name, "device-name", "", "`NAME` of this device (else the computer's)")
	flags.StringVar(&recovery, "recovery-file", "", "write the recovery words to a new `FILE` instead of showing them")
	keysFlag(cmd, &keys)
	cmd.MarkFlagRequired("store")
	return cmd
}

// place makes a store's URL one that holds in any folder: a path in it becomes absolute.
func place(url string) (string, error) {
	kind, path, err := store.ParseURL(url)
	if err != nil {
		return "", problem.Wrap(problem.BadLocation, err)
	}
	return kind + ":" + path, nil
}

func (c *cli) init(ctx context.Context, s vault.CreateSpec, recovery string) (err error) {
	if s.Store, err = place(s.Store); err != nil {
		return err
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	o.Passphrase = c.passphrase("A passphrase for this device's keys: ", true)
	// The file comes first: a vault whose words can't be kept is not to be made.
	words, err := c.newSecretFile(recovery)
	if err != nil {
		return err
	}
	v, made, err := vault.Create(ctx, o, s)
	if err != nil {
		words.abandon()
		return err
	}
	defer v.Close()
	c.progress.clear()
	if err := words.write(strings.Join(made.RecoveryWords, " ")); err != nil {
		c.note("%s could not be written; the words are shown here instead.", recovery)
	} else if words != nil {
		made.RecoveryWords = nil
	}
	if c.json {
		return c.printJSON(made)
	}
	c.say("This device, %s, is the first of a new vault in %s.", made.DeviceName, made.Store)
	c.tellKeys(made.Keys)
	if words != nil && made.RecoveryWords == nil {
		c.say("The recovery words are in %s. Keep that file where this device's thief won't find it.", recovery)
	} else {
		c.tellWords(made.RecoveryWords)
	}
	c.say("\nNext: `plait editors` shows what can be attached, `plait pair` adds a device.")
	return nil
}

// tellWords shows recovery words, numbered, in rows of six.
func (c *cli) tellWords(words []string) {
	c.say("\nThe recovery words. Write them down, keep them apart from this device; they are shown once:\n")
	for i := 0; i < len(words); i += 6 {
		var row strings.Builder
		for n, w := range words[i:min(i+6, len(words))] {
			fmt.Fprintf(&row, "  %2d %-9s", i+n+1, w)
		}
		c.say("%s", strings.TrimRight(row.String(), " "))
	}
}

// tellKeys says how this device's keys are kept, plainly where that is in clear.
func (c *cli) tellKeys(m vault.KeysMode) {
	switch m {
	case vault.KeysKeychain:
		c.say("Its keys are kept by the system's keychain.")
	case vault.KeysPassphrase:
		c.say("Its keys are sealed by your passphrase, which every command will ask for.")
	case vault.KeysFile:
		c.say("%s Its keys lie unsealed in a file that only you can read: whoever can read your files can open the vault.",
			c.paint(yellow, "Note:"))
	}
}

// A newFile is a file that was made before what goes into it is known. A nil one is none.
type newFile struct{ f *os.File }

// newSecretFile makes a file that only its owner can read, and that was not there before.
func (c *cli) newSecretFile(path string) (*newFile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, &problem.Error{Code: problem.NotEmpty, Message: path + " is there already. Nothing was changed.", Hint: "Name a new file.", Err: err}
	}
	if err != nil {
		return nil, c.fileProblem(path, err)
	}
	return &newFile{f}, nil
}

func (n *newFile) write(text string) error {
	if n == nil {
		return nil
	}
	_, err := n.f.WriteString(text + "\n")
	return errors.Join(err, n.f.Sync(), n.f.Close())
}

func (n *newFile) abandon() {
	if n != nil {
		n.f.Close()
		os.Remove(n.f.Name())
	}
}

func (c *cli) joinCommand() *cobra.Command {
	var s vault.JoinSpec
	var words, passphrase, keys string
	cmd := &cobra.Command{
		Use:   "join --store URL (--code CODE | --recovery-file FILE | --recovery-passphrase-file FILE)",
		Short: "Makes this device a member of a vault",
		Long: `Makes this device a member of the vault in the store: with the code that ` + "`plait pair`" + `
shows on a device that is a member, or with the recovery words or their passphrase.`,
		Example: "  plait join --store folder:~/Dropbox/plait --code -",
		Args:    takes(0, 0),
		RunE: c.do(func(ctx context.Context, _ []string) (err error) {
			if s.Keys, err = keysMode(keys); err != nil {
				return err
			}
			if words != "" {
				text, err := c.secretFile(words)
				if err != nil {
					return err
				}
				s.RecoveryWords = strings.Join(strings.Fields(string(text)), " ")
			}
			if passphrase != "" {
				if s.RecoveryPassphrase, err = c.secretFile(passphrase); err != nil {
					return err
				}
			}
			return c.join(ctx, s)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&s.Store, "store", "", "`URL` of the store: folder:PATH, or just the path")
	flags.StringVar(&s.Code, "code", "", "the `CODE` that `plait pair` shows; - reads it from standard input")
	flags.StringVar(&words, "recovery-file", "", "`FILE` with the 24 recovery words; - reads standard input")
	flags.StringVar(&passphrase, "recovery-passphrase-file", "", "`FILE` with the passphrase that stands for the recovery words")
	flags.StringVar(&s.DeviceName, "device-name", "", "`NAME` of this device (else the computer's)")
	keysFlag(cmd, &keys)
	cmd.MarkFlagRequired("store")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		return oneOf(cmd, "code", "recovery-file", "recovery-passphrase-file")
	}
	return cmd
}

func (c *cli) join(ctx context.Context, s vault.JoinSpec) (err error) {
	if s.Store, err = place(s.Store); err != nil {
		return err
	}
	if s.Code == "-" {
		if c.inTerm {
			fmt.Fprint(c.err, "The code that the other device shows: ")
		}
		code, err := c.readLine()
		if err != nil {
			return err
		}
		s.Code = string(code)
	}
	s.Code = strings.Join(strings.Fields(strings.ToLower(s.Code)), " ")
	s.CheckWords = func(words []string) {
		c.note("The other device must show the same four words, and then approve:\n\n  %s\n", strings.Join(words, "  "))
	}
	s.Newest = c.confirmNewest
	o, err := c.options()
	if err != nil {
		return err
	}
	o.Passphrase = c.passphrase("A passphrase for this device's keys: ", true)
	v, joined, err := vault.Join(ctx, o, s)
	if err != nil {
		return err
	}
	defer v.Close()
	c.progress.clear()
	if c.json {
		return c.printJSON(joined)
	}
	with := ""
	if len(joined.Devices) > 0 {
		with = ", with " + strings.Join(joined.Devices, ", ")
	}
	c.say("This device, %s, is a member of the vault now%s.", joined.DeviceName, with)
	c.tellKeys(joined.Keys)
	c.say("\nNext: `plait editors` shows what can be attached, `plait sync` syncs.")
	return nil
}

// confirmNewest asks whether a store is as fresh as the person knows it, which the
// recovery words alone can't prove. A script is told, and goes on.
func (c *cli) confirmNewest(t time.Time, device string) bool {
	c.note("The newest that the store holds was written on %s by %s.", when(t), device)
	if !c.inTerm {
		return true
	}
	ok, err := c.ask("Does that fit what you remember?")
	return ok && err == nil
}
