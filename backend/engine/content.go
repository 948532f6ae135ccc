package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"plait/backend/chunk"
	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/state"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// SmallFile is how large a file may be and still travel inside its entry.
const SmallFile = 1 << 10

// errContentMissing says that content is named whose chunks are nowhere to be had yet.
var errContentMissing = errors.New("content may still be on its way")

// packed says where a sealed chunk lies.
type packed = chunk.Place

// loadPacks reads where all known chunks lie.
func (e *Engine) loadPacks() error {
	if e.packs != nil {
		return nil
	}
	packs := &packIndex{map[item.Hash]packed{}, map[item.Hash]uint32{}}
	err := e.db.View(func(tx localdb.Tx) error {
		return tx.Scan(rowPack, func(k string, b []byte) error {
			var p item.Pack
			if err := decMode.Unmarshal(b, &p); err != nil {
				return fmt.Errorf("row %s: %w", k, err)
			}
			packs.add(p)
			return nil
		})
	})
	if err != nil {
		return err
	}
	e.packs = packs
	return nil
}

// packIndex says where all known chunks lie.
type packIndex struct {
	chunks map[item.Hash]packed
	sizes  map[item.Hash]uint32 // of packs
}

func (x *packIndex) add(p item.Pack) {
	x.sizes[p.Name] = p.Size
	for _, c := range p.Chunks {
		x.chunks[c.Name] = packed{Pack: p.Name, PackSize: p.Size, Offset: c.Offset, Size: c.Size, Epoch: c.Epoch}
	}
}

// writer starts packing new content under the epoch in force.
func (e *Engine) writer() (*chunk.Writer, error) {
	if err := e.loadPacks(); err != nil {
		return nil, err
	}
	epoch, key, err := e.epoch()
	if err != nil {
		return nil, err
	}
	return chunk.NewWriter(chunk.Options{
		Namer: e.namer, Vault: e.meta.Vault, Epoch: epoch, Key: key, Rand: e.cfg.Rand, Spool: e.cfg.Spool, Workers: e.cfg.Workers,
		Known: func(name item.Hash) bool { _, ok := e.packs.chunks[name]; return ok },
	}), nil
}

// reader brings content back, from the spool or from the store.
func (e *Engine) reader() (*chunk.Reader, error) {
	if e.chunks != nil {
		return e.chunks, nil
	}
	if err := e.loadPacks(); err != nil {
		return nil, err
	}
	e.chunks = chunk.NewReader(chunk.ReaderOptions{
		Namer: e.namer, Vault: e.meta.Vault, Key: e.epochKey, Workers: e.cfg.Workers,
		Find: func(name item.Hash) (packed, bool) { p, ok := e.packs.chunks[name]; return p, ok },
		Get:  e.getPack,
	})
	return e.chunks, nil
}

func (e *Engine) getPack(ctx context.Context, pack item.Hash, offset, size int64) ([]byte, error) {
	b, err := e.cfg.Spool.Read(pack, offset, size)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if e.cfg.Store == nil {
		return nil, errContentMissing
	}
	if total, known := e.packs.sizes[pack]; known && offset == 0 && size >= int64(total) {
		b, err = e.cfg.Store.Get(ctx, packName(pack))
	} else {
		b, err = e.cfg.Store.GetRange(ctx, packName(pack), driver.Range{Offset: offset, Size: size})
	}
	if errors.Is(err, driver.NotFound) {
		return nil, fmt.Errorf("%s: %w", packName(pack), errContentMissing)
	}
	if errors.Is(err, store.Changed) {
		return nil, &Bad{Code: "changed", Object: packName(pack), Err: err}
	}
	return b, err
}

// readAll reads what a replica's looks need. Documents are taken apart; files are
// cut into chunks, those that the vault does not have yet are packed.
func (e *Engine) readAll(ctx context.Context, todo []*look, o *observed) error {
	var total, done int64
	for _, l := range todo {
		total += l.info.Size
	}
	for i, l := range todo {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.fresh {
			continue
		}
		e.progress("observe", int64(i), int64(len(todo)), done, total)
		var err error
		if l.item.Type() == item.Files {
			err = e.readFile(ctx, l, o)
		} else {
			err = e.read(l)
		}
		done += l.info.Size
		if err == nil {
			continue
		}
		if errors.Is(err, errStop) || ctx.Err() != nil {
			return err
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone between listing and reading; the next look sees it so
		}
		l.fresh = false
		o.waiting = append(o.waiting, e.waiting(l.rep, l.item, l.path, err))
	}
	return nil
}

