package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"plait/backend/engine"
	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/merge"
	"plait/backend/problem"
)

// Devices lists who is in the vault, and who was.
func (v *Vault) Devices(ctx context.Context) ([]DeviceRow, error) {
	seen := v.eng.LastHeads()
	now := v.o.Clock()
	var out []DeviceRow
	for _, m := range v.eng.Ring().Members() {
		r := DeviceRow{ID: m.Device.String(), Name: v.eng.DeviceName(m.Device), This: m.Device == v.local.Device.ID(),
			Platform: v.eng.DeviceText(m.Device, "platform"), Version: v.eng.DeviceText(m.Device, "version"),
			LastSeen: seen[m.Device], Fingerprint: fingerprint(m), Run: m.Run, Revoked: m.Revoked}
		if r.This {
			r.LastSeen = v.cfg.LastSync
		} else if ahead := seen[m.Device].Sub(now); ahead > item.MaxAhead {
			r.ClockAhead = ahead.Round(1e9).String()
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b DeviceRow) int {
		switch {
		case a.This != b.This:
			if a.This {
				return -1
			}
			return 1
		case a.Revoked != b.Revoked:
			if b.Revoked {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, nil
}

// fingerprint is a short form of a device's keys: its id is their hash.
func fingerprint(m keyring.Member) string {
	s := digits(m.Device.String())
	return s[:4] + " " + s[4:8] + " " + s[8:12] + " " + s[12:16]
}

// digits are those of an id or a fingerprint, however it is grouped.
func digits(s string) string {
	return strings.NewReplacer("-", "", " ", "").Replace(strings.ToLower(s))
}

// device finds a device by name or the beginning of its id.
func (v *Vault) device(name string) (keyring.Member, error) {
	var found []keyring.Member
	var names []string
	for _, m := range v.eng.Ring().Members() {
		n := v.eng.DeviceName(m.Device)
		names = append(names, n)
		if strings.EqualFold(n, name) || len(name) >= 4 && strings.HasPrefix(digits(m.Device.String()), digits(name)) {
			found = append(found, m)
		}
	}
	if len(found) > 1 {
		live := slices.DeleteFunc(slices.Clone(found), func(m keyring.Member) bool { return m.Revoked })
		if len(live) == 1 {
			return live[0], nil
		}
		return keyring.Member{}, &problem.Error{Code: "usage", Message: fmt.Sprintf("Several devices are called %q.", name), Hint: "Give the beginning of the fingerprint that `plait devices` prints."}
	}
	if len(found) == 0 {
		return keyring.Member{}, &problem.Error{Code: "unknown-device", Message: fmt.Sprintf("No device is called %q.", name), Hint: "There are " + strings.Join(names, ", ") + "."}
	}
	return found[0], nil
}

// RenameDevice gives a device another name. Two may have the same: the id is what counts.
func (v *Vault) RenameDevice(ctx context.Context, device, name string) error {
	m, err := v.device(device)
	if err != nil {
		return err
	}
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 200 {
		return &problem.Error{Code: "usage", Message: "A name has 1 to 200 bytes.", Hint: "Nothing was changed."}
	}
	if err := v.eng.SetDevice(m.Device, "name", name); err != nil {
		return err
	}
	return v.flush(ctx)
}

// flush sends what was just recorded, if the store can be reached; else it waits here.
func (v *Vault) flush(ctx context.Context) error {
	r, err := v.eng.Round(ctx, engine.RoundOptions{NoApply: true})
	if err != nil {
		return err
	}
	if r.Offline != nil && !errors.Is(r.Offline, engine.ErrNoStore) {
		v.o.Log.Info("not sent yet", "why", r.Offline)
	}
	return nil
}

// RevokeDevice ends a device's membership, and makes a new key without it.
func (v *Vault) RevokeDevice(ctx context.Context, device string) (Revoked, error) {
	m, err := v.device(device)
	if err != nil {
		return Revoked{}, err
	}
	if m.Device == v.local.Device.ID() {
		return Revoked{}, &problem.Error{Code: "usage", Message: "This is the device that you are on.", Hint: "Revoke it from another one; to stop syncing here, detach its editors."}
	}
	if m.Revoked {
		return Revoked{}, &problem.Error{Code: "usage", Message: "It is revoked already.", Hint: "Nothing was changed."}
	}
	// What it wrote before counts; so read what the store has of it first.
	// Nothing that this very device did may keep it from being revoked.
	late := false
	may := func(b *engine.Bad) bool {
		if b.Code == "incomplete" {
			late = true
		}
		return b.Device == m.Device || b.Code == "incomplete"
	}
	if err := v.strictRound(ctx, may); err != nil {
		return Revoked{}, fmt.Errorf("syncing before revoking: %w", err)
	}
	ss, err := v.eng.Keys().Revoke(v.o.Rand, v.o.Clock(), m.Device, v.eng.Vector())
	if err != nil {
		return Revoked{}, err
	}
	if err := v.eng.AddStatements(ss); err != nil {
		return Revoked{}, err
	}
	if err := v.strictRound(ctx, may); err != nil {
		return Revoked{}, fmt.Errorf("revoked here, and not sent to the store yet: %w", err)
	}
	out := Revoked{Device: m.Device.String(), Name: v.eng.DeviceName(m.Device)}
	if id, _, ok := v.eng.Keys().Current(); ok {
		out.Epoch = id.String()
	}
	out.Notes = []string{
		"It can't read anything that is written from now on, and nothing that it writes is taken in any more.",
		"It keeps what it saw before: its copy of your settings, and the keys to what was in the store until now.",
		"Until you take its access to " + v.cfg.Store + " away (change the password, or the folder's sharing), it can still delete objects there.",
	}
	if late {
		out.Notes = append(out.Notes, "Something that the store names was not there yet. What arrives later of what it wrote counts only where another device has seen it.")
	}
	return out, nil
}

// Approve lets what another device wrote into an item that makes code run take
// effect here: what was shown as as (Approved.As), and nothing that came since.
// With as empty it only says what waits. Code: outdated.
func (v *Vault) Approve(ctx context.Context, name, as string) (a Approved, err error) {
	a.Item, a.Changes = name, []Change{}
	n, err := v.known(name)
	if err != nil {
		return a, err
	}
	held, now, err := v.eng.Held(n)
	if err != nil {
		return a, err
	}
	a.As = now
	for _, h := range held {
		a.Changes = append(a.Changes, Change{Path: path(h.Key), Label: merge.Label(n.Type(), h.Key), Before: show(h.Here), After: show(h.There)})
	}
	switch {
	case as == "":
		return a, nil
	case now == "": // approved already, or taken back
		return a, nil
	case as != now:
		return a, &problem.Error{Code: problem.Outdated, Message: "What waits of " + name + " is not what was shown: it changed since. Nothing was approved.",
			Hint: "Look again with `plait approve " + name + " --dry-run`."}
	}
	count, err := v.eng.Approve(n)
	if err != nil || count == 0 {
		return a, err
	}
	a.Done = true
	a.Applied, err = v.eng.ApplyNow(ctx)
	return a, err
}

// Recovery tells about the recovery key, tests words, or makes new ones.
func (v *Vault) Recovery(ctx context.Context, s RecoverySpec) (Recovery, error) {
	ring := v.eng.Ring()
	out := Recovery{Passphrase: ring.HasPassphrase(), Tested: v.cfg.Tested}
	out.Since = v.recoverySince()
	if s.Test != "" {
		seed, err := keyring.ParseWords(s.Test)
		if err != nil {
			return out, err
		}
		ok := ring.Recognise(seed.Recovery()) == nil
		out.Matches = &ok
		if ok {
			v.cfg.Tested = v.o.Clock().UTC()
			out.Tested = v.cfg.Tested
			return out, v.writeConfig()
		}
		return out, nil
	}
	if !s.New && s.Passphrase == nil {
		return out, nil
	}
	if err := v.firstRound(ctx); err != nil {
		return out, fmt.Errorf("syncing before changing the recovery key: %w", err)
	}
	var seed keyring.Seed
	var ss []keyring.Statement
	var err error
	if s.Passphrase != nil {
		seed, ss, err = v.eng.Keys().SetPassphrase(v.o.Rand, v.o.Clock(), keyring.Secret(s.Passphrase), keyring.DefaultKDF)
	} else {
		seed, ss, err = v.eng.Keys().NewRecovery(v.o.Rand, v.o.Clock())
	}
	if err != nil {
		return out, err
	}
	if err := v.eng.AddStatements(ss); err != nil {
		return out, err
	}
	v.cfg.Tested, out.Tested = time.Time{}, time.Time{} // the new words were not tested yet
	if err := v.writeConfig(); err != nil {
		return out, err
	}
	out.Words = strings.Fields(seed.Words())
	out.Passphrase, out.Since = v.eng.Ring().HasPassphrase(), v.o.Clock().UTC()
	if err := v.firstRound(ctx); err != nil {
		return out, fmt.Errorf("changed here, and not sent to the store yet: %w", err)
	}
	return out, nil
}

// recoverySince is when the present recovery words were made.
func (v *Vault) recoverySince() time.Time {
	since := v.eng.Ring().Genesis().Made
	for _, ev := range v.eng.Ring().Events() {
		if ev.Counts && ev.Kind == keyring.KindWords {
			since = ev.Time
		}
	}
	return since
}
