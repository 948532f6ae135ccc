package seal

import (
	"bytes"
	"math/bits"
)

// A Policy says to how many bytes an object of n bytes is padded: at least n.
type Policy func(n int) int

// Padme rounds up to a length whose lowest bits are zero, leaving O(log log n) bits
// of the length to see, for at most 12 % more bytes (Nikitin et al., Reducing
// Metadata Leakage from Encrypted Files, PETS 2019, algorithm 1).
func Padme(n int) int {
	if n < 2 {
		return n
	}
	e := bits.Len(uint(n)) - 1
	s := bits.Len(uint(e))
	mask := 1<<(e-s) - 1
	return (n + mask) &^ mask
}

// Heads rounds up to 1, 2 or 4 KiB, above that as Padme.
func Heads(n int) int {
	for _, size := range []int{1 << 10, 2 << 10, 4 << 10} {
		if n <= size {
			return size
		}
	}
	return Padme(n)
}

// Pad lengthens plain so that, with around more bytes about it (Overhead, and a
// signature where there is one), it is as long as the policy says. It appends 0x80
// and then zeros, at least the former (ISO/IEC 7816-4). The result is a copy.
func Pad(plain []byte, p Policy, around int) []byte {
	padded := make([]byte, p(len(plain)+1+around)-around)
	padded[copy(padded, plain)] = 0x80
	return padded
}

// Unpad undoes Pad; the result shares padded's memory. Padding stands inside what is
// authenticated, so its time of checking tells nobody anything.
func Unpad(padded []byte) ([]byte, error) {
	end := bytes.TrimRight(padded, "\x00")
	if len(end) == 0 || end[len(end)-1] != 0x80 {
		return nil, ErrFormat
	}
	return end[: len(end)-1 : len(end)-1], nil
}
