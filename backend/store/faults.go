package store

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"plait/backend/store/driver"
)

// FaultOptions are what may go wrong, each a probability of one call, in [0, 1]. The
// zero value does nothing wrong.
type FaultOptions struct {
	Before float64 // the call fails, nothing happened
	Lost   float64 // the call took effect, its reply was lost
	Torn   float64 // a Put fails and leaves a part, as stores do that write in place; until it is put again
	Stale  float64 // a List answers as an earlier one did
	Hide   float64 // an object of somebody else that shows for the first time does so only some calls later
	Half   float64 // like Hide, but until then it shows cut, as where a tool carries a folder
	Flip   float64 // a Get returns one bit changed
	Cut    float64 // a Get returns less than there is
	Throt  float64 // the call fails with a Throttle
	Slow   float64 // the call first waits for up to a minute, by Sleep

	Delay int         // Hide and Half last for up to so many calls; 0: 20
	Down  driver.Code // if set, every call fails with it: Transient, Missing, Denied
	NoPut driver.Code // if set, every Put does: Full, ReadOnly

	Sleep func(ctx context.Context, d time.Duration) error // for Slow; nil: it takes no time

	// Did, if set, is told of every fault: which (the field's name in lower case; of Down
	// and NoPut with the code; "part": what a torn Put left was read), and the object's
	// name or the list's prefix. It must not call the Bucket.
	Did func(fault, name string)
}

// A Faulty is a Bucket that goes wrong as its options say, by its seed alone: the
// same calls fail in the same way. Each device has its own over one common store, so
// each has its own view of it, and sees its own writes soonest.
type Faulty struct {
	driver.Bucket

	mu     sync.Mutex // guards what follows; held while calling on: one call after another
	o      FaultOptions
	r      *rand.Rand
	calls  int
	torn   map[string][]byte        // what torn Puts left
	shows  map[string]int           // the call at which an object shows, whole; below 0: cut until then
	own    map[string]bool          // names that were put through here
	listed map[string][]driver.Info // the last list of each prefix that was not stale
}

// Faults returns a Bucket over b that goes wrong by the seed.
func Faults(b driver.Bucket, seed uint64, o FaultOptions) *Faulty {
	return &Faulty{
		Bucket: b, o: o, r: rand.New(rand.NewPCG(seed, 0xfa17)), torn: map[string][]byte{},
		shows: map[string]int{}, own: map[string]bool{}, listed: map[string][]driver.Info{},
	}
}

// Set changes what may go wrong. The zero value heals: what was hidden or cut shows,
// save what a torn Put left, which stays until it is put again or deleted.
func (f *Faulty) Set(o FaultOptions) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.o = o; o.Hide == 0 && o.Half == 0 {
		clear(f.shows)
	}
}

type throttle time.Duration

func (t throttle) Error() string             { return "fault: throttled" }
func (t throttle) RetryAfter() time.Duration { return time.Duration(t) }
func (t throttle) Unwrap() error             { return driver.Transient }

func fault(what string, code driver.Code) error { return fmt.Errorf("fault: %s: %w", what, code) }

func (f *Faulty) odds(p float64) bool { return p > 0 && f.r.Float64() < p }

// did tells of a fault.
func (f *Faulty) did(fault, name string) {
	if f.o.Did != nil {
		f.o.Did(fault, name)
	}
}

// begin decides what happens before a call about a name or a prefix.
func (f *Faulty) begin(ctx context.Context, name string) error {
	f.calls++
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case f.o.Down != "":
		f.did("down: "+string(f.o.Down), name)
		return fault("the store", f.o.Down)
	case f.odds(f.o.Before):
		f.did("before", name)
		return fault("nothing sent", driver.Transient)
	case f.odds(f.o.Throt):
		f.did("throt", name)
		return throttle(time.Duration(f.r.IntN(5)) * time.Second)
	case f.odds(f.o.Slow) && f.o.Sleep != nil:
		f.did("slow", name)
		return f.o.Sleep(ctx, time.Duration(f.r.Int64N(int64(time.Minute))))
	}
	return nil
}

// end decides what becomes of the reply.
func (f *Faulty) end(name string, err error) error {
	if err == nil && f.odds(f.o.Lost) {
		f.did("lost", name)
		return fault("reply lost", driver.Transient)
	}
	return err
}

