package disk

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree makes n files of the given size, 40 in a directory, as an editor's data has them.
func tree(b *testing.B, n, size int) string {
	root := b.TempDir()
	for i := range n {
		dir := filepath.Join(root, "extensions", fmt.Sprintf("pub.ext%03d-1.0.0", i/40), "dist")
		if i%40 == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%04d.js", i)), make([]byte, size), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return root
}

func BenchmarkScan(b *testing.B) {
	root := tree(b, 5201, 1)
	d := OS()
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := d.Scan(root, func(Info, error) error { n++; return nil }); err != nil || n < 5201 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkReplace(b *testing.B) {
	d := OS()
	p := filepath.Join(b.TempDir(), "settings.json")
	e := Expect{Absent: true}
	for b.Loop() {
		s, err := d.Replace(p, strings.NewReader("{}"), 0o644, e)
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Discard(s); err != nil {
			b.Fatal(err)
		}
		e = Expect{Stamp: s.After.Stamp}
	}
}

// A second device from nothing.
func BenchmarkWrite5000(b *testing.B) {
	d := OS()
	text := strings.Repeat("x", 8<<10)
	for b.Loop() {
		root := b.TempDir()
		var changes []Change
		for i := range 5000 {
			changes = append(changes, Change{filepath.Join(root, fmt.Sprint(i/40), fmt.Sprint(i)),
				func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }, 0o644, Expect{Absent: true}})
		}
		if err := d.Write(changes, func(_ int, _ Swapped, err error) error { return err }); err != nil {
			b.Fatal(err)
		}
	}
}
