package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"plait/backend/store/driver"
)

// Usage counts what was asked of a store. A request is up if it changes the store
// (put, delete), else down (get, list), and counts whether or not it succeeds.
// Bytes are those of objects, and of names and sizes in lists.
type Usage struct {
	RequestsUp, RequestsDown int64
	BytesUp, BytesDown       int64
}

// Sub is what was asked since an earlier reading.
func (u Usage) Sub(before Usage) Usage {
	return Usage{
		RequestsUp: u.RequestsUp - before.RequestsUp, RequestsDown: u.RequestsDown - before.RequestsDown,
		BytesUp: u.BytesUp - before.BytesUp, BytesDown: u.BytesDown - before.BytesDown,
	}
}

// A Meter adds up usage; any number of buckets may count on it. The zero Meter is ready.
type Meter struct{ requestsUp, requestsDown, bytesUp, bytesDown atomic.Int64 }

// Usage is the sum so far.
func (m *Meter) Usage() Usage {
	return Usage{m.requestsUp.Load(), m.requestsDown.Load(), m.bytesUp.Load(), m.bytesDown.Load()}
}

// Count is a Bucket that counts on m what it passes on to b.
func Count(b driver.Bucket, m *Meter) driver.Bucket { return &counted{b, m} }

type counted struct {
	driver.Bucket
	meter *Meter
}

func (c *counted) Get(ctx context.Context, name string, r driver.Range) ([]byte, error) {
	body, err := c.Bucket.Get(ctx, name, r)
	c.meter.requestsDown.Add(1)
	c.meter.bytesDown.Add(int64(len(body)))
	return body, err
}

func (c *counted) Put(ctx context.Context, name string, body []byte) error {
	c.meter.requestsUp.Add(1)
	c.meter.bytesUp.Add(int64(len(body)))
	return c.Bucket.Put(ctx, name, body)
}

func (c *counted) PutFile(ctx context.Context, name, path string) error {
	size, err := fileSize(path)
	if err != nil {
		return err
	}
	c.meter.requestsUp.Add(1)
	c.meter.bytesUp.Add(size)
	return putFile(ctx, c.Bucket, name, path)
}

func (c *counted) List(ctx context.Context, prefix string) ([]driver.Info, error) {
	infos, err := c.Bucket.List(ctx, prefix)
	c.meter.requestsDown.Add(1)
	for _, i := range infos {
		c.meter.bytesDown.Add(int64(len(i.Name)) + 8)
	}
	return infos, err
}

func (c *counted) Delete(ctx context.Context, name string) error {
	c.meter.requestsUp.Add(1)
	return c.Bucket.Delete(ctx, name)
}

func (c *counted) Watch(ctx context.Context, prefix string) (<-chan struct{}, error) {
	return watch(ctx, c.Bucket, prefix)
}

// putFile gives the file to a bucket that takes files, else its bytes. So every
// wrapper is a driver.FilePutter, over whatever bucket.
func putFile(ctx context.Context, b driver.Bucket, name, path string) error {
	if f, ok := b.(driver.FilePutter); ok {
		return f.PutFile(ctx, name, path)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read what is to be put: %w", err)
	}
	return b.Put(ctx, name, body)
}

func fileSize(path string) (int64, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("look at what is to be put: %w", err)
	}
	return fi.Size(), nil
}

// watch watches a bucket that can, else returns errors.ErrUnsupported.
func watch(ctx context.Context, b driver.Bucket, prefix string) (<-chan struct{}, error) {
	if w, ok := b.(driver.Watcher); ok {
		return w.Watch(ctx, prefix)
	}
	return nil, errors.ErrUnsupported
}
