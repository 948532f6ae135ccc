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
	"plait/backend/problem"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// Create makes a new vault in the store and this device its first member. An error
// leaves nothing behind here.
func Create(ctx context.Context, o Options, s CreateSpec) (_ *Vault, c Created, err error) {
	o.fill()
	prot, err := o.protection(s.Keys)
	if err != nil {
		return nil, c, err
	}
	if err := newHome(o); err != nil {
		return nil, c, err
	}
	defer func() {
		if err != nil {
			removeHome(o)
		}
	}()
	bucket, err := o.OpenBucket(ctx, s.Store, true)
	if err != nil {
		return nil, c, err
	}
	st := newStore(bucket)
	if _, err := st.Get(ctx, store.VaultFile); err == nil {
		if heads, err := st.List(ctx, store.Heads); err == nil && len(heads) == 0 {
			return nil, c, &problem.Error{Code: "exists", Message: "In " + s.Store + " a vault was begun and not finished: no device ever wrote to it.",
				Hint: "Nothing was changed. If no other device is making it right now, delete vault.json there and try again."}
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
	local, err := keyring.CreateLocal(o.Rand, o.Home, newLocal(o, keyring.VaultID(genesis), device), prot)
	if err != nil {
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
		err = st.Put(ctx, store.VaultFile, genesis)
	}
	if err == nil {
		err = v.firstRound(ctx)
	}
	if err != nil {
		v.unfound(ctx, st, statements)
		v.Close()
		return nil, c, err
	}
	return v, Created{Vault: local.Vault.String(), Device: device.ID().String(), DeviceName: name, Store: s.Store,
		Keys: KeysMode(local.Mode), RecoveryWords: strings.Fields(seed.Words())}, nil
}

// unfound takes back what a founding that failed put into the store: its keys go
// with the home folder, so nobody could ever open it. What can't be deleted stays.
func (v *Vault) unfound(ctx context.Context, st *store.Store, statements []keyring.Statement) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	names := []string{}
	heads, err := st.List(ctx, store.Heads)
	if err != nil {
		return // it can't be reached
	}
	for _, h := range heads {
		if strings.HasPrefix(h.Name, store.Heads+v.local.Device.ID().String()) {
			names = append(names, h.Name)
		}
	}
	for _, s := range statements {
		names = append(names, store.HashName(store.Keys, s.Name))
	}
	genesis, err := st.Get(ctx, store.VaultFile)
	if err == nil && keyring.VaultID(genesis) == v.local.Vault {
		names = append(names, store.VaultFile) // last: until then it is an unfinished vault
	}
	for _, n := range names {
		if err := st.Delete(ctx, n); err != nil {
			v.o.Log.Warn("an object of a vault that was not finished stays behind", "name", n, "why", err)
			return
		}
	}
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

// Join makes this device a member of the vault in the store.
func Join(ctx context.Context, o Options, s JoinSpec) (_ *Vault, j Joined, err error) {
	o.fill()
	prot, err := o.protection(s.Keys)
	if err != nil {
		return nil, j, err
	}
	if err := newHome(o); err != nil {
		return nil, j, err
	}
	defer func() {
		if err != nil {
			removeHome(o)
		}
	}()
	bucket, err := o.OpenBucket(ctx, s.Store, false)
	if err != nil {
		return nil, j, err
	}
	st := newStore(bucket)
	name := o.deviceName(s.DeviceName)
	device := keyring.NewDevice(o.Rand)
	var genesis []byte
	var all []keyring.Statement
	var fresh []keyring.Statement
	if s.Code != "" {
		genesis, all, err = joinByCode(ctx, o, st, s, device, name)
	} else {
		genesis, all, fresh, err = joinByRecovery(ctx, o, st, s, device)
	}
	if err != nil {
		return nil, j, err
	}
	local, err := keyring.CreateLocal(o.Rand, o.Home, newLocal(o, keyring.VaultID(genesis), device), prot)
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
	if r, err = v.eng.Round(ctx, engine.RoundOptions{NoApply: true}); err != nil {
		return fail(err)
	}
	if r.Offline != nil {
		return fail(r.Offline)
	}
	j = Joined{Vault: local.Vault.String(), Device: device.ID().String(), DeviceName: name, Keys: KeysMode(local.Mode)}
	for _, m := range v.eng.Ring().Live() {
		if m.Device != device.ID() {
			j.Devices = append(j.Devices, v.eng.DeviceName(m.Device))
		}
	}
	return v, j, nil
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
	fresh, err := keys.Admit(o.Clock(), d.Public(), true)
	if err != nil {
		return nil, nil, nil, err
	}
	var all []keyring.Statement
	for h, b := range known {
		all = append(all, keyring.Statement{Name: h, Bytes: b})
	}
	return genesis, append(all, fresh...), fresh, nil
}

// pollEvery is how often a mailbox is looked at while two people type and compare.
const pollEvery = 500 * time.Millisecond

func wait(ctx context.Context) error {
	t := time.NewTimer(pollEvery)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func joinByCode(ctx context.Context, o Options, st *store.Store, s JoinSpec, d *keyring.Device, name string) ([]byte, []keyring.Statement, error) {
	code, err := keyring.ParsePairCode(s.Code)
	if err != nil {
		return nil, nil, &problem.Error{Code: problem.WrongCode, Message: "That is no pairing code: a word is misspelt, missing, or out of place. Nothing was changed.",
			Hint: "Type the 12 words as `plait pair` shows them on the other device.", Err: err}
	}
	inviter, joiner := code.Boxes()
	msg, err := st.Get(ctx, inviter)
	if errors.Is(err, driver.NotFound) {
		return nil, nil, keyring.WrongCode
	}
	if err != nil {
		return nil, nil, err
	}
	started := o.Clock()
	answer, reply, err := keyring.Respond(o.Rand, started, code, d, o.platform()+"|"+name, msg)
	if err != nil {
		return nil, nil, err
	}
	if err := st.Put(ctx, joiner, reply); err != nil {
		if errors.Is(err, driver.Exists) {
			return nil, nil, keyring.Used
		}
		return nil, nil, err
	}
	if s.CheckWords != nil {
		s.CheckWords(answer.Words)
	}
	for {
		genesis, known, err := readKeys(ctx, st)
		if err != nil {
			return nil, nil, err
		}
		ring, _, err := keyring.Build(answer.Vault, genesis, known)
		if err != nil {
			return nil, nil, err
		}
		switch err := answer.Admitted(ring, d); {
		case err == nil:
			var all []keyring.Statement
			for h, b := range known {
				all = append(all, keyring.Statement{Name: h, Bytes: b})
			}
			return genesis, all, nil
		case !errors.Is(err, keyring.NotMember) && !errors.Is(err, keyring.Incomplete):
			return nil, nil, err
		}
		if _, err := st.Get(ctx, inviter); errors.Is(err, driver.NotFound) {
			return nil, nil, &problem.Error{Code: "refused", Message: "The other device refused, or ended the pairing.", Hint: "Run `plait pair` there for a new code."}
		}
		if o.Clock().Sub(started) > keyring.PairFor {
			return nil, nil, keyring.Expired
		}
		if err := wait(ctx); err != nil {
			return nil, nil, err
		}
	}
}

// Pair shows a code, waits for a device that uses it, and admits that one if the
// person approves.
func (v *Vault) Pair(ctx context.Context, ui PairUI) (p Paired, err error) {
	if v.storeErr != nil {
		return p, v.storeErr
	}
	if err := v.firstRound(ctx); err != nil {
		return p, fmt.Errorf("syncing before pairing: %w", err)
	}
	code := keyring.NewPairCode(v.o.Rand)
	started := v.o.Clock()
	inv, msg := keyring.Invite(v.o.Rand, started, code, v.local.Device, v.eng.Ring(), v.eng.Vector())
	inviter, joiner := code.Boxes()
	if err := v.store.Put(ctx, inviter, msg); err != nil {
		return p, err
	}
	defer func() {
		// The mailbox ends with the pairing, also when that was cancelled.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		for _, n := range []string{joiner, inviter} {
			if derr := v.store.Delete(clean, n); derr != nil {
				v.o.Log.Warn("a mailbox stays behind; it is of no use to anybody", "name", n, "why", derr)
			}
		}
	}()
	ui.Show(code.Words(), started.Add(keyring.PairFor))
	var who keyring.Joiner
	for {
		reply, err := v.store.Get(ctx, joiner)
		if err == nil {
			if who, err = inv.Receive(v.o.Clock(), reply); err != nil {
				return p, err
			}
			break
		}
		if !errors.Is(err, driver.NotFound) {
			return p, err
		}
		if v.o.Clock().Sub(started) > keyring.PairFor {
			return p, keyring.Expired
		}
		if err := wait(ctx); err != nil {
			return p, err
		}
	}
	platform, name, ok := strings.Cut(who.Name, "|") // as joinByCode puts it
	if !ok || strings.TrimSpace(name) == "" {
		platform, name = "unknown", who.Name // another program's
	}
	approve, run, err := ui.Approve(name, platform, who.Words)
	if err != nil {
		return p, err
	}
	if !approve {
		return p, &problem.Error{Code: "refused", Message: "The device was not admitted.", Hint: "Nothing was changed."}
	}
	ss, err := v.eng.Keys().Admit(v.o.Clock(), who.Keys, run)
	if err != nil {
		return p, err
	}
	if err := v.eng.AddStatements(ss); err != nil {
		return p, err
	}
	id := who.Keys.Device()
	if err := v.eng.SetDevice(id, "name", name); err != nil {
		return p, err
	}
	if err := v.firstRound(ctx); err != nil {
		return p, err
	}
	return Paired{Device: id.String(), Name: name, Run: run}, nil
}
