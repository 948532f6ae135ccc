package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"time"

	"plait/backend/chunk"
	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/localdb"
	"plait/backend/merge"
	"plait/backend/store"
	"plait/backend/store/driver"
	"plait/backend/store/memstore"
)

// A world is a few devices with their disks, one store, and one clock.
type world struct {
	t       testing.TB
	now     time.Time
	rand    *rand.Rand
	bucket  *memstore.Bucket
	seed    keyring.Seed
	devices []*device
	disk    disk.MemoryOptions // of devices to come
	kit     func(*device)      // changes what they are made of
	sizes   sizes              // of every device's engine; zero: as they ship
}

// A device is a simulated machine.
type device struct {
	w       *world
	name    string
	fs      *disk.Memory
	db      *localdb.Memory
	spool   Spool
	keys    *keyring.Device
	bucket  driver.Bucket
	store   *store.Store
	skew    time.Duration
	rand    io.Reader
	sources []Source
	e       *Engine
}

type randReader struct{ r *rand.Rand }

func (r randReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r.r.Uint32())
	}
	return len(p), nil
}

func newWorld(t testing.TB, seed uint64) *world {
	return &world{t: t, now: time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC), rand: rand.New(rand.NewPCG(seed, 1)), bucket: memstore.New()}
}

func (w *world) tick(d time.Duration) { w.now = w.now.Add(d) }

func (d *device) clock() time.Time { return d.w.now.Add(d.skew) }

// add makes another device: the first founds the vault, others are admitted by it.
func (w *world) add(name string) *device {
	d := w.machine(name)
	if len(w.devices) == 0 {
		w.seed = keyring.NewSeed(d.rand)
		genesis, ss, err := keyring.Found(d.rand, w.now, d.keys, w.seed, nil, keyring.KDF{})
		w.must(err)
		w.must(d.store.Put(context.Background(), store.VaultFile, genesis))
		w.must(Init(d.db, keyring.VaultID(genesis), d.keys.ID(), d.rand, genesis, ss, true))
		d.open()
	} else {
		w.admit(d, true)
	}
	w.devices = append(w.devices, d)
	w.must(d.e.SetDevice(d.keys.ID(), "name", name))
	return d
}

func (w *world) machine(name string) *device {
	d := &device{w: w, name: name, rand: randReader{rand.New(rand.NewPCG(w.rand.Uint64(), w.rand.Uint64()))}}
	d.fs = disk.NewMemory(d.clock, w.disk)
	d.db = localdb.NewMemory()
	d.spool = MemorySpool{MemSpool: &chunk.MemSpool{}}
	d.keys = keyring.NewDevice(d.rand)
	d.bucket = w.bucket
	d.store = store.New(d.bucket, store.Options{})
	d.fs.Mkdir("/" + name + "/User")
	d.fs.Mkdir("/" + name + "/notes")
	d.sources = []Source{
		&userDir{id: "user", root: "/" + name + "/User", collection: "default"},
		&filesDir{id: "notes", root: "/" + name + "/notes", collection: "notes"},
	}
	if w.kit != nil {
		w.kit(d)
	}
	return d
}

// admit makes d a member: the first device signs its admission.
func (w *world) admit(d *device, run bool) {
	by := w.devices[0]
	by.mustSync()
	ss, err := by.e.Keys().Admit(w.now, d.keys.Public(), run)
	w.must(err)
	w.must(by.e.AddStatements(ss))
	by.mustSync()
	genesis, err := by.store.Get(context.Background(), store.VaultFile)
	w.must(err)
	var all []keyring.Statement
	for h, b := range by.e.known {
		all = append(all, keyring.Statement{Name: h, Bytes: b})
	}
	w.must(Init(d.db, by.e.meta.Vault, d.keys.ID(), d.rand, genesis, all, false))
	d.open()
}

func (d *device) config() Config {
	return Config{DB: d.db, FS: d.fs, Store: d.store, StoreID: "s", Spool: d.spool, Keys: d.keys, Platform: "linux",
		Clock: d.clock, Rand: d.rand, Workers: 1, sizes: d.w.sizes, Restored: d.db.Info().Doubtful()}
}

func (d *device) open() {
	e, err := Open(d.config(), d.sources)
	d.w.must(err)
	if d.db.Info().Doubtful() {
		d.w.must(d.db.Accept())
	}
	d.e = e
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatal(err)
	}
}

func (d *device) sync(o RoundOptions) (*Round, error) { return d.e.Round(context.Background(), o) }

