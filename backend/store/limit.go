package store

import (
	"context"
	"math"
	"sync"
	"time"

	"plait/backend/store/driver"
)

// LimitOptions say how much a store may be asked. The zero value limits nothing until
// the store asks for it.
type LimitOptions struct {
	Requests float64 // a second; 0: as many as the store takes
	Bytes    float64 // a second, both directions; 0: as many as there are

	Clock func() time.Time                                 // nil: time.Now
	Sleep func(ctx context.Context, d time.Duration) error // nil: Sleep
}

const (
	leastRate = 0.2 // requests a second that throttling never goes below
	// A second without a complaint raises a lowered rate by this much of where it was
	// lowered; at ten times that the store is taken to have recovered.
	raise     = 0.05
	recovered = 10
)

// Limit is a Bucket that keeps below rates of requests and bytes: two token buckets,
// each of a second's worth, and one request that may be larger than that. When the store throttles
// (Throttle), the rate of requests is halved, at most once a second, and then rises
// steadily (additive increase, multiplicative decrease); nothing is asked before its
// Retry-After is over.
func Limit(b driver.Bucket, o LimitOptions) driver.Bucket {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = Sleep
	}
	now := o.Clock()
	return &limited{
		Bucket: b, o: o,
		requests: newTokens(o.Requests, now), bytes: newTokens(o.Bytes, now),
		window: now, halved: now.Add(-time.Hour), raised: now,
	}
}

type limited struct {
	driver.Bucket
	o LimitOptions

	mu       sync.Mutex // guards what follows
	requests tokens
	bytes    tokens
	until    time.Time // nothing is asked before
	halved   time.Time // when the rate was last lowered
	raised   time.Time // when it was last raised
	lowered  float64   // the rate it was lowered to; 0: it is as the options say
	window   time.Time // start of the second that asked counts
	asked    float64   // requests in it
	before   float64   // requests in the second before
}

// tokens is a token bucket; it may go into debt, and whoever takes it there waits.
type tokens struct {
	rate float64 // a second; 0: without limit
	have float64
	at   time.Time
}

func newTokens(rate float64, now time.Time) tokens { return tokens{rate, max(rate, 1), now} }

// take returns how long to wait before using n.
func (t *tokens) take(n float64, now time.Time) time.Duration {
	if t.rate <= 0 {
		t.at = now
		return 0
	}
	t.have = min(t.have+now.Sub(t.at).Seconds()*t.rate, max(t.rate, 1))
	t.at = now
	t.have -= n
	return time.Duration(max(-t.have/t.rate, 0) * float64(time.Second))
}

// wait waits for one request's turn, and for that of bytes known beforehand.
func (l *limited) wait(ctx context.Context, bytes int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	now := l.o.Clock()
	l.recover(now)
	if now.Sub(l.window) >= time.Second {
		l.window, l.before, l.asked = now, l.asked, 0
	}
	l.asked++
	d := max(l.requests.take(1, now), l.bytes.take(float64(bytes), now), l.until.Sub(now))
	l.mu.Unlock()
	if d <= 0 {
		return nil
	}
	return l.o.Sleep(ctx, d)
}

// recover raises a lowered rate by the seconds that passed without a complaint.
func (l *limited) recover(now time.Time) {
	if l.lowered == 0 {
		return
	}
	l.requests.rate += now.Sub(l.raised).Seconds() * l.lowered * raise
	l.raised = now
	if top := l.o.Requests; top > 0 && l.requests.rate >= top || l.requests.rate >= l.lowered*recovered {
		l.requests.rate, l.lowered = top, 0
	}
}

// done looks at how a request went, and counts the bytes that came down.
func (l *limited) done(err error, down int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.o.Clock()
	l.bytes.take(float64(down), now)
	after, slow := throttled(err)
	if !slow {
		return
	}
	if t := now.Add(after); t.After(l.until) {
		l.until = t
	}
	if now.Sub(l.halved) < time.Second {
		return // the answers to what was asked before the last halving
	}
	rate := l.requests.rate
	if rate <= 0 {
		rate = math.Max(l.asked, l.before) // as measured: there was no limit
	}
	l.halved, l.raised = now, now
	l.lowered = max(rate/2, leastRate)
	l.requests = tokens{l.lowered, 0, now}
}

func (l *limited) Get(ctx context.Context, name string, r driver.Range) ([]byte, error) {
	if err := l.wait(ctx, 0); err != nil {
		return nil, err
	}
	body, err := l.Bucket.Get(ctx, name, r)
	l.done(err, len(body))
	return body, err
}

func (l *limited) Put(ctx context.Context, name string, body []byte) error {
	return l.up(ctx, int64(len(body)), func() error { return l.Bucket.Put(ctx, name, body) })
}

func (l *limited) PutFile(ctx context.Context, name, path string) error {
	size, err := fileSize(path)
	if err != nil {
		return err
	}
	return l.up(ctx, size, func() error { return putFile(ctx, l.Bucket, name, path) })
}

func (l *limited) List(ctx context.Context, prefix string) ([]driver.Info, error) {
	if err := l.wait(ctx, 0); err != nil {
		return nil, err
	}
	infos, err := l.Bucket.List(ctx, prefix)
	l.done(err, 0)
	return infos, err
}

func (l *limited) Delete(ctx context.Context, name string) error {
	return l.up(ctx, 0, func() error { return l.Bucket.Delete(ctx, name) })
}

func (l *limited) Watch(ctx context.Context, prefix string) (c <-chan struct{}, err error) {
	err = l.up(ctx, 0, func() error { c, err = watch(ctx, l.Bucket, prefix); return err })
	return c, err
}

func (l *limited) up(ctx context.Context, bytes int64, call func() error) error {
	if err := l.wait(ctx, bytes); err != nil {
		return err
	}
	err := call()
	l.done(err, 0)
	return err
}
