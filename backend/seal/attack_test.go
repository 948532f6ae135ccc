package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"testing"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

// attack runs variants of an attack twice: each has to fail (return false), and
// then, with the check taken out, to succeed. So we know that the test attacks
// something, and what holds it off.
func attack(t *testing.T, c check, variants map[string]func(t *testing.T) (succeeded bool)) {
	t.Helper()
	if len(variants) < 3 {
		t.Errorf("%d variants; want 3 or more", len(variants))
	}
	for name, try := range variants {
		t.Run(name, func(t *testing.T) {
			if try(t) {
				t.Error("the attack succeeds")
			}
			without[c] = true
			defer func() { without[c] = false }()
			if !try(t) {
				t.Error("the attack fails even without the check: it proves nothing")
			}
		})
	}
}

// opens says whether b opens under key and context.
func opens(k Key, c Context, b []byte) bool {
	_, err := Open(k, c, b)
	return err == nil
}

// Row 3: an object that claims to be of another version of the format.
func TestAttack3Downgrade(t *testing.T) {
	variants := map[string]func(*testing.T) bool{}
	for _, v := range []byte{0, 2, 255} {
		variants[fmt.Sprint("version ", v)] = func(*testing.T) bool {
			k, c := sample(10)
			b := Seal(chance(11), k, c, []byte("plain"))
			b[3] = v
			return opens(k, c, b)
		}
	}
	attack(t, checkVersion, variants)
}

// Row 5: changed bytes. Without the tag the stream cipher lets every bit of the
// plaintext be flipped.
func TestAttack5Flip(t *testing.T) {
	unchecked = func(key [32]byte, nonce, sealed []byte) []byte {
		s, err := chacha20.NewUnauthenticatedCipher(key[:], nonce)
		if err != nil {
			t.Fatal(err)
		}
		s.SetCounter(1)
		plain := make([]byte, len(sealed)-chacha20poly1305.Overhead)
		s.XORKeyStream(plain, sealed[:len(plain)])
		return plain
	}
	defer func() { unchecked = nil }()
	k, c := sample(12)
	change := func(f func(b []byte) []byte) func(*testing.T) bool {
		return func(*testing.T) bool { return opens(k, c, f(Seal(chance(13), k, c, []byte("pay 10 to Alice")))) }
	}
	attack(t, checkTag, map[string]func(*testing.T) bool{
		"one bit of the text": change(func(b []byte) []byte { b[bodyAt+4] ^= 1; return b }),
		"one bit of the tag":  change(func(b []byte) []byte { b[len(b)-1] ^= 0x80; return b }),
		"the nonce":           change(func(b []byte) []byte { b[nonceAt] ^= 1; return b }),
		"cut":                 change(func(b []byte) []byte { return b[:len(b)-3] }),
		"lengthened":          change(func(b []byte) []byte { return append(b, 0) }),
	})
}

// TestEveryBit: one flipped bit anywhere, and it does not open.
func TestEveryBit(t *testing.T) {
	k, c := sample(14)
	sealed := Seal(chance(15), k, c, []byte("a few words"))
	for i := range len(sealed) * 8 {
		b := bytes.Clone(sealed)
		b[i/8] ^= 1 << (i % 8)
		if opens(k, c, b) {
			t.Errorf("opens with bit %d flipped", i)
		}
	}
	for n := range sealed {
		if opens(k, c, sealed[:n]) {
			t.Errorf("opens cut to %d bytes", n)
		}
	}
}

