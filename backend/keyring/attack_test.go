package keyring

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"testing"

	"plait/backend/item"
	"plait/backend/seal"
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

// family is a vault of two devices, and an outsider.
func family(t *testing.T) (w *world, laptop, phone, mallory *Device) {
	t.Helper()
	f := families[without]
	if f == nil {
		f = &founded{w: newWorld(t, 7)}
		f.phone, f.mallory = f.w.admit(f.w.first, true), NewDevice(chance(666))
		families[without] = f
	}
	c := *f.w
	c.t, c.rand, c.statements = t, chance(8), maps.Clone(f.w.statements)
	return &c, c.first, f.phone, f.mallory
}

type founded struct {
	w              *world
	phone, mallory *Device
}

// families are founded once for each set of checks taken out: founding one takes longer than most attacks.
var families = map[[checks]bool]*founded{}

// say makes a statement as h, about the vault as it stands, and does not ask whether
// it counts; claim gives it another author.
func (w *world) say(h Holder, b body, edit func(*body)) Statement {
	b.Format, b.Vault, b.Author, b.Time = format, w.vault, h.Principal(), noon.Unix()
	b.Seen = w.ring().Frontier()
	if edit != nil {
		edit(&b)
	}
	var introduced *Recovery
	return newStatement(h, b, introduced)
}

func claim(p Principal) func(*body) { return func(b *body) { b.Author = p } }

func admission(d *Device) body {
	return body{Kind: KindAdmit, Admit: &admitBody{d.ID(), d.Public(), true}}
}

// epochFor shares a key with everybody in the ring, whoever asks.
func (w *world) epochFor(key seal.Key) body {
	b := body{Kind: KindWrap, Wrap: &wrapBody{}}
	for _, p := range w.ring().recipients() {
		s, err := newShare(w.vault, key, p, w.ring().public(p))
		if err != nil {
			w.t.Fatal(err)
		}
		b.Wrap.Shares = append(b.Wrap.Shares, s)
	}
	return b
}

// with is the world with one more statement in the store.
func (w *world) with(s Statement) *world {
	w.put([]Statement{s}, nil)
	return w
}

func (w *world) counts(s Statement) bool {
	w.with(s)
	for _, e := range w.ring().Events() {
		if e.Name == s.Name {
			return e.Counts
		}
	}
	return false
}

func (w *world) isLive(d *Device) bool {
	m, ok := w.ring().Member(d.ID())
	return ok && !m.Revoked
}

// resign replaces a statement's signature.
func resign(s Statement, signature []byte) Statement {
	var e envelope
	if err := decode(s.Bytes, &e, maxStatement); err != nil {
		panic(err)
	}
	e.Signature = signature
	return named(encode(e))
}

func named(b []byte) Statement { return Statement{sha256.Sum256(b), b} }

var evil = seal.Key([]byte("the attacker's own epoch key, 32"))

// sealsUnder says whether d would seal under key.
func (w *world) sealsUnder(d Holder, key seal.Key) bool {
	_, k, ok := w.keys(d).Current()
	return ok && k == key
}

