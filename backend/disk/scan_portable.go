//go:build !linux

package disk

import (
	"os"
	"path/filepath"
)

func (system) lstat(path string) (Info, error) {
	i, err := os.Lstat(path)
	if err != nil {
		return Info{}, err
	}
	return infoOf(path, i), nil
}

func (system) readDir(dir string) ([]Info, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	infos := make([]Info, 0, len(entries))
	for _, e := range entries {
		i, err := e.Info()
		if os.IsNotExist(err) {
			continue // gone since the directory was read
		}
		if err != nil {
			return nil, err
		}
		infos = append(infos, infoOf(filepath.Join(dir, e.Name()), i))
	}
	return infos, nil
}

func (s system) scan(root string, fn func(Info, error) error) error {
	return walk(root, func() func(string) ([]Info, error) { return s.readDir }, scanWorkers(), fn)
}
