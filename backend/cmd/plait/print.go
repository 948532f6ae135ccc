package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"plait/backend/problem"
)

// fail prints an error to standard error: what happened, what is safe, what to do.
func (c *cli) fail(err error) {
	p := problem.From(err)
	c.debug(err)
	if c.json {
		writeJSON(c.err, map[string]problem.Problem{"error": p}, false)
		return
	}
	fmt.Fprintf(c.err, "%s %s\n", paint(c.errTerm, red, "plait:"), plain(p.Message))
	code := ""
	if p.Code != problem.Usage {
		code = " (" + string(p.Code) + ")"
	}
	fmt.Fprintf(c.err, "       %s%s\n", plain(p.Hint), paint(c.errTerm, dim, code))
}

// printJSON prints one JSON value on standard output.
func (c *cli) printJSON(v any) error { return writeJSON(c.out, v, true) }

// printLine prints one JSON value on a line of its own, for commands that print several.
func (c *cli) printLine(v any) error { return writeJSON(c.out, v, false) }

func writeJSON(w io.Writer, v any, indent bool) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}

// say prints a line for a person. Strings among args lose their control characters.
func (c *cli) say(format string, args ...any) {
	c.progress.clear()
	sayTo(c.out, format, args)
}

// note prints a line for a person beside the output: on standard error.
func (c *cli) note(format string, args ...any) {
	c.progress.clear()
	sayTo(c.err, format, args)
}

func sayTo(w io.Writer, format string, args []any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = plain(s)
		}
	}
	fmt.Fprintf(w, format+"\n", args...)
}

// painted is text that is fit for a terminal already, perhaps with our own colours.
type painted string

// A style is an ANSI attribute.
type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// paint styles text for standard output, if that is a terminal, unless NO_COLOR is
// set (no-color.org). Control characters in it are made harmless.
func (c *cli) paint(st style, text string) painted { return paint(c.outTerm, st, text) }

func paint(terminal bool, st style, text string) painted {
	text = plain(text)
	if !terminal || st == "" || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return painted(text)
	}
	return painted("\x1b[" + string(st) + "m" + text + "\x1b[0m")
}

// plain makes text from elsewhere fit for a terminal: control characters, and those
// that turn the direction of writing, become escapes (C4). Newlines and tabs stay.
func plain(s string) string {
	if strings.IndexFunc(s, unfit) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unfit(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unfit(r rune) bool {
	return r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}

// line is plain for one cell or line: newlines and tabs become escapes as well.
func line(s string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(plain(s))
}

// A cell of a table.
type cell struct {
	text  string
	style style
}

// A table is printed with aligned columns.
type table struct {
	head []string
	rows [][]cell
}

func (t *table) add(cells ...any) {
	row := make([]cell, len(cells))
	for i, v := range cells {
		switch v := v.(type) {
		case cell:
			row[i] = v
		default:
			row[i] = cell{text: fmt.Sprint(v)}
		}
	}
	t.rows = append(t.rows, row)
}

// print writes the table; an empty one not at all. Widths count characters, which
// is right for all scripts but those written wide.
func (c *cli) print(t table) {
	if len(t.rows) == 0 {
		return
	}
	head := make([]cell, len(t.head))
	for i, h := range t.head {
		head[i] = cell{h, dim}
	}
	rows := t.rows
	if len(head) > 0 {
		rows = append([][]cell{head}, rows...)
	}
	width := map[int]int{}
	for _, row := range rows {
		for i := range row {
			row[i].text = line(row[i].text)
			width[i] = max(width[i], utf8.RuneCountInString(row[i].text))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cl := range row {
			b.WriteString(string(c.paint(cl.style, cl.text)))
			b.WriteString(strings.Repeat(" ", width[i]-utf8.RuneCountInString(cl.text)+2))
		}
		fmt.Fprintln(c.out, strings.TrimRight(b.String(), " "))
	}
}

// when shows a time to a person, in their zone; nothing for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

// count is "1 setting", "2 settings".
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// size shows bytes in units a person reads.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// seconds shows a duration in units a person reads.
func seconds(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.0f ms", s*1000)
	}
	return fmt.Sprintf("%.1f s", s)
}
