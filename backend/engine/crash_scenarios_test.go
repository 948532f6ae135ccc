package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// quiet syncs all devices until they have everything.
func (w *world) quiet() {
	for range 3 {
		w.tick(10 * time.Second)
		for _, d := range w.devices {
			d.mustSync()
		}
	}
}

// pair is a world of two devices that share some documents and files.
func (w *world) pair() (a, b *device) {
	a = w.add("a")
	a.write("User/settings.json", settings)
	a.write("User/snippets/go.json", "{\n\t\"For\": {\"prefix\": \"for\", \"body\": [\"for {\", \"}\"]}\n}\n")
	a.write("User/prompts/tidy.md", "Tidy up.\n")
	a.write("notes/one.txt", "one\n")
	a.write("notes/sub/two.txt", strings.Repeat("line of a text\n", 200))
	a.mustSync()
	b = w.add("b")
	w.quiet()
	return a, b
}

func saves(device, name, text string) crashStep {
	return func(w *world) error {
		w.dev(device).write(name, text)
		return nil
	}
}

func noise(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 9))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func changed(old, new string) string { return strings.Replace(settings, old, new, 1) }

func crashScenarios() []*crashScenario {
	return slices.Concat(crashOfFiles(), crashOfChoices(), crashOfDevices())
}

// has checks in the end that a device's file holds a text.
func has(device, name, text string) func(w *world) {
	return func(w *world) {
		w.t.Helper()
		if got := w.dev(device).read(name); !strings.Contains(got, text) {
			w.t.Errorf("%s: %s lacks %q:\n%.300s", device, name, text, got)
		}
	}
}

func both(checks ...func(w *world)) func(w *world) {
	return func(w *world) {
		for _, c := range checks {
			c(w)
		}
	}
}

// conflicts checks how many conflicts a device has in the end.
func conflicts(device string, n int) func(w *world) {
	return func(w *world) {
		w.t.Helper()
		cs, err := w.dev(device).e.Conflicts(context.Background(), "")
		w.must(err)
		if len(cs) != n {
			w.t.Errorf("%s has %d conflicts, want %d", device, len(cs), n)
		}
	}
}

// races makes a person save a file in the instant of its next exchange, once.
func races(device, file, text string) crashStep {
	return func(w *world) error {
		d, once := w.dev(device), true
		d.fs.OnExchange(func(p string) {
			if once && strings.HasSuffix(p, file) {
				once = false
				d.fs.WriteFile(p, []byte(text))
			}
		})
		return nil
	}
}

