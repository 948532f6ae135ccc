package text

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestIdentity(t *testing.T) { // T4
	each(t, 10_000, func(t testing.TB, m *maker) {
		b, l, _ := m.three()
		for _, v := range [][3][]byte{{b, l, b}, {b, b, l}, {b, l, l}, {nil, l, l}} {
			r := Merge(v[0], v[1], v[2])
			if !r.Clean || !bytes.Equal(r.Text(), l) || !bytes.Equal(r.Markers([3]string{}), l) {
				t.Fatalf("Merge(%q, %q, %q) = %q, %v", v[0], v[1], v[2], r.Text(), r.Clean)
			}
		}
	})
}

// Line endings that differ within a file, or between files, change nothing about it.
func TestIdentityOfEndings(t *testing.T) {
	docs := []string{"", "a", "a\n", "a\r\n", "a\nb\r\n", "a\r\r\nb\r\n", "a\r", "\r\n", "\n", "a\r\nb", "a\nb"}
	for _, b := range docs {
		for _, l := range docs {
			for i, v := range [][3]string{{b, l, b}, {b, b, l}, {b, l, l}} {
				if r := Merge([]byte(v[0]), []byte(v[1]), []byte(v[2])); !r.Clean || string(r.Text()) != l {
					t.Errorf("law %d: Merge(%q) = %q, %v", i, v, r.Text(), r.Clean)
				}
			}
		}
	}
}

func TestSymmetry(t *testing.T) { // T3
	check := func(t testing.TB, b, l, r []byte) {
		x, y := Merge(b, l, r), Merge(b, r, l)
		if x.Clean != y.Clean || len(x.Chunks) != len(y.Chunks) {
			t.Fatalf("%q %q %q: %v and %v", b, l, r, x.Chunks, y.Chunks)
		}
		if x.Clean && !bytes.Equal(x.Text(), y.Text()) {
			t.Fatalf("%q %q %q: %q and %q", b, l, r, x.Text(), y.Text())
		}
		mirror := map[Kind]Kind{Unchanged: Unchanged, Local: Remote, Remote: Local, Both: Both, Conflict: Conflict}
		for i, c := range x.Chunks {
			o := y.Chunks[i]
			if c.Base != o.Base || c.Local != o.Remote || c.Remote != o.Local || c.Region != o.Region || mirror[c.Kind] != o.Kind {
				t.Fatalf("%q %q %q: %v and %v", b, l, r, c, o)
			}
		}
	}
	// Numbers of lines, which depend on the order of the sides, decided here once.
	check(t, []byte("a\n"), []byte("}\na\ne\n}\n"), []byte("e\n}\n}\n"))
	each(t, 20_000, func(t testing.TB, m *maker) {
		b, l, r := m.three()
		check(t, b, l, r)
	})
}

func TestPartition(t *testing.T) { // T2
	each(t, 20_000, func(t testing.TB, m *maker) {
		b, l, r := m.three()
		checkPartition(t, b, l, r, Merge(b, l, r))
	})
}

func checkPartition(t testing.TB, b, l, r []byte, res Result) {
	t.Helper()
	var at [3]Range
	region := 0
	for _, c := range res.Chunks {
		for i, g := range []Range{c.Base, c.Local, c.Remote} {
			if g.Start != at[i].End || g.Line != at[i].LineEnd || g.End < g.Start {
				t.Fatalf("%q %q %q: version %d at %v: chunk %v", b, l, r, i, at[i], c)
			}
			at[i] = g
		}
		lt, rt := c.Local.Of(l), c.Remote.Of(r)
		if res.eol != asIs {
			lt, rt = unpair(lt), unpair(rt)
		}
		equal := bytes.Equal(lt, rt)
		if (c.Kind == Conflict) == equal && c.Kind != Local && c.Kind != Remote {
			t.Fatalf("%q %q %q: chunk %v: sides equal: %v", b, l, r, c, equal)
		}
		if c.Region > region+1 || c.Region != 0 && c.Region < region || c.Kind == Conflict && c.Region == 0 {
			t.Fatalf("%q %q %q: chunk %v after region %d", b, l, r, c, region)
		}
		region = max(region, c.Region)
	}
	for i, v := range [][]byte{b, l, r} {
		if at[i].End != len(v) {
			t.Fatalf("%q %q %q: version %d ends at %v", b, l, r, i, at[i])
		}
	}
}

func unpair(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }
func paired(b []byte) []byte { return bytes.ReplaceAll(unpair(b), []byte("\n"), []byte("\r\n")) }

// Choosing one side everywhere, and that side's own changes, gives that side.
func TestPartsMakeSides(t *testing.T) {
	each(t, 10_000, func(t testing.TB, m *maker) {
		b, l, r := m.three()
		res := Merge(b, l, r)
		for side, want := range [][]byte{b, l, r} {
			var got []byte
			for _, c := range res.Chunks {
				got = append(got, res.Part(c, side)...)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%q %q %q: side %d is %q", b, l, r, side, got)
			}
		}
	})
}

// Edits far enough apart are all in the result, and nothing else is.
func TestDisjoint(t *testing.T) {
	each(t, 5_000, func(t testing.TB, m *maker) {
		var base, local, remote, want []string
		for i := range 1 + m.IntN(12) {
			b := []string{fmt.Sprintf("fixed %d\n", i), fmt.Sprintf("also %d\n", i)}
			e := m.edit(b[:1], 1)
			e = append(e, b[1]) // the next part's edit must not touch this one's
			l, r, w := b, b, b
			switch m.IntN(4) {
			case 0:
				l, w = e, e
			case 1:
				r, w = e, e
			case 2:
				l, r, w = e, e, e
			}
			base, local, remote, want = append(base, b...), append(local, l...), append(remote, r...), append(want, w...)
		}
		join := func(s []string) []byte { return []byte(strings.Join(s, "")) }
		r := Merge(join(base), join(local), join(remote))
		if !r.Clean || !bytes.Equal(r.Text(), join(want)) {
			t.Fatalf("%q\n%q\n%q: got %q, %v\nwant %q", base, local, remote, r.Text(), r.Clean, want)
		}
	})
}

