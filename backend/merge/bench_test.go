package merge

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// settings writes n settings; of every keys edit changes some.
func settingsText(n int, edit func(i int) (value string, ok bool)) []byte {
	var b strings.Builder
	b.WriteString("{\n")
	for i := range n {
		v, ok := edit(i)
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "\t\"section%d.setting%d\": %s,\n", i%97, i, v)
	}
	b.WriteString("\t\"last\": null\n}\n")
	return []byte(b.String())
}

// sides makes a base and two sides with edits changes each, removals and additions
// among them, which do not touch.
func sides(n, edits int) (base, local, remote []byte) {
	r := rand.New(rand.NewPCG(1, 2))
	who := make([]int, n)
	for i := range edits {
		who[r.IntN(n)] = 1 + i%2
	}
	side := func(me int) func(int) (string, bool) {
		return func(i int) (string, bool) {
			if who[i] != me {
				return fmt.Sprint(i), i%20 != 7
			}
			switch i % 4 {
			case 0:
				return "", false
			}
			return fmt.Sprint(i*10 + me), true
		}
	}
	return settingsText(n, side(-1)), settingsText(n, side(1)), settingsText(n, side(2))
}

func benchThree(b *testing.B, n, edits int) {
	base, local, remote := sides(n, edits)
	b.SetBytes(int64(len(base) + len(local) + len(remote)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := Three(item.Settings, base, local, remote, Options{})
		if err != nil || !r.Clean {
			b.Fatal(err, r.Conflicts)
		}
	}
}

// The budget is 5 ms.
func BenchmarkThree4000Keys400Edits(b *testing.B) { benchThree(b, 4000, 400) }

// The budget is 250 ms and 500 MB.
func BenchmarkThree10MB(b *testing.B) { benchThree(b, 300_000, 2000) }

func BenchmarkAtomize4000Keys(b *testing.B) {
	base, _, _ := sides(4000, 0)
	b.SetBytes(int64(len(base)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Atomize(item.Settings, base, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	base, _, _ := sides(4000, 0)
	b.SetBytes(int64(len(base)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jsonc.Parse(base); err != nil {
			b.Fatal(err)
		}
	}
}
