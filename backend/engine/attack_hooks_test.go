package engine

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"

	_ "plait/backend/chunk" // for what is linked below
	_ "plait/backend/journal"
	_ "plait/backend/keyring"
	"plait/backend/merge/jsonc"
	_ "plait/backend/seal"
	_ "plait/backend/store"
)

// The checks of packages below, which their own tests take out too. What links to them
// stands in tests only; nothing that ships can.

//go:linkname journalWithout plait/backend/journal.without
var journalWithout [22]bool

//go:linkname keyringWithout plait/backend/keyring.without
var keyringWithout [24]bool

//go:linkname sealWithout plait/backend/seal.without
var sealWithout [8]bool

//go:linkname sealUnchecked plait/backend/seal.unchecked
var sealUnchecked func(key [32]byte, nonce, sealed []byte) []byte

//go:linkname chunkWithout plait/backend/chunk.without
var chunkWithout uint

//go:linkname jsoncDepth plait/backend/merge/jsonc.maxDepth
var jsoncDepth int

// A hook takes out one check, here or in a package below. It is called without a scene
// first, before anything is sealed.
type hook struct {
	name string
	take func(s *scene, out bool)
}

func here(c check) hook { return afterwards(checksHere()[c], &without[c]) }

// afterwards takes a check out once the scene stands.
func afterwards(name string, check *bool) hook {
	return hook{name, func(s *scene, out bool) {
		if s != nil {
			*check = out
		}
	}}
}

func inJournal(name string) hook {
	i := checkNamed("../journal/check.go", name, len(journalWithout))
	return afterwards("journal."+name, &journalWithout[i])
}

func inKeyring(name string) hook {
	i := checkNamed("../keyring/check.go", name, len(keyringWithout))
	return afterwards("keyring."+name, &keyringWithout[i])
}

// What seal binds objects to hangs on its checks on both sides: they are out from the beginning.
func inSeal(name string) hook {
	i := checkNamed("../seal/check.go", name, len(sealWithout))
	return hook{"seal." + name, func(_ *scene, out bool) { sealWithout[i] = out }}
}

func inChunk(name string) hook {
	bit := uint(1) << checkNamed("../chunk/check.go", name, 11) // 10, and all of them
	return hook{"chunk." + name, func(_ *scene, out bool) {
		if chunkWithout &^= bit; out {
			chunkWithout |= bit
		}
	}}
}

// deepJSON lets documents nest as deep as they like.
var deepJSON = hook{"merge/jsonc.maxDepth", func(s *scene, out bool) {
	if jsoncDepth = jsonc.MaxDepth; out && s != nil {
		jsoncDepth = 1 << 30
	}
}}

// With its tag's check out, seal decrypts what it can't authenticate.
func init() {
	sealUnchecked = func(key [32]byte, nonce, sealed []byte) []byte {
		c, err := chacha20.NewUnauthenticatedCipher(key[:], nonce)
		if err != nil {
			panic(err)
		}
		c.SetCounter(1)
		plain := make([]byte, len(sealed)-chacha20poly1305.Overhead)
		c.XORKeyStream(plain, sealed[:len(plain)])
		return plain
	}
}

// checkNamed finds a check's number in its package's list, which must have want of them.
func checkNamed(file, name string, want int) int {
	all := checksIn(file)
	i := slices.Index(all, name)
	if i < 0 || len(all) != want {
		panic("attack: " + file + " has no " + name + ", or another number of checks")
	}
	return i
}

var checksHere = sync.OnceValue(func() []string { return checksIn("check.go") })

// checksIn lists a package's checks in order.
func checksIn(file string) (names []string) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		panic(err)
	}
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
			for _, s := range g.Specs {
				if n := s.(*ast.ValueSpec).Names[0].Name; n != "checks" {
					names = append(names, n)
				}
			}
		}
	}
	return names
}

// believesNames makes the victim's store believe the names of objects.
var believesNames = hook{"store.checkHash", func(s *scene, out bool) {
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
}}
