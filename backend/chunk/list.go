package chunk

import (
	"encoding/binary"
	"fmt"

	"plait/backend/item"
)

const (
	// Inline is how many chunks a content names itself; more are named by a list.
	Inline = 16

	recordSize = 32 + 4 // of a list: a chunk's name, its plain size in big endian

	// leastMean bounds how many chunks a content of some size may claim, so that a list
	// costs a reader at most 36 bytes a kilobyte. Writers stay above Min, save the last.
	leastMean = 1 << 10

	// maxSize is the largest content: what a list's pieces can name many times over.
	maxSize = 1 << 42

	leastPiece = 16               // records of a piece, save the last
	mostPiece  = Max / recordSize // records that fit one chunk
)

// pieceMask says how long pieces of a list are, on average mask+1 records. The longer
// the list, the longer its pieces, since the content names each of them.
func pieceMask(records int) uint32 {
	switch {
	case records < 1<<12:
		return 1<<6 - 1 // 2.3 KB each, at most about 64 of them
	case records < 1<<16:
		return 1<<8 - 1
	}
	return 1<<10 - 1
}

// pieces encodes the list, and cuts it where a name's last bytes say so: by content, so
// that a change of one chunk changes one piece, or two.
func pieces(chunks []item.Chunk) [][]byte {
	mask := pieceMask(len(chunks))
	var out [][]byte
	var piece []byte
	for _, c := range chunks {
		piece = append(piece, c.Name[:]...)
		piece = binary.BigEndian.AppendUint32(piece, c.Size)
		n := len(piece) / recordSize
		if n == mostPiece || n >= leastPiece && binary.BigEndian.Uint32(c.Name[28:])&mask == 0 {
			out, piece = append(out, piece), nil
		}
	}
	if piece != nil {
		out = append(out, piece)
	}
	return out
}

// A lister decodes a list piece by piece, and checks it as it goes.
type lister struct {
	c      *item.Content
	chunks []item.Chunk
	sum    int64
	checks check
}

// add decodes one piece.
func (l *lister) add(piece []byte) error {
	if len(piece) == 0 || len(piece)%recordSize != 0 {
		return fmt.Errorf("a list's piece of %d bytes: %w", len(piece), ErrChanged)
	}
	for ; len(piece) > 0; piece = piece[recordSize:] {
		c := item.Chunk{Name: item.Hash(piece), Size: binary.BigEndian.Uint32(piece[32:])}
		l.sum += int64(c.Size)
		l.chunks = append(l.chunks, c)
		if !l.checks.has(checkSize) {
			continue
		}
		if c.Size == 0 || c.Size > Max || l.sum > l.c.Size || int64(len(l.chunks)) > mostChunks(l.c.Size) {
			return fmt.Errorf("a list past its content's %d bytes: %w", l.c.Size, ErrChanged)
		}
	}
	return nil
}

// done returns the chunks, once all pieces were added.
func (l *lister) done() ([]item.Chunk, error) {
	if l.sum != l.c.Size && l.checks.has(checkSize) {
		return nil, fmt.Errorf("a list of %d bytes, not %d: %w", l.sum, l.c.Size, ErrChanged)
	}
	return l.chunks, nil
}

func mostChunks(size int64) int64 { return size/leastMean + 1 }

// CheckContent refuses a content that no writer makes: sizes that do not add up,
// chunks over Max, more of them than its size can need. It is all that can be said
// before reading.
func CheckContent(c *item.Content) error {
	if c.Size < 0 || c.Size > maxSize {
		return fmt.Errorf("a content of %d bytes: %w", c.Size, ErrTooLarge)
	}
	var sum int64
	for _, k := range c.Chunks {
		if k.Size == 0 || k.Size > Max {
			return fmt.Errorf("a chunk of %d bytes: %w", k.Size, ErrChanged)
		}
		sum += int64(k.Size)
	}
	switch {
	case !c.List && (sum != c.Size || len(c.Chunks) > Inline):
		return fmt.Errorf("%d chunks of %d bytes for a content of %d: %w", len(c.Chunks), sum, c.Size, ErrChanged)
	case c.List && (sum%recordSize != 0 || sum/recordSize > mostChunks(c.Size) || sum == 0):
		return fmt.Errorf("a list of %d bytes for a content of %d: %w", sum, c.Size, ErrChanged)
	}
	return nil
}
