package disk

import "golang.org/x/sync/errgroup"

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
