// Package vault is what every face asks: one person's vault on this device, with
// its home folder, keys, store, editors and engine put together. It decides
// nothing about data (state, merge, plan do) and moves no bytes (engine does).
package vault

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"time"

	"plait/backend/disk"
	"plait/backend/editor"
	"plait/backend/keyring"
	"plait/backend/store/driver"
)

// Options are what a face hands in. Home and OpenBucket must be set; the zero
// value of the rest works.
type Options struct {
	Home       string // folder that holds everything of Plait's on this device
	OpenBucket func(ctx context.Context, url string, create bool) (driver.Bucket, error)
	Env        editor.Env // where editors are looked for
	FS         disk.FS
	Log        *slog.Logger
	Clock      func() time.Time
	Rand       io.Reader
	Keychain   bool                   // whether a keychain may be asked at all
	Passphrase func() ([]byte, error) // asked for when keys are locked by a passphrase; nil: none to be had
	Progress   func(Progress)         // called at most 4 times a second
	Wait       time.Duration          // how long to wait for another process; 0: 10 s

	poll  func(ctx context.Context) error          // instead of waiting between two looks at a mailbox, in tests
	db    func() (database, error)                 // instead of the database in Home, in tests
	steps func(what string, do func() error) error // called for each change in Home, in tests

	kdf keyring.KDF // of keys kept by a passphrase; zero: keyring's own. Tests take the floor.
}

// Progress says how far a long job is.
type Progress struct {
	Phase      string `json:"phase"` // observe, seal, push, pull, apply, join
	Done       int64  `json:"done"`
	Total      int64  `json:"total"` // 0: not known yet
	BytesDone  int64  `json:"bytesDone"`
	BytesTotal int64  `json:"bytesTotal"`
}

// KeysMode says how this device's keys are kept.
type KeysMode string

const (
	KeysKeychain   KeysMode = "keychain"
	KeysPassphrase KeysMode = "passphrase"
	KeysFile       KeysMode = "file" // unsealed, mode 0600
)

// CreateSpec is what `plait init` was told. Keys empty: the keychain if there is
// one, else the passphrase if one can be had, else an error of code locked.
type CreateSpec struct {
	Store      string
	DeviceName string // empty: the host's name
	Keys       KeysMode
}

// Created is what the person must see once.
type Created struct {
	Vault         string   `json:"vault"` // id, hex
	Device        string   `json:"device"`
	DeviceName    string   `json:"deviceName"`
	Store         string   `json:"store"`
	Keys          KeysMode `json:"keys"`
	RecoveryWords []string `json:"recoveryWords,omitempty"`
}

// JoinSpec is what `plait join` was told: exactly one of Code, RecoveryWords and
// RecoveryPassphrase is set.
type JoinSpec struct {
	Store              string
	Code               string
	RecoveryWords      string
	RecoveryPassphrase []byte
	DeviceName         string
	Keys               KeysMode
	// CheckWords is told the four words that both sides show, when joining by code.
	CheckWords func(words []string)
	// Newest is told how fresh the store is, when joining by recovery key; false ends the join.
	Newest func(t time.Time, device string) bool
}

// Joined tells the outcome of a join.
type Joined struct {
	Vault      string   `json:"vault"`
	Device     string   `json:"device"`
	DeviceName string   `json:"deviceName"`
	Keys       KeysMode `json:"keys"`
	Devices    []string `json:"devices"` // names of the others
}

// PairUI is the old device's side of pairing.
type PairUI interface {
	// Show is given the code to be typed on the new device, and when it ends.
	Show(code string, expires time.Time)
	// Approve is asked once somebody used the code: is it the person's own? run
	// says whether the new device may change what runs here (tasks, MCP servers, terminal profiles).
	Approve(name, platform string, words []string) (approve, run bool, err error)
}

// Paired tells whom Pair admitted.
type Paired struct {
	Device string `json:"device"`
	Name   string `json:"name"`
	Run    bool   `json:"run"`
}

// An EditorInfo is an editor's profile that was found here, or a folder that was added.
type EditorInfo struct {
	Name       string `json:"name"`    // "VS Code"; for an added folder its NAME
	Command    string `json:"command"` // "code"
	Profile    string `json:"profile"` // "default"
	Version    string `json:"version,omitempty"`
	Path       string `json:"path"` // User folder, or the added folder
	Kind       string `json:"kind"` // "editor" or "files"
	Attached   bool   `json:"attached"`
	Collection string `json:"collection,omitempty"` // once attached, or what it would join
	Missing    bool   `json:"missing,omitempty"`    // attached, but its folder is gone
}

// AttachSpec names what to attach: an Editor with a Profile, or a Path.
type AttachSpec struct {
	Editor     string
	Profile    string
	Path       string
	Name       string
	Files      bool
	Collection string
}

