package journal

import (
	"crypto/sha256"
	"fmt"
	"iter"

	"plait/backend/item"
	"plait/backend/seal"
)

// A Ref names a segment: an object, and the run of records in it.
type Ref struct {
	Name        item.Hash // SHA-256 of the object: segments/<hex>
	Author      item.Author
	First, Last uint64 // sequences
	Size        uint32 // of the object, in bytes
}

// Object is the segment's name in a store.
func (r Ref) Object() string { return "segments/" + r.Name.String() }

// A Segment is a run of one journal's records, and a link to the run before.
type Segment struct {
	Prev    *Ref // nil exactly where the run begins the journal
	Records []Record
}

type (
	wireSegment struct {
		Version uint     `cbor:"1,keyasint"`
		Prev    *wireRef `cbor:"2,keyasint,omitempty"`
		Records [][]byte `cbor:"3,keyasint"` // header, payload or null, …
	}
	wireRef struct {
		Name  []byte `cbor:"1,keyasint"`
		First uint64 `cbor:"2,keyasint"`
		Last  uint64 `cbor:"3,keyasint"`
		Size  uint32 `cbor:"4,keyasint"`
	}
)

func (r Ref) wire() wireRef { return wireRef{r.Name[:], r.First, r.Last, r.Size} }

func (w wireRef) ref(a item.Author) (Ref, error) {
	name, err := readHash(w.Name)
	if err != nil {
		return Ref{}, err
	}
	r := Ref{Name: name, Author: a, First: w.First, Last: w.Last, Size: w.Size}
	return r, r.sane()
}

func (r Ref) sane() error {
	if checkNumbers.fails(r.First == 0 || r.Last < r.First || r.Last > MaxSeq ||
		r.Last-r.First >= MaxRecords || r.Size > MaxSegment) {
		return fmt.Errorf("%w: segment from %d to %d, of %d bytes", ErrLimit, r.First, r.Last, r.Size)
	}
	return nil
}

func flat(records []Record) [][]byte {
	rows := make([][]byte, 0, 2*len(records))
	for _, r := range records {
		rows = append(rows, r.Header, r.Payload)
	}
	return rows
}

func unflat(rows [][]byte) ([]Record, error) {
	if len(rows)%2 != 0 || checkCount.fails(len(rows)/2 > MaxRecords) {
		return nil, fmt.Errorf("%w: %d halves of records", ErrLimit, len(rows))
	}
	var records []Record
	for i := 0; i < len(rows); i += 2 {
		records = append(records, Record{Header: rows[i], Payload: rows[i+1], Hash: HashOf(rows[i])})
	}
	return records, nil
}

// before is the tip that the record follows.
func (h *Header) before() Tip { return Tip{h.Author, h.Seq - 1, h.Prev} }

// Segment seals a run of records. They have to be a chain, and to follow g.Prev.
func (s Sealer) Segment(g *Segment) (object []byte, ref Ref, err error) {
	ref, err = g.span()
	if err != nil {
		return nil, ref, fmt.Errorf("seal segment: %w", err)
	}
	w := wireSegment{Version: 1, Records: flat(g.Records)}
	if g.Prev != nil {
		p := g.Prev.wire()
		w.Prev = &p
	}
	object = s.seal(seal.Segment, bind(ref.Author, ref.First, ref.Last), encode(&w), seal.Padme, 0)
	if len(object) > MaxSegment {
		return nil, ref, fmt.Errorf("seal segment: %w: %d bytes", ErrLimit, len(object))
	}
	ref.Name, ref.Size = sha256.Sum256(object), uint32(len(object))
	return object, ref, nil
}

// span checks that the records are one chain that follows the link, and returns its range.
func (g *Segment) span() (Ref, error) {
	if len(g.Records) == 0 || len(g.Records) > MaxRecords {
		return Ref{}, fmt.Errorf("%w: %d records", ErrLimit, len(g.Records))
	}
	first, err := g.Records[0].Open()
	if err != nil {
		return Ref{}, err
	}
	tip, err := Verify(g.Records, first.before())
	if err != nil {
		return Ref{}, err
	}
	switch {
	case checkLink.fails((g.Prev == nil) != (first.Seq == 1)),
		checkLink.fails(g.Prev != nil && (g.Prev.Author != first.Author || g.Prev.Last+1 != first.Seq)):
		return Ref{}, fmt.Errorf("%w: the link does not lead to what is right before %d", ErrGap, first.Seq)
	}
	return Ref{Author: first.Author, First: first.Seq, Last: tip.Seq}, nil
}

// Segment opens the object that ref names, and checks that it is that run of
// records, whole and in order.
func (o Opener) Segment(ref Ref, object []byte) (*Segment, error) {
	g, err := o.segment(ref, object)
	if err != nil {
		return nil, fmt.Errorf("segment %.8s: %w", ref.Name, err)
	}
	return g, nil
}

func (o Opener) segment(ref Ref, object []byte) (*Segment, error) {
	if err := ref.sane(); err != nil {
		return nil, err
	}
	if err := named(object, ref.Name, MaxSegment); err != nil {
		return nil, err
	}
	plain, err := o.open(seal.Segment, bind(ref.Author, ref.First, ref.Last), object)
	if err != nil {
		return nil, err
	}
	g, err := parseSegment(plain, ref.Author)
	if err != nil {
		return nil, err
	}
	got, err := g.span()
	if err != nil {
		return nil, err
	}
	if checkRange.fails(got.Author != ref.Author || got.First != ref.First || got.Last != ref.Last) {
		return nil, fmt.Errorf("%w: it holds %s from %d to %d", ErrForeign, got.Author, got.First, got.Last)
	}
	return g, nil
}

func parseSegment(plain []byte, a item.Author) (*Segment, error) {
	var w wireSegment
	if err := decode(plain, &w); err != nil {
		return nil, err
	}
	if w.Version != 1 {
		return nil, fmt.Errorf("%w: format %d", ErrNewer, w.Version)
	}
	records, err := unflat(w.Records)
	if err != nil {
		return nil, err
	}
	g := &Segment{Records: records}
	if w.Prev != nil {
		prev, err := w.Prev.ref(a)
		if err != nil {
			return nil, err
		}
		g.Prev = &prev
	}
	return g, nil
}

// Headers goes through the segment's records with their headers.
func (g *Segment) Headers() iter.Seq2[Record, Header] {
	return func(yield func(Record, Header) bool) {
		for _, r := range g.Records {
			h, err := ParseHeader(r.Header)
			if err != nil {
				panic("journal: segment holds a record that was checked and does not parse")
			}
			if !yield(r, h) {
				return
			}
		}
	}
}
