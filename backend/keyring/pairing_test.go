package keyring

import (
	"crypto/ecdh"
	"crypto/sha256"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"plait/backend/item"
	"plait/backend/seal"
)

func TestPairing(t *testing.T) {
	w, laptop, _, _ := family(t)
	tablet, code := NewDevice(w.rand), NewPairCode(w.rand)
	typed, err := ParsePairCode(code.Words())
	if err != nil || typed != code {
		t.Fatalf("ParsePairCode: %v", err)
	}
	applied := item.Vector{{Device: laptop.ID(), Inc: 1}: {Seq: 3}}
	inv, first := Invite(w.rand, noon, code, laptop, w.ring(), applied)
	ans, second, err := Respond(w.rand, noon.Add(time.Minute), typed, tablet, "Tab\x1b[31m let", first)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 2048 || len(second) != 2048 {
		t.Errorf("messages of %d and %d bytes", len(first), len(second))
	}
	if err := ans.Admitted(w.ring(), tablet); !errors.Is(err, NotMember) {
		t.Errorf("before it is approved: %v", err)
	}
	j, err := inv.Receive(noon.Add(2*time.Minute), second)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(j.Words, ans.Words) || len(j.Words) != 4 {
		t.Errorf("check words %v and %v", j.Words, ans.Words)
	}
	if j.Name != "Tab?[31m let" || !j.Keys.equal(tablet.Public()) || ans.Vault != w.vault || !ans.Inviter.equal(laptop.Public()) || !ans.Applied.Dominates(applied) {
		t.Errorf("joiner %q, answer %v", j.Name, ans.Applied)
	}
	before := w.ring()
	w.put(w.keys(laptop).Admit(noon, j.Keys, true))
	if err := ans.Admitted(w.ring(), tablet); err != nil {
		t.Error(err)
	}
	// A store that shows the newcomer an older vault.
	older := map[item.Hash][]byte{}
	for n, b := range w.statements {
		if !slices.Contains(before.Frontier(), n) {
			older[n] = b
		}
	}
	if r, _, err := Build(w.vault, w.genesis, older); err != nil || ans.Admitted(r, tablet) != Incomplete {
		t.Errorf("an older vault: %v, %v", ans.Admitted(r, tablet), err)
	}
}