// Row 1: the store puts its own epoch key in.
func TestAttack1ReplaceKeys(t *testing.T) {
	t.Run("forged", func(t *testing.T) {
		try := func(sign func(w *world, s Statement) Statement) func(t *testing.T) bool {
			return func(t *testing.T) bool {
				w, laptop, phone, mallory := family(t)
				w.with(sign(w, w.say(mallory, w.epochFor(evil), claim(laptop.Principal()))))
				return w.sealsUnder(phone, evil)
			}
		}
		attack(t, checkSignature, map[string]func(*testing.T) bool{
			"signed by the attacker": try(func(_ *world, s Statement) Statement { return s }),
			"not signed":             try(func(_ *world, s Statement) Statement { return resign(s, nil) }),
			"with a signature of something else": try(func(w *world, s Statement) Statement {
				return resign(s, w.first.Sign("statement", []byte("something else")))
			}),
			"signed as a head": try(func(w *world, s Statement) Statement {
				var e envelope
				decoder.Unmarshal(s.Bytes, &e)
				return resign(s, w.first.Sign("head", e.Body))
			}),
		})
	})
	t.Run("by an outsider", func(t *testing.T) {
		try := func(as func(w *world, m *Device)) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, _, phone, mallory := family(t)
				as(w, mallory)
				return w.sealsUnder(phone, evil)
			}
		}
		attack(t, checkAdmitted, map[string]func(*testing.T) bool{
			"who admits itself": try(func(w *world, m *Device) {
				w.with(w.say(m, admission(m), nil))
				w.with(w.say(m, w.epochFor(evil), nil))
			}),
			"who is admitted by another": try(func(w *world, m *Device) {
				friend := NewDevice(w.rand)
				w.with(w.say(friend, admission(friend), nil))
				w.with(w.say(friend, admission(m), nil))
				w.with(w.say(m, w.epochFor(evil), nil))
			}),
			"who has recovery words of its own": try(func(w *world, m *Device) {
				r := NewSeed(w.rand).Recovery()
				b := body{Format: format, Vault: w.vault, Kind: KindWords, Author: r.Principal(), Seen: w.ring().Frontier(),
					Words: &wordsBody{r.Public(), []item.Hash{w.seed.Recovery().ID()}}}
				w.with(newStatement(r, b, r))
				w.with(w.say(r, w.epochFor(evil), nil))
			}),
		})
	})
	t.Run("another key under the epoch's id", func(t *testing.T) {
		try := func(pick func(w *world, laptop, phone *Device) Holder) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, laptop, phone, _ := family(t)
				victim := pick(w, laptop, phone)
				e := item.Hash(sha256.Sum256([]byte("an epoch")))
				b := w.epochFor(evil)
				for i := range b.Wrap.Shares {
					s := &b.Wrap.Shares[i]
					pk, _ := kem.NewPublicKey(w.ring().public(s.To).Receive)
					s.Epoch, s.Sealed = e, hpkeSeal(pk, shareInfo(w.vault, e, s.To), evil[:])
				}
				w.with(w.say(phone, b, nil))
				got, err := w.keys(victim).Epoch(e)
				return err == nil && got == evil
			}
		}
		attack(t, checkEpochID, map[string]func(*testing.T) bool{
			"for a device":    try(func(_ *world, laptop, _ *Device) Holder { return laptop }),
			"for the words":   try(func(w *world, _, _ *Device) Holder { return w.seed.Recovery() }),
			"for a newcomer":  try(func(w *world, laptop, _ *Device) Holder { return w.admit(laptop, true) }),
			"for its own use": try(func(_ *world, _, phone *Device) Holder { return phone }),
		})
	})
	t.Run("a whole vault of its own", func(t *testing.T) {
		try := func(genesis func(w *world, m *Device) []byte) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, _, _, mallory := family(t)
				w.genesis = genesis(w, mallory)
				r, _, err := Build(w.vault, w.genesis, nil)
				if err != nil {
					return false
				}
				_, ok := r.Member(mallory.ID())
				return ok
			}
		}
		attack(t, checkVaultID, map[string]func(*testing.T) bool{
			"all new": try(func(w *world, m *Device) []byte {
				return makeGenesis(m, NewSeed(w.rand).Recovery(), EpochID(evil), noon)
			}),
			"with the same words, if it had them": try(func(w *world, m *Device) []byte { return makeGenesis(m, w.seed.Recovery(), EpochID(evil), noon) }),
			"with the same epoch": try(func(w *world, m *Device) []byte {
				return makeGenesis(m, w.seed.Recovery(), w.ring().genesis.Epoch, noon)
			}),
		})
	})
}

