package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/term"

	"plait/backend/disk"
	"plait/backend/editor"
	"plait/backend/problem"
	"plait/backend/store"
	"plait/backend/store/driver"
	"plait/backend/store/folderstore"
	"plait/backend/vault"
)

// Variables of the environment.
const (
	homeVariable       = "PLAIT_HOME"            // the folder of everything on this device
	passphraseVariable = "PLAIT_PASSPHRASE_FILE" // like --passphrase-file
	keychainVariable   = "PLAIT_KEYCHAIN"        // "off": the system's keychain is not asked
	logVariable        = "PLAIT_LOG"             // debug, info, warn, error: what is logged to standard error
)

// home is the folder that holds everything of Plait's on this device.
func home() (string, error) {
	if dir := os.Getenv(homeVariable); dir != "" {
		return filepath.Abs(dir)
	}
	user, err := os.UserHomeDir()
	switch {
	case runtime.GOOS == "windows" && os.Getenv("LOCALAPPDATA") != "":
		return filepath.Join(os.Getenv("LOCALAPPDATA"), "Plait"), nil
	case err != nil:
		return "", problem.New(problem.HomeDenied, "It can't be told where your home folder is. Nothing was changed.")
	case runtime.GOOS == "darwin":
		return filepath.Join(user, "Library", "Application Support", "Plait"), nil
	case runtime.GOOS == "windows":
		return filepath.Join(user, "AppData", "Local", "Plait"), nil
	}
	return filepath.Join(user, ".local", "share", "plait"), nil
}

// options is what every vault of this run is opened with.
func (c *cli) options() (vault.Options, error) {
	dir, err := home()
	if err != nil {
		return vault.Options{}, err
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return vault.Options{}, problem.New(problem.HomeDenied, "It can't be told where your home folder is. Nothing was changed.")
	}
	files := disk.OS()
	return vault.Options{
		Home:       dir,
		OpenBucket: openBucket,
		Env:        editor.Env{Home: user, Getenv: os.Getenv, FS: files},
		FS:         files,
		Log:        c.logger(),
		Clock:      time.Now,
		Rand:       rand.Reader,
		Keychain:   os.Getenv(keychainVariable) != "off",
		Passphrase: c.passphrase("Passphrase of this device's keys: ", false),
		Progress:   c.progress.report,
	}, nil
}

// withVault opens the vault of this device for fn.
func (c *cli) withVault(ctx context.Context, fn func(*vault.Vault) error) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	v, err := vault.Open(ctx, o)
	if err != nil {
		return err
	}
	err = fn(v)
	c.progress.clear()
	return errors.Join(err, v.Close())
}

// openBucket opens a store by its URL. Here the drivers are listed.
func openBucket(ctx context.Context, url string, create bool) (driver.Bucket, error) {
	kind, path, err := store.ParseURL(url)
	if err != nil {
		return nil, problem.Wrap(problem.BadLocation, err)
	}
	switch kind {
	case store.Folder:
		if create {
			return folderstore.Create(path)
		}
		return folderstore.Open(path)
	}
	return nil, problem.New(problem.BadLocation, "%q is not a kind of store that Plait knows.", kind)
}

// passphrase returns what asks for one: --passphrase-file, else the environment's
// file, else the terminal, where confirm asks twice; or nil if none can be had.
func (c *cli) passphrase(prompt string, confirm bool) func() ([]byte, error) {
	file := c.passphraseFile
	if file == "" {
		file = os.Getenv(passphraseVariable)
	}
	switch {
	case file != "":
		return func() ([]byte, error) { return c.secretFile(file) }
	case c.inTerm:
		return func() ([]byte, error) { return c.askSecret(prompt, confirm) }
	}
	return nil
}

// secretFile reads a passphrase or words from a file, or standard input for "-".
// One newline at its end is not part of it.
func (c *cli) secretFile(file string) ([]byte, error) {
	if file == "-" {
		return c.readLine()
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, c.fileProblem(file, err)
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 {
		return nil, problem.New(problem.Usage, "%s is empty.", file)
	}
	return text, nil
}

// fileProblem names a file that the person named, and what is wrong with it.
func (c *cli) fileProblem(file string, err error) error {
	p := problem.From(err)
	what := map[problem.Code]string{
		problem.FileGone:   "is not there",
		problem.FileDenied: "may not be read or written",
		problem.DiskFull:   "can't be written: the disk is full",
		problem.OddFile:    "is a folder, or lies in what is no folder",
	}[p.Code]
	if what == "" {
		what = "can't be read or written"
	}
	return &problem.Error{Code: p.Code, Message: fmt.Sprintf("%s %s.", file, what), Hint: p.Hint, Err: err}
}

// askSecret asks on the terminal, without showing what is typed.
func (c *cli) askSecret(prompt string, confirm bool) ([]byte, error) {
	c.progress.clear()
	fmt.Fprint(c.err, prompt)
	first, err := term.ReadPassword(int(c.in.Fd()))
	fmt.Fprintln(c.err)
	if err != nil || len(first) == 0 {
		return nil, problem.Wrap(problem.Locked, err)
	}
	if !confirm {
		return first, nil
	}
	fmt.Fprint(c.err, "Once more: ")
	second, err := term.ReadPassword(int(c.in.Fd()))
	fmt.Fprintln(c.err)
	if err != nil || !bytes.Equal(first, second) {
		return nil, problem.New(problem.Locked, "The two passphrases differ. Nothing was changed.")
	}
	return first, nil
}

// readLine reads one line from standard input, byte by byte, so that nothing after it is taken.
func (c *cli) readLine() ([]byte, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := c.in.Read(b)
		if n == 1 && b[0] != '\n' {
			line = append(line, b[0])
			continue
		}
		if n == 1 || len(line) > 0 {
			return bytes.TrimRight(line, "\r"), nil
		}
		if err != nil {
			return nil, usage("Standard input is empty.")
		}
	}
}

// ask puts a yes-or-no question to the person on the terminal; no is the default.
func (c *cli) ask(question string) (bool, error) {
	c.progress.clear()
	fmt.Fprintf(c.err, "%s [y/N] ", plain(question))
	answer, err := c.readLine()
	if err != nil {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(string(answer))) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// logger logs to standard error what $PLAIT_LOG asks for; else nothing.
func (c *cli) logger() *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(os.Getenv(logVariable))) != nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level}))
}

// debug logs an error's own text, which only who asks for the log gets to see.
func (c *cli) debug(err error) { c.logger().Debug("command failed", "error", err) }
