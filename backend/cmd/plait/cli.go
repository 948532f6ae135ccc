package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"plait/backend/problem"
)

// A cli is one run of the program.
type cli struct {
	in  *os.File
	out io.Writer
	err io.Writer

	inTerm  bool // a person can be asked
	outTerm bool
	errTerm bool // progress can be shown

	json           bool
	passphraseFile string

	began    bool // the command line was understood, and the command has begun
	progress *progress
}

func newCLI(in, out, err *os.File) *cli {
	c := &cli{
		in: in, out: out, err: err,
		inTerm:  term.IsTerminal(int(in.Fd())),
		outTerm: term.IsTerminal(int(out.Fd())),
		errTerm: term.IsTerminal(int(err.Fd())),
	}
	c.progress = &progress{c: c}
	return c
}

// run does what args ask for and returns the exit status.
func (c *cli) run(ctx context.Context, args []string) int {
	root := c.root()
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	reword(root)
	command, err := root.ExecuteContextC(ctx)
	c.progress.clear()
	switch {
	case err == nil:
		return statusOK
	case errors.Is(err, errFound):
		return statusFound
	case !c.began:
		// What cobra says of a command line holds nothing but the command line.
		c.json = c.json || asksJSON(args)
		text := err.Error()
		if p := problem.From(err); p.Code == problem.Usage {
			text = p.Message
		}
		err = &problem.Error{Code: problem.Usage, Message: sentence(text),
			Hint: meant(command, text) + "See `" + command.CommandPath() + " --help`."}
	default:
		var p *problem.Error
		if errors.As(err, &p) && p.Code == problem.Usage && p.Hint == "" {
			p.Hint = "See `" + command.CommandPath() + " --help`."
		}
	}
	c.fail(err)
	return statusError
}

// asksJSON says whether --json stands in args, for errors met before flags are parsed.
func asksJSON(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.ContainsFunc(args, func(a string) bool {
		return a == "--json" || strings.HasPrefix(a, "--json=") && a != "--json=false"
	})
}

// sentence makes a sentence of cobra's and the standard library's lower-case texts.
func sentence(text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n") // the rest are suggestions, which help gives too
	first = strings.TrimRight(first, ".")
	if first == "" {
		return ""
	}
	return strings.ToUpper(first[:1]) + first[1:] + "."
}

// meant asks for the command that cobra suggests in place of one that there is not.
func meant(command *cobra.Command, text string) string {
	_, after, _ := strings.Cut(text, "Did you mean this?\n")
	if names := strings.Fields(after); len(names) > 0 {
		return "Did you mean `" + command.CommandPath() + " " + names[0] + "`? "
	}
	return ""
}

// do wraps a command's function for cobra: from its first line on, errors are no
// longer about the command line.
func (c *cli) do(fn func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c.began = true
		return fn(cmd.Context(), args)
	}
}

// usage is an error about the command line that only the command itself could notice.
func usage(format string, args ...any) error { return problem.New(problem.Usage, format, args...) }

// takes checks the number of arguments in a person's words; most < 0: any number.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		name := "`" + cmd.CommandPath() + "`"
		switch n := len(args); {
		case most == 0 && n > 0 && cmd.HasSubCommands():
			return fmt.Errorf("%s has no command %q", name, args[0])
		case most == 0 && n > 0:
			return fmt.Errorf("%s takes no argument, and was given %q", name, args[0])
		case n < least && least == most:
			return fmt.Errorf("%s takes %s, and was given %d", name, count(least, "argument"), n)
		case n < least:
			return fmt.Errorf("%s takes at least %s, and was given %d", name, count(least, "argument"), n)
		case most >= 0 && n > most:
			return fmt.Errorf("%s takes at most %s, and was given %d", name, count(most, "argument"), n)
		}
		return nil
	}
}

// oneOf checks that exactly one of the flags was given.
func oneOf(cmd *cobra.Command, flags ...string) error {
	given := 0
	for _, f := range flags {
		if cmd.Flags().Changed(f) {
			given++
		}
	}
	if given == 1 {
		return nil
	}
	return usage("`%s` takes exactly one of --%s.", cmd.CommandPath(), strings.Join(flags, ", --"))
}
