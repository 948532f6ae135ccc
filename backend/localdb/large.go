package localdb

import (
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// inline is the size of the largest value kept among the rows, in bytes.
const inline = 64 << 10

// A large value lies in a file of its own, large/<id>, which is written and
// synced before the transaction that names it, never changed, and removed after
// a transaction that names it no longer; what a crash leaves over is removed at
// opening.
type largeFiles struct {
	dir  string
	aead cipher.AEAD
	rand io.Reader
}

// A largeRef is what the row of a large value holds: 16 bytes of id, 8 of size.
type largeRef struct {
	id   [16]byte
	size int64
}

func (r largeRef) bytes() []byte {
	return binary.BigEndian.AppendUint64(r.id[:len(r.id):len(r.id)], uint64(r.size))
}

func parseRef(b []byte) (largeRef, error) {
	if len(b) != 24 {
		return largeRef{}, errors.New("reference to a large value: wrong length")
	}
	r := largeRef{size: int64(binary.BigEndian.Uint64(b[16:]))}
	copy(r.id[:], b)
	if r.size <= inline {
		return largeRef{}, errors.New("reference to a large value: wrong size")
	}
	return r, nil
}

func (l largeFiles) path(id [16]byte) string { return filepath.Join(l.dir, hex.EncodeToString(id[:])) }

func largeAAD(id [16]byte) []byte { return append([]byte("large "), id[:]...) }

// put writes a value; its name lasts only after syncDir.
func (l largeFiles) put(value []byte) (largeRef, error) {
	ref := largeRef{size: int64(len(value))}
	if _, err := io.ReadFull(l.rand, ref.id[:]); err != nil {
		return ref, fmt.Errorf("draw name: %w", err)
	}
	path := l.path(ref.id)
	return ref, writeSealed(path, func(w io.Writer) error {
		s, err := newSealer(w, l.aead, largeAAD(ref.id), l.rand)
		if err != nil {
			return err
		}
		if _, err := s.Write(value); err != nil {
			return err
		}
		return s.Close()
	})
}

func (l largeFiles) get(ref largeRef) ([]byte, error) {
	f, err := os.Open(l.path(ref.id))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Before making room for what a changed row might claim.
	if st, err := f.Stat(); err != nil || st.Size() != sealedSize(ref.size) {
		return nil, errStream
	}
	o, err := newOpener(f, l.aead, largeAAD(ref.id))
	if err != nil {
		return nil, err
	}
	value := make([]byte, ref.size)
	if _, err := io.ReadFull(o, value); err != nil {
		return nil, errStream
	}
	if n, err := o.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return nil, errStream
	}
	return value, nil
}

func (l largeFiles) remove(id [16]byte) error {
	err := os.Remove(l.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// sweep removes the files that no row refers to.
func (l largeFiles) sweep(used map[[16]byte]bool) error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		var id [16]byte
		name := strings.TrimSuffix(e.Name(), ".tmp")
		if n, err := hex.Decode(id[:], []byte(name)[:min(len(name), 32)]); err != nil || n != 16 || len(name) != 32 {
			continue // not ours
		}
		if name == e.Name() && used[id] {
			continue
		}
		if err := os.Remove(filepath.Join(l.dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// writeSealed writes a file beside, syncs it and renames it. On any error
// nothing is under the name.
func writeSealed(path string, fill func(io.Writer) error) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}
