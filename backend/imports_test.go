// Package backend holds no code of its own: only the map of the packages below it,
// as a test.
package backend

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// allowed says which of our packages each package may import.
// It is the architecture diagram: change it on purpose.
var allowed = map[string]string{
	// Pure: values in, values out.
	"item":        "",
	"merge/jsonc": "",
	"merge/text":  "",
	"merge":       "item merge/jsonc merge/text",
	"merge/view":  "item merge merge/jsonc merge/text",
	"state":       "item merge",
	"plan":        "item state merge",

	// The oracle for I2, for tests and the simulation.
	"state/statetest": "item state",

	// Bytes that leave the process.
	"seal":    "",
	"keyring": "item seal",
	"chunk":   "item seal",
	"journal": "item seal",

	// The world: stores, this device's database and files.
	"store/driver":      "",
	"store":             "store/driver",
	"store/folderstore": "store/driver",
	"store/memstore":    "store/driver",
	"store/storetest":   "store/driver",
	"localdb":           "",
	"localdb/dbtest":    "localdb",
	"disk":              "",
	"editor":            "item disk merge/jsonc",
	"editor/maskgen":    "editor", // a command that makes editor/machine.json
	"watch":             "",

	// Errors in a person's words: knows the codes of all below the engine.
	"problem": "merge store store/driver disk localdb keyring journal chunk seal",

	// The round, and what every face asks.
	"engine": "item state plan merge journal store store/driver chunk keyring seal localdb disk watch problem",
	"vault": "item state plan merge merge/text journal store store/driver chunk keyring seal localdb disk watch problem " +
		"engine editor store/folderstore merge/text",

	// Faces.
	"cmd/plait": "*",
}

// inTests says what a package's tests may import besides.
var inTests = map[string]string{
	"state":             "state/statetest",
	"plan":              "state/statetest",
	"store":             "store/storetest store/memstore",
	"store/folderstore": "store store/storetest",
	"store/memstore":    "store store/storetest",
	"store/storetest":   "store/memstore",
	"localdb":           "localdb/dbtest",
	"engine":            "store/memstore store/folderstore store/storetest editor state/statetest merge/jsonc",
	"vault":             "store/memstore store/storetest",
}

// pure are the packages that decide. They take no context, clock, logger, disk,
// network or randomness: bugs there lose data, so there a test costs one line.
var pure = []string{"item", "merge", "merge/jsonc", "merge/text", "merge/view", "state", "plan"}

// impure is what pure packages do not import. item may import time, for the wall
// clock's type, and calls none of its clocks.
var impure = []string{"context", "crypto/rand", "io/ioutil", "log", "log/slog", "math/rand", "math/rand/v2",
	"net", "net/http", "os", "os/exec", "path/filepath", "runtime", "syscall", "time"}

// clocks are the functions of package time that ask the machine.
var clocks = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

// vendors says which packages a library from elsewhere is for. What is not here is
// for nobody. "test" is for tests anywhere, "test:engine" for those of engine.
var vendors = map[string]string{
	"github.com/dgraph-io/badger/v4":  "localdb",
	"github.com/fsnotify/fsnotify":    "watch store/folderstore",
	"github.com/fxamacker/cbor/v2":    "state keyring chunk journal localdb engine vault",
	"github.com/google/uuid":          "item vault",
	"github.com/klauspost/compress":   "chunk journal engine",
	"github.com/sergi/go-diff":        "merge/text",
	"github.com/skip2/go-qrcode":      "cmd/plait",
	"github.com/spf13/cobra":          "cmd/plait",
	"github.com/spf13/pflag":          "cmd/plait",
	"github.com/tailscale/hujson":     "test",
	"github.com/tyler-smith/go-bip39": "keyring",
	"github.com/zalando/go-keyring":   "keyring",
	"golang.org/x/crypto":             "seal keyring localdb test:engine", // attacks take sealing apart
	"golang.org/x/sync":               "chunk disk store/folderstore engine vault",
	"golang.org/x/sys":                "disk localdb watch store/folderstore vault",
	"golang.org/x/term":               "cmd/plait",
	"golang.org/x/text":               "item disk keyring editor engine",
	"pgregory.net/rapid":              "test",
	"github.com/wailsapp/wails/v2":    "", // main.go and app.go, which stand above backend
}

// TestImports reads the import lines itself: a test that ran `go list` would pass
// from go test's cache after a forbidden import.
func TestImports(t *testing.T) {
	for _, v := range violations(t, os.DirFS(".")) {
		t.Error(v)
	}
}

