package keyring

import (
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"plait/backend/item"
)

// chance is a stream of bytes that a seed determines.
func chance(seed uint64) io.Reader {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], seed)
	return rand.NewChaCha8(sha256.Sum256(b[:]))
}

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// A world is a store's view of a vault, and the people who hold its keys.
type world struct {
	t          *testing.T
	rand       io.Reader
	genesis    []byte
	vault      item.Hash
	statements map[item.Hash][]byte
	first      *Device
	seed       Seed
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{t: t, rand: chance(seed), statements: map[item.Hash][]byte{}}
	w.first, w.seed = NewDevice(w.rand), NewSeed(w.rand)
	genesis, made, err := Found(w.rand, noon, w.first, w.seed, nil, KDF{})
	if err != nil {
		t.Fatal(err)
	}
	w.genesis, w.vault = genesis, VaultID(genesis)
	w.put(made, nil)
	return w
}

// put stores new statements.
func (w *world) put(made []Statement, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range made {
		w.statements[s.Name] = s.Bytes
	}
}

// ring builds; keys unlocks too.
func (w *world) ring() *Ring {
	w.t.Helper()
	r, _, err := Build(w.vault, w.genesis, w.statements)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) keys(h Holder) *Keys {
	w.t.Helper()
	k, err := w.ring().Unlock(h)
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// admit brings a new device in.
func (w *world) admit(by Holder, run bool) *Device {
	w.t.Helper()
	d := NewDevice(w.rand)
	w.put(w.keys(by).Admit(noon, d.Public(), run))
	return d
}

func TestLifeOfAVault(t *testing.T) {
	w := newWorld(t, 1)
	phone := w.admit(w.first, false)
	e1, k1, ok := w.keys(w.first).Current()
	if e2, k2, ok2 := w.keys(phone).Current(); !ok || !ok2 || e1 != e2 || k1 != k2 {
		t.Fatalf("current epochs %s %v and %s %v; want one", e1, ok, e2, ok2)
	}
	w.put(w.keys(w.first).Revoke(w.rand, noon, phone.ID(), item.Vector{}))
	if _, err := w.ring().Unlock(phone); err != NotMember {
		t.Errorf("a revoked device unlocks: %v", err)
	}
	e3, _, ok := w.keys(w.first).Current()
	if !ok || e3 == e1 {
		t.Errorf("no new epoch after revoking")
	}
	rec, err := w.ring().Unlock(w.seed.Recovery())
	if err != nil {
		t.Fatal(err)
	}
	tablet := NewDevice(w.rand)
	w.put(rec.Admit(noon, tablet.Public(), true))
	k := w.keys(tablet)
	if e, _, ok := k.Current(); !ok || e != e3 {
		t.Errorf("by recovery: current %s %v; want %s", e, ok, e3)
	}
	if _, err := k.Epoch(e1); err != nil {
		t.Error(err)
	}
	if made, err := k.Maintain(w.rand, noon); err != nil || len(made) != 0 {
		t.Errorf("Maintain made %d, %v; want none", len(made), err)
	}
}

func hpkeSeal(pk hpke.PublicKey, info, plain []byte) []byte {
	return must(hpke.Seal(pk, kdf, aead, info, plain))
}

var jsonUnmarshal = json.Unmarshal

// cheap has the tests that are not about Argon2id's cost spend less on it.
func cheap(t testing.TB) {
	floor, words := FloorKDF, checkWordsKDF
	FloorKDF = KDF{Time: 1, Memory: 64, Threads: 1}
	checkWordsKDF = FloorKDF
	t.Cleanup(func() { FloorKDF, checkWordsKDF = floor, words })
}
