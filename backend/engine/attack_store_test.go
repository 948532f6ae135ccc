package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"slices"
	"strings"
	"testing"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/keyring"
	"plait/backend/store"
)

// flip changes one byte of an object, counted from its end if negative.
func flip(name func(s *scene) string, at int) func(*scene) {
	return func(s *scene) {
		s.raw.Corrupt(name(s), func(b []byte) []byte {
			b[(at+len(b))%len(b)] ^= 1
			return b
		})
	}
}

func newHead(s *scene) string { return s.headOf(s.laptop) }

func freshOne(prefix string) func(*scene) string {
	return func(s *scene) string { return s.fresh(prefix)[0] }
}

// Where in a sealed object its key commitment lies, and what else the header is: see seal/FORMAT.md.
const sealedCommit = 100

func TestAttack5Flip(t *testing.T) { runAttacks(t, attack5Flip()) }

func attack5Flip() []attack {
	quiet := func(s *scene, r *Round) bool {
		return silent(s, r) && strings.Contains(s.phone.read("User/settings.json"), `"a": 3`)
	}
	return []attack{
		{row: 5, name: "the signature of a head", mount: flip(newHead, 3), won: quiet, code: "changed", object: "heads/", device: laptop,
			out: []hook{believesNames, inJournal("checkHash"), inJournal("checkSigned")}},
		{row: 5, name: "the commitment of a head", mount: flip(newHead, 64+sealedCommit), won: quiet, code: "changed", object: "heads/", device: laptop,
			out: []hook{believesNames, inJournal("checkHash"), inJournal("checkSigned"), inSeal("checkCommit")}},
		{row: 5, name: "the commitment of a segment", mount: flip(freshOne(store.Segments), sealedCommit), won: quiet, code: "changed", object: "segments/", device: laptop,
			out: []hook{believesNames, inJournal("checkHash"), inSeal("checkCommit")}},
		{row: 5, name: "what is sealed in a segment", mount: func(s *scene) {
			s.laptop.write("User/settings.json", `{"a": 3, "b": "`+canary+`", "api.token": "ghp_abcdefghijklmnopqrstuvwxyz0123456789"}`)
			s.more()
			s.laptop.write("User/prompts/long.md", text(5, 9<<10))
			s.more()
			s.flipPlain("ghp_abcdefghij")
		}, won: shows("User/settings.json", "fhp_abcdefghij"), code: "changed", object: "segments/", device: laptop,
			out: []hook{believesNames, inJournal("checkHash"), inSeal("checkTag"), inJournal("checkPayload"), inJournal("checkText")}},
		{row: 5, name: "what is sealed in a pack", mount: func(s *scene) {
			s.laptop.write("notes/big.bin", noise(6, 200<<10)) // which does not compress
			s.more()
			at := s.places("notes/big.bin")[0]
			flip(func(*scene) string { return packName(at.Pack) }, int(at.Offset+at.Size/2))(s)
		}, won: strange("notes/big.bin"), code: "changed", object: "packs/", device: laptop,
			out: []hook{believesNames, inSeal("checkTag"), inChunk("checkName"), inChunk("checkWhole")}},
		{row: 5, name: "a snapshot's commitment", mount: flip(func(s *scene) string { return s.named(store.Snapshots) }, sealedCommit), won: quiet, code: "changed", object: "snapshots/", device: laptop,
			out: []hook{believesNames, inJournal("checkHash"), inSeal("checkCommit")}},
	}
}

// named is the snapshot that the laptop's newest head names.
func (s *scene) named(prefix string) string {
	c, _, err := s.laptop.e.loadCursor()
	s.w.must(err)
	return store.HashName(prefix, c.Snapshot.Name)
}

func TestAttack6Cut(t *testing.T) { runAttacks(t, attack6Cut()) }

