package chunk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"sync"

	"plait/backend/item"
	"plait/backend/seal"
)

// Options are what a Writer works with. Namer, Key, Epoch, Vault, Rand and Spool must be set.
type Options struct {
	Namer *Namer
	Vault [32]byte
	Epoch item.Hash // under which chunks are sealed
	Key   seal.Key  // that epoch's
	Rand  io.Reader // for sealing, padding, and spreading chunks over packs
	Spool Spool

	// Known says whether the vault has a chunk already, in a pack that stays. It is
	// called from Add only. nil: none.
	Known func(name item.Hash) bool

	Target  int // when a pack is full, in bytes, 64 KiB to 16 MiB; 0: 8 MiB; smaller on a breaking line
	Open    int // packs that chunks are spread over, once there is more than a little; 0: 3
	Workers int // that compress and seal; 0: one a core; 1: everything in Add and Flush, deterministic
}

// A Writer turns content into packs. It is for one goroutine.
type Writer struct {
	o      Options
	checks check
	cutter *Cutter
	squeez squeezer
	buf    []byte // of the only worker
	added  map[item.Hash]bool

	jobs    chan job // to the workers; nil while none run
	working sync.WaitGroup
	keeping sync.WaitGroup
	plain   sync.Pool // of *[]byte, for chunks on their way to a worker

	mu    sync.Mutex // guards what follows, and Rand
	slots []*pack    // being written; nil: none yet in that place
	bytes int        // packed since the last Flush
	done  []item.Pack
	err   error // the first of a worker or of the spool; nothing goes on after it
}

type job struct {
	name  item.Hash
	plain *[]byte
}

