package text

import (
	"bytes"
	"testing"
)

// A conflict, with the merge's every face.
//
//	base local remote → text
func TestMerge(t *testing.T) {
	for _, c := range []struct {
		name, base, local, remote string
		clean                     bool
		want                      string // text if clean, else markers
	}{
		{"one side", "a\nb\nc\n", "a\nB\nc\n", "a\nb\nc\n", true, "a\nB\nc\n"},
		{"both sides, apart", "a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n", true, "A\nb\nC\n"},
		{"touching", "a\nb\n", "A\nb\n", "a\nB\n", false, "<<<<<<< l\nA\nb\n||||||| b\na\nb\n=======\na\nB\n>>>>>>> r\n"},
		{"the same", "a\nb\n", "a\nx\n", "a\nx\n", true, "a\nx\n"},
		{"changed, removed", "a\nb\nc\nd\n", "a\nB\nc\nd\n", "a\nc\nd\n", false, "a\n<<<<<<< l\nB\n||||||| b\nb\n=======\n>>>>>>> r\nc\nd\n"},
		{"no base, same", "", "a\n", "a\n", true, "a\n"},
		{"no base", "", "a\n", "b\n", false, "<<<<<<< l\na\n||||||| b\n=======\nb\n>>>>>>> r\n"},
		{"no line feed at the end", "a", "b", "c", false, "<<<<<<< l\nb\n||||||| b\na\n=======\nc\n>>>>>>> r\n"},
		{"line feed added", "a\nb", "a\nb\n", "A\nb", false, "<<<<<<< l\na\nb\n||||||| b\na\nb\n=======\nA\nb\n>>>>>>> r\n"},
		{"line feed added, apart", "a\nx\nb", "a\nx\nb\n", "A\nx\nb", true, "A\nx\nb\n"},
		{"converted", "a\nx\nb\n", "a\r\nx\r\nb\r\n", "a\nx\nB\n", true, "a\r\nx\r\nB\r\n"},
		{"converted back", "a\r\nx\r\nb\r\n", "a\nx\nb\n", "a\r\nx\r\nB\r\n", true, "a\nx\nB\n"},
		{"converted, conflict", "a\n", "b\r\n", "c\n", false, "<<<<<<< l\r\nb\r\n||||||| b\r\na\r\n=======\r\nc\r\n>>>>>>> r\r\n"},
		{"all CR LF, conflict", "a\r\n", "b\r\n", "c\r\n", false, "<<<<<<< l\r\nb\r\n||||||| b\r\na\r\n=======\r\nc\r\n>>>>>>> r\r\n"},
		{"invalid UTF-8", "\xff\n1\n\xfe\n", "\xfd\n1\n\xfe\n", "\xff\n1\n\xef\xbf\xbd\n", true, "\xfd\n1\n\xef\xbf\xbd\n"},
		{"NUL", "a\x00\n1\nb\x00\n", "a\n1\nb\x00\n", "a\x00\n1\nb\n", true, "a\n1\nb\n"},
	} {
		r := Merge([]byte(c.base), []byte(c.local), []byte(c.remote))
		got := string(r.Markers([3]string{"b", "l", "r"}))
		if r.Clean != c.clean || got != c.want {
			t.Errorf("%s: clean %v, %q; want %q", c.name, r.Clean, got, c.want)
		}
		if r.Clean && string(r.Text()) != c.want {
			t.Errorf("%s: text %q", c.name, r.Text())
		}
	}
}

// What both sides wrote is no conflict, if it is long enough not to be chance; base
// is shared out.
func TestRefine(t *testing.T) {
	base := "1\n2\n3\n4\n"
	local := "1\nhere\nw\nx\ny\nz\nmine\n4\n"
	remote := "1\nthere\nw\nx\ny\nz\ntheirs\n4\n"
	r := Merge([]byte(base), []byte(local), []byte(remote))
	var kinds []Kind
	for _, c := range r.Chunks {
		kinds = append(kinds, c.Kind)
	}
	want := []Kind{Unchanged, Conflict, Both, Conflict, Unchanged}
	if len(kinds) != len(want) || r.Chunks[1].Region != 1 || r.Chunks[3].Region != 1 {
		t.Fatalf("got %v, want %v", kinds, want)
	}
	for i := range want {
		if kinds[i] != want[i] {
			t.Fatalf("got %v, want %v", kinds, want)
		}
	}
	if got := string(r.Text()); got != local {
		t.Errorf("with conflicts, Text is %q, want local's lines", got)
	}
	one := "1\n<<<<<<<\nhere\nw\nx\ny\nz\nmine\n|||||||\n2\n3\n=======\nthere\nw\nx\ny\nz\ntheirs\n>>>>>>>\n4\n"
	if got := string(r.Markers([3]string{})); got != one {
		t.Errorf("markers: %q, want the region whole: %q", got, one)
	}
}

func TestUnified(t *testing.T) {
	a := "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12"
	b := "1\n2\nthree\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n"
	want := `--- old
+++ new
@@ -2,3 +2,3 @@
 2
-3
+three
 4
@@ -11,2 +11,3 @@
 11
-12
\ No newline at end of file
+12
+13
`
	if got := string(Unified([]byte(a), []byte(b), "old", "new", 1)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := string(Unified(nil, []byte("a\n"), "old", "new", 3)); got != "--- old\n+++ new\n@@ -0,0 +1 @@\n+a\n" {
		t.Errorf("from nothing: %q", got)
	}
	if got := Unified([]byte(a), []byte(a), "old", "new", 3); got != nil {
		t.Errorf("of equal texts: %q", got)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte("a\nb\nc\n"), []byte("a\nB\nc\n"), []byte("a\nb\nC\n"))
	f.Add([]byte("a\r\n"), []byte("a\n"), []byte("b"))
	f.Add([]byte("\xff\x00\n\r"), []byte("\xef\xbf\xbd\n"), []byte("\xed\xa0\x80\r\n\r\n"))
	f.Add([]byte(""), []byte("x\n\n\n"), []byte("\n\nx\n"))
	f.Fuzz(func(t *testing.T, b, l, r []byte) {
		if len(b)+len(l)+len(r) > 1<<16 {
			return
		}
		x, y := Merge(b, l, r), Merge(b, r, l)
		checkPartition(t, b, l, r, x)
		if x.Clean != y.Clean || x.Clean && !bytes.Equal(x.Text(), y.Text()) {
			t.Fatalf("%q %q %q: %q and %q", b, l, r, x.Text(), y.Text())
		}
		x.Markers([3]string{"b", "l", "r"})
		if got := Merge(b, l, b).Text(); !bytes.Equal(got, l) {
			t.Fatalf("%q %q: %q", b, l, got)
		}
		checkWords(t, l, r, Words(l, r))
		checkWords(t, l, r, ends(l, r))
		Suggest(b, l, r)
		Unified(l, r, "l", "r", 3)
	})
}
