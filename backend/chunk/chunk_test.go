package chunk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/iotest"

	"plait/backend/item"
	"plait/backend/seal"
)

// A bench is a vault's chunks: a writer over a spool in memory, and readers over
// the packs that came of it, as the store would serve them.
type bench struct {
	t      testing.TB
	namer  *Namer
	key    seal.Key
	epoch  item.Hash
	spool  *MemSpool
	packs  map[item.Hash][]byte // what the store serves; an attacker changes these
	places map[item.Hash]Place
	seed   uint64
	gets   int
	got    int64
	checks check
}

var testKey = seal.Key{7, 7, 7}

func newBench(t testing.TB) *bench {
	return &bench{
		t: t, namer: NewNamer(testKey), key: seal.Key{1, 2, 3}, epoch: item.Hash{9}, spool: &MemSpool{},
		packs: map[item.Hash][]byte{}, places: map[item.Hash]Place{}, seed: 1, checks: allChecks,
	}
}

func (b *bench) options() Options {
	b.seed++
	return Options{
		Namer: b.namer, Vault: [32]byte{5}, Epoch: b.epoch, Key: b.key, Rand: newRand(b.seed), Spool: b.spool, Workers: 1,
		Known: func(n item.Hash) bool { _, ok := b.places[n]; return ok },
	}
}

func (b *bench) writer() *Writer {
	w := NewWriter(b.options())
	w.checks = b.checks
	return w
}

// write adds contents, and takes over the packs.
func (b *bench) write(contents ...[]byte) []*item.Content {
	b.t.Helper()
	return b.writeBy(b.writer(), contents...)
}

func (b *bench) writeBy(w *Writer, contents ...[]byte) (cs []*item.Content) {
	b.t.Helper()
	for _, body := range contents {
		c, err := w.Add(b.t.Context(), bytes.NewReader(body))
		if err != nil {
			b.t.Fatal(err)
		}
		cs = append(cs, c)
	}
	packs, err := w.Flush(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, p := range packs {
		b.take(p, b.spool.Pack(p.Name))
	}
	return cs
}

func (b *bench) take(p item.Pack, body []byte) {
	b.t.Helper()
	if err := CheckPack(p); err != nil {
		b.t.Fatal(err)
	}
	b.packs[p.Name] = body
	for _, c := range p.Chunks {
		b.places[c.Name] = Place{p.Name, p.Size, c.Offset, c.Size, c.Epoch}
	}
}

func (b *bench) reader() *Reader {
	return newReader(ReaderOptions{
		Namer: b.namer, Vault: [32]byte{5}, Workers: 1, Cache: 48 << 20,
		Key:  func(e item.Hash) (seal.Key, bool) { return b.key, e == b.epoch },
		Find: func(n item.Hash) (Place, bool) { p, ok := b.places[n]; return p, ok },
		Get: func(_ context.Context, pack item.Hash, offset, size int64) ([]byte, error) {
			body, ok := b.packs[pack]
			if !ok {
				return nil, errors.New("not found")
			}
			b.gets++
			body = body[min(offset, int64(len(body))):]
			body = slices.Clone(body[:min(size, int64(len(body)))])
			b.got += int64(len(body))
			return body, nil
		},
	}, b.checks)
}

func (b *bench) read(c *item.Content) ([]byte, error) {
	return b.reader().Bytes(b.t.Context(), c, 1<<40)
}

// total is what all packs weigh in the store.
func (b *bench) total() (n int64) {
	for _, p := range b.packs {
		n += int64(len(p))
	}
	return n
}

func newRand(seed uint64) io.Reader { return rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}) }

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	newRand(seed).Read(b)
	return b
}

// text is compressible, and never the same twice.
func text(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "const value%d = require(%d, \"editor.%x\");\n", r.IntN(1000), r.IntN(100000), r.IntN(1<<20))
	}
	return b.Bytes()[:n]
}

func TestRoundTrip(t *testing.T) {
	b := newBench(t)
	var contents [][]byte
	for _, n := range []int{0, 1, Min - 1, Min, Min + 1, normal, Max, Max + 1, 1 << 20, 3 << 20} {
		contents = append(contents, random(uint64(n), n), text(uint64(n), n), make([]byte, n))
	}
	cs := b.write(contents...)
	for i, c := range cs {
		got, err := b.read(c)
		if err != nil || !bytes.Equal(got, contents[i]) {
			t.Errorf("content of %d bytes: %d bytes came back, %v", len(contents[i]), len(got), err)
		}
		if err := CheckContent(c); err != nil {
			t.Errorf("content of %d bytes: %v", len(contents[i]), err)
		}
		if c.List != (c.Size > 0 && len(c.Chunks) > 0 && sum(c.Chunks) != c.Size) {
			t.Errorf("content of %d bytes: list %v, %d chunks", c.Size, c.List, len(c.Chunks))
		}
	}
	before := len(b.packs)
	b.write(contents...)
	if len(b.packs) != before {
		t.Error("content that is known was packed again")
	}
}

