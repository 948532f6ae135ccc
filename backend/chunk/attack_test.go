package chunk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"plait/backend/item"
	"plait/backend/seal"
)

// Attacks on content, numbered as in the threat model. Each runs against all checks,
// which must hold it off, and then without the ones named, when it must work: so it is
// known to be they that hold it off.

// An attack changes what a bench holds, and says whether it worked.
type attack struct {
	name   string
	checks check
	run    func(t *testing.T, b *bench) (worked bool)
}

func TestAttacks(t *testing.T) {
	for _, a := range slices.Concat(moving, lying, learning, bombs) {
		t.Run(a.name, func(t *testing.T) {
			if a.run(t, attacked(t, allChecks)) {
				t.Error("the attack worked")
			}
			if !a.run(t, attacked(t, allChecks&^a.checks)) {
				t.Error("without its check the attack failed too: what held it off?")
			}
		})
	}
}

func attacked(t *testing.T, checks check) *bench {
	b := newBench(t)
	b.checks = checks
	b.namer = newNamer(testKey, checks)
	return b
}

// member packs bodies as a hostile member of the vault can: sealed properly, and
// under whatever name.
func (b *bench) member(bodies map[item.Hash][]byte) {
	p, err := newPack(b.spool)
	if err != nil {
		b.t.Fatal(err)
	}
	for name, body := range bodies {
		sealed := seal.Seal(newRand(99), b.key, chunkContext(b.checks, [32]byte{5}, b.epoch, name), body)
		if err := p.add(name, b.epoch, sealed[clear:]); err != nil {
			b.t.Fatal(err)
		}
	}
	info, err := p.keep()
	if err != nil {
		b.t.Fatal(err)
	}
	b.take(info, b.spool.Pack(info.Name))
}

// reads says whether reading c gives got, and fails the test if an error is not ErrChanged.
func (b *bench) reads(c *item.Content, want []byte) bool {
	b.t.Helper()
	got, err := b.read(c)
	if err != nil && !errors.Is(err, ErrChanged) && !errors.Is(err, ErrTooLarge) {
		b.t.Errorf("refused with %v", err)
	}
	if err != nil && got != nil {
		b.t.Error("something was returned beside an error")
	}
	return err == nil && bytes.Equal(got, want)
}

// equalChunks is a content of n chunks that are sealed to one size.
func equalChunks(n int) (body []byte) {
	for i := range n {
		body = append(body, random(uint64(i)+50, 1000)...)
	}
	return body
}