// Row 2: the store adds a device, or gives one other keys.
func TestAttack2Ghost(t *testing.T) {
	t.Run("forged", func(t *testing.T) {
		try := func(by func(w *world, laptop, m *Device) Statement) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, laptop, _, mallory := family(t)
				w.with(by(w, laptop, mallory))
				return w.isLive(mallory)
			}
		}
		attack(t, checkSignature, map[string]func(*testing.T) bool{
			"in a device's name": try(func(w *world, laptop, m *Device) Statement {
				return w.say(m, admission(m), claim(laptop.Principal()))
			}),
			"in the recovery key's name": try(func(w *world, _, m *Device) Statement {
				return w.say(m, admission(m), claim(w.seed.Recovery().Principal()))
			}),
			"a true admission with other keys in it": try(func(w *world, laptop, m *Device) Statement {
				s := w.say(laptop, admission(NewDevice(w.rand)), nil)
				var e envelope
				var b body
				decoder.Unmarshal(s.Bytes, &e)
				decoder.Unmarshal(e.Body, &b)
				b.Admit = admission(m).Admit
				e.Body = encode(b)
				return named(encode(e))
			}),
		})
	})
	t.Run("by itself", func(t *testing.T) {
		attack(t, checkAdmitted, map[string]func(*testing.T) bool{
			"alone": func(t *testing.T) bool {
				w, _, _, mallory := family(t)
				w.with(w.say(mallory, admission(mallory), nil))
				return w.isLive(mallory)
			},
			"each other": func(t *testing.T) bool {
				w, _, _, mallory := family(t)
				friend := NewDevice(w.rand)
				w.with(w.say(mallory, admission(friend), nil))
				w.with(w.say(friend, admission(mallory), nil))
				return w.isLive(mallory)
			},
			"before it was admitted": func(t *testing.T) bool {
				w, laptop, _, mallory := family(t)
				early := w.say(mallory, admission(NewDevice(chance(9))), nil)
				w.put(w.keys(laptop).Admit(noon, mallory.Public(), true))
				return w.counts(early)
			},
		})
	})
	t.Run("other keys for a member's id", func(t *testing.T) {
		// The attacker is a member, and can try as often as it likes.
		try := func(pick func(w *world, laptop *Device) *Device) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, laptop, phone, mallory := family(t)
				victim := pick(w, laptop)
				a := admission(mallory)
				a.Admit.Device = victim.ID()
				last := sorted(slices.Collect(maps.Keys(w.statements)))
				s := w.say(phone, a, nil)
				for i := int64(1); bytes.Compare(s.Name[:], last[len(last)-1][:]) < 0; i++ {
					s = w.say(phone, a, func(b *body) { b.Time += i }) // until it is read last
				}
				w.with(s)
				w.with(w.say(mallory, admission(mallory), claim(victim.Principal())))
				return w.isLive(mallory)
			}
		}
		attack(t, checkDeviceID, map[string]func(*testing.T) bool{
			"the first":    try(func(_ *world, laptop *Device) *Device { return laptop }),
			"a later":      try(func(w *world, laptop *Device) *Device { return w.admit(laptop, true) }),
			"a coming one": try(func(w *world, laptop *Device) *Device { return NewDevice(chance(8)) }),
		})
	})
}

// Row 3: older or other formats, and a lower least version.
func TestAttack3Downgrade(t *testing.T) {
	t.Run("format", func(t *testing.T) {
		statement := func(f uint64) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, laptop, _, mallory := family(t)
				w.with(w.say(laptop, admission(mallory), func(b *body) { b.Format = f }))
				return w.isLive(mallory)
			}
		}
		attack(t, checkFormat, map[string]func(*testing.T) bool{
			"statement 0":                statement(0),
			"statement 2":                statement(2),
			"statement of a far version": statement(1 << 40),
			"genesis": func(t *testing.T) bool {
				w := newWorld(t, 3)
				b := bytes.Replace(w.genesis, []byte(`"plait": 1`), []byte(`"plait": 2`), 1)
				_, err := ParseGenesis(b)
				return !errors.Is(err, Newer)
			},
		})
	})
	t.Run("least version", func(t *testing.T) {
		try := func(lower func(w *world, laptop, phone *Device) Statement) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, laptop, phone, _ := family(t)
				w.put(w.keys(laptop).RequireVersions(noon, map[string]uint64{"settings": 5}))
				w.with(lower(w, laptop, phone))
				return w.ring().Least()["settings"] < 5
			}
		}
		least := func(v uint64) body {
			return body{Kind: KindLeast, Least: &leastBody{map[string]uint64{"settings": v}}}
		}
		attack(t, checkLeast, map[string]func(*testing.T) bool{
			"by its author":     try(func(w *world, laptop, _ *Device) Statement { return w.say(laptop, least(4), nil) }),
			"by another device": try(func(w *world, _, phone *Device) Statement { return w.say(phone, least(1), nil) }),
			"to nothing":        try(func(w *world, _, phone *Device) Statement { return w.say(phone, least(0), nil) }),
		})
	})
}

