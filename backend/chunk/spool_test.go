package chunk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A spool that is full loses nothing and leaves nothing half done.
func TestSpoolFails(t *testing.T) {
	for _, workers := range []int{1, 2} {
		b := newBench(t)
		full := errors.New("disk full")
		o := b.options()
		o.Workers, o.Spool = workers, &failing{Spool: b.spool, left: 300_000, err: full}
		w := NewWriter(o)
		_, addErr := w.Add(t.Context(), bytes.NewReader(random(1, 4<<20)))
		packs, err := w.Flush(t.Context())
		if !errors.Is(err, full) || packs != nil {
			t.Errorf("%d workers: Add = %v, Flush = %v, %v", workers, addErr, packs, err)
		}
	}
}

type failing struct {
	Spool
	left int
	err  error
}

func (f *failing) Create() (SpoolFile, error) {
	s, err := f.Spool.Create()
	return &failingFile{s, f}, err
}

type failingFile struct {
	SpoolFile
	f *failing
}

func (f *failingFile) Write(p []byte) (int, error) {
	if f.f.left -= len(p); f.f.left < 0 {
		return 0, f.f.err
	}
	return f.SpoolFile.Write(p)
}

func TestDirSpool(t *testing.T) {
	b := newBench(t)
	dir := DirSpool(t.TempDir())
	o := b.options()
	o.Spool, o.Workers, o.Target = dir, 2, 128<<10
	w := NewWriter(o)
	body := random(1, 1<<20)
	c, err := w.Add(t.Context(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	packs, err := w.Flush(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		sealed, err := os.ReadFile(dir.Path(p.Name))
		if err != nil || len(sealed) != int(p.Size) {
			t.Fatalf("pack of %d bytes: %d, %v", p.Size, len(sealed), err)
		}
		b.take(p, sealed)
	}
	if got, err := b.read(c); err != nil || !bytes.Equal(got, body) {
		t.Error(err)
	}
	w = NewWriter(o)
	w.Add(t.Context(), bytes.NewReader(random(2, 100_000)))
	w.Abort()
	if err := os.WriteFile(filepath.Join(string(dir), "cut.tmp"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(dir.Clean(), dir.Remove(packs[0].Name), dir.Remove(packs[0].Name)); err != nil {
		t.Error(err)
	}
	left, _ := os.ReadDir(string(dir))
	if len(left) != len(packs)-1 {
		t.Errorf("%d files left, want %d", len(left), len(packs)-1)
	}
}