// Row 7: a whole, valid object put where another belongs.
func TestAttack7Swap(t *testing.T) {
	k, c := sample(16)
	// An attacker without the key may still change what stands in clear.
	swap := func(change func(*Context)) func(*testing.T) bool {
		return func(*testing.T) bool {
			there := c
			change(&there)
			b := Seal(chance(17), k, c, []byte("plain"))
			b[roleAt] = byte(there.Role)
			copy(b[epochAt:], there.Epoch[:])
			return opens(k, there, b)
		}
	}
	for _, x := range []struct {
		what  string
		check check
		v     map[string]func(*testing.T) bool
	}{
		{"vault", checkVault, map[string]func(*testing.T) bool{
			"another": swap(func(c *Context) { c.Vault = sha256.Sum256([]byte("other")) }),
			"none":    swap(func(c *Context) { c.Vault = [32]byte{} }),
			"alike":   swap(func(c *Context) { c.Vault[31] ^= 1 }),
		}},
		{"epoch", checkEpoch, map[string]func(*testing.T) bool{
			"another": swap(func(c *Context) { c.Epoch = sha256.Sum256([]byte("other")) }),
			"none":    swap(func(c *Context) { c.Epoch = [32]byte{} }),
			"alike":   swap(func(c *Context) { c.Epoch[31] ^= 1 }),
		}},
		{"role", checkRole, map[string]func(*testing.T) bool{
			"segment as head":     swap(func(c *Context) { c.Role = Head }),
			"segment as snapshot": swap(func(c *Context) { c.Role = Snapshot }),
			"segment as slot":     swap(func(c *Context) { c.Role = Slot }),
		}},
		{"bind", checkBind, map[string]func(*testing.T) bool{
			"other entries": swap(func(c *Context) { c.Bind = []byte("device 7, entries 3 to 10") }),
			"none":          swap(func(c *Context) { c.Bind = nil }),
			"longer":        swap(func(c *Context) { c.Bind = append(bytes.Clone(c.Bind), 0) }),
		}},
	} {
		t.Run(x.what, func(t *testing.T) { attack(t, x.check, x.v) })
	}
}

// Row 10: a cloned machine, a restored backup or a broken generator gives the same
// random bytes again. Without the hedged salt two plaintexts then meet one key and
// nonce, and their difference is there for all to see.
func TestAttack10SameRandomness(t *testing.T) {
	k, c := sample(18)
	a, b := []byte("the first plaintext"), []byte("and another, secret")
	leaks := func(ka, kb Key, ca, cb Context, a, b []byte) bool {
		x, y := Seal(chance(19), ka, ca, a), Seal(chance(19), kb, cb, b)
		for i := range a {
			if x[bodyAt+i]^y[bodyAt+i] != a[i]^b[i] {
				return false
			}
		}
		return true
	}
	attack(t, hedging, map[string]func(*testing.T) bool{
		"another text":     func(*testing.T) bool { return leaks(k, k, c, c, a, b) },
		"a prefix":         func(*testing.T) bool { return leaks(k, k, c, c, a[:5], b) },
		"one bit":          func(*testing.T) bool { return leaks(k, k, c, c, []byte("0"), []byte("1")) },
		"longer by a byte": func(*testing.T) bool { return leaks(k, k, c, c, a, append(bytes.Clone(a), 0)) },
	})
	// A retry that seals the same again makes the same object; that tells nothing.
	if !bytes.Equal(Seal(chance(19), k, c, a), Seal(chance(19), k, c, a)) {
		t.Error("the same text under the same randomness differs")
	}
	// Two contexts differ too, in whatever order they were tried.
	other := c
	other.Bind = []byte("other")
	x, _ := UniqueOf(Seal(chance(19), k, c, a))
	y, _ := UniqueOf(Seal(chance(19), k, other, a))
	if x == y {
		t.Error("two contexts share salt and nonce")
	}
}

// Row 18: one object that opens under several keys, made by who knows them (a
// partitioning oracle: does it open? then the passphrase is among these). Without
// the commitment it can be made, as here.
func TestAttack18TwoKeys(t *testing.T) {
	_, c := sample(20)
	c.Role = Slot
	variants := map[string]func(*testing.T) bool{}
	for i := range uint64(3) {
		variants[fmt.Sprint("keys ", i)] = func(t *testing.T) bool {
			k1, k2 := NewKey(chance(100+i)), NewKey(chance(200+i))
			b := twoKeys(t, k1, k2, c)
			return opens(k1, c, b) && opens(k2, c, b)
		}
	}
	attack(t, checkCommit, variants)
}

