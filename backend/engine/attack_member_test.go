package engine

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/keyring"
	"plait/backend/store"
)

// The tablet is hostile: its owner lost it, or its program is another. It was admitted
// without the right to change what runs elsewhere.
func (s *scene) hostile() *device {
	s.tablet.mustSync()
	s.laptop.mustSync()
	s.w.tick(time.Minute)
	return s.tablet
}

// tabletSets publishes one write of the tablet's.
func tabletSets(n item.Name, k item.Key, v item.Value) func(*scene) {
	return func(s *scene) { s.say(s.hostile(), nil, s.sets(s.tablet, n, k, v)) }
}

func TestAttack9Inject(t *testing.T) { runAttacks(t, attack9Inject()) }

func attack9Inject() []attack {
	run := []hook{here(checkShape)}
	evil := shows("User/settings.json", "evil")
	return []attack{
		{row: 9, name: "a setting in a comment's place", third: true, member: true, mount: tabletSets(settingsItem, item.Key{Lane: item.LaneComment, Path: "/a"}, textValue(`"evil": true,`)), won: evil, out: run},
		{row: 9, name: "a setting behind a comment", third: true, member: true, mount: tabletSets(settingsItem, item.Key{Lane: item.LaneTrail, Path: "/b"}, textValue("// c\n, \"evil\": true")), won: evil, out: run},
		{row: 9, name: "settings inside a value", third: true, member: true, mount: tabletSets(settingsItem, at("terminal"), jsonValue(`{"evil": 1}`)), won: evil, out: run},
		{row: 9, name: "a file of a stranger", mount: func(s *scene) { s.ghostHead(s.ghost) }, won: shows("User/settings.json", "666"), code: "stranger", object: "heads/",
			out: []hook{here(checkMember), inJournal("checkSigned"), here(checkRevoked)}},
		{row: 9, name: "a write that replaces what its author never saw", third: true, member: true, mount: func(s *scene) {
			d := s.hostile()
			en := s.sets(d, settingsItem, at("a"), jsonValue("666"))
			en.Writes[0].Replaces = append(slices.Clone(en.Writes[0].Replaces), item.Dot{Author: s.laptop.e.meta.Me, Seq: 4000})
			s.say(d, nil, en)
		}, won: shows("User/settings.json", "666"), code: "changed", object: "heads/", device: tablet, out: []hook{here(checkSane)}},
	}
}

func TestAttack14Fork(t *testing.T) { runAttacks(t, attack14Fork()) }

func attack14Fork() []attack {
	set := func(s *scene, v string) *item.Entry { return s.sets(s.tablet, settingsItem, at("fork"), jsonValue(v)) }
	return []attack{
		{row: 14, name: "two heads of one number", third: true, member: true, scar: true, mount: func(s *scene) {
			s.hostile()
			s.say(s.tablet, nil, set(s, "1"))
			s.say(s.tablet, nil, set(s, "2"))
		}, won: shows("User/settings.json", "fork"), code: "forked", object: "heads/", device: tablet, out: []hook{here(checkTwin)}},
		{row: 14, name: "a second history behind what was read", third: true, member: true, scar: true, mount: func(s *scene) {
			s.hostile()
			first := s.say(s.tablet, nil, set(s, "1"), set(s, "2"))
			if _, err := s.phone.sync(RoundOptions{}); err != nil {
				s.t.Fatal(err)
			}
			s.raw.Remove(first)
			s.say(s.tablet, func(h *journal.Head) { h.N += 5 }, set(s, "3"), set(s, "4"), s.sets(s.tablet, settingsItem, at("second"), jsonValue("5")))
		}, won: shows("User/settings.json", "second"), code: "forked", object: "heads/", device: tablet,
			out: []hook{here(checkChain), here(checkCausal)}},
		{row: 14, name: "one history for each of two, who then meet", third: true, member: true, scar: true, mount: func(s *scene) {
			s.hostile()
			was := s.w.bucket.Snapshot()
			s.say(s.tablet, nil, set(s, "1"))
			if _, err := s.laptop.sync(RoundOptions{}); err != nil {
				s.t.Fatal(err)
			}
			s.laptop.e.cfg.sizes.snapshotEntries = 1 << 30
			s.w.tick(renewAfter + 1)
			if _, err := s.laptop.sync(RoundOptions{}); err != nil { // its head says what it saw
				s.t.Fatal(err)
			}
			for n := range s.w.bucket.Snapshot() {
				if _, ok := was[n]; !ok && strings.Contains(n, s.tablet.e.Device().String()) {
					s.raw.Remove(n)
				}
			}
			s.say(s.tablet, nil, set(s, "2"))
		}, won: func(s *scene, r *Round) bool { return !named(r, "forked") }, code: "forked", object: "heads/", device: tablet, out: []hook{here(checkSeen)}},
	}
}

