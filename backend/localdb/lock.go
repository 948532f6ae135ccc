package localdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Wait is how long Open waits for another process to let go, unless told otherwise.
const Wait = 10 * time.Second

// poll is how often a held lock is tried again. Sync --watch lets go between
// rounds, for longer than this.
const poll = 20 * time.Millisecond

// A Held is a lock that this process holds.
type Held struct{ file *os.File }

// Lock takes the lock of the folder, which it makes if need be, and waits for
// another holder at most the given time (0: Wait; negative: not at all), then
// returns a *Busy. The lock is the system's own on dir/lock, so it ends with the
// process that holds it, however that ends.
func Lock(ctx context.Context, dir string, wait time.Duration) (*Held, error) {
	if wait == 0 {
		wait = Wait
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make database folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for deadline := time.Now().Add(wait); ; {
		err := tryLock(f)
		if err == nil {
			break
		}
		if !errors.Is(err, errHeld) {
			f.Close()
			return nil, fmt.Errorf("lock database: %w", err)
		}
		if wait < 0 || time.Now().After(deadline) {
			busy := &Busy{PID: holder(f)}
			f.Close()
			return nil, busy
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(poll):
		}
	}
	// Only for the words of whoever finds it locked; not synced.
	pid := fmt.Sprintf("%-20d\n", os.Getpid())
	if _, err := f.WriteAt([]byte(pid), 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return &Held{f}, nil
}

// Release gives the lock back. The file stays: removing it would let two
// processes hold locks on two files of one name.
func (h *Held) Release() error { return h.file.Close() }

func holder(f *os.File) int {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

var errHeld = errors.New("held by another process")
