package chunk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"

	"plait/backend/item"
	"plait/backend/seal"
)

// A Place is where a sealed chunk lies.
type Place struct {
	Pack     item.Hash
	PackSize uint32
	Offset   uint32
	Size     uint32
	Epoch    item.Hash
}

// ReaderOptions are what a Reader works with. Namer, Vault, Key, Find and Get must be set.
type ReaderOptions struct {
	Namer *Namer
	Vault [32]byte

	// Key is an epoch's key; false: it is not here.
	Key func(epoch item.Hash) (seal.Key, bool)

	// Find says where a chunk lies; false: in no pack known here.
	Find func(name item.Hash) (Place, bool)

	// Get returns size bytes of the pack from offset. Offset 0 and size PackSize
	// asks for the whole pack, which Get checks against its name if it can.
	Get func(ctx context.Context, pack item.Hash, offset, size int64) ([]byte, error)

	Cache   int64 // bytes of packs kept in memory; 0: 48 MiB
	Workers int   // that fetch and open one content's chunks; 0: one a core; 1: in Copy itself, deterministic
}

// A Reader brings content back. Its methods may be called concurrently; so are then its functions.
type Reader struct {
	o      ReaderOptions
	checks check
	inf    inflater
	mu     sync.Mutex // guards what follows
	packs  map[item.Hash]*stretch
	cached int64
	tick   int64
	held   int // Expect calls at work
}

// NewReader returns a Reader.
func NewReader(o ReaderOptions) *Reader {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Cache <= 0 {
		o.Cache = 48 << 20
	}
	return newReader(o, allChecks)
}

func newReader(o ReaderOptions, checks check) *Reader {
	return &Reader{o: o, checks: checks, inf: newInflater(o.Workers, checks), packs: map[item.Hash]*stretch{}}
}

// Copy writes the content to w. On an error w may have a part of it, of which each
// chunk was checked but not the whole: it must not be used. have, if not nil,
// gives chunks that need not be fetched.
// Errors: *Error with one of this package's codes or what Get returned; ctx's; w's.
func (r *Reader) Copy(ctx context.Context, w io.Writer, c *item.Content, have *Have) error {
	chunks, err := r.chunks(ctx, c, have)
	if err != nil {
		return err
	}
	a := newAppetite(r.o.Find)
	a.add(chunks, have)
	r.want(a)
	// All of a small file is one chunk, whose name is its hash: it was checked already.
	single := len(chunks) == 1 && chunks[0].Name == c.Hash && int64(chunks[0].Size) == c.Size && r.checks.has(checkName)
	sum := r.o.Namer.hash()
	err = r.each(ctx, chunks, have, func(plain []byte) error {
		if !single {
			sum.Write(plain)
		}
		_, err := w.Write(plain)
		return err
	})
	if err != nil {
		return err
	}
	if !single && r.checks.has(checkWhole) && !bytes.Equal(sum.Sum(nil), c.Hash[:]) {
		return &Error{Err: fmt.Errorf("a content of %d bytes hashes to another: %w", c.Size, ErrChanged)}
	}
	return nil
}