// T6: whichever versions end their lines with CR LF, the same conflicts, the same
// lines; written as the side has it that changed the ending.
func TestEndings(t *testing.T) {
	each(t, 10_000, func(t testing.TB, m *maker) {
		m.words = slices.DeleteFunc(slices.Clone(m.words), func(w string) bool { return strings.Contains(w, "\r") })
		b, l, r := m.three()
		for _, v := range [][]byte{b, l, r} {
			if bytes.Count(v, newline) == 0 {
				return // has no line ending to speak of
			}
		}
		plain := Merge(b, l, r)
		for bits := range 8 {
			v := [3][]byte{b, l, r}
			for i := range v {
				if bits>>i&1 == 1 {
					v[i] = paired(v[i])
				}
			}
			got := Merge(v[0], v[1], v[2])
			want := plain.Text()
			bb, lb, rb := bits&1, bits>>1&1, bits>>2&1
			if e := lb; (e == bb && rb == 1) || (e != bb && e == 1) {
				want = paired(want)
			}
			if got.Clean != plain.Clean || len(got.Chunks) != len(plain.Chunks) || !bytes.Equal(got.Text(), want) {
				t.Fatalf("endings %03b of %q %q %q: got %q, %v\nwant %q, %v", bits, b, l, r, got.Text(), got.Clean, want, plain.Clean)
			}
			checkPartition(t, v[0], v[1], v[2], got)
		}
	})
}

func TestLinesComeFromSomewhere(t *testing.T) { // T7
	each(t, 10_000, func(t testing.TB, m *maker) {
		b, l, r := m.three()
		known := map[string]bool{}
		for _, v := range [][]byte{b, l, r} {
			for line := range bytes.Lines(v) {
				known[string(line)] = true
			}
		}
		for line := range bytes.Lines(Merge(b, l, r).Text()) {
			if !known[string(line)] {
				t.Fatalf("%q %q %q: line %q", b, l, r, line)
			}
		}
	})
}

func TestSameOnOneProcessor(t *testing.T) { // T1
	b, l, r := large(20_000, 10, 3)
	want := Merge(b, l, r)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	got := Merge(b, l, r)
	if !slices.Equal(got.Chunks, want.Chunks) || !bytes.Equal(got.Text(), want.Text()) {
		t.Error("another result on one processor")
	}
}

func TestDiffRebuilds(t *testing.T) {
	each(t, 20_000, func(t testing.TB, m *maker) {
		a, b, _ := m.three()
		var got []byte
		at := 0
		for _, h := range Diff(a, b) {
			if h.A.Empty() && h.B.Empty() || h.A.Start < at {
				t.Fatalf("%q %q: hunk %v", a, b, h)
			}
			got = append(append(got, a[at:h.A.Start]...), h.B.Of(b)...)
			at = h.A.End
		}
		if got = append(got, a[at:]...); !bytes.Equal(got, b) {
			t.Fatalf("%q %q: rebuilt %q", a, b, got)
		}
	})
}

func TestWordsRebuild(t *testing.T) {
	each(t, 20_000, func(t testing.TB, m *maker) {
		a, b, _ := m.three()
		checkWords(t, a, b, Words(a, b))
		checkWords(t, a, b, ends(a, b))
	})
	long := bytes.Repeat([]byte("word "), 5_000)
	checkWords(t, long, append([]byte("x"), long...), Words(long, append([]byte("x"), long...)))
}

func checkWords(t testing.TB, a, b []byte, spans []Span) {
	t.Helper()
	var got []byte
	at := 0
	for _, s := range spans {
		if s.A < at || s.A == s.AEnd && s.B == s.BEnd {
			t.Fatalf("%q %q: span %v", a, b, s)
		}
		got = append(append(got, a[at:s.A]...), b[s.B:s.BEnd]...)
		at = s.AEnd
	}
	if got = append(got, a[at:]...); !bytes.Equal(got, b) {
		t.Fatalf("%q %q: rebuilt %q of %v", a, b, got, spans)
	}
}

// A proposal has each word that a side added, and none that a side removed.
func TestSuggestion(t *testing.T) {
	for _, c := range [][4]string{
		{"hello big world\n", "hello small world\n", "hello big world!\n", "hello small world!\n"},
		{"a b c", "a x c", "a y c", ""},
		{"a b c", "a x c", "a x c", "a x c"},
		{"", "a", "b", ""},
		{"\xff b", "\xff c", "\xfe\xff b", "\xfe\xff c"},
	} {
		got, ok := Suggest([]byte(c[0]), []byte(c[1]), []byte(c[2]))
		if ok != (c[3] != "") || string(got) != c[3] {
			t.Errorf("%q: got %q, %v", c, got, ok)
		}
	}
	each(t, 20_000, func(t testing.TB, m *maker) {
		b, l, r := m.three()
		x, okX := Suggest(b, l, r)
		y, okY := Suggest(b, r, l)
		if okX != okY || !bytes.Equal(x, y) {
			t.Fatalf("%q %q %q: %q, %v and %q, %v", b, l, r, x, okX, y, okY)
		}
		if x, ok := Suggest(b, l, b); !ok || !bytes.Equal(x, l) {
			t.Fatalf("Suggest(%q, %q, base) = %q, %v", b, l, x, ok)
		}
	})
}
