// Package journal turns entries into bytes that outlive this program, and back:
// records, which are chained; segments, heads and snapshots, which are sealed.
//
//	item.Entry ⇄ Record ─┬─▶ Segment ─▶ seal ─▶ segments/<hash>
//	             hash ◀──┘      ▲ link to the one before
//	             └─▶ next       │
//	                          Head ─▶ seal ─▶ sign ─▶ heads/<device>.<inc>.<n>.<hash>
//	          state ─▶ Snapshot parts ─▶ seal ─▶ snapshots/<hash>
//
// FORMAT.md has every layout and what a reader must refuse. The package decides
// nothing: which entry to apply, and whom to believe, is its callers' matter.
//
// # Guarantees
//
//   - J1 A Record's bytes are what is stored and passed on. What this version does
//     not know in them (a field, an action, a kind of value) stays, byte for byte.
//   - J2 A record's hash covers its header, and through it its payload and every
//     record before it. Dropping a payload (retention) changes no hash.
//   - J3 What Encode took, Decode gives back, the same on every device; or an error,
//     and no part of the entry.
//   - J4 A record that does not follow what is known is refused, with whatever
//     stands behind it; so is a segment or a head that is not what its name and
//     its place say.
//   - J5 A likely secret is compressed alone, and never with an earlier text; sizes
//     tell no more of it than its own.
//   - J6 Whatever the bytes, reading them takes memory and time in proportion to the
//     limits below, and never panics.
package journal

import "plait/backend/item"

// A Code says what a caller can do about an error.
type Code string

func (c Code) Error() string { return string(c) }

const (
	ErrFormat     Code = "malformed"                       // a bug, or an attack
	ErrLimit      Code = "over the limits"                 // of Encode: split the entry
	ErrNewer      Code = "written by a newer version"      // keep the bytes; update
	ErrChanged    Code = "changed: the hash differs"       // ask another store
	ErrForeign    Code = "stands for another object"       // swapped, renamed, or of another vault
	ErrSignature  Code = "not signed by its device"        // forged
	ErrKey        Code = "sealed under an unknown key"     // its epoch key is not here yet
	ErrGap        Code = "entries are missing"             // still on their way, or held back
	ErrForked     Code = "a second history of one journal" // a cloned device, or a store that forks
	ErrRolledBack Code = "older than what was seen"        // a store that goes back
	ErrDropped    Code = "payload no longer kept"          // retention
)

// Limits. A writer keeps to them; a reader refuses what does not.
const (
	MaxSeq     = 1<<53 - 1           // of entries in a journal, and of heads
	MaxTime    = item.HLC(1<<63 - 1) // later than that, a clock has wrapped
	MaxAuthors = 1024                // in a vector
	MaxWrites  = 1 << 16             // in an entry
	MaxName    = 4 << 10             // bytes of an item's name
	MaxPath    = 24 << 10            // bytes of an atom's path
	MaxValue   = 4 << 20             // bytes of a value that is not a blob
	MaxNote    = 4 << 10             // bytes of a note
	MaxPlain   = 32 << 20            // bytes of an entry before compression
	MaxPayload = MaxPlain + 1<<20
	MaxRecords = 1 << 16  // in a segment
	MaxSegment = 64 << 20 // bytes of a segment's object
	MaxHead    = 1 << 20  // bytes of a head's object
	MaxPart    = 64 << 20 // bytes of a part of a snapshot, compressed or not
	MaxDepth   = 16       // earlier texts that one text may lean on, one on the other
	maxHeader  = 64 << 10
	maxItems   = 1 << 21 // CBOR items in anything
	maxNesting = 8       // CBOR arrays and maps in one another
)

// A Record is an entry as it is stored and passed on.
type Record struct {
	Header  []byte
	Payload []byte // nil once retention has dropped it
	Hash    item.Hash
}

// A Header is what a record says of itself without its payload.
type Header struct {
	Version uint // of the payload's format
	Author  item.Author
	Seq     uint64
	Prev    item.Hash // hash of the author's record before; zero at Seq 1
	Time    item.HLC
	Deps    item.Vector // what the author had applied, its own journal left out
	Action  item.Action
	Payload item.Hash // SHA-256 of the payload
	Size    uint32    // of the payload, in bytes
}

// Dot names the entry.
func (h *Header) Dot() item.Dot { return item.Dot{Author: h.Author, Seq: h.Seq} }

// A Tip is the end of a journal: the hash of the record at Seq; both zero for
// an empty one.
type Tip struct {
	Author item.Author
	Seq    uint64
	Hash   item.Hash
}

// A Text is an earlier value of an atom, for a newer one to be compressed with.
type Text struct {
	Dot   item.Dot
	Data  []byte
	Depth int // how many texts it leans on in turn
}

// A Dict says which earlier text of the atom the write is to be compressed with,
// if any: one that every reader of the entry has, so one that it replaces.
type Dict func(w *item.Write) (Text, bool)

// Texts finds the earlier text that a dot names. A depth of -1 says that it is not
// known how many texts that one leans on (it came in a snapshot).
type Texts func(item.Name, item.Key, item.Dot) (data []byte, depth int, ok bool)

// Depths has for each write of an entry how many texts its value leans on; it is
// kept with the value, for the next one's Text.
type Depths []uint8

// A NeedText says that a value leans on a text that Texts did not have.
type NeedText struct {
	Item item.Name
	Key  item.Key
	Dot  item.Dot
}

func (e *NeedText) Error() string { return "earlier text " + e.Dot.String() + " is not here" }
