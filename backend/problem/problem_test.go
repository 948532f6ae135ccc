package problem_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plait/backend/chunk"
	"plait/backend/disk"
	"plait/backend/journal"
	"plait/backend/keyring"
	"plait/backend/localdb"
	"plait/backend/merge"
	"plait/backend/problem"
	"plait/backend/seal"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// What From makes of errors:
//
//	a known code, bare or wrapped          the table's words
//	an *Error, however deep                its own words, the rest from the table
//	two of them                            the outermost
//	a code of store, disk, the system      the table's words for its meaning
//	anything else                          internal
func TestFrom(t *testing.T) {
	secret := errors.New("token=hunter2 /home/ann/x")
	gone := &store.Error{Op: "get", Name: "segments/abcd", Code: driver.NotFound, Err: driver.NotFound}
	for _, c := range []struct {
		name string
		err  error
		code problem.Code
		want string // in the message
	}{
		{"bare code", problem.Busy, problem.Busy, "Another Plait"},
		{"wrapped code", fmt.Errorf("open: %w", problem.Busy), problem.Busy, "Another Plait"},
		{"own words", problem.New(problem.Busy, "Process %d is at work.", 7), problem.Busy, "Process 7"},
		{"wrapped twice", fmt.Errorf("a: %w", fmt.Errorf("b: %w", problem.Wrap(problem.Clock, secret))), problem.Clock, "clock"},
		{"outermost wins", problem.Wrap(problem.Rollback, problem.New(problem.Changed, "x")), problem.Rollback, "older"},
		{"joined", errors.Join(secret, problem.Full), problem.Full, "full"},
		{"own words before the store's", problem.New(problem.Foreign, "Not ours."), problem.Foreign, "Not ours."},
		{"store", driver.Transient, problem.Offline, "can't be reached"},
		{"store object", fmt.Errorf("pull: %w", gone), problem.Incomplete, "segments/abcd"},
		{"store changed", &store.Error{Op: "get", Name: "packs/ff", Code: store.Changed, Err: secret}, problem.Changed, "packs/ff"},
		{"store with a system error", &store.Error{Op: "put", Code: driver.Denied, Err: fs.ErrPermission}, problem.Denied, "refused"},
		{"unknown store code", driver.Code("brand new"), problem.Internal, "did not foresee"},
		{"disk", disk.ErrLocked, problem.FileLocked, "in use"},
		{"database", fmt.Errorf("open: %w", localdb.ErrDamaged), problem.Damaged, "local database"},
		{"database busy", fmt.Errorf("open: %w", &localdb.Busy{PID: 4711}), problem.Busy, "process 4711"},
		{"database busy, nobody named", &localdb.Busy{}, problem.Busy, "Another Plait is"},
		{"a bug in the use of the database", localdb.ErrClosed, problem.Internal, "did not foresee"},
		{"wrong words", fmt.Errorf("join: %w", keyring.WrongWords), problem.WrongKey, "does not open the vault"},
		{"words of before", keyring.Replaced, problem.WrongKey, "replaced"},
		{"a spent code", keyring.Used, problem.WrongCode, "works once"},
		{"a forged entry", fmt.Errorf("pull: %w", journal.ErrSignature), problem.Changed, "not what its writer wrote"},
		{"a chunk on its way", chunk.ErrIncomplete, problem.Incomplete, "on its way"},
		{"a changed seal", seal.ErrRefused, problem.Changed, "not what its writer wrote"},
		{"syntax", fmt.Errorf("observe: %w", &merge.SyntaxError{Line: 41, Column: 2, Msg: "a comma is missing"}), problem.Syntax, "Line 41, column 2: a comma is missing."},
		{"too deep", merge.ErrTooDeep, problem.TooDeep, "1,000 levels"},
		{"cancelled", fmt.Errorf("x: %w", context.Canceled), problem.Cancelled, "Stopped"},
		{"permission", &fs.PathError{Op: "open", Path: "/home/ann", Err: fs.ErrPermission}, problem.FileDenied, "may not"},
		{"unknown", secret, problem.Internal, "did not foresee"},
		{"unknown code", problem.Code("made up"), "made up", "did not foresee"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := problem.From(c.err)
			if got.Code != c.code || !strings.Contains(got.Message, c.want) || got.Hint == "" {
				t.Errorf("From = %+v; want code %q, message with %q, and a hint", got, c.code, c.want)
			}
			if all := got.Message + got.Hint; strings.Contains(all, "hunter2") || strings.Contains(all, "/home") {
				t.Errorf("From shows the error's own text: %+v", got)
			}
		})
	}
	if got := problem.From(nil); got != (problem.Problem{}) {
		t.Errorf("From(nil) = %+v; want the zero Problem", got)
	}
}

