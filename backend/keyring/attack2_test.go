package keyring

import (
	"bytes"
	"errors"
	"testing"

	"plait/backend/item"
	"plait/backend/seal"
)

var pass = Secret("correct horse")

// slotFor makes a slot as the parameters say, whatever they are.
func (w *world) slotFor(s Seed, owner item.Hash, cost KDF, vault item.Hash) body {
	b := slotBody{Recovery: owner, KDF: cost, Salt: read(w.rand, kdfSalt)}
	b.Sealed = seal.Seal(w.rand, cost.key(pass, b.Salt), b.context(vault), s[:])
	return body{Kind: KindSlot, Slot: &b}
}

// Row 4: a slot whose key costs next to nothing to guess, or with other parameters
// than its maker's.
func TestAttack4KDF(t *testing.T) {
	weak := func(cost KDF) func(*testing.T) bool {
		return func(t *testing.T) bool {
			w, laptop, _, _ := family(t)
			w.with(w.say(laptop, w.slotFor(w.seed, w.seed.Recovery().ID(), cost, w.vault), nil))
			s, err := w.ring().OpenSlot(pass)
			return err == nil && s == w.seed
		}
	}
	attack(t, checkKDF, map[string]func(*testing.T) bool{
		"8 KiB":           weak(KDF{Time: 3, Memory: 8, Threads: 1}),
		"just below":      weak(KDF{Time: 3, Memory: 64<<10 - 1, Threads: 4}),
		"one pass":        weak(KDF{Time: 1, Memory: 64 << 10, Threads: 4}),
		"no memory given": weak(KDF{Time: 3, Memory: 0, Threads: 4}),
	})
	t.Run("changed by the store", func(t *testing.T) {
		cheap(t)
		try := func(change func(b *slotBody)) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, laptop, _, _ := family(t)
				s := w.say(laptop, w.slotFor(w.seed, w.seed.Recovery().ID(), FloorKDF, w.vault), nil)
				var e envelope
				var b body
				decoder.Unmarshal(s.Bytes, &e)
				decoder.Unmarshal(e.Body, &b)
				change(b.Slot)
				e.Body = encode(b)
				w.with(named(encode(e)))
				return w.ring().HasPassphrase()
			}
		}
		attack(t, checkSignature, map[string]func(*testing.T) bool{
			"salt":   try(func(b *slotBody) { b.Salt = make([]byte, kdfSalt) }),
			"passes": try(func(b *slotBody) { b.KDF.Time++ }),
			"sealed": try(func(b *slotBody) { b.Sealed[len(b.Sealed)-1] ^= 1 }),
		})
	})
	for _, k := range []KDF{{3, 4 << 20, 4}, {1 << 30, 64 << 10, 4}, {3, 64 << 10, 255}} {
		if err := k.valid(); !errors.Is(err, Damaged) {
			t.Errorf("%+v, which would stop the reader: %v", k, err)
		}
	}
}

// Row 11: statements, shares and slots out of another vault of the same person, with
// the same device and even the same words in it.
func TestAttack11OtherVault(t *testing.T) {
	cheap(t)
	// twin founds another vault with w's first device and words.
	twin := func(w *world) *world {
		o := &world{t: w.t, rand: w.rand, statements: map[item.Hash][]byte{}, first: w.first, seed: w.seed}
		genesis, made, err := Found(w.rand, noon.AddDate(1, 0, 0), w.first, w.seed, nil, KDF{})
		if err != nil {
			w.t.Fatal(err)
		}
		o.genesis, o.vault = genesis, VaultID(genesis)
		o.put(made, nil)
		return o
	}
	fresh := func(b *body) { b.Seen = []item.Hash{b.Vault} }
	t.Run("statements", func(t *testing.T) {
		try := func(say func(o *world) Statement) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, _, _, _ := family(t)
				return w.counts(say(twin(w)))
			}
		}
		attack(t, checkVault, map[string]func(*testing.T) bool{
			"admission": try(func(o *world) Statement { return o.say(o.first, admission(NewDevice(o.rand)), fresh) }),
			"revocation": try(func(o *world) Statement {
				return o.say(o.first, body{Kind: KindRevoke, Revoke: &revokeBody{o.first.ID(), []limit{}}}, fresh)
			}),
			"shares": try(func(o *world) Statement { return o.say(o.first, o.epochFor(evil), fresh) }),
			"by the words": try(func(o *world) Statement {
				return o.say(o.seed.Recovery(), admission(NewDevice(o.rand)), fresh)
			}),
		})
	})
	t.Run("shares in a member's statement", func(t *testing.T) {
		try := func(pick func(w *world) Holder) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, _, phone, _ := family(t)
				o := twin(w)
				victim := pick(w)
				var b body
				if victim == Holder(w.first) || victim.Principal().IsRecovery() {
					b = o.epochFor(evil)
				} else {
					s, err := newShare(o.vault, evil, victim.Principal(), victim.Public())
					if err != nil {
						t.Fatal(err)
					}
					b = body{Kind: KindWrap, Wrap: &wrapBody{[]share{s}}}
				}
				w.with(w.say(phone, b, nil))
				k, err := w.keys(victim).Epoch(EpochID(evil))
				return err == nil && k == evil
			}
		}
		attack(t, checkShare, map[string]func(*testing.T) bool{
			"to a device":   try(func(w *world) Holder { return w.first }),
			"to the words":  try(func(w *world) Holder { return w.seed.Recovery() }),
			"to a newcomer": try(func(w *world) Holder { return w.admit(w.first, true) }),
		})
	})
	t.Run("slot in a member's statement", func(t *testing.T) {
		try := func(make func(w *world) body) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, _, phone, _ := family(t)
				w.with(w.say(phone, make(w), nil))
				s, err := w.ring().OpenSlot(pass)
				return err == nil && s != w.seed
			}
		}
		mine := func(w *world) item.Hash { return w.seed.Recovery().ID() }
		attack(t, checkSlot, map[string]func(*testing.T) bool{
			"of another vault": try(func(w *world) body {
				return w.slotFor(NewSeed(chance(4)), mine(w), FloorKDF, item.Hash{4})
			}),
			"of other words": try(func(w *world) body {
				other := NewSeed(chance(5))
				b := w.slotFor(other, other.Recovery().ID(), FloorKDF, w.vault)
				b.Slot.Recovery = mine(w)
				return b
			}),
			"by who knows the passphrase": try(func(w *world) body {
				return w.slotFor(NewSeed(chance(6)), mine(w), FloorKDF, w.vault)
			}),
		})
	})
}

