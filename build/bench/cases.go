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

// onEditor are the cases on one editor's own data: what a person syncs most.
func (b *bench) onEditor() error {
	if !b.wanted("editor", "setting") {
		return nil
	}
	dir := filepath.Join(b.dir, "editor")
	p := &plait{program: b.plait.program, home: filepath.Join(dir, "home"), store: filepath.Join(dir, "store")}
	user := filepath.Join(dir, "User")
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
	b.settle()
	for _, args := range [][]string{
		{"init", "--store", "folder:" + p.store, "--device-name", "one", "--keys", "file", "--recovery-file", filepath.Join(dir, "words")},
		{"attach", "--path", user, "--name", "editor"},
		{"sync"}, {"sync"},
	} {
		if _, _, err := p.run(p.home, args...); err != nil {
			return err
		}
	}
	tools := b.tools
	defer func() { b.tools = tools }()
	b.tools = []tool{p}
	sync := func(t tool, _ int) (took, error) { return t.sync(true) }
	if b.wanted("editor") {
		if _, err := b.measure("nothing to do, one editor's data", budget{Wall: 0.060, Requests: 1, Bytes: 1000}, nil, sync); err != nil {
			return err
		}
	}
	if !b.wanted("setting") {
		return nil
	}
	_, err := b.measure("one setting of an editor, until durable", lineBudget, func(run int) error {
		file := filepath.Join(user, "settings.json")
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return write(file, bytes.Replace(text, []byte("{\n"), fmt.Appendf(nil, "{\n  \"bench.key%d\": 1,\n", run), 1))
	}, sync)
	return err
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

// A mergeCase is a three-way merge: inside a process, with what it allocates, and as a whole one.
type mergeCase struct {
	id, name, kind string
	t              item.Type
	inside, whole  budget
	make           func() (base, local, remote []byte)
}

func (b *bench) merges() error {
	n, lines := 4000, 200_000
	if b.scale < 1 {
		n, lines = 400, 2000
	}
	for _, c := range []mergeCase{
		{"settings", fmt.Sprintf("merge of %d settings, %d edits", n, n/10), "settings", item.Settings, budget{Wall: 0.005}, budget{Wall: 0.050},
			func() ([]byte, []byte, []byte) { return settingsOf(n, n/10) }},
		{"text", fmt.Sprintf("merge of %d lines, 10%% edits", lines), "text", item.Prompts, budget{Wall: 0.300}, budget{},
			func() ([]byte, []byte, []byte) { return textOf(lines) }},
	} {
		if b.wanted(c.id) {
			if err := b.merge(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) merge(c mergeCase) error {
	base, local, remote := c.make()
	inside := &row{Case: c.name, Budget: c.inside, Tools: map[string]*stats{}}
	log.Print(c.name)
	for range b.runs {
		var failed error
		got := testing.Benchmark(func(t *testing.B) {
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
		t := unknown
		t.Wall, t.Allocs, t.Allotted = float64(got.NsPerOp())/1e9, float64(got.AllocsPerOp()), float64(got.AllocedBytesPerOp())
		inside.add(plaitName, t)
		inside.Note = fmt.Sprintf("%.0f allocations, %s in all", t.Allocs, size(t.Allotted))
	}
	b.rows = append(b.rows, inside)
	var files [3]string
	for i, text := range [][]byte{base, local, remote} {
		files[i] = filepath.Join(b.dir, fmt.Sprintf("%s-%d", c.kind, i))
		if err := write(files[i], text); err != nil {
			return err
		}
	}
	_, err := b.measure("the same as a whole process", c.whole, nil, func(t tool, _ int) (took, error) {
		switch {
		case t == b.plait:
			cost, _, err := run(nil, b.plait.program, "merge", "--type", c.kind, files[0], files[1], files[2])
			return cost, err
		case t.name() == "git" && c.kind == "text":
			cost, _, err := run(nil, "git", "merge-file", "-p", files[1], files[0], files[2])
			return cost, err
		}
		return took{}, errNot
	})
	return err
}
