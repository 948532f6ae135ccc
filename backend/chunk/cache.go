package chunk

import (
	"context"
	"fmt"

	"plait/backend/item"
)

// A stretch is a part of a pack, or all of it, of which enough is expected to be read
// that it is fetched at once, and kept until that was read or room is needed.
type stretch struct {
	size     int64 // of the pack
	from, to int64 // what is fetched of it
	need     int64 // sealed bytes in it that are expected to be read
	ready    chan struct{}
	body     []byte
	err      error
	counted  bool  // in the Reader's cached
	used     int64 // tick of the last use
}

// When chunks are fetched together: when together they are a third of what is then
// fetched, or that is small, since a request costs a store as much as some hundred
// kilobytes. What comes near a whole pack is one: a whole one can be checked by its name.
const (
	worthwhile = 3
	smallFetch = 256 << 10
)

// Expect tells which contents are about to be read, so that packs of which much is
// needed are fetched once, whole, and not chunk by chunk. It reads the lists of
// large ones. Contents that turn out unreadable are passed over: Copy will say why.
// Reading in the order of writing needs the least memory.
func (r *Reader) Expect(ctx context.Context, contents ...*item.Content) error {
	r.hold(1)
	defer r.hold(-1)
	a := newAppetite(r.o.Find)
	for _, c := range contents {
		a.add(c.Chunks, nil)
	}
	r.want(a)
	for _, c := range contents {
		if !c.List {
			continue
		}
		chunks, err := r.Chunks(ctx, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			a.add(chunks, nil)
		}
	}
	r.want(a)
	return nil
}

// hold keeps packs in memory, of which reading lists may have taken all that is known
// to be needed so far, until the lists have said what else is.
func (r *Reader) hold(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held += n; r.held > 0 {
		return
	}
	for name, s := range r.packs {
		if s.counted && s.need <= 0 {
			r.drop(name)
		}
	}
}

// An appetite adds up how much of each pack some chunks need.
type appetite struct {
	find  func(item.Hash) (Place, bool)
	seen  map[item.Hash]bool
	packs map[item.Hash]*stretch
}

func newAppetite(find func(item.Hash) (Place, bool)) *appetite {
	return &appetite{find, map[item.Hash]bool{}, map[item.Hash]*stretch{}}
}

func (a *appetite) add(chunks []item.Chunk, have *Have) {
	for _, c := range chunks {
		if a.seen[c.Name] || have.has(c.Name) {
			continue
		}
		a.seen[c.Name] = true
		p, ok := a.find(c.Name)
		if !ok || checkInside(p.Offset, p.Size, p.PackSize) != nil {
			continue
		}
		from, to := int64(p.Offset), int64(p.Offset)+int64(p.Size)
		s := a.packs[p.Pack]
		if s == nil {
			s = &stretch{size: int64(p.PackSize), from: from, to: to}
			a.packs[p.Pack] = s
		}
		s.from, s.to, s.need = min(s.from, from), max(s.to, to), s.need+int64(p.Size)
	}
}

// want notes the packs of which enough is needed.
func (r *Reader) want(a *appetite) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for pack, s := range a.packs {
		if old := r.packs[pack]; old != nil {
			if s.need = max(s.need, old.need); old.from <= s.from && s.to <= old.to {
				old.need = s.need
				continue
			}
			s.from, s.to = min(s.from, old.from), max(s.to, old.to)
		}
		if s.need*worthwhile < s.to-s.from && s.to-s.from > smallFetch {
			continue
		}
		if s.to-s.from > s.size*3/4 {
			s.from, s.to = 0, s.size
		}
		r.drop(pack)
		r.packs[pack] = &stretch{size: s.size, from: s.from, to: s.to, need: s.need}
	}
}

// sealed returns the bytes at a place.
func (r *Reader) sealed(ctx context.Context, p Place) ([]byte, error) {
	got, ok, err := r.fetched(ctx, p)
	if err == nil && !ok {
		got, err = r.o.Get(ctx, p.Pack, int64(p.Offset), int64(p.Size))
	}
	if err != nil {
		return nil, err
	}
	if len(got) != int(p.Size) && r.checks.has(checkPlace) {
		return nil, fmt.Errorf("%d bytes of a chunk of %d: %w", len(got), p.Size, ErrChanged)
	}
	return got, nil
}

// fetched returns the bytes at a place out of a stretch that is fetched at once; false
// if there is none. Of several callers one fetches it, and the others wait.
func (r *Reader) fetched(ctx context.Context, p Place) (got []byte, ok bool, err error) {
	from, to := int64(p.Offset), int64(p.Offset)+int64(p.Size)
	r.mu.Lock()
	s := r.packs[p.Pack]
	if s == nil || from < s.from || to > s.to {
		r.mu.Unlock()
		return nil, false, nil
	}
	r.tick++
	s.used, s.need = r.tick, s.need-int64(p.Size)
	fetch := s.ready == nil
	if fetch {
		s.ready = make(chan struct{}) // closed below, once body and err are set
	}
	r.mu.Unlock()

	if fetch {
		s.body, s.err = r.o.Get(ctx, p.Pack, s.from, s.to-s.from)
		close(s.ready)
	}
	select {
	case <-s.ready:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if fetch && s.err == nil && r.packs[p.Pack] == s {
		r.cached += int64(len(s.body))
		s.counted = true
	}
	r.evict(p.Pack, s)
	switch {
	case s.err != nil && fetch:
		return nil, false, s.err
	case s.err != nil: // whoever fetched it may just have been cancelled: ask for oneself
		return nil, false, nil
	}
	body := s.body[min(from-s.from, int64(len(s.body))):]
	return body[:min(int64(p.Size), int64(len(body)))], true, nil
}

// evict lets go of a stretch that failed or of which all was read, and while there is
// too much, of those used longest ago. What is still to be read of those is fetched
// by chunk, so a small cache costs requests, never the same pack over and over.
func (r *Reader) evict(name item.Hash, s *stretch) {
	if r.packs[name] == s && (s.err != nil || s.need <= 0 && r.held == 0) {
		r.drop(name)
	}
	for r.cached > r.o.Cache {
		var oldest item.Hash
		var found *stretch
		for n, x := range r.packs {
			if x.counted && x != s && (found == nil || x.used < found.used) {
				oldest, found = n, x
			}
		}
		if found == nil {
			return
		}
		r.drop(oldest)
	}
}

// drop forgets what is kept of a pack; whoever reads it just now goes on.
func (r *Reader) drop(name item.Hash) {
	if s := r.packs[name]; s != nil && s.counted {
		r.cached -= int64(len(s.body))
	}
	delete(r.packs, name)
}
