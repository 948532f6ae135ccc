package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
)

func (d *Disk) Discard(s Swapped) error {
	if s.Aside == "" {
		return nil
	}
	now, err := d.sys.lstat(s.Aside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fail("discard", s.Aside, err)
	}
	if now.Stamp != s.Before.Stamp {
		return refuse("discard", s.Aside, ErrChanged)
	}
	if err := d.remove(s.Aside); !errors.Is(err, fs.ErrNotExist) {
		return fail("discard", s.Aside, err)
	}
	return nil
}

// remove removes an own file, and notes where it was.
func (d *Disk) remove(path string) error {
	d.note(path)
	return d.sys.unlink(path)
}

// note notes that something is gone from the directory that path is in.
func (d *Disk) note(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.removed == nil {
		d.removed = newDirs()
	}
	d.removed.add(filepath.Dir(path))
}

func (d *Disk) Settle() error {
	d.mu.Lock()
	dirs := d.removed
	d.removed = nil
	d.mu.Unlock()
	if dirs == nil {
		return nil
	}
	return fail("sync", dirs.order[0], d.sys.syncDirs(dirs.order))
}

func (d *Disk) Leftovers(dir string) ([]Swapped, error) {
	var own []string              // directories that hold own files
	var outside []string          // targets of symlinks to files elsewhere
	seen := map[string]struct{}{} // of own
	dir = filepath.Clean(dir)
	err := d.sys.scan(dir, func(i Info, err error) error {
		switch parent := filepath.Dir(i.Path); {
		case err != nil:
			return fail("list", i.Path, err)
		case i.Mode&fs.ModeSymlink != 0:
			if to, err := d.Real(i.Path); err == nil && !strings.HasPrefix(to, dir+string(filepath.Separator)) {
				outside = append(outside, to)
			}
		case Own(i.Name) && i.Mode.IsRegular():
			if _, ok := seen[parent]; !ok {
				seen[parent] = struct{}{}
				own = append(own, parent)
			}
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fail("scan", dir, err)
	}
	var all []Swapped
	for _, dir := range own {
		found, err := d.leftIn(dir, "")
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	for _, to := range outside {
		found, err := d.leftIn(filepath.Dir(to), filepath.Base(to))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// leftIn looks at one directory; for the files of one base name if that is not empty.
func (d *Disk) leftIn(dir, only string) ([]Swapped, error) {
	infos, err := d.sys.readDir(dir)
	if err != nil {
		return nil, fail("list", dir, err)
	}
	var all []Swapped
	for _, i := range infos {
		if !i.Mode.IsRegular() || !Own(i.Name) {
			continue
		}
		if base, ok := belongsTo(i.Name, infos); ok {
			if only != "" && base != only {
				continue
			}
			s := Swapped{Aside: i.Path, Before: i}
			if base != "" {
				s.Path = filepath.Join(dir, base)
			}
			all = append(all, s)
			continue
		}
		rest, unfinished := strings.CutPrefix(i.Name, newPrefix)
		if only != "" && (len(rest) < tagLength || i.Name != beside(only, newPrefix, rest[:tagLength])) {
			continue // another file's
		}
		if unfinished && !d.sys.held(i.Path) {
			if err := d.remove(i.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fail("discard", i.Path, err)
			}
		}
	}
	return all, nil
}
