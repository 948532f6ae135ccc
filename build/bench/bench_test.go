package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(resultVariable) != "" {
		main() // the small process that measures, which is this program once more
		return
	}
	os.Exit(m.Run())
}

// Every case runs, and stands in the table. How fast it was is nobody's business here.
func TestEveryCase(t *testing.T) {
	program := filepath.Join(t.TempDir(), "plait")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", program, "../../backend/cmd/plait").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var out bytes.Buffer
	if err := measureAll(options{program: program, size: "small", runs: 1, alone: true, json: true, out: &out}); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	r.print(&table)
	for _, want := range []string{
		"first sync, sealed, durable", "nothing to do, full scan", "idle: sync --watch, memory held", "second device, from nothing",
		"one line, until durable", "receive one line", "one byte changed in 100 MB", "receive that byte", "one byte inserted in 100 MB",
		"receive that insertion", "nothing to do, one editor's data", "one setting of an editor, until durable",
		"merge of 400 settings, 40 edits", "merge of 2000 lines, 10% edits", "the same as a whole process",
	} {
		if !strings.Contains(table.String(), "\n"+want) {
			t.Errorf("no case %q in\n%s", want, table.String())
		}
	}
	for _, c := range r.Cases {
		s := c.Tools[plaitName]
		if s == nil || s.Wall.Median <= 0 && s.Memory.Median <= 0 {
			t.Errorf("%s: nothing was measured", c.Case)
		} else if c.Budget.Requests > 0 && s.Requests.Median <= 0 {
			t.Errorf("%s: no requests were counted", c.Case)
		}
		if (c.Budget.words() == "") != (c.Met == "") {
			t.Errorf("%s: budget %q, met %q", c.Case, c.Budget.words(), c.Met)
		}
	}
}

// The data set is the same bytes every time.
func TestDataSet(t *testing.T) {
	var all [2]map[string]string
	for i := range all {
		dir := t.TempDir()
		if err := writeData(dir, 0.01); err != nil {
			t.Fatal(err)
		}
		all[i] = map[string]string{}
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if text, rerr := os.ReadFile(path); rerr == nil {
				all[i][strings.TrimPrefix(path, dir)] = string(text)
			}
			return err
		})
	}
	if len(all[0]) < 50 {
		t.Fatalf("%d files", len(all[0]))
	}
	for name, text := range all[0] {
		if all[1][name] != text {
			t.Errorf("%s differs", name)
		}
	}
}
