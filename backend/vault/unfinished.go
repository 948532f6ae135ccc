package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/problem"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// beginningFile is in the home folder from before a vault is founded or joined until
// that is done. Whatever ends it in between, it can be run again: founding takes back
// what it put into the store and starts over; joining goes on as the same device, which
// others may have admitted already.
const beginningFile = "unfinished"

// A beginning says what was begun.
type beginning struct {
	Does    string   `json:"does"` // init, join
	Store   string   `json:"store"`
	Vault   string   `json:"vault,omitempty"`   // what init founds, and as whom
	Device  string   `json:"device,omitempty"`  //
	Objects []string `json:"objects,omitempty"` // that it puts into the store, beside vault.json and heads
}

// readBeginning is nil if nothing was begun, or all of it was finished.
func readBeginning(home string) (*beginning, error) {
	b, err := os.ReadFile(filepath.Join(home, beginningFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g := new(beginning)
	if err := json.Unmarshal(b, g); err != nil {
		return nil, problem.Wrap(problem.Damaged, fmt.Errorf("%s: %w", beginningFile, err))
	}
	return g, nil
}

func (g *beginning) write(o Options) error {
	b, err := json.Marshal(g)
	if err != nil {
		return err
	}
	return o.step("begin", func() error {
		t, err := os.CreateTemp(o.Home, ".begin-*")
		if err != nil {
			return err
		}
		defer os.Remove(t.Name()) // of no effect once it is renamed
		_, err = t.Write(b)
		if err == nil {
			err = t.Sync()
		}
		if err = errors.Join(err, t.Close()); err != nil {
			return err
		}
		return os.Rename(t.Name(), filepath.Join(o.Home, beginningFile))
	})
}

// finish says that the vault here is whole.
func (o *Options) finish() error {
	return o.step("finish", func() error { return os.Remove(filepath.Join(o.Home, beginningFile)) })
}

// unfinished tells a person what was begun here.
func (g *beginning) unfinished(code problem.Code, home string) error {
	what := "Joining the vault in " + g.Store
	if g.Does == "init" {
		what = "Making a vault in " + g.Store
	}
	return &problem.Error{Code: code, Message: what + " was begun on this device, and not finished.",
		Hint: "Run `plait " + g.Does + " --store " + g.Store + "` again: it goes on. To give it up, delete " + home + "."}
}

// unfound takes back what a founding that was not finished put into the store: its keys
// were shown to nobody, so nobody could ever open it.
func (g *beginning) unfound(ctx context.Context, st *store.Store) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	heads, err := st.List(ctx, store.Heads)
	if err != nil {
		return err
	}
	var names []string
	for _, h := range heads {
		if strings.HasPrefix(h.Name, store.Heads+g.Device) {
			names = append(names, h.Name)
		}
	}
	names = append(names, g.Objects...)
	genesis, err := st.Get(ctx, store.VaultFile)
	switch {
	case err == nil && keyring.VaultID(genesis).String() == g.Vault:
		names = append(names, store.VaultFile) // last: until then it is an unfinished vault
	case err != nil && !errors.Is(err, driver.NotFound):
		return err
	}
	for _, n := range names {
		if err := st.Delete(ctx, n); err != nil && !errors.Is(err, driver.NotFound) {
			return err
		}
	}
	return nil
}

// An answered is what a device that answered an invitation has to know of it to go on:
// it is kept with its keys.
type answered struct {
	Inviter keyring.Public
	Seen    []item.Hash
}

const extraAnswered = "join"

// goOn says whether this device, which answered an invitation before, was admitted
// since. It gives all that the store shows of the vault's members.
func goOn(ctx context.Context, st *store.Store, local *keyring.Local) (genesis []byte, all []keyring.Statement, ok bool, err error) {
	var was answered
	b := local.Extra[extraAnswered]
	if b == nil || json.Unmarshal(b, &was) != nil {
		return nil, nil, false, nil
	}
	genesis, known, err := readKeys(ctx, st)
	if err != nil {
		return nil, nil, false, err
	}
	ring, _, err := keyring.Build(local.Vault, genesis, known)
	if err != nil {
		return nil, nil, false, err
	}
	if (keyring.Answer{Vault: local.Vault, Inviter: was.Inviter, Seen: was.Seen}).Admitted(ring, local.Device) != nil {
		return nil, nil, false, nil
	}
	if !given(ring, local.Device) {
		return nil, nil, false, &problem.Error{Code: problem.Incomplete, Message: "This device was admitted, and the vault's keys have not reached the store yet.",
			Hint: "Run `plait sync` on the device that admitted it, then try again."}
	}
	return genesis, listed(known), true, nil
}

// given says whether the vault's keys were given to a device that is a member.
func given(ring *keyring.Ring, d *keyring.Device) bool {
	keys, err := ring.Unlock(d)
	if err == nil {
		_, err = keys.ChunkNames()
	}
	return err == nil
}

func listed(known map[item.Hash][]byte) (all []keyring.Statement) {
	for h, b := range known {
		all = append(all, keyring.Statement{Name: h, Bytes: b})
	}
	return all
}
