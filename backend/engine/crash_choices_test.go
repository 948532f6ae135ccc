package engine

import (
	"context"
	"fmt"
	"slices"

	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/localdb"
	"plait/backend/state"
)

// decides decides every open conflict of a device: for the other side, or by a text.
func decides(device, text string) crashStep {
	return func(w *world) error {
		e, ctx := w.dev(device).e, context.Background()
		cs, err := e.Conflicts(ctx, "")
		if err != nil {
			return err
		}
		for _, o := range cs {
			c := Choice{Side: o.Side(o.Remote)}
			if text != "" {
				c = Choice{Side: -1, Values: map[item.Key]item.Value{o.Key: {Kind: item.Text, Data: []byte(text)}}}
			}
			ws, err := e.Choose(ctx, &o, c)
			if err == nil {
				err = e.Decide(ws, "")
			}
			if err != nil {
				return err
			}
		}
		_, err = e.ApplyNow(ctx)
		return err
	}
}

// disagree makes two devices disagree about a setting and a file.
func (w *world) disagree() (a, b *device) {
	a, b = w.pair()
	a.write("User/settings.json", changed("12", "14"))
	a.write("notes/one.txt", "one of a\n")
	b.write("User/settings.json", changed("12", "13"))
	b.write("notes/one.txt", "one of b\n")
	a.mustSync()
	return a, b
}

// crashOfChoices are rounds and commands in which a person decides something.
func crashOfChoices() []*crashScenario {
	tasks := `{"version": "2.0.0", "tasks": [{"label": "build", "type": "shell", "command": "make"}]}`
	return []*crashScenario{
		{name: "a conflict and its decision", subject: "b",
			setup: func(w *world) { w.disagree() },
			steps: []crashStep{syncs("b"), decides("b", ""), syncs("b")},
			check: both(conflicts("b", 0), has("b", "User/settings.json", "14, // small"), has("b", "notes/one.txt", "one of a"))},
		{name: "a conflict that stays", subject: "b",
			setup: func(w *world) { w.disagree() },
			steps: []crashStep{syncs("b"), syncs("a"), syncs("b")},
			check: both(conflicts("a", 2), conflicts("b", 2), has("b", "User/settings.json", "13, // small"), has("a", "User/settings.json", "14, // small"))},
		{name: "a large text decides", subject: "b",
			setup: func(w *world) {
				a, b := w.pair()
				a.write("notes/one.txt", noise(6, 100)+"of a")
				b.write("notes/one.txt", noise(7, 100)+"of b")
				a.mustSync()
			},
			steps: []crashStep{syncs("b"), decides("b", noise(8, 5000)), syncs("b")},
			check: both(conflicts("b", 0), has("a", "notes/one.txt", noise(8, 5000)))},
		{name: "a strategy settles", subject: "b",
			setup: func(w *world) {
				_, b := w.disagree()
				b.mustSync()
				w.quiet()
			},
			steps: []crashStep{func(w *world) error { return w.dev("b").e.SetStrategy("default", state.Remote) }, syncs("b"), syncs("a"), syncs("b")},
			check: both(conflicts("b", 0), conflicts("a", 0))},
		{name: "approval", subject: "a",
			setup: func(w *world) {
				w.pair()
				c := w.machine("c")
				w.admit(c, false)
				w.devices = append(w.devices, c)
				w.quiet()
				c.write("User/tasks.json", tasks)
				c.mustSync()
			},
			steps: []crashStep{syncs("a"), func(w *world) error {
				_, err := w.dev("a").e.Approve("default/tasks")
				return err
			}, func(w *world) error {
				_, err := w.dev("a").e.ApplyNow(context.Background())
				return err
			}},
			check: has("a", "User/tasks.json", "make")},
		{name: "restore", subject: "a",
			setup: func(w *world) {
				a, _ := w.pair()
				a.write("User/settings.json", changed("12", "14"))
				a.write("notes/sub/two.txt", "nothing of it is left\n")
				a.mustSync()
				w.quiet()
			},
			steps: []crashStep{func(w *world) error {
				e, ctx := w.dev("a").e, context.Background()
				past, err := e.History(ctx, "default/settings")
				if err != nil {
					return err
				}
				was, err := e.AsOf(ctx, &past[len(past)-1], w.now)
				if err != nil {
					return err
				}
				for _, n := range []item.Name{"default/settings", "notes/files/sub/two.txt"} {
					ws, err := e.Bring(ctx, n, e.ShownOf(n, was[n]))
					if err == nil {
						err = e.Restore(ws, "")
					}
					if err != nil {
						return err
					}
				}
				return nil
			}, func(w *world) error {
				_, err := w.dev("a").e.ApplyNow(context.Background())
				return err
			}, syncs("a")},
			check: both(has("b", "User/settings.json", "12, // small"), has("b", "notes/sub/two.txt", "line of a text"))},
		{name: "an overlay", subject: "a",
			setup: func(w *world) { w.pair() },
			steps: []crashStep{func(w *world) error {
				_, err := w.dev("a").e.Overlay("default/settings", item.Path{"editor.fontSize"}, "device")
				return err
			}, syncs("a"), saves("a", "User/settings.json", changed("12", "15")), syncs("a")},
			check: both(has("a", "User/settings.json", "15, // small"), has("b", "User/settings.json", "12, // small"))},
		{name: "first contact", subject: "b",
			setup: func(w *world) {
				_, b := w.pair()
				b.write("Other/settings.json", changed("12", "16"))
				b.write("Other/prompts/own.md", "Own.\n")
				b.write("Other/snippets/go.json", b.read("User/snippets/go.json"))
			},
			steps: []crashStep{func(w *world) error {
				d := w.dev("b")
				if err := d.e.Attached("default"); err != nil {
					return err
				}
				d.sources = append(d.sources[:2:2], &userDir{id: "other", root: "/b/Other", collection: "default"})
				return d.e.SetSources(d.sources)
			}, syncs("b")},
			check: both(has("b", "Other/prompts/tidy.md", "Tidy"), has("a", "User/prompts/own.md", "Own"))},
		{name: "detach and attach", subject: "a",
			setup: func(w *world) { w.pair() },
			steps: []crashStep{func(w *world) error {
				d := w.dev("a")
				if err := d.e.Detached("notes"); err != nil {
					return err
				}
				d.sources = d.sources[:1]
				return d.e.SetSources(d.sources)
			}, syncs("a"), func(w *world) error {
				d := w.dev("a")
				if d.read("notes/one.txt") != "(none)" {
					d.fs.RemoveAll("/a/notes/one.txt") // not a removal: nobody looks
					d.write("notes/own.txt", "own\n")
				}
				return nil
			}, func(w *world) error {
				d := w.dev("a")
				if err := d.e.Attached("notes"); err != nil {
					return err
				}
				d.sources = append(d.sources[:1:1], &filesDir{id: "notes", root: "/a/notes", collection: "notes"})
				return d.e.SetSources(d.sources)
			}, syncs("a")},
			check: both(has("b", "notes/one.txt", "one"), has("a", "notes/one.txt", "one"), has("b", "notes/own.txt", "own"))},
	}
}

