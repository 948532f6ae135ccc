package vault

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"plait/backend/chunk"
	"plait/backend/engine"
	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/localdb"
	"plait/backend/problem"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// What lies in the home folder:
//
//	keys.plait   this device's keys, sealed (keyring)
//	db/          everything kept between runs (localdb)
//	spool/       packs that the store does not have yet (chunk)
const (
	dbDir    = "db"
	spoolDir = "spool"
)

// Vault is an open vault. One goroutine uses it.
type Vault struct {
	o        Options
	local    *keyring.Local
	db       database
	eng      *engine.Engine
	store    *store.Store
	storeErr error
	cfg      config
}

// A database is localdb's, or its twin in tests.
type database interface {
	localdb.DB
	Check() error
}

func (o *Options) openDB(ctx context.Context, key [32]byte) (database, error) {
	if o.db != nil {
		return o.db()
	}
	return localdb.Open(ctx, filepath.Join(o.Home, dbDir), localdb.Options{Key: key, Log: o.Log, Wait: o.Wait})
}

// step makes one change in the home folder. Tests number them.
func (o *Options) step(what string, do func() error) error {
	if o.steps != nil {
		return o.steps(what, do)
	}
	return do()
}

// config is what this device knows of its vault beside the vault's own data.
type config struct {
	Store    string       `json:"store"`
	Attached []attachment `json:"attached,omitempty"`
	LastSync time.Time    `json:"lastSync,omitzero"`
	// Found is what the last sync found wrong, for status.
	Found []Notice `json:"found,omitempty"`
	// Tested is when the recovery words were last typed right.
	Tested time.Time `json:"tested,omitzero"`
	// Version that the device last announced.
	Version string `json:"version,omitempty"`
}

// attachment is an editor's profile or a folder that is synced.
type attachment struct {
	ID         string `json:"id"`
	Kind       string `json:"kind"` // editor, folder (a User folder), files
	Editor     string `json:"editor,omitempty"`
	Profile    string `json:"profile,omitempty"`
	Path       string `json:"path"`
	Name       string `json:"name"`
	Collection string `json:"collection"`
}

const (
	rowConfig = "V/config"
)

func (o *Options) fill() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Wait == 0 {
		o.Wait = localdb.Wait
	}
}

func (o *Options) unlock() keyring.Unlock {
	u := keyring.Unlock{}
	if o.Keychain {
		u.Keychain = keyring.SystemKeychain()
	}
	if o.Passphrase != nil {
		u.Passphrase = func() (keyring.Secret, error) {
			p, err := o.Passphrase()
			return keyring.Secret(p), err
		}
	}
	return u
}

// platform is what the person's system is called in names of items.
func (o *Options) platform() string {
	goos := o.Env.OS
	if goos == "" {
		goos = runtime.GOOS
	}
	switch goos {
	case "darwin":
		return "mac"
	case "windows":
		return "windows"
	}
	return "linux"
}

// Open opens the vault of o.Home. Codes: no-vault where there is none, locked,
// wrong-passphrase, busy, damaged.
func Open(ctx context.Context, o Options) (*Vault, error) {
	o.fill()
	if g, err := readBeginning(o.Home); err != nil {
		return nil, err
	} else if g != nil {
		return nil, g.unfinished(problem.NoVault, o.Home)
	}
	local, err := keyring.OpenLocal(o.Rand, o.Home, o.unlock())
	if errors.Is(err, keyring.Missing) {
		return nil, &problem.Error{Code: "no-vault", Message: "There is no vault on this device yet.",
			Hint: "Make one with `plait init --store FOLDER`, or join one with `plait join`.", Err: err}
	}
	if err != nil {
		return nil, err
	}
	return open(ctx, o, local)
}

func open(ctx context.Context, o Options, local *keyring.Local) (_ *Vault, err error) {
	db, err := o.openDB(ctx, local.DB)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	v := &Vault{o: o, local: local, db: db}
	info := db.Info()
	if info.Fresh {
		return nil, &problem.Error{Code: "lost-database", Message: "This device's database is gone, though its keys are here.",
			Hint: "Nothing in the store is lost. Move " + o.Home + " away, then run `plait join` to make this a device of the vault again."}
	}
	if err := v.readConfig(); err != nil {
		return nil, err
	}
	v.openStore(ctx)
	doubt := info.Doubtful() || local.Restored
	if v.eng, err = v.engine(doubt); err != nil {
		return nil, err
	}
	if doubt {
		if err := db.Accept(); err != nil {
			return nil, err
		}
		if local.Restored {
			if err := local.Save(); err != nil {
				return nil, err
			}
		}
		o.Log.Warn("the database was copied, restored or cut: going on in a new incarnation",
			"copied", info.Copied, "lostTail", info.LostTail, "noAnchor", info.NoAnchor, "keysRestored", local.Restored)
	}
	return v, nil
}

