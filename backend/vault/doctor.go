package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"plait/backend/engine"
	"plait/backend/item"
	"plait/backend/problem"
)

// Doctor checks this device; with all also every object in the store.
func (v *Vault) Doctor(ctx context.Context, all bool) ([]Finding, error) {
	out := []Finding{}
	add := func(check string, ok bool, msg, hint string) {
		if ok {
			hint = ""
		}
		out = append(out, Finding{Check: check, OK: ok, Message: msg, Hint: hint})
	}
	switch {
	case v.local.Loose:
		add("keys", false, "others on this machine may read "+v.o.Home+"/keys.plait", "chmod 600 that file.")
	case KeysMode(v.local.Mode) == KeysFile:
		add("keys", true, "keys are kept unsealed in a file (mode 0600), as you asked: whoever reads this disk reads the vault", "")
	default:
		add("keys", true, "keys are sealed by "+string(v.local.Mode), "")
	}
	if err := v.db.Check(); err != nil {
		n := v.noticeOf(err)
		add("database", false, n.Message, n.Hint)
	} else {
		add("database", true, "the database on this device is whole", "")
	}
	chains, err := v.VerifyLog(ctx)
	if err != nil {
		return out, err
	}
	out = append(out, chains...)
	for _, at := range v.cfg.Attached {
		_, err := v.o.FS.Stat(at.Path)
		switch {
		case err == nil:
			add("editor", true, at.Name+": "+at.Path, "")
		case errors.Is(err, fs.ErrNotExist):
			add("editor", false, at.Name+": "+at.Path+" is gone", "Bring it back, or `plait detach` it. Nothing was removed elsewhere.")
		default:
			add("editor", false, at.Name+": "+err.Error(), "Check its permissions.")
		}
	}
	waiting, err := v.eng.WaitingItems()
	if err != nil {
		return out, err
	}
	for _, w := range waiting {
		x := v.waiting(w)
		add("file", false, x.File+": "+x.Reason, x.Hint)
	}
	now := v.o.Clock()
	for d, t := range v.eng.LastHeads() {
		if ahead := t.Sub(now); ahead > item.MaxAhead && d != v.local.Device.ID() {
			add("clock", false, fmt.Sprintf("the clock of %s runs %s ahead of this one", v.eng.DeviceName(d), ahead.Round(1e9)),
				"Set the clock there, or here. Order of display and \"latest wins\" depend on it; nothing else does.")
		}
	}
	if v.storeErr != nil {
		n := v.noticeOf(v.storeErr)
		add("store", false, n.Message, n.Hint)
		return out, nil
	}
	if err := v.doctorStore(ctx, all, &out); err != nil {
		return out, err
	}
	return out, nil
}

func (v *Vault) noticeOf(err error) Notice {
	p := problem.From(err)
	return Notice{Code: string(p.Code), Message: p.Message, Hint: p.Hint}
}

func (v *Vault) doctorStore(ctx context.Context, all bool, out *[]Finding) error {
	r, err := v.eng.Round(ctx, engine.RoundOptions{NoApply: true, NoPush: true, NoObserve: true})
	if err != nil {
		return err
	}
	if verr := v.verdict(r); verr != nil {
		n := v.noticeOf(verr)
		*out = append(*out, Finding{Check: "store", Message: n.Message, Hint: n.Hint})
		if r.Offline != nil {
			return nil
		}
	} else {
		*out = append(*out, Finding{Check: "store", OK: true, Message: "the store answers, and is not older than what was seen: " + v.cfg.Store})
	}
	if !all {
		return nil
	}
	good := 0
	told := map[string]bool{}
	err = v.eng.CheckStore(ctx, func(c engine.Check) {
		if c.Err == nil {
			good++
			return
		}
		if told[c.Object] {
			return
		}
		told[c.Object] = true
		*out = append(*out, v.findings([]engine.Check{c})...)
	})
	if err != nil {
		n := v.noticeOf(err)
		*out = append(*out, Finding{Check: "store", Message: n.Message, Hint: n.Hint})
		return nil
	}
	*out = append(*out, Finding{Check: "objects", OK: true, Message: count(good, "object was read and is", "objects were read and are") + " in order"})
	return nil
}
