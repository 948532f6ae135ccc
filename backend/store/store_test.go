package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plait/backend/store"
	"plait/backend/store/driver"
	"plait/backend/store/memstore"
	"plait/backend/store/storetest"
)

// Every wrapper is a Bucket like any other.
func TestWrappers(t *testing.T) {
	for name, wrap := range map[string]func(driver.Bucket) driver.Bucket{
		"count": func(b driver.Bucket) driver.Bucket { return store.Count(b, new(store.Meter)) },
		"retry": func(b driver.Bucket) driver.Bucket { return store.Retry(b, store.RetryOptions{}) },
		"limit": func(b driver.Bucket) driver.Bucket {
			return store.Limit(b, store.LimitOptions{Requests: 1e6, Bytes: 1e12})
		},
		"faults": func(b driver.Bucket) driver.Bucket { return store.Faults(b, 1, store.FaultOptions{}) },
		"retry over faults": func(b driver.Bucket) driver.Bucket {
			bad := store.Faults(b, 1, store.FaultOptions{Before: .2, Lost: .2, Throt: .1})
			return store.Retry(bad, store.RetryOptions{Tries: 50, Sleep: noSleep})
		},
		"all": func(b driver.Bucket) driver.Bucket {
			b = store.Count(store.Faults(b, 2, store.FaultOptions{Lost: .1}), new(store.Meter))
			return store.Retry(store.Limit(b, store.LimitOptions{}), store.RetryOptions{Tries: 50, Sleep: noSleep})
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(*testing.T) driver.Bucket { return wrap(memstore.New()) })
		})
	}
}

func noSleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func named(prefix, body string) string { return store.HashName(prefix, store.Sum([]byte(body))) }

func head(body string) string {
	h := store.HeadName{Device: "0b6ad3e4-0000-4000-8000-0123456789ab", Inc: 7, N: 12, Hash: store.Sum([]byte(body))}
	return h.String()
}

func wantCode(t *testing.T, what string, err error, code driver.Code) {
	t.Helper()
	var e *store.Error
	if !errors.As(err, &e) || e.Code != code || !errors.Is(err, code) {
		t.Errorf("%s = %v; want a *store.Error of code %q", what, err, code)
	}
}

func TestStore(t *testing.T) {
	ctx, b := t.Context(), memstore.New()
	s := store.New(b, store.Options{})
	for _, name := range []string{store.VaultFile, named(store.Packs, "x"), named(store.Keys, "x"), head("x"), "join/0a1b.new"} {
		if err := s.Put(ctx, name, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ctx, name); err != nil || string(got) != "x" {
			t.Errorf("Get(%s) = %q, %v", name, got, err)
		}
	}
	b.Raw().Set("heads/foreign", []byte("x"))
	b.Raw().Set("packs/"+strings.Repeat("A", 64), []byte("x"))
	infos, err := s.List(ctx, "")
	if err != nil || len(infos) != 5 {
		t.Errorf("List = %v, %v", infos, err)
	}
	if infos, _ := s.List(ctx, store.Heads); len(infos) != 1 || infos[0].Name != head("x") {
		t.Errorf("List = %v", infos)
	}

	_, err = s.Get(ctx, named(store.Packs, "none"))
	wantCode(t, "Get of nothing", err, driver.NotFound)
	wantCode(t, "Put under another's name", s.Put(ctx, named(store.Packs, "y"), []byte("x")), driver.BadName)
	wantCode(t, "Put over another vault", s.Put(ctx, store.VaultFile, []byte("y")), driver.Exists)
	wantCode(t, "Put of too much", s.Put(ctx, "join/a.b", make([]byte, 1<<20)), store.TooLarge)
	_, err = s.GetRange(ctx, named(store.Packs, "x"), driver.Range{Offset: 0, Size: 1 << 40})
	wantCode(t, "a range past all limits", err, store.TooLarge)
	if got, err := s.GetRange(ctx, named(store.Packs, "x"), driver.Range{Size: 100}); string(got) != "x" {
		t.Errorf("GetRange = %q, %v", got, err)
	}
	b.Raw().Set(named(store.Packs, "z"), []byte("damaged"))
	wantCode(t, "Put over damage", s.Put(ctx, named(store.Packs, "z"), []byte("z")), store.Changed)
	if _, err := s.Watch(ctx, store.Heads); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Watch = %v", err)
	}
	cut, cancel := context.WithCancel(ctx)
	cancel()
	_, err = s.List(cut, store.Heads)
	wantCode(t, "List", err, driver.Cancelled)
}

