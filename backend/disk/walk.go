package disk

import (
	"errors"
	"io/fs"
)

// walk calls fn for everything below root, with the given number of workers listing ahead.
// list makes a function that one goroutine uses.
func walk(root string, list func() func(string) ([]Info, error), workers int, fn func(Info, error) error) error {
	a := newAhead(list, workers)
	defer a.close()
	top := &job{dir: root, done: make(chan struct{})}
	a.need(top)
	if top.err != nil {
		return top.err
	}
	return a.walk(top, fn)
}

func (a *ahead) walk(j *job, fn func(Info, error) error) error {
	dirs := j.below
	for _, i := range j.infos {
		err := fn(i, nil)
		if !i.Mode.IsDir() {
			if err != nil && !errors.Is(err, fs.SkipDir) {
				return err
			}
			continue
		}
		below := dirs[0]
		dirs = dirs[1:]
		if errors.Is(err, fs.SkipDir) {
			a.skip(below)
			continue
		}
		if err != nil {
			return err
		}
		a.need(below)
		if errors.Is(below.err, fs.ErrNotExist) {
			continue // gone since
		}
		if below.err != nil {
			if err = fn(i, below.err); err != nil && !errors.Is(err, fs.SkipDir) {
				return err
			}
			continue
		}
		if err := a.walk(below, fn); err != nil {
			return err
		}
	}
	return nil
}
