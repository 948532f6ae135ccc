package disk

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
)

// Bounds of one batch of Write: files are open until their batch is exchanged, and
// their bytes lie twice on the disk.
const (
	batchFiles = 256
	batchBytes = 64 << 20
	copyBuffer = 64 << 10
)

// A swap is one change under way.
type swap struct {
	Change
	target string   // Path with its symlinks resolved
	old    Info     // what stands there, if exists
	exists bool     // something stands there
	tmp    string   // new content's name; "" if there is none
	f      newFile  // open on it
	dirs   []string // made for it, outermost first
	n      int64    // bytes written
	copied bool     // what is displaced is a copy of what was checked
	err    error
}

func (d *Disk) Replace(path string, content io.Reader, mode fs.FileMode, expect Expect) (Swapped, error) {
	return d.one(Change{path, func() (io.ReadCloser, error) { return io.NopCloser(content), nil }, mode, expect})
}

func (d *Disk) Remove(path string, expect Expect) (Swapped, error) {
	return d.one(Change{Path: path, Expect: expect})
}

func (d *Disk) one(c Change) (s Swapped, err error) {
	werr := d.Write([]Change{c}, func(_ int, got Swapped, e error) error {
		s, err = got, e
		return nil
	})
	return s, errors.Join(err, werr)
}

func (d *Disk) Write(changes []Change, done func(int, Swapped, error) error) error {
	touched := newDirs()
	err := d.batches(changes, done, touched)
	// What was exchanged has to be made durable whatever happened to the rest.
	if serr := d.sys.syncDirs(touched.order); serr != nil {
		err = errors.Join(err, fail("sync", touched.order[0], serr))
	}
	return err
}

func (d *Disk) batches(changes []Change, done func(int, Swapped, error) error, touched *dirSet) error {
	for at := 0; at < len(changes); {
		batch := d.prepare(changes[at:])
		err := d.syncAll(batch)
		for i, s := range batch {
			var out Swapped
			for _, made := range s.dirs {
				touched.add(filepath.Dir(made))
			}
			if s.err == nil {
				s.err = err
			}
			if s.err == nil {
				out, s.err = d.exchange(s, touched)
			}
			if s.err != nil && out.Aside == "" && out.After.Name == "" {
				d.abandon(s)
			} else if s.f != nil {
				s.f.Close()
			}
			if derr := done(at+i, out, s.err); derr != nil {
				for _, rest := range batch[i+1:] {
					d.abandon(rest)
				}
				return derr
			}
		}
		at += len(batch)
	}
	return nil
}

// prepare writes the new contents of the first changes beside their files.
func (d *Disk) prepare(changes []Change) []*swap {
	var batch []*swap
	var mu sync.Mutex // guards bytes
	var bytes int64
	var wg sync.WaitGroup
	slots := make(chan struct{}, d.workers)
	where := &targets{d: d, dirs: map[string]string{}}
	for _, c := range changes[:min(len(changes), batchFiles)] {
		slots <- struct{}{}
		mu.Lock()
		full := bytes > batchBytes
		mu.Unlock()
		if full {
			break
		}
		s := &swap{Change: c}
		batch = append(batch, s)
		work := func() {
			s.err = d.writeBeside(s, where)
			mu.Lock()
			bytes += s.n
			mu.Unlock()
			<-slots
		}
		if d.workers == 1 {
			work() // in this goroutine: the twin stays deterministic
		} else {
			wg.Go(work)
		}
	}
	wg.Wait()
	return batch
}

// targets resolves the symlinks of one batch's paths; most lie in few directories.
type targets struct {
	d    *Disk
	mu   sync.Mutex        // guards dirs
	dirs map[string]string // directories that were looked up
}

func (t *targets) real(path string) (string, error) {
	dir, base := filepath.Dir(path), filepath.Base(path)
	t.mu.Lock()
	known, ok := t.dirs[dir]
	t.mu.Unlock()
	if !ok {
		var err error
		if known, err = t.d.Real(dir); err != nil {
			return "", err
		}
		t.mu.Lock()
		t.dirs[dir] = known
		t.mu.Unlock()
	}
	// What else may be wrong with it, look says.
	target := filepath.Join(known, base)
	if i, err := t.d.sys.lstat(target); err == nil && i.Mode&fs.ModeSymlink != 0 {
		return t.d.Real(path)
	}
	return target, nil
}

