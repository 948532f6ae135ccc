//go:build !linux && !darwin

package folderstore

import "errors"

// renameNew can't be had here; publish then links.
func renameNew(from, to string) error { return errors.ErrUnsupported }
