package journal

import (
	"crypto/sha256"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"plait/backend/item"
)

// leanFrom is the size up to which a text is not compressed with an earlier one,
// in bytes: naming that one costs what it saves.
const leanFrom = 256

// Encode makes a record of the entry. dict may be nil. The record's hash is what
// the author's next entry has as Prev. ErrLimit: the entry is to be split, see Weight.
func Encode(e *item.Entry, dict Dict) (Record, Depths, error) {
	r, depths, err := encodeEntry(e, dict)
	if err != nil {
		return Record{}, nil, fmt.Errorf("encode %s: %w", e.Dot(), err)
	}
	return r, depths, nil
}

func encodeEntry(e *item.Entry, dict Dict) (Record, Depths, error) {
	if len(e.Writes) > MaxWrites || len(e.Packs) > MaxWrites || len(e.Note) > MaxNote {
		return Record{}, nil, fmt.Errorf("%w: %d writes, %d packs, a note of %d bytes", ErrLimit, len(e.Writes), len(e.Packs), len(e.Note))
	}
	p := packer{dict: dict, depths: make(Depths, len(e.Writes))}
	m := wireMain{Writes: make([]wireWrite, len(e.Writes)), Note: cbor.ByteString(e.Note)}
	for i := range e.Writes {
		w, err := p.write(&e.Writes[i], &p.depths[i])
		if err != nil {
			return Record{}, nil, err
		}
		m.Writes[i] = w
	}
	for _, k := range e.Packs {
		w, err := encodePack(k)
		if err != nil {
			return Record{}, nil, err
		}
		m.Packs = append(m.Packs, w)
	}
	for _, n := range p.items.all {
		m.Items = append(m.Items, cbor.ByteString(n))
	}
	for _, a := range p.authors.all {
		m.Authors = appendAuthor(m.Authors, a)
	}
	main := encode(&m)
	if len(main) > MaxPlain {
		return Record{}, nil, fmt.Errorf("%w: %d bytes", ErrLimit, len(main))
	}
	if err := guard(main, maxItems, maxNesting); err != nil { // so that no reader refuses what a writer made
		return Record{}, nil, err
	}
	payload := encode(&wirePayload{Main: pack(main), Size: len(main), Parts: p.parts})
	if len(payload) > MaxPayload {
		return Record{}, nil, fmt.Errorf("%w: payload of %d bytes", ErrLimit, len(payload))
	}
	header, err := encodeHeader(&Header{
		Version: version, Author: e.Author, Seq: e.Seq, Prev: e.Prev, Time: e.Time, Deps: e.Deps,
		Action: e.Action, Payload: sha256.Sum256(payload), Size: uint32(len(payload)),
	})
	if err != nil {
		return Record{}, nil, err
	}
	return Record{Header: header, Payload: payload, Hash: HashOf(header)}, p.depths, nil
}

// A packer gathers what the writes of one entry share.
type packer struct {
	dict    Dict
	items   table[item.Name]
	authors table[item.Author]
	parts   [][]byte
	depths  Depths
}

func (p *packer) write(w *item.Write, depth *uint8) (wireWrite, error) {
	switch v := &w.Value; {
	case checkSize.fails(len(w.Item) > MaxName || len(w.Key.Path) > MaxPath || len(v.Data) > MaxValue):
		return wireWrite{}, fmt.Errorf("%w: item name of %d, path of %d, value of %d bytes", ErrLimit, len(w.Item), len(w.Key.Path), len(v.Data))
	case w.Time > MaxTime:
		return wireWrite{}, fmt.Errorf("%w: clock %d", ErrLimit, w.Time)
	case v.Kind == item.Blob && v.Large == nil:
		return wireWrite{}, fmt.Errorf("%w: blob without content", ErrFormat)
	}
	out := wireWrite{
		Item: p.items.index(w.Item), Lane: uint8(w.Key.Lane), Path: cbor.ByteString(w.Key.Path),
		Kind: uint8(w.Value.Kind), Mode: w.Value.Mode, Time: uint64(w.Time), Large: encodeContent(w.Value.Large),
	}
	for _, d := range w.Replaces {
		if d.Seq == 0 || d.Seq > MaxSeq {
			return out, fmt.Errorf("%w: replaces %s", ErrLimit, d)
		}
		out.Replaces = append(out.Replaces, uint64(p.authors.index(d.Author)), d.Seq)
	}
	if len(w.Value.Data) == 0 {
		return out, nil
	}
	part, coded, err := p.part(w)
	switch {
	case err != nil:
		return out, err
	case part == nil:
		out.Data = w.Value.Data
		return out, nil
	}
	part.Index = uint32(len(p.parts))
	p.parts = append(p.parts, coded)
	*depth = part.Depth
	out.Part = part
	return out, nil
}

// part codes a value that is to be kept apart from the others: a likely secret,
// so that no size tells what it has in common with anything else; or a text of
// which an earlier version can do most. nil: neither.
func (p *packer) part(w *item.Write) (*wirePart, []byte, error) {
	data := w.Value.Data
	if secret(w.Key, w.Value) {
		hash := sha256.Sum256(data)
		part := &wirePart{Coding: codeRaw, Size: len(data), Sum: hash[:]}
		if len(data) > leanFrom {
			if z := pack(data); len(z) < len(data) {
				part.Coding = codeZstd
				return part, z, nil
			}
		}
		return part, data, nil
	}
	if p.dict == nil || len(data) <= leanFrom || (w.Value.Kind != item.Text && w.Key.Lane != item.LaneSkeleton) {
		return nil, nil, nil
	}
	t, ok := p.dict(w)
	if !ok || len(t.Data) == 0 || len(t.Data) > MaxValue || t.Depth >= MaxDepth ||
		t.Dot.Seq == 0 || t.Dot.Seq > MaxSeq ||
		secret(w.Key, item.Value{Kind: item.Text, Data: t.Data}) {
		return nil, nil, nil
	}
	z, err := lean(data, t.Data)
	if err != nil {
		return nil, nil, err
	}
	if len(z) > len(data)/3 { // about what it takes among the others
		return nil, nil, nil
	}
	hash := sha256.Sum256(data)
	return &wirePart{
		Coding: codeLean, Size: len(data), Sum: hash[:],
		Author: p.authors.index(t.Dot.Author), Seq: t.Dot.Seq, Depth: uint8(t.Depth + 1),
	}, z, nil
}

// Weight is how many bytes of MaxPlain a write takes, at most. An entry whose writes
// weigh no more than MaxWeight together, and are no more than MaxWrites, fits.
func Weight(w *item.Write) int {
	n := 96 + len(w.Item) + len(w.Key.Path) + len(w.Value.Data) + (9+9+authorSize)*len(w.Replaces)
	if w.Value.Large != nil {
		n += 64 + chunkSize*len(w.Value.Large.Chunks)
	}
	return n
}

// MaxWeight leaves room for an entry's packs and note.
const MaxWeight = MaxPlain / 2