func (d *Disk) writeBeside(s *swap, where *targets) (err error) {
	if s.target, err = where.real(s.Path); err != nil {
		return err
	}
	if err := d.look(s); err != nil {
		return err
	}
	if !s.Expect.matches(s.old.Stamp, s.exists) {
		return refuse("replace", s.Path, ErrChanged)
	}
	if s.exists && s.old.Mode&0o200 == 0 {
		// An exchange would succeed, but who made a file read-only meant it.
		return refuse("replace", s.Path, ErrReadOnly)
	}
	if s.Content == nil {
		return nil
	}
	if err := d.makeDirs(s); err != nil {
		return err
	}
	mode := s.Mode.Perm() | 0o200
	if s.exists {
		mode = 0o600 // until inherit: nobody else reads meanwhile
	}
	tmp := beside(s.target, newPrefix, d.sys.tag())
	if s.f, err = d.sys.create(tmp, mode); err != nil {
		return fail("create", tmp, err)
	}
	s.tmp = tmp
	if err := s.fill(); err != nil {
		return fail("write", tmp, err)
	}
	if s.exists {
		var mode *fs.FileMode
		if s.Expect.ModeMatters {
			m := execute(s.old.Mode.Perm(), s.Mode)
			mode = &m
		}
		return fail("write", tmp, d.sys.inherit(s.f, s.target, mode))
	}
	return nil
}

// look learns what stands at the target.
func (d *Disk) look(s *swap) error {
	i, err := d.sys.lstat(s.target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.exists = false
		return nil
	case err != nil:
		return fail("stat", s.target, err)
	case !i.Mode.IsRegular():
		return refuse("replace", s.Path, ErrOdd)
	}
	s.old, s.exists = i, true
	return nil
}

func (e Expect) matches(is Stamp, exists bool) bool {
	return e.Absent != exists && (e.Absent || is == e.Stamp)
}

func (d *Disk) Chmod(path string, mode fs.FileMode) (Info, error) {
	i, err := d.Stat(path)
	if err != nil {
		return i, err
	}
	if !i.Mode.IsRegular() {
		return i, refuse("chmod", path, ErrOdd)
	}
	want := execute(i.Mode, mode)
	if want == i.Mode {
		return i, nil
	}
	if err := d.sys.chmod(path, want); err != nil {
		return i, fail("chmod", path, err)
	}
	return d.Stat(path)
}

// execute is mode with x as want has it for the owner, wherever there is r.
func execute(mode, want fs.FileMode) fs.FileMode {
	if want&0o100 == mode&0o100 {
		return mode
	}
	if want&0o100 != 0 {
		return mode | mode&0o444>>2
	}
	return mode &^ 0o111
}

func (s *swap) fill() error {
	r, err := s.Content()
	if err != nil {
		return err
	}
	s.n, err = copyAll(s.f, r)
	return errors.Join(err, r.Close())
}

var buffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// copyAll copies in pieces of copyBuffer, whatever shortcuts the two sides would offer: one
// effect a piece.
func copyAll(to io.Writer, from io.Reader) (int64, error) {
	b := buffers.Get().(*[copyBuffer]byte)
	defer buffers.Put(b)
	return io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, b[:])
}

func (d *Disk) makeDirs(s *swap) error {
	var missing []string
	for dir := filepath.Dir(s.target); ; dir = filepath.Dir(dir) {
		i, err := d.sys.lstat(dir)
		if err == nil && !i.Mode.IsDir() {
			return refuse("make directory", dir, ErrOdd)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return fail("make directory", dir, err)
		}
		missing = append(missing, dir)
	}
	for i := len(missing) - 1; i >= 0; i-- {
		err := d.sys.mkdir(missing[i])
		if errors.Is(err, fs.ErrExist) {
			continue // another worker's
		}
		if err != nil {
			return fail("make directory", missing[i], err)
		}
		s.dirs = append(s.dirs, missing[i])
	}
	return nil
}

