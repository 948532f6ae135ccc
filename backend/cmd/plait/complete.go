package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plait/backend/vault"
)

// What can be completed.
func itemNames(ctx context.Context, v *vault.Vault) ([]string, error)   { return v.Items(ctx) }
func deviceNames(ctx context.Context, v *vault.Vault) ([]string, error) { return v.DeviceNames(ctx) }

func editorNames(ctx context.Context, v *vault.Vault) ([]string, error) {
	return editorsWhere(ctx, v, func(vault.EditorInfo) bool { return true })
}

func attachedNames(ctx context.Context, v *vault.Vault) ([]string, error) {
	return editorsWhere(ctx, v, func(e vault.EditorInfo) bool { return e.Attached })
}

func editorsWhere(ctx context.Context, v *vault.Vault, want func(vault.EditorInfo) bool) ([]string, error) {
	found, err := v.Editors(ctx)
	var names []string
	for _, e := range found {
		if want(e) && !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	return names, err
}

// complete completes the first n arguments from the vault; with n 0, a flag's value.
// Where the vault can't be had at once and without a question, it completes nothing.
func (c *cli) complete(n int, list func(context.Context, *vault.Vault) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
		if n > 0 && len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		o, err := c.options()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		o.Wait = 100 * time.Millisecond
		if c.inTerm && c.passphraseFile == "" {
			o.Passphrase = nil
		}
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		v, err := vault.Open(ctx, o)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer v.Close()
		names, _ := list(ctx, v)
		names = slices.DeleteFunc(names, func(s string) bool { return !strings.HasPrefix(s, start) })
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeSides completes --take.
func (c *cli) completeSides(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	names, d := c.complete(0, deviceNames)(cmd, args, start)
	return append([]string{"local", "remote", "base", "both"}, names...), d
}

// argument is the i-th argument, or "".
func argument(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

// orEmpty is list, never nil: JSON lists are [] and not null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// sortedKeys lists a map's keys in order.
func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

func itoa(n int) string { return strconv.Itoa(n) }

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// shellQuote quotes a word for pasting into a shell, where it needs it.
func shellQuote(s string) string {
	safe := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-/:@", r))
	})
	if safe {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
