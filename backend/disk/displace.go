package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// displace gives an existing target the content of s.tmp, and aside that of the
// target, at one instant where the system can:
//
//   - exchange (Linux renameat2, macOS renamex_np): one atomic step, nothing can fall between;
//   - replace (Windows ReplaceFile): one call, and the file is never without content;
//   - else a second hard link to the old content, then a rename over it. Who saves by renaming
//     between the two, some microseconds, loses: there is no operation that could tell;
//   - else, where there are no hard links either (FAT), a copy instead of the link.
//
// On an error the target is as it was, and neither aside nor anything new is beside it but s.tmp.
func (d *Disk) displace(s *swap, aside string) error {
	if r, ok := d.sys.(replacer); ok {
		return r.replace(s.tmp, s.target, aside)
	}
	// The name comes first: from the exchange on, it must say "old".
	if err := d.sys.rename(s.tmp, aside); err != nil {
		return err
	}
	err := d.sys.exchange(aside, s.target)
	if err == nil {
		s.tmp = ""
		return nil
	}
	if back := d.sys.rename(aside, s.tmp); back != nil {
		s.tmp = aside
		return errors.Join(err, back)
	}
	if !errors.Is(err, errUnsupported) {
		return err
	}
	return d.displaceByLink(s, aside)
}

func (d *Disk) displaceByLink(s *swap, aside string) error {
	err := d.sys.link(s.target, aside)
	if errors.Is(err, errUnsupported) {
		s.copied = true
		err = d.copyAside(s, aside)
	}
	if err == nil {
		// Else a power cut could keep the rename and lose the link.
		if err = d.sys.syncDir(filepath.Dir(aside)); err != nil {
			d.sys.unlink(aside)
		}
	}
	if err != nil {
		return err
	}
	// What was linked or copied must still be what stands there, just before it goes.
	now, err := d.sys.lstat(s.target)
	if err == nil && !now.Stamp.Same(s.old.Stamp) {
		err = refuse("replace", s.Path, ErrChanged)
	}
	if err == nil {
		err = d.sys.rename(s.tmp, s.target)
	}
	if err != nil {
		d.sys.unlink(aside)
		return err
	}
	s.tmp = ""
	return nil
}

// copyAside makes aside a durable copy of the target.
func (d *Disk) copyAside(s *swap, aside string) (err error) {
	src, _, err := d.Open(s.target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	tmp := beside(s.target, newPrefix, d.sys.tag())
	dst, err := d.sys.create(tmp, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		dst.Close()
		if err != nil {
			d.sys.unlink(tmp)
		}
	}()
	if _, err = copyAll(dst, src); err != nil {
		return err
	}
	if err = dst.sync(); err != nil {
		return err
	}
	if err = dst.settle(); err != nil {
		return err
	}
	return d.sys.rename(tmp, aside)
}

// place gives the new content a name that nobody has yet.
func (d *Disk) place(s *swap) error {
	err := d.sys.renameNew(s.tmp, s.target)
	if errors.Is(err, errUnsupported) {
		if err = d.sys.link(s.tmp, s.target); err == nil {
			d.sys.unlink(s.tmp)
		}
	}
	if errors.Is(err, errUnsupported) {
		// Neither: look, then rename. Some microseconds are left open.
		if _, err = d.sys.lstat(s.target); err == nil {
			return fs.ErrExist
		}
		err = d.sys.rename(s.tmp, s.target)
	}
	if err == nil {
		s.tmp = ""
	}
	return err
}
