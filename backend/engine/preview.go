package engine

import (
	"context"
	"io"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/plan"
)

// A PreviewRow says what a first contact would do for one data type.
type PreviewRow struct {
	Type    item.Type
	Contact plan.Contact
	Masked  int // values that stay on this device
}

// Preview says what attaching a source would do. It changes nothing.
func (e *Engine) Preview(ctx context.Context, src Source) ([]PreviewRow, []Waiting, error) {
	r := &replica{src: src, rows: map[item.Name]fileRow{}, intents: map[item.Name][]byte{}}
	docs, err := src.Documents(e.cfg.FS)
	if err != nil {
		return nil, nil, err
	}
	rows := map[item.Type]*PreviewRow{}
	row := func(t item.Type) *PreviewRow {
		if rows[t] == nil {
			rows[t] = &PreviewRow{Type: t}
		}
		return rows[t]
	}
	var waiting []Waiting
	here := map[item.Name]bool{}
	for _, d := range docs {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		t := d.Item.Type()
		here[d.Item] = true
		l := &look{rep: r, item: d.Item, path: d.Path, info: d.Info}
		err := d.Err
		if err == nil && t == item.Files {
			err = e.glance(ctx, l)
		} else if err == nil {
			err = e.read(l)
		}
		if err != nil {
			waiting = append(waiting, e.waiting(r, d.Item, d.Path, err))
			continue
		}
		layers, err := e.layers(d.Item)
		if err != nil {
			return nil, nil, err
		}
		pr := row(t)
		pr.Contact.Preview(t, layers, l.atoms)
		if t != item.Files {
			if all, err := merge.Atomize(t, l.raw, merge.Options{Platform: e.cfg.Platform}); err == nil {
				pr.Masked += values(all.Atoms) - values(l.atoms)
			}
		}
	}
	names, err := e.Items()
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		if n != n.Shared() || n.Collection() != src.Collection() || here[n] {
			continue
		}
		if _, ok, err := src.Locate(n); err != nil || !ok {
			continue
		}
		layers, err := e.layers(n)
		if err != nil {
			return nil, nil, err
		}
		row(n.Type()).Contact.Preview(n.Type(), layers, nil)
	}
	var out []PreviewRow
	for _, t := range item.Types {
		if rows[t] != nil {
			out = append(out, *rows[t])
		}
	}
	return out, waiting, nil
}

func values(atoms map[item.Key]item.Value) int {
	n := 0
	for k := range atoms {
		if k.Lane == item.LaneValue {
			n++
		}
	}
	return n
}

// glance reads a file for its hash alone.
func (e *Engine) glance(ctx context.Context, l *look) error {
	f, info, err := e.cfg.FS.Open(l.path)
	if err != nil {
		return err
	}
	size, hash, data, err := e.namer.Sum(untilDone{ctx, f}, SmallFile)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	v := item.Value{Kind: item.Text, Data: data, Mode: fileMode(info)}
	if size > SmallFile {
		v = item.Value{Kind: item.Blob, Large: &item.Content{Size: size, Hash: hash}, Mode: fileMode(info)}
	}
	l.takeFile(v, hash, info)
	return nil
}

// untilDone ends a long read with its context.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (r untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
