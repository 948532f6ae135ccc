package localdb

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What a process that only looks spends on the database.
func BenchmarkOpenViewClose(b *testing.B) {
	dir := b.TempDir()
	db, err := Open(b.Context(), dir, Options{Key: testKey})
	if err != nil {
		b.Fatal(err)
	}
	fill(b, db, 3000)
	db.Close()
	b.ReportAllocs()
	for b.Loop() {
		db, err := Open(b.Context(), dir, Options{Key: testKey})
		if err != nil {
			b.Fatal(err)
		}
		db.View(func(tx Tx) error { _, _, err := tx.Get("key/000100"); return err })
		db.Close()
	}
}

// The same with the process, which is what counts; read its time less an empty one's.
func BenchmarkProcess(b *testing.B) {
	dir := b.TempDir()
	db, err := Open(b.Context(), dir, Options{Key: testKey})
	if err != nil {
		b.Fatal(err)
	}
	fill(b, db, 3000)
	db.Close()
	exe, _ := os.Executable()
	for _, do := range []string{"nothing", "look"} {
		b.Run(do, func(b *testing.B) {
			var rss int64
			for b.Loop() {
				c := exec.Command(exe)
				c.Env = append(os.Environ(), "LOCALDB_TEST_DO="+do, "LOCALDB_TEST_DIR="+dir)
				if out, err := c.CombinedOutput(); err != nil {
					b.Fatal(err, string(out))
				}
				rss = maxRSS(c)
			}
			b.ReportMetric(float64(rss)/1024, "MiB-peak")
		})
	}
}

func fill(b *testing.B, db DB, n int) {
	v := []byte(strings.Repeat("v", 2000))
	err := db.Update(func(tx Tx) error {
		for i := range n {
			if err := tx.Set(fmt.Sprintf("key/%06d", i), v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// 6 MB in one transaction, as a first sync does.
func BenchmarkUpdate6MB(b *testing.B) {
	db, err := Open(b.Context(), b.TempDir(), Options{Key: testKey})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for b.Loop() {
		fill(b, db, 3000)
	}
}

func BenchmarkUpdateSmall(b *testing.B) {
	db, err := Open(b.Context(), b.TempDir(), Options{Key: testKey})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for b.Loop() {
		err := db.Update(func(tx Tx) error { return tx.Set("key", []byte("value")) })
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan5000(b *testing.B) {
	db, err := Open(b.Context(), b.TempDir(), Options{Key: testKey})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	fill(b, db, 5000)
	b.ReportAllocs()
	for b.Loop() {
		Dump(db)
	}
}
