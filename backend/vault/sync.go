package vault

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"plait/backend/engine"
	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/plan"
	"plait/backend/problem"
)

// types reads a list of data types; nil for none.
func types(names []string) (map[item.Type]bool, error) {
	if len(names) == 0 {
		return nil, nil
	}
	out := map[item.Type]bool{}
	for _, n := range names {
		t := item.Type(strings.ToLower(strings.TrimSpace(n)))
		if !slices.Contains(item.Types, t) {
			return nil, &problem.Error{Code: "usage", Message: fmt.Sprintf("%q is no data type.", n), Hint: "Data types are " + typeList() + "."}
		}
		out[t] = true
	}
	return out, nil
}

func typeList() string {
	var s []string
	for _, t := range item.Types {
		s = append(s, string(t))
	}
	return strings.Join(s, ", ")
}

// Sync does one round. The result is valid also beside an error: what was done before it.
func (v *Vault) Sync(ctx context.Context, s SyncOptions) (res SyncResult, err error) {
	res.Conflicts = []ItemConflicts{}
	ts, err := types(s.Only)
	if err != nil {
		return res, err
	}
	if v.store == nil {
		v.openStore(ctx)
		v.eng.SetStore(v.store)
	}
	r, err := v.eng.Round(ctx, engine.RoundOptions{Types: ts, NoPush: s.Pull && !s.Push, NoApply: s.Push && !s.Pull, AcceptRemovals: s.AcceptRemovals})
	v.fill(&res, r)
	if cerr := v.conflictsInto(ctx, &res, r); err == nil {
		err = cerr
	}
	if aerr := v.approvalsInto(&res); err == nil {
		err = aerr
	}
	if err == nil {
		err = v.verdict(r)
	}
	if nerr := v.note(r, res, err); err == nil {
		err = nerr
	}
	return res, err
}

func (v *Vault) fill(res *SyncResult, r *engine.Round) {
	res.Items.Pulled, res.Items.Pushed, res.Items.Applied = r.Pulled, r.Pushed, r.Applied
	res.Requests = UpDown{Up: r.Usage.RequestsUp, Down: r.Usage.RequestsDown}
	res.Bytes = UpDown{Up: r.Usage.BytesUp, Down: r.Usage.BytesDown}
	res.Seconds = r.Took.Seconds()
	for _, w := range r.Waiting {
		res.Waiting = append(res.Waiting, v.waiting(w))
	}
	for _, w := range r.Warnings {
		res.Warnings = append(res.Warnings, Notice{Code: w.Kind, Item: string(w.Item), Message: w.Message})
	}
}

func (v *Vault) conflictsInto(ctx context.Context, res *SyncResult, r *engine.Round) error {
	cs, err := v.Conflicts(ctx, "")
	if err != nil {
		return err
	}
	for _, c := range cs {
		res.Items.Conflicts += len(c.Conflicts)
	}
	if cs != nil {
		res.Conflicts = cs
	}
	return nil
}

// approvalsInto lists what was received and has no effect before it is approved here.
func (v *Vault) approvalsInto(res *SyncResult) error {
	asked, err := v.eng.Asked()
	if err != nil {
		return err
	}
	for _, n := range asked {
		held, _, err := v.eng.Held(n)
		if err != nil {
			return err
		}
		var labels []string
		for _, h := range held {
			labels = append(labels, merge.Label(n.Type(), h.Key))
		}
		res.Waiting = append(res.Waiting, Waiting{Item: string(n), Code: string(problem.Approval),
			Reason: "it makes programs run, and was changed elsewhere: " + strings.Join(labels, ", "),
			Hint:   "Look with `plait approve " + string(n) + " --dry-run`, which says how it takes effect here."})
	}
	return nil
}

// verdict is what of a round ends `plait sync` with 2: the gravest first.
func (v *Vault) verdict(r *engine.Round) error {
	if r.Caught != nil {
		return v.caught(r.Caught)
	}
	order := []string{"foreign", "rollback", "forked", "changed", "newer", "stranger", "incomplete"}
	for _, code := range order {
		for _, b := range r.Bad {
			if b.Code == code {
				return v.bad(b)
			}
		}
	}
	if r.Offline != nil {
		return v.offline(r.Offline)
	}
	if v.storeErr != nil {
		return v.storeErr
	}
	return nil
}

