package engine

import (
	"context"
	"errors"

	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/seal"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// A Bad is something wrong with what a store holds. It stops nothing that is whole
// from being applied.
type Bad struct {
	Code   string      // changed, rollback, forked, incomplete, foreign, newer, stranger, clock
	Object string      // the object's name, where there is one
	Device item.Device // whose it is, where that is known
	Detail string
	Err    error
}

func (b *Bad) Error() string {
	s := b.Code
	if b.Object != "" {
		s += ": " + b.Object
	}
	if b.Device != (item.Device{}) {
		s += " of " + b.Device.String()
	}
	if b.Detail != "" {
		s += ": " + b.Detail
	}
	if b.Err != nil {
		s += ": " + b.Err.Error()
	}
	return s
}

// same says whether another tells of the same.
func (b *Bad) same(o *Bad) bool {
	return b.Code == o.Code && b.Object == o.Object && b.Device == o.Device && b.Detail == o.Detail
}

func (b *Bad) Unwrap() error { return b.Err }

// get fetches an object of a device's. bad is about the object, which is not there or is
// not what it is named for; err about the store.
func (e *Engine) get(ctx context.Context, name string, whose item.Device) (obj []byte, bad *Bad, err error) {
	obj, err = e.cfg.Store.Get(ctx, name)
	code := ""
	switch {
	case err == nil:
		return obj, nil, nil
	case errors.Is(err, driver.NotFound):
		code = "incomplete"
	case errors.Is(err, store.Changed), errors.Is(err, store.TooLarge):
		code = "changed"
	default:
		return nil, nil, err
	}
	return nil, &Bad{Code: code, Object: name, Device: whose, Err: err}, nil
}

func (e *Engine) openVault() journal.Opener {
	return journal.Opener{Vault: e.meta.Vault, Key: e.epochKey}
}

// openCode says what an object that does not open is a sign of.
func openCode(err error) string {
	if errors.Is(err, seal.ErrNewer) || errors.Is(err, journal.ErrNewer) {
		return "newer"
	}
	return "changed"
}
