package text

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// large makes a document of n lines, and two that differ from it in that
// percentage of lines, as prose and code do: some lines often, most once.
func large(n, percent int, seed uint64) (base, local, remote []byte) {
	r := rand.New(rand.NewPCG(seed, 2))
	line := func() string {
		if r.IntN(4) == 0 {
			return []string{"}\n", "\n", "\treturn nil\n", "\t}\n", "// so\n"}[r.IntN(5)]
		}
		return fmt.Sprintf("\tvalue%d := compute(%d)\n", r.IntN(n), r.IntN(100))
	}
	lines := make([]string, n)
	for i := range lines {
		lines[i] = line()
	}
	change := func() (out []byte) {
		for _, l := range lines {
			switch {
			case r.IntN(100) >= percent:
				out = append(out, l...)
			case r.IntN(3) == 0:
				out = append(append(out, l...), line()...)
			case r.IntN(2) == 0:
				out = append(out, line()...)
			}
		}
		return out
	}
	for _, l := range lines {
		base = append(base, l...)
	}
	return base, change(), change()
}

// More distinct lines than there are runes.
func TestMoreLinesThanRunes(t *testing.T) {
	if slowness > 1 {
		t.Skip("skipped: nothing to race for, and slow")
	}
	const n = 1_200_000
	var doc []byte
	for i := range n {
		doc = fmt.Appendf(doc, "%x\n", i)
	}
	local := append([]byte("first\n"), doc...)
	remote := append(slices.Clone(doc), "last\n"...)
	r := Merge(doc, local, remote)
	if want := append(slices.Clone(local), "last\n"...); !r.Clean || r.Coarse || !bytes.Equal(r.Text(), want) {
		t.Errorf("clean %v, coarse %v, %d bytes, want %d", r.Clean, r.Coarse, len(r.Text()), len(want))
	}

	// Each line twice, so that none is unique, and backwards: all of them would go
	// to the kernel at once.
	ids := make([]int32, 2*n)
	for i := range ids {
		ids[i] = int32(i % n)
	}
	back := slices.Clone(ids)
	slices.Reverse(back)
	m := newMatcher(n)
	if hs := m.compare(ids, back); !m.coarse || len(hs) != 1 {
		t.Errorf("coarse %v, %d hunks", m.coarse, len(hs))
	}
}

// repetitive makes n lines of so many kinds, and two versions with 10% edits.
func repetitive(n, kinds int) (base, local, remote []byte) {
	r := rand.New(rand.NewPCG(7, uint64(kinds)))
	line := func() byte { return byte('0' + r.IntN(kinds)) }
	ids := make([]byte, n)
	for i := range ids {
		ids[i] = line()
	}
	change := func(percent int) (out []byte) {
		for _, c := range ids {
			if r.IntN(100) >= percent {
				out = append(out, c, '\n')
			} else if r.IntN(2) == 0 {
				out = append(out, line(), '\n', line(), '\n')
			}
		}
		return out
	}
	return change(0), change(10), change(10)
}

// Repetitive text has few lines that are unique; it ends in time all the same,
// counted in steps, and loses nothing.
func TestRepetitive(t *testing.T) {
	if slowness > 1 {
		t.Skip("skipped: nothing to race for, and slow")
	}
	for _, kinds := range []int{1, 2, 3, 50} {
		b, l, r := repetitive(50_000, kinds)
		start := time.Now()
		res := Merge(b, l, r)
		t.Logf("%d kinds of lines: %v, %d chunks, coarse %v", kinds, time.Since(start), len(res.Chunks), res.Coarse)
		checkPartition(t, b, l, r, res)
		if again := Merge(b, l, r); !slices.Equal(again.Chunks, res.Chunks) {
			t.Errorf("%d kinds: another result", kinds)
		}
	}
}

// Texts that share all their lines and no order can't be compared in time: that
// is one conflict, and said to be coarse.
func TestCoarse(t *testing.T) {
	if slowness > 1 {
		t.Skip("skipped: nothing to race for, and slow")
	}
	laps := func(step int) (out []byte) {
		for i := range 40_000 {
			out = fmt.Appendf(out, "%d\n", i*step%1009)
		}
		return out
	}
	b, l, m := laps(1), laps(1008), laps(500)
	start := time.Now()
	res := Merge(b, l, m)
	t.Log(time.Since(start))
	checkPartition(t, b, l, m, res)
	if !res.Coarse || res.Clean {
		t.Errorf("coarse %v, clean %v", res.Coarse, res.Clean)
	}
}

func BenchmarkMerge(b *testing.B) {
	for _, c := range []struct{ lines, percent int }{{5_000, 1}, {5_000, 10}, {50_000, 10}, {200_000, 1}, {200_000, 10}} {
		base, local, remote := large(c.lines, c.percent, 1)
		b.Run(fmt.Sprintf("%dk/%d%%", c.lines/1000, c.percent), func(b *testing.B) {
			b.SetBytes(int64(len(base) + len(local) + len(remote)))
			b.ReportAllocs()
			for b.Loop() {
				Merge(base, local, remote)
			}
		})
	}
	for _, kinds := range []int{2, 50} {
		base, local, remote := repetitive(50_000, kinds)
		b.Run(fmt.Sprintf("50k/repetitive/%d", kinds), func(b *testing.B) {
			for b.Loop() {
				Merge(base, local, remote)
			}
		})
	}
}

func BenchmarkWords(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	text := func() (out []byte) {
		for len(out) < 9_900 {
			out = fmt.Appendf(out, "w%d%c", r.IntN(300), " ,.\n"[r.IntN(4)])
		}
		return out
	}
	x, y := text(), text()
	for b.Loop() {
		Words(x, y)
	}
}
