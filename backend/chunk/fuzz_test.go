package chunk

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"plait/backend/item"
	"plait/backend/seal"
)

// FuzzList: a list's pieces come sealed by a member, who may be hostile. What is
// accepted adds up, and encodes back to the same bytes.
func FuzzList(f *testing.F) {
	good := []item.Chunk{{Name: item.Hash{1}, Size: 20_000}, {Name: item.Hash{2}, Size: 70_000}, {Name: item.Hash{3}, Size: 5}}
	f.Add(slices.Concat(pieces(good)...), int64(90_005))
	f.Add(slices.Concat(pieces(good)...), int64(90_004))
	f.Add([]byte{}, int64(0))
	f.Add(make([]byte, recordSize), int64(1)<<62)
	f.Add(bytes.Repeat([]byte{0xff}, 3*recordSize), int64(-1))
	f.Fuzz(func(t *testing.T, list []byte, size int64) {
		c := &item.Content{Size: size, List: true}
		for at := 0; at < len(list); at += Max {
			c.Chunks = append(c.Chunks, item.Chunk{Name: item.Hash{9}, Size: uint32(min(Max, len(list)-at))})
		}
		if CheckContent(c) != nil {
			return
		}
		l := lister{c: c, checks: allChecks}
		for at := 0; at < len(list); at += Max {
			if l.add(list[at:min(at+Max, len(list))]) != nil {
				return
			}
		}
		chunks, err := l.done()
		if err != nil {
			return
		}
		if int64(len(chunks)) > mostChunks(size) || sum(chunks) != size {
			t.Fatalf("%d chunks of %d bytes for %d", len(chunks), sum(chunks), size)
		}
		if !bytes.Equal(slices.Concat(pieces(chunks)...), list) {
			t.Fatal("the list encodes to other bytes")
		}
	})
}

// FuzzInflate: the bytes of an opened chunk. What inflates has the stated size, and
// squeezes to what inflates to the same.
func FuzzInflate(f *testing.F) {
	enc, _ := zstd.NewWriter(nil)
	f.Add(newSqueezer(1).squeeze(nil, text(1, 1000)), uint32(1000))
	f.Add(newSqueezer(1).squeeze(nil, random(1, 100)), uint32(100))
	f.Add(enc.EncodeAll(make([]byte, 1<<20), []byte{methodZstd}), uint32(1000))
	f.Add([]byte{}, uint32(0))
	f.Add([]byte{2, 1}, uint32(1))
	f.Add([]byte{methodZstd}, uint32(1<<32-1))
	inf, squeez := newInflater(1, allChecks), newSqueezer(1)
	f.Fuzz(func(t *testing.T, body []byte, size uint32) {
		plain, err := inf.inflate(body, size)
		if err != nil {
			if !errors.Is(err, ErrChanged) {
				t.Fatal(err)
			}
			return
		}
		if len(plain) != int(size) || size > Max {
			t.Fatalf("%d bytes, stated %d", len(plain), size)
		}
		again, err := inf.inflate(squeez.squeeze(nil, plain), size)
		if err != nil || !bytes.Equal(again, plain) {
			t.Fatal(err)
		}
	})
}

// FuzzChunk: a sealed chunk and its place, as a store and an index may have them.
// Nothing opens that was not sealed under the name.
func FuzzChunk(f *testing.F) {
	namer, key, epoch := NewNamer(testKey), seal.Key{1}, item.Hash{2}
	plain := []byte("plain bytes")
	name := namer.Name(plain)
	sealed := seal.Seal(newRand(1), key, chunkContext(allChecks, [32]byte{}, epoch, name), append([]byte{methodRaw}, plain...))
	good := append([]byte(packMagic), sealed[clear:]...)
	f.Add(good, uint32(len(packMagic)), uint32(len(sealed)-clear), uint32(len(good)), uint32(len(plain)))
	f.Add(good, uint32(0), uint32(len(good)), uint32(len(good)), uint32(len(plain)))
	f.Add(good[:20], uint32(4), uint32(100), uint32(20), uint32(11))
	f.Add([]byte{}, uint32(1<<31), uint32(1<<31), uint32(1<<32-1), uint32(0))
	f.Fuzz(func(t *testing.T, pack []byte, offset, size, packSize, plainSize uint32) {
		r := NewReader(ReaderOptions{
			Namer: namer, Workers: 1,
			Key:  func(item.Hash) (seal.Key, bool) { return key, true },
			Find: func(item.Hash) (Place, bool) { return Place{item.Hash{}, packSize, offset, size, epoch}, true },
			Get: func(_ context.Context, _ item.Hash, offset, size int64) ([]byte, error) {
				if size > MaxPack {
					t.Fatalf("%d bytes were asked for", size)
				}
				part := pack[min(offset, int64(len(pack))):]
				return part[:min(size, int64(len(part)))], nil
			},
		})
		got, err := r.Bytes(t.Context(), &item.Content{Size: int64(plainSize), Hash: name, Chunks: []item.Chunk{{Name: name, Size: plainSize}}}, 1<<20)
		if err == nil && !bytes.Equal(got, plain) {
			t.Fatalf("read %q", got)
		}
	})
}

// FuzzCut: chunks put together are the content, and none but the last is under Min or
// any over Max, whatever the content.
func FuzzCut(f *testing.F) {
	f.Add(random(1, 300_000), byte(1))
	f.Add(make([]byte, 600_000), byte(2))
	f.Add([]byte{}, byte(0))
	f.Fuzz(func(t *testing.T, body []byte, k byte) {
		var all []byte
		c := NewNamer(seal.Key{k}).Cutter(bytes.NewReader(body))
		for {
			plain, err := c.Next()
			if err != nil {
				break
			}
			all = append(all, plain...)
			if len(plain) > Max || len(plain) < Min && len(all) != len(body) {
				t.Fatalf("a chunk of %d bytes", len(plain))
			}
		}
		if !bytes.Equal(all, body) {
			t.Fatal("chunks are not the content")
		}
	})
}