// TestMapIsCurrent finds packages that the map still lists and that are gone.
func TestMapIsCurrent(t *testing.T) {
	for pkg := range allowed {
		if files, _ := filepath.Glob(filepath.Join(filepath.FromSlash(pkg), "*.go")); len(files) == 0 {
			t.Errorf("the map lists %s, which holds no Go files", pkg)
		}
	}
}

// violations lists what breaks the map in the tree of packages, in order.
func violations(t *testing.T, tree fs.FS) (found []string) {
	report := func(file, what string) { found = append(found, file+" "+what) }
	err := fs.WalkDir(tree, ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case d.IsDir() || path.Ext(file) != ".go" || !strings.Contains(file, "/"):
			return nil
		}
		src, err := fs.ReadFile(tree, file)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		check(f, path.Dir(file), strings.HasSuffix(file, "_test.go"), func(what string) { report(file, what) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// check reports what of one file of package pkg breaks the map.
func check(f *ast.File, pkg string, test bool, report func(string)) {
	own, listed := allowed[pkg]
	if !listed {
		report("is in a package that the map lacks: " + pkg)
		return
	}
	may := strings.Fields(own)
	if test {
		may = append(may, pkg)
		may = append(may, strings.Fields(inTests[pkg])...)
	}
	for _, spec := range f.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		first, _, _ := strings.Cut(name, "/")
		own, isOwn := strings.CutPrefix(name, "plait/backend/")
		switch {
		case isOwn:
			if !slices.Contains(may, "*") && !slices.Contains(may, own) {
				report("imports " + own + ", which " + pkg + " may not")
			}
		case first == "plait":
			report("imports " + name + ", which stands above backend")
		case strings.Contains(first, "."):
			if !vendored(name, pkg, test) {
				report("imports " + name + ", which is not for " + pkg)
			}
		case name == "C":
			report("imports C: the program is pure Go")
		case !test && slices.Contains(pure, pkg) && slices.Contains(impure, name) && !(pkg == "item" && name == "time"):
			report("imports " + name + ": " + pkg + " is pure")
		}
	}
	if !test && slices.Contains(pure, pkg) {
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, sel.Sel.Name) {
					report("asks the clock: " + pkg + " is pure")
				}
			}
			return true
		})
	}
}

// vendored says whether the module that a package is of is for pkg.
func vendored(name, pkg string, test bool) bool {
	for module, users := range vendors {
		if name == module || strings.HasPrefix(name, module+"/") {
			list := strings.Fields(users)
			return slices.Contains(list, pkg) || test && (users == "test" || slices.Contains(list, "test:"+pkg))
		}
	}
	return false
}

// The map notices what it is there for.
func TestImportsNotices(t *testing.T) {
	for _, c := range []struct{ name, file, src, want string }{
		{"a forbidden package", "state/x.go", `import "plait/backend/localdb"`, "state may not"},
		{"an unlisted package", "newcomer/x.go", ``, "the map lacks"},
		{"a clock in a pure package", "merge/x.go", `import "time"`, "is pure"},
		{"a clock's use where the type is allowed", "item/x.go", "import \"time\"\nvar x = time.Now()", "asks the clock"},
		{"randomness in a pure package", "plan/x.go", `import "math/rand/v2"`, "is pure"},
		{"a vendor's library elsewhere", "state/x.go", `import "github.com/dgraph-io/badger/v4"`, "not for state"},
		{"an unknown library", "store/x.go", `import "example.com/sdk"`, "not for store"},
		{"a test library outside tests", "merge/x.go", `import "pgregory.net/rapid"`, "not for merge"},
		{"a library of a package's tests outside them", "engine/x.go", `import "golang.org/x/crypto/chacha20"`, "not for engine"},
		{"a window's library", "vault/x.go", `import "github.com/wailsapp/wails/v2/pkg/runtime"`, "not for vault"},
		{"the window", "cmd/plait/x.go", `import "plait"`, "above backend"},
		{"a test's reach", "merge/x_test.go", `import "plait/backend/engine"`, "merge may not"},
		{"nothing, where all is well", "merge/x_test.go", "import (\n\"time\"\n\"pgregory.net/rapid\"\n\"plait/backend/item\"\n)", ""},
		{"nothing, at the top", "cmd/plait/x.go", `import "plait/backend/engine"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := violations(t, fstest.MapFS{c.file: {Data: []byte("package x\n" + c.src)}})
			if c.want == "" && len(found) > 0 || c.want != "" && (len(found) != 1 || !strings.Contains(found[0], c.want)) {
				t.Errorf("found %q; want %q", found, c.want)
			}
		})
	}
}
