//go:build !linux

package disk

// scan walks with one listing a directory.
func (s system) scan(root string, fn func(Info, error) error) error {
	infos, err := s.readDir(root)
	if err != nil {
		return err
	}
	return walk(s, infos, fn)
}