// scale is n times PLAIT_SCALE.
func scale(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("PLAIT_SCALE"), 64); err == nil {
		return max(1, int(f*float64(n)))
	}
	return n
}

func sum(chunks []item.Chunk) (n int64) {
	for _, c := range chunks {
		n += int64(c.Size)
	}
	return n
}

// Cuts must not depend on how a reader happens to hand bytes over.
func TestCutterReaders(t *testing.T) {
	n, body := NewNamer(testKey), random(3, 1<<20)
	cut := func(r io.Reader) (names []item.Hash) {
		for c := n.Cutter(r); ; {
			plain, err := c.Next()
			if err == io.EOF {
				return names
			}
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, n.Name(plain))
		}
	}
	want := cut(bytes.NewReader(body))
	for name, r := range map[string]io.Reader{
		"half": iotest.HalfReader(bytes.NewReader(body)),
		"late": iotest.DataErrReader(bytes.NewReader(body)),
		"byte": iotest.OneByteReader(bytes.NewReader(body)),
	} {
		if got := cut(r); !slices.Equal(got, want) {
			t.Errorf("%s: %d chunks, want %d", name, len(got), len(want))
		}
	}
	if _, err := n.Cutter(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(body)))).Next(); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a reader's error came out as %v", err)
	}
}

func TestSizes(t *testing.T) {
	n := NewNamer(testKey)
	var sizes []int
	total := 0
	c := n.Cutter(bytes.NewReader(random(1, 64<<20)))
	for {
		plain, err := c.Next()
		if err != nil {
			break
		}
		sizes, total = append(sizes, len(plain)), total+len(plain)
	}
	slices.Sort(sizes)
	// What a byte changed at random costs is a chunk chosen by its size.
	var at99, acc int
	for _, s := range sizes {
		if acc += s; acc >= total*99/100 {
			at99 = s
			break
		}
	}
	t.Logf("%d chunks, mean %d, median %d, 99%% of bytes lie in chunks to %d, largest %d",
		len(sizes), total/len(sizes), sizes[len(sizes)/2], at99, sizes[len(sizes)-1])
	if mean := total / len(sizes); mean < 50<<10 || mean > 70<<10 {
		t.Errorf("mean %d", mean)
	}
	if at99 > 112<<10 || sizes[0] > Max {
		t.Errorf("99%% of bytes lie in chunks to %d", at99)
	}
}

// One byte changed in, put into, or taken out of 100 MB costs under 128 KB (C1).
func TestCost(t *testing.T) {
	size := 100 << 20
	if testing.Short() {
		size = 20 << 20
	}
	b := newBench(t)
	body := random(42, size)
	b.write(body)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range scale(3) {
		at := r.IntN(len(body))
		var changed []byte
		switch i % 3 {
		case 0:
			changed = slices.Clone(body)
			changed[at] ^= 0x55
		case 1:
			changed = slices.Insert(slices.Clone(body), at, 'x')
		case 2:
			changed = slices.Delete(slices.Clone(body), at, at+1)
		}
		before, packs := b.total(), len(b.packs)
		c := b.write(changed)[0]
		cost, inEntry := b.total()-before, int64(len(c.Chunks)*40)
		t.Logf("case %d: %d bytes in %d packs, and %d in the entry", i%3, cost, len(b.packs)-packs, inEntry)
		if cost+inEntry > 128<<10 {
			t.Errorf("case %d at %d: %d bytes", i%3, at, cost+inEntry)
		}
		if i == 1 {
			if got, err := b.read(c); err != nil || !bytes.Equal(got, changed) {
				t.Errorf("case %d: %v", i, err)
			}
		}
	}
}

