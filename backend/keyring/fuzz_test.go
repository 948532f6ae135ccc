package keyring

import (
	"testing"

	"plait/backend/item"
)

// FuzzStatement: whatever a member signs, and whatever a store shows under any name,
// Build does not panic, and no stranger becomes a member.
func FuzzStatement(f *testing.F) {
	w := &world{t: &testing.T{}, rand: chance(110), statements: map[item.Hash][]byte{}}
	w.first, w.seed = NewDevice(w.rand), NewSeed(w.rand)
	genesis, made, err := Found(w.rand, noon, w.first, w.seed, nil, KDF{})
	w.genesis, w.vault = genesis, VaultID(genesis)
	w.put(made, err)
	phone := NewDevice(w.rand)
	made, err = w.keys(w.first).Admit(noon, phone.Public(), true)
	w.put(made, err)
	made, err = w.keys(w.first).Revoke(w.rand, noon, phone.ID(), item.Vector{{Device: phone.ID(), Inc: 1}: {Seq: 1}})
	w.put(made, err)
	_, made, err = w.keys(w.first).NewRecovery(w.rand, noon)
	w.put(made, err)
	made, err = w.keys(w.first).RequireVersions(noon, map[string]uint64{"settings": 2})
	w.put(made, err)
	w.put([]Statement{w.say(w.first, body{Kind: KindSlot, Slot: &slotBody{KDF: FloorKDF, Salt: make([]byte, 16)}}, nil)}, nil)
	for _, b := range w.statements {
		var e envelope
		if err := decode(b, &e, maxStatement); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(e.Body)
	}
	all := w.statements
	f.Fuzz(func(t *testing.T, b []byte) {
		w.statements = map[item.Hash][]byte{{1}: b}
		for n, x := range all {
			w.statements[n] = x
		}
		signed := newSigned(w.first, b)
		w.statements[signed.Name] = signed.Bytes
		w.statements[named(b).Name] = b
		r, _, err := Build(w.vault, w.genesis, w.statements)
		if err != nil {
			t.Fatal(err)
		}
		r.Events()
		r.Least()
		r.Missing()
		if k, err := r.Unlock(w.first); err == nil {
			k.Current()
		}
	})
}

// newSigned signs bytes as a statement's body, whatever they are.
func newSigned(h Holder, b []byte) Statement {
	return named(encode(envelope{Body: b, Signature: h.Sign("statement", b)}))
}

func FuzzGenesis(f *testing.F) {
	d, s := NewDevice(chance(111)), NewSeed(chance(112))
	good := makeGenesis(d, s.Recovery(), item.Hash{1}, noon)
	f.Add(good)
	f.Add([]byte(`{"plait": 2}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := ParseGenesis(b); err == nil && string(b) != string(good) {
			t.Errorf("a genesis that nobody signed: %s", b)
		}
	})
}