func (v *Vault) caught(c *engine.Caught) error {
	var what string
	switch w := c.What; w.Why {
	case plan.WhyRoot:
		what = c.Root + " is gone"
	case plan.WhyCut:
		what = fmt.Sprintf("%s was cut to nothing", w.Cut[0])
	default:
		what = fmt.Sprintf("%d of %d items and %d of %d values vanished at once", w.Items, w.HadItems, w.Atoms, w.HadAtoms)
	}
	return &problem.Error{Code: "catch", Message: fmt.Sprintf("Nothing of %s was recorded: %s.", c.Replica, what),
		Hint: fmt.Sprintf("If %s is only missing (a drive that is not mounted, a profile that was moved), bring it back and sync again. If you did remove this, run `plait sync --accept-removals`.", c.Root), Err: c}
}

// bad says what is wrong with the store, with the object and the device named.
func (v *Vault) bad(b *engine.Bad) error {
	who := v.eng.DeviceName(b.Device)
	if b.Device == (item.Device{}) {
		who = "another device"
	}
	obj := b.Object
	if obj == "" {
		obj = "what it holds"
	}
	p := &problem.Error{Code: problem.Code(b.Code), Err: b}
	switch b.Code {
	case "foreign":
		p.Message = "The store holds another vault than the one that this device belongs to. Nothing was read or written."
		p.Hint = "Check where " + v.cfg.Store + " leads; this device's data is safe here."
	case "rollback":
		if b.Device != (item.Device{}) {
			obj += " of " + who
		}
		p.Message = fmt.Sprintf("The store is older than what this device has seen: %s: %s. Nothing of it was applied.", obj, b.Detail)
		p.Hint = "If a backup of the store was put back, or a sync tool still carries files, wait or restore the newest state. Sync goes on by itself once the store is whole again."
	case "forked":
		p.Message = fmt.Sprintf("Two histories of %s are in the store (%s): %s. Nothing of the second was applied.", who, obj, b.Detail)
		p.Hint = "Was that device's disk copied, or a backup of it restored? Sync on both; each goes on as its own. What is applied here stays."
	case "changed":
		p.Message = fmt.Sprintf("%s, written by %s, was changed, cut or swapped in the store. Nothing of it was applied.", obj, who)
		p.Hint = "What this device has is safe. If a sync tool carries the folder, let it finish; sync goes on by itself once the object is whole. `plait doctor --store` reads every object."
	case "newer":
		p.Message = fmt.Sprintf("%s, written by %s, was made by a newer version of Plait.", obj, who)
		p.Hint = "Update Plait on this device. Nothing is lost; what it can read was applied."
	case "stranger":
		p.Message = fmt.Sprintf("%s was written by no member of the vault. It was not applied.", obj)
		p.Hint = "Somebody with access to the store put it there, or the statement that admits that device is still on its way."
	default:
		p.Code = "incomplete"
		p.Message = fmt.Sprintf("Something of %s is named in the store but is not there (%s); it may still be on its way. All that is whole was applied.", who, strings.Join(nonEmpty(b.Object, b.Detail), ": "))
		p.Hint = "Sync again in a while."
	}
	return p
}

func nonEmpty(ss ...string) []string {
	return slices.DeleteFunc(ss, func(s string) bool { return s == "" })
}

func firstOf(ss ...string) string {
	for _, s := range ss {
		if s != "" {
			return s
		}
	}
	return ""
}

// offline explains why the store could not be used.
func (v *Vault) offline(err error) error {
	if err == nil {
		return nil
	}
	if v.storeErr != nil && errors.Is(err, engine.ErrNoStore) {
		return v.storeErr
	}
	var b *engine.Bad
	if errors.As(err, &b) {
		return v.bad(b)
	}
	return err
}