// Errors can be told apart by code, and what they wrap stays in reach.
func TestIs(t *testing.T) {
	err := fmt.Errorf("sync: %w", problem.Wrap(problem.Offline, driver.Transient))
	if !errors.Is(err, problem.Offline) || !errors.Is(err, driver.Transient) || errors.Is(err, problem.Full) {
		t.Errorf("errors.Is on %v does not follow its codes", err)
	}
}

// P2: every code of codes.go has words, each a sentence, and every code is spelled once.
func TestTable(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[problem.Code]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		code := problem.Code(strings.Trim(lit.Value, `"`))
		if seen[code] {
			t.Errorf("code %q stands twice", code)
		}
		seen[code] = true
		if !problem.Known(code) {
			t.Errorf("code %q has no words", code)
		}
		p := problem.From(code)
		if !strings.HasSuffix(p.Message, ".") || !strings.HasSuffix(p.Hint, ".") && !strings.HasSuffix(p.Hint, "`") {
			t.Errorf("code %q: %q %q; want sentences", code, p.Message, p.Hint)
		}
		return true
	})
	if len(seen) < 50 {
		t.Errorf("found %d codes in codes.go; the test reads it wrongly", len(seen))
	}
}

// Codes that others write down as strings are codes of the table.
func TestCodesInUse(t *testing.T) {
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if code, ok := spelled(n); ok && !problem.Known(problem.Code(code)) {
				t.Errorf("%s: code %q has no words", file, code)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// spelled is the code that a node writes down as a string, in a problem.Error, New or Wrap.
func spelled(n ast.Node) (code string, ok bool) {
	isProblem := func(e ast.Expr, names ...string) bool {
		sel, ok := e.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		x, ok := sel.X.(*ast.Ident)
		return ok && x.Name == "problem" && slices.Contains(names, sel.Sel.Name)
	}
	var value ast.Expr
	switch n := n.(type) {
	case *ast.CompositeLit:
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok && isProblem(n.Type, "Error", "Problem") {
				if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Code" {
					value = kv.Value
				}
			}
		}
	case *ast.CallExpr:
		if isProblem(n.Fun, "New", "Wrap", "Code") && len(n.Args) > 0 {
			value = n.Args[0]
		}
	}
	lit, ok := value.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	return strings.Trim(lit.Value, `"`), true
}

// P1 for the codes of packages below: each has words of its own here, or is known to be a surprise.
func TestBelow(t *testing.T) {
	for _, c := range []driver.Code{driver.NotFound, driver.Exists, driver.Full, driver.ReadOnly,
		driver.Missing, driver.Transient, driver.Denied, driver.Cancelled, store.Changed, store.TooLarge} {
		if p := problem.From(c); p.Code == problem.Internal {
			t.Errorf("store code %q has no words", c)
		}
	}
	for _, c := range []disk.Code{disk.ErrChanged, disk.ErrTooLarge, disk.ErrLocked, disk.ErrFull, disk.ErrOdd, disk.ErrUnsafe, disk.ErrReadOnly, disk.ErrBroken} {
		if p := problem.From(c); p.Code == problem.Internal {
			t.Errorf("disk code %q has no words", c)
		}
	}
}
