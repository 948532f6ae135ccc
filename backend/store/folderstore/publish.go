package folderstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// publish renames a temporary file to its object's name, never over anything: then the
// error is fs.ErrExist.
func publish(temp, path string) error {
	err := renameNew(temp, path)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	// A hard link never replaces either.
	if err = os.Link(temp, path); err == nil {
		os.Remove(temp) // if it can't be, it is removed when old
		return nil
	}
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Neither is to be had (exFAT, some network drives). Between look and rename another
	// could put the same name, which has one writer; so it would be the same bytes.
	if _, err = os.Lstat(path); err == nil {
		return fmt.Errorf("rename: %w", fs.ErrExist)
	}
	return os.Rename(temp, path)
}
