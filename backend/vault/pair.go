package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"plait/backend/keyring"
	"plait/backend/problem"
	"plait/backend/store"
	"plait/backend/store/driver"
)

func joinByCode(ctx context.Context, o Options, st *store.Store, s JoinSpec, d *keyring.Device, name string, answering func(keyring.Answer) error) ([]byte, []keyring.Statement, error) {
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
	if err := answering(answer); err != nil {
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
	for over := false; ; {
		genesis, known, err := readKeys(ctx, st)
		if err != nil {
			return nil, nil, err
		}
		ring, _, err := keyring.Build(answer.Vault, genesis, known)
		if err != nil {
			return nil, nil, err
		}
		switch err := answer.Admitted(ring, d); {
		case err == nil && !given(ring, d): // its admission came before its keys
		case err == nil:
			return genesis, listed(known), nil
		case !errors.Is(err, keyring.NotMember) && !errors.Is(err, keyring.Incomplete):
			return nil, nil, err
		}
		if _, err := st.Get(ctx, inviter); errors.Is(err, driver.NotFound) {
			if !over { // it may have admitted this device just before: look once more
				over = true
				continue
			}
			return nil, nil, &problem.Error{Code: "refused", Message: "The other device refused, or ended the pairing.", Hint: "Run `plait pair` there for a new code."}
		}
		if o.Clock().Sub(started) > keyring.PairFor {
			return nil, nil, keyring.Expired
		}
		if err := o.pause(ctx); err != nil {
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
		if err := v.o.pause(ctx); err != nil {
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
