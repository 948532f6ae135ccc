package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func expect(t *testing.T, w FS, path string) Expect {
	t.Helper()
	i, err := w.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Expect{Absent: true}
	}
	if err != nil {
		t.Fatal(err)
	}
	return Expect{Stamp: i.Stamp}
}

func replace(w FS, path, content string, e Expect) (Swapped, error) {
	return w.Replace(path, strings.NewReader(content), 0o644, e)
}

// is fails unless the files below dir are exactly these.
func is(t *testing.T, w world, dir string, want map[string]string) {
	t.Helper()
	got := w.Files(dir)
	for p, c := range want {
		if b, ok := got[filepath.Join(dir, p)]; !ok || string(b) != c {
			t.Errorf("%s = %q, %v; want %q", p, b, ok, c)
		}
		delete(got, filepath.Join(dir, p))
	}
	for p, b := range got {
		t.Errorf("unexpected %s = %q", p, b)
	}
}

func TestReplace(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		p := filepath.Join(root, "a", "settings.json")
		s, err := replace(w, p, "one", expect(t, w, p))
		if err != nil || s.Aside != "" || s.Path != p {
			t.Fatalf("new file: %+v, %v", s, err)
		}
		b, i, err := w.Read(p, 100)
		if string(b) != "one" || err != nil || i.Stamp != s.After.Stamp || i != s.After {
			t.Fatalf("Read = %q, %+v, %v; Replace said %+v", b, i, err, s.After)
		}

		s, err = replace(w, p, "two!", expect(t, w, p))
		if err != nil || s.Raced {
			t.Fatalf("%+v, %v", s, err)
		}
		if b, out, err := w.Read(s.Aside, 100); string(b) != "one" || err != nil || out.Stamp != s.Before.Stamp {
			t.Errorf("displaced = %q, %+v, %v; want what Swapped says: %+v", b, out, err, s.Before)
		}
		if b, i, _ := w.Read(p, 100); string(b) != "two!" || i.Stamp != s.After.Stamp {
			t.Errorf("after = %q, %+v; Replace said %+v", b, i, s.After)
		}
		left, err := w.Leftovers(root)
		if len(left) != 1 || left[0].Aside != s.Aside || left[0].Path != p || left[0].Before != s.Before || err != nil {
			t.Errorf("Leftovers = %+v, %v", left, err)
		}
		for range 2 {
			if err := w.Discard(s); err != nil {
				t.Error(err)
			}
		}
		is(t, w, root, map[string]string{"a/settings.json": "two!"})
		if left, err := w.Leftovers(root); len(left) != 0 || err != nil {
			t.Errorf("Leftovers = %+v, %v", left, err)
		}
	})
}

func TestReplaceChecksWhatItReplaces(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		p := filepath.Join(root, "f")
		w.WriteFile(p, []byte("old"))
		seen := expect(t, w, p)
		w.SaveByRename(p, []byte("newer"))
		for what, e := range map[string]Expect{"another file": seen, "none": {Absent: true}} {
			if s, err := replace(w, p, "mine", e); !errors.Is(err, ErrChanged) || s.Aside != "" {
				t.Errorf("expecting %s: %+v, %v", what, s, err)
			}
			if s, err := w.Remove(p, e); !errors.Is(err, ErrChanged) || s.Aside != "" {
				t.Errorf("removing, expecting %s: %+v, %v", what, s, err)
			}
		}
		seen = expect(t, w, p)
		w.RemoveAll(p)
		if s, err := replace(w, p, "mine", seen); !errors.Is(err, ErrChanged) || s.Aside != "" {
			t.Errorf("expecting a file that went: %+v, %v", s, err)
		}
		is(t, w, root, nil)
	})
}

func TestRemove(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		p := filepath.Join(root, "f")
		w.WriteFile(p, []byte("old"))
		s, err := w.Remove(p, expect(t, w, p))
		if err != nil || s.Aside == "" {
			t.Fatalf("%+v, %v", s, err)
		}
		if _, err := w.Stat(p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat = %v", err)
		}
		if b, _, err := w.Read(s.Aside, 0); string(b) != "old" || err != nil {
			t.Errorf("displaced = %q, %v", b, err)
		}
		if err := w.Discard(s); err != nil {
			t.Error(err)
		}
		if s, err := w.Remove(p, Expect{Absent: true}); err != nil || s.Aside != "" {
			t.Errorf("removing nothing, expecting nothing: %+v, %v", s, err)
		}
		is(t, w, root, nil)
	})
}