// Close lets go of the database.
func (v *Vault) Close() error { return v.db.Close() }

func (v *Vault) openStore(ctx context.Context) {
	b, err := v.o.OpenBucket(ctx, v.cfg.Store, false)
	if err != nil {
		v.storeErr = err
		return
	}
	v.store, v.storeErr = newStore(b), nil
}

func newStore(b driver.Bucket) *store.Store {
	var m store.Meter
	return store.New(store.Retry(store.Count(b, &m), store.RetryOptions{}), store.Options{Meter: &m})
}

func (v *Vault) engine(restored bool) (*engine.Engine, error) {
	sources, err := v.sources()
	if err != nil {
		return nil, err
	}
	return engine.Open(engine.Config{
		DB: v.db, FS: v.o.FS, Store: v.store, StoreID: storeID(v.cfg.Store),
		Spool: engine.FolderSpool{DirSpool: chunk.DirSpool(filepath.Join(v.o.Home, spoolDir))},
		Keys:  v.local.Device, Platform: v.o.platform(), Clock: v.o.Clock, Rand: v.o.Rand, Log: v.o.Log,
		Workers: runtime.NumCPU(), Restored: restored, Progress: v.progress(),
	}, sources)
}

// storeID names a store in cursors: by where it is.
func storeID(url string) string {
	h := sha256.Sum256([]byte(url))
	return hex.EncodeToString(h[:8])
}

// progress passes progress on, at most four times a second.
func (v *Vault) progress() func(string, int64, int64, int64, int64) {
	if v.o.Progress == nil {
		return nil
	}
	var last time.Time
	var phase string
	return func(p string, done, total, bytesDone, bytesTotal int64) {
		now := time.Now()
		if p == phase && now.Sub(last) < 250*time.Millisecond {
			return
		}
		last, phase = now, p
		v.o.Progress(Progress{Phase: p, Done: done, Total: total, BytesDone: bytesDone, BytesTotal: bytesTotal})
	}
}

func (v *Vault) readConfig() error {
	return v.db.View(func(tx localdb.Tx) error {
		b, ok, err := tx.Get(rowConfig)
		if err != nil {
			return err
		}
		if !ok {
			return &problem.Error{Code: "damaged", Message: "This device's database lacks its settings.",
				Hint: "Move " + v.o.Home + " away and join the vault again; nothing in the store is lost."}
		}
		return json.Unmarshal(b, &v.cfg)
	})
}

func (v *Vault) writeConfig() error {
	b, err := json.Marshal(v.cfg)
	if err != nil {
		return err
	}
	return v.db.Update(func(tx localdb.Tx) error { return tx.Set(rowConfig, b) })
}

// newHome makes a home folder for a device that is about to found or join a vault. was
// is what was begun there before and not finished: the same, in the same store.
func newHome(o Options, does, url string) (was *beginning, err error) {
	if was, err = readBeginning(o.Home); err != nil {
		return nil, err
	}
	if was != nil {
		if was.Does != does || was.Store != url {
			return nil, was.unfinished(problem.Exists, o.Home)
		}
		return was, nil
	}
	return nil, emptyHome(o)
}