// Bytes returns the content, if it is at most limit bytes long, else ErrTooLarge.
func (r *Reader) Bytes(ctx context.Context, c *item.Content, limit int64) ([]byte, error) {
	if c.Size > limit {
		return nil, &Error{Err: fmt.Errorf("%d bytes, of at most %d: %w", c.Size, limit, ErrTooLarge)}
	}
	var b bytes.Buffer
	b.Grow(int(max(0, c.Size)))
	if err := r.Copy(ctx, &b, c, nil); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Chunks returns the chunks that the content's bytes are in, in order, reading its
// list if it has one. What the content as a whole keeps alive are these and c.Chunks.
func (r *Reader) Chunks(ctx context.Context, c *item.Content) ([]item.Chunk, error) {
	return r.chunks(ctx, c, nil)
}

func (r *Reader) chunks(ctx context.Context, c *item.Content, have *Have) ([]item.Chunk, error) {
	if r.checks.has(checkSize) {
		if err := CheckContent(c); err != nil {
			return nil, &Error{Err: err}
		}
	}
	if !c.List {
		return c.Chunks, nil
	}
	l := lister{c: c, checks: r.checks}
	if err := r.each(ctx, c.Chunks, have, l.add); err != nil {
		return nil, err
	}
	chunks, err := l.done()
	if err != nil {
		return nil, &Error{Err: err}
	}
	return chunks, nil
}

// each calls fn with the plain bytes of each chunk, in order.
func (r *Reader) each(ctx context.Context, chunks []item.Chunk, have *Have, fn func(plain []byte) error) error {
	if r.o.Workers == 1 || len(chunks) < 2 {
		for _, c := range chunks {
			plain, err := r.chunk(ctx, c, have)
			if err == nil {
				err = fn(plain)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return r.ahead(ctx, chunks, have, fn)
}

type opened struct {
	plain []byte
	err   error
}

// ahead is each with chunks opened by workers before their turn, a few at most.
func (r *Reader) ahead(ctx context.Context, chunks []item.Chunk, have *Have, fn func(plain []byte) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()

	turns := make([]chan opened, min(2*r.o.Workers, len(chunks))) // chunk i answers on turns[i%len]
	for i := range turns {
		turns[i] = make(chan opened, 1)
	}
	next := make(chan int, len(turns)) // closed below, by whoever sends
	defer close(next)
	for range r.o.Workers {
		working.Go(func() {
			for i := range next {
				plain, err := r.chunk(ctx, chunks[i], have)
				turns[i%len(turns)] <- opened{plain, err}
			}
		})
	}
	for i := range turns {
		next <- i
	}
	for i := range chunks {
		o := <-turns[i%len(turns)]
		if o.err == nil {
			o.err = fn(o.plain)
		}
		if o.err != nil {
			return o.err
		}
		if j := i + len(turns); j < len(chunks) {
			next <- j
		}
	}
	return nil
}

// chunk returns one chunk's plain bytes, checked against its name.
func (r *Reader) chunk(ctx context.Context, c item.Chunk, have *Have) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if plain := have.chunk(r.o.Namer, c); plain != nil {
		return plain, nil
	}
	p, ok := r.o.Find(c.Name)
	if !ok {
		return nil, &Error{Chunk: c.Name, Err: ErrIncomplete}
	}
	plain, err := r.open(ctx, c, p)
	if err != nil {
		return nil, &Error{Chunk: c.Name, Pack: p.Pack, Err: err}
	}
	return plain, nil
}

// Verify says whether the bytes of a pack are the chunk that is to lie there.
func Verify(key seal.Key, vault item.Hash, c item.PackedChunk, bare []byte) error {
	_, err := seal.Open(key, chunkContext(allChecks, vault, c.Epoch, c.Name), append(clearPart(c.Epoch), bare...))
	return err
}

// buffers hold sealed chunks while they are opened.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func (r *Reader) open(ctx context.Context, c item.Chunk, p Place) ([]byte, error) {
	if r.checks.has(checkPlace) {
		if err := checkInside(p.Offset, p.Size, p.PackSize); err != nil {
			return nil, err
		}
	}
	key, ok := r.o.Key(p.Epoch)
	if !ok {
		return nil, fmt.Errorf("epoch %s: %w", p.Epoch, ErrNoKey)
	}
	bare, err := r.sealed(ctx, p)
	if err != nil {
		return nil, err
	}
	context := chunkContext(r.checks, r.o.Vault, p.Epoch, c.Name)
	sealed := buffers.Get().(*[]byte)
	*sealed = append(append((*sealed)[:0], clearPart(p.Epoch)...), bare...)
	body, err := seal.Open(key, context, *sealed)
	buffers.Put(sealed)
	if err != nil {
		return nil, fmt.Errorf("open (%v): %w", err, ErrChanged)
	}
	plain, err := r.inf.inflate(body, c.Size)
	if err != nil {
		return nil, err
	}
	if r.checks.has(checkName) && r.o.Namer.Name(plain) != c.Name {
		return nil, fmt.Errorf("%d bytes of another name: %w", len(plain), ErrChanged)
	}
	return plain, nil
}
