// Package view is what a merge view shows and does: a plan of what differs between
// base, local and remote, and a session in which a person decides.
//
//	Build ─> Plan{Slots, Chunks} ─> Session ── Resolve, EditResult, Undo ──> Result
//
// The result is cut into slots; what there is to decide about is in chunks, each in
// one slot. A slot's text follows from the choices of its own chunks alone; what
// stands between slots (commas, a missing line end) follows from which slots hold
// something. So the result is a pure function of the choices.
//
// # Guarantees
//
//   - W1 Result depends on the choices, not on the order in which they were made.
//   - W2 For JSON types whose sides can be read, the result can be read whatever is
//     chosen; only text that was typed can break it, and Validity then says where.
//   - W3 A Delta, applied to the former result, gives the result.
//   - W4 Undo takes back exactly one step, Redo makes it again; typing and choosing
//     are one history.
//   - W5 A chunk's id depends on what it is about and its three values, so that
//     resolutions survive another merge in which they still stand.
//   - W6 Bulk chooses what as many clicks would have chosen.
package view

import (
	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/merge/text"
)

// Sides of a merge, as indexes.
const (
	Base = iota
	Local
	Remote
)

// An OptionID names what can be chosen for a chunk.
type OptionID string

const (
	Undecided  OptionID = ""       // shows what the merge made of it: of a conflict, local
	TakeLocal  OptionID = "local"  //
	TakeRemote OptionID = "remote" //
	TakeBase   OptionID = "base"   // as it was last in sync; absent, if it was not there
	LocalFirst OptionID = "both"   // local's, then what remote has beyond it
	OtherFirst OptionID = "both-remote-first"
	Word       OptionID = "word"   // both sides' changes, word by word: a proposal
	Merged     OptionID = "merged" // what the merge made of it by itself
	Custom     OptionID = "custom" // what a person wrote
)

// A Class says how far an automatic decision can be trusted.
type Class string

const (
	Exact     Class = "exact"     // only one side changed it, or both did alike
	Safe      Class = "safe"      // both changed it, in places apart
	Heuristic Class = "heuristic" // a guess: text too costly to compare
	NoClass   Class = "none"      // nothing was decided
)

// An Option is one thing to choose, and what it would put there.
type Option struct {
	ID   OptionID
	Text string // beginning of it; "" if it removes
	Cut  bool   // there is more than Text
}

// A Chunk is one thing that differs, or a run of what does not.
type Chunk struct {
	ID     string
	Kind   text.Kind
	Lane   item.Lane
	Keys   []item.Key // the atoms that are decided about together, of JSON types
	Reason merge.Reason
	Path   item.Path // of JSON types
	Label  string    // "[go] › editor.tabSize"
	Span   [3]text.Range
	Slot   int // -1: it shows nowhere in the result
	Value  [3]string
	Has    [3]bool // whether the side has a value there at all
	// Options are what can be chosen; none for what is unchanged.
	Options []Option
	// Auto is what stands there as long as nothing is chosen. A conflict has none,
	// and shows TakeLocal.
	Auto  OptionID
	Class Class
	// Group names, of text, the overlapping changes that the chunk is a part of.
	Group string
}

// Decides says whether something can be chosen.
func (c *Chunk) Decides() bool { return len(c.Options) > 0 }

// Side is what is known of one version.
type Side struct {
	Bytes  []byte
	Lines  int
	EOL    string // "\n", "\r\n", "mixed", or "" if it has none
	BOM    bool
	Errors []Diag
	Known  bool // false for a base that isn't known
}

// A Diag is something to know about that needs no decision, or an error in the
// result. Line and Column count from 1; 0 if it has no place.
type Diag struct {
	Kind, Message string
	Path          item.Path
	Line, Column  int
}

// Stats counts chunks by kind, runs of unchanged ones as one.
type Stats struct{ Unchanged, Local, Remote, Both, Conflicts int }

// A Choice is what was chosen for a chunk. Custom is its text, for Custom.
type Choice struct {
	Option OptionID
	Custom []byte
}

// A Plan is a merge prepared for deciding. It is not changed by sessions.
type Plan struct {
	Type   item.Type
	Sides  [3]Side
	Slots  []Slot
	Chunks []Chunk
	Diags  []Diag
	Stats  Stats

	options merge.Options
	points  []point // beside Chunks: what can be chosen for each
	byID    map[string]int
	group   [2]int // slots [from, to) that separators stand between
	always  bool   // the last of them has its separator, too
	json    bool
	whole   *wholeDoc // set if the document is one slot
}

// A Slot is a part of the result. Slots follow each other without gaps.
type Slot struct {
	Chunks []int // in the slot; indexes into Plan.Chunks

	fixed  piece  // what stands there, if nothing can be chosen
	member *small // JSON: the member that stands here, as a document of its own
}

// Input is what to merge. Base nil means that none is known.
type Input struct {
	Type                item.Type
	Base, Local, Remote []byte
	Options             merge.Options

	// Merged and Conflicts, if Merged is not nil, are a merge made elsewhere, as by
	// the engine from its siblings: the text with local's side of what conflicts.
	Merged    []byte
	Conflicts []merge.Conflict
	Decisions []merge.Decision
	Warnings  []merge.Warning
}

// Conflicts lists the ids of the chunks that need a decision, in order.
func (p *Plan) Conflicts() []string {
	var ids []string
	for _, c := range p.Chunks {
		if c.Kind == text.Conflict {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// Chunk finds a chunk by its id; nil if there is none.
func (p *Plan) Chunk(id string) *Chunk {
	if i, ok := p.byID[id]; ok {
		return &p.Chunks[i]
	}
	return nil
}