func attack6Cut() []attack {
	cut := func(name func(*scene) string, keep int) func(*scene) { // all of it but -keep bytes, if that is negative
		return func(s *scene) {
			s.raw.Corrupt(name(s), func(b []byte) []byte { return b[:(keep+len(b))%len(b)] })
		}
	}
	tag := []hook{believesNames, inJournal("checkHash"), inSeal("checkTag")}
	return []attack{
		{row: 6, name: "truncate a head", mount: cut(newHead, -1), won: silent, code: "changed", object: "heads/", device: laptop, out: append(tag, inJournal("checkSigned"))},
		{row: 6, name: "truncate a head to nothing", mount: cut(newHead, 0), won: silent, code: "changed", object: "heads/", device: laptop,
			cannot: "there is nothing left to read"},
		{row: 6, name: "truncate a segment", mount: cut(freshOne(store.Segments), -1), won: silent, code: "changed", object: "segments/", device: laptop, out: tag},
		{row: 6, name: "truncate a pack", mount: cut(freshOne(store.Packs), -1), won: silent, code: "changed", object: "packs/", device: laptop, out: []hook{believesNames}},
		{row: 6, name: "append to a pack", mount: func(s *scene) {
			s.raw.Corrupt(s.fresh(store.Packs)[0], func(b []byte) []byte { return append(b, 0) })
		}, won: silent, code: "changed", object: "packs/", device: laptop, out: []hook{believesNames}},
		{row: 6, name: "truncate a snapshot", mount: cut(func(s *scene) string { return s.named(store.Snapshots) }, -1), won: silent, code: "changed", object: "snapshots/", device: laptop,
			cannot: "as many bytes are read as the signed head says"},
		{row: 6, name: "drop a segment", mount: func(s *scene) { s.raw.Remove(s.fresh(store.Segments)[0]) }, won: newest, code: "incomplete", object: "segments/", device: laptop,
			out: []hook{here(checkThere), here(checkChain), here(checkCausal)}},
		{row: 6, name: "drop a pack", mount: func(s *scene) { s.raw.Remove(s.fresh(store.Packs)[0]) }, won: silent, code: "incomplete", object: "packs/", device: laptop,
			cannot: "its bytes are nowhere else"},
		{row: 6, name: "reorder what is in a pack", mount: func(s *scene) { s.exchange("notes/big.bin", "abc", 0, 2, true) }, won: begins("notes/big.bin", "cccc"), code: "changed", object: "packs/", device: laptop, out: opened},
		{row: 6, name: "duplicate what is in a pack", mount: func(s *scene) { s.exchange("notes/big.bin", "abc", 1, 0, false) }, won: begins("notes/big.bin", "bbbb"), code: "changed", object: "packs/", device: laptop, out: opened},
		{row: 6, name: "duplicate what is in a segment", mount: func(s *scene) {
			s.raw.Corrupt(s.fresh(store.Segments)[0], func(b []byte) []byte { return slices.Concat(b, b) })
		}, won: silent, code: "changed", object: "segments/", device: laptop, cannot: "the stream cipher makes noise of what is appended"},
	}
}

func TestAttack7Swap(t *testing.T) { runAttacks(t, attack7Swap()) }

// newest says that what the laptop wrote last is in the victim's file.
var newest = shows("User/settings.json", `"a": 3`)

func attack7Swap() []attack {
	stale := func(s *scene, r *Round) bool {
		return silent(s, r) && !strings.Contains(s.phone.read("User/settings.json"), `"a": 3`)
	}
	named := []hook{believesNames, inJournal("checkHash"), inJournal("checkName"), inSeal("checkBind")}
	return []attack{
		{row: 7, name: "an older head under the newest's name", mount: func(s *scene) {
			hs := s.heads(s.laptop)
			s.raw.Set(hs[0], s.raw.Get(hs[1]))
		}, won: stale, code: "changed", object: "heads/", device: laptop, out: named},
		{row: 7, name: "two heads exchanged", mount: func(s *scene) {
			hs := s.heads(s.laptop)
			s.raw.Swap(hs[0], hs[2])
		}, won: stale, code: "changed", object: "heads/", device: laptop, out: named},
		{row: 7, name: "two segments exchanged", mount: func(s *scene) {
			s.raw.Swap(s.fresh(store.Segments)[0], s.fresh(store.Segments)[1])
		}, won: newest, code: "changed", object: "segments/", device: laptop,
			out: []hook{believesNames, inJournal("checkHash"), inSeal("checkBind"), inJournal("checkRange"), here(checkChain), here(checkCausal)}},
		{row: 7, name: "two packs exchanged", mount: func(s *scene) {
			x, y := s.blocks("notes/big.bin", "a")[0], s.blocks("notes/small.txt", "b")[0]
			s.raw.Swap(packName(x.Pack), packName(y.Pack))
		}, won: begins("notes/big.bin", "bbbb"), code: "changed", object: "packs/", device: laptop, out: opened},
		{row: 7, name: "an older snapshot for the newest", mount: func(s *scene) {
			name := s.named(store.Snapshots)
			for _, n := range s.fresh(store.Snapshots) {
				if n != name && len(s.raw.Get(n)) == len(s.raw.Get(name)) {
					s.raw.Set(name, s.raw.Get(n))
					return
				}
			}
			s.t.Fatal("no two snapshots are as long")
		}, won: silent, code: "changed", object: "snapshots/", device: laptop,
			out: []hook{believesNames, inJournal("checkHash"), inSeal("checkBind"), inJournal("checkName")}},
		{row: 7, name: "a segment for a snapshot", mount: func(s *scene) {
			s.raw.Set(s.named(store.Snapshots), s.raw.Get(s.fresh(store.Segments)[0]))
		}, won: silent, code: "changed", object: "snapshots/", device: laptop, cannot: "a snapshot is laid out in parts, and a segment is not"},
	}
}

