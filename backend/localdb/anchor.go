package localdb

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// mark names a transaction: its number, and a hash over it and all before it.
type mark struct {
	Counter uint64
	Hash    [32]byte
}

// An anchor remembers the newest transaction outside of the database. Its two
// slots are written in turn and lie in different sectors, so that a torn write
// spoils at most the newer: the older is then one transaction behind, which is
// what a crash between commit and anchor leaves too.
type anchor struct {
	file *os.File
	key  []byte
}

const (
	anchorMagic = "PLanchr1"
	slotSize    = 8 + 8 + 32 + 32 // magic, counter, hash, HMAC-SHA256 over those
	slotStride  = 4096
)

// openAnchor returns the newest mark, and false if no slot holds one.
func openAnchor(dir string, key []byte) (*anchor, mark, bool, error) {
	path := filepath.Join(dir, "anchor")
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err == nil {
			err = syncDir(dir)
		}
	}
	if err != nil {
		return nil, mark{}, false, fmt.Errorf("open anchor: %w", err)
	}
	a := &anchor{f, key}
	var newest mark
	found := false
	for slot := range int64(2) {
		b := make([]byte, slotSize)
		if _, err := f.ReadAt(b, slot*slotStride); err != nil {
			if errors.Is(err, io.EOF) {
				continue
			}
			f.Close()
			return nil, mark{}, false, fmt.Errorf("read anchor: %w", err)
		}
		m, ok := parseSlot(b, key)
		if ok && (!found || m.Counter > newest.Counter) {
			newest, found = m, true
		}
	}
	return a, newest, found, nil
}

func parseSlot(b, key []byte) (mark, bool) {
	if len(b) != slotSize || string(b[:8]) != anchorMagic {
		return mark{}, false
	}
	body, sum := b[:slotSize-32], b[slotSize-32:]
	if !hmac.Equal(sum, slotSum(body, key)) {
		return mark{}, false
	}
	m := mark{Counter: binary.BigEndian.Uint64(b[8:])}
	copy(m.Hash[:], b[16:])
	return m, true
}

func slotSum(body, key []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(body)
	return h.Sum(nil)
}

// set makes m the newest mark; it lasts when set returns.
func (a *anchor) set(m mark) error {
	b := make([]byte, 0, slotSize)
	b = append(b, anchorMagic...)
	b = binary.BigEndian.AppendUint64(b, m.Counter)
	b = append(b, m.Hash[:]...)
	b = append(b, slotSum(b, a.key)...)
	if _, err := a.file.WriteAt(b, int64(m.Counter%2)*slotStride); err != nil {
		return fmt.Errorf("write anchor: %w", err)
	}
	if err := a.file.Sync(); err != nil {
		return fmt.Errorf("sync anchor: %w", err)
	}
	return nil
}

// reset is set for a mark that does not follow the last: the other slot may
// hold a higher counter, and is emptied first.
func (a *anchor) reset(m mark) error {
	if _, err := a.file.WriteAt(make([]byte, slotSize), int64((m.Counter+1)%2)*slotStride); err != nil {
		return fmt.Errorf("clear anchor: %w", err)
	}
	return a.set(m)
}

// judge compares what the database holds with what the anchor remembers.
//
//	database            anchor          →
//	empty               none              fresh
//	empty               n > 0             fresh, lost tail
//	n                   none              no anchor
//	n, hash h           n, hash h         as it was
//	n, hash h           n, other hash     lost tail: this is another history
//	n+1, built on h     n, hash h         as it was: a crash before the anchor was written
//	n+1, built on other n, hash h         lost tail
//	less than n         n                 lost tail
//	more than n+1       n                 no anchor: an old one
func judge(db mark, prev [32]byte, a mark, found bool) Info {
	i := Info{Counter: db.Counter, Fresh: db.Counter == 0}
	switch {
	case !found:
		i.NoAnchor = db.Counter > 0
	case db.Counter < a.Counter,
		db.Counter == a.Counter && db.Hash != a.Hash,
		db.Counter == a.Counter+1 && prev != a.Hash:
		i.LostTail = true
	case db.Counter > a.Counter+1:
		i.NoAnchor = true
	}
	return i
}
