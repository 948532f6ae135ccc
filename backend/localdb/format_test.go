package localdb

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// fixed is a source of "random" bytes for vectors.
type fixed byte

func (f fixed) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(f) + byte(i)
	}
	return len(p), nil
}

// vector compares got with a file of hex digits. Vectors are added, never
// regenerated: a missing one is written only if PLAIT_VECTORS is set.
func vector(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "vectors", name+".hex")
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) && os.Getenv("PLAIT_VECTORS") != "" {
		if err := os.WriteFile(path, []byte(hex.EncodeToString(got)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %x, want %x", name, got, want)
	}
}

func testBadger() *Badger { return &Badger{opts: Options{Key: testKey, Rand: fixed(7)}} }

func sealBytes(t testing.TB, b *Badger, purpose, aad string, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	s, err := newSealer(&out, b.aead(purpose), []byte(aad), b.opts.Rand)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var sampleRows = []row{
	{key: rowUser + "a", value: []byte("value")},
	{key: rowUser + "gone", remove: true},
	{key: rowUser + "big", value: largeRef{id: [16]byte{9}, size: 70000}.bytes(), kind: largeRow},
}

func TestVectors(t *testing.T) {
	b := testBadger()
	vector(t, "stream-empty", sealBytes(t, b, "large", "large x", nil))
	vector(t, "stream-short", sealBytes(t, b, "large", "large x", []byte("hello")))
	m := chain(mark{Counter: 4, Hash: [32]byte{1}}, sampleRows)
	vector(t, "meta", m.bytes())
	vector(t, "largeref", largeRef{id: [16]byte{1, 2}, size: 100000}.bytes())

	dir := t.TempDir()
	a, _, _, err := openAnchor(dir, b.subkey("anchor"))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.set(mark{Counter: 6, Hash: [32]byte{5}}); err != nil {
		t.Fatal(err)
	}
	a.file.Close()
	got, err := os.ReadFile(dir + "/anchor")
	if err != nil {
		t.Fatal(err)
	}
	vector(t, "anchor-slot", got)

	f := redoFile{dir, b.aead("redo"), b.opts.Rand}
	if err := f.write(sampleRows, m); err != nil {
		t.Fatal(err)
	}
	got, err = os.ReadFile(dir + "/redo")
	if err != nil {
		t.Fatal(err)
	}
	vector(t, "redo", got)
}

func openBytes(b *Badger, purpose, aad string, sealed []byte) ([]byte, error) {
	o, err := newOpener(bytes.NewReader(sealed), b.aead(purpose), []byte(aad))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(o)
}

// Cut, lengthened, reordered, changed, or under another name, a stream does not open.
func TestStream(t *testing.T) {
	b := testBadger()
	for _, n := range []int{0, 1, streamBlock - 1, streamBlock, streamBlock + 1, 3 * streamBlock, 3*streamBlock + 5} {
		plain := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
		sealed := sealBytes(t, b, "large", "name", plain)
		if int64(len(sealed)) != sealedSize(int64(n)) {
			t.Errorf("%d bytes: %d sealed, want %d", n, len(sealed), sealedSize(int64(n)))
		}
		got, err := openBytes(b, "large", "name", sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		const whole = streamBlock + chacha20poly1305.Overhead
		bad := map[string][]byte{
			"cut":        sealed[:len(sealed)-1],
			"lengthened": append(bytes.Clone(sealed), 0),
			"twice":      append(bytes.Clone(sealed), sealed[streamHeader:]...),
		}
		if n > 2*streamBlock {
			bad["block gone"] = sealed[:len(sealed)-(len(sealed)-streamHeader-2*whole)]
			swapped := bytes.Clone(sealed)
			copy(swapped[streamHeader:], sealed[streamHeader+whole:streamHeader+2*whole])
			copy(swapped[streamHeader+whole:], sealed[streamHeader:streamHeader+whole])
			bad["swapped"] = swapped
		}
		for what, s := range bad {
			if _, err := openBytes(b, "large", "name", s); !errors.Is(err, errStream) {
				t.Errorf("%d bytes, %s: %v", n, what, err)
			}
		}
		if _, err := openBytes(b, "large", "other", sealed); !errors.Is(err, errStream) {
			t.Errorf("%d bytes, other name: %v", n, err)
		}
		if _, err := openBytes(b, "redo", "name", sealed); !errors.Is(err, errStream) {
			t.Errorf("%d bytes, other key: %v", n, err)
		}
	}
}

func FuzzRedo(f *testing.F) {
	var plain bytes.Buffer
	putBytes(&plain, chain(mark{}, nil).bytes())
	for _, r := range sampleRows {
		plain.WriteByte(r.kind << 1)
		putBytes(&plain, []byte(r.key))
		putBytes(&plain, r.value)
	}
	f.Add(plain.Bytes())
	f.Add([]byte{})
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		readRedo(bytes.NewReader(b), func(meta) error { return nil }, func(r row) error {
			if len(r.key) == 0 {
				t.Error("row without a key")
			}
			total += len(r.key) + len(r.value)
			return nil
		})
		if total > len(b) {
			t.Errorf("%d bytes of rows from %d", total, len(b))
		}
	})
}

func FuzzAnchor(f *testing.F) {
	key := testBadger().subkey("anchor")
	dir := f.TempDir()
	a, _, _, err := openAnchor(dir, key)
	if err != nil {
		f.Fatal(err)
	}
	want := mark{Counter: 6, Hash: [32]byte{5}}
	if err := a.set(want); err != nil {
		f.Fatal(err)
	}
	a.file.Close()
	good, _ := os.ReadFile(dir + "/anchor")
	f.Add(good)
	f.Add(good[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := parseSlot(b, key); ok && (m != want || !bytes.Equal(b, good)) {
			t.Errorf("a slot that was never written opens: %+v", m)
		}
	})
}

func FuzzStream(f *testing.F) {
	b := testBadger()
	good := sealBytes(f, b, "large", "name", []byte("hello"))
	f.Add(good)
	f.Add(good[:30])
	f.Fuzz(func(t *testing.T, s []byte) {
		if _, err := openBytes(b, "large", "name", s); err == nil && !bytes.Equal(s, good) {
			t.Error("a stream that was never sealed opens")
		}
	})
}

func FuzzRows(f *testing.F) {
	f.Add(chain(mark{}, nil).bytes())
	f.Add(largeRef{size: 70000}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := parseMeta(b); err == nil && (m.Version != formatVersion || m.Counter == 0) {
			t.Errorf("%+v", m)
		}
		if r, err := parseRef(b); err == nil && !bytes.Equal(r.bytes(), b) {
			t.Errorf("%+v", r)
		}
		var known map[string]tableSum
		tableMode.Unmarshal(b, &known)
	})
}
