package disk

import (
	"errors"
	"io/fs"
)

// walk calls fn for the entries of one directory and what is below them.
func walk(sys interface{ readDir(string) ([]Info, error) }, infos []Info, fn func(Info, error) error) error {
	for _, i := range infos {
		err := fn(i, nil)
		if errors.Is(err, fs.SkipDir) {
			continue
		}
		if err != nil {
			return err
		}
		if !i.Mode.IsDir() {
			continue
		}
		below, err := sys.readDir(i.Path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since
		}
		if err != nil {
			if err = fn(i, err); err != nil && !errors.Is(err, fs.SkipDir) {
				return err
			}
			continue
		}
		if err := walk(sys, below, fn); err != nil {
			return err
		}
	}
	return nil
}
