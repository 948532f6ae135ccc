package journal

import (
	"encoding/binary"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"plait/backend/item"
)

var (
	encMode = must(cbor.CoreDetEncOptions().EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxNestedLevels:  16, // guard's limit is lower
		MaxArrayElements: 1 << 21,
		MaxMapPairs:      1 << 10,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("journal: " + err.Error())
	}
	return v
}

func encode(v any) []byte { return must(encMode.Marshal(v)) }

// decode reads one CBOR item that fills b, within the limits.
func decode(b []byte, v any) error {
	if err := guard(b, maxItems, maxNesting); err != nil {
		return err
	}
	if err := decMode.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return nil
}

// guard looks through b before anything is made of it: how many items there are
// decides how much memory they take, and a byte of "empty map" becomes a hundred.
// It walks lengths only; the decoder checks the rest.
func guard(b []byte, items, nesting int) error {
	type level struct{ left uint64 }
	var open [64]level
	depth := 0
	for count := 0; ; count++ {
		if checkCount.fails(count > items) {
			return fmt.Errorf("%w: more than %d values", ErrLimit, items)
		}
		if len(b) == 0 {
			return fmt.Errorf("%w: cut short", ErrFormat)
		}
		major, info := b[0]>>5, b[0]&31
		b = b[1:]
		arg := uint64(info)
		switch {
		case info < 24:
		case info <= 27:
			n := 1 << (info - 24)
			if len(b) < n {
				return fmt.Errorf("%w: cut short", ErrFormat)
			}
			var wide [8]byte
			copy(wide[8-n:], b[:n])
			arg, b = binary.BigEndian.Uint64(wide[:]), b[n:]
			if major == 7 && info == 24 && arg < 32 { // RFC 8949, 3.3: such a simple value has one byte
				return fmt.Errorf("%w: simple value %d in two bytes", ErrFormat, arg)
			}
		default: // reserved, or of indefinite length
			return fmt.Errorf("%w: length %d", ErrFormat, info)
		}
		switch major {
		case 2, 3:
			if arg > uint64(len(b)) {
				return fmt.Errorf("%w: string longer than the rest", ErrFormat)
			}
			b = b[arg:]
		case 4, 5:
			if arg > uint64(len(b)) { // each takes a byte at least
				return fmt.Errorf("%w: list longer than the rest", ErrFormat)
			}
			if arg > 0 {
				if checkNest.fails(depth == nesting) || depth == len(open) {
					return fmt.Errorf("%w: nested deeper than %d", ErrLimit, nesting)
				}
				open[depth].left = arg * uint64(major-3) // a map has two each
				depth++
				continue
			}
		case 6:
			return fmt.Errorf("%w: tag %d", ErrFormat, arg)
		}
		for depth > 0 {
			if open[depth-1].left--; open[depth-1].left > 0 {
				break
			}
			depth--
		}
		if depth == 0 {
			break
		}
	}
	if len(b) > 0 {
		return fmt.Errorf("%w: %d bytes behind the end", ErrFormat, len(b))
	}
	return nil
}

// Fixed-size rows in byte strings: what they take in memory is their own length.
const (
	authorSize = 16 + 8
	depSize    = authorSize + 8 + 8
)

func appendAuthor(b []byte, a item.Author) []byte {
	return binary.BigEndian.AppendUint64(append(b, a.Device[:]...), a.Inc)
}

func readAuthor(b []byte) item.Author {
	return item.Author{Device: item.Device(b[:16]), Inc: binary.BigEndian.Uint64(b[16:])}
}

// encodeVector writes author, sequence and tip of each, in order, own left out.
func encodeVector(v item.Vector, own item.Author) ([]byte, error) {
	if len(v) > MaxAuthors {
		return nil, fmt.Errorf("%w: vector of %d authors", ErrLimit, len(v))
	}
	b := make([]byte, 0, depSize*len(v))
	for _, a := range v.Authors() {
		t := v[a]
		if a == own || t.Seq == 0 {
			continue
		}
		if t.Seq > MaxSeq {
			return nil, fmt.Errorf("%w: vector names sequence %d", ErrLimit, t.Seq)
		}
		b = appendAuthor(b, a)
		b = binary.BigEndian.AppendUint64(b, t.Seq)
		b = append(b, t.Hash[:]...)
	}
	return b, nil
}

func decodeVector(b []byte, own item.Author) (item.Vector, error) {
	if len(b)%depSize != 0 {
		return nil, fmt.Errorf("%w: vector of %d bytes", ErrFormat, len(b))
	}
	if checkCount.fails(len(b)/depSize > MaxAuthors) {
		return nil, fmt.Errorf("%w: vector of %d authors", ErrLimit, len(b)/depSize)
	}
	v := make(item.Vector, len(b)/depSize)
	var last item.Author
	for i := 0; i < len(b); i += depSize {
		row := b[i : i+depSize]
		a := readAuthor(row)
		t := item.Tip{Seq: binary.BigEndian.Uint64(row[authorSize:]), Hash: [8]byte(row[authorSize+8:])}
		if i > 0 && last.Compare(a) >= 0 {
			return nil, fmt.Errorf("%w: vector out of order", ErrFormat)
		}
		if checkNumbers.fails(t.Seq == 0 || t.Seq > MaxSeq) {
			return nil, fmt.Errorf("%w: vector names sequence %d", ErrLimit, t.Seq)
		}
		if checkOwn.fails(a == own) {
			return nil, fmt.Errorf("%w: depends on its own journal", ErrFormat)
		}
		v[a], last = t, a
	}
	return v, nil
}

func encodeHashes(hs []item.Hash) []byte {
	b := make([]byte, 0, len(hs)*len(item.Hash{}))
	for _, h := range hs {
		b = append(b, h[:]...)
	}
	return b
}

func decodeHashes(b []byte, most int) ([]item.Hash, error) {
	if len(b)%len(item.Hash{}) != 0 {
		return nil, fmt.Errorf("%w: hashes in %d bytes", ErrFormat, len(b))
	}
	n := len(b) / len(item.Hash{})
	if checkCount.fails(n > most) {
		return nil, fmt.Errorf("%w: %d hashes", ErrLimit, n)
	}
	var hs []item.Hash
	for i := range n {
		hs = append(hs, item.Hash(b[32*i:]))
	}
	return hs, nil
}

func readHash(b []byte) (item.Hash, error) {
	if len(b) != len(item.Hash{}) {
		return item.Hash{}, fmt.Errorf("%w: hash of %d bytes", ErrFormat, len(b))
	}
	return item.Hash(b), nil
}