// renamed puts an object under a head's name of the laptop's with something changed.
func renamed(from int, edit func(n *journal.HeadName)) func(*scene) {
	return func(s *scene) {
		b := s.raw.Get(s.heads(s.laptop)[from])
		n, err := journal.ParseHeadName(s.heads(s.laptop)[from])
		s.w.must(err)
		n.Hash = sha256.Sum256(b)
		edit(&n)
		for _, h := range s.heads(s.laptop) {
			if _, was := s.old[h]; !was {
				s.raw.Remove(h)
			}
		}
		s.raw.Set(n.String(), b)
	}
}

func TestAttack8Metadata(t *testing.T) { runAttacks(t, attack8Metadata()) }

func attack8Metadata() []attack {
	open := []hook{inJournal("checkName"), inSeal("checkBind")}
	return []attack{
		{row: 8, name: "an older head with a higher number", mount: renamed(3, func(n *journal.HeadName) { n.N += 50 }), won: silent, code: "changed", object: "heads/", device: laptop, out: open},
		{row: 8, name: "a head of another incarnation", mount: renamed(0, func(n *journal.HeadName) { n.Author.Inc++ }), won: func(s *scene, r *Round) bool { return !named(r, "changed") }, code: "changed", object: "heads/", device: laptop,
			out: open},
		{row: 8, name: "the highest number there is", mount: renamed(3, func(n *journal.HeadName) { n.N = journal.MaxSeq }), won: silent, code: "changed", object: "heads/", device: laptop, out: open},
	}
}

func named(r *Round, code string) bool {
	return slices.ContainsFunc(r.Bad, func(b *Bad) bool { return b.Code == code })
}

func TestAttack13Rollback(t *testing.T) { runAttacks(t, attack13Rollback()) }

func attack13Rollback() []attack {
	seen := func(mount func(s *scene)) func(s *scene) {
		return func(s *scene) {
			s.phone.mustSync()
			s.honest = s.w.bucket.Snapshot()
			mount(s)
		}
	}
	return []attack{
		{row: 13, name: "the whole vault", mount: seen(func(s *scene) {
			for _, n := range s.raw.Names("") {
				if _, was := s.old[n]; !was && !strings.Contains(n, s.phone.e.Device().String()) {
					s.raw.Remove(n)
				}
			}
		}), won: silent, code: "rollback", object: "heads/", device: laptop, out: []hook{here(checkBack), here(checkTip), here(checkEnd)}},
		{row: 13, name: "one head", mount: seen(func(s *scene) { s.raw.Remove(s.headOf(s.laptop)) }), won: silent, code: "rollback", object: "heads/", device: laptop, out: []hook{here(checkBack), here(checkTip), here(checkEnd)}},
		{row: 13, name: "all heads of a device", mount: seen(func(s *scene) {
			for _, h := range s.heads(s.laptop) {
				s.raw.Remove(h)
			}
		}), won: silent, code: "rollback", device: laptop, out: []hook{here(checkGone)}},
		{row: 13, name: "everything", mount: seen(func(s *scene) {
			for _, n := range s.raw.Names("") {
				s.raw.Remove(n)
			}
		}), won: silent, code: "rollback", object: store.VaultFile, out: []hook{here(checkGone), here(checkVault)}},
		{row: 13, name: "this device's own head", mount: seen(func(s *scene) {
			s.phone.write("User/settings.json", `{"a": 3, "b": "`+canary+`", "own": 1}`)
			s.phone.mustSync()
			s.laptop.mustSync()
			s.honest = s.w.bucket.Snapshot()
			s.raw.Remove(s.headOf(s.phone))
		}), won: silent, code: "rollback", device: phone, out: []hook{here(checkGone)}},
	}
}

func TestAttack16Freeze(t *testing.T) { runAttacks(t, attack16Freeze()) }