// Row 24: who stands between the two devices.
func TestAttack24Pairing(t *testing.T) {
	cheap(t)
	code := NewPairCode(chance(60))
	old := code
	old[0] ^= 1
	other := NewPairCode(chance(61))
	invite := func(t *testing.T, seed uint64) (*world, *Invitation, []byte) {
		w, laptop, _, _ := family(t)
		i, m := Invite(chance(seed), noon, code, laptop, w.ring(), nil)
		return w, i, m
	}
	mallory, tablet := NewDevice(chance(62)), NewDevice(chance(63))
	received := func(i *Invitation, m []byte) bool { _, err := i.Receive(noon, m); return err == nil }
	answerTo := func(c PairCode, d *Device, shows Public, to []byte) []byte {
		b := encode(answer{format, sha256.Sum256(to), shows, "tablet"})
		return post(chance(64), c, "joiner", letter{b, d.Sign("answer", b)})
	}

	t.Run("wrong code", func(t *testing.T) {
		with := func(c PairCode) func(*testing.T) bool {
			return func(t *testing.T) bool {
				_, i, m := invite(t, 1)
				return received(i, answerTo(c, mallory, mallory.Public(), m))
			}
		}
		attack(t, checkPairTag, map[string]func(*testing.T) bool{
			"another": with(other), "one bit off": with(old), "none": with(PairCode{}),
			"an offer": func(t *testing.T) bool {
				w, _, _ := invite(t, 1)
				_, m := Invite(chance(65), noon, other, mallory, w.ring(), nil)
				_, _, err := Respond(chance(66), noon, code, tablet, "tablet", m)
				return err == nil
			},
		})
	})
	t.Run("another session's answer", func(t *testing.T) {
		attack(t, checkPairOffer, map[string]func(*testing.T) bool{
			"replayed": func(t *testing.T) bool { // the same code again, after the first try was cut
				_, _, m1 := invite(t, 1)
				_, i2, _ := invite(t, 2)
				return received(i2, answerTo(code, tablet, tablet.Public(), m1))
			},
			"parallel": func(t *testing.T) bool {
				_, i1, _ := invite(t, 1)
				_, _, m2 := invite(t, 2)
				_, reply, err := Respond(chance(67), noon, code, tablet, "tablet", m2)
				return err == nil && received(i1, reply)
			},
			"unknown key share": func(t *testing.T) bool { // who has the code invites into a vault of its own
				w, i, _ := invite(t, 1)
				theirs := newWorld(t, 68)
				_, m := Invite(chance(69), noon, code, theirs.first, theirs.ring(), nil)
				_, reply, err := Respond(chance(70), noon, code, tablet, "tablet", m)
				_ = w
				return err == nil && received(i, reply)
			},
		})
	})
	t.Run("keys of somebody else", func(t *testing.T) {
		shows := func(p func(w *world) Public) func(*testing.T) bool {
			return func(t *testing.T) bool {
				w, i, m := invite(t, 1)
				return received(i, answerTo(code, mallory, p(w), m))
			}
		}
		attack(t, checkPairProof, map[string]func(*testing.T) bool{
			"an outsider's": shows(func(*world) Public { return tablet.Public() }),
			"a member's":    shows(func(w *world) Public { return w.first.Public() }),
			"half its own": shows(func(*world) Public {
				return Public{tablet.Public().Sign, mallory.Public().Receive}
			}),
			"an offer in a member's name": func(t *testing.T) bool {
				w, _, _ := invite(t, 1)
				b := encode(offer{Format: format, Vault: w.vault, Keys: w.first.Public(), Expires: noon.Add(PairFor).Unix(), Seen: w.ring().Frontier()})
				m := post(chance(71), code, "inviter", letter{b, mallory.Sign("offer", b)})
				_, _, err := Respond(chance(72), noon, code, tablet, "tablet", m)
				return err == nil
			},
		})
	})
	t.Run("twice", func(t *testing.T) {
		second := func(reply func(m, first []byte) []byte) func(*testing.T) bool {
			return func(t *testing.T) bool {
				_, i, m := invite(t, 1)
				first := answerTo(code, tablet, tablet.Public(), m)
				return received(i, first) && received(i, reply(m, first))
			}
		}
		attack(t, checkPairOnce, map[string]func(*testing.T) bool{
			"the same":       second(func(_, first []byte) []byte { return first }),
			"another device": second(func(m, _ []byte) []byte { return answerTo(code, mallory, mallory.Public(), m) }),
			"the same device again": second(func(m, _ []byte) []byte {
				_, reply, err := Respond(chance(73), noon, code, tablet, "again", m)
				if err != nil {
					t.Fatal(err)
				}
				return reply
			}),
		})
	})
	t.Run("late", func(t *testing.T) {
		at := func(late time.Duration) func(*testing.T) bool {
			return func(t *testing.T) bool {
				_, i, m := invite(t, 1)
				_, err := i.Receive(noon.Add(late), answerTo(code, tablet, tablet.Public(), m))
				return err == nil
			}
		}
		attack(t, checkPairTime, map[string]func(*testing.T) bool{
			"to the second": at(PairFor), "a day": at(24 * time.Hour),
			"an offer": func(t *testing.T) bool {
				_, _, m := invite(t, 1)
				_, _, err := Respond(chance(74), noon.Add(PairFor), code, tablet, "tablet", m)
				return err == nil
			},
		})
	})
	t.Run("points that anybody can sign with", func(t *testing.T) {
		// R = the identity, S = 0: right under the identity, whatever the message.
		signature := make([]byte, 64)
		signature[0] = 1
		weak := func(y [32]byte) func(*testing.T) bool {
			return func(t *testing.T) bool {
				_, i, m := invite(t, 1)
				p := Public{y[:], mallory.Public().Receive}
				for try := range byte(64) { // of order n, one message in n
					b := encode(answer{format, sha256.Sum256(m), p, string(rune('a' + try))})
					if _, err := i.Receive(noon, post(chance(75), code, "joiner", letter{b, signature})); err == nil {
						return true
					}
				}
				return false
			}
		}
		minus := lowOrderY[0]
		minus[31] |= 0x80
		attack(t, checkPoint, map[string]func(*testing.T) bool{
			"order 1": weak(lowOrderY[1]), "order 2": weak(lowOrderY[4]), "order 4": weak(lowOrderY[0]), "order 4, negative": weak(minus),
			"order 8": weak(lowOrderY[2]), "order 8, another": weak(lowOrderY[3]),
		})
	})
	t.Run("points that share no secret", func(t *testing.T) {
		for _, u := range lowOrderU(t) {
			p := mallory.Public()
			p.Receive = slices.Concat(p.Receive[:receiveSize-32], u)
			if err := p.valid(); !errors.Is(err, Damaged) {
				t.Errorf("X25519 point %x: %v", u, err)
			}
		}
	})
}

