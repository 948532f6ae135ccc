package jsonc

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Unquote decodes a string literal. The result is always valid UTF-8, so that it
// can name things: a byte that is no UTF-8 becomes U+FFFD and its two hex digits, a
// lone surrogate U+FFFD and its four, so that different keys stay different.
func Unquote(raw []byte) string {
	body := trimQuotes(raw)
	if bytes.IndexByte(body, '\\') < 0 && utf8.Valid(body) {
		return string(body)
	}
	out := make([]byte, 0, len(body))
	for i := 0; i < len(body); {
		if body[i] == '\\' {
			r, n := unescape(body[i:])
			if utf16.IsSurrogate(r) {
				out = append(append(out, "\uFFFD"...), hex(uint64(r), 4)...)
			} else {
				out = utf8.AppendRune(out, r)
			}
			i += n
			continue
		}
		r, n := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && n == 1 {
			out = append(append(out, "\uFFFD"...), hex(uint64(body[i]), 2)...)
		} else {
			out = append(out, body[i:i+n]...)
		}
		i += n
	}
	return string(out)
}

func trimQuotes(raw []byte) []byte {
	if len(raw) > 0 && raw[0] == '"' {
		raw = raw[1:]
	}
	if len(raw) > 0 && raw[len(raw)-1] == '"' {
		raw = raw[:len(raw)-1]
	}
	return raw
}

func hex(v uint64, width int) string {
	s := strconv.FormatUint(v, 16)
	for len(s) < width {
		s = "0" + s
	}
	return s
}

// unescape reads one escape sequence, or a surrogate pair of two. What is none
// stands for the byte after the backslash.
func unescape(s []byte) (r rune, n int) {
	n = escape(s)
	switch {
	case n == 0 && len(s) < 2:
		return '\\', 1
	case n == 0:
		r, n = utf8.DecodeRune(s[1:])
		return r, n + 1
	case n == 6:
		r = hex4(s)
		if utf16.IsSurrogate(r) && len(s) >= 12 && s[6] == '\\' && escape(s[6:]) == 6 {
			if both := utf16.DecodeRune(r, hex4(s[6:])); both != utf8.RuneError {
				return both, 12
			}
		}
		return r, 6
	}
	switch s[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	return rune(s[1]), 2
}

func hex4(s []byte) rune {
	return hexValue(s[2])<<12 | hexValue(s[3])<<8 | hexValue(s[4])<<4 | hexValue(s[5])
}

// Quote writes s as a string literal, escaping only what JSON demands.
func Quote(s string) []byte {
	out := append(make([]byte, 0, len(s)+2), '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\n':
			out = append(out, `\n`...)
		case c == '\r':
			out = append(out, `\r`...)
		case c == '\t':
			out = append(out, `\t`...)
		case c < 0x20:
			out = append(append(out, `\u`...), hex(uint64(c), 4)...)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
