// Package text merges text by lines, three ways, and compares it, two ways, by
// lines and by words.
//
//	base ──diff──> local ┐
//	  └───diff──> remote ┴─> regions ─> refined ─> Chunks ─> Text, Markers
//
// Lines are interned to numbers; only numbers ever reach the matching kernel
// (DiffMainRunes of github.com/sergi/go-diff), so that no byte of a document,
// valid UTF-8 or not, can be changed by it.
//
// # Guarantees
//
//   - T1 Merge is a pure function: no clock, no randomness, no limit in seconds.
//     What is too costly to compare, by count of steps, is one large replacement,
//     and the result says so (Coarse).
//   - T2 The chunks partition base, local and remote: each byte of each is in
//     exactly one chunk, in order.
//   - T3 Merge(b, l, r) and Merge(b, r, l) have the same conflicts, and the same
//     Text where clean.
//   - T4 Merge(b, l, b) is l, Merge(b, b, r) is r and Merge(b, l, l) is l, byte for byte.
//   - T5 Changes that overlap or touch conflict, as in git, unless both sides
//     made the same one.
//   - T6 If each version uses one line ending throughout, line endings never
//     conflict: the result has the changed one.
//   - T7 Each line of the result is a line of base, local or remote, but for its
//     line ending.
package text

// A Kind says how a chunk came about.
type Kind uint8

const (
	Unchanged Kind = iota // alike in all three
	Local                 // only local changed it
	Remote                // only remote changed it
	Both                  // both made the same change
	Conflict              // both changed it, differently
)

func (k Kind) String() string {
	return [...]string{"unchanged", "local", "remote", "both", "conflict"}[k]
}

// A Range is part of one version: bytes [Start, End), and the same as lines
// [Line, LineEnd) counted from 0. An empty range is a place between lines.
type Range struct {
	Start, End    int
	Line, LineEnd int
}

// Empty says whether the range holds nothing.
func (r Range) Empty() bool { return r.Start == r.End }

// Of is the range's part of the version that it belongs to.
func (r Range) Of(doc []byte) []byte { return doc[r.Start:r.End:r.End] }

// A Chunk is a run of lines that were treated alike.
type Chunk struct {
	Kind                Kind
	Base, Local, Remote Range

	// Region numbers, from 1, the overlapping changes that the chunk is a part of;
	// 0 if it is on its own. Inside a region only the lines in which local and
	// remote differ are of Kind Conflict; those they share are of Kind Both.
	Region int
}

// A Result is a merge.
type Result struct {
	Clean  bool // no chunk is of Kind Conflict
	Coarse bool // some part was too costly to compare, and stands as one replacement
	Chunks []Chunk

	base, local, remote version
	eol                 style  // what line ends are written as; asIs: as they are
	whole               []byte // the text, where it is one of the sides untouched
	isWhole             bool
}

// Conflicts counts the chunks of Kind Conflict.
func (r Result) Conflicts() int {
	n := 0
	for _, c := range r.Chunks {
		if c.Kind == Conflict {
			n++
		}
	}
	return n
}