// Row 18 is attacked in package seal, on a slot; here that a slot commits.
func TestAttack18Slot(t *testing.T) {
	w, laptop, _, _ := family(t)
	w.with(w.say(laptop, w.slotFor(w.seed, w.seed.Recovery().ID(), FloorKDF, w.vault), nil))
	if _, err := w.ring().OpenSlot(Secret("wrong horse")); !errors.Is(err, WrongPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if s, err := w.ring().OpenSlot(pass); err != nil || s != w.seed {
		t.Errorf("right passphrase: %v", err)
	}
}

// Row 25: recovery keys misused.
func TestAttack25Recovery(t *testing.T) {
	cheap(t)
	t.Run("words that were replaced", func(t *testing.T) {
		try := func(use func(w *world) error) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, laptop, _, _ := family(t)
				_, made, err := w.keys(laptop).NewRecovery(w.rand, noon)
				w.put(made, err)
				return use(w) == nil
			}
		}
		attack(t, checkWords, map[string]func(*testing.T) bool{
			"recognised": try(func(w *world) error { return w.ring().Recognise(w.seed.Recovery()) }),
			"unlock":     try(func(w *world) error { _, err := w.ring().Unlock(w.seed.Recovery()); return err }),
			"by their slot": try(func(w *world) error {
				w.with(w.say(w.first, w.slotFor(w.seed, w.seed.Recovery().ID(), FloorKDF, w.vault), nil))
				_, err := w.ring().OpenSlot(pass)
				return err
			}),
		})
	})
	t.Run("words that were replaced, backdated", func(t *testing.T) {
		ghost := NewDevice(chance(25))
		try := func(do func(w *world) []Statement, won func(w *world) bool) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, laptop, _, _ := family(t)
				unseen := do(w)
				_, made, err := w.keys(laptop).NewRecovery(w.rand, noon)
				w.put(made, err)
				w.put(unseen, nil)
				return won(w)
			}
		}
		mine := NewSeed(chance(26)).Recovery()
		attack(t, checkRevoked, map[string]func(*testing.T) bool{
			"admit": try(func(w *world) []Statement {
				return []Statement{w.say(w.seed.Recovery(), admission(ghost), nil)}
			}, func(w *world) bool { return w.isLive(ghost) }),
			"change the words": try(func(w *world) []Statement {
				r := w.seed.Recovery()
				return []Statement{newStatement(r, body{Format: format, Vault: w.vault, Kind: KindWords, Author: r.Principal(), Seen: w.ring().Frontier(),
					Words: &wordsBody{mine.Public(), []item.Hash{r.ID()}}}, mine)}
			}, func(w *world) bool { return w.ring().Recognise(mine) == nil }),
			"share a key": try(func(w *world) []Statement {
				return []Statement{w.say(w.seed.Recovery(), w.epochFor(evil), nil)}
			}, func(w *world) bool { _, err := w.keys(w.first).Epoch(EpochID(evil)); return err == nil }),
		})
	})
	t.Run("stale recipients", func(t *testing.T) {
		// A store that holds back the new epoch must not have devices seal under the old one.
		try := func(made func(w *world, laptop, phone *Device) []Statement) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, laptop, phone, _ := family(t)
				w.with(made(w, laptop, phone)[0])
				_, _, ok := w.keys(laptop).Current()
				return ok
			}
		}
		all := func(t *testing.T, w *world, made []Statement, err error) []Statement {
			if err != nil {
				t.Fatal(err)
			}
			return made
		}
		attack(t, checkRecipients, map[string]func(*testing.T) bool{
			"after a revocation": try(func(w *world, laptop, phone *Device) []Statement {
				made, err := w.keys(laptop).Revoke(w.rand, noon, phone.ID(), nil)
				return all(t, w, made, err)
			}),
			"after new words": try(func(w *world, laptop, _ *Device) []Statement {
				_, made, err := w.keys(laptop).NewRecovery(w.rand, noon)
				return all(t, w, made, err)
			}),
			"after an admission": try(func(w *world, laptop, _ *Device) []Statement {
				made, err := w.keys(laptop).Admit(noon, NewDevice(w.rand).Public(), true)
				return all(t, w, made, err)
			}),
		})
	})
	t.Run("a vault on somebody else's words", func(t *testing.T) {
		// The attacker knows the public halves of the words: they are in clear in vault.json.
		victim := newWorld(t, 30)
		rec := victim.seed.Recovery()
		pub := rec.Public()
		mallory := NewDevice(chance(31))
		founded := func(sign func(body []byte) []byte) func(*testing.T) bool {
			return func(t *testing.T) bool {
				b := encode(genesisBody{format, mallory.Public(), pub, EpochID(evil), noon.Unix()})
				g := marshalVault(vaultFile{format, about, b64.EncodeToString(b),
					b64.EncodeToString(mallory.Sign("genesis", b)), b64.EncodeToString(sign(b))})
				r, _, err := Build(VaultID(g), g, nil)
				return err == nil && r.Recognise(rec) == nil
			}
		}
		var theirs vaultFile
		if err := jsonUnmarshal(victim.genesis, &theirs); err != nil {
			t.Fatal(err)
		}
		copied, _ := b64.DecodeString(theirs.Recovery)
		t.Run("genesis", func(t *testing.T) {
			attack(t, checkGenesis, map[string]func(*testing.T) bool{
				"not signed by them":         founded(func([]byte) []byte { return nil }),
				"signed by the attacker":     founded(func(b []byte) []byte { return mallory.Sign("genesis", b) }),
				"their signature of another": founded(func([]byte) []byte { return copied }),
			})
		})
		replaced := func(proof func(b []byte) []byte) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w := newWorld(t, 32) // the attacker's
				b := body{Format: format, Vault: w.vault, Kind: KindWords, Author: w.first.Principal(), Seen: w.ring().Frontier(),
					Words: &wordsBody{pub, []item.Hash{w.seed.Recovery().ID()}}}
				e := envelope{Body: encode(b)}
				e.Signature, e.Proof = w.first.Sign("statement", e.Body), proof(e.Body)
				w.with(named(encode(e)))
				return w.ring().Recognise(rec) == nil
			}
		}
		t.Run("later", func(t *testing.T) {
			attack(t, checkPossession, map[string]func(*testing.T) bool{
				"no proof":                   replaced(func([]byte) []byte { return nil }),
				"the attacker's":             replaced(func(b []byte) []byte { return mallory.Sign("new words", b) }),
				"their signature of another": replaced(func([]byte) []byte { return copied }),
				"a statement of theirs":      replaced(func(b []byte) []byte { return rec.Sign("statement", b) }),
			})
		})
	})
}