// TestLowOrder checks the table by the curve's own equation: doubled three times, each
// point is the identity, and no other y in the neighbourhood is.
func TestLowOrder(t *testing.T) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	mod := func(x *big.Int) *big.Int { return x.Mod(x, p) }
	inverse := func(x *big.Int) *big.Int { return new(big.Int).ModInverse(x, p) }
	d := mod(new(big.Int).Mul(big.NewInt(-121665), inverse(big.NewInt(121666))))
	for _, enc := range lowOrderY {
		le := slices.Clone(enc[:])
		slices.Reverse(le)
		y := mod(new(big.Int).SetBytes(le))
		// x² = (y²-1)/(dy²+1); double: y' = (y²+x²)/(1-dx²y²), x'² = 4x²y²/(1+dx²y²)².
		yy := mod(new(big.Int).Mul(y, y))
		xx := new(big.Int).Mul(new(big.Int).Sub(yy, big.NewInt(1)), inverse(mod(new(big.Int).Add(new(big.Int).Mul(d, yy), big.NewInt(1)))))
		mod(xx)
		if xx.Sign() != 0 && big.Jacobi(xx, p) != 1 {
			t.Errorf("%x is not on the curve", enc)
		}
		for range 3 {
			yy := mod(new(big.Int).Mul(y, y))
			dxy := mod(new(big.Int).Mul(d, new(big.Int).Mul(xx, yy)))
			y = mod(new(big.Int).Mul(new(big.Int).Add(yy, xx), inverse(mod(new(big.Int).Sub(big.NewInt(1), dxy)))))
			plus := inverse(mod(new(big.Int).Add(big.NewInt(1), dxy)))
			xx = mod(new(big.Int).Mul(new(big.Int).Mul(big.NewInt(4), new(big.Int).Mul(xx, yy)), new(big.Int).Mul(plus, plus)))
		}
		if y.Cmp(big.NewInt(1)) != 0 || xx.Sign() != 0 {
			t.Errorf("%x is not of order 8 or less", enc)
		}
	}
}

// lowOrderU is X25519's points of low order: those that give all zeros.
func lowOrderU(t *testing.T) (us [][]byte) {
	for _, first := range []byte{0, 1} {
		u := make([]byte, 32)
		u[0] = first
		us = append(us, u)
	}
	for _, y := range [][32]byte{nearP(0xec), nearP(0xed), nearP(0xee)} {
		us = append(us, y[:])
	}
	for _, u := range us {
		k, err := ecdh.X25519().NewPublicKey(u)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := probe.ECDH(k); err == nil {
			t.Errorf("%x is not of low order", u)
		}
	}
	return us
}

// FuzzPairing: what the holder of the code may send, in order or not, makes no panic.
func FuzzPairing(f *testing.F) {
	cheap(f)
	code, laptop, tablet := NewPairCode(chance(80)), NewDevice(chance(81)), NewDevice(chance(82))
	s := NewSeed(chance(83))
	genesis, _, err := Found(chance(84), noon, laptop, s, nil, KDF{})
	if err != nil {
		f.Fatal(err)
	}
	ring, _, err := Build(VaultID(genesis), genesis, nil)
	if err != nil {
		f.Fatal(err)
	}
	inv, m := Invite(chance(85), noon, code, laptop, ring, item.Vector{{Device: laptop.ID(), Inc: 1}: {Seq: 3}})
	_, reply, err := Respond(chance(86), noon, code, tablet, "tablet", m)
	if err != nil {
		f.Fatal(err)
	}
	for side, b := range map[string][]byte{"inviter": m, "joiner": reply} {
		plain, err := seal.Open(code.key(side), seal.Context{Role: seal.Mailbox, Bind: []byte(side)}, b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, plain []byte) {
		for _, side := range []string{"inviter", "joiner"} {
			b := seal.Seal(chance(87), code.key(side), seal.Context{Role: seal.Mailbox, Bind: []byte(side)}, plain)
			i := *inv
			i.Receive(noon, b)
			if a, _, err := Respond(chance(88), noon, code, tablet, "tablet", b); err == nil && a.Vault != ring.Vault() {
				t.Error("an offer that nobody signed")
			}
		}
	})
}
