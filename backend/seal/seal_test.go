package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
)

// chance is a stream of bytes that a seed determines.
func chance(seed uint64) io.Reader {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], seed)
	return rand.NewChaCha8(sha256.Sum256(b[:]))
}

func sample(seed uint64) (Key, Context) {
	r := chance(seed)
	c := Context{Role: Segment, Bind: []byte("device 7, entries 3 to 9")}
	k := NewKey(r)
	read(r, c.Vault[:])
	read(r, c.Epoch[:])
	return k, c
}

func TestSealOpen(t *testing.T) {
	k, c := sample(1)
	r := chance(2)
	for _, n := range []int{0, 1, 15, 16, 17, 1000, 1 << 20} {
		plain := make([]byte, n)
		read(r, plain)
		sealed := Append([]byte("before"), r, k, c, plain)[6:]
		if len(sealed) != n+Overhead {
			t.Errorf("%d bytes sealed are %d; want %d", n, len(sealed), n+Overhead)
		}
		if got, err := Open(k, c, sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("Open of %d bytes = %d bytes, %v", n, len(got), err)
		}
		if e, err := EpochOf(sealed); err != nil || e != c.Epoch {
			t.Errorf("EpochOf = %x, %v; want %x", e, err, c.Epoch)
		}
	}
}

func TestPad(t *testing.T) {
	for _, p := range []struct {
		n, padme, heads int
	}{{1, 1, 1024}, {9, 10, 1024}, {1024, 1024, 1024}, {1025, 1088, 2048}, {2049, 2176, 4096}, {4097, 4352, 4352}, {1_000_000, 1_015_808, 1_015_808}} {
		if got := Padme(p.n); got != p.padme {
			t.Errorf("Padme(%d) = %d; want %d", p.n, got, p.padme)
		}
		if got := Heads(p.n); got != p.heads {
			t.Errorf("Heads(%d) = %d; want %d", p.n, got, p.heads)
		}
	}
	for n := 1; n < 1<<16; n += 7 {
		if got := Padme(n); got < n || float64(got) > 1.12*float64(n)+1 {
			t.Fatalf("Padme(%d) = %d", n, got)
		}
	}
	for _, plain := range []string{"", "a", "a\x80", "\x80\x00\x00", strings.Repeat("\x00", 3000)} {
		padded := Pad([]byte(plain), Heads, Overhead+64)
		if n := len(padded) + Overhead + 64; n != Heads(n) {
			t.Errorf("Pad(%d bytes) makes an object of %d", len(plain), n)
		}
		if got, err := Unpad(padded); err != nil || string(got) != plain {
			t.Errorf("Unpad(Pad(%q)) = %q, %v", plain, got, err)
		}
	}
	for _, bad := range []string{"", "\x00", "a", "a\x80a", "\x00\x00"} {
		if got, err := Unpad([]byte(bad)); err == nil {
			t.Errorf("Unpad(%q) = %q", bad, got)
		}
	}
}

func TestCodes(t *testing.T) {
	k, c := sample(3)
	sealed := Seal(chance(4), k, c, []byte("plain"))
	other := func(at int, v byte) []byte {
		b := bytes.Clone(sealed)
		b[at] = v
		return b
	}
	for _, x := range []struct {
		what string
		b    []byte
		want error
	}{
		{"nothing", nil, ErrFormat},
		{"cut in the header", sealed[:bodyAt-1], ErrFormat},
		{"cut in the body", sealed[:len(sealed)-1], ErrRefused},
		{"longer", append(bytes.Clone(sealed), 0), ErrRefused},
		{"something else", other(0, '{'), ErrFormat},
		{"a newer version", other(3, 2), ErrNewer},
		{"another role", other(roleAt, byte(Head)), ErrForeign},
		{"another epoch", other(epochAt, ^sealed[epochAt]), ErrForeign},
	} {
		if got, err := Open(k, c, x.b); !errors.Is(err, x.want) || got != nil {
			t.Errorf("%s: Open = %q, %v; want code %q", x.what, got, err, x.want)
		}
	}
}

func TestKeyIsNeverPrinted(t *testing.T) {
	k := Key([]byte("a key of thirty-two bytes, known"))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "k", k, "in", struct{ K Key }{k}, "p", &k)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "k", k, "in", struct{ K Key }{k}, "p", &k)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&log, verb, k)
		fmt.Fprintf(&log, verb, []any{&k, struct{ K Key }{k}})
	}
	for _, leak := range []string{"thirty", fmt.Sprintf("%x", k[:]), fmt.Sprintf("%X", k[:]), fmt.Sprint(k[:4])[1:10]} {
		if strings.Contains(log.String(), leak) {
			t.Errorf("printed: %s", log.String())
		}
	}
}

// FuzzOpen: what opens, opens to what was sealed; nothing panics.
func FuzzOpen(f *testing.F) {
	k, c := sample(5)
	sealed := Seal(chance(6), k, c, []byte("plain"))
	f.Add(sealed)
	f.Add(sealed[:40])
	f.Add([]byte("plt\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		EpochOf(b)
		if plain, err := Open(k, c, b); err == nil && !bytes.Equal(b, sealed) {
			t.Errorf("a forgery opens: %q", plain)
		}
	})
}

func FuzzUnpad(f *testing.F) {
	f.Add([]byte("a\x80\x00"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := Unpad(b)
		if err == nil && !bytes.Equal(Pad(plain, func(int) int { return len(b) }, 0), b) {
			t.Errorf("Unpad(%q) = %q does not pad to the same", b, plain)
		}
		if got, err := Unpad(Pad(b, Padme, Overhead)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("Unpad(Pad(%q)) = %q, %v", b, got, err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	k, c := sample(7)
	for _, n := range []int{1 << 10, 64 << 10, 8 << 20} {
		plain, r := make([]byte, n), chance(8)
		dst := make([]byte, 0, n+Overhead)
		b.Run(fmt.Sprint("seal/", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				Append(dst, r, k, c, plain)
			}
		})
		sealed := Seal(r, k, c, plain)
		b.Run(fmt.Sprint("open/", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Open(k, c, sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