func attack16Freeze() []attack {
	hide := func(s *scene, d *device) {
		for _, h := range s.heads(d) {
			if _, was := s.old[h]; !was {
				s.raw.Remove(h)
			}
		}
	}
	return []attack{
		{row: 16, name: "one device, of which another tells", third: true, mount: func(s *scene) {
			s.tablet.mustSync()
			s.tablet.write("User/settings.json", `{"a": 3, "b": "`+canary+`", "t": 1}`)
			s.tablet.mustSync()
			s.honest = s.w.bucket.Snapshot()
			hide(s, s.laptop)
		}, won: func(s *scene, r *Round) bool { return !named(r, "incomplete") }, code: "incomplete", object: "heads/", device: laptop, out: []hook{here(checkSeen)}},
		{row: 16, name: "one device, but its renewed word to another is shown", third: true, mount: func(s *scene) {
			s.tablet.mustSync()
			s.w.tick(renewAfter + 1)
			s.tablet.mustSync()
			s.honest = s.w.bucket.Snapshot()
			hide(s, s.laptop)
		}, won: silent, code: "incomplete", object: "heads/", device: laptop, out: []hook{here(checkSeen)}},
		{row: 16, name: "a revocation", third: true, mount: func(s *scene) {
			before := s.w.bucket.Snapshot()
			ss, err := s.laptop.e.Keys().Revoke(s.laptop.rand, s.w.now, s.tablet.e.Device(), s.laptop.e.Vector())
			s.w.must(err)
			s.w.must(s.laptop.e.AddStatements(ss))
			s.laptop.mustSync()
			s.honest = s.w.bucket.Snapshot()
			for _, n := range s.raw.Names(store.Keys) {
				if _, was := before[n]; !was {
					s.raw.Remove(n)
				}
			}
			s.phone.write("notes/own.txt", "written after the revocation")
			s.w.devices = []*device{s.laptop, s.phone}
		}, won: func(s *scene, r *Round) bool {
			for n := range s.wrote() {
				if strings.HasPrefix(n, store.Heads) {
					return true // under a key that the revoked device has
				}
			}
			return false
		}, code: "incomplete", device: laptop, out: []hook{here(checkStatement)}},
	}
}

func TestAttack1Keys(t *testing.T) { runAttacks(t, attack1Keys()) }

func attack1Keys() []attack {
	return []attack{
		{row: 1, name: "another vault in its place", mount: func(s *scene) {
			other := newWorld(s.t, 99)
			other.add("laptop")
			other.devices[0].mustSync()
			s.phone.write("notes/own.txt", "not for others")
			s.w.bucket.Restore(other.bucket.Snapshot())
		}, won: func(s *scene, r *Round) bool { return len(s.wrote()) > 0 }, code: "foreign", object: store.VaultFile, out: []hook{here(checkVault), here(checkGone)}},
		{row: 1, name: "vault.json alone", mount: func(s *scene) {
			g, _, err := keyring.Found(s.laptop.rand, s.w.now, s.ghost, keyring.NewSeed(s.laptop.rand), nil, keyring.KDF{})
			s.w.must(err)
			s.raw.Set(store.VaultFile, g)
		}, won: func(s *scene, r *Round) bool {
			found := false
			s.w.must(s.phone.e.CheckStore(context.Background(), func(c Check) { found = found || c.Object == store.VaultFile && c.Err != nil }))
			return !found // doctor --store has to say so; others never read it again
		}, out: []hook{here(checkVault)}},
		{row: 1, name: "an epoch key of the attacker's, in the laptop's name", mount: func(s *scene) {
			forged := hooked(s, []hook{inKeyring("checkSignature")}, func() []keyring.Statement {
				k, err := s.laptop.e.Ring().Unlock(liar{s.ghost, s.laptop.keys.Principal()})
				s.w.must(err)
				ss, err := k.Rotate(s.laptop.rand, s.w.now)
				s.w.must(err)
				return ss
			})
			s.inject(forged)
			s.extra = forged[len(forged)-1].Name
		}, won: func(s *scene, r *Round) bool {
			_, ok := s.phone.e.known[s.extra.(item.Hash)]
			return ok && s.phone.e.Ring().Missing(s.extra.(item.Hash)) == nil
		}, code: "stranger", object: "heads/", out: []hook{inKeyring("checkSignature")}},
		{row: 1, name: "so many statements that no ring adds up", mount: func(s *scene) {
			var junk []keyring.Statement
			for i := range 9000 {
				b := []byte(strings.Repeat("junk", 1+i%7) + text(uint64(i), 20))
				junk = append(junk, keyring.Statement{Name: sha256.Sum256(b), Bytes: b})
			}
			s.inject(junk)
		}, won: func(s *scene, r *Round) bool { return s.phone.e.loadRing() != nil || len(s.phone.e.known) > 4096 }, code: "stranger", object: "heads/", out: []hook{here(checkRing)}},
	}
}