// member makes a device a member in a world's store, by the first device.
func admits(w *world, d *device, run bool) error {
	by := w.dev("a")
	if _, ok := by.e.ring.Member(d.keys.ID()); ok {
		return nil
	}
	ss, err := by.e.Keys().Admit(w.now, d.keys.Public(), run)
	if err != nil {
		return err
	}
	return by.e.AddStatements(ss)
}

// joins begins a device's database, unless it was begun, and opens it.
func joins(name string) crashStep {
	return func(w *world) error {
		d := w.dev(name)
		if d.known() {
			return nil
		}
		by := w.dev("a")
		genesis, err := by.store.Get(context.Background(), "vault.json")
		if err != nil {
			return err
		}
		var all []keyring.Statement
		for h, b := range by.e.known {
			all = append(all, keyring.Statement{Name: h, Bytes: b})
		}
		slices.SortFunc(all, func(a, b keyring.Statement) int { return byName(a.Name, b.Name) })
		if err := Init(d.db, by.e.meta.Vault, d.keys.ID(), d.rand, genesis, all, false); err != nil {
			return err
		}
		return d.start()
	}
}

// crashOfDevices are changes of who belongs to the vault, and what a device is.
func crashOfDevices() []*crashScenario {
	newcomer := func(w *world) *device {
		c := w.machine("c")
		c.fs.WriteFile("/c/User/settings.json", []byte(changed("12", "16")))
		c.fs.WriteFile("/c/notes/own.txt", []byte("own\n"))
		w.devices = append(w.devices, c)
		return c
	}
	busy := func(w *world) {
		w.sizes = sizes{inline: 600, refs: 2, heads: 4, snapshotBytes: 1 << 20, snapshotEntries: 11, past: 4}
		a, _ := w.pair()
		a.write("User/prompts/large.md", noise(12, 30_000))
		a.mustSync()
		for i := range 8 {
			w.must(a.e.SetDevice(a.keys.ID(), "version", fmt.Sprint(i)))
		}
		a.mustSync()
		w.quiet()
	}
	return []*crashScenario{
		{name: "admit", subject: "a",
			setup: func(w *world) { w.pair(); newcomer(w) },
			steps: []crashStep{func(w *world) error { return admits(w, w.dev("c"), true) }, syncs("a"), joins("c"), syncs("c")},
			check: both(has("c", "notes/one.txt", "one"), has("a", "notes/own.txt", "own"), conflicts("c", 1))},
		{name: "join", subject: "c",
			setup: func(w *world) {
				w.pair()
				w.must(admits(w, newcomer(w), true))
				w.dev("a").mustSync()
			},
			steps: []crashStep{joins("c"), syncs("c")},
			check: both(has("c", "notes/one.txt", "one"), has("a", "notes/own.txt", "own"), conflicts("c", 1))},
		{name: "revoke", subject: "a",
			setup: func(w *world) {
				w.pair()
				c := w.add("c")
				w.quiet()
				c.write("notes/of-c.txt", "seen\n")
				c.mustSync()
			},
			steps: []crashStep{syncs("a"), func(w *world) error {
				e := w.dev("a").e
				if m, _ := e.ring.Member(w.dev("c").keys.ID()); m.Revoked {
					return nil
				}
				ss, err := e.Keys().Revoke(w.dev("a").rand, w.now, w.dev("c").keys.ID(), e.Vector())
				if err != nil {
					return err
				}
				return e.AddStatements(ss)
			}, syncs("a"), saves("a", "User/settings.json", changed("12", "14")), saves("a", "notes/new.txt", noise(13, 3000)), syncs("a"), func(w *world) error {
				// It is out: what it does is no part of this.
				w.devices = slices.DeleteFunc(w.devices, func(d *device) bool { return d.name == "c" })
				return nil
			}},
			check: both(has("b", "notes/of-c.txt", "seen"), has("b", "User/settings.json", "14, // small"))},
		{name: "a copied database", subject: "a",
			setup: func(w *world) {
				a, b := w.pair()
				old := a.db.Clone(localdb.Info{Copied: true})
				a.write("User/settings.json", changed("12", "14"))
				a.write("notes/new.txt", noise(14, 3000))
				a.mustSync()
				b.mustSync()
				b.write("notes/one.txt", "one of b\n")
				b.mustSync()
				a.write("User/prompts/tidy.md", "Not sent yet.\n")
				a.db, a.e = old, nil
				a.spool = newCrashSpool()
			},
			steps: []crashStep{syncs("a")},
			// Nobody knows any more what that edit was made on.
			check: both(has("a", "User/prompts/tidy.md", "Not sent"), has("a", "notes/one.txt", "one of b"), conflicts("a", 1))},
		{name: "a copied database with entries that were not sent", subject: "a",
			setup: func(w *world) {
				a, b := w.pair()
				a.write("User/settings.json", changed("12", "14"))
				a.write("notes/one.txt", noise(15, 3000))
				_, err := a.sync(RoundOptions{NoPush: true})
				w.must(err)
				a.db = a.db.Clone(localdb.Info{Copied: true})
				b.write("User/settings.json", changed("\"editor.tabSize\": 4", "\"editor.tabSize\": 2"))
				b.mustSync()
			},
			steps: []crashStep{syncs("a")},
			check: both(has("b", "User/settings.json", "14, // small"), has("a", "User/settings.json", "tabSize\": 2"), has("b", "notes/one.txt", noise(15, 3000)))},
		{name: "write a snapshot", subject: "a",
			setup: func(w *world) { busy(w) },
			steps: []crashStep{saves("a", "User/settings.json", changed("12", "14")), syncs("a"), saves("a", "notes/one.txt", "two\n"), syncs("a"), func(w *world) error {
				if len(w.bucket.Raw().Names("snapshots/")) == 0 {
					w.t.Error("there is no snapshot: this tests nothing")
				}
				return nil
			}}},
		{name: "join by a snapshot", subject: "c",
			setup: func(w *world) {
				busy(w)
				a := w.dev("a")
				a.write("User/settings.json", changed("12", "14"))
				a.mustSync()
				w.must(admits(w, newcomer(w), true))
				a.mustSync()
				if len(w.bucket.Raw().Names("snapshots/")) == 0 {
					w.t.Error("there is no snapshot: this tests nothing")
				}
			},
			steps: []crashStep{joins("c"), syncs("c"), syncs("a"), syncs("b"), syncs("c")},
			check: both(has("c", "User/prompts/large.md", noise(12, 30_000)), has("a", "notes/own.txt", "own"))},
	}
}