// An editor that holds the old file open writes into it after the exchange.
func TestDiscardKeepsWhatWasWrittenLate(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		p := filepath.Join(root, "f")
		w.WriteFile(p, []byte("old"))
		s, err := replace(w, p, "new", expect(t, w, p))
		if err != nil {
			t.Fatal(err)
		}
		w.WriteFile(s.Aside, []byte("typed meanwhile"))
		if err := w.Discard(s); !errors.Is(err, ErrChanged) {
			t.Fatalf("Discard = %v", err)
		}
		b, i, err := w.Read(s.Aside, 0)
		if string(b) != "typed meanwhile" || err != nil {
			t.Fatalf("%q, %v", b, err)
		}
		s.Before = i
		if err := w.Discard(s); err != nil {
			t.Error(err)
		}
	})
}

func TestSymlinkStays(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		link, target := filepath.Join(root, "User", "settings.json"), filepath.Join(root, "dotfiles", "code.json")
		w.WriteFile(target, []byte("old"))
		w.Mkdir(filepath.Dir(link))
		w.Symlink(filepath.Join("..", "dotfiles", "code.json"), link)
		s, err := replace(w, link, "new", expect(t, w, link))
		if err != nil {
			t.Fatal(err)
		}
		if i, _ := w.Lstat(link); i.Mode&fs.ModeSymlink == 0 {
			t.Errorf("the link became %v", i.Mode)
		}
		if b, _ := w.Content(target); string(b) != "new" || filepath.Dir(s.Aside) != filepath.Dir(target) {
			t.Errorf("target = %q, displaced to %s", b, s.Aside)
		}
		if i, err := w.Stat(link); i.Stamp != s.After.Stamp || err != nil {
			t.Errorf("Stat = %+v, %v; Replace said %+v", i, err, s.After)
		}
		left, err := w.Leftovers(filepath.Dir(link))
		if len(left) != 1 || left[0].Aside != s.Aside || left[0].Path != target || err != nil {
			t.Errorf("Leftovers of the link's directory = %+v, %v", left, err)
		}
		if err := w.Discard(s); err != nil {
			t.Error(err)
		}

		// A link that leads nowhere yet, and one that leads in a circle.
		w.Symlink(filepath.Join(root, "later", "x"), filepath.Join(root, "dangling"))
		if _, err := replace(w, filepath.Join(root, "dangling"), "made", Expect{Absent: true}); err != nil {
			t.Error(err)
		}
		if b, _ := w.Content(filepath.Join(root, "later", "x")); string(b) != "made" {
			t.Errorf("made = %q", b)
		}
		w.Symlink(filepath.Join(root, "b"), filepath.Join(root, "a"))
		w.Symlink("a", filepath.Join(root, "b"))
		if _, err := replace(w, filepath.Join(root, "a"), "x", Expect{Absent: true}); !errors.Is(err, ErrOdd) {
			t.Errorf("circle: %v", err)
		}
	})
}

func TestModeStays(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	twins(t, func(t *testing.T, w world, root string) {
		p := filepath.Join(root, "f")
		w.WriteFile(p, []byte("old"))
		mode := func(want fs.FileMode) {
			t.Helper()
			if i, err := w.Stat(p); i.Mode.Perm() != want || err != nil {
				t.Errorf("mode = %v, %v; want %v", i.Mode, err, want)
			}
		}
		w.SetMode(p, 0o640)
		if s, err := w.Replace(p, strings.NewReader("x"), 0o755, expect(t, w, p)); err != nil || s.After.Mode.Perm() != 0o640 {
			t.Errorf("%+v, %v", s, err)
		}
		mode(0o640)
		e := expect(t, w, p)
		e.ModeMatters = true
		if _, err := w.Replace(p, strings.NewReader("x"), 0o755, e); err != nil {
			t.Error(err)
		}
		mode(0o750)
		e = expect(t, w, p)
		e.ModeMatters = true
		if _, err := w.Replace(p, strings.NewReader("x"), 0o644, e); err != nil {
			t.Error(err)
		}
		mode(0o640)
		if i, err := w.Chmod(p, 0o700); err != nil || i.Mode.Perm() != 0o750 {
			t.Errorf("Chmod = %v, %v", i.Mode, err)
		}
		w.SetMode(p, 0o444)
		if _, err := replace(w, p, "x", expect(t, w, p)); !errors.Is(err, ErrReadOnly) || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("read-only file: %v", err)
		}
		if s, err := w.Replace(filepath.Join(root, "new"), strings.NewReader("x"), 0o755, Expect{Absent: true}); err != nil || s.After.Mode&0o100 == 0 {
			t.Errorf("new executable: %+v, %v", s.After, err)
		}
	})
}