// Row 5: changed bytes, under their own name or a new one.
func TestAttack5Flip(t *testing.T) {
	w, laptop, _, _ := family(t)
	s := w.say(laptop, admission(NewDevice(chance(5))), nil)
	for i := range len(s.Bytes) * 8 {
		if i > 400 && i%11 != 0 { // the keys are long, and all alike
			continue
		}
		b := bytes.Clone(s.Bytes)
		b[i/8] ^= 1 << (i % 8)
		if x, err := parseStatement(w.vault, s.Name, b); err == nil {
			t.Errorf("bit %d flipped: read as %v", i, x.body.Kind)
		}
		if x, err := parseStatement(w.vault, named(b).Name, b); err == nil && x.verify(laptop.Public()) == nil {
			t.Errorf("bit %d flipped, renamed: counts", i)
		}
		if i < len(w.genesis)*8 {
			g := bytes.Clone(w.genesis)
			g[i/8] ^= 1 << (i % 8)
			if _, err := ParseGenesis(g); err == nil {
				t.Errorf("genesis with bit %d flipped is read", i)
			}
		}
	}
	flip := func(at int) func(*testing.T) bool {
		return func(t *testing.T) bool {
			w, laptop, _, _ := family(t)
			s := w.say(laptop, body{Kind: KindLeast, Least: &leastBody{map[string]uint64{"settings": 5}}}, nil)
			b := bytes.Clone(s.Bytes)
			at := bytes.Index(b, []byte("settings")) + at
			b[at] ^= 1
			return w.counts(named(b))
		}
	}
	attack(t, checkSignature, map[string]func(*testing.T) bool{"text": flip(0), "more text": flip(5), "number": flip(8)})
}

// Row 7: true statements under other names.
func TestAttack7Swap(t *testing.T) {
	// The store shows an old statement where the revocation was, so that nothing seems missing.
	try := func(show func(w *world, revocation item.Hash)) func(*testing.T) bool {
		return func(t *testing.T) bool {
			w, laptop, phone, _ := family(t)
			made, err := w.keys(laptop).Revoke(w.rand, noon, phone.ID(), item.Vector{})
			w.put(made, err)
			head := w.ring().Frontier() // what the laptop's head names
			show(w, made[0].Name)
			return len(w.ring().Missing(head...)) == 0 && w.isLive(phone)
		}
	}
	attack(t, checkName, map[string]func(*testing.T) bool{
		"an admission": try(func(w *world, r item.Hash) {
			for name, b := range w.statements {
				var e envelope
				var x body
				decoder.Unmarshal(b, &e)
				decoder.Unmarshal(e.Body, &x)
				if x.Kind == KindAdmit {
					w.statements[r] = w.statements[name]
				}
			}
		}),
		"shares": try(func(w *world, r item.Hash) {
			for name, b := range w.statements {
				var e envelope
				var x body
				decoder.Unmarshal(b, &e)
				decoder.Unmarshal(e.Body, &x)
				if x.Kind == KindWrap && len(x.Seen) == 1 && x.Seen[0] == w.vault {
					w.statements[r] = w.statements[name]
				}
			}
		}),
		"one of its own vault": try(func(w *world, r item.Hash) {
			w.statements[r] = w.say(w.first, body{Kind: KindLeast, Least: &leastBody{map[string]uint64{}}}, func(b *body) { b.Seen = []item.Hash{w.vault} }).Bytes
		}),
	})
}