// An AttachPlan says what attaching does, per data type, before anything is done.
type AttachPlan struct {
	Editor     string       `json:"editor"`
	Profile    string       `json:"profile,omitempty"`
	Collection string       `json:"collection"`
	Path       string       `json:"path"`
	Types      []AttachType `json:"types"`
	Notes      []string     `json:"notes,omitempty"`
	Done       bool         `json:"done"` // false after --dry-run
}

// An AttachType is one row of the plan; counts are of atoms (settings, keybindings, snippet fields, files).
type AttachType struct {
	Type    string `json:"type"`
	Here    int    `json:"here"`
	InVault int    `json:"inVault"`
	Equal   int    `json:"equal"`
	Add     int    `json:"add"`     // go up from here
	Receive int    `json:"receive"` // come down
	Differ  int    `json:"differ"`  // will wait as conflicts
	Masked  int    `json:"masked"`  // stay on this device
	Action  string `json:"action"`  // upload, download, merge, nothing, skip
}

// SyncOptions say what a sync does.
type SyncOptions struct {
	Only           []string // data types; empty: all
	Pull, Push     bool     // Pull pushes nothing, Push applies nothing; both or neither: everything
	AcceptRemovals bool
}

// UpDown counts in both directions.
type UpDown struct {
	Up   int64 `json:"up"`
	Down int64 `json:"down"`
}

// A SyncResult is what `plait sync --json` prints, counted at the store.
type SyncResult struct {
	Items struct {
		Pulled    int `json:"pulled"`
		Pushed    int `json:"pushed"`
		Applied   int `json:"applied"`
		Conflicts int `json:"conflicts"`
	} `json:"items"`
	Requests  UpDown          `json:"requests"`
	Bytes     UpDown          `json:"bytes"`
	Seconds   float64         `json:"seconds"`
	Conflicts []ItemConflicts `json:"conflicts"`
	Waiting   []Waiting       `json:"waiting,omitempty"`  // what could not be applied, and why; tried again next time
	Warnings  []Notice        `json:"warnings,omitempty"` // what a merge made: a keybinding clash, ...
	Error     *Notice         `json:"error,omitempty"`    // what went wrong though the rest was done: incomplete, rollback, changed
}

// Waiting is an item that this device holds but could not write or read.
type Waiting struct {
	Item   string `json:"item"`
	File   string `json:"file"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty"`
}