func TestOddFiles(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		dir, pipe := filepath.Join(root, "dir"), filepath.Join(root, "pipe")
		w.Mkdir(dir)
		switch w := w.(type) {
		case *Memory:
			w.Odd(pipe, fs.ModeNamedPipe|0o644)
		default:
			makePipe(t, pipe)
		}
		for _, p := range []string{dir, pipe} {
			if _, _, err := w.Read(p, 10); !errors.Is(err, ErrOdd) {
				t.Errorf("Read %s: %v", p, err)
			}
			for _, e := range []Expect{{Absent: true}, expect(t, w, p)} {
				if _, err := replace(w, p, "x", e); !errors.Is(err, ErrOdd) {
					t.Errorf("Replace %s: %v", p, err)
				}
				if _, err := w.Remove(p, e); !errors.Is(err, ErrOdd) {
					t.Errorf("Remove %s: %v", p, err)
				}
			}
		}
		w.WriteFile(filepath.Join(root, "file"), nil)
		if _, err := replace(w, filepath.Join(root, "file", "below"), "x", Expect{Absent: true}); !errors.Is(err, ErrOdd) {
			t.Errorf("below a file: %v", err)
		}
		is(t, w, root, map[string]string{"file": ""})
	})
}

func TestRemoveDir(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		w.WriteFile(filepath.Join(root, "full", "f"), nil)
		w.Mkdir(filepath.Join(root, "empty"))
		for _, d := range []string{"full", "empty", "none"} {
			if err := w.RemoveDir(filepath.Join(root, d)); err != nil {
				t.Error(err)
			}
		}
		if infos, _ := w.List(root); len(infos) != 1 || infos[0].Name != "full" {
			t.Errorf("left: %+v", infos)
		}
	})
}

func TestReal(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		w.Mkdir(filepath.Join(root, "d", "e"))
		w.Symlink("d", filepath.Join(root, "l"))
		w.Symlink(filepath.Join(root, "l", "e"), filepath.Join(root, "m"))
		for in, want := range map[string]string{"m/x/y": "d/e/x/y", "l/e/../f": "d/f", "m": "d/e", "none": "none", "m/../g": "d/g"} {
			if got, err := w.Real(root + "/" + in); got != filepath.Join(root, filepath.FromSlash(want)) && !strings.Contains(in, "..") || err != nil {
				t.Errorf("Real(%s) = %s, %v; want %s", in, got, err, want)
			}
		}
	})
}

func TestLongName(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		p := filepath.Join(root, strings.Repeat("n", 255))
		w.WriteFile(p, []byte("old"))
		s, err := replace(w, p, "new", expect(t, w, p))
		if err != nil {
			t.Fatal(err)
		}
		if left, err := w.Leftovers(root); len(left) != 1 || left[0].Path != p || err != nil {
			t.Errorf("Leftovers = %+v, %v", left, err)
		}
		w.RemoveAll(p)
		if left, err := w.Leftovers(root); len(left) != 1 || left[0].Path != "" || left[0].Aside != s.Aside || err != nil {
			t.Errorf("Leftovers without the file = %+v, %v", left, err)
		}
	})
}

func TestFailingContentLeavesNothing(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		p, broken := filepath.Join(root, "f"), errors.New("cut")
		w.WriteFile(p, []byte("old"))
		content := func() io.Reader { return io.MultiReader(strings.NewReader("half"), &failing{broken}) }
		if s, err := w.Replace(p, content(), 0o644, expect(t, w, p)); !errors.Is(err, broken) || s.Aside != "" {
			t.Errorf("%+v, %v", s, err)
		}
		if _, err := w.Replace(filepath.Join(root, "d", "e", "g"), content(), 0o644, Expect{Absent: true}); !errors.Is(err, broken) {
			t.Error(err)
		}
		is(t, w, root, map[string]string{"f": "old"})
		if infos, _ := w.List(root); len(infos) != 1 {
			t.Errorf("directories are left: %+v", infos)
		}
	})
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestWriteMany(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		n := 60
		if d, ok := w.(*osWorld); !ok || d.sys == (lacking{}) {
			n = batchFiles + 44 // more than one batch; a fallback syncs each file, so fewer there
		}
		var changes []Change
		want := map[string]string{}
		for i := range n {
			name := fmt.Sprintf("d%d/f%03d", i%7, i)
			p := filepath.Join(root, filepath.FromSlash(name))
			c := Change{Path: p, Mode: 0o644, Expect: Expect{Absent: true},
				Content: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(name)), nil }}
			switch i % 5 {
			case 0:
				w.WriteFile(p, []byte("old"))
				c.Expect = expect(t, w, p)
			case 1:
				w.WriteFile(p, []byte("theirs")) // not expected
			case 2:
				w.WriteFile(p, []byte("gone"))
				c.Content, c.Expect = nil, expect(t, w, p)
			}
			switch i % 5 {
			case 1:
				want[name] = "theirs"
			case 2:
			default:
				want[name] = name
			}
			changes = append(changes, c)
		}
		next := 0
		var asides []Swapped
		err := w.Write(changes, func(i int, s Swapped, err error) error {
			if i != next || (err != nil) != (i%5 == 1) || err != nil && !errors.Is(err, ErrChanged) {
				t.Errorf("done(%d) after %d: %v", i, next-1, err)
			}
			next++
			if s.Aside != "" {
				asides = append(asides, s)
			}
			return nil
		})
		if err != nil || next != n || len(asides) != 2*n/5 {
			t.Fatalf("%v, %d done, %d displaced", err, next, len(asides))
		}
		for _, s := range asides {
			if err := w.Discard(s); err != nil {
				t.Fatal(err)
			}
		}
		is(t, w, root, want)
	})
}