func emptyHome(o Options) error {
	if _, err := keyring.LocalMode(o.Home); !errors.Is(err, keyring.Missing) {
		if err != nil && !errors.Is(err, keyring.Damaged) && !errors.Is(err, keyring.Newer) {
			return err
		}
		return &problem.Error{Code: "exists", Message: "This device has a vault already, in " + o.Home + ".",
			Hint: "Nothing was changed. If you never saw its recovery words, `plait recovery --new` makes new ones. For another vault use another folder by PLAIT_HOME, or move that one away."}
	}
	if err := o.step("home", func() error { return os.MkdirAll(o.Home, 0o700) }); err != nil {
		return fmt.Errorf("making %s: %w", o.Home, err)
	}
	if _, err := os.Stat(filepath.Join(o.Home, dbDir)); err == nil {
		return &problem.Error{Code: "exists", Message: "There is a database in " + o.Home + ", but no keys to it.",
			Hint: "Nothing was changed. Move that folder away, then try again."}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// protection says how a new device's keys are kept.
func (o *Options) protection(mode KeysMode) (keyring.Protection, error) {
	chain := keyring.Keychain(nil)
	if o.Keychain {
		chain = keyring.SystemKeychain()
	}
	ask := func() (keyring.Protection, error) {
		if o.Passphrase == nil {
			return keyring.Protection{}, locked
		}
		p, err := o.Passphrase()
		if err != nil {
			return keyring.Protection{}, err
		}
		if len(p) == 0 {
			return keyring.Protection{}, &problem.Error{Code: "locked", Message: "The passphrase is empty.", Hint: "Give one of a few words."}
		}
		return keyring.Protection{Mode: keyring.ByPassphrase, Passphrase: keyring.Secret(p), KDF: o.kdf}, nil
	}
	switch mode {
	case KeysFile:
		return keyring.Protection{Mode: keyring.InFile}, nil
	case KeysPassphrase:
		return ask()
	case KeysKeychain:
		if chain == nil {
			return keyring.Protection{}, locked
		}
		return keyring.Protection{Mode: keyring.ByKeychain, Keychain: chain}, nil
	case "":
		if chain != nil {
			if _, _, err := chain.Get("plait probe"); err == nil {
				return keyring.Protection{Mode: keyring.ByKeychain, Keychain: chain}, nil
			}
		}
		return ask()
	}
	return keyring.Protection{}, &problem.Error{Code: "usage", Message: fmt.Sprintf("Keys can't be kept by %q.", mode), Hint: "Choose keychain, passphrase or file."}
}

var locked = &problem.Error{Code: "locked", Message: "There is no keychain here, and no passphrase was given to seal this device's keys.",
	Hint: "Give --passphrase-file F (or PLAIT_PASSPHRASE_FILE), run it on a terminal to be asked, or accept unsealed keys with --keys file."}

// removeHome takes back what a failed beginning left. With begun, what says that
// something was begun stays.
func removeHome(o Options, begun bool) {
	removeParts(o)
	if begun {
		return
	}
	remove(o, beginningFile)
	_ = o.step("remove", func() error { return os.Remove(o.Home) }) // only if it is empty
}

// removeParts removes what is of one device. Its keys go last: what they alone open is
// of no use without them.
func removeParts(o Options) {
	dropData(o)
	remove(o, keyring.LocalFile)
}

// dropData removes what a device that began to join has but its keys.
func dropData(o Options) {
	remove(o, dbDir)
	remove(o, spoolDir)
}

func remove(o Options, name string) {
	if err := o.step("remove", func() error { return os.RemoveAll(filepath.Join(o.Home, name)) }); err != nil {
		o.Log.Warn("could not clean up", "path", name, "why", err)
	}
}

func (o *Options) deviceName(given string) string {
	if given != "" {
		return given
	}
	if h, err := os.Hostname(); err == nil && h != "" {
		return h
	}
	return "this device"
}

// begin makes the database of a new device and opens the vault over it.
func begin(ctx context.Context, o Options, local *keyring.Local, url string, genesis []byte, statements []keyring.Statement, own bool, name, version string) (*Vault, error) {
	db, err := o.openDB(ctx, local.DB)
	if err != nil {
		return nil, err
	}
	v := &Vault{o: o, local: local, db: db, cfg: config{Store: url}}
	fail := func(err error) (*Vault, error) { db.Close(); return nil, err }
	if err := engine.Init(db, local.Vault, local.Device.ID(), o.Rand, genesis, statements, own); err != nil {
		return fail(err)
	}
	if err := v.writeConfig(); err != nil {
		return fail(err)
	}
	if err := db.Accept(); err != nil {
		return fail(err)
	}
	v.openStore(ctx)
	if v.storeErr != nil {
		return fail(v.storeErr)
	}
	if v.eng, err = v.engine(false); err != nil {
		return fail(err)
	}
	return v, nil
}

// announce writes what others are to know of this device.
func (v *Vault) announce(name string) error {
	me := v.local.Device.ID()
	for what, value := range map[string]string{"name": name, "platform": v.o.platform()} {
		if err := v.eng.SetDevice(me, what, value); err != nil {
			return err
		}
	}
	return nil
}

func newLocal(o Options, vault item.Hash, d *keyring.Device) keyring.Local {
	var key [32]byte
	if _, err := io.ReadFull(o.Rand, key[:]); err != nil {
		panic("vault: no randomness: " + err.Error())
	}
	return keyring.Local{Vault: vault, Device: d, DB: key}
}
