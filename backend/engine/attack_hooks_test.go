package engine

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"unsafe"

	_ "plait/backend/journal" // for what is linked below
	_ "plait/backend/keyring"
	_ "plait/backend/seal"
	_ "plait/backend/store"
)

// The checks of packages below, which their own tests take out too. What links to them
// stands in tests only; nothing that ships can.

//go:linkname journalWithout plait/backend/journal.without
var journalWithout [21]bool

//go:linkname keyringWithout plait/backend/keyring.without
var keyringWithout [24]bool

//go:linkname sealWithout plait/backend/seal.without
var sealWithout [8]bool

// A hook takes out one check, here or in a package below. It is called without a scene
// first, before anything is sealed.
type hook func(s *scene, out bool)

func here(c check) hook { return afterwards(&without[c]) }

// afterwards takes a check out once the scene stands.
func afterwards(check *bool) hook {
	return func(s *scene, out bool) {
		if s != nil {
			*check = out
		}
	}
}

func inJournal(name string) hook {
	i := checkNamed("../journal/check.go", name, len(journalWithout))
	return afterwards(&journalWithout[i])
}

func inKeyring(name string) hook {
	i := checkNamed("../keyring/check.go", name, len(keyringWithout))
	return afterwards(&keyringWithout[i])
}

func inSeal(name string) hook {
	i := checkNamed("../seal/check.go", name, len(sealWithout))
	return func(_ *scene, out bool) { sealWithout[i] = out }
}

// checkNamed finds a check's number in its package's list, which must have want of them.
func checkNamed(file, name string, want int) int {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		panic(err)
	}
	found, count := -1, 0
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			n := s.(*ast.ValueSpec).Names[0].Name
			if n == name {
				found = count
			}
			if n != "checks" {
				count++
			}
		}
	}
	if found < 0 || count != want {
		panic("attack: " + file + " has no " + name + ", or another number of checks")
	}
	return found
}

// believesNames makes the victim's store believe the names of objects.
func believesNames(s *scene, out bool) {
	if s == nil || s.phone == nil {
		return
	}
	f := reflect.ValueOf(s.phone.store).Elem().FieldByName("checks")
	p := (*uint)(unsafe.Pointer(f.UnsafeAddr()))
	hash := uint(1) // store's checkHash
	if out {
		*p &^= hash
	} else {
		*p |= hash
	}
}
