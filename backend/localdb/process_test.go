package localdb

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain is also the program that tests start to have it killed.
func TestMain(m *testing.M) {
	switch dir := os.Getenv("LOCALDB_TEST_DIR"); os.Getenv("LOCALDB_TEST_DO") {
	case "write":
		writeForever(dir)
	case "look":
		look(dir)
		os.Exit(0)
	case "nothing":
		os.Exit(0)
	case "read":
		os.Exit(readAll(dir))
	}
	os.Exit(m.Run())
}

func child(t *testing.T, do, dir string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), "LOCALDB_TEST_DO="+do, "LOCALDB_TEST_DIR="+dir)
	return c
}

// round is what the n-th transaction writes: sometimes much, sometimes large
// values; every row says which round it is of.
func round(n int) map[string][]byte {
	rows := map[string][]byte{"round": []byte(strconv.Itoa(n))}
	keys, size := 5, 100
	if n%4 == 3 {
		keys, size = 700, 3000 // over Badger's limit
	}
	for i := range keys {
		rows[fmt.Sprintf("key/%d", i)] = bytes.Repeat(fmt.Appendf(nil, "%08d", n), size/8)
	}
	rows["large"] = bytes.Repeat(fmt.Appendf(nil, "%08d", n), 10_000)
	return rows
}

func look(dir string) {
	db, err := Open(context.Background(), dir, Options{Key: testKey})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	db.View(func(tx Tx) error { _, _, err := tx.Get("key/000100"); return err })
	db.Close()
}

func writeForever(dir string) {
	db, err := Open(context.Background(), dir, Options{Key: testKey})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	last := 0
	db.View(func(tx Tx) error {
		v, _, err := tx.Get("round")
		last, _ = strconv.Atoi(string(v))
		return err
	})
	for n := last + 1; ; n++ {
		err := db.Update(func(tx Tx) error {
			for k, v := range round(n) {
				if err := tx.Set(k, v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("done", n) // acknowledged
	}
}

// L1, L2, L5: kill -9 at random instants. What was acknowledged is there; what is
// there is whole; the lock is free; nothing alarms.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(11, 12))
	acknowledged := 0
	for i := range scaled(4) {
		c := child(t, "write", dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		want := r.IntN(9) // transactions before the end comes
		for n := 0; n <= want && lines.Scan(); n++ {
			read(t, lines.Text(), &acknowledged)
		}
		delay := time.NewTimer(time.Duration(r.IntN(30_000)) * time.Microsecond) // and into the next
		<-delay.C
		c.Process.Kill()
		for lines.Scan() {
			read(t, lines.Text(), &acknowledged)
		}
		c.Wait()

		db := openAt(t, dir)
		if i := db.Info(); i.Doubtful() || i.Fresh {
			t.Fatalf("after kill: %+v", i)
		}
		all, err := Dump(db)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := strconv.Atoi(string(all["round"]))
		if n < acknowledged || n > acknowledged+1 {
			t.Fatalf("kill %d: round %d is there, %d was acknowledged", i, n, acknowledged)
		}
		for k, v := range round(n) {
			if !bytes.Equal(all[k], v) {
				t.Fatalf("kill %d: %s is not of round %d", i, k, n)
			}
		}
		if files, _ := os.ReadDir(dir + "/large"); len(files) != 1 {
			t.Fatalf("kill %d: %d large files", i, len(files))
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, line string, acknowledged *int) {
	if n, ok := strings.CutPrefix(line, "done "); ok {
		*acknowledged, _ = strconv.Atoi(n)
	} else {
		t.Fatal(line)
	}
}

// scaled is how often to do what PLAIT_SCALE can make more of.
func scaled(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("PLAIT_SCALE"), 64); err == nil {
		return max(1, int(float64(n)*f))
	}
	return n
}

const (
	readWhole   = 10 // all that was written
	readNoticed = 11 // an error with a code, or Info says that something is wrong
	readLess    = 12 // less, and no word of it
)

func readAll(dir string) int {
	db, err := Open(context.Background(), dir, Options{Key: testKey})
	var code Code
	if errors.As(err, &code) {
		return readNoticed
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	doubt := db.Info().LostTail || db.Info().NoAnchor
	all, err := Dump(db)
	if errors.As(err, &code) || doubt {
		return readNoticed
	}
	n := 0
	for i := range 300 {
		if string(all[fmt.Sprint("key", i)]) == strings.Repeat(fmt.Sprint(i), 100) {
			n++
		}
	}
	db.Close()
	if n < 300 || len(all) != 301 {
		return readLess
	}
	return readWhole
}

// Whatever is done to one file of the database, opening and reading it ends with
// all that was written, or with a code; not with less, nor with a panic.
func TestScribble(t *testing.T) {
	dir := t.TempDir()
	for part := range 3 { // three tables
		db := openAt(t, dir)
		setKeys(t, db, 100*part, 100*part+100)
		setKey(t, db, "large", strings.Repeat("x", 100<<10))
		db.Close()
	}
	r := rand.New(rand.NewPCG(5, 6))
	var files []string
	for _, pattern := range []string{"rows/*.sst", "rows/MANIFEST", "rows/KEYREGISTRY", "large/*", "anchor", "rows/TABLES"} {
		m, _ := filepath.Glob(dir + "/" + pattern)
		files = append(files, m...)
	}
	for range scaled(20) {
		path := files[r.IntN(len(files))]
		copied := filepath.Join(t.TempDir(), "db")
		copyDir(t, dir, copied)
		rel, _ := filepath.Rel(dir, path)
		b, _ := os.ReadFile(path)
		var what string
		switch r.IntN(4) {
		case 0:
			at := r.IntN(len(b))
			b[at] ^= 1 << r.IntN(8)
			what = fmt.Sprint("flip at ", at)
		case 1:
			n := r.IntN(len(b))
			b = b[:n]
			what = fmt.Sprint("cut to ", n)
		case 2:
			at := r.IntN(len(b))
			clear(b[at:])
			what = fmt.Sprint("zeros from ", at)
		case 3:
			io.ReadFull(rand.NewChaCha8([32]byte{byte(r.Uint32())}), b)
			what = "noise"
		}
		if err := os.WriteFile(filepath.Join(copied, rel), b, 0o600); err != nil {
			t.Fatal(err)
		}
		c := child(t, "read", copied)
		out, _ := c.CombinedOutput()
		switch got := c.ProcessState.ExitCode(); {
		case got == readWhole, got == readNoticed:
		default:
			t.Errorf("%s of %d bytes, %s: exit %d: %.300s", rel, len(b), what, got, out)
		}
	}
}
