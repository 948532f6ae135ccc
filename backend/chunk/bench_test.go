package chunk

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	mrand "math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"plait/backend/item"
	"plait/backend/seal"
)

// profile is the data mix of the benchmark data set: an editor's folder with 200 JSON
// files, 5,000 files of 1 to 50 KB of which a fifth is random, and one of 100 MB of
// which 40 % is.
func profile() (files [][]byte, total int64) {
	r := mrand.New(mrand.NewPCG(42, 42))
	for i := range 5200 {
		n := min(max(1024, int(8000*expNorm(r))), 50<<10)
		if i%5 == 4 {
			files = append(files, random(uint64(i), n))
		} else {
			files = append(files, text(uint64(i), n))
		}
	}
	t := text(1, 1<<20)
	var big []byte
	for i := range 100 {
		if r.Float64() >= .6 {
			big = append(big, random(uint64(i), 1<<20)...)
			continue
		}
		k := r.IntN(len(t))
		block := slices.Concat(t[k:], t[:k])
		for range 4096 {
			block[r.IntN(len(block))] = byte(r.Uint32())
		}
		big = append(big, block...)
	}
	files = append(files, big)
	for _, f := range files {
		total += int64(len(f))
	}
	return files, total
}

// expNorm is log-normal around 1 with a sigma of 0.9.
func expNorm(r *mrand.Rand) float64 {
	x, e := r.NormFloat64()*.9, 1.0
	for i, term := 1.0, 1.0; i < 20; i++ {
		term *= x / i
		e += term
	}
	return e
}

func benchOptions(spool Spool, workers int) Options {
	return Options{Namer: NewNamer(testKey), Epoch: item.Hash{1}, Key: seal.Key{1}, Rand: rand.Reader, Spool: spool, Workers: workers}
}

// BenchmarkWrite is cut, name, compress, seal and pack of the profile, into files that
// are synced.
func BenchmarkWrite(b *testing.B) {
	files, total := profile()
	for _, workers := range []int{1, runtime.GOMAXPROCS(0)} {
		b.Run(map[bool]string{true: "one", false: "all"}[workers == 1], func(b *testing.B) {
			b.SetBytes(total)
			b.ReportAllocs()
			for b.Loop() {
				w := NewWriter(benchOptions(DirSpool(b.TempDir()), workers))
				for _, f := range files {
					if _, err := w.Add(b.Context(), bytes.NewReader(f)); err != nil {
						b.Fatal(err)
					}
				}
				packs, err := w.Flush(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(packs)), "packs")
			}
		})
	}
}

// BenchmarkChange is what one byte changed in 100 MB takes: cutting it all, packing little.
func BenchmarkChange(b *testing.B) {
	body := random(1, 100<<20)
	known := map[item.Hash]bool{}
	o := benchOptions(&MemSpool{}, 0)
	o.Known = func(n item.Hash) bool { return known[n] }
	w := NewWriter(o)
	w.Add(b.Context(), bytes.NewReader(body))
	for n := range w.added {
		known[n] = true
	}
	w.Abort()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		body[50<<20]++
		w := NewWriter(o)
		if _, err := w.Add(b.Context(), bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
		packs, err := w.Flush(b.Context())
		if err != nil || len(packs) > 1 {
			b.Fatal(len(packs), err)
		}
	}
}

// BenchmarkRead brings the profile back, whole packs at a time.
func BenchmarkRead(b *testing.B) {
	files, total := profile()
	spool := &MemSpool{}
	o := benchOptions(spool, 0)
	w := NewWriter(o)
	var cs []*item.Content
	for _, f := range files {
		c, err := w.Add(b.Context(), bytes.NewReader(f))
		if err != nil {
			b.Fatal(err)
		}
		cs = append(cs, c)
	}
	packs, err := w.Flush(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	places := map[item.Hash]Place{}
	for _, p := range packs {
		for _, c := range p.Chunks {
			places[c.Name] = Place{p.Name, p.Size, c.Offset, c.Size, c.Epoch}
		}
	}
	b.SetBytes(total)
	b.ReportAllocs()
	for b.Loop() {
		gets := 0
		r := NewReader(ReaderOptions{
			Namer: o.Namer,
			Key:   func(item.Hash) (seal.Key, bool) { return o.Key, true },
			Find:  func(n item.Hash) (Place, bool) { p, ok := places[n]; return p, ok },
			Get: func(_ context.Context, pack item.Hash, offset, size int64) ([]byte, error) {
				gets++
				body := spool.Pack(pack)
				if int64(len(body)) < offset+size {
					return nil, errors.New("short")
				}
				return body[offset : offset+size], nil
			},
		})
		if err := r.Expect(b.Context(), cs...); err != nil {
			b.Fatal(err)
		}
		for _, c := range cs {
			if err := r.Copy(b.Context(), io.Discard, c, nil); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(gets), "gets")
	}
}

func BenchmarkCut(b *testing.B) {
	n, body := NewNamer(testKey), random(1, 32<<20)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		for c := n.Cutter(bytes.NewReader(body)); ; {
			if _, err := c.Next(); err != nil {
				break
			}
		}
	}
}

func BenchmarkName(b *testing.B) {
	n, body := NewNamer(testKey), random(1, 64<<10)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		n.Name(body)
	}
}