// asMerged takes a file up that still holds what was merged into it: nobody wrote that,
// so its chunks are to be in no pack, or every device would send them.
func (e *Engine) asMerged(ctx context.Context, l *look) (bool, error) {
	if !l.had || !l.row.present || l.info.Size <= SmallFile || l.info.Size > maxMergedFile || e.meta.Doubt || l.rep.intents[l.item] != nil {
		return false, nil
	}
	basis, err := e.basisOf(l.rep, l.item)
	if err != nil {
		return false, stop(err)
	}
	v := basis[theFile].Value
	if v.Kind != item.Blob || len(v.Large.Chunks) > 0 || v.Large.Size != l.info.Size {
		return false, nil
	}
	if err := e.glance(ctx, l); err != nil {
		return false, err
	}
	l.fresh = state.Same(l.item.Type(), theFile, l.atoms[theFile], v) // also in its mode
	return l.fresh, nil
}

// readFile reads a file of any size.
func (e *Engine) readFile(ctx context.Context, l *look, o *observed) error {
	l.read = e.cfg.Clock()
	if merged, err := e.asMerged(ctx, l); merged || err != nil {
		return err
	}
	if l.info.Size <= SmallFile {
		raw, info, err := e.cfg.FS.Read(l.path, SmallFile)
		if errors.Is(err, disk.ErrTooLarge) {
			return disk.ErrChanged
		}
		if err != nil {
			return err
		}
		l.takeFile(item.Value{Kind: item.Text, Data: raw, Mode: fileMode(info)}, e.namer.Name(raw), info)
		return nil
	}
	if o.writer == nil {
		w, err := e.writer()
		if errors.As(err, new(*Bad)) {
			return err // what keeps this file from being sealed keeps no other from being read
		}
		if err != nil {
			return stop(err)
		}
		o.writer = w
	}
	f, info, err := e.cfg.FS.Open(l.path)
	if err != nil {
		return err
	}
	c, err := o.writer.Add(ctx, f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	l.takeFile(item.Value{Kind: item.Blob, Large: c, Mode: fileMode(info)}, c.Hash, info)
	return nil
}

func (l *look) takeFile(v item.Value, hash item.Hash, info disk.Info) {
	l.atoms = map[item.Key]item.Value{{}: v}
	l.hash, l.info, l.exists, l.fresh = hash, info, true, true
}

// fileMode is what of a file's mode travels: whether it can be run.
func fileMode(i disk.Info) uint32 {
	if i.Mode&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

// flush ends the packs that an observation began.
func (e *Engine) flush(ctx context.Context, o *observed) ([]item.Pack, error) {
	if o.writer == nil {
		return nil, nil
	}
	packs, err := o.writer.Flush(ctx)
	if err != nil {
		return nil, fmt.Errorf("spooling content: %w", err)
	}
	for _, p := range packs {
		e.packs.add(p)
	}
	return packs, nil
}

// bytesOf returns a value's content, if it is at most limit bytes long.
func (e *Engine) bytesOf(ctx context.Context, v item.Value, limit int64) ([]byte, error) {
	if v.Kind != item.Blob {
		return v.Data, nil
	}
	r, err := e.reader()
	if err != nil {
		return nil, err
	}
	return r.Bytes(ctx, v.Large, limit)
}

// stored makes a value that a person gave one that can be recorded: a large text of
// an added folder becomes chunks.
func (e *Engine) stored(ctx context.Context, n item.Name, v item.Value) (item.Value, error) {
	if n.Type() != item.Files || v.Kind != item.Text {
		return v, nil
	}
	if v.Mode == 0 {
		v.Mode = 0o644
	}
	if len(v.Data) <= SmallFile {
		return v, nil
	}
	w, err := e.writer()
	if err != nil {
		return v, err
	}
	c, err := w.Add(ctx, bytes.NewReader(v.Data))
	if err != nil {
		return v, err
	}
	packs, err := w.Flush(ctx)
	if err != nil {
		return v, err
	}
	for _, p := range packs {
		e.packs.add(p)
	}
	if len(packs) > 0 {
		if _, err := e.record(change{action: item.Control, note: "content of a decision", packs: packs}); err != nil {
			return v, err
		}
	}
	return item.Value{Kind: item.Blob, Large: c, Mode: v.Mode}, nil
}