// revoked makes the laptop revoke the tablet, as the laptop knows it now.
func (s *scene) revoked() {
	ss, err := s.laptop.e.Keys().Revoke(s.laptop.rand, s.w.now, s.tablet.e.Device(), s.laptop.e.Vector())
	s.w.must(err)
	s.w.must(s.laptop.e.AddStatements(ss))
	s.laptop.mustSync()
	s.honest = s.w.bucket.Snapshot()
	s.w.devices = []*device{s.laptop, s.phone}
}

func TestAttack15Revoked(t *testing.T) { runAttacks(t, attack15Revoked()) }

func attack15Revoked() []attack {
	zombie := shows("User/settings.json", "zombie")
	set := func(s *scene) *item.Entry { return s.sets(s.tablet, settingsItem, at("zombie"), jsonValue("1")) }
	return []attack{
		{row: 15, name: "it writes on, to who knows of the revocation", third: true, mount: func(s *scene) {
			s.hostile()
			s.revoked()
			s.phone.mustSync()
			s.honest = s.w.bucket.Snapshot()
			s.say(s.tablet, nil, set(s))
		}, won: zombie, out: []hook{here(checkRevoked)}},
		{row: 15, name: "it wrote, and its revoker had not seen it", third: true, mount: func(s *scene) {
			s.hostile()
			s.revoked()
			s.say(s.tablet, nil, set(s))
		}, won: zombie, out: []hook{here(checkRevoked)}},
		{row: 15, name: "an older head of its is shown again", third: true, mount: func(s *scene) {
			s.hostile()
			s.say(s.tablet, nil, set(s))
			old := s.w.bucket.Snapshot()
			for n := range old {
				if _, was := s.honest[n]; !was && strings.Contains(n, s.tablet.e.Device().String()) {
					s.raw.Remove(n)
				}
			}
			s.revoked()
			for n, b := range old {
				if !s.raw.Has(n) {
					s.raw.Set(n, b)
				}
			}
		}, won: zombie, out: []hook{here(checkRevoked)}},
		{row: 15, name: "it admits a friend", third: true, mount: func(s *scene) {
			s.hostile()
			ss, err := s.tablet.e.Keys().Admit(s.w.now, s.ghost.Public(), true)
			s.w.must(err)
			s.revoked()
			s.inject(ss)
		}, won: shows("User/settings.json", "666"), out: []hook{inKeyring("checkRevoked")}},
		{row: 15, name: "it reads on, since its revoker made no new key", third: true, mount: func(s *scene) {
			s.hostile()
			ss, err := s.laptop.e.Keys().Revoke(s.laptop.rand, s.w.now, s.tablet.e.Device(), s.laptop.e.Vector())
			s.w.must(err)
			s.raw.Set(store.HashName(store.Keys, ss[0].Name), ss[0].Bytes)
			s.say(s.laptop, func(h *journal.Head) {
				h.Keys = append(h.Keys, ss[0].Name)
				slices.SortFunc(h.Keys, func(a, b item.Hash) int { return bytes.Compare(a[:], b[:]) })
			})
			s.phone.write("notes/own.txt", "written after the revocation")
			s.w.devices = []*device{s.laptop, s.phone}
			s.honest = s.w.bucket.Snapshot()
		}, won: func(s *scene, r *Round) bool {
			for n, b := range s.wrote() {
				h, err := journal.ParseHeadName(n)
				if err != nil {
					continue
				}
				if _, err := s.tablet.e.openVault().Head(h, b, s.phone.keys.Public().Sign); err == nil {
					return true
				}
			}
			return false
		}, out: []hook{inKeyring("checkRecipients")}},
	}
}

func TestAttack21Bombs(t *testing.T) { runAttacks(t, attack21Bombs()) }