// writeChunks packs each thousand bytes as a chunk of its own.
func (b *bench) writeChunks(body []byte) *item.Content {
	w := b.writer()
	c := &item.Content{Size: int64(len(body)), Hash: b.namer.Name(body)}
	for at := 0; at < len(body); at += 1000 {
		c.Chunks = append(c.Chunks, w.put(body[at:at+1000]))
	}
	packs, err := w.Flush(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, p := range packs {
		b.take(p, b.spool.Pack(p.Name))
	}
	return c
}

// Row 6: reorder, drop, duplicate, cut chunks.
var moving = []attack{
	{"6 the store swaps two chunks in a pack", checkBind | checkName | checkWhole, func(t *testing.T, b *bench) bool {
		body := equalChunks(3)
		c := b.writeChunks(body)
		x, y := b.places[c.Chunks[0].Name], b.places[c.Chunks[1].Name]
		pack := b.packs[x.Pack]
		sx, sy := slices.Clone(pack[x.Offset:x.Offset+x.Size]), slices.Clone(pack[y.Offset:y.Offset+y.Size])
		copy(pack[x.Offset:], sy)
		copy(pack[y.Offset:], sx)
		return b.reads(c, slices.Concat(body[1000:2000], body[:1000], body[2000:]))
	}},
	{"6 an index that swaps two chunks", checkBind | checkName | checkWhole, func(t *testing.T, b *bench) bool {
		body := equalChunks(3)
		c := b.writeChunks(body)
		x, y := c.Chunks[0].Name, c.Chunks[2].Name
		b.places[x], b.places[y] = b.places[y], b.places[x]
		return b.reads(c, slices.Concat(body[2000:], body[1000:2000], body[:1000]))
	}},
	{"6 a content with its chunks reordered", checkWhole, func(t *testing.T, b *bench) bool {
		body := equalChunks(3)
		c := b.writeChunks(body)
		c.Chunks[0], c.Chunks[1] = c.Chunks[1], c.Chunks[0]
		return b.reads(c, slices.Concat(body[1000:2000], body[:1000], body[2000:]))
	}},
	{"6 a content with a chunk dropped", checkSize | checkWhole, func(t *testing.T, b *bench) bool {
		body := equalChunks(3)
		c := b.writeChunks(body)
		c.Chunks = c.Chunks[:2]
		return b.reads(c, body[:2000])
	}},
	{"6 a content with a chunk twice, its size to match", checkWhole, func(t *testing.T, b *bench) bool {
		body := equalChunks(3)
		c := b.writeChunks(body)
		c.Chunks, c.Size = append(c.Chunks, c.Chunks[0]), 4000
		return b.reads(c, append(body, body[:1000]...))
	}},
	{"6 another's bytes sealed under a chunk's name", checkName | checkWhole, func(t *testing.T, b *bench) bool {
		body := equalChunks(2)
		c := b.writeChunks(body)
		b.member(map[item.Hash][]byte{c.Chunks[0].Name: append([]byte{methodRaw}, make([]byte, 1000)...)})
		return b.reads(c, slices.Concat(make([]byte, 1000), body[1000:]))
	}},
	{"6 a list with a piece dropped", checkSize | checkWhole, func(t *testing.T, b *bench) bool {
		body := random(1, 20<<20)
		c := b.write(body)[0]
		first, err := b.reader().Chunks(t.Context(), &item.Content{Size: sumFirst(t, b, c), Chunks: c.Chunks[:1], List: true})
		if err != nil {
			t.Fatal(err)
		}
		c.Chunks = c.Chunks[:1]
		return b.reads(c, body[:sum(first)])
	}},
}

// sumFirst is how many bytes of the content the first piece of its list covers.
func sumFirst(t *testing.T, b *bench, c *item.Content) (n int64) {
	piece, err := b.reader().chunk(t.Context(), c.Chunks[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	for ; len(piece) > 0; piece = piece[recordSize:] {
		n += int64(binary.BigEndian.Uint32(piece[32:]))
	}
	return n
}

// Row 8: sizes and places that are lies.
var lying = []attack{
	{"8 a chunk's size", checkSize, func(t *testing.T, b *bench) bool {
		body := equalChunks(1)
		c := b.writeChunks(body)
		c.Chunks[0].Size, c.Size = 1001, 1001
		return b.reads(c, body)
	}},
	{"8 a content's size", checkSize, func(t *testing.T, b *bench) bool {
		body := equalChunks(2)
		c := b.writeChunks(body)
		c.Size = 2001
		return b.reads(c, body)
	}},
	{"8 sizes within a list", checkSize, func(t *testing.T, b *bench) bool {
		body := equalChunks(20)
		c := b.writeChunks(body)
		piece := pieces(c.Chunks)[0]
		binary.BigEndian.PutUint32(piece[32:], 1002) // one more, and one less of the next but one
		binary.BigEndian.PutUint32(piece[2*recordSize+32:], 998)
		name := b.namer.Name(piece)
		b.member(map[item.Hash][]byte{name: append([]byte{methodRaw}, piece...)})
		c.Chunks, c.List = []item.Chunk{{Name: name, Size: uint32(len(piece))}}, true
		return b.reads(c, body)
	}},
	{"8 a place that is no chunk's", checkPlace, func(t *testing.T, b *bench) bool {
		c := b.writeChunks(equalChunks(1))
		p := b.places[c.Chunks[0].Name]
		p.Size, p.PackSize = 1<<31, 1<<32-1
		b.places[c.Chunks[0].Name] = p
		r := b.reader()
		asked := int64(0)
		r.o.Get = func(_ context.Context, _ item.Hash, _, size int64) ([]byte, error) {
			asked = size
			return nil, errors.New("not given")
		}
		r.Bytes(t.Context(), c, 1<<20)
		return asked > MaxPack
	}},
	{"8 a pack that is cut", checkPlace, func(t *testing.T, b *bench) bool {
		c := b.writeChunks(equalChunks(1))
		p := b.places[c.Chunks[0].Name]
		b.packs[p.Pack] = b.packs[p.Pack][:p.Offset+p.Size-1]
		_, err := b.read(c)
		if !errors.Is(err, ErrChanged) {
			t.Errorf("refused with %v", err)
		}
		// Short bytes never open either; the check is that they are not even tried.
		return !bytes.Contains([]byte(err.Error()), []byte("of a chunk of"))
	}},
}

// Row 19: what the store's owner may learn.
var learning = []attack{
	{"19 confirm a file by its chunk's name", checkKeyed, func(t *testing.T, b *bench) bool {
		known := []byte("a file that everybody has")
		return b.write(known)[0].Chunks[0].Name == sha256.Sum256(known)
	}},
	{"19 confirm a file by its name in another vault", checkKeyed, func(t *testing.T, b *bench) bool {
		known := []byte("a file that everybody has")
		return newNamer(seal.Key{66}, b.checks).Name(known) == b.write(known)[0].Hash
	}},
	{"19 foretell where an injected file is cut", checkGear, func(t *testing.T, b *bench) bool {
		injected := random(1, 4<<20)
		cut := func(n *Namer) (sizes []int) {
			for c := n.Cutter(bytes.NewReader(injected)); ; {
				plain, err := c.Next()
				if err != nil {
					return sizes
				}
				sizes = append(sizes, len(plain))
			}
		}
		return slices.Equal(cut(newNamer(seal.Key{66}, b.checks)), cut(b.namer))
	}},
	{"19 tell two files by their packs' sizes", checkPad, func(t *testing.T, b *bench) bool {
		size := func(n int) int {
			o := attacked(t, b.checks)
			o.write(random(1, n))
			for _, p := range o.packs {
				return len(p)
			}
			return 0
		}
		return size(98_500) != size(98_600)
	}},
	{"19 follow an injected file from pack to pack", checkSpread, func(t *testing.T, b *bench) bool {
		o := b.options()
		o.Target = 1 << 20
		w := NewWriter(o)
		w.checks = b.checks
		b.writeBy(w, random(1, 15*normal)) // fills an eighth: from here on it is spread
		injected := b.writeBy(w, random(2, 14*normal))[0]
		for i, c := range injected.Chunks[1:] {
			last, p := b.places[injected.Chunks[i].Name], b.places[c.Name]
			if last.Pack == p.Pack && last.Offset+last.Size != p.Offset {
				return false
			}
		}
		packs := map[item.Hash]bool{}
		for _, c := range injected.Chunks {
			packs[b.places[c.Name].Pack] = true
		}
		return len(packs) < 3
	}},
}

// What a pack shows besides its size: nothing that repeats, names, or marks where a
// chunk starts (C3).
func TestPackShowsNothing(t *testing.T) {
	b := newBench(t)
	known := bytes.Repeat([]byte("known text "), 5000)
	c := b.write(known, random(1, 300_000), text(1, 50_000))[0]
	for _, p := range b.packs {
		for what, bad := range map[string][]byte{
			"the epoch": b.epoch[:], "a sealed object's start": clearPart(b.epoch)[:5], "a chunk's name": c.Chunks[0].Name[:], "plain text": known[:11], "a zstd frame": {0x28, 0xb5, 0x2f, 0xfd},
		} {
			if bytes.Contains(p[len(packMagic):], bad) {
				t.Errorf("a pack shows %s", what)
			}
		}
		if seal.Padme(len(p)) != len(p) {
			t.Errorf("a pack of %d bytes is not padded", len(p))
		}
	}
}

// Row 21: bombs.
var bombs = []attack{
	{"21 a chunk that inflates to 64 MB", checkBomb, func(t *testing.T, b *bench) bool {
		enc, _ := zstd.NewWriter(nil)
		return b.bomb(enc.EncodeAll(make([]byte, 64<<20), []byte{methodZstd}), 1000, 16<<20)
	}},
	{"21 a frame that says it is 256 MB long", checkBomb, func(t *testing.T, b *bench) bool {
		frame := []byte{methodZstd, 0x28, 0xb5, 0x2f, 0xfd, 0xa0}           // single segment, 4 bytes of length
		frame = binary.LittleEndian.AppendUint32(frame, 256<<20)            // which is this
		frame = append(frame, 1|2<<1|100<<3&0xff, 100<<3>>8, 100<<3>>16, 0) // one raw block
		return b.bomb(frame, Max, 16<<20)
	}},
	{"21 a chunk of 4 GiB", checkSize | checkBomb, func(t *testing.T, b *bench) bool {
		enc, _ := zstd.NewWriter(nil)
		return b.bomb(enc.EncodeAll(make([]byte, 32<<20), []byte{methodZstd}), 1<<32-1, 16<<20)
	}},
	{"21 a content of 2^60 bytes", checkSize, func(t *testing.T, b *bench) bool {
		c := b.writeChunks(equalChunks(1))
		c.Size = 1 << 60
		_, err := b.reader().Chunks(t.Context(), c)
		return err == nil
	}},
	{"21 a list that names one piece a million times", checkSize, func(t *testing.T, b *bench) bool {
		body := equalChunks(20)
		c := b.writeChunks(body)
		piece := pieces(c.Chunks)[0]
		name := b.namer.Name(piece)
		b.member(map[item.Hash][]byte{name: append([]byte{methodRaw}, piece...)})
		c.List, c.Chunks = true, slices.Repeat([]item.Chunk{{Name: name, Size: uint32(len(piece))}}, 500)
		b.reader().Chunks(t.Context(), c)
		return b.gets > 10
	}},
}

// The caller's limit has no check to take out: it is the call's own.
func TestLimit(t *testing.T) {
	b := newBench(t)
	c := b.write(random(1, 1000))[0]
	if got, err := b.reader().Bytes(t.Context(), c, 999); got != nil || !errors.Is(err, ErrTooLarge) {
		t.Errorf("Bytes = %d, %v", len(got), err)
	}
}

// bomb puts body into a chunk of that size, and says whether reading it took more
// memory than allowed.
func (b *bench) bomb(body []byte, size uint32, allowed uint64) bool {
	b.member(map[item.Hash][]byte{{1}: body})
	r := b.reader()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := r.chunk(b.t.Context(), item.Chunk{Name: item.Hash{1}, Size: size}, nil)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrChanged) {
		b.t.Errorf("a bomb = %v", err)
	}
	return after.TotalAlloc-before.TotalAlloc > allowed
}

// What the store cuts or changes in a pack never comes through, wherever it is.
func TestEveryByteCounts(t *testing.T) {
	b := newBench(t)
	body := random(1, 2000)
	c := b.write(body)[0]
	p := b.places[c.Chunks[0].Name]
	whole := b.packs[p.Pack]
	for at := p.Offset; at < p.Offset+p.Size; at += 7 {
		b.packs[p.Pack] = slices.Clone(whole)
		b.packs[p.Pack][at] ^= 0x10
		if _, err := b.read(c); !errors.Is(err, ErrChanged) {
			t.Fatalf("byte %d changed: %v", at, err)
		}
	}
	for _, n := range []int{0, 3, 4, int(p.Offset), int(p.Offset+p.Size) - 1} {
		b.packs[p.Pack] = whole[:n]
		if _, err := b.read(c); !errors.Is(err, ErrChanged) {
			t.Fatalf("cut to %d: %v", n, err)
		}
	}
	b.packs[p.Pack] = whole
	if got, err := b.read(c); err != nil || !bytes.Equal(got, body) {
		t.Fatal(err)
	}
	var e *Error
	delete(b.places, c.Chunks[0].Name)
	if _, err := b.read(c); !errors.Is(err, ErrIncomplete) || !errors.As(err, &e) || e.Chunk != c.Chunks[0].Name {
		t.Errorf("of no known pack: %v", err)
	}
	b.places[c.Chunks[0].Name] = Place{p.Pack, p.PackSize, p.Offset, p.Size, item.Hash{1}}
	if _, err := b.read(c); !errors.Is(err, ErrNoKey) || fmt.Sprint(err) == "" {
		t.Errorf("of an epoch without a key: %v", err)
	}
}