// twoKeys makes an object whose tag is right under two keys: two free blocks of
// ciphertext solve two equations modulo 2^130-5 (Len, Grubbs, Ristenpart 2021, 3.2).
// It commits to the first key.
func twoKeys(t *testing.T, k1, k2 Key, c Context) []byte {
	t.Helper()
	aad := c.aad()
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 130), big.NewInt(5))
	top := new(big.Int).Lsh(big.NewInt(1), 128)
	random := chance(21)
	for range 10000 {
		var salt [saltSize]byte
		nonce, tag := make([]byte, nonceSize), make([]byte, 16)
		read(random, salt[:])
		read(random, nonce)
		read(random, tag)
		var r, s [2]*big.Int
		var commit [32]byte // to the first
		for i, k := range []Key{k1, k2} {
			key, to := derive(k, salt, aad)
			if i == 0 {
				commit = to
			}
			r[i], s[i] = polyKey(t, key, nonce)
		}
		// tag = ((Σ blocks · powers of r) mod p) + s mod 2^128, and blocks x, y are free:
		// known + x·r^3 + y·r^2 = tag - s, where the last block, of the lengths, is times r.
		blocks := polyBlocks(aad)
		lengths := make([]byte, 16)
		binary.LittleEndian.PutUint64(lengths, uint64(len(aad)))
		binary.LittleEndian.PutUint64(lengths[8:], 32)
		var a, b, d [2]*big.Int
		for i := range 2 {
			known := new(big.Int)
			for _, x := range blocks {
				known.Add(known, x)
				known.Mul(known, r[i]).Mod(known, p)
			}
			r2 := new(big.Int).Mul(r[i], r[i])
			r3 := new(big.Int).Mul(r2, r[i])
			known.Mul(known, r3) // two free blocks and the lengths follow
			known.Add(known, new(big.Int).Mul(block(lengths), r[i]))
			want := new(big.Int).Sub(little(tag), s[i])
			want.Mod(want, top)
			a[i], b[i] = r3.Mod(r3, p), r2.Mod(r2, p)
			d[i] = want.Sub(want, known).Mod(want, p)
		}
		// Cramer's rule.
		det := new(big.Int).Sub(new(big.Int).Mul(a[0], b[1]), new(big.Int).Mul(a[1], b[0]))
		inv := new(big.Int).ModInverse(det.Mod(det, p), p)
		if inv == nil {
			continue
		}
		x := new(big.Int).Sub(new(big.Int).Mul(d[0], b[1]), new(big.Int).Mul(d[1], b[0]))
		y := new(big.Int).Sub(new(big.Int).Mul(a[0], d[1]), new(big.Int).Mul(a[1], d[0]))
		x.Mul(x, inv).Mod(x, p).Sub(x, top)
		y.Mul(y, inv).Mod(y, p).Sub(y, top)
		if x.Sign() < 0 || y.Sign() < 0 || x.Cmp(top) >= 0 || y.Cmp(top) >= 0 {
			continue // not a block of 16 bytes; one try in 16 is
		}
		out := append(magic[:], byte(c.Role))
		out = append(out, c.Epoch[:]...)
		out = append(out, salt[:]...)
		out = append(out, nonce...)
		out = append(out, commit[:]...)
		out = append(out, littleBytes(x)...)
		out = append(out, littleBytes(y)...)
		return append(out, tag...)
	}
	t.Fatal("no such object found")
	return nil
}

// polyKey is Poly1305's one-time key r, s (RFC 8439, 2.6).
func polyKey(t *testing.T, key [32]byte, nonce []byte) (r, s *big.Int) {
	stream, err := chacha20.NewUnauthenticatedCipher(key[:], nonce)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 32)
	stream.XORKeyStream(b, b)
	for _, i := range []int{3, 7, 11, 15} {
		b[i] &= 15
	}
	for _, i := range []int{4, 8, 12} {
		b[i] &= 252
	}
	return little(b[:16]), little(b[16:])
}

func polyBlocks(aad []byte) (bs []*big.Int) {
	padded := append(bytes.Clone(aad), make([]byte, (16-len(aad)%16)%16)...)
	for i := 0; i < len(padded); i += 16 {
		bs = append(bs, block(padded[i:i+16]))
	}
	return bs
}

func block(b []byte) *big.Int {
	return new(big.Int).Add(little(b), new(big.Int).Lsh(big.NewInt(1), 128))
}

func little(b []byte) *big.Int {
	r := bytes.Clone(b)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return new(big.Int).SetBytes(r)
}

func littleBytes(x *big.Int) []byte {
	b := x.FillBytes(make([]byte, 16))
	for i, j := 0, 15; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return b
}