func attack21Bombs() []attack {
	nest := func(n int) string { return strings.Repeat("[", n) }
	deep := shows("User/settings.json", "deep")
	return []attack{
		{row: 21, name: "JSON nested 20,000 deep", third: true, member: true, mount: tabletSets(settingsItem, at("deep"), jsonValue(nest(20000)+strings.Repeat("]", 20000))), won: deep, out: []hook{deepJSON}},
		{row: 21, name: "a setting 1,200 names down", third: true, member: true, mount: tabletSets(settingsItem, item.Key{Path: "/deep" + strings.Repeat("/d", 1200)}, jsonValue("1")), won: deep, out: []hook{deepJSON}},
		{row: 21, name: "JSON that never closes", third: true, member: true, mount: tabletSets(settingsItem, at("deep"), jsonValue(nest(200000))), won: deep,
			cannot: "what does not parse is laid out nowhere"},
		{row: 21, name: "a content of 2^60 bytes", third: true, member: true, mount: func(s *scene) {
			d := s.hostile()
			d.write("notes/other.bin", noise(7, 100<<10))
			if _, err := d.sync(RoundOptions{}); err != nil {
				s.t.Fatal(err)
			}
			c := *d.content("notes/other.bin").Large
			c.Size = 1 << 60
			s.say(d, nil, s.sets(d, item.NewName("notes", item.Files, "", "bomb.bin"), item.Key{}, item.Value{Kind: item.Blob, Large: &c, Mode: 0o644}))
		}, won: func(s *scene, r *Round) bool { return s.phone.read("notes/bomb.bin") != "(none)" }, code: "changed", device: tablet, out: []hook{inJournal("checkSize"), inChunk("checkSize")}},
		{row: 21, name: "a text of more than 4 MiB, packed into a head", third: true, member: true, mount: func(s *scene) {
			d := s.hostile()
			hooked(s, []hook{inJournal("checkSize")}, func() string {
				return s.say(d, nil, s.sets(d, item.NewName("default", item.Prompts, "", "bomb.md"), item.Key{}, textValue(strings.Repeat("bomb", 1<<20)+"!")))
			})
		}, won: func(s *scene, r *Round) bool { return s.phone.read("User/prompts/bomb.md") != "(none)" }, code: "changed", object: "heads/", device: tablet, out: []hook{inJournal("checkSize")}},
		{row: 21, name: "an entry numbered 2^63", third: true, member: true, mount: func(s *scene) {
			d := s.hostile()
			hooked(s, []hook{inJournal("checkNumbers"), inJournal("checkInline")}, func() string {
				return s.say(d, func(h *journal.Head) {
					en := s.sets(d, settingsItem, at("n"), jsonValue("1"))
					en.Author, en.Seq, en.Prev, en.Time, en.Action, en.Deps = h.Author, 1<<63, item.Hash{1}, h.Time, item.Edit, h.Vector
					r, _, err := journal.Encode(en, nil)
					s.w.must(err)
					h.Seq, h.Hash, h.Segments, h.Inline = en.Seq, r.Hash, nil, []journal.Record{r}
				})
			})
		}, won: shows("User/settings.json", `"n"`), code: "changed", object: "heads/", device: tablet, cannot: "no segments lead to it"},
	}
}

func TestAttack23Execute(t *testing.T) { runAttacks(t, attack23Execute()) }

func attack23Execute() []attack {
	run := []hook{here(checkRun)}
	evil := func(file string) func(*scene, *Round) bool { return shows(file, "evil") }
	return []attack{
		{row: 23, name: "a task", third: true, member: true, mount: tabletSets(tasksItem, at("tasks", "build", "command"), jsonValue(`"evil"`)), won: evil("User/tasks.json"), out: run},
		{row: 23, name: "a terminal's profile", third: true, member: true, mount: tabletSets(settingsItem, at("terminal.integrated.profiles.linux", "bash", "path"), jsonValue(`"evil"`)), won: evil("User/settings.json"), out: run},
		{row: 23, name: "the path of a program", third: true, member: true, mount: tabletSets(settingsItem, at("git.path"), jsonValue(`"evil"`)), won: evil("User/settings.json"), out: run},
		{row: 23, name: "in a comment", third: true, member: true, mount: tabletSets(settingsItem, item.Key{Lane: item.LaneComment, Path: "/a"}, textValue(`"git.path": "evil",`)), won: evil("User/settings.json"), out: []hook{here(checkShape)}},
		{row: 23, name: "in a document that a harmless layout brings", third: true, member: true, mount: tabletSets(tasksItem, item.Key{Lane: item.LaneSkeleton}, textValue(`{"version": "2.0.0", "tasks": [{"label": "x", "command": "evil"}]}`)), won: evil("User/tasks.json"), cannot: "nothing reads a layout's values"},
		{row: 23, name: "in a newcomer's snapshot, as the laptop's word", third: true, member: true, early: true, mount: func(s *scene) {
			s.hostile()
			s.snapshotOf(s.tablet, func(v *scene) {
				it, err := s.tablet.e.item(settingsItem)
				s.w.must(err)
				live := it.Atoms[at("a")].Live
				live[0].Value = jsonValue(`"evil"`)
			})
		}, won: evil("User/settings.json"), code: "changed", object: "snapshots/", device: tablet, out: []hook{here(checkSnapFrom)}},
	}
}