func TestUsage(t *testing.T) {
	ctx, s := t.Context(), store.New(memstore.New(), store.Options{})
	name := named(store.Segments, "hello")
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := s.Usage()
	s.Put(ctx, name, []byte("hello"))
	s.PutFile(ctx, name, path)
	s.Get(ctx, name)
	s.List(ctx, store.Segments)
	s.Delete(ctx, name)
	want := store.Usage{RequestsUp: 3, RequestsDown: 2, BytesUp: 10, BytesDown: 5 + int64(len(name)) + 8}
	if got := s.Usage().Sub(before); got != want {
		t.Errorf("Usage = %+v, want %+v", got, want)
	}

	// With the meter below Retry, what was sent twice counts twice.
	m := new(store.Meter)
	bad := store.Faults(memstore.New(), 1, store.FaultOptions{Before: .5})
	s = store.New(store.Retry(store.Count(bad, m), store.RetryOptions{Tries: 100, Sleep: noSleep}), store.Options{Meter: m})
	for range 20 {
		s.List(ctx, store.Heads)
	}
	if n := s.Usage().RequestsDown; n <= 20 {
		t.Errorf("%d requests for 20 calls, half of which failed", n)
	}
}

func TestHeadName(t *testing.T) {
	name := head("x")
	h, ok := store.ParseHeadName(name)
	if !ok || h.String() != name || h.N != 12 || h.Inc != 7 {
		t.Errorf("ParseHeadName(%s) = %+v, %v", name, h, ok)
	}
	for _, bad := range []string{
		"", "heads/", name + "0", name[:len(name)-1], strings.Replace(name, ".12.", ".012.", 1), strings.Replace(name, ".12.", ".+12.", 1),
		strings.Replace(name, ".12.", ".0.", 1), strings.Replace(name, ".12.", ".18446744073709551616.", 1),
		strings.ToUpper(name), strings.Replace(name, "0b6a", "0B6A", 1), strings.Replace(name, "heads", "keys", 1), strings.Replace(name, "-", "", 1),
	} {
		if _, ok := store.ParseHeadName(bad); ok {
			t.Errorf("ParseHeadName(%q) is ok", bad)
		}
		if store.CheckName(bad) == nil {
			t.Errorf("CheckName(%q) is ok", bad)
		}
	}
}

func TestParseURL(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	here, _ := os.Getwd()
	for _, c := range []struct{ url, kind, path string }{
		{"/mnt/nas", "folder", "/mnt/nas"},
		{"folder:/mnt/nas", "folder", "/mnt/nas"},
		{"folder:///mnt/nas", "folder", "/mnt/nas"},
		{"folder:store", "folder", filepath.Join(here, "store")},
		{"./a:b", "folder", filepath.Join(here, "a:b")},
		{"store/", "folder", filepath.Join(here, "store")},
		{"~/Dropbox/plait", "folder", filepath.Join(home, "Dropbox/plait")},
		{"folder:~/Dropbox", "folder", filepath.Join(home, "Dropbox")},
		{"s3:bucket/prefix", "s3", "bucket/prefix"},
		{"https://example.org/x", "https", "//example.org/x"},
	} {
		kind, path, err := store.ParseURL(c.url)
		if kind != c.kind || path != c.path || err != nil {
			t.Errorf("ParseURL(%q) = %q, %q, %v; want %q, %q", c.url, kind, path, err, c.kind, c.path)
		}
	}
	for _, bad := range []string{"", "folder:", "a\x00b"} {
		if kind, path, err := store.ParseURL(bad); err == nil {
			t.Errorf("ParseURL(%q) = %q, %q", bad, kind, path)
		}
	}
}