// mustSync syncs, and fails the test if anything at all was wrong.
func (d *device) mustSync() *Round {
	d.w.t.Helper()
	r, err := d.sync(RoundOptions{})
	d.w.must(err)
	switch {
	case r.Offline != nil:
		d.w.t.Fatalf("%s: offline: %v", d.name, r.Offline)
	case len(r.Bad) > 0:
		d.w.t.Fatalf("%s: %v", d.name, r.Bad[0])
	case r.Caught != nil:
		d.w.t.Fatalf("%s: %v", d.name, r.Caught)
	case len(r.Waiting) > 0:
		d.w.t.Fatalf("%s: %s waits: %s %s", d.name, r.Waiting[0].Path, r.Waiting[0].Code, r.Waiting[0].Detail)
	}
	return r
}

// write saves a document, as an editor would, at a new instant.
func (d *device) write(name, text string) {
	d.w.tick(3 * time.Second)
	d.fs.WriteFile("/"+d.name+"/"+name, []byte(text))
	d.w.tick(3 * time.Second)
}

func (d *device) read(name string) string {
	b, ok := d.fs.Content("/" + d.name + "/" + name)
	if !ok {
		return "(none)"
	}
	return string(b)
}

// userDir is an editor's User folder, as package editor would describe it.
type userDir struct {
	id, root, collection string
	ignore               func(item.Path) bool
	print                [8]byte
}

func (s *userDir) ID() string         { return s.id }
func (s *userDir) Label() string      { return "Editor · default" }
func (s *userDir) Collection() string { return s.collection }
func (s *userDir) Root() string       { return s.root }
func (s *userDir) MaskPrint() [8]byte { return s.print }

func (s *userDir) Options(n item.Name, _ []byte) merge.Options {
	o := merge.Options{Platform: "linux"}
	if n.Type() == item.Settings {
		o.Ignore = s.ignore
	}
	return o
}

func (s *userDir) Documents(f disk.FS) ([]Doc, error) {
	if _, err := f.Stat(s.root); err != nil {
		return nil, err
	}
	var docs []Doc
	add := func(n item.Name) {
		p, _, _ := s.Locate(n)
		info, err := f.Stat(p)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		docs = append(docs, Doc{Item: n, Path: p, Info: info, Err: err})
	}
	for _, n := range []item.Name{item.NewName(s.collection, item.Settings, "", ""), item.NewName(s.collection, item.Keybindings, "", "linux"),
		item.NewName(s.collection, item.Tasks, "", ""), item.NewName(s.collection, item.MCP, "", "")} {
		add(n)
	}
	for _, t := range []item.Type{item.Prompts, item.Snippets} { // in order: with a disk that fails it shows
		dir := string(t)
		es, err := f.List(path.Join(s.root, dir))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			add(item.NewName(s.collection, t, "", e.Name))
		}
	}
	return docs, nil
}

func (s *userDir) Locate(n item.Name) (string, bool, error) {
	switch n.Type() {
	case item.Settings, item.Tasks, item.MCP:
		return path.Join(s.root, string(n.Type())+".json"), true, nil
	case item.Keybindings:
		return path.Join(s.root, "keybindings.json"), n.Rest() == "linux", nil
	case item.Snippets, item.Prompts:
		return path.Join(s.root, string(n.Type()), n.Rest()), true, nil
	}
	return "", false, nil
}

// filesDir is an added folder.
type filesDir struct{ id, root, collection string }

func (s *filesDir) ID() string                              { return s.id }
func (s *filesDir) Label() string                           { return s.collection }
func (s *filesDir) Collection() string                      { return s.collection }
func (s *filesDir) Root() string                            { return s.root }
func (s *filesDir) MaskPrint() [8]byte                      { return [8]byte{} }
func (s *filesDir) Options(item.Name, []byte) merge.Options { return merge.Options{} }

func (s *filesDir) Documents(f disk.FS) ([]Doc, error) {
	if _, err := f.Stat(s.root); err != nil {
		return nil, err
	}
	var docs []Doc
	err := f.Scan(s.root, func(i disk.Info, err error) error {
		if err != nil {
			return err
		}
		if i.Mode.IsRegular() {
			docs = append(docs, Doc{Item: item.NewName(s.collection, item.Files, "", strings.TrimPrefix(i.Path, s.root+"/")), Path: i.Path, Info: i})
		}
		return nil
	})
	return docs, err
}

func (s *filesDir) Locate(n item.Name) (string, bool, error) {
	if n.Type() != item.Files {
		return "", false, nil
	}
	p, err := disk.Join(s.root, n.Rest())
	return p, true, err
}

func (w *world) String() string { return fmt.Sprintf("%d devices at %s", len(w.devices), w.now) }
