package chunk

import (
	"io"

	"plait/backend/item"
)

// Sum is Name of all that r gives, read piecemeal. It returns how much that was and,
// if it was at most keep bytes, the bytes themselves.
func (n *Namer) Sum(r io.Reader, keep int64) (size int64, name item.Hash, content []byte, err error) {
	h := n.hash()
	buf := make([]byte, 64<<10)
	for {
		k, err := r.Read(buf)
		h.Write(buf[:k])
		if size += int64(k); size <= keep {
			content = append(content, buf[:k]...)
		} else {
			content = nil
		}
		if err == io.EOF {
			h.Sum(name[:0])
			return size, name, content, nil
		}
		if err != nil {
			return 0, item.Hash{}, nil, err
		}
	}
}