func TestWriteStops(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		stop := errors.New("cancelled")
		var changes []Change
		for i := range 10 {
			changes = append(changes, Change{Path: filepath.Join(root, fmt.Sprint(i)), Mode: 0o644, Expect: Expect{Absent: true},
				Content: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }})
		}
		err := w.Write(changes, func(i int, _ Swapped, err error) error {
			if i == 2 {
				return stop
			}
			return err
		})
		if !errors.Is(err, stop) {
			t.Errorf("Write = %v", err)
		}
		is(t, w, root, map[string]string{"0": "x", "1": "x", "2": "x"})
	})
}

func TestLeftoversRemovesTornContent(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		w.WriteFile(filepath.Join(root, "d", ".plait-new-aaaaaaaa-f"), []byte("to"))
		w.WriteFile(filepath.Join(root, "d", ".plait-else"), []byte("x"))
		if left, err := w.Leftovers(root); len(left) != 0 || err != nil {
			t.Errorf("Leftovers = %+v, %v", left, err)
		}
		is(t, w, root, map[string]string{"d/.plait-else": "x"})
		if left, err := w.Leftovers(filepath.Join(root, "none")); len(left) != 0 || err != nil {
			t.Errorf("Leftovers of nothing = %+v, %v", left, err)
		}
	})
}

func TestGuard(t *testing.T) {
	twins(t, func(t *testing.T, w world, root string) {
		out := filepath.Join(root, "outside")
		in := filepath.Join(root, "in")
		w.WriteFile(filepath.Join(out, "f"), []byte("x"))
		w.WriteFile(filepath.Join(in, "real", "f"), []byte("x"))
		w.Symlink(out, filepath.Join(in, "abs"))
		w.Symlink("../outside", filepath.Join(in, "rel"))
		w.Symlink("rel", filepath.Join(in, "chain"))
		w.Symlink(out, filepath.Join(in, "real", "deep"))
		w.Symlink("real", filepath.Join(in, "inside"))
		w.Symlink(filepath.Join(out, "f"), filepath.Join(in, "file"))
		for _, links := range []bool{false, true} {
			for _, name := range []string{"abs/f", "rel/f", "chain/f", "real/deep/f", "inside/f", "abs/new/f"} {
				if p, err := NewGuard(w, in, links).Place(name); !errors.Is(err, ErrUnsafe) {
					t.Errorf("Place(%s) = %s, %v", name, p, err)
				}
				open := NewGuard(w, in, links)
				open.without = guardLinks
				if p, err := open.Place(name); err != nil && !errors.Is(err, ErrOdd) {
					t.Errorf("%s is stopped by something else as well: %s, %v", name, p, err)
				}
			}
			for _, name := range []string{"real/f", "real/new", "new/deep/er"} {
				if p, err := NewGuard(w, in, links).Place(name); p != filepath.Join(in, filepath.FromSlash(name)) || err != nil {
					t.Errorf("Place(%s) = %s, %v", name, p, err)
				}
			}
			if p, err := NewGuard(w, in, links).Place("file"); (err == nil) != links {
				t.Errorf("links %v: Place(file) = %s, %v", links, p, err)
			}
			for _, name := range []string{"real", "real/f/below"} {
				if p, err := NewGuard(w, in, links).Place(name); !errors.Is(err, ErrOdd) {
					t.Errorf("Place(%s) = %s, %v", name, p, err)
				}
			}
			if p, err := NewGuard(w, in, links).Place("../outside/f"); !errors.Is(err, ErrUnsafe) {
				t.Errorf("upwards: %s, %v", p, err)
			}
		}
	})
}

func TestErrors(t *testing.T) {
	for n, want := range map[syscall.Errno]Code{syscall.ENOSPC: ErrFull, syscall.EROFS: ErrReadOnly, syscall.EIO: ErrBroken} {
		if runtime.GOOS == "windows" {
			break
		}
		err := fail("write", "/f", &fs.PathError{Op: "write", Path: "/f", Err: n})
		if !errors.Is(err, want) || !errors.Is(err, n) {
			t.Errorf("%v: %v", n, err)
		}
	}
}
