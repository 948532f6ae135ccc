package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing"

	"plait/backend/item"
	"plait/backend/merge"
)

// dataSet are the cases on the whole data set.
func (b *bench) dataSet() error {
	b.data = filepath.Join(b.dir, "data")
	log.Print("writing the data set")
	if err := writeData(b.data, b.scale); err != nil {
		return err
	}
	fmt.Printf("the data set: %d files, %.0f MB\n", filesIn(b.data), float64(sizeOf(b.data))/1e6)
	world := func(t tool, what string, run int) string {
		return filepath.Join(b.dir, fmt.Sprintf("%s-%s-%d", t.name(), what, run))
	}
	first := func(t tool, run int) (took, error) {
		dir := world(t, "first", run)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return took{}, err
		}
		if err := t.fresh(dir, b.data); err != nil {
			return took{}, err
		}
		if run > 0 { // only the last world is gone on with
			if err := os.RemoveAll(world(t, "first", run-1)); err != nil {
				return took{}, err
			}
		}
		return t.sync()
	}
	if err := b.measure("first sync, sealed, durable", "≤ 1.6 s, ≤ 0.75 × restic, ≤ 25 objects", nil, first); err != nil {
		return err
	}
	b.rows[0].note = fmt.Sprintf("%d objects in the store", filesIn(b.plait.store))

	return errors.Join(
		b.measure("nothing to do, full scan", "≤ 90 ms, 1 request, ≤ 1 KB", nil, func(t tool, _ int) (took, error) { return t.sync() }),
		b.measure("second device, from nothing", "≤ 1.5 s", nil, func(t tool, run int) (took, error) {
			dir := world(t, "second", run)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return took{}, err
			}
			return t.second(dir)
		}),
		b.lines(),
		b.measure("one byte changed in 100 MB", "≤ 450 ms, ≤ 128 KB", func(run int) error { return b.poke(run, false) },
			func(t tool, _ int) (took, error) { return t.sync() }),
		b.measure("one byte inserted in 100 MB", "≤ 450 ms, ≤ 128 KB", func(run int) error { return b.poke(run, true) },
			func(t tool, _ int) (took, error) { return t.sync() }),
	)
}

// lines measures one line changed, and the second device's receiving it.
func (b *bench) lines() error {
	received := map[string][]took{}
	err := b.measure("one line, until durable", "≤ 100 ms, ≤ 2 requests, ≤ 4 KB", func(run int) error {
		file := filepath.Join(b.data, "User/settings/p00/settings.json")
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("    \"bench.line\": %d,\n", run)
		return os.WriteFile(file, bytes.Replace(text, []byte("{\n"), []byte("{\n"+line), 1), 0o644)
	}, func(t tool, _ int) (took, error) {
		sent, err := t.sync()
		if err != nil {
			return sent, err
		}
		got, err := t.receive()
		if err == nil {
			received[t.name()] = append(received[t.name()], got)
		} else if !errors.Is(err, errNot) {
			return sent, err
		}
		return sent, nil
	})
	if err != nil || len(received) == 0 {
		return err
	}
	r := row{name: "receive one line", aim: "≤ 80 ms, ≤ 2 requests", took: map[string]took{}}
	for name, list := range received {
		r.took[name] = median(list)
	}
	b.rows = append(b.rows, r)
	return nil
}

// poke changes or inserts a byte somewhere in the large file.
func (b *bench) poke(run int, insert bool) error {
	file := filepath.Join(b.data, filepath.FromSlash(big))
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	at := len(text) / (b.runs + 1) * (run + 1)
	if insert {
		text = append(text[:at], append([]byte{'x'}, text[at:]...)...)
	} else {
		text[at]++
	}
	return os.WriteFile(file, text, 0o644)
}

