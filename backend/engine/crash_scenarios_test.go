package engine

import (
	"math/rand/v2"
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
				a.write("notes/sub/two.txt", strings.Repeat("line of a text\n", 200))
			},
			steps: []crashStep{syncs("a")},
			check: func(w *world) {
				if w.dev("b").read("User/settings.json") != settings {
					w.t.Error("b lacks the settings")
				}
			}},
		{name: "an edit", subject: "a",
			setup: func(w *world) { w.pair() },
			steps: []crashStep{saves("a", "User/settings.json", changed("12", "14")), syncs("a")}},
		{name: "pull and apply", subject: "b",
			setup: func(w *world) {
				a, _ := w.pair()
				a.write("User/settings.json", changed("12", "14"))
				a.write("User/prompts/new.md", "New.\n")
				a.write("notes/one.txt", "another one\n")
				a.write("notes/deep/er/three.txt", "three\n")
				a.mustSync()
			},
			steps: []crashStep{syncs("b")}},
	}
}
