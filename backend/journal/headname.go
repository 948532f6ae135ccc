package journal

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"plait/backend/item"
)

// A HeadName is what a head's name in a store says.
type HeadName struct {
	Author item.Author
	N      uint64
	Hash   item.Hash // SHA-256 of the object
}

// HeadPrefix is what all heads' names begin with.
const HeadPrefix = "heads/"

// String is the name: heads/<device>.<incarnation, 16 hex digits>.<n>.<hash>.
func (n HeadName) String() string {
	return fmt.Sprintf("%s%s.%d.%s", HeadPrefix, n.Author, n.N, n.Hash)
}

// ParseHeadName reads what String wrote, in exactly that form.
func ParseHeadName(s string) (n HeadName, err error) {
	parts := strings.Split(strings.TrimPrefix(s, HeadPrefix), ".")
	if len(parts) == 4 {
		n.Author.Device, err = item.ParseDevice(parts[0])
		if err == nil {
			n.Author.Inc, err = strconv.ParseUint(parts[1], 16, 64)
		}
		if err == nil {
			n.N, err = strconv.ParseUint(parts[2], 10, 64)
		}
		if err == nil && len(parts[3]) == 2*len(n.Hash) {
			_, err = hex.Decode(n.Hash[:], []byte(parts[3]))
		}
	}
	// One spelling each, or one head could be listed under several names.
	if err != nil || n.String() != s {
		return HeadName{}, fmt.Errorf("head name %.100q: %w", s, ErrFormat)
	}
	if checkNumbers.fails(n.N == 0 || n.N > MaxSeq) {
		return HeadName{}, fmt.Errorf("head name %.100q: %w", s, ErrLimit)
	}
	return n, nil
}