// editor is one editor's own data: what a person syncs most.
func (b *bench) editor() error {
	p := &plait{program: b.plait.program, home: filepath.Join(b.dir, "editor", "home"), store: filepath.Join(b.dir, "editor", "store")}
	user := filepath.Join(b.dir, "editor", "User")
	settings, _, _ := settingsOf(300, 2)
	for name, text := range map[string]string{
		"settings.json":    string(settings),
		"keybindings.json": "[\n  {\"key\": \"ctrl+k\", \"command\": \"x.y\"}\n]\n",
		"tasks.json":       "{\"version\": \"2.0.0\", \"tasks\": [{\"label\": \"build\", \"command\": \"make\"}]}\n",
		"snippets/go.json": "{\"log\": {\"prefix\": \"log\", \"body\": [\"log.Print($1)\"]}}\n",
	} {
		file := filepath.Join(user, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(p.home, 0o755); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "--store", "folder:" + p.store, "--device-name", "one", "--keys", "file", "--recovery-file", filepath.Join(b.dir, "editor", "words")},
		{"attach", "--path", user, "--name", "editor"},
		{"sync"},
	} {
		if _, _, err := p.run(p.home, args...); err != nil {
			return err
		}
	}
	tools := b.tools
	defer func() { b.tools = tools }()
	b.tools = []tool{p}
	return errors.Join(
		b.measure("nothing to do, one editor's data", "≤ 60 ms, 1 request, ≤ 1 KB", nil, func(t tool, _ int) (took, error) { return t.sync() }),
		b.measure("one setting, until durable", "", func(run int) error {
			file := filepath.Join(user, "settings.json")
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			return os.WriteFile(file, bytes.Replace(text, []byte("{\n"), fmt.Appendf(nil, "{\n  \"bench.key%d\": 1,\n", run), 1), 0o644)
		}, func(t tool, _ int) (took, error) { return t.sync() }),
	)
}

// settingsOf makes settings of n keys, and two versions that change edits/2 other keys each.
func settingsOf(n, edits int) (base, local, remote []byte) {
	doc := func(side int) []byte {
		var b bytes.Buffer
		b.WriteString("// settings\n{\n")
		for i := range n {
			value, every := i, n/max(1, edits/2)
			if side > 0 && i%every == (side-1)*every/2 {
				value += side * 100_000
			}
			fmt.Fprintf(&b, "  \"some.extension%d.option%d\": %d,\n", i%37, i, value)
		}
		b.WriteString("}\n")
		return b.Bytes()
	}
	return doc(0), doc(1), doc(2)
}

// textOf makes a text of n lines, and two versions that change a twentieth of them each.
func textOf(n int) (base, local, remote []byte) {
	doc := func(side int) []byte {
		var b bytes.Buffer
		for i := range n {
			if side > 0 && i%20 == side*7 {
				fmt.Fprintf(&b, "side %d changed line %d\n", side, i)
			} else {
				fmt.Fprintf(&b, "line %d of what was there, %d\n", i, i*7919%1000)
			}
		}
		return b.Bytes()
	}
	return doc(0), doc(1), doc(2)
}

// merges are three-way merges: inside a process, with what they allocate, and as whole ones.
func (b *bench) merges() error {
	for _, c := range []struct {
		name, aim, kind string
		t               item.Type
		make            func() (base, local, remote []byte)
	}{
		{"settings, 4,000 keys, 400 edits", "≤ 5 ms; as a process < 50 ms", "settings", item.Settings,
			func() ([]byte, []byte, []byte) { return settingsOf(4000, 400) }},
		{"text, 200,000 lines, 10% edits", "≤ 300 ms", "text", item.Prompts,
			func() ([]byte, []byte, []byte) { return textOf(200_000) }},
	} {
		base, local, remote := c.make()
		var failed error
		in := testing.Benchmark(func(t *testing.B) {
			t.ReportAllocs()
			for t.Loop() {
				if r, err := merge.Three(c.t, base, local, remote, merge.Options{}); err != nil || !r.Clean {
					failed = fmt.Errorf("%s: %v, clean %v", c.name, err, r.Clean)
				}
			}
		})
		if failed != nil {
			return failed
		}
		var files [3]string
		for i, text := range [][]byte{base, local, remote} {
			files[i] = filepath.Join(b.dir, fmt.Sprintf("%s-%d", c.kind, i))
			if err := os.WriteFile(files[i], text, 0o644); err != nil {
				return err
			}
		}
		err := b.measure(c.name+", process", c.aim, nil, func(t tool, _ int) (took, error) {
			switch t.name() {
			case b.plait.name():
				cost, _, err := run(nil, b.plait.program, "merge", "--type", c.kind, files[0], files[1], files[2])
				return cost, err
			case "git":
				if c.kind == "text" {
					cost, _, err := run(nil, "git", "merge-file", "-p", files[1], files[0], files[2])
					return cost, err
				}
			}
			return took{}, errNot
		})
		if err != nil {
			return err
		}
		b.rows[len(b.rows)-1].note = fmt.Sprintf("inside: %.1f ms, %.1f MB in %d allocations",
			float64(in.NsPerOp())/1e6, float64(in.AllocedBytesPerOp())/1e6, in.AllocsPerOp())
	}
	return nil
}
