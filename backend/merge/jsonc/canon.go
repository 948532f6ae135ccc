package jsonc

import (
	"bytes"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Canonical is what raw means, as bytes: two texts mean the same exactly if their
// canonical bytes are equal. White space, comments, the order of an object's keys,
// how strings are escaped and how numbers are written do not count; of duplicate
// keys the last does. Text with errors stands for itself.
func Canonical(raw []byte) []byte {
	t, err := Parse(raw)
	if err != nil || len(t.Errors) > 0 || t.Root() == None {
		return raw
	}
	return t.Canonical(t.Root())
}

// Canonical is what node i means, as bytes.
func (t *Tree) Canonical(i int32) []byte {
	return t.canonical(make([]byte, 0, t.Nodes[i].End-t.Nodes[i].Start), i)
}

func (t *Tree) canonical(out []byte, i int32) []byte {
	switch n := &t.Nodes[i]; n.Kind {
	case Number:
		return append(out, number(t.Raw(i))...)
	case String:
		return canonicalString(out, t.Raw(i))
	case Array:
		out = append(out, '[')
		for c := t.First(i); c != None; c = t.After(c) {
			if c != i+1 {
				out = append(out, ',')
			}
			out = t.canonical(out, c)
		}
		return append(out, ']')
	case Object:
		type member struct {
			key  []byte
			node int32
		}
		ms := make([]member, 0, n.Len)
		for c := t.First(i); c != None; c = t.After(c) {
			ms = append(ms, member{canonicalString(nil, t.RawKey(c)), c})
		}
		slices.SortStableFunc(ms, func(a, b member) int { return bytes.Compare(a.key, b.key) })
		out = append(out, '{')
		first := true
		for j, m := range ms {
			if j+1 < len(ms) && bytes.Equal(m.key, ms[j+1].key) {
				continue // a later duplicate counts
			}
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(append(out, m.key...), ':')
			out = t.canonical(out, m.node)
		}
		return append(out, '}')
	}
	return append(out, t.Raw(i)...)
}

// canonicalString appends the literal raw with the fewest escapes. Bytes that are
// no UTF-8 stay; lone surrogates stay escaped.
func canonicalString(out, raw []byte) []byte {
	body := trimQuotes(raw)
	if bytes.IndexByte(body, '\\') < 0 {
		return append(append(append(out, '"'), body...), '"')
	}
	out = append(out, '"')
	for i := 0; i < len(body); {
		if body[i] != '\\' {
			out = append(out, body[i])
			i++
			continue
		}
		r, n := unescape(body[i:])
		i += n
		if utf16.IsSurrogate(r) {
			out = append(append(out, `\u`...), hex(uint64(r), 4)...)
			continue
		}
		q := Quote(string(utf8.AppendRune(nil, r)))
		out = append(out, q[1:len(q)-1]...)
	}
	return append(out, '"')
}

// number is a number's value: digits without zeros at either end, then the power of
// ten. Exact, whatever its size; an exponent beyond 18 digits stays as written.
func number(raw []byte) []byte {
	s := string(raw)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	mantissa, exp := s, int64(0)
	if e := strings.IndexAny(s, "eE"); e >= 0 {
		x, err := strconv.ParseInt(strings.TrimPrefix(s[e+1:], "+"), 10, 62)
		if err != nil {
			return raw
		}
		mantissa, exp = s[:e], x
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	exp -= int64(len(frac))
	digits := strings.TrimLeft(whole+frac, "0")
	cut := strings.TrimRight(digits, "0")
	exp += int64(len(digits) - len(cut))
	if cut == "" {
		return []byte("0")
	}
	if neg {
		cut = "-" + cut
	}
	if exp == 0 {
		return []byte(cut)
	}
	return []byte(cut + "e" + strconv.FormatInt(exp, 10))
}

// Equal says whether two texts mean the same.
func Equal(a, b []byte) bool {
	return bytes.Equal(a, b) || bytes.Equal(Canonical(a), Canonical(b))
}

// Hash is a 64-bit FNV-1a of what raw means, alike on all machines and for ever.
func Hash(raw []byte) uint64 {
	h := fnv.New64a()
	h.Write(Canonical(raw))
	return h.Sum64()
}

// Comments lists the comments in raw, in order, each with the white space at the
// ends of its lines gone, so that indentation does not count.
func Comments(raw []byte) [][]byte {
	if bytes.IndexByte(raw, '/') < 0 {
		return nil
	}
	var cs [][]byte
	for i := 0; i < len(raw); {
		switch raw[i] {
		case '"':
			i += stringLen(raw[i:])
		case '/':
			end := commentEnd(raw, i)
			if end < 0 {
				end = len(raw)
			}
			if end > i {
				cs = append(cs, trimLines(raw[i:end]))
			}
			i = max(end, i+1)
		default:
			i++
		}
	}
	return cs
}

// stringLen is the length of the literal that s starts with.
func stringLen(s []byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		case '\n', '\r':
			return i
		}
	}
	return len(s)
}

func trimLines(s []byte) []byte {
	if bytes.IndexByte(s, '\n') < 0 && bytes.IndexByte(s, '\r') < 0 {
		return bytes.TrimRight(s, " \t")
	}
	lines := bytes.Split(newlines(s), []byte("\n"))
	for i := range lines {
		lines[i] = bytes.Trim(lines[i], " \t")
	}
	return bytes.Join(lines, []byte("\n"))
}

// newlines turns CR LF and lone CR into LF.
func newlines(s []byte) []byte {
	if bytes.IndexByte(s, '\r') < 0 {
		return s
	}
	s = bytes.ReplaceAll(s, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(s, []byte("\r"), []byte("\n"))
}

// SameComments says whether a and b hold the same comments in the same order.
func SameComments(a, b []byte) bool {
	return slices.EqualFunc(Comments(a), Comments(b), bytes.Equal)
}