// snapshotOf makes a member publish a snapshot of a state that it forged, and no
// other snapshot be there.
func (s *scene) snapshotOf(d *device, forge func(*scene)) {
	s.t.Helper()
	c, _, err := d.e.loadCursor()
	s.w.must(err)
	forge(s)
	d.e.cfg.sizes.snapshotEntries, d.e.cfg.sizes.snapshotBytes = 0, 0
	c.Snapshot, c.SnapSeq = nil, 0
	sealer, err := d.e.sealer()
	s.w.must(err)
	ref, obj, err := d.e.snapshotDue(&c, sealer)
	s.w.must(err)
	if ref == nil {
		s.t.Fatal("no snapshot")
	}
	for _, n := range s.raw.Names(store.Snapshots) {
		s.raw.Remove(n)
	}
	s.raw.Set(store.HashName(store.Snapshots, ref.Name), obj)
	s.say(d, func(h *journal.Head) { h.Snapshot = ref })
	// The laptop's own is gone, as if it had never made one.
	s.say(s.laptop, func(h *journal.Head) { h.Snapshot = nil; h.N += 3 })
	for _, h := range s.heads(s.laptop)[1:] {
		s.raw.Remove(h)
	}
}

func TestAttack25Recovery(t *testing.T) { runAttacks(t, attack25Recovery()) }

func attack25Recovery() []attack {
	// The old words, after they were changed.
	old := func(does func(k *keyring.Keys, s *scene) ([]keyring.Statement, error)) func(*scene) {
		return func(s *scene) {
			k, err := s.laptop.e.Ring().Unlock(s.w.seed.Recovery())
			s.w.must(err)
			ss, err := does(k, s)
			s.w.must(err)
			_, fresh, err := s.laptop.e.Keys().NewRecovery(s.laptop.rand, s.w.now)
			s.w.must(err)
			s.w.must(s.laptop.e.AddStatements(fresh))
			s.laptop.mustSync()
			s.honest = s.w.bucket.Snapshot()
			s.inject(ss)
		}
	}
	run := []hook{inKeyring("checkRevoked")}
	return []attack{
		{row: 25, name: "the old words admit somebody", mount: old(func(k *keyring.Keys, s *scene) ([]keyring.Statement, error) {
			return k.Admit(s.w.now, s.ghost.Public(), true)
		}), won: shows("User/settings.json", "666"), out: run},
		{row: 25, name: "the old words revoke another", third: true, mount: old(func(k *keyring.Keys, s *scene) ([]keyring.Statement, error) {
			return k.Revoke(s.laptop.rand, s.w.now, s.tablet.e.Device(), item.Vector{})
		}), won: func(s *scene, r *Round) bool {
			m, _ := s.phone.e.Ring().Member(s.tablet.e.Device())
			return m.Revoked
		}, code: "stranger", object: "heads/", out: run},
		{row: 25, name: "the old words make an epoch", mount: old(func(k *keyring.Keys, s *scene) ([]keyring.Statement, error) {
			ss, err := k.Rotate(s.laptop.rand, s.w.now)
			s.extra = ss[len(ss)-1].Name
			return ss, err
		}), won: func(s *scene, r *Round) bool {
			for _, ev := range s.phone.e.Ring().Events() {
				if ev.Name == s.extra.(item.Hash) {
					return ev.Counts
				}
			}
			return false
		}, code: "stranger", object: "heads/", out: run},
	}
}

func TestAttack27Numbers(t *testing.T) { runAttacks(t, attack27Numbers()) }

