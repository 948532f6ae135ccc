package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Folder is the kind of store that is a folder.
const Folder = "folder"

// ParseURL takes apart what a person gave for a store: KIND:PATH, or a bare path,
// which is a folder. A folder's path comes back absolute, with ~/ spelled out, so
// that it can be kept. Which kinds there are, the caller knows.
//
//	folder:/mnt/nas/plait   ~/Dropbox/plait   ./store   C:\plait   s3:bucket/prefix
func ParseURL(url string) (kind, path string, err error) {
	kind, path = Folder, url
	if scheme, rest, ok := strings.Cut(url, ":"); ok && isScheme(scheme) {
		kind, path = scheme, rest
	}
	if kind == Folder && strings.HasPrefix(path, "///") {
		path = path[2:] // folder:///mnt/nas, as URLs of files are written
	}
	switch {
	case path == "" || strings.ContainsRune(path, 0):
		return "", "", fmt.Errorf("store %q names no place", url)
	case kind != Folder:
		return kind, path, nil
	case path == "~" || strings.HasPrefix(path, "~/"):
		// A shell leaves the ~ in folder:~/x as it is; a folder called ~ is never meant.
		home, err := os.UserHomeDir()
		if err != nil {
			return "", "", fmt.Errorf("store %q: %w", url, err)
		}
		path = home + path[1:]
	}
	path, err = filepath.Abs(path)
	return kind, path, err
}

// isScheme says whether s, before a colon, names a kind of store. One letter does
// not: that is a Windows drive. Nor does what holds a separator: that is a path.
func isScheme(s string) bool {
	if len(s) < 2 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return true
}
