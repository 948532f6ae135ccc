package keyring

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"plait/backend/item"
	"plait/backend/seal"
)

// fakeKeychain is a keychain in memory; down makes it unreachable.
type fakeKeychain struct {
	secrets map[string]string
	down    bool
}

var errDown = errors.New("no such service")

func (f *fakeKeychain) Get(account string) (string, bool, error) {
	if f.down {
		return "", false, errDown
	}
	s, ok := f.secrets[account]
	return s, ok, nil
}

func (f *fakeKeychain) Set(account, secret string) error {
	if f.down {
		return errDown
	}
	f.secrets[account] = secret
	return nil
}

func (f *fakeKeychain) Delete(account string) error { delete(f.secrets, account); return nil }

func newFake() *fakeKeychain { return &fakeKeychain{secrets: map[string]string{}} }

func localSample() Local {
	return Local{Vault: item.Hash{1, 2, 3}, Device: NewDevice(chance(100)), DB: seal.NewKey(chance(101)),
		Extra: map[string][]byte{"token": []byte("a token of a server's")}}
}

func typed(s string) func() (Secret, error) {
	return func() (Secret, error) { return Secret(s), nil }
}

func TestLocal(t *testing.T) {
	for _, p := range []Protection{
		{Mode: InFile},
		{Mode: ByKeychain, Keychain: newFake()},
		{Mode: ByPassphrase, Passphrase: Secret("pa\u0301ss"), KDF: FloorKDF},
	} {
		t.Run(string(p.Mode), func(t *testing.T) {
			dir, want := filepath.Join(t.TempDir(), "new"), localSample()
			if _, err := OpenLocal(chance(1), dir, Unlock{}); !errors.Is(err, Missing) {
				t.Errorf("nothing there: %v", err)
			}
			if _, err := CreateLocal(chance(1), dir, want, p); err != nil {
				t.Fatal(err)
			}
			if _, err := CreateLocal(chance(1), dir, want, p); !errors.Is(err, Exists) {
				t.Errorf("created twice: %v", err)
			}
			u := Unlock{Keychain: p.Keychain, Passphrase: typed("p\u00e1ss")} // the same, composed
			l, err := OpenLocal(chance(2), dir, u)
			if err != nil {
				t.Fatal(err)
			}
			if l.Vault != want.Vault || l.Device.ID() != want.Device.ID() || l.DB != want.DB || string(l.Extra["token"]) != string(want.Extra["token"]) || l.Mode != p.Mode || l.Restored || l.Loose {
				t.Errorf("other than was written: %v %v", l.Mode, l.Restored)
			}
			if mode, err := LocalMode(dir); mode != p.Mode || err != nil {
				t.Errorf("LocalMode = %v, %v", mode, err)
			}
			l.Extra["token"] = []byte("another")
			if err := l.Save(); err != nil {
				t.Fatal(err)
			}
			if l, err = OpenLocal(chance(3), dir, u); err != nil || string(l.Extra["token"]) != "another" {
				t.Errorf("after Save: %v", err)
			}
			path := filepath.Join(dir, LocalFile)
			b, _ := os.ReadFile(path)
			if sign, _ := l.Device.seeds(); p.Mode != InFile && (bytes.Contains(b, sign) || bytes.Contains(b, []byte("another"))) {
				t.Error("secrets in clear")
			}
			if files, _ := os.ReadDir(dir); len(files) != 1 {
				t.Errorf("%d files left", len(files))
			}
			if runtime.GOOS != "windows" {
				if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
					t.Errorf("mode %v", info.Mode())
				}
				os.Chmod(path, 0o644)
				if l, err := OpenLocal(chance(3), dir, u); err != nil || !l.Loose {
					t.Errorf("others may read it, and nobody says so: %v", err)
				}
			}
		})
	}
}

func TestLocalLocked(t *testing.T) {
	dir, chain := t.TempDir(), newFake()
	if _, err := CreateLocal(chance(1), dir, localSample(), Protection{Mode: ByKeychain, Keychain: &fakeKeychain{down: true}}); !errors.Is(err, Locked) || !errors.Is(err, errDown) {
		t.Errorf("without a keychain: %v", err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Fatal("a file without its key")
	}
	if _, err := CreateLocal(chance(1), dir, localSample(), Protection{Mode: ByKeychain, Keychain: chain}); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]Keychain{"none": nil, "down": &fakeKeychain{down: true}, "another machine's": newFake()} {
		if _, err := OpenLocal(chance(1), dir, Unlock{Keychain: c}); !errors.Is(err, Locked) {
			t.Errorf("keychain %s: %v", what, err)
		}
	}
	for account := range chain.secrets {
		if n := len(chain.secrets[account]); n > 100 {
			t.Errorf("%d bytes in the keychain", n)
		}
		for _, bad := range []string{"", "x 1", b64.EncodeToString(make([]byte, 32)), b64.EncodeToString(make([]byte, 32)) + " 1"} {
			if _, err := OpenLocal(chance(1), dir, Unlock{Keychain: &fakeKeychain{secrets: map[string]string{account: bad}}}); !errors.Is(err, Damaged) {
				t.Errorf("keychain says %q: %v", bad, err)
			}
		}
	}
}

