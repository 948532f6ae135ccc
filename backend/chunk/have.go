package chunk

import (
	"bytes"
	"context"
	"io"

	"plait/backend/item"
)

// A Have finds chunks in a file that is here already, such as the version before, so
// that of a large file only what changed is fetched. nil has none.
type Have struct {
	from  io.ReaderAt
	at    map[item.Hash]int64
	lists map[item.Hash][]byte // the pieces of the list that the file would have
}

// Have cuts size bytes of the file as a Writer would, and remembers where each chunk
// lies. The file may change meanwhile or later: what is found is checked when used.
func (n *Namer) Have(ctx context.Context, from io.ReaderAt, size int64) (*Have, error) {
	h := &Have{from, map[item.Hash]int64{}, map[item.Hash][]byte{}}
	var chunks []item.Chunk
	c, at := n.Cutter(io.NewSectionReader(from, 0, size)), int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		plain, err := c.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, item.Chunk{Name: n.Name(plain), Size: uint32(len(plain))})
		h.at[chunks[len(chunks)-1].Name] = at
		at += int64(len(plain))
	}
	if len(chunks) > Inline {
		for _, piece := range pieces(chunks) {
			h.lists[n.Name(piece)] = piece
		}
	}
	return h, nil
}

func (h *Have) has(name item.Hash) bool {
	if h == nil {
		return false
	}
	_, ok := h.at[name]
	return ok || h.lists[name] != nil
}

// chunk returns the chunk's plain bytes, or nil if they are not here any more.
func (h *Have) chunk(n *Namer, c item.Chunk) []byte {
	if !h.has(c.Name) || c.Size > Max {
		return nil
	}
	if piece := h.lists[c.Name]; len(piece) == int(c.Size) {
		return bytes.Clone(piece)
	}
	plain := make([]byte, c.Size)
	if got, _ := h.from.ReadAt(plain, h.at[c.Name]); got != len(plain) || n.Name(plain) != c.Name {
		return nil
	}
	return plain
}
