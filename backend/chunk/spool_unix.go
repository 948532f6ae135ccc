//go:build !windows

package chunk

import (
	"errors"
	"os"
)

// syncDir makes the directory's entries durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
