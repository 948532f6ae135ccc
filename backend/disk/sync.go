package disk

import (
	"errors"
	"io/fs"

	"golang.org/x/sync/errgroup"
)

// syncEach syncs files side by side: a journaling filesystem writes what waits at once
// in one commit.
func syncEach(files []newFile) error {
	if len(files) == 1 {
		return files[0].sync()
	}
	var g errgroup.Group
	g.SetLimit(16)
	for _, f := range files {
		g.Go(f.sync)
	}
	return g.Wait()
}

func syncEachDir(dirs []string) error {
	var g errgroup.Group
	g.SetLimit(16)
	for _, dir := range dirs {
		g.Go(func() error {
			if err := syncDir(dir); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		})
	}
	return g.Wait()
}