// TestNewWordsGetEverything: what was sealed before stays readable to the new words,
// and nothing after is to the old ones.
func TestNewWordsGetEverything(t *testing.T) {
	cheap(t)
	w, laptop, phone, _ := family(t)
	e1, _, _ := w.keys(laptop).Current()
	w.put(w.keys(phone).Rotate(w.rand, noon))
	e2, _, _ := w.keys(laptop).Current()
	old := w.keys(w.seed.Recovery())
	seed, made, err := w.keys(phone).SetPassphrase(w.rand, noon, pass, FloorKDF)
	w.put(made, err)
	k := w.keys(seed.Recovery())
	e3, _, ok := k.Current()
	if !ok || e3 == e2 || e2 == e1 {
		t.Fatalf("epochs %s, %s, %s", e1, e2, e3)
	}
	for _, e := range []item.Hash{e1, e2, e3} {
		if _, err := k.Epoch(e); err != nil {
			t.Error(err)
		}
	}
	for _, s := range made {
		var e envelope
		var b body
		decoder.Unmarshal(s.Bytes, &e)
		decoder.Unmarshal(e.Body, &b)
		if b.Wrap == nil {
			continue
		}
		for _, s := range b.Wrap.Shares {
			if s.To == old.me.Principal() {
				t.Errorf("a share for the old words, of epoch %s", s.Epoch)
			}
		}
	}
	if got, err := w.ring().OpenSlot(pass); err != nil || got != seed {
		t.Errorf("OpenSlot: %v", err)
	}
	names, err := k.ChunkNames()
	first, _ := w.keys(laptop).ChunkNames()
	if err != nil || names != first {
		t.Errorf("the chunk-name key changed: %v", err)
	}
	if !bytes.Equal(w.ring().bytes, w.genesis) {
		t.Error("genesis changed")
	}
}
