package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"plait/backend/disk"
	"plait/backend/localdb"
	"plait/backend/store/driver"
)

// Engines that are broken on purpose: the simulation must fail with each of them, or it
// would prove nothing about what they break.

// A breakage is one way in which an engine is broken.
type breakage struct {
	name string
	say  string                   // what a failure has to speak of
	from uint64                   // the seed to begin with; 0: 1
	rows []string                 // prefixes of rows that are never kept
	here []check                  // checks that are not made
	disk func(error) error        // what the engine takes an error of the disk for
	db   func(error) error        // what it takes an error of a commit for
	put  func(*gate, error) error // what it takes an error of a Put for
	mute string                   // code of what it keeps to itself
}

var breakages = []breakage{
	{name: "forgets what it sent", say: "I10", rows: []string{rowCursor}},
	{name: "forgets what it has read", say: "I10", rows: []string{rowSeen}},
	{name: "forgets which packs wait", say: "incomplete", rows: []string{rowPackOut}},
	{name: "forgets which files lag behind", say: "the disk has", rows: []string{rowDirty}},
	{name: "takes a file that it can't read for removed", say: "I5", from: 10, disk: func(err error) error {
		if errors.Is(err, disk.ErrBroken) {
			return fs.ErrNotExist
		}
		return err
	}},
	{name: "goes on as if a full database had taken it", from: 105, db: func(err error) error {
		if errors.Is(err, localdb.ErrFull) {
			return nil
		}
		return err
	}},
	{name: "takes what broke off for sent", say: "changed", from: 40, put: func(_ *gate, err error) error {
		if err != nil && strings.Contains(err.Error(), "broke off") {
			return nil
		}
		return err
	}},
	{name: "takes what was refused for sent", from: 15, put: func(b *gate, err error) error {
		if b.Code(err) == driver.Full {
			return nil
		}
		return err
	}},
	{name: "keeps to itself what it found damaged", say: "does not say so", mute: "changed"},
	{name: "keeps to itself that it has a twin", say: "does not tell of a fork", from: 85, mute: "forked"},
	{name: "does not look whether a copy of it writes", say: "fork", from: 40, here: []check{checkOwn}},
	{name: "applies what is not in causal order", say: "I2", here: []check{checkCausal}},
}

// broken is the breakage in force; nil: none.
var broken *breakage

// asBroken puts the breakage in force that the environment names.
func asBroken(t *testing.T) {
	name := os.Getenv("PLAIT_SIM_BREAK")
	if name == "" {
		return
	}
	for i := range breakages {
		if b := &breakages[i]; b.name == name {
			broken = b
			for _, c := range b.here {
				without[c] = true
			}
			return
		}
	}
	t.Fatalf("no breakage %q", name)
}

// database is the machine's database, as a broken engine uses it.
func (b *breakage) database(db localdb.DB) localdb.DB {
	if b == nil || len(b.rows) == 0 && b.db == nil {
		return db
	}
	return &forgetful{db, b}
}

type forgetful struct {
	localdb.DB
	b *breakage
}

func (f *forgetful) Update(fn func(localdb.Tx) error) error {
	err := f.DB.Update(func(tx localdb.Tx) error { return fn(forgetfulTx{tx, f.b}) })
	if f.b.db != nil {
		err = f.b.db(err)
	}
	return err
}

type forgetfulTx struct {
	localdb.Tx
	b *breakage
}

func (t forgetfulTx) Set(key string, value []byte) error {
	for _, p := range t.b.rows {
		if strings.HasPrefix(key, p) {
			return nil
		}
	}
	return t.Tx.Set(key, value)
}

// TestSimulateBroken runs the simulation with each broken engine until it notices.
func TestSimulateBroken(t *testing.T) {
	const most = 400
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := breakages
	if testing.Short() {
		all = all[:4]
	}
	for _, b := range all {
		t.Run(b.name, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), self, "-test.run=^TestSimulate$", "-test.timeout=0")
			c.Env = append(os.Environ(), "PLAIT_SIM_BREAK="+b.name, fmt.Sprintf("PLAIT_SIM_SHARD=%d 1 %d", max(1, b.from), most), "GOMAXPROCS=1")
			out, err := c.CombinedOutput()
			if err == nil {
				t.Fatalf("%d seeds did not notice", most)
			}
			at := strings.LastIndex(string(out), "--- FAIL: TestSimulate/seed=")
			if at < 0 || !strings.Contains(string(out[at:]), b.say) {
				t.Errorf("want word of %q:\n%.2000s", b.say, out)
				return
			}
			lines := strings.SplitN(string(out[at:]), "\n", 3)
			t.Logf("%s: %.200s", strings.TrimPrefix(lines[0], "--- FAIL: TestSimulate/"), strings.TrimSpace(lines[1]))
		})
	}
}