// NewWriter returns a Writer. Nothing runs or is open until the first Add.
func NewWriter(o Options) *Writer {
	if o.Target == 0 {
		o.Target = maxTarget / 2
	}
	o.Target = min(max(o.Target, minTarget), maxTarget)
	if o.Open <= 0 {
		o.Open = 3
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return &Writer{
		o: o, checks: allChecks, squeez: newSqueezer(o.Workers), cutter: o.Namer.Cutter(nil),
		added: map[item.Hash]bool{}, slots: make([]*pack, o.Open),
		plain: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// Add cuts the content, and packs the chunks that are not known. What it returns may
// be named in an entry once Flush has returned. After an error of r or ctx the Writer
// can go on; chunks before it stay packed, and are found when the content is added again.
func (w *Writer) Add(ctx context.Context, r io.Reader) (*item.Content, error) {
	w.cutter.reset(r)
	var whole hash.Hash
	c := &item.Content{}
	for {
		if err := errors.Join(ctx.Err(), w.failed()); err != nil {
			return nil, err
		}
		plain, err := w.cutter.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read content: %w", err)
		}
		k := w.put(plain)
		if c.Chunks == nil && w.cutter.last() {
			// All of a small file, and most files are small: its name is the hash.
			c.Hash = k.Name
		} else {
			if whole == nil {
				whole = w.o.Namer.hash()
			}
			whole.Write(plain)
		}
		c.Size += int64(k.Size)
		c.Chunks = append(c.Chunks, k)
	}
	switch {
	case whole != nil:
		whole.Sum(c.Hash[:0])
	case c.Size == 0:
		c.Hash = w.o.Namer.Name(nil)
	}
	w.shorten(c)
	return c, nil
}

// shorten puts a long list of chunks into chunks of its own.
func (w *Writer) shorten(c *item.Content) {
	if len(c.Chunks) <= Inline {
		return
	}
	list := pieces(c.Chunks)
	c.Chunks, c.List = make([]item.Chunk, 0, len(list)), true
	for _, piece := range list {
		c.Chunks = append(c.Chunks, w.put(piece))
	}
}

// put names a chunk, and hands it to a worker unless it is there already.
func (w *Writer) put(plain []byte) item.Chunk {
	c := item.Chunk{Name: w.o.Namer.Name(plain), Size: uint32(len(plain))}
	if w.added[c.Name] || w.o.Known != nil && w.o.Known(c.Name) {
		return c
	}
	w.added[c.Name] = true
	if w.o.Workers == 1 {
		w.buf = w.pack(w.buf, c.Name, plain)
		return c
	}
	if w.jobs == nil {
		w.start()
	}
	buf := w.plain.Get().(*[]byte)
	*buf = append((*buf)[:0], plain...)
	w.jobs <- job{c.Name, buf}
	return c
}

func (w *Writer) start() {
	w.jobs = make(chan job, 2*w.o.Workers) // closed by stop
	for range w.o.Workers {
		w.working.Go(func() {
			var buf []byte
			for j := range w.jobs {
				buf = w.pack(buf, j.name, *j.plain)
				w.plain.Put(j.plain)
			}
		})
	}
}

// stop waits for the workers to finish all that they were given.
func (w *Writer) stop() {
	if w.jobs != nil {
		close(w.jobs)
		w.working.Wait()
		w.jobs = nil
	}
}

// pack compresses, seals and appends one chunk. It returns buf for the next.
func (w *Writer) pack(buf []byte, name item.Hash, plain []byte) []byte {
	if w.failed() != nil {
		return buf
	}
	buf = w.squeez.squeeze(buf[:0], plain)
	split := len(buf)
	buf = seal.Append(buf, lockedReader{w}, w.o.Key, w.context(name), buf[:split])
	w.place(name, buf[split+clear:])
	return buf
}

func (w *Writer) context(name item.Hash) seal.Context {
	return chunkContext(w.checks, w.o.Vault, w.o.Epoch, name)
}

func chunkContext(checks check, vault [32]byte, epoch, name item.Hash) seal.Context {
	c := seal.Context{Vault: vault, Epoch: epoch, Role: seal.Chunk, Bind: name[:]}
	if !checks.has(checkBind) {
		c.Bind = nil
	}
	return c
}

// place appends a sealed chunk to one of the open packs, and ends that when it is full.
func (w *Writer) place(name item.Hash, bare []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	slot, err := w.slot()
	if err == nil && w.slots[slot] == nil {
		w.slots[slot], err = newPack(w.o.Spool)
	}
	if err == nil {
		err = w.slots[slot].add(name, w.o.Epoch, bare)
	}
	if err != nil {
		w.err = err
		return
	}
	w.bytes += len(bare)
	if p := w.slots[slot]; int(p.info.Size) >= w.o.Target {
		w.slots[slot] = nil
		w.end(p)
	}
}

// slot chooses, at random, the pack that the next chunk goes to. While there is
// little it is one pack, so that a small change stays one object: what is to be hidden
// is the sequence of a large file's chunk sizes (eprint 2025/532, 2025/558; restic 0.18).
func (w *Writer) slot() (int, error) {
	if w.bytes < w.o.Target/8 || !w.checks.has(checkSpread) {
		return 0, nil
	}
	var b [8]byte
	if _, err := io.ReadFull(w.o.Rand, b[:]); err != nil {
		return 0, fmt.Errorf("choose a pack: %w", err)
	}
	return int(binary.LittleEndian.Uint64(b[:]) % uint64(len(w.slots))), nil
}

// end pads the pack, and has it kept beside the rest. The caller holds mu.
func (w *Writer) end(p *pack) {
	if w.checks.has(checkPad) {
		if err := p.pad(w.o.Rand); err != nil {
			w.err = errors.Join(w.err, err)
			p.file.Discard()
			return
		}
	}
	if w.o.Workers == 1 {
		info, err := p.keep()
		w.kept(info, err)
		return
	}
	w.keeping.Go(func() {
		info, err := p.keep()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.kept(info, err)
	})
}

func (w *Writer) kept(p item.Pack, err error) {
	if err != nil {
		w.err = errors.Join(w.err, err)
		return
	}
	w.done = append(w.done, p)
}

// Flush ends all packs, and returns those ended since the last Flush, now durable in
// the spool. The Writer can go on, and will not pack their chunks again. After an
// error nothing may be named that was added since the last Flush, and the Writer is done with.
func (w *Writer) Flush(ctx context.Context) ([]item.Pack, error) {
	w.stop()
	w.mu.Lock()
	for i, p := range w.slots {
		if w.slots[i] = nil; p == nil {
			continue
		}
		if w.err == nil && ctx.Err() == nil {
			w.end(p)
		} else {
			p.file.Discard()
		}
	}
	w.mu.Unlock()
	w.keeping.Wait()
	w.err = errors.Join(w.err, ctx.Err())
	done := w.done
	if w.done, w.bytes = nil, 0; w.err == nil && len(done) > 0 {
		w.err = w.o.Spool.Sync()
	}
	if w.err != nil {
		return nil, w.err
	}
	return done, nil
}

// Abort gives up what Flush has not returned; packs that were full stay in the spool,
// unnamed. The Writer is done with.
func (w *Writer) Abort() {
	w.mu.Lock()
	w.err = errors.Join(w.err, context.Canceled)
	w.mu.Unlock()
	w.Flush(context.Background())
}

func (w *Writer) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// A lockedReader lets workers share Rand, which need not allow that.
type lockedReader struct{ w *Writer }

func (l lockedReader) Read(p []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.o.Rand.Read(p)
}