func TestLocalPassphrase(t *testing.T) {
	dir := t.TempDir()
	if _, err := CreateLocal(chance(1), dir, localSample(), Protection{Mode: ByPassphrase, KDF: KDF{Time: 1, Memory: 8, Threads: 1}}); !errors.Is(err, Weak) {
		t.Errorf("weak: %v", err)
	}
	l, err := CreateLocal(chance(1), dir, localSample(), Protection{Mode: ByPassphrase, Passphrase: pass, KDF: FloorKDF})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLocal(chance(1), dir, Unlock{}); !errors.Is(err, Locked) {
		t.Errorf("nobody to ask: %v", err)
	}
	if _, err := OpenLocal(chance(1), dir, Unlock{Passphrase: typed("wrong")}); !errors.Is(err, WrongPassphrase) {
		t.Errorf("wrong: %v", err)
	}
	// To the keychain, and back into the open.
	chain := newFake()
	if err := l.Protect(Protection{Mode: ByKeychain, Keychain: chain}); err != nil {
		t.Fatal(err)
	}
	if l, err = OpenLocal(chance(1), dir, Unlock{Keychain: chain}); err != nil {
		t.Fatal(err)
	}
	if err := l.Protect(Protection{Mode: InFile}); err != nil || len(chain.secrets) != 0 {
		t.Errorf("%v; %d keys left behind", err, len(chain.secrets))
	}
	if l, err = OpenLocal(chance(1), dir, Unlock{}); err != nil || l.DB != localSample().DB {
		t.Error(err)
	}
	if err := l.Protect(Protection{Mode: "magic"}); err == nil || l.Mode != InFile {
		t.Errorf("a protection that there is not: %v, %v", err, l.Mode)
	}
}

// TestLocalRestored: a backup that was put back is noticed; a crash between file and
// keychain is none.
func TestLocalRestored(t *testing.T) {
	dir, chain := t.TempDir(), newFake()
	l, err := CreateLocal(chance(1), dir, localSample(), Protection{Mode: ByKeychain, Keychain: chain})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, LocalFile)
	backup, _ := os.ReadFile(path)
	chain.down = true
	if err := l.Save(); !errors.Is(err, Locked) {
		t.Errorf("Save without the keychain: %v", err)
	}
	chain.down = false
	for range 2 { // the first mends
		if l, err = OpenLocal(chance(1), dir, Unlock{Keychain: chain}); err != nil || l.Restored {
			t.Fatalf("after a crash: restored %v, %v", l.Restored, err)
		}
	}
	os.WriteFile(path, backup, 0o600)
	if l, err = OpenLocal(chance(1), dir, Unlock{Keychain: chain}); err != nil || !l.Restored {
		t.Errorf("an old backup: %v", err)
	}
}

// TestLocalDamaged: no flipped bit, no cut, and no change by who can write to the
// disk and mends the checksum.
func TestLocalDamaged(t *testing.T) {
	for _, mend := range []bool{false, true} {
		dir, chain := t.TempDir(), newFake()
		if _, err := CreateLocal(chance(1), dir, localSample(), Protection{Mode: ByKeychain, Keychain: chain}); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, LocalFile)
		whole, _ := os.ReadFile(path)
		damage := func(what string, b []byte) {
			if mend && len(b) > sha256.Size {
				sum := sha256.Sum256(b[:len(b)-sha256.Size])
				copy(b[len(b)-sha256.Size:], sum[:])
			}
			if bytes.Equal(b, whole) {
				return
			}
			os.WriteFile(path, b, 0o600)
			_, err := OpenLocal(chance(1), dir, Unlock{Keychain: chain})
			if !errors.Is(err, Damaged) && !errors.Is(err, Newer) && !errors.Is(err, Locked) {
				t.Errorf("%s, mended %v: %v", what, mend, err)
			}
		}
		for i := range whole {
			b := bytes.Clone(whole)
			b[i] ^= 1 << (i % 8)
			damage(fmt.Sprint("byte ", i), b)
		}
		for _, n := range []int{0, 1, 31, 32, 33, len(whole) - 1} {
			damage(fmt.Sprint("cut to ", n), bytes.Clone(whole[:n]))
		}
	}
}

// TestLocalKeepsWhatItDoesNotKnow: fields of a newer version survive a Save.
func TestLocalKeepsWhatItDoesNotKnow(t *testing.T) {
	dir := t.TempDir()
	l, err := CreateLocal(chance(1), dir, localSample(), Protection{Mode: InFile})
	if err != nil {
		t.Fatal(err)
	}
	l.rest = map[uint64]cbor.RawMessage{77: encode("from the future")}
	if err := l.Save(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if l, err = OpenLocal(chance(1), dir, Unlock{}); err != nil {
			t.Fatal(err)
		}
		if string(l.rest[77]) != string(encode("from the future")) {
			t.Fatalf("field 77 is %x", l.rest[77])
		}
		if err := l.Save(); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzLocal(f *testing.F) {
	dir := f.TempDir()
	l, err := CreateLocal(chance(1), dir, localSample(), Protection{Mode: InFile})
	if err != nil {
		f.Fatal(err)
	}
	b, _ := os.ReadFile(filepath.Join(dir, LocalFile))
	f.Add(b[:len(b)-sha256.Size])
	f.Add(l.body())
	f.Add([]byte{0xa1, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := sha256.Sum256(b)
		if x, err := parseLocal(append(bytes.Clone(b), sum[:]...)); err == nil {
			b = x.Body
		}
		var x Local
		if x.parseBody(b) == nil {
			var y Local
			if err := y.parseBody(x.body()); err != nil || y.Device.ID() != x.Device.ID() {
				t.Errorf("does not come back: %v", err)
			}
		}
	})
}

func TestSystemKeychain(t *testing.T) {
	// There may be none here; then it says so, and does not hang or crash.
	c, account := SystemKeychain(), "test of plait, "+strings.Repeat("0", 32)
	if _, ok, err := c.Get(account); ok {
		t.Errorf("has what nobody put: %v", err)
	}
}