func attack27Numbers() []attack {
	return []attack{
		{row: 27, name: "a clock of the year 6000", third: true, member: true, mount: func(s *scene) {
			d := s.hostile()
			en := s.sets(d, item.NewName("default", item.Prompts, "", "clock.md"), item.Key{}, textValue("x"))
			en.Time = item.HLC(time.Date(6000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()) << 16
			s.say(d, nil, en)
		}, won: func(s *scene, r *Round) bool { return s.phone.e.meta.Clock.Time().After(s.w.now.Add(time.Hour)) }, out: []hook{here(checkClock)}},
		{row: 27, name: "the latest clock there is", third: true, member: true, mount: func(s *scene) {
			d := s.hostile()
			en := s.sets(d, item.NewName("default", item.Prompts, "", "clock.md"), item.Key{}, textValue("x"))
			en.Time = journal.MaxTime
			s.say(d, nil, en)
		}, won: func(s *scene, r *Round) bool { return s.phone.e.meta.Clock.Time().After(s.w.now.Add(time.Hour)) }, out: []hook{here(checkClock)}},
		{row: 27, name: "a head that saw more than there is", third: true, member: true, mount: func(s *scene) {
			s.say(s.hostile(), func(h *journal.Head) { h.Vector[s.laptop.e.meta.Me] = item.Tip{Seq: 1 << 50} })
		}, won: silent, code: "incomplete", object: "heads/", device: laptop, out: []hook{here(checkSeen)}},
		{row: 27, name: "an entry that builds on more than there is", third: true, member: true, mount: func(s *scene) {
			d := s.hostile()
			en := s.sets(d, settingsItem, at("n"), jsonValue("1"))
			en.Deps = d.e.Vector().Clone()
			delete(en.Deps, d.e.meta.Me)
			en.Deps[s.laptop.e.meta.Me] = item.Tip{Seq: 1 << 50}
			s.say(d, nil, en)
		}, won: silent, code: "incomplete", object: "heads/", device: tablet, out: []hook{here(checkSeen)}},
		{row: 27, name: "a snapshot that covers more than there is, for a newcomer", third: true, trusts: true, member: true, early: true, mount: func(s *scene) {
			s.hostile()
			s.snapshotOf(s.tablet, func(*scene) {
				s.tablet.e.meta.Vector[s.laptop.e.meta.Me] = item.Tip{Seq: 1 << 50}
			})
			delete(s.tablet.e.meta.Vector, s.laptop.e.meta.Me)
		}, won: func(s *scene, r *Round) bool { return s.phone.e.meta.Vector[s.laptop.e.meta.Me].Seq > 1<<40 }, code: "incomplete", object: "heads/", device: laptop,
			out: []hook{here(checkSnapAhead)}},
	}
}

// A guardedDir is an added folder as package vault has it. naive takes its guard away.
type guardedDir struct {
	filesDir
	fs    disk.FS
	naive *bool
}

func (s *guardedDir) Locate(n item.Name) (string, bool, error) {
	if n.Type() != item.Files {
		return "", false, nil
	}
	if *s.naive {
		return path.Join(s.root, n.Rest()), true, nil
	}
	p, err := disk.NewGuard(s.fs, s.root, true).Place(n.Rest())
	return p, true, err
}

func TestAttack22Paths(t *testing.T) { runAttacks(t, attack22Paths()) }

func attack22Paths() []attack {
	const evil = "evil"
	naive := false
	unguarded := afterwards("disk.Guard", &naive)
	named := func(rest string, prepare func(s *scene)) func(*scene) {
		return func(s *scene) {
			for _, d := range []*device{s.laptop, s.phone} {
				w := d.sources
				d.w.must(d.e.SetSources([]Source{w[0], &guardedDir{filesDir{"notes", "/" + d.name + "/notes", "notes"}, d.fs, &naive}}))
			}
			if prepare != nil {
				prepare(s)
			}
			d := s.hostile()
			s.say(d, nil, &item.Entry{Writes: []item.Write{{Item: item.NewName("notes", item.Files, "", rest), Value: item.Value{Kind: item.Text, Data: []byte(evil), Mode: 0o644}}}})
		}
	}
	at := func(p string) func(*scene, *Round) bool {
		return func(s *scene, _ *Round) bool {
			b, ok := s.phone.fs.Content(p)
			return ok && string(b) == evil
		}
	}
	run := []hook{unguarded}
	return []attack{
		{row: 22, name: "upwards", third: true, member: true, mount: named("../User/keybindings.json", nil), won: at("/phone/User/keybindings.json"), out: run},
		{row: 22, name: "upwards from below", third: true, member: true, mount: named("deep/../../User/keybindings.json", nil), won: at("/phone/User/keybindings.json"), out: run},
		{row: 22, name: "a file of Plait's own", third: true, member: true, mount: named(".plait-new-00000001-x", nil), won: at("/phone/notes/.plait-new-00000001-x"), out: run},
		{row: 22, name: "through a folder that is a symlink", third: true, member: true, mount: named("link/evil.json", func(s *scene) {
			s.phone.fs.Symlink("/phone/User", "/phone/notes/link")
		}), won: at("/phone/User/evil.json"), out: run},
		{row: 22, name: "a name in two Unicode forms", third: true, member: true, mount: named("cafe\u0301.txt", nil), won: at("/phone/notes/cafe\u0301.txt"), out: run},
		{row: 22, name: "with a control character", third: true, member: true, mount: named("a\x1b[2Jb", nil), won: at("/phone/notes/a\x1b[2Jb"), out: run},
	}
}
