package seal

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var add = flag.Bool("add", false, "write vectors that are not there yet; those that are stay as they are")

// A vector file has lines "name: value", hex save for expect, which is "opens" or the
// text of a Code. Vectors are added, never regenerated: what a version of
// Plait sealed, all later ones open, and what one refused, they refuse.
func TestVectors(t *testing.T) {
	if *add {
		addVectors(t)
	}
	files, _ := filepath.Glob("testdata/vectors/*.txt")
	if len(files) < 40 {
		t.Fatalf("%d vectors; want 40 or more", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			v := readVector(t, file)
			c := Context{Vault: [32]byte(v["vault"]), Epoch: [32]byte(v["epoch"]), Role: Role(v["role"][0]), Bind: v["bind"]}
			plain, err := Open(Key(v["key"]), c, v["sealed"])
			got := "opens"
			if err != nil {
				got = err.Error()
			}
			if want := string(v["expect"]); !strings.HasPrefix(got, want) {
				t.Errorf("Open: %s; want %s", got, want)
			}
			if err == nil && !bytes.Equal(plain, v["plain"]) {
				t.Errorf("Open = %x; want %x", plain, v["plain"])
			}
		})
	}
}

func readVector(t *testing.T, file string) map[string][]byte {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v := map[string][]byte{}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if name == "expect" {
			v[name] = []byte(value)
		} else if v[name], err = hex.DecodeString(value); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return v
}

func addVectors(t *testing.T) {
	n := uint64(1000)
	write := func(name, expect string, k Key, c Context, plain, sealed []byte) {
		file := filepath.Join("testdata/vectors", name+".txt")
		if _, err := os.Stat(file); err == nil {
			return
		}
		text := fmt.Sprintf("expect: %s\nkey: %x\nvault: %x\nepoch: %x\nrole: %02x\nbind: %x\nplain: %x\nsealed: %x\n",
			expect, k[:], c.Vault, c.Epoch, byte(c.Role), c.Bind, plain, sealed)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll("testdata/vectors", 0o755); err != nil {
		t.Fatal(err)
	}
	for role := Head; role <= Slot; role++ {
		for _, size := range []int{0, 1, 100} {
			n++
			k, c := sample(n)
			c.Role = role
			if role == Local || role == Mailbox {
				c.Vault, c.Epoch = [32]byte{}, [32]byte{}
			}
			plain := make([]byte, size)
			read(chance(n), plain)
			write(fmt.Sprintf("role-%d-size-%d", role, size), "opens", k, c, plain, Seal(chance(n), k, c, plain))
		}
	}
	k, c := sample(2000)
	plain := []byte("a plaintext for damaged vectors")
	damage := func(name string, code Code, f func(b []byte) []byte) {
		write("damaged-"+name, string(code), k, c, plain, f(Seal(chance(2000), k, c, plain)))
	}
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 1; return b }
	}
	damage("magic", ErrFormat, flip(0))
	damage("version", ErrNewer, flip(3))
	damage("version-0", ErrNewer, func(b []byte) []byte { b[3] = 0; return b })
	damage("role", ErrForeign, flip(roleAt))
	damage("epoch-first", ErrForeign, flip(epochAt))
	damage("epoch-last", ErrForeign, flip(saltAt-1))
	damage("salt-first", ErrRefused, flip(saltAt))
	damage("salt-last", ErrRefused, flip(nonceAt-1))
	damage("nonce-first", ErrRefused, flip(nonceAt))
	damage("nonce-last", ErrRefused, flip(commitAt-1))
	damage("commitment-first", ErrRefused, flip(commitAt))
	damage("commitment-last", ErrRefused, flip(bodyAt-1))
	damage("body-first", ErrRefused, flip(bodyAt))
	damage("body-last", ErrRefused, flip(-17))
	damage("tag-first", ErrRefused, flip(-16))
	damage("tag-last", ErrRefused, flip(-1))
	damage("cut-to-nothing", ErrFormat, func(b []byte) []byte { return nil })
	damage("cut-in-header", ErrFormat, func(b []byte) []byte { return b[:60] })
	damage("cut-before-tag", ErrRefused, func(b []byte) []byte { return b[:len(b)-16] })
	damage("cut-by-one", ErrRefused, func(b []byte) []byte { return b[:len(b)-1] })
	damage("longer-by-one", ErrRefused, func(b []byte) []byte { return append(b, 0) })
	damage("twice", ErrRefused, func(b []byte) []byte { return append(b, b...) })

	sealed := Seal(chance(2001), k, c, plain)
	elsewhere := func(name string, code Code, f func(k *Key, c *Context)) {
		k, c := k, c
		f(&k, &c)
		write("elsewhere-"+name, string(code), k, c, plain, sealed)
	}
	elsewhere("vault", ErrRefused, func(_ *Key, c *Context) { c.Vault[0] ^= 1 })
	elsewhere("epoch", ErrForeign, func(_ *Key, c *Context) { c.Epoch[0] ^= 1 })
	elsewhere("role", ErrForeign, func(_ *Key, c *Context) { c.Role = Head })
	elsewhere("bind", ErrRefused, func(_ *Key, c *Context) { c.Bind = nil })
	elsewhere("key", ErrRefused, func(k *Key, _ *Context) { k[0] ^= 1 })
	k1, k2 := NewKey(chance(1)), NewKey(chance(2))
	two := twoKeys(t, k1, k2, c)
	plain, err := Open(k1, c, two)
	if err != nil {
		t.Fatal(err)
	}
	write("two-keys-first", "opens", k1, c, plain, two)
	write("two-keys-second", string(ErrRefused), k2, c, plain, two)
}
