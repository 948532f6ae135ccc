package text

import (
	"unicode"
	"unicode/utf8"
)

// A Span is a difference inside lines: bytes [A, AEnd) of one text stand where
// [B, BEnd) of the other do.
type Span struct{ A, AEnd, B, BEnd int }

const (
	// wordBytes is up to how many bytes, on either side, are compared by words.
	wordBytes = 10_000

	// wordSteps is the allowance for it; at worst some 25 ms.
	wordSteps = 1 << 21
)

// Words finds the words in which b differs from a. Texts that are too long for
// it, or too different, are one span, less what they share at both ends.
func Words(a, b []byte) []Span {
	if len(a) > wordBytes || len(b) > wordBytes {
		return ends(a, b)
	}
	in := interner{}
	va, vb := tokens(a), tokens(b)
	in.number(&va, false)
	in.number(&vb, false)
	m := newMatcher(len(in))
	m.left = wordSteps
	hs := m.compare(va.ids, vb.ids)
	spans := make([]Span, len(hs))
	for i, h := range hs {
		spans[i] = Span{va.start(h.A), va.start(h.AEnd), vb.start(h.B), vb.start(h.BEnd)}
	}
	return spans
}

// ends is one span, without the runes that both texts begin and end with.
func ends(a, b []byte) []Span {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if n == len(a) && n == len(b) {
		return nil
	}
	for n > 0 && (n < len(a) && !utf8.RuneStart(a[n]) || n < len(b) && !utf8.RuneStart(b[n])) {
		n--
	}
	i, j := len(a), len(b)
	for i > n && j > n && a[i-1] == b[j-1] {
		i, j = i-1, j-1
	}
	for i < len(a) && !utf8.RuneStart(a[i]) {
		i, j = i+1, j+1
	}
	return []Span{{n, i, n, j}}
}

// tokens cuts text into words; each other character is a token by itself, an
// invalid byte too.
func tokens(doc []byte) version {
	v := version{bytes: doc}
	for at := 0; at < len(doc); {
		c, n := utf8.DecodeRune(doc[at:])
		at += n
		for wordy(c) && at < len(doc) {
			if c, n = utf8.DecodeRune(doc[at:]); wordy(c) {
				at += n
			}
		}
		v.ends = append(v.ends, at)
	}
	return v
}

func wordy(c rune) bool {
	return c != utf8.RuneError && (unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c) || c == '_')
}
