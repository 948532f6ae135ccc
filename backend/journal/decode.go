package journal

import (
	"crypto/sha256"
	"fmt"

	"plait/backend/item"
)

// Decode makes the entry of a record. texts finds the earlier texts that values
// lean on, and may be nil where none do. Errors: *NeedText; ErrDropped where the
// payload is gone; ErrNewer where a later version wrote what this one would
// misread (the record is to be kept, and applied after an update); or ErrChanged,
// ErrFormat or ErrLimit.
func Decode(r Record, texts Texts) (*item.Entry, Depths, error) {
	h, err := r.Open()
	if err != nil {
		return nil, nil, err
	}
	e, depths, err := decodeEntry(&h, r.Payload, texts)
	if err != nil {
		return nil, nil, fmt.Errorf("decode %s: %w", h.Dot(), err)
	}
	return e, depths, nil
}

func decodeEntry(h *Header, payload []byte, texts Texts) (*item.Entry, Depths, error) {
	if h.Version > version {
		return nil, nil, fmt.Errorf("%w: format %d", ErrNewer, h.Version)
	}
	if payload == nil {
		return nil, nil, ErrDropped
	}
	var p wirePayload
	if err := decode(payload, &p); err != nil {
		return nil, nil, err
	}
	main, err := unpack(p.Main, p.Size, MaxPlain)
	if err != nil {
		return nil, nil, err
	}
	var m wireMain
	if err := decode(main, &m); err != nil {
		return nil, nil, err
	}
	if checkCount.fails(len(m.Writes) > MaxWrites || len(m.Packs) > MaxWrites || len(m.Note) > MaxNote) {
		return nil, nil, fmt.Errorf("%w: %d writes, %d packs, a note of %d bytes", ErrLimit, len(m.Writes), len(m.Packs), len(m.Note))
	}
	if len(m.Authors)%authorSize != 0 {
		return nil, nil, fmt.Errorf("%w: authors in %d bytes", ErrFormat, len(m.Authors))
	}
	e := &item.Entry{
		Author: h.Author, Seq: h.Seq, Prev: h.Prev, Time: h.Time, Deps: h.Deps, Action: h.Action,
		Note: string(m.Note), Writes: make([]item.Write, len(m.Writes)),
	}
	u := unpacker{main: &m, parts: p.Parts, texts: texts}
	depths := make(Depths, len(m.Writes))
	for i := range m.Writes {
		if err := u.write(&m.Writes[i], &e.Writes[i], &depths[i]); err != nil {
			return nil, nil, fmt.Errorf("write %d: %w", i, err)
		}
	}
	for _, w := range m.Packs {
		k, err := decodePack(w)
		if err != nil {
			return nil, nil, err
		}
		e.Packs = append(e.Packs, k)
	}
	return e, depths, nil
}

type unpacker struct {
	main  *wireMain
	parts [][]byte
	texts Texts
	plain int // bytes of parts opened so far
}

func (u *unpacker) author(i uint64) (item.Author, error) {
	if i >= uint64(len(u.main.Authors)/authorSize) {
		return item.Author{}, fmt.Errorf("%w: author %d", ErrFormat, i)
	}
	return readAuthor(u.main.Authors[i*authorSize:]), nil
}

func (u *unpacker) write(w *wireWrite, out *item.Write, depth *uint8) (err error) {
	if int(w.Item) >= len(u.main.Items) {
		return fmt.Errorf("%w: item %d of %d", ErrFormat, w.Item, len(u.main.Items))
	}
	*out = item.Write{
		Item: item.Name(u.main.Items[w.Item]), Key: item.Key{Lane: item.Lane(w.Lane), Path: string(w.Path)},
		Value: item.Value{Kind: item.Kind(w.Kind), Data: w.Data, Mode: w.Mode}, Time: item.HLC(w.Time),
	}
	switch {
	case checkSize.fails(len(out.Item) > MaxName || len(out.Key.Path) > MaxPath || len(w.Data) > MaxValue):
		return fmt.Errorf("%w: item name of %d, path of %d, value of %d bytes", ErrLimit, len(out.Item), len(out.Key.Path), len(w.Data))
	case checkNumbers.fails(out.Time > MaxTime):
		return fmt.Errorf("%w: clock %d", ErrLimit, out.Time)
	case (out.Value.Kind == item.Blob) != (w.Large != nil) && out.Value.Kind <= item.Hidden:
		return fmt.Errorf("%w: kind %d and content", ErrFormat, out.Value.Kind)
	case len(w.Replaces)%2 != 0:
		return fmt.Errorf("%w: half a dot", ErrFormat)
	}
	if n := len(w.Replaces) / 2; n > 0 {
		out.Replaces = make([]item.Dot, n)
	}
	for i := range out.Replaces {
		d := &out.Replaces[i]
		if d.Author, err = u.author(w.Replaces[2*i]); err != nil {
			return err
		}
		d.Seq = w.Replaces[2*i+1]
		if checkNumbers.fails(d.Seq == 0 || d.Seq > MaxSeq) {
			return fmt.Errorf("%w: replaces sequence %d", ErrLimit, d.Seq)
		}
	}
	if out.Value.Large, err = decodeContent(w.Large); err != nil {
		return err
	}
	if w.Part != nil {
		if len(w.Data) > 0 {
			return fmt.Errorf("%w: two values", ErrFormat)
		}
		out.Value.Data, err = u.part(w.Part, out)
		*depth = w.Part.Depth
	}
	return err
}

func (u *unpacker) part(p *wirePart, w *item.Write) ([]byte, error) {
	if int(p.Index) >= len(u.parts) {
		return nil, fmt.Errorf("%w: part %d of %d", ErrFormat, p.Index, len(u.parts))
	}
	// Parts that many writes name are one way to make much of little.
	u.plain += max(p.Size, 0)
	if checkSize.fails(u.plain > MaxPlain) {
		return nil, fmt.Errorf("%w: parts of over %d bytes", ErrLimit, u.plain)
	}
	data, err := u.code(p, w, u.parts[p.Index])
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if checkText.fails(string(p.Sum) != string(sum[:])) {
		return nil, fmt.Errorf("value: %w", ErrChanged)
	}
	return data, nil
}

func (u *unpacker) code(p *wirePart, w *item.Write, coded []byte) ([]byte, error) {
	switch p.Coding {
	case codeRaw:
		if checkSize.fails(len(coded) != p.Size || p.Size > MaxValue) {
			return nil, fmt.Errorf("%w: value of %d bytes for %d", ErrFormat, len(coded), p.Size)
		}
		return coded, nil
	case codeZstd:
		return unpack(coded, p.Size, MaxValue)
	case codeLean:
	default:
		return nil, fmt.Errorf("%w: coding %d", ErrNewer, p.Coding)
	}
	if checkDepth.fails(p.Depth == 0 || p.Depth > MaxDepth) {
		return nil, fmt.Errorf("%w: leans on %d texts", ErrLimit, p.Depth)
	}
	author, err := u.author(uint64(p.Author))
	if err != nil {
		return nil, err
	}
	dot := item.Dot{Author: author, Seq: p.Seq}
	need := &NeedText{Item: w.Item, Key: w.Key, Dot: dot}
	if u.texts == nil {
		return nil, need
	}
	earlier, depth, ok := u.texts(w.Item, w.Key, dot)
	if !ok {
		return nil, need
	}
	if checkDepth.fails(depth >= 0 && depth+1 != int(p.Depth)) {
		return nil, fmt.Errorf("%w: leans on %d texts, and says %d", ErrFormat, depth+1, p.Depth)
	}
	return unlean(coded, earlier, p.Size)
}
