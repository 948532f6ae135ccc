package disk

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
)

func TestRead(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		p := filepath.Join(root, "f")
		if _, _, err := w.Read(p, 10); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing: %v", err)
		}
		for _, n := range []int{0, 1, 10} {
			w.WriteFile(p, bytes.Repeat([]byte("x"), n))
			if b, i, err := w.Read(p, 10); len(b) != n || i.Size != int64(n) || i.Path != p || i.Name != "f" || err != nil {
				t.Errorf("%d bytes: %d, %+v, %v", n, len(b), i, err)
			}
		}
		w.WriteFile(p, bytes.Repeat([]byte("x"), 11))
		if _, _, err := w.Read(p, 10); !errors.Is(err, ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
		if b, _, err := w.Read(p, 0); len(b) != 11 || err != nil {
			t.Errorf("no limit: %d, %v", len(b), err)
		}
		r, _, err := w.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); len(b) != 11 || err != nil {
			t.Errorf("Open: %d, %v", len(b), err)
		}
		w.WriteFile(p, []byte("changed"))
		if err := r.Close(); !errors.Is(err, ErrChanged) {
			t.Errorf("Close after a change: %v", err)
		}
	})
}

func TestScanAndList(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		for _, f := range []string{"b/x", "b/y/z", "a", "c", ".plait-old-aaaaaaaa-a", "b/.plait-new-aaaaaaaa-a"} {
			w.WriteFile(filepath.Join(root, filepath.FromSlash(f)), []byte(f))
		}
		w.Mkdir(filepath.Join(root, "skip"))
		w.WriteFile(filepath.Join(root, "skip", "not"), nil)
		w.Symlink(filepath.Join(root, "b"), filepath.Join(root, "link"))
		var got []string
		err := w.Scan(root, func(i Info, err error) error {
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(root, i.Path)
			got = append(got, filepath.ToSlash(rel))
			if l, err := w.Lstat(i.Path); l != i || err != nil {
				t.Errorf("Scan says %+v, Lstat %+v, %v", i, l, err)
			}
			if i.Name == "skip" {
				return fs.SkipDir
			}
			return nil
		})
		want := []string{"a", "b", "b/x", "b/y", "b/y/z", "c", "link", "skip"}
		if !slices.Equal(got, want) || err != nil {
			t.Errorf("Scan = %q, %v; want %q", got, err, want)
		}
		var names []string
		infos, err := w.List(root)
		for _, i := range infos {
			names = append(names, i.Name)
		}
		if want := []string{"a", "b", "c", "link", "skip"}; !slices.Equal(names, want) || err != nil {
			t.Errorf("List = %q, %v", names, err)
		}
		stop := errors.New("stop")
		if err := w.Scan(root, func(Info, error) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("stopped: %v", err)
		}
		if err := w.Scan(filepath.Join(root, "none"), nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing root: %v", err)
		}
		if _, err := w.List(filepath.Join(root, "none")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing directory: %v", err)
		}
	})
}