// Put implements driver.Bucket.
func (f *Faulty) Put(ctx context.Context, name string, body []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin(ctx, name); err != nil {
		return err
	}
	if f.o.NoPut != "" {
		f.did("noput: "+string(f.o.NoPut), name)
		return fault("put", f.o.NoPut)
	}
	if err := driver.CheckName(name); err == nil && f.odds(f.o.Torn) {
		if _, err := f.Bucket.Get(ctx, name, driver.Range{Size: 1}); f.Code(err) == driver.NotFound {
			f.torn[name] = bytes.Clone(body[:f.r.IntN(len(body)+1)])
		}
		f.did("torn", name)
		return fault("put torn", driver.Transient)
	}
	err := f.Bucket.Put(ctx, name, body)
	if err == nil {
		delete(f.torn, name)
		f.own[name] = true
	}
	return f.end(name, err)
}

// PutFile implements driver.FilePutter.
func (f *Faulty) PutFile(ctx context.Context, name, path string) error {
	return putFile(ctx, plain{f}, name, path)
}

// plain hides that a bucket takes files, so that it gets bytes.
type plain struct{ driver.Bucket }

// Get implements driver.Bucket.
func (f *Faulty) Get(ctx context.Context, name string, r driver.Range) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin(ctx, name); err != nil {
		return nil, err
	}
	body, err := f.get(ctx, name, r)
	if err = f.end(name, err); err != nil {
		return nil, err
	}
	if len(body) > 0 && f.odds(f.o.Flip) {
		body[f.r.IntN(len(body))] ^= 1 << f.r.IntN(8)
		f.did("flip", name)
	}
	if len(body) > 0 && f.odds(f.o.Cut) {
		body = body[:f.r.IntN(len(body))]
		f.did("cut", name)
	}
	return body, nil
}

func (f *Faulty) get(ctx context.Context, name string, r driver.Range) ([]byte, error) {
	part, torn := f.torn[name]
	if torn && r.Offset >= 0 && r.Size >= 0 {
		part = part[min(r.Offset, int64(len(part))):]
		if r.Size > 0 {
			part = part[:min(r.Size, int64(len(part)))]
		}
		f.did("part", name)
		return bytes.Clone(part), nil
	}
	body, err := f.Bucket.Get(ctx, name, r)
	if err != nil {
		return nil, err
	}
	switch f.see(name) {
	case hidden:
		f.did("hide", name)
		return nil, fault("not there yet", driver.NotFound)
	case half:
		body = body[:len(body)/2]
		f.did("half", name)
	}
	return body, nil
}

type sight int

const (
	whole sight = iota
	half
	hidden
)

// see says how much of an object shows, and decides so when it is first seen.
func (f *Faulty) see(name string) sight {
	at, known := f.shows[name]
	if !known && !f.own[name] {
		delay := f.o.Delay
		if delay <= 0 {
			delay = 20
		}
		switch {
		case f.odds(f.o.Hide):
			at = f.calls + f.r.IntN(delay)
		case f.odds(f.o.Half):
			at = -(f.calls + f.r.IntN(delay))
		}
		f.shows[name] = at
	}
	switch {
	case at > f.calls:
		return hidden
	case -at > f.calls:
		return half
	}
	return whole
}

// List implements driver.Bucket.
func (f *Faulty) List(ctx context.Context, prefix string) ([]driver.Info, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin(ctx, prefix); err != nil {
		return nil, err
	}
	if old, ok := f.listed[prefix]; ok && f.odds(f.o.Stale) {
		f.did("stale", prefix)
		return slices.Clone(old), f.end(prefix, nil)
	}
	infos, err := f.Bucket.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var seen []driver.Info
	for _, i := range infos {
		switch f.see(i.Name) {
		case hidden:
			f.did("hide", i.Name)
			continue
		case half:
			i.Size /= 2
		}
		seen = append(seen, i)
	}
	for name, part := range f.torn {
		if strings.HasPrefix(name, prefix) && !slices.ContainsFunc(seen, func(i driver.Info) bool { return i.Name == name }) {
			seen = append(seen, driver.Info{Name: name, Size: int64(len(part))})
		}
	}
	slices.SortFunc(seen, func(a, b driver.Info) int { return strings.Compare(a.Name, b.Name) })
	f.listed[prefix] = slices.Clone(seen)
	if err := f.end(prefix, nil); err != nil {
		return nil, err
	}
	return seen, nil
}

// Delete implements driver.Bucket.
func (f *Faulty) Delete(ctx context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin(ctx, name); err != nil {
		return err
	}
	err := f.Bucket.Delete(ctx, name)
	if err == nil {
		delete(f.torn, name)
	}
	return f.end(name, err)
}

// Watch implements driver.Watcher. Watching is a hint, and stays as it is.
func (f *Faulty) Watch(ctx context.Context, prefix string) (<-chan struct{}, error) {
	return watch(ctx, f.Bucket, prefix)
}
