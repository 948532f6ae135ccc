package folderstore

import (
	"errors"
	"fmt"
	"io/fs"

	"plait/backend/store/driver"
)

// errIrregular is for what lies under an object's name and is no plain file.
var errIrregular = errors.New("not a regular file")

// read and wrote give an error of reading or writing its code, if it has none yet.
func read(err error) error { return coded(err, driver.Denied) }

// wrote differs from read in what a refusal means: who may read and not write has a
// read-only store.
func wrote(err error) error { return coded(err, driver.ReadOnly) }

func coded(err error, refused driver.Code) error {
	if c := driver.CodeOf(err); c != driver.Unknown {
		return err
	}
	code := systemCode(err)
	if code == "" {
		switch {
		case errors.Is(err, fs.ErrPermission):
			code = refused
		case errors.Is(err, fs.ErrNotExist), isNotDir(err):
			code = driver.Missing // the directory went away between two steps
		default:
			code = driver.Unknown
		}
	}
	return fmt.Errorf("%w (%w)", err, code)
}