// liar signs with its own keys in the name of another.
type liar struct {
	*keyring.Device
	as keyring.Principal
}

func (l liar) Principal() keyring.Principal { return l.as }

// hooked makes something with checks taken out: what an attacker's own program does.
func hooked[T any](s *scene, out []hook, fn func() T) T {
	for _, h := range out {
		h.take(s, true)
		defer h.take(s, false)
	}
	return fn()
}

// inject puts statements into the store, and a head of a stranger, so that they are read.
func (s *scene) inject(ss []keyring.Statement) {
	for _, x := range ss {
		s.raw.Set(store.HashName(store.Keys, x.Name), x.Bytes)
	}
	s.ghostHead(s.ghost)
}

// ghostHead is a head that the ghost signed, under the vault's own epoch, which it
// came to know: an entry in it sets "a" to 666.
func (s *scene) ghostHead(as *keyring.Device) string {
	id, key, ok := s.laptop.e.Keys().Current()
	if !ok {
		s.t.Fatal("no epoch")
	}
	a := item.Author{Device: as.ID(), Inc: 7}
	en := s.sets(s.laptop, settingsItem, at("a"), jsonValue("666"))
	en.Author, en.Seq, en.Action, en.Time = a, 1, item.Edit, s.laptop.e.now()
	en.Deps = s.laptop.e.Vector().Clone()
	r, _, err := journal.Encode(en, nil)
	s.w.must(err)
	h := &journal.Head{Author: a, N: 1, Time: en.Time, Seq: 1, Hash: r.Hash, Vector: en.Deps, Keys: s.laptop.e.Ring().Frontier(), Inline: []journal.Record{r}}
	sealer := journal.Sealer{Vault: s.laptop.e.meta.Vault, Epoch: id, Key: key, Rand: s.laptop.rand}
	obj, name, err := sealer.Head(h, func(m []byte) []byte {
		return s.ghost.Sign("head", []byte(strings.TrimPrefix(string(m), "plait head 1\x00")))
	})
	s.w.must(err)
	s.raw.Set(name.String(), obj)
	return name.String()
}

func TestAttack2Ghost(t *testing.T) { runAttacks(t, attack2Ghost()) }

func attack2Ghost() []attack {
	applied := shows("User/settings.json", "666")
	admit := func(by keyring.Holder, out ...hook) func(s *scene) {
		return func(s *scene) {
			ss := hooked(s, out, func() []keyring.Statement {
				if by == nil {
					by = liar{s.ghost, s.laptop.keys.Principal()}
				}
				k, err := s.laptop.e.Ring().Unlock(by)
				s.w.must(err)
				ss, err := k.Admit(s.w.now, s.ghost.Public(), true)
				s.w.must(err)
				return ss
			})
			by = nil
			s.inject(ss)
		}
	}
	return []attack{
		{row: 2, name: "a device that the laptop seems to admit", mount: admit(nil, inKeyring("checkSignature")), won: applied, code: "stranger", object: "heads/", out: []hook{inKeyring("checkSignature")}},
		{row: 2, name: "a head signed by other keys in the laptop's name", mount: func(s *scene) {
			e := s.laptop.e
			sign := s.laptop.keys
			s.laptop.keys = s.ghost
			e.cfg.Keys = s.ghost
			s.say(s.laptop, nil, s.sets(s.laptop, settingsItem, at("a"), jsonValue("666")))
			s.laptop.keys, e.cfg.Keys = sign, sign
		}, won: applied, code: "changed", object: "heads/", device: laptop, out: []hook{inJournal("checkSigned")}},
		{row: 2, name: "something under this device's own name", mount: func(s *scene) {
			b := []byte("not a head")
			n := journal.HeadName{Author: s.phone.e.meta.Me, N: 1000, Hash: sha256.Sum256(b)}
			s.raw.Set(n.String(), b)
			s.extra = s.phone.e.meta.Me
		}, won: func(s *scene, r *Round) bool { return s.phone.e.meta.Me != s.extra.(item.Author) }, code: "changed", object: "heads/", device: phone, out: []hook{here(checkOwnSigned)}},
		{row: 2, name: "a device that admits itself", mount: func(s *scene) {
			k, err := s.laptop.e.Ring().Unlock(s.laptop.keys)
			s.w.must(err)
			ss, err := k.Admit(s.w.now, s.ghost.Public(), true)
			s.w.must(err)
			s.inject([]keyring.Statement{restated(s, ss[0], s.ghost, 1)})
		}, won: applied, code: "stranger", object: "heads/", out: []hook{inKeyring("checkAdmitted")}},
	}
}