// crashOfFiles are rounds with nothing but edits in them.
func crashOfFiles() []*crashScenario {
	long := strings.Repeat("line of a text\n", 200)
	return []*crashScenario{
		{name: "first sync", subject: "a",
			setup: func(w *world) {
				a := w.add("a")
				w.add("b")
				w.quiet()
				a.write("User/settings.json", settings)
				a.write("User/keybindings.json", `[{"key": "ctrl+k", "command": "x"}]`)
				a.write("User/prompts/tidy.md", "Tidy up.\n")
				a.write("notes/one.txt", "one\n")
				a.write("notes/sub/two.txt", long)
			},
			steps: []crashStep{syncs("a")},
			check: both(has("b", "User/settings.json", settings), has("b", "notes/sub/two.txt", long))},
		{name: "an edit", subject: "a",
			setup: func(w *world) { w.pair() },
			steps: []crashStep{saves("a", "User/settings.json", changed("12", "14")), syncs("a")},
			check: has("b", "User/settings.json", "14, // small")},
		{name: "pull and apply", subject: "b",
			setup: func(w *world) {
				a, _ := w.pair()
				a.write("User/settings.json", changed("12", "14"))
				a.write("User/prompts/new.md", "New.\n")
				a.write("notes/one.txt", "another one\n")
				a.write("notes/deep/er/three.txt", "three\n")
				a.mustSync()
			},
			steps: []crashStep{syncs("b")},
			check: both(has("b", "User/settings.json", "14, // small"), has("b", "notes/deep/er/three.txt", "three"))},
		{name: "a merge", subject: "b",
			setup: func(w *world) {
				a, b := w.pair()
				a.write("User/settings.json", changed("12", "14"))
				a.write("User/prompts/tidy.md", "First.\n\nTidy up.\n")
				a.write("notes/sub/two.txt", "first line\n"+long)
				a.mustSync()
				b.write("User/settings.json", changed("\"editor.tabSize\": 4", "\"editor.tabSize\": 2"))
				b.write("User/prompts/tidy.md", "Tidy up.\n\nThen stop.\n")
				b.write("notes/sub/two.txt", long+"last line\n")
			},
			steps: []crashStep{syncs("b")},
			check: both(has("a", "User/settings.json", "14, // small"), has("a", "User/settings.json", "tabSize\": 2"), has("a", "User/prompts/tidy.md", "First.\n\nTidy up.\n\nThen"),
				has("a", "notes/sub/two.txt", "first line\n"), has("a", "notes/sub/two.txt", "last line\n"))},
		{name: "delete files", subject: "a",
			setup: func(w *world) { w.pair() },
			steps: []crashStep{func(w *world) error {
				for _, p := range []string{"/a/notes/one.txt", "/a/User/prompts/tidy.md"} {
					if _, ok := w.dev("a").fs.Content(p); ok {
						w.dev("a").fs.RemoveAll(p)
					}
				}
				return nil
			}, syncs("a")},
			check: both(has("b", "notes/one.txt", "(none)"), has("b", "User/prompts/tidy.md", "(none)"))},
		{name: "apply deletions", subject: "b",
			setup: func(w *world) {
				a, _ := w.pair()
				a.fs.RemoveAll("/a/notes/one.txt")
				a.fs.RemoveAll("/a/notes/sub")
				a.fs.RemoveAll("/a/User/prompts/tidy.md")
				a.mustSync()
			},
			steps: []crashStep{syncs("b")},
			check: both(has("b", "notes/one.txt", "(none)"), has("b", "User/prompts/tidy.md", "(none)"))},
		{name: "a file removed elsewhere and edited here", subject: "b",
			setup: func(w *world) {
				a, b := w.pair()
				a.fs.RemoveAll("/a/notes/one.txt")
				a.fs.RemoveAll("/a/User/prompts/tidy.md")
				a.mustSync()
				b.write("notes/one.txt", "one, edited\n")
				b.write("User/prompts/tidy.md", "Tidy up, and well.\n")
			},
			steps: []crashStep{syncs("b")},
			check: both(has("b", "notes/one.txt", "edited"), conflicts("b", 2))},
		{name: "rename", subject: "a",
			setup: func(w *world) { w.pair() },
			steps: []crashStep{func(w *world) error {
				if d := w.dev("a"); d.read("notes/one.txt") != "(none)" {
					d.fs.Move("/a/notes/one.txt", "/a/notes/moved.txt")
					d.fs.Mkdir("/a/notes/elsewhere")
					d.fs.Move("/a/notes/sub/two.txt", "/a/notes/elsewhere/two.txt")
				}
				return nil
			}, syncs("a")},
			check: both(has("b", "notes/elsewhere/two.txt", long), has("b", "notes/sub/two.txt", "(none)"))},
		{name: "big files", subject: "a",
			setup: func(w *world) { w.pair() },
			steps: []crashStep{func(w *world) error {
				w.dev("a").write("notes/big.bin", noise(1, 700_000))
				w.dev("a").write("notes/big2.bin", noise(2, 90_000))
				return nil
			}, syncs("a")},
			check: has("b", "notes/big.bin", noise(1, 700_000))},
		{name: "apply big files", subject: "b",
			setup: func(w *world) {
				a, b := w.pair()
				b.write("notes/big2.bin", noise(3, 1_200_000))
				b.mustSync()
				w.quiet()
				a.write("notes/big.bin", noise(1, 700_000))
				a.write("notes/big2.bin", noise(3, 600_000)+"!"+noise(3, 1_200_000)[600_000:])
				a.mustSync()
			},
			steps: []crashStep{syncs("b")},
			check: has("b", "notes/big.bin", noise(1, 700_000))},
		{name: "many files", subject: "b",
			setup: func(w *world) {
				a, _ := w.pair()
				for i := range 12 {
					a.write(fmt.Sprintf("notes/%c/f%02d.txt", 'a'+i%3, i), fmt.Sprint("file ", i, strings.Repeat(".", 200*i)))
				}
				a.mustSync()
			},
			steps: []crashStep{syncs("b")}},
		{name: "a save in the instant of the exchange", subject: "b",
			setup: func(w *world) {
				a, _ := w.pair()
				a.write("User/settings.json", changed("12", "14"))
				a.mustSync()
			},
			steps: []crashStep{races("b", "settings.json", changed("\"editor.tabSize\": 4", "\"editor.tabSize\": 2")), syncs("b")},
			// The new content stands there for as long as it takes to put the save back.
			between: func(p string) bool { return strings.HasSuffix(p, "settings.json") },
			check:   both(has("a", "User/settings.json", "14, // small"), has("a", "User/settings.json", "tabSize\": 2"))},
		{name: "a file saved in the instant of the exchange", subject: "b",
			setup: func(w *world) {
				a, _ := w.pair()
				a.write("notes/one.txt", "one of a\n")
				a.write("notes/sub/two.txt", "first line\n"+long)
				a.mustSync()
			},
			steps:   []crashStep{races("b", "two.txt", long+"last line\n"), syncs("b")},
			between: func(p string) bool { return strings.HasSuffix(p, "two.txt") },
			check:   both(has("a", "notes/sub/two.txt", "first line\n"), has("a", "notes/sub/two.txt", "last line\n"))},
		{name: "a symlinked file", subject: "b",
			setup: func(w *world) {
				a, b := w.pair()
				b.fs.WriteFile("/b/dotfiles/settings.json", []byte(settings))
				b.fs.Symlink("../dotfiles/settings.json", "/b/User/settings.json")
				w.quiet()
				a.write("User/settings.json", changed("12", "14"))
				a.mustSync()
			},
			steps: []crashStep{syncs("b")},
			check: both(has("b", "dotfiles/settings.json", "14, // small"), func(w *world) {
				if i, err := w.dev("b").fs.Lstat("/b/User/settings.json"); err != nil || i.Mode&fs.ModeSymlink == 0 {
					w.t.Errorf("it is no symlink any more: %v %v", i.Mode, err)
				}
			})},
		{name: "a file becomes a program", subject: "b",
			setup: func(w *world) {
				a, _ := w.pair()
				a.fs.SetMode("/a/notes/one.txt", 0o755)
				w.tick(9 * time.Second)
				a.mustSync()
			},
			steps: []crashStep{syncs("b")},
			check: func(w *world) {
				if i, err := w.dev("b").fs.Stat("/b/notes/one.txt"); err != nil || i.Mode&0o100 == 0 {
					w.t.Errorf("b's is not: %v %v", i.Mode, err)
				}
			}},
		{name: "two editors of one device", subject: "a",
			setup: func(w *world) {
				a, _ := w.pair()
				a.fs.Mkdir("/a/Other")
				a.sources = append(a.sources, &userDir{id: "other", root: "/a/Other", collection: "default"})
				w.must(a.e.SetSources(a.sources))
				w.must(a.e.Attached("default"))
				w.quiet()
				a.write("Other/settings.json", changed("12", "14"))
			},
			steps: []crashStep{syncs("a")},
			check: both(has("a", "User/settings.json", "14, // small"), has("b", "User/settings.json", "14, // small"))},
		{name: "without a store, then with one", subject: "a",
			setup: func(w *world) { w.pair() },
			steps: []crashStep{saves("a", "User/settings.json", changed("12", "14")), saves("a", "notes/new.txt", long), func(w *world) error {
				w.dev("a").e.SetStore(nil)
				r, err := w.dev("a").sync(RoundOptions{})
				if err == nil && r.Offline == nil {
					err = errors.New("it was there")
				}
				return err
			}, func(w *world) error {
				w.dev("a").e.SetStore(w.dev("a").store)
				return w.dev("a").round()
			}},
			check: both(has("b", "notes/new.txt", long), has("b", "User/settings.json", "14, // small"))},
		{name: "replies that get lost", subject: "a",
			setup: func(w *world) { w.pair() },
			steps: []crashStep{saves("a", "notes/new.txt", noise(4, 5000)), saves("a", "User/prompts/new.md", noise(5, 3000)), func(w *world) error {
				w.dev("a").bucket.(*crashBucket).lose = 3
				return nil
			}, func(w *world) error {
				for range 3 {
					if _, err := w.dev("a").sync(RoundOptions{}); err != nil {
						return err
					}
				}
				return w.dev("a").round()
			}},
			check: has("b", "notes/new.txt", noise(4, 5000))},
		{name: "long journals", subject: "a",
			setup: func(w *world) {
				w.sizes = sizes{inline: 600, refs: 2, heads: 4, snapshotBytes: 1 << 20, snapshotEntries: 1000, past: 2}
				a, _ := w.pair()
				for i := range 4 {
					a.write("notes/one.txt", noise(uint64(20+i), 900))
					a.mustSync()
				}
				w.quiet()
			},
			steps: []crashStep{saves("a", "notes/one.txt", noise(30, 900)), syncs("a"), saves("a", "notes/one.txt", noise(31, 900)), syncs("a"), saves("a", "notes/one.txt", "and one\n"), syncs("a"), syncs("a")},
			check: func(w *world) {
				if n := len(w.bucket.Raw().Names("heads/" + w.dev("a").keys.ID().String())); n > 5 {
					w.t.Errorf("%d heads were kept", n)
				}
			}},
	}
}