type busy struct {
	driver.Bucket
	left  int
	after time.Duration
}

type tooMany time.Duration

func (t tooMany) Error() string             { return "429" }
func (t tooMany) RetryAfter() time.Duration { return time.Duration(t) }
func (t tooMany) Unwrap() error             { return driver.Transient }

func (b *busy) List(ctx context.Context, prefix string) ([]driver.Info, error) {
	if b.left--; b.left >= 0 {
		if b.after >= 0 {
			return nil, fmt.Errorf("list: %w", tooMany(b.after))
		}
		return nil, driver.Transient
	}
	return b.Bucket.List(ctx, prefix)
}

func TestRetry(t *testing.T) {
	run := func(left int, after time.Duration) (slept []time.Duration, err error) {
		b := store.Retry(&busy{memstore.New(), left, after}, store.RetryOptions{
			Tries: 4, Base: time.Second, Rand: func() float64 { return .5 },
			Sleep: func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil },
		})
		_, err = b.List(t.Context(), "heads/")
		return slept, err
	}
	const ms = time.Millisecond
	for _, c := range []struct {
		left  int
		after time.Duration
		want  []time.Duration
		fails bool
	}{
		{0, -1, nil, false},
		{3, -1, []time.Duration{500 * ms, 1000 * ms, 2000 * ms}, false},
		{4, -1, []time.Duration{500 * ms, 1000 * ms, 2000 * ms}, true},
		{1, 7 * time.Second, []time.Duration{7500 * ms}, false},
		{1, time.Hour, nil, true},
	} {
		slept, err := run(c.left, c.after)
		if !slices.Equal(slept, c.want) || (err != nil) != c.fails {
			t.Errorf("after %d failures, Retry-After %v: slept %v, %v; want %v", c.left, c.after, slept, err, c.want)
		}
		if c.fails && !errors.Is(err, driver.Transient) {
			t.Errorf("gave up with %v", err)
		}
	}
	// What trying again can't mend is not tried again.
	tries := 0
	b := store.Retry(memstore.New(), store.RetryOptions{Sleep: func(context.Context, time.Duration) error { tries++; return nil }})
	if _, err := b.Get(t.Context(), "heads/none", driver.All); !errors.Is(err, driver.NotFound) || tries != 0 {
		t.Errorf("%v after %d more tries", err, tries)
	}
}

// fakeClock moves when somebody sleeps.
type fakeClock struct{ now time.Time }

func (c *fakeClock) Now() time.Time { return c.now }
func (c *fakeClock) Sleep(_ context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return nil
}

func TestLimit(t *testing.T) {
	ctx, c := t.Context(), &fakeClock{time.Unix(1e9, 0)}
	b := store.Limit(memstore.New(), store.LimitOptions{Requests: 10, Bytes: 1 << 20, Clock: c.Now, Sleep: c.Sleep})
	start := c.now
	for range 110 {
		b.List(ctx, "heads/")
	}
	if d := c.now.Sub(start); d < 9*time.Second || d > 11*time.Second {
		t.Errorf("110 requests at 10 a second took %v", d)
	}
	start = c.now
	for i := range 8 {
		b.Put(ctx, fmt.Sprint("packs/", i), make([]byte, 1<<20))
		b.Get(ctx, fmt.Sprint("packs/", i), driver.All)
	}
	if d := c.now.Sub(start); d < 13*time.Second || d > 17*time.Second {
		t.Errorf("16 MiB at 1 MiB a second took %v", d)
	}
}