func TestAttack14Twin(t *testing.T) { runAttacks(t, attack14Twin()) }

func attack14Twin() []attack {
	return []attack{
		{row: 14, name: "a twin of the newest head, which others signed", mount: func(s *scene) {
			e, sign := s.laptop.e, s.laptop.keys
			e.cfg.Keys = s.ghost
			s.say(s.laptop, func(h *journal.Head) { h.N-- }, s.sets(s.laptop, settingsItem, at("a"), jsonValue("666")))
			e.cfg.Keys = sign
		}, won: func(s *scene, r *Round) bool {
			return named(r, "forked") || !strings.Contains(s.phone.read("User/settings.json"), `"a": 3`)
		}, code: "changed", object: "heads/", device: laptop, out: []hook{inJournal("checkSigned")}},
	}
}

// otherVault is a vault of the same laptop, which its owner founded elsewhere.
func otherVault(s *scene) *world {
	w := newWorld(s.t, 77)
	d := w.machine("laptop")
	d.keys = s.laptop.keys
	w.seed = keyring.NewSeed(d.rand)
	genesis, ss, err := keyring.Found(d.rand, w.now, d.keys, w.seed, nil, keyring.KDF{})
	w.must(err)
	w.must(d.store.Put(context.Background(), store.VaultFile, genesis))
	w.must(Init(d.db, keyring.VaultID(genesis), d.keys.ID(), d.rand, genesis, ss, true))
	d.open()
	w.devices = append(w.devices, d)
	d.write("User/settings.json", `{"a": 666}`)
	d.mustSync()
	return w
}

func TestAttack11OtherVault(t *testing.T) { runAttacks(t, attack11OtherVault()) }

func attack11OtherVault() []attack {
	return []attack{
		{row: 11, name: "a head that the same laptop signed for another vault, whose key a member shares here", third: true, member: true, store: true, mount: func(s *scene) {
			o := otherVault(s)
			_, key, ok := o.devices[0].e.Keys().Current()
			if !ok {
				s.t.Fatal("no epoch")
			}
			d := s.hostile()
			ss, err := d.e.Keys().Rotate(io.MultiReader(bytes.NewReader(key[:]), d.rand), s.w.now)
			s.w.must(err)
			s.w.must(d.e.AddStatements(ss))
			d.mustSync()
			s.honest = s.w.bucket.Snapshot()
			n := o.bucket.Raw().Names(store.Heads)[0]
			s.raw.Set(n, o.bucket.Raw().Get(n))
		}, won: func(s *scene, r *Round) bool {
			for a := range s.phone.e.Vector() {
				if a.Device == s.laptop.e.Device() && a != s.laptop.e.meta.Me {
					return true
				}
			}
			return false
		}, code: "changed", object: "heads/", device: laptop, out: []hook{inSeal("checkVault")}},
		{row: 11, name: "an admission that it signed for another vault", mount: func(s *scene) {
			o := otherVault(s)
			ss, err := o.devices[0].e.Keys().Admit(s.w.now, s.ghost.Public(), true)
			s.w.must(err)
			for h, b := range o.devices[0].e.known {
				ss = append(ss, keyring.Statement{Name: h, Bytes: b})
			}
			s.inject(ss)
		}, won: func(s *scene, r *Round) bool {
			_, ok := s.phone.e.Ring().Member(s.ghost.ID())
			return ok
		}, code: "stranger", object: "heads/", out: []hook{inKeyring("checkVault")}},
		{row: 11, name: "its vault.json and heads in this one's place", mount: func(s *scene) {
			s.phone.write("notes/own.txt", "not for others")
			s.w.bucket.Restore(otherVault(s).bucket.Snapshot())
		}, won: func(s *scene, r *Round) bool { return len(s.wrote()) > 0 }, code: "foreign", object: store.VaultFile, out: []hook{here(checkVault), here(checkGone), here(checkStatement)}},
	}
}
