package engine

import (
	"fmt"
	"maps"
	"testing"

	"plait/backend/disk"
	"plait/backend/item"
)

// Rows of stamps hold what was put there, and a cut or foreign one is refused.
func TestStampRows(t *testing.T) {
	want := map[item.Name]fileRow{}
	b := []byte{stampVersion}
	for i := range 50 {
		n := item.Name(fmt.Sprintf("c/files/folder/file %d", i))
		row := fileRow{
			stamp: disk.Stamp{MTime: int64(i) << 40, CTime: -1, Inode: uint64(i), Size: 1 << 50}, sure: i%2 == 0, present: i%3 == 0,
			hash: item.Hash{byte(i), 31: 1}, mask: [8]byte{7: byte(i)}, values: uint32(i),
		}
		want[n], b = row, row.append(b, n)
	}
	got := map[item.Name]fileRow{}
	if err := parseStamps(b, got); err != nil || !maps.Equal(got, want) {
		t.Fatalf("parseStamps = %v; got %d rows, want %d", err, len(got), len(want))
	}
	whole := map[int]bool{}
	for n, at := 0, 1; n <= len(want); n++ {
		whole[at] = true
		if at < len(b) {
			at += 2 + int(b[at])<<8 + int(b[at+1]) + stampFixed
		}
	}
	for n := range len(b) {
		if err := parseStamps(b[:n], map[item.Name]fileRow{}); (err == nil) != whole[n] {
			t.Fatalf("a row cut to %d of %d bytes: %v", n, len(b), err)
		}
	}
	b[0]++
	if parseStamps(b, got) == nil {
		t.Error("a row of another version was taken")
	}
}
