package localdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// Badger does not survive damaged tables: it panics in goroutines of its own
// when it opens one, and an iterator that meets a damaged block ends as if there
// were no more rows; a compaction then drops them. So tables are looked at before
// Badger sees them, against checksums noted beside them when they were made.

// A tableSum is what is noted of a table.
type tableSum struct {
	Size  int64  `cbor:"1,keyasint"`
	MTime int64  `cbor:"2,keyasint"` // nanoseconds
	Sum   uint32 `cbor:"3,keyasint"` // CRC-32C of the file
}

// checkWhole is how many bytes of tables are read at every opening, whatever their
// times say: reading them takes about 4 ms. Beyond that only those whose time
// changed are, and all of them before they are merged.
const checkWhole = 16 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type tables struct {
	opts  badger.Options
	path  string // of the notes
	known map[string]tableSum
}

func openTables(opts badger.Options) *tables {
	t := &tables{opts: opts, path: filepath.Join(opts.Dir, "TABLES"), known: map[string]tableSum{}}
	b, err := os.ReadFile(t.path)
	if err != nil || len(b) < 4 {
		return t // no notes, no checks
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(body):]) {
		return t // torn: they are not synced
	}
	var known map[string]tableSum
	if tableMode.Unmarshal(body, &known) == nil {
		t.known = known
	}
	return t
}

// each calls fn for each table that Badger's manifest names, and for what is noted
// of it. Others are what a crash left; Badger removes them.
func (t *tables) each(fn func(path string, st os.FileInfo, noted tableSum, ok bool) error) error {
	f, err := os.Open(filepath.Join(t.opts.Dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		left, err := filepath.Glob(filepath.Join(t.opts.Dir, "*.sst"))
		if len(left) > 0 { // Badger would remove them all
			return errors.New("tables without a manifest")
		}
		return err
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var m badger.Manifest
	err = guarded(func() (err error) {
		m, _, err = badger.ReplayManifestFile(f, t.opts.ExternalMagicVersion, t.opts)
		return err
	})
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	for _, id := range slices.Sorted(maps.Keys(m.Tables)) {
		name := fmt.Sprintf("%06d.sst", id)
		path := filepath.Join(t.opts.Dir, name)
		st, err := os.Stat(path)
		if err != nil {
			return err
		}
		noted, ok := t.known[name]
		if err := fn(path, st, noted, ok); err != nil {
			return err
		}
	}
	return nil
}

// tidy removes logs that a crash left empty: Badger makes a file and fills it
// after, and does not open what died in between.
func (t *tables) tidy() error {
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		paths, err := filepath.Glob(filepath.Join(t.opts.Dir, pattern))
		if err != nil {
			return err
		}
		for _, p := range paths {
			if st, err := os.Stat(p); err != nil {
				return err
			} else if st.Size() > 0 {
				continue
			}
			if err := os.Remove(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// check looks at all tables; whole: at every byte of them.
func (t *tables) check(whole bool) error {
	total := int64(0)
	err := t.each(func(_ string, st os.FileInfo, _ tableSum, _ bool) error {
		total += st.Size()
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(t.opts.Dir, badger.KeyRegistryFileName)); err != nil && total > 0 {
		return fmt.Errorf("tables without their keys: %w", err) // Badger would make new keys, and panic over the tables
	}
	whole = whole || total <= checkWhole
	return t.each(func(path string, st os.FileInfo, noted tableSum, ok bool) error {
		if err := checkFooter(path, st.Size()); err != nil {
			return err
		}
		if !ok {
			return nil // made by a process that died
		}
		if st.Size() != noted.Size {
			return fmt.Errorf("table %s: %d bytes, not %d", st.Name(), st.Size(), noted.Size)
		}
		if !whole && st.ModTime().UnixNano() == noted.MTime {
			return nil
		}
		sum, err := sumFile(path)
		if err == nil && sum != noted.Sum {
			err = fmt.Errorf("table %s: wrong checksum", st.Name())
		}
		return err
	})
}

// note remembers the tables as they are. It is not synced: notes that are lost
// are checks that are not made.
func (t *tables) note() error {
	now := map[string]tableSum{}
	same := true
	err := t.each(func(path string, st os.FileInfo, noted tableSum, ok bool) error {
		mtime := st.ModTime().UnixNano()
		if ok && noted.Size == st.Size() && noted.MTime == mtime {
			now[st.Name()] = noted
			return nil
		}
		same = false
		sum, err := sumFile(path)
		now[st.Name()] = tableSum{st.Size(), mtime, sum}
		return err
	})
	if err != nil || (same && len(now) == len(t.known)) {
		return err
	}
	body := must(encMode.Marshal(now))
	body = binary.BigEndian.AppendUint32(body, crc32.Checksum(body, castagnoli))
	tmp := t.path + ".tmp"
	if err := os.WriteFile(tmp, body, 0o600); err != nil {
		return err
	}
	t.known = now
	return os.Rename(tmp, t.path)
}

func sumFile(path string) (uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	h := crc32.New(castagnoli)
	_, err = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, make([]byte, 256<<10))
	return h.Sum32(), err
}

// checkFooter checks the lengths at a table's end, which Badger believes: from the
// back, the checksum's length, the checksum, the index's length, the index.
func checkFooter(path string, size int64) error {
	bad := fmt.Errorf("table %s: cut short, or no table", filepath.Base(path))
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	at := size
	length := func() (int64, error) {
		var b [4]byte
		if at -= 4; at < 0 {
			return 0, bad
		}
		if _, err := f.ReadAt(b[:], at); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		return int64(binary.BigEndian.Uint32(b[:])), nil
	}
	for range 2 {
		n, err := length()
		if err != nil {
			return err
		}
		if at -= n; n == 0 || at < 0 {
			return bad
		}
	}
	return nil
}

// guarded runs what asks Badger, whose answer to bytes that it did not expect may
// be a panic. Callers' own functions never run in it.
func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("database panics: %.200v", p)
		}
	}()
	return fn()
}
