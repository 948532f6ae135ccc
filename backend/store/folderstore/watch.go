package folderstore

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"

	"plait/backend/store/driver"
)

// Watch implements driver.Watcher. It hears of what is changed on this machine, so also
// by a tool that carries the folder; not of what another machine writes to a network
// drive: callers look now and then as well.
func (b *Bucket) Watch(ctx context.Context, prefix string) (<-chan struct{}, error) {
	if err := driver.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	dir, _, _ := strings.Cut(prefix, "/")
	path := filepath.Join(b.root, dir)
	if prefix != "" {
		if err := b.makeDir(dir + "/x"); err != nil {
			return nil, err
		}
	}
	w, err := fsnotify.NewWatcher()
	if err == nil {
		if err = w.Add(path); err != nil {
			w.Close()
		}
	}
	if err != nil {
		return nil, read(fmt.Errorf("watch the folder: %w", err))
	}
	changed := make(chan struct{}, 1) // closed by forward
	go forward(ctx, w, dir, prefix, changed)
	return changed, nil
}

// forward turns file events into "something changed", until ctx ends.
func forward(ctx context.Context, w *fsnotify.Watcher, dir, prefix string, changed chan<- struct{}) {
	defer close(changed)
	defer w.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-w.Events:
			name := strings.TrimPrefix(dir+"/"+filepath.Base(e.Name), "/")
			ours := strings.HasPrefix(name, prefix) && driver.CheckName(name) == nil
			if e.Op == fsnotify.Chmod || !ours && (dir != "" || strings.HasPrefix(name, tempPrefix)) {
				continue
			}
		case <-w.Errors: // events were lost: something may have changed
		}
		select {
		case changed <- struct{}{}:
		default: // it is told already
		}
	}
}
