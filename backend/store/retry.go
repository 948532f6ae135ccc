package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"plait/backend/store/driver"
)

// A Throttle is an error of a store that asks to be asked less. RetryAfter is how long
// it wants to be left alone; 0 if it did not say (HTTP 429 or 503 without Retry-After).
type Throttle interface {
	error
	RetryAfter() time.Duration
}

// throttled says whether the store asked to be asked less, and for how long.
func throttled(err error) (time.Duration, bool) {
	var t Throttle
	if errors.As(err, &t) {
		return max(t.RetryAfter(), 0), true
	}
	return 0, false
}

// RetryOptions bound how long Retry keeps trying. The zero value works.
type RetryOptions struct {
	Tries   int           // attempts of one call; 0: 5
	Base    time.Duration // the longest first wait, doubled each time; 0: 200 ms
	Longest time.Duration // wait at once, Retry-After too: what asks for more is given up; 0: 30 s

	Sleep func(ctx context.Context, d time.Duration) error // 0: until d passed or ctx ended
	Rand  func() float64                                   // in [0, 1); nil: math/rand
}

// Retry is a Bucket that tries again what failed with code Transient, after a wait
// between nothing and a bound that doubles (full jitter: Brooker, "Exponential Backoff
// And Jitter", AWS 2015), and never before a Throttle's time. All calls may be repeated: a
// Put whose reply was lost finds its own bytes. It gives up by returning the last error;
// longer waits are the engine's to plan.
func Retry(b driver.Bucket, o RetryOptions) driver.Bucket {
	if o.Tries <= 0 {
		o.Tries = 5
	}
	if o.Base <= 0 {
		o.Base = 200 * time.Millisecond
	}
	if o.Longest <= 0 {
		o.Longest = 30 * time.Second
	}
	if o.Sleep == nil {
		o.Sleep = Sleep
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return &retrying{b, o}
}

// Sleep waits until d passed, or returns ctx's error as soon as that ends.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type retrying struct {
	driver.Bucket
	o RetryOptions
}

func (r *retrying) try(ctx context.Context, call func() error) error {
	bound := r.o.Base
	for n := 1; ; n++ {
		err := call()
		if err == nil || n >= r.o.Tries || r.Code(err) != driver.Transient {
			return err
		}
		wait := time.Duration(r.o.Rand() * float64(min(bound, r.o.Longest)))
		if after, ok := throttled(err); ok {
			wait += after
		}
		if wait > r.o.Longest {
			return err
		}
		if slept := r.o.Sleep(ctx, wait); slept != nil {
			return errors.Join(driver.Cancelled, slept, err)
		}
		bound *= 2
	}
}

func (r *retrying) Get(ctx context.Context, name string, g driver.Range) (body []byte, err error) {
	err = r.try(ctx, func() error { body, err = r.Bucket.Get(ctx, name, g); return err })
	return body, err
}

func (r *retrying) Put(ctx context.Context, name string, body []byte) error {
	return r.try(ctx, func() error { return r.Bucket.Put(ctx, name, body) })
}

func (r *retrying) PutFile(ctx context.Context, name, path string) error {
	return r.try(ctx, func() error { return putFile(ctx, r.Bucket, name, path) })
}

func (r *retrying) List(ctx context.Context, prefix string) (infos []driver.Info, err error) {
	err = r.try(ctx, func() error { infos, err = r.Bucket.List(ctx, prefix); return err })
	return infos, err
}

func (r *retrying) Delete(ctx context.Context, name string) error {
	return r.try(ctx, func() error { return r.Bucket.Delete(ctx, name) })
}

func (r *retrying) Watch(ctx context.Context, prefix string) (c <-chan struct{}, err error) {
	err = r.try(ctx, func() error { c, err = watch(ctx, r.Bucket, prefix); return err })
	return c, err
}