func (d *Disk) syncAll(batch []*swap) error {
	var open []newFile
	for _, s := range batch {
		if s.err == nil && s.f != nil {
			open = append(open, s.f)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return fail("sync", filepath.Dir(batch[0].target), d.sys.syncFiles(open))
}

// abandon leaves things as they were before the change began.
func (d *Disk) abandon(s *swap) {
	if s.f != nil {
		s.f.Close()
		s.f = nil
	}
	if s.tmp != "" {
		d.remove(s.tmp) // left behind it is only garbage, which Leftovers removes
	}
	for i := len(s.dirs) - 1; i >= 0; i-- {
		d.sys.rmdir(s.dirs[i])
	}
}

// exchange puts the written content in place. From the first effect on path, the
// returned Swapped says so, error or not.
func (d *Disk) exchange(s *swap, touched *dirSet) (out Swapped, err error) {
	was, existed := s.old, s.exists
	if err := d.look(s); err != nil {
		return out, err
	}
	if s.exists != existed || s.old.Stamp != was.Stamp {
		return out, refuse("replace", s.Path, ErrChanged)
	}
	out.Path = s.Path
	aside := beside(s.target, oldPrefix, d.sys.tag())
	d.sys.between(s.target)
	touched.add(filepath.Dir(s.target))

	if s.f != nil {
		if err := s.f.settle(); err != nil {
			return out, fail("write", s.tmp, err)
		}
	}
	switch {
	case s.Content == nil && !s.exists:
		return out, nil
	case s.Content == nil:
		err = d.sys.rename(s.target, aside)
	case s.exists:
		err = d.displace(s, aside)
	default:
		err = d.place(s)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		return out, &Error{Op: "replace", Path: s.Path, Code: ErrChanged, Err: err}
	}
	if err != nil {
		return out, fail("replace", s.Path, err)
	}

	if s.f != nil {
		if out.After, err = s.f.info(); err != nil {
			// The new content is there, but can't be described: the caller reads it.
			out.After, err = Info{Mode: s.Mode}, nil
		}
		out.After.Path, out.After.Name = s.Path, filepath.Base(s.Path)
	}
	if !s.exists {
		return out, nil
	}
	out.Aside = aside
	if out.Before, err = d.sys.lstat(aside); err != nil {
		return out, fail("stat", aside, err)
	}
	if !out.Before.Mode.IsRegular() {
		return d.undo(s, out)
	}
	out.Raced = !s.copied && !out.Before.Stamp.Same(s.Expect.Stamp)
	return out, nil
}

// undo gives back what turned out to be no file: somebody put a directory or a symlink
// there in the last instant.
func (d *Disk) undo(s *swap, out Swapped) (Swapped, error) {
	changed := refuse("replace", s.Path, ErrChanged)
	var err error
	if s.Content == nil {
		err = d.sys.renameNew(out.Aside, s.target)
	} else if err = d.sys.exchange(out.Aside, s.target); err == nil {
		s.tmp = out.Aside // now the new content again
	}
	if err != nil {
		return out, errors.Join(changed, fail("give back", s.target, err))
	}
	return Swapped{Path: s.Path}, changed
}

func (d *Disk) SyncNames(root string, paths []string) error {
	root = filepath.Clean(root)
	dirs := newDirs()
	for _, p := range paths {
		target, err := d.Real(p)
		if err != nil {
			return err
		}
		dir := filepath.Dir(target)
		dirs.add(dir)
		for dir != root && strings.HasPrefix(dir, root+string(filepath.Separator)) {
			dir = filepath.Dir(dir)
			dirs.add(dir)
		}
	}
	if len(dirs.order) == 0 {
		return nil
	}
	return fail("sync", root, d.sys.syncDirs(dirs.order))
}

// A dirSet keeps directories in the order in which they came.
type dirSet struct {
	seen  map[string]bool
	order []string
}

func newDirs() *dirSet { return &dirSet{seen: map[string]bool{}} }

func (s *dirSet) add(dir string) {
	if !s.seen[dir] {
		s.seen[dir] = true
		s.order = append(s.order, dir)
	}
}
