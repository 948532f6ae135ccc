package keyring

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plait/backend/item"
)

var add = flag.Bool("add", false, "write golden vaults that are not there yet; those that are stay as they are")

// TestGoldenVault: a vault of every format that ever shipped is read as it was. Golden
// vaults are added, never regenerated.
func TestGoldenVault(t *testing.T) {
	const dir = "testdata/vault-1"
	if _, err := os.Stat(dir); *add && err != nil {
		addGolden(t, dir)
	}
	genesis, err := os.ReadFile(filepath.Join(dir, "vault.json"))
	if err != nil {
		t.Fatal(err)
	}
	statements := map[item.Hash][]byte{}
	files, _ := filepath.Glob(filepath.Join(dir, "keys", "*"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		s := named(b)
		if s.Name.String() != filepath.Base(f) {
			t.Errorf("%s is damaged", f)
		}
		statements[s.Name] = b
	}
	r, _, err := Build(VaultID(genesis), genesis, statements)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, "expect.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if got := describe(t, r); got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// goldenHolders are the devices and the words of the golden vault: a laptop, a phone
// that was revoked, a ghost that it admitted, a tablet, the first words, the second.
func goldenHolders() (devices []*Device, seed Seed) {
	for i := range uint64(4) {
		devices = append(devices, NewDevice(chance(1000+i)))
	}
	return devices, NewSeed(chance(1010))
}

func describe(t *testing.T, r *Ring) string {
	var b strings.Builder
	for _, m := range r.Members() {
		fmt.Fprintf(&b, "member %s run %v revoked %v by %v limit %v admitted %s by %s\n", m.Device, m.Run, m.Revoked, m.RevokedBy, m.Limit, m.Admitted.Format("2006-01-02"), m.By)
	}
	for _, e := range r.Events() {
		fmt.Fprintf(&b, "%s %s by %s counts %v\n", e.Name, e.Kind, e.Author, e.Counts)
	}
	fmt.Fprintf(&b, "frontier %v\nleast %v\n", r.Frontier(), r.Least())
	devices, old := goldenHolders()
	seed, err := r.OpenSlot(pass)
	fmt.Fprintf(&b, "slot %v, new words recognised %v, old ones: %v\n", err, r.Recognise(seed.Recovery()) == nil, r.Recognise(old.Recovery()))
	for _, h := range []Holder{devices[0], devices[1], devices[2], devices[3], seed.Recovery()} {
		k, err := r.Unlock(h)
		if err != nil {
			fmt.Fprintf(&b, "%s: %v\n", h.Principal(), err)
			continue
		}
		id, _, ok := k.Current()
		names, err := k.ChunkNames()
		sum := hash("test", names[:])
		fmt.Fprintf(&b, "%s: %d epochs, current %s %v, chunk names %x %v\n", h.Principal(), len(k.epochs), id, ok, sum[:4], err)
	}
	return b.String()
}

func addGolden(t *testing.T, dir string) {
	d, seed := goldenHolders()
	w := &world{t: t, rand: chance(1020), statements: map[item.Hash][]byte{}, first: d[0], seed: seed}
	genesis, made, err := Found(w.rand, noon, w.first, w.seed, nil, KDF{})
	w.genesis, w.vault = genesis, VaultID(genesis)
	w.put(made, err)
	w.put(w.keys(d[0]).Admit(noon.AddDate(0, 0, 1), d[1].Public(), true))
	w.put(w.keys(d[0]).Admit(noon.AddDate(0, 0, 2), d[3].Public(), false))
	ghost, err := w.keys(d[1]).Admit(noon, d[2].Public(), true)
	if err != nil {
		t.Fatal(err)
	}
	w.put(w.keys(d[0]).Revoke(w.rand, noon, d[1].ID(), item.Vector{{Device: d[1].ID(), Inc: 5}: {Seq: 9, Hash: [8]byte{1}}}))
	w.put(ghost, nil)
	_, made, err = w.keys(d[3]).SetPassphrase(w.rand, noon, pass, FloorKDF)
	w.put(made, err)
	w.put(w.keys(d[0]).RequireVersions(noon, map[string]uint64{"settings": 1, "files": 2}))
	write := func(name string, b []byte) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("vault.json", w.genesis)
	for name, b := range w.statements {
		write("keys/"+name.String(), b)
	}
	write("expect.txt", []byte(describe(t, w.ring())))
}
