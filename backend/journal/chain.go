package journal

import (
	"fmt"

	"plait/backend/item"
)

// A ChainError says where a journal's records stop being one chain.
type ChainError struct {
	Author item.Author
	Seq    uint64 // the record that was expected there
	Err    error  // of code ErrGap, ErrForked, ErrForeign or as Record.Open's
}

func (e *ChainError) Error() string {
	return fmt.Sprintf("journal %s at %d: %v", e.Author, e.Seq, e.Err)
}
func (e *ChainError) Unwrap() error { return e.Err }

// Verify checks that the records follow prev, one after the other: one author,
// sequences without a gap, each naming the hash of the one before, payloads (where
// they are still kept) those of their headers. It returns the tip they end at; with
// an error, that of those that do follow, and a *ChainError.
func Verify(records []Record, prev Tip) (Tip, error) {
	for _, r := range records {
		next, err := prev.follow(r)
		if err != nil {
			return prev, &ChainError{prev.Author, prev.Seq + 1, err}
		}
		prev = next
	}
	return prev, nil
}

// follow returns the tip after r.
func (t Tip) follow(r Record) (Tip, error) {
	h, err := r.Open()
	switch {
	case err != nil:
		return t, err
	case checkAuthor.fails(h.Author != t.Author):
		return t, fmt.Errorf("%w: a record by %s", ErrForeign, h.Author)
	case checkSeq.fails(h.Seq <= t.Seq):
		return t, fmt.Errorf("%w: record %d comes again", ErrForked, h.Seq)
	case checkSeq.fails(h.Seq != t.Seq+1):
		return t, fmt.Errorf("%w: record %d comes next", ErrGap, h.Seq)
	case checkPrev.fails(h.Prev != t.Hash):
		return t, fmt.Errorf("%w: it follows %.8s, not %.8s", ErrForked, h.Prev, t.Hash)
	}
	return Tip{h.Author, h.Seq, r.Hash}, nil
}

// Tip is where the journal of the head's author ended when it was written.
func (h *Head) Tip() Tip { return Tip{h.Author, h.Seq, h.Hash} }

// Audit checks a whole journal, from prev on, against its author's signed head:
// that it is one chain, that the chain passes through the head's tip, and that it
// ends there or after. It returns the chain's tip.
func Audit(records []Record, prev Tip, head *Head) (Tip, error) {
	at := map[uint64]item.Hash{prev.Seq: prev.Hash}
	tip := prev
	for _, r := range records {
		next, err := tip.follow(r)
		if err != nil {
			return tip, &ChainError{prev.Author, tip.Seq + 1, err}
		}
		tip = next
		at[tip.Seq] = tip.Hash
	}
	signed, ok := at[head.Seq]
	switch {
	case checkAuthor.fails(head.Author != prev.Author):
		return tip, &ChainError{prev.Author, head.Seq, fmt.Errorf("%w: a head of %s", ErrForeign, head.Author)}
	case checkEnd.fails(tip.Seq < head.Seq):
		return tip, &ChainError{prev.Author, tip.Seq + 1, fmt.Errorf("%w: its head goes to %d", ErrGap, head.Seq)}
	case checkEnd.fails(ok && signed != head.Hash):
		return tip, &ChainError{prev.Author, head.Seq, fmt.Errorf("%w: its head names another record", ErrForked)}
	case checkEnd.fails(!ok && prev.Seq <= head.Seq):
		return tip, &ChainError{prev.Author, head.Seq, ErrGap}
	}
	return tip, nil
}

// Disagree lists the journals of which a and b name different records at one
// sequence: two histories, each shown to one of those who wrote the vectors.
func Disagree(a, b item.Vector) (authors []item.Author) {
	for _, x := range a.Authors() {
		if y, ok := b[x]; ok && y.Seq == a[x].Seq && y.Hash != a[x].Hash {
			authors = append(authors, x)
		}
	}
	return authors
}