// Row 15, as far as membership goes: what a revoked device did behind its revoker's back.
func TestAttack15Revoked(t *testing.T) {
	try := func(do func(w *world, phone *Device, tablet *Device) []Statement, won func(w *world, tablet *Device) bool) func(*testing.T) bool {
		return func(t *testing.T) bool {
			w, laptop, phone, _ := family(t)
			tablet := w.admit(laptop, true)
			unseen := do(w, phone, tablet)
			w.put(w.keys(laptop).Revoke(w.rand, noon, phone.ID(), item.Vector{}))
			w.put(unseen, nil)
			return won(w, tablet)
		}
	}
	ghost := NewDevice(chance(15))
	stolen := NewSeed(chance(16)).Recovery()
	words := func(w *world, phone *Device) Statement {
		b := body{Format: format, Vault: w.vault, Kind: KindWords, Author: phone.Principal(), Seen: w.ring().Frontier(),
			Words: &wordsBody{stolen.Public(), []item.Hash{w.seed.Recovery().ID()}}}
		return newStatement(phone, b, stolen)
	}
	attack(t, checkRevoked, map[string]func(*testing.T) bool{
		"admits a ghost": try(func(w *world, phone, _ *Device) []Statement {
			return []Statement{w.say(phone, admission(ghost), nil)}
		}, func(w *world, _ *Device) bool { return w.isLive(ghost) }),
		"through a friend": try(func(w *world, phone, _ *Device) []Statement {
			f := NewDevice(chance(17))
			a := w.say(phone, admission(f), nil)
			return []Statement{a, w.say(f, admission(ghost), func(b *body) { b.Seen = []item.Hash{a.Name} })}
		}, func(w *world, _ *Device) bool { return w.isLive(ghost) }),
		"revokes a third": try(func(w *world, phone, tablet *Device) []Statement {
			return []Statement{w.say(phone, body{Kind: KindRevoke, Revoke: &revokeBody{tablet.ID(), []limit{}}}, nil)}
		}, func(w *world, tablet *Device) bool { return !w.isLive(tablet) }),
		"changes the words": try(func(w *world, phone, _ *Device) []Statement {
			return []Statement{words(w, phone)}
		}, func(w *world, _ *Device) bool { return w.ring().Recognise(stolen) == nil }),
		"makes an epoch": try(func(w *world, phone, _ *Device) []Statement {
			return []Statement{w.say(phone, w.epochFor(evil), nil)}
		}, func(w *world, tablet *Device) bool { _, err := w.keys(tablet).Epoch(EpochID(evil)); return err == nil }),
	})
}

// Row 23, as far as membership goes: who may not change what runs can't have others do it.
func TestAttack23Run(t *testing.T) {
	try := func(do func(w *world, weak *Device) *Device) func(*testing.T) bool {
		return func(t *testing.T) bool {
			w, laptop, _, _ := family(t)
			d := do(w, w.admit(laptop, false))
			m, ok := w.ring().Member(d.ID())
			return ok && m.Run
		}
	}
	attack(t, checkRun, map[string]func(*testing.T) bool{
		"admits":       try(func(w *world, weak *Device) *Device { return w.admit(weak, true) }),
		"admits twice": try(func(w *world, weak *Device) *Device { return w.admit(w.admit(weak, true), true) }),
		"admits itself again": try(func(w *world, weak *Device) *Device {
			w.put(w.keys(weak).Admit(noon, weak.Public(), true))
			return weak
		}),
		"by new words": try(func(w *world, weak *Device) *Device {
			seed, made, err := w.keys(weak).NewRecovery(w.rand, noon)
			w.put(made, err)
			return w.admit(seed.Recovery(), true)
		}),
	})
}
