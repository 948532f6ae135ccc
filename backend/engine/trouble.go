package engine

import (
	"errors"

	"plait/backend/chunk"
	"plait/backend/item"
	"plait/backend/store"
)

// contentTrouble says of content that could not be fetched whether the store holds it
// changed or lacks it (bad), or could not be reached (offline). Both nil: it was
// something else.
func (e *Engine) contentTrouble(n item.Name, err error) (bad *Bad, offline error) {
	var b *Bad
	var ce *chunk.Error
	var se *store.Error
	switch {
	case errors.As(err, &b):
		bad = &Bad{Code: b.Code, Object: b.Object, Device: b.Device, Detail: b.Detail, Err: b.Err}
	case errors.Is(err, chunk.ErrChanged), errors.Is(err, chunk.ErrTooLarge):
		bad = &Bad{Code: "changed", Err: err}
	case errors.Is(err, errContentMissing), errors.Is(err, chunk.ErrIncomplete), errors.Is(err, chunk.ErrNoKey):
		bad = &Bad{Code: "incomplete", Detail: "its content is not there", Err: err}
	case errors.As(err, &se):
		return nil, err
	default:
		return nil, nil
	}
	if errors.As(err, &ce) && bad.Object == "" && ce.Pack != (item.Hash{}) {
		bad.Object = packName(ce.Pack)
	}
	if bad.Object == "" {
		bad.Object = string(n)
	}
	if bad.Device == (item.Device{}) {
		bad.Device = e.writerOf(n)
	}
	return bad, nil
}

// writerOf is the device that wrote a file's newest version.
func (e *Engine) writerOf(n item.Name) item.Device {
	it, err := e.item(n)
	if err != nil || it.Atoms[theFile] == nil {
		return item.Device{}
	}
	var d item.Device
	var newest item.HLC
	for _, s := range it.Atoms[theFile].Live {
		if s.Time >= newest {
			d, newest = s.Dot.Author.Device, s.Time
		}
	}
	return d
}
