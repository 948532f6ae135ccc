package text

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// scale multiplies how many random cases a test tries.
func scale(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("PLAIT_SCALE"), 64); err == nil && f > 0 {
		return int(float64(n)*f/slowness) + 1
	}
	return n/slowness + 1
}

// A maker makes three versions of a text, two of them from the first by small edits.
type maker struct {
	*rand.Rand
	words []string
	end   string
}

func newMaker(seed uint64) *maker {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 1)), end: "\n"}
	all := []string{"a", "b", "c", "d", "e", "{", "}", "", "f f", "日本", "🙂", "x\ry", "\xff\xfe", "é", "tail "}
	m.words = all[:2+m.IntN(len(all)-1)]
	return m
}

func (m *maker) line() string { return m.words[m.IntN(len(m.words))] + m.end }

func (m *maker) doc(n int) []string {
	d := make([]string, n)
	for i := range d {
		d[i] = m.line()
	}
	return d
}

// edit returns a changed copy.
func (m *maker) edit(d []string, times int) []string {
	d = append([]string{}, d...)
	for range times {
		i := m.IntN(len(d) + 1)
		j := min(len(d), i+m.IntN(3))
		d = append(d[:i:i], append(m.doc(m.IntN(3)), d[j:]...)...)
	}
	return d
}

// bytes joins the lines; now and then the last lacks its end.
func (m *maker) bytes(d []string) []byte {
	var b []byte
	for _, l := range d {
		b = append(b, l...)
	}
	if len(b) > 0 && m.IntN(8) == 0 {
		b = b[:len(b)-len(m.end)]
	}
	return b
}

func (m *maker) three() (base, local, remote []byte) {
	d := m.doc(m.IntN(14))
	base = m.bytes(d)
	local = m.bytes(m.edit(d, m.IntN(4)))
	remote = m.bytes(m.edit(d, m.IntN(4)))
	return base, local, remote
}

// each runs f for many seeds; a failure names its own.
func each(t *testing.T, n int, f func(t testing.TB, m *maker)) {
	for s := range uint64(scale(n)) {
		if t.Failed() {
			return
		}
		f(seeded{t, s}, newMaker(s))
	}
}

type seeded struct {
	testing.TB
	seed uint64
}

func (s seeded) Fatalf(format string, args ...any) {
	s.Helper()
	s.TB.Fatalf("seed %d: "+format, append([]any{s.seed}, args...)...)
}
