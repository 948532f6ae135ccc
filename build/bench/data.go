package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// big is the one large file of the data set.
const big = "globalStorage/pub.bigext/state.db"

var (
	words = strings.Fields("editor workbench terminal extensions files search git explorer python typescript fontSize " +
		"tabSize colorTheme enabled path exclude format onSave lint args debug launch console cursor minimap telemetry " +
		"update window zoom sidebar panel scroll bracket pair color indent guides word wrap suggest snippet hover rename " +
		"refactor import quick open")
	symbols = strings.Fields("var function return this exports require const let if else for => === null undefined " +
		"module prototype await async class")
)

// A writer makes an editor's folder as a person has it after a few years, the same bytes
// every time: 200 JSON files, some with comments; 5,000 files of extensions, of 1 to 50
// kB, a fifth of them binary; and one state file of 100 MB. scale shrinks all of it.
type writer struct {
	*rand.Rand
	root string
}

func writeData(root string, scale float64) (err error) {
	w := writer{rand.New(rand.NewPCG(42, 0)), root}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("write the data set: %v", r)
		}
	}()
	n := func(whole int) int { return max(1, int(float64(whole)*scale)) }
	kinds := []string{"settings", "keybindings", "snippets", "tasks", "workspace"}
	for i := range n(200) {
		w.put(fmt.Sprintf("User/%s/p%02d/%s.json", kinds[i%5], i/5, kinds[i%5]), w.document(kinds[i%5], i))
	}
	for i := range n(5000) {
		size := int(min(50<<10, max(1<<10, math.Exp(w.NormFloat64()*0.9+math.Log(8000)))))
		name, body := "js", w.code(size)
		if i%5 == 4 {
			name, body = "bin", w.noise(size)
		}
		w.put(fmt.Sprintf("extensions/pub.ext%03d-1.%d.0/dist/f%04d.%s", i/40, i%7, i, name), body)
	}
	w.put(big, w.state(n(100)))
	return syncAll(root)
}

func (w writer) put(name string, body []byte) {
	path := filepath.Join(w.root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		panic(err)
	}
	if err := os.WriteFile(path, body, 0o644); err != nil {
		panic(err)
	}
}

func (w writer) word() string { return words[w.IntN(len(words))] }

func (w writer) key() string {
	parts := make([]string, 2+w.IntN(3))
	for i := range parts {
		parts[i] = w.word()
	}
	return strings.Join(parts, ".")
}

func (w writer) value() any {
	switch w.IntN(6) {
	case 0:
		return w.IntN(10000)
	case 1:
		return w.IntN(2) == 0
	case 2:
		return fmt.Sprintf("%x-%s", w.Uint64()>>24, w.word())
	case 3:
		list := make([]string, 1+w.IntN(5))
		for i := range list {
			list[i] = w.word()
		}
		return list
	case 4:
		return map[string]int{w.key(): w.IntN(10)}
	}
	return w.word()
}

// document is a JSON file of an editor; every third has comments.
func (w writer) document(kind string, i int) []byte {
	var b bytes.Buffer
	n := 5 + w.IntN(116)
	open, end := "{\n", "}\n"
	if kind == "keybindings" {
		open, end = "[\n", "]\n"
	}
	if i%3 == 0 {
		fmt.Fprintf(&b, "// user %s %d\n", kind, i)
	}
	b.WriteString(open)
	for j := range n {
		comma := ","
		if j == n-1 {
			comma = ""
		}
		if kind == "keybindings" {
			fmt.Fprintf(&b, "    {\"key\": \"ctrl+%c\", \"command\": %q, \"when\": \"%sFocus\"}%s\n", 'a'+rune(w.IntN(11)), w.key(), w.word(), comma)
			continue
		}
		value, err := json.Marshal(w.value())
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, "    \"%s.%d\": %s%s\n", w.key(), j, value, comma)
	}
	b.WriteString(end)
	return b.Bytes()
}

// code looks like what bundlers write.
func (w writer) code(n int) []byte {
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "%s %s%d = %s(%s.%s, %d);\n", symbols[w.IntN(len(symbols))], w.word(), w.IntN(1000), w.word(), w.word(), w.word(), w.IntN(100000))
	}
	return b.Bytes()[:n]
}

func (w writer) noise(n int) []byte {
	b := make([]byte, n)
	for i := 0; i+8 <= n; i += 8 {
		v := w.Uint64()
		for j := range 8 {
			b[i+j] = byte(v >> (8 * j))
		}
	}
	return b
}

// state is like a database of an extension: of blocks of a megabyte, six in ten
// compress, and none is another's copy.
func (w writer) state(blocks int) []byte {
	text := w.code(1 << 20)
	out := make([]byte, 0, blocks<<20)
	for range blocks {
		if w.Float64() >= 0.6 {
			out = append(out, w.noise(1<<20)...)
			continue
		}
		at, start := w.IntN(len(text)), len(out)
		out = append(append(out, text[at:]...), text[:at]...)
		for range 4096 {
			out[start+w.IntN(1<<20)] = byte(w.Uint64())
		}
	}
	return out
}

// syncAll makes what was written durable: nobody's run is to wait for it.
func syncAll(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}