func TestLimitAdapts(t *testing.T) {
	ctx, c := t.Context(), &fakeClock{time.Unix(1e9, 0)}
	slow := &busy{Bucket: memstore.New()}
	b := store.Limit(slow, store.LimitOptions{Clock: c.Now, Sleep: c.Sleep})
	rate := func() float64 { // of requests, without a fault
		start := c.now
		for range 200 {
			b.List(ctx, "heads/")
			c.now = c.now.Add(10 * time.Millisecond) // what a request takes
		}
		return 200 / c.now.Sub(start).Seconds()
	}
	free := rate()
	rate()
	slow.left, slow.after = 1, time.Second
	start := c.now
	b.List(ctx, "heads/")
	b.List(ctx, "heads/")
	if d := c.now.Sub(start); d < time.Second {
		t.Errorf("asked again after %v, though told to wait a second", d)
	}
	halved := rate()
	if halved < free*.3 || halved > free*.75 {
		t.Errorf("%.0f requests a second, after throttling %.0f", free, halved)
	}
	slow.left, slow.after = 1, 0
	b.List(ctx, "heads/")
	c.now = c.now.Add(100 * time.Millisecond)
	if quarter := rate(); quarter > halved*.8 {
		t.Errorf("throttled again: %.0f requests a second, from %.0f", quarter, halved)
	}
	c.now = c.now.Add(10 * time.Minute)
	rate()
	if again := rate(); again < free*.9 {
		t.Errorf("recovered to %.0f requests a second of %.0f", again, free)
	}
}

// One seed goes wrong in one way; and healed, everything is there.
func TestFaults(t *testing.T) {
	run := func(seed uint64) (string, *store.Faulty) {
		ctx := t.Context()
		var log bytes.Buffer
		common := memstore.New()
		f := store.Faults(common, seed, store.FaultOptions{
			Before: .1, Lost: .1, Torn: .1, Stale: .2, Hide: .3, Half: .2, Flip: .05, Cut: .05, Throt: .05, Slow: .1, Sleep: noSleep,
		})
		for i := range 200 {
			common.Put(ctx, fmt.Sprintf("heads/other.%d", i), []byte("of somebody else"))
			fmt.Fprintln(&log, f.Put(ctx, fmt.Sprintf("heads/mine.%d", i), []byte("mine")))
			infos, err := f.List(ctx, "heads/")
			fmt.Fprintln(&log, infos, err)
			body, err := f.Get(ctx, fmt.Sprintf("heads/other.%d", i/2), driver.All)
			fmt.Fprintf(&log, "%q %v\n", body, err)
		}
		return log.String(), f
	}
	a, f := run(1)
	again, _ := run(1)
	other, _ := run(2)
	if a != again || a == other {
		t.Error("faults don't follow from the seed")
	}
	for _, what := range []string{"nothing sent", "reply lost", "put torn", "throttled", "not there yet", `"of somebo"`, `"of somebody else" <nil>`} {
		if what != `"of somebo"` && !strings.Contains(a, what) {
			t.Errorf("never happened: %s", what)
		}
	}
	f.Set(store.FaultOptions{})
	infos, err := f.List(t.Context(), "heads/other.")
	if err != nil || len(infos) != 200 {
		t.Errorf("healed, %d of 200 show, %v", len(infos), err)
	}
	for _, i := range infos {
		if body, err := f.Get(t.Context(), i.Name, driver.All); string(body) != "of somebody else" {
			t.Fatalf("healed, %s is %q, %v", i.Name, body, err)
		}
	}
	f.Set(store.FaultOptions{Down: driver.Missing})
	if _, err := f.List(t.Context(), ""); f.Code(err) != driver.Missing {
		t.Errorf("down: %v", err)
	}
	f.Set(store.FaultOptions{NoPut: driver.Full})
	if err := f.Put(t.Context(), "packs/x", nil); f.Code(err) != driver.Full {
		t.Errorf("full: %v", err)
	}
}
