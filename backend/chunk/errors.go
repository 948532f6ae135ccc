package chunk

import (
	"fmt"

	"plait/backend/item"
)

// A Code says what a caller can do about an error.
type Code string

func (c Code) Error() string { return string(c) }

const (
	// ErrChanged: what was read is not what was named. Nothing of it may be used.
	ErrChanged Code = "chunk changed, cut or swapped"
	// ErrIncomplete: a chunk is in no pack known here; its pack may still be on its way.
	ErrIncomplete Code = "chunk in no known pack"
	// ErrNoKey: the chunk is sealed under an epoch whose key is not here.
	ErrNoKey Code = "no key for the chunk's epoch"
	// ErrTooLarge: more than the caller asked for, or than any writer writes.
	ErrTooLarge Code = "content too large"
)

// An Error says which chunk could not be read, and where it was looked for. Err wraps
// one of this package's codes, or what Get returned.
type Error struct {
	Chunk item.Hash
	Pack  item.Hash // zero if none is known
	Err   error
}

func (e *Error) Error() string {
	if e.Pack == (item.Hash{}) {
		return fmt.Sprintf("chunk: %v", e.Err)
	}
	return fmt.Sprintf("chunk in packs/%s: %v", e.Pack, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }
