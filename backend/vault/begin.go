package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"plait/backend/engine"
	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/problem"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// Create makes a new vault in the store and this device its first member. An error
// leaves nothing behind here, save a note of what could not be taken back from the
// store: then, as after a crash, it is to be run again.
func Create(ctx context.Context, o Options, s CreateSpec) (_ *Vault, c Created, err error) {
	o.fill()
	prot, err := o.protection(s.Keys)
	if err != nil {
		return nil, c, err
	}
	was, err := newHome(o, "init", s.Store)
	if err != nil {
		return nil, c, err
	}
	inStore := was != nil // whether something of a founding may be in the store
	defer func() {
		if err != nil {
			removeHome(o, inStore)
		}
	}()
	bucket, err := o.OpenBucket(ctx, s.Store, true)
	if err != nil {
		return nil, c, err
	}
	st := newStore(bucket)
	if was != nil {
		removeParts(o)
		if err := was.unfound(ctx, st); err != nil {
			return nil, c, err
		}
		inStore = false
	}
	if _, err := st.Get(ctx, store.VaultFile); err == nil {
		if heads, err := st.List(ctx, store.Heads); err == nil && len(heads) == 0 {
			return nil, c, &problem.Error{Code: "exists", Message: "In " + s.Store + " a vault was begun and not finished: no device ever wrote to it.",
				Hint: "Nothing was changed. On the device that began it, run `plait init` again. If that is gone, delete vault.json there and try again."}
		}
		return nil, c, &problem.Error{Code: "exists", Message: "There is a vault in " + s.Store + " already.",
			Hint: "Nothing was changed. To make this device a member of it run `plait join --store " + s.Store + "`; for a new vault choose another place."}
	} else if !errors.Is(err, driver.NotFound) {
		return nil, c, err
	}
	device := keyring.NewDevice(o.Rand)
	seed := keyring.NewSeed(o.Rand)
	genesis, statements, err := keyring.Found(o.Rand, o.Clock(), device, seed, nil, keyring.KDF{})
	if err != nil {
		return nil, c, err
	}
	begun := &beginning{Does: "init", Store: s.Store, Vault: keyring.VaultID(genesis).String(), Device: device.ID().String()}
	for _, x := range statements {
		begun.Objects = append(begun.Objects, store.HashName(store.Keys, x.Name))
	}
	if err := begun.write(o); err != nil {
		return nil, c, err
	}
	var local *keyring.Local
	if err := o.step("keys", func() (err error) {
		local, err = keyring.CreateLocal(o.Rand, o.Home, newLocal(o, keyring.VaultID(genesis), device), prot)
		return err
	}); err != nil {
		return nil, c, err
	}
	v, err := begin(ctx, o, local, s.Store, genesis, statements, true, "", "")
	if err != nil {
		return nil, c, err
	}
	name := o.deviceName(s.DeviceName)
	err = v.announce(name)
	if err == nil {
		// The vault's file first: a store that has it and nothing more is an empty vault.
		inStore = true
		err = st.Put(ctx, store.VaultFile, genesis)
	}
	if err == nil {
		err = v.firstRound(ctx)
	}
	if err == nil {
		err = o.finish()
	}
	if err != nil {
		v.Close()
		if uerr := begun.unfound(ctx, st); uerr == nil {
			inStore = false
		} else {
			o.Log.Warn("what was put into the store could not be taken back", "why", uerr)
		}
		return nil, c, err
	}
	return v, Created{Vault: local.Vault.String(), Device: device.ID().String(), DeviceName: name, Store: s.Store,
		Keys: KeysMode(local.Mode), RecoveryWords: strings.Fields(seed.Words())}, nil
}

// firstRound syncs once, and is strict: a new vault or device begins whole.
func (v *Vault) firstRound(ctx context.Context) error {
	return v.strictRound(ctx, func(*engine.Bad) bool { return false })
}

// strictRound syncs once, applying nothing to files, and gives what is wrong with the
// store as an error, but for what may be.
func (v *Vault) strictRound(ctx context.Context, may func(*engine.Bad) bool) error {
	r, err := v.eng.Round(ctx, engine.RoundOptions{NoApply: true})
	if err != nil {
		return err
	}
	r.Bad = slices.DeleteFunc(r.Bad, may)
	r.Caught = nil // about files here; the next sync asks
	return v.verdict(r)
}

// readKeys reads all that a store shows of a vault's members.
func readKeys(ctx context.Context, st *store.Store) (genesis []byte, statements map[item.Hash][]byte, err error) {
	genesis, err = st.Get(ctx, store.VaultFile)
	if errors.Is(err, driver.NotFound) {
		return nil, nil, &problem.Error{Code: "no-vault", Message: "There is no vault in this store.",
			Hint: "Check the address, or make a vault there with `plait init`.", Err: err}
	}
	if err != nil {
		return nil, nil, err
	}
	infos, err := st.List(ctx, store.Keys)
	if err != nil {
		return nil, nil, err
	}
	statements = map[item.Hash][]byte{}
	for _, i := range infos {
		h, ok := store.HashOf(i.Name)
		if !ok {
			continue
		}
		b, err := st.Get(ctx, i.Name)
		if errors.Is(err, driver.NotFound) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		statements[h] = b
	}
	return genesis, statements, nil
}

// Join makes this device a member of the vault in the store. After a crash, or an error
// once others may have admitted it, it is to be run again, and goes on as the same
// device; any other error leaves nothing behind here.
func Join(ctx context.Context, o Options, s JoinSpec) (_ *Vault, j Joined, err error) {
	o.fill()
	prot, err := o.protection(s.Keys)
	if err != nil {
		return nil, j, err
	}
	was, err := newHome(o, "join", s.Store)
	if err != nil {
		return nil, j, err
	}
	var local *keyring.Local
	known := was != nil // whether others may know this device: then its keys stay
	defer func() {
		switch {
		case err == nil:
		case known && problem.From(err).Code != problem.Refused:
			dropData(o)
		default:
			removeHome(o, false)
		}
	}()
	if was != nil {
		if local, err = keyring.OpenLocal(o.Rand, o.Home, o.unlock()); errors.Is(err, keyring.Missing) {
			local, known = nil, false
		} else if err != nil {
			return nil, j, err
		}
		dropData(o)
	} else if err := (&beginning{Does: "join", Store: s.Store}).write(o); err != nil {
		return nil, j, err
	}
	bucket, err := o.OpenBucket(ctx, s.Store, false)
	if err != nil {
		return nil, j, err
	}
	st := newStore(bucket)
	if local != nil {
		if local, err = stillGood(ctx, o, st, local); err != nil {
			return nil, j, err
		}
		known = local != nil
	}
	name := o.deviceName(s.DeviceName)
	device := keyring.NewDevice(o.Rand)
	if local != nil {
		device = local.Device
	}
	// keep keeps the device's keys, before anybody may admit it.
	keep := func(vault item.Hash, extra map[string][]byte) error {
		return o.step("keys", func() (err error) {
			if local != nil {
				local.Extra = extra
				return local.Save()
			}
			l := newLocal(o, vault, device)
			l.Extra = extra
			local, err = keyring.CreateLocal(o.Rand, o.Home, l, prot)
			return err
		})
	}
	var genesis []byte
	var all []keyring.Statement
	var fresh []keyring.Statement
	done := false
	if local != nil {
		if genesis, all, done, err = goOn(ctx, st, local); err != nil {
			return nil, j, err
		}
	}
	switch {
	case done:
	case s.Code != "":
		genesis, all, err = joinByCode(ctx, o, st, s, device, name, func(a keyring.Answer) error {
			if local != nil && local.Vault != a.Vault {
				return foreignCode
			}
			b, err := json.Marshal(answered{a.Inviter, a.Seen})
			if err == nil {
				err = keep(a.Vault, map[string][]byte{extraAnswered: b})
			}
			known = known || err == nil
			return err
		})
	default:
		if genesis, all, fresh, err = joinByRecovery(ctx, o, st, s, device); err == nil && local == nil {
			err = keep(keyring.VaultID(genesis), nil)
		}
	}
	if err != nil {
		return nil, j, err
	}
	v, err := begin(ctx, o, local, s.Store, genesis, all, false, name, "")
	if err != nil {
		return nil, j, err
	}
	fail := func(err error) (*Vault, Joined, error) { v.Close(); return nil, j, err }
	if err := v.eng.AddStatements(fresh); err != nil {
		return fail(err)
	}
	r, err := v.eng.Round(ctx, engine.RoundOptions{NoApply: true, NoPush: true})
	if err != nil {
		return fail(err)
	}
	if r.Offline != nil {
		return fail(r.Offline)
	}
	if s.Code == "" && s.Newest != nil {
		at, who := v.newest()
		if !s.Newest(at, who) {
			return fail(&problem.Error{Code: "cancelled", Message: "Nothing was joined.", Hint: "If the store may be out of date, wait until it is whole, or pair by code, which a stale store can't deceive."})
		}
	}
	name = v.freeName(name)
	if err := v.announce(name); err != nil {
		return fail(err)
	}
	known = true
	if r, err = v.eng.Round(ctx, engine.RoundOptions{NoApply: true}); err != nil {
		return fail(err)
	}
	if r.Offline != nil {
		return fail(r.Offline)
	}
	if err := o.finish(); err != nil {
		return fail(err)
	}
	j = Joined{Vault: local.Vault.String(), Device: device.ID().String(), DeviceName: name, Keys: KeysMode(local.Mode)}
	for _, m := range v.eng.Ring().Live() {
		if m.Device != device.ID() {
			j.Devices = append(j.Devices, v.eng.DeviceName(m.Device))
		}
	}
	return v, j, nil
}

var foreignCode = &problem.Error{Code: problem.WrongCode, Message: "This code is for another vault than the one that this device began to join.",
	Hint: "Run `plait pair` on a device of that vault for a new code."}

// stillGood is the device that began to join, if it can go on: nil where the store has
// another vault by now, or where it was revoked.
func stillGood(ctx context.Context, o Options, st *store.Store, local *keyring.Local) (*keyring.Local, error) {
	genesis, known, err := readKeys(ctx, st)
	if err != nil {
		return nil, err
	}
	if keyring.VaultID(genesis) == local.Vault {
		ring, _, err := keyring.Build(local.Vault, genesis, known)
		if err != nil {
			return nil, err
		}
		if m, ok := ring.Member(local.Device.ID()); !ok || !m.Revoked {
			return local, nil
		}
	}
	removeParts(o)
	return nil, nil
}

// freeName is name, or where another live device has it, name with a number.
func (v *Vault) freeName(name string) string {
	taken := map[string]bool{}
	for _, m := range v.eng.Ring().Live() {
		if m.Device != v.local.Device.ID() {
			taken[strings.ToLower(v.eng.DeviceName(m.Device))] = true
		}
	}
	free := name
	for n := 2; taken[strings.ToLower(free)]; n++ {
		free = fmt.Sprintf("%s %d", name, n)
	}
	return free
}

// newest is the time of the newest head that the store shows, and whose it is.
func (v *Vault) newest() (at time.Time, who string) {
	for d, t := range v.eng.LastHeads() {
		if t.After(at) {
			at, who = t, v.eng.DeviceName(d)
		}
	}
	return at, who
}

func joinByRecovery(ctx context.Context, o Options, st *store.Store, s JoinSpec, d *keyring.Device) ([]byte, []keyring.Statement, []keyring.Statement, error) {
	genesis, known, err := readKeys(ctx, st)
	if err != nil {
		return nil, nil, nil, err
	}
	ring, _, err := keyring.Build(keyring.VaultID(genesis), genesis, known)
	if err != nil {
		return nil, nil, nil, err
	}
	var seed keyring.Seed
	if s.RecoveryPassphrase != nil {
		seed, err = ring.OpenSlot(keyring.Secret(s.RecoveryPassphrase))
	} else {
		seed, err = keyring.ParseWords(s.RecoveryWords)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	rec := seed.Recovery()
	if err := ring.Recognise(rec); err != nil {
		return nil, nil, nil, err
	}
	if missing := ring.Missing(); len(missing) > 0 {
		return nil, nil, nil, &problem.Error{Code: "incomplete", Message: "The store lacks statements about the vault's members; they may still be on their way.",
			Hint: "Wait until the store is whole, then try again. Nothing was changed."}
	}
	keys, err := ring.Unlock(rec)
	if err != nil {
		return nil, nil, nil, err
	}
	var fresh []keyring.Statement
	if _, member := ring.Member(d.ID()); member { // an earlier attempt did that
		fresh, err = keys.Maintain(o.Rand, o.Clock())
	} else {
		fresh, err = keys.Admit(o.Clock(), d.Public(), true)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return genesis, append(listed(known), fresh...), fresh, nil
}

// pollEvery is how often a mailbox is looked at while two people type and compare.
const pollEvery = 500 * time.Millisecond

func (o *Options) pause(ctx context.Context) error {
	if o.poll != nil {
		return o.poll(ctx)
	}
	t := time.NewTimer(pollEvery)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