// A Notice is something to tell the person.
type Notice struct {
	Code    string `json:"code"`
	Item    string `json:"item,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// ItemConflicts are the open conflicts of one item.
type ItemConflicts struct {
	Item      string     `json:"item"`
	Conflicts []Conflict `json:"conflicts"`
}

// A Conflict is one atom on which devices disagree. Absent sides are nil: removed there.
// JSON values stand as they are; text as a JSON string; binary as {"size", "hash"}.
type Conflict struct {
	ID      string          `json:"id"`
	Path    []string        `json:"path"`
	Label   string          `json:"label"`
	Reason  string          `json:"reason"` // code
	Why     string          `json:"why"`    // a sentence with device names
	Base    json.RawMessage `json:"base,omitempty"`
	Local   json.RawMessage `json:"local,omitempty"`
	Remote  json.RawMessage `json:"remote,omitempty"`
	Others  []Side          `json:"others,omitempty"`
	Since   time.Time       `json:"since"`
	Devices []string        `json:"devices"` // whose sides these are: local's, remote's, others'
}

// A Side is one more sibling.
type Side struct {
	Device string          `json:"device"`
	Value  json.RawMessage `json:"value,omitempty"`
}

// ResolveSpec chooses for one conflict of an item, or (Path nil, ID "") all of them.
// Exactly one of Take and Value is set.
type ResolveSpec struct {
	Item  string
	Path  []string
	ID    string
	Take  string // local, remote, base, both, or a device's name
	Value json.RawMessage
}

// Resolved tells what Resolve wrote.
type Resolved struct {
	Item    string `json:"item"`
	Chosen  int    `json:"chosen"`  // conflicts resolved
	Left    int    `json:"left"`    // conflicts of the item still open
	Applied bool   `json:"applied"` // whether this device's files have it already
}

// A TypeStatus is one row of `plait status`.
type TypeStatus struct {
	Collection string `json:"collection"`
	Type       string `json:"type"`
	Items      int    `json:"items"`
	Conflicts  int    `json:"conflicts"`
	Waiting    int    `json:"waiting"` // items that could not be applied
	Approval   int    `json:"approval"`
	Strategy   string `json:"strategy"`
}

// Status is the whole, as known here without asking the store.
type Status struct {
	State      string       `json:"state"` // up-to-date, waiting, needs-you, problem
	Sentence   string       `json:"sentence"`
	Vault      string       `json:"vault"`
	Device     string       `json:"device"`
	DeviceName string       `json:"deviceName"`
	Store      string       `json:"store"`
	Keys       KeysMode     `json:"keys"`
	LastSync   time.Time    `json:"lastSync,omitzero"`
	Unsent     int          `json:"unsent"`
	Types      []TypeStatus `json:"types"`
	Editors    []EditorInfo `json:"editors"`
	Approvals  []string     `json:"approvals,omitempty"`
	Problems   []Notice     `json:"problems,omitempty"`
}

// A StrategyRow is one strategy in force: For is a type, an item, or "" for the default.
type StrategyRow struct {
	For      string `json:"for"`
	Strategy string `json:"strategy"`
	Set      bool   `json:"set"` // by a person, else the default
}

// A Version is one entry as it touched an item.
type Version struct {
	Version string    `json:"version"` // hash of the entry, hex
	Time    time.Time `json:"time"`
	Device  string    `json:"device"`
	Action  string    `json:"action"`
	Item    string    `json:"item"`
	Changes []Change  `json:"changes"`
	Note    string    `json:"note,omitempty"`
}

// A Change is one atom's before and after.
type Change struct {
	Path   []string        `json:"path"`
	Label  string          `json:"label"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// A DiffResult compares two versions of an item; B empty means what is current.
type DiffResult struct {
	Item    string   `json:"item"`
	A       string   `json:"a"`
	B       string   `json:"b"`
	Changes []Change `json:"changes"`
	Unified string   `json:"unified"` // of the rendered documents; empty for binary files
}

// RestoreSpec: What is an item, a data type, a collection or "all"; To a version or a time.
type RestoreSpec struct {
	What   string
	To     string
	DryRun bool
}

// Restored tells what a restore wrote, or would write.
type Restored struct {
	To      time.Time      `json:"to"`
	Items   []RestoredItem `json:"items"`
	Done    bool           `json:"done"`
	Version string         `json:"version,omitempty"`
}

// RestoredItem is one item of a restore.
type RestoredItem struct {
	Item    string   `json:"item"`
	Changes []Change `json:"changes"`
}

// Approved tells what was approved, or would be.
type Approved struct {
	Item    string   `json:"item"`
	Changes []Change `json:"changes"` // of this device's files
	As      string   `json:"as"`      // stands for exactly these changes; empty: nothing waits
	Done    bool     `json:"done"`
	Applied bool     `json:"applied"` // whether this device's files have it already
}

// A DeviceRow is one device of the vault.
type DeviceRow struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	This        bool      `json:"this"`
	Platform    string    `json:"platform,omitempty"`
	Version     string    `json:"version,omitempty"`
	LastSeen    time.Time `json:"lastSeen,omitzero"` // newest head seen
	Fingerprint string    `json:"fingerprint"`
	Run         bool      `json:"run"`
	Revoked     bool      `json:"revoked"`
	ClockAhead  string    `json:"clockAhead,omitempty"`
}

// Revoked tells what revoking did, and what it can't do.
type Revoked struct {
	Device string   `json:"device"`
	Name   string   `json:"name"`
	Epoch  string   `json:"epoch"`
	Notes  []string `json:"notes"` // what the device keeps; which store passwords to change
}

// A LogRow is one line of the audit log.
type LogRow struct {
	Time    time.Time `json:"time"`
	Device  string    `json:"device"`
	Seq     uint64    `json:"seq"`
	Action  string    `json:"action"` // entries': edit, resolve, ...; statements': admit, revoke, epoch, recovery, passphrase
	Target  string    `json:"target"` // items, or a device
	Detail  string    `json:"detail"` // counts and labels, never values
	Version string    `json:"version"`
}

// LogQuery filters the log; zero fields don't.
type LogQuery struct {
	Item   string
	Device string
	Since  string // TIME
	Until  string
	Action string
	Limit  int
}

// A Finding is one thing that doctor or log --verify found.
type Finding struct {
	Check   string `json:"check"`
	OK      bool   `json:"ok"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Object  string `json:"object,omitempty"`
}

// RecoverySpec: New makes a new seed (hence new words); Words tests words;
// Passphrase sets the passphrase that can stand for the words (new words too).
type RecoverySpec struct {
	Test       string
	New        bool
	Passphrase []byte
}

// Recovery tells about the recovery key; Words only when they are new.
type Recovery struct {
	Since      time.Time `json:"since,omitzero"`
	Tested     time.Time `json:"tested,omitzero"`
	Passphrase bool      `json:"passphrase"`
	Matches    *bool     `json:"matches,omitempty"` // the answer to Test
	Words      []string  `json:"words,omitempty"`
}
