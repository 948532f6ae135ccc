package engine

import (
	"bytes"
	"fmt"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/plan"
)

// A member that is hostile can write what no document ever held: a comment that is
// none, a value that is two, an object where a value stands. Laid out, it would put
// settings into the file that nobody wrote and nobody approved. So what is laid out is
// taken apart again, and must say what was to be written and nothing more.

// forged says that parts of a document were left out, since they are not what they
// stand for.
type forged struct {
	by    []item.Device // who wrote them
	parts int
}

func (f *forged) Error() string {
	return fmt.Sprintf("%d parts that another device wrote are not what they stand for, and were left out", f.parts)
}

// How much is laid out in search of what spoils a document: so often, and so many bytes.
const (
	layOutTries = 48
	layOutBytes = 24 << 20
)

// layOut lays out a document as the target wants it. What can't be laid out is taken
// out of the target, as if it were not written yet, and told of.
func (e *Engine) layOut(l *look, t *plan.Targeted) ([]byte, *forged, error) {
	out, err := e.tryOut(l, t.Want)
	if err == nil {
		return out, nil, nil
	}
	good := map[item.Key]item.Value{}
	var differ []item.Key
	typ := l.item.Type()
	for _, k := range sortedKeys(t.Want) {
		if v, on := l.atoms[k]; on && merge.Same(typ, k, v, t.Want[k]) {
			good[k] = t.Want[k]
		} else {
			differ = append(differ, k)
		}
	}
	for k, v := range l.atoms {
		if _, wanted := t.Want[k]; wanted {
			good[k] = v // until its new value is known to be sound
		}
	}
	size := len(l.raw)
	for _, v := range t.Want {
		size += len(v.Data)
	}
	budget := max(4, min(layOutTries, layOutBytes/max(1, size)))
	tries := 0
	var left []item.Key
	var add func(keys []item.Key)
	add = func(keys []item.Key) {
		if len(keys) == 0 {
			return
		}
		if tries++; tries > budget {
			left = append(left, keys...)
			return
		}
		was := map[item.Key]item.Value{}
		for _, k := range keys {
			if v, on := good[k]; on {
				was[k] = v
			}
			good[k] = t.Want[k]
		}
		if o, terr := e.tryOut(l, good); terr == nil {
			out, err = o, nil
			return
		}
		for _, k := range keys {
			delete(good, k)
			if v, had := was[k]; had {
				good[k] = v
			}
		}
		if len(keys) == 1 {
			left = append(left, keys[0])
			return
		}
		add(keys[:len(keys)/2])
		add(keys[len(keys)/2:])
	}
	// Most of what is not what it stands for shows that alone.
	var likely, unlikely []item.Key
	alone := &look{rep: l.rep, item: l.item}
	for _, k := range differ {
		if _, err := e.tryOut(alone, map[item.Key]item.Value{k: t.Want[k]}); err == nil {
			likely = append(likely, k)
		} else {
			unlikely = append(unlikely, k)
		}
	}
	add(likely)
	add(unlikely)
	if out, err = e.tryOut(l, good); err != nil {
		return nil, nil, err // the file itself is at fault
	}
	f := &forged{parts: len(left)}
	seen := map[item.Device]bool{}
	for _, k := range left {
		for _, d := range t.Basis[k].Dots {
			if !seen[d.Author.Device] {
				seen[d.Author.Device] = true
				f.by = append(f.by, d.Author.Device)
			}
		}
		e.leaveOut(l, t, k)
	}
	return out, f, nil
}

// leaveOut makes a target keep what a file has at k, and its basis.
func (e *Engine) leaveOut(l *look, t *plan.Targeted, k item.Key) {
	if v, on := l.atoms[k]; on {
		t.Want[k] = v
	} else {
		delete(t.Want, k)
	}
	if b, had := l.basis[k]; had {
		t.Basis[k] = b
	} else {
		delete(t.Basis, k)
	}
}

// tryOut lays a document out, and makes sure that no value stands in it but such as
// were wanted or stood there before, masked ones included.
func (e *Engine) tryOut(l *look, want map[item.Key]item.Value) ([]byte, error) {
	typ := l.item.Type()
	o := l.rep.src.Options(l.item, l.raw)
	out, err := merge.Render(typ, l.raw, want, o)
	if err != nil {
		return nil, fmt.Errorf("laying out %s: %w", l.item, err)
	}
	o.Ignore = nil
	doc, err := merge.Atomize(typ, out, o)
	if err != nil {
		return nil, fmt.Errorf("laying out %s: %w", l.item, err)
	}
	var before map[item.Key]item.Value // as it stood, masked values too
	for k, v := range doc.Atoms {
		if k.Lane != item.LaneValue || bytes.Equal(v.Data, []byte("{}")) {
			continue
		}
		if w, ok := want[k]; ok && merge.Same(typ, k, v, w) {
			continue
		}
		if before == nil {
			was, err := merge.Atomize(typ, l.raw, o)
			if err != nil {
				return nil, fmt.Errorf("laying out %s: %w", l.item, err)
			}
			if before = was.Atoms; before == nil {
				before = map[item.Key]item.Value{}
			}
		}
		if b, ok := before[k]; ok && merge.Same(typ, k, v, b) {
			continue
		}
		if checkShape.fails(true) {
			return nil, fmt.Errorf("laying out %s: %s would stand there, and nobody wrote it", l.item, merge.Label(typ, k))
		}
	}
	return out, nil
}