// waiting says in words why an item waits.
func (v *Vault) waiting(w engine.Waiting) Waiting {
	out := Waiting{Item: string(w.Item), File: w.Path}
	code := problem.Internal
	switch w.Code {
	case "invalid":
		code = problem.Syntax
		out.Reason = fmt.Sprintf("line %d: %s", w.Line, w.Detail)
		out.Hint = "Mend that line; until then nothing of this file is synced, and nothing in it is overwritten."
	case "too-large":
		code = problem.TooLarge
		out.Reason = "the file is larger than 64 MB"
		out.Hint = "Sync it as a file: plait attach --path DIR --files."
	case "too-deep":
		code = problem.TooDeep
		out.Reason = "it is nested more than 1,000 levels deep"
		out.Hint = "No editor reads such a file; mend it by hand."
	case "locked":
		code = problem.FileLocked
		out.Reason = "another program has it locked"
		out.Hint = "It is tried again at the next sync."
	case "denied":
		code = problem.FileDenied
		out.Reason = "this user may not read or write it"
		out.Hint = "Check the permissions of " + filepath.Dir(w.Path) + "."
	case "full":
		code = problem.DiskFull
		out.Reason = "the disk is full; the old file is untouched"
		out.Hint = "Make room, then sync again."
	case "changed":
		code = problem.FileMoved
		out.Reason = "it keeps changing while it is read"
		out.Hint = "It is tried again at the next sync."
	case "odd":
		code = problem.OddFile
		out.Reason = "it is no regular file"
		out.Hint = "Move away what stands there, or keep it out of the folder."
	case "name":
		code = problem.BadName
		out.Reason = "its name can't be a file on this system: " + w.Detail
		out.Hint = "Rename it on the device that it comes from."
	case "incomplete":
		code = problem.Incomplete
		out.Reason = "its content is not in the store yet; it may still be on its way"
		out.Hint = "Sync again in a while."
	case "approval":
		code = problem.Approval
		out.Reason = w.Detail
	case "forged":
		code = problem.Changed
		out.Reason = "parts of it that " + firstOf(w.Detail, "another device") + " wrote are not what they stand for; they were left out, the rest was applied"
		out.Hint = "No editor writes such a thing. If that device is not yours any more, run `plait devices revoke`; then edit the file, or `plait restore` it."
	case "damaged":
		code = problem.Changed
		out.Reason = "its content in the store (" + w.Detail + ") is not what its device wrote; the file here was left as it is"
		out.Hint = "It is tried again at the next sync. `plait doctor --store` looks at every object."
	case "offline":
		code = problem.Offline
		out.Reason = "its content could not be fetched; the file here was left as it is"
		out.Hint = "It is tried again at the next sync."
	default:
		v.o.Log.Warn("an item waits", "item", w.Item, "code", w.Code, "why", w.Detail)
		out.Reason = "it could not be read or written"
		out.Hint = "The log (PLAIT_LOG=warn) has the details."
	}
	out.Code = string(code)
	return out
}

// note keeps for `plait status` what the round found.
func (v *Vault) note(r *engine.Round, res SyncResult, err error) error {
	cfg := v.cfg
	cfg.Found = nil
	if err != nil {
		p := problem.From(err)
		cfg.Found = []Notice{{Code: string(p.Code), Message: p.Message, Hint: p.Hint}}
	} else {
		cfg.LastSync = v.o.Clock().UTC()
	}
	quiet := r.Applied == 0 && r.Pulled == 0 && r.Pushed == 0 && len(r.Waiting) == 0
	if quiet && len(cfg.Found) == 0 && len(v.cfg.Found) == 0 && cfg.LastSync.Sub(v.cfg.LastSync) < lastSyncStep {
		return nil // a sync with nothing to do writes nothing
	}
	if slices.Equal(cfg.Found, v.cfg.Found) && cfg.LastSync.Equal(v.cfg.LastSync) {
		return nil // nor does one that fails as the last one did
	}
	v.cfg = cfg
	return v.writeConfig()
}
