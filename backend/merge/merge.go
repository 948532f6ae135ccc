// Package merge takes documents apart into atoms, puts atoms back into documents,
// and joins three versions of a value or of a document into one.
//
//	text ──Atomize──▶ atoms ──(the engine's siblings, Value)──▶ atoms ──Render──▶ text
//	base, local, remote ──Three──▶ text, conflicts, decisions, warnings
//
// # Guarantees
//
//   - M1 Everything here is a pure function of its arguments: no clock, no timeout, no
//     device, no map order shows. Whichever device computes, the bytes are the same.
//   - M2 How a document is cut depends on its type, on the paths in it and on
//     TableVersion; never on what a value says.
//   - M3 Render(t, x, Atomize(t, x).Atoms) is x, byte for byte; bytes outside edits stay.
//   - M4 Atomize(Render(t, x, want)) means want, save where comments and skeletons
//     stand at keys that want does not have.
//   - M5 What Render and Three write parses, if what they read did.
//   - M6 Value is symmetric in its sides. Three is so in its conflicts and values; order
//     and formatting follow local, the document that is edited.
//   - M7 Each change of either side is in Three's text or in exactly one conflict.
package merge

import (
	"errors"
	"fmt"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

var (
	// ErrTooDeep and ErrTooLarge say that a document is beyond what is merged by its
	// structure: 1000 levels, 64 MB.
	ErrTooDeep  = jsonc.ErrTooDeep
	ErrTooLarge = jsonc.ErrTooLarge
	// ErrAtoms says that the atoms given can't be written as one document.
	ErrAtoms = errors.New("atoms that make no document")
)

// A SyntaxError says where a document stops being JSON with comments.
type SyntaxError struct {
	Line, Column int // from 1; the column in bytes
	Msg          string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// Options say what differs between replicas.
type Options struct {
	// Ignore says which members are masked: in no atom, and left as they are by
	// Render. It is asked for every member on the way down; nil masks nothing.
	Ignore func(item.Path) bool
	// Platform is linux, mac, windows or "". It changes no atom.
	Platform string
}

// A Doc is a document taken apart.
type Doc struct {
	Atoms    map[item.Key]item.Value
	Warnings []Warning
}

// A Reason says why a merge did what it did. Code is one of the constants below.
type Reason struct {
	Code string
	Args map[string]string
}

const (
	BothChanged    = "both-changed"    // both sides changed it, differently
	BothAdded      = "both-added"      // both added it, differently, or no base is known
	ChangedRemoved = "changed-removed" // local changed what remote removed
	RemovedChanged = "removed-changed" // local removed what remote changed
	OrderDiffers   = "order"           // both ordered one key's rules, differently
	TextDiffers    = "text"            // both changed the same lines
	Shape          = "shape"           // a value on one side, members below it on the other
	Rebound        = "rebound"         // both gave one command another key, differently
	Syntax         = "syntax"          // a side has syntax errors, and its text does not merge

	LocalOnly      = "local-only"      // only local changed it
	RemoteOnly     = "remote-only"     // only remote changed it
	SameChange     = "same-change"     // both changed it alike
	MergedInside   = "merged-inside"   // both changed parts of it that do not touch
	CommentDiffers = "comment"         // both changed a comment, differently: local's shows
	CommentGone    = "comment-removed" // a changed comment's key was removed
	OrderChosen    = "order-chosen"    // both changed an order that has no meaning: one was taken
)

// A Conflict is what a merge leaves to the person. An absent side is nil.
type Conflict struct {
	ID                  string
	Key                 item.Key
	Label               string
	Reason              Reason
	Base, Local, Remote *item.Value
}

// A Decision is what a merge did by itself.
type Decision struct {
	Key    item.Key
	Took   string // local, remote, both or merged
	Reason Reason
}

// A Warning is what a person should look at though nothing conflicts.
type Warning struct {
	Key     item.Key
	Kind    string // duplicate-key, keybinding-clash, …
	Message string
}

const (
	DuplicateKey     = "duplicate-key"
	KeybindingClash  = "keybinding-clash"
	KeybindingTwice  = "keybinding-twice"
	NegationOrphaned = "negation-orphaned"
	LanguageOverride = "language-override"
	PrefixClash      = "prefix-clash"
	TypeChange       = "type-change"
)

// A Result is three documents merged. Where they conflict, Text holds local's side;
// of a text document, diff3 markers.
type Result struct {
	Clean     bool
	Text      []byte
	Conflicts []Conflict
	Decisions []Decision
	Warnings  []Warning
}

// structured says whether documents of type t are cut into atoms.
func structured(t item.Type) bool {
	switch t {
	case item.Settings, item.Keybindings, item.Snippets, item.Tasks, item.MCP, item.Policy:
		return true
	}
	return false
}