// One seed, one outcome (C6); several workers give the same content.
func TestDeterministic(t *testing.T) {
	body := slices.Concat(text(1, 3<<20), random(2, 2<<20))
	run := func(workers int) (packs []item.Pack, c *item.Content, spool *MemSpool) {
		b := newBench(t)
		o := b.options()
		o.Workers, o.Target, o.Known = workers, 256<<10, nil
		w := NewWriter(o)
		c, err := w.Add(t.Context(), bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if packs, err = w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		return packs, c, b.spool
	}
	p1, c1, _ := run(1)
	p2, _, _ := run(1)
	if fmt.Sprint(p1) != fmt.Sprint(p2) {
		t.Error("two runs of one seed gave different packs")
	}
	if len(p1) < 10 {
		t.Errorf("%d packs; the test wants several open at once", len(p1))
	}
	p3, c3, spool := run(3)
	if fmt.Sprint(c1) != fmt.Sprint(c3) {
		t.Error("workers changed the content's names")
	}
	b := newBench(t)
	for _, p := range p3 {
		b.take(p, spool.Pack(p.Name))
	}
	if got, err := b.read(c3); err != nil || !bytes.Equal(got, body) {
		t.Errorf("what three workers packed: %v", err)
	}
}

func TestSmallChangeIsOnePack(t *testing.T) {
	b := newBench(t)
	var small [][]byte
	for i := range 100 {
		small = append(small, text(uint64(i), 5000))
	}
	b.write(small...)
	if len(b.packs) != 1 {
		t.Errorf("half a megabyte went to %d packs", len(b.packs))
	}
}

func TestReaderFetchesWholePacks(t *testing.T) {
	b := newBench(t)
	var files [][]byte
	for i := range 300 {
		files = append(files, random(uint64(i), 30_000))
	}
	files = append(files, random(1000, 20<<20))
	o := b.options()
	o.Target = 4 << 20
	cs := b.writeBy(NewWriter(o), files...)
	read := func(r *Reader, expect bool) {
		b.gets, b.got = 0, 0
		if expect {
			if err := r.Expect(t.Context(), cs...); err != nil {
				t.Fatal(err)
			}
		}
		for i, c := range cs {
			got, err := r.Bytes(t.Context(), c, 1<<40)
			if err != nil || !bytes.Equal(got, files[i]) {
				t.Fatalf("file %d: %v", i, err)
			}
		}
	}
	r := b.reader()
	read(r, true)
	if b.gets > len(b.packs)+3 || // parts of one list, before anything is known
		len(r.packs) != 0 || r.cached != 0 {
		t.Errorf("%d requests for %d packs; %d packs, %d bytes left in memory", b.gets, len(b.packs), len(r.packs), r.cached)
	}
	r = b.reader()
	r.o.Cache = 9 << 20 // two packs
	read(r, true)
	if r.cached > r.o.Cache {
		t.Errorf("%d bytes cached, of at most %d", r.cached, r.o.Cache)
	}
	for _, workers := range []int{1, 4} {
		r := b.reader()
		r.o.Workers = workers
		if workers > 1 {
			get := r.o.Get
			mu := make(chan struct{}, 1)
			r.o.Get = func(ctx context.Context, pack item.Hash, offset, size int64) ([]byte, error) {
				mu <- struct{}{}
				defer func() { <-mu }()
				return get(ctx, pack, offset, size)
			}
		}
		read(r, false)
	}
}

func TestHave(t *testing.T) {
	b := newBench(t)
	old := random(1, 8<<20)
	b.write(old)
	body := slices.Insert(slices.Clone(old), 4<<20, 'x')
	c := b.write(body)[0]
	have, err := b.namer.Have(t.Context(), bytes.NewReader(old), int64(len(old)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := b.reader().Copy(t.Context(), &out, c, have); err != nil || !bytes.Equal(out.Bytes(), body) {
		t.Fatal(err)
	}
	if b.got > 128<<10 {
		t.Errorf("%d bytes were fetched for one that was put in", b.got)
	}
	// The old file changed under our hands: what it gives is not used.
	old[100] ^= 1
	out.Reset()
	if err := b.reader().Copy(t.Context(), &out, c, have); err != nil || !bytes.Equal(out.Bytes(), body) {
		t.Errorf("with a file that changed meanwhile: %v", err)
	}
}

func TestCancel(t *testing.T) {
	b := newBench(t)
	for _, workers := range []int{1, 2} {
		ctx, cancel := context.WithCancel(t.Context())
		o := b.options()
		o.Workers = workers
		w := NewWriter(o)
		n := 0
		_, err := w.Add(ctx, readFunc(func(p []byte) (int, error) {
			if n++; n == 3 {
				cancel()
			}
			return newRand(uint64(n)).Read(p)
		}))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%d workers: Add = %v", workers, err)
		}
		if _, err := w.Flush(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%d workers: Flush = %v", workers, err)
		}
		w = NewWriter(b.options())
		w.Abort()
	}
	c := b.write(random(1, 1<<20))[0]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.reader().Bytes(ctx, c, 1<<40); !errors.Is(err, context.Canceled) {
		t.Errorf("Bytes = %v", err)
	}
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
