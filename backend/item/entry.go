package item

import (
	"bytes"
	"time"
)

// HLC is a hybrid logical clock: milliseconds since 1970 in the upper 48 bits, a
// counter in the lower 16. It orders what is displayed and breaks ties; it
// decides neither causality, nor expiry, nor collection.
type HLC uint64

// Now is the clock's next reading, given the wall clock: never less than last+1.
func (last HLC) Now(wall time.Time) HLC {
	if ms := wall.UnixMilli(); ms > 0 && HLC(ms)<<16 > last {
		return HLC(ms) << 16
	}
	return last + 1
}

// Time is the wall clock part.
func (c HLC) Time() time.Time { return time.UnixMilli(int64(c >> 16)).UTC() }

// MaxAhead is how far another device's clock may run ahead and still be adopted.
const MaxAhead = 10 * time.Minute

// A Kind says what a Value holds.
type Kind uint8

const (
	Absent Kind = 0 // a tombstone: the atom was removed
	JSON   Kind = 1 // Data is the JSON(C) text of one value, as the person wrote it
	Text   Kind = 2 // Data is text, or small opaque bytes
	Blob   Kind = 3 // Large lists the content's chunks
	Hidden Kind = 4 // in an overlay: "absent here", whatever the layers below say
)

// A Value is what a write gives an atom. Values are never changed in place.
type Value struct {
	Kind  Kind
	Data  []byte
	Large *Content // for Blob
	Mode  uint32   // for items of type files: permission bits, else 0
}

// Same says whether two values are equal byte for byte. Whether they *mean* the
// same is merge.Same's to say.
func (v Value) Same(b Value) bool {
	if v.Kind != b.Kind || v.Mode != b.Mode {
		return false
	}
	if v.Kind == Blob {
		return v.Large != nil && b.Large != nil && v.Large.Hash == b.Large.Hash
	}
	return bytes.Equal(v.Data, b.Data)
}

// Content describes bytes kept as chunks. If List is set, Chunks names chunks
// whose concatenated plain bytes are the encoded list of the content's chunks.
type Content struct {
	Size   int64   `cbor:"1,keyasint"`
	Hash   Hash    `cbor:"2,keyasint"` // HMAC-SHA256 of the whole content under the chunk-name key
	Chunks []Chunk `cbor:"3,keyasint"`
	List   bool    `cbor:"4,keyasint,omitempty"`
}

// A Chunk names one piece of content.
type Chunk struct {
	Name Hash   `cbor:"1,keyasint"` // HMAC-SHA256 of its plain bytes under the chunk-name key
	Size uint32 `cbor:"2,keyasint"` // plain bytes
}

// A Pack says where chunks are: the n-th lies at Offset[n] in the pack's object.
type Pack struct {
	Name   Hash          `cbor:"1,keyasint"` // SHA-256 of the object's bytes: packs/<hex>
	Size   uint32        `cbor:"2,keyasint"`
	Chunks []PackedChunk `cbor:"3,keyasint"`
}

// A PackedChunk is a sealed chunk within a pack.
type PackedChunk struct {
	Name   Hash   `cbor:"1,keyasint"`
	Offset uint32 `cbor:"2,keyasint"`
	Size   uint32 `cbor:"3,keyasint"` // sealed bytes
	Epoch  Hash   `cbor:"4,keyasint"` // which epoch key sealed it
}

// A Write gives one atom a value, or removes it, and names the dots that it replaces.
type Write struct {
	Item     Name
	Key      Key
	Value    Value
	Replaces []Dot // in dot order
	Time     HLC   // if not 0, stands for the entry's: a strategy's choice keeps the chosen value's time
}

// An Action says why an entry was made; it is shown in history and the audit log.
type Action uint8

const (
	Edit    Action = 1 // observed on disk
	Resolve Action = 2 // a person chose between siblings
	Restore Action = 3 // a person took back an earlier version
	Settle  Action = 4 // a strategy (local wins, remote wins) chose, once
	Config  Action = 5 // strategies, overlays, names, masks
	Control Action = 6 // Plait's own: packs put anew, snapshots
)

func (a Action) String() string {
	switch a {
	case Edit:
		return "edit"
	case Resolve:
		return "resolve"
	case Restore:
		return "restore"
	case Settle:
		return "settle"
	case Config:
		return "config"
	case Control:
		return "control"
	}
	return "unknown"
}

// An Entry is one atomic change set in a device's journal.
type Entry struct {
	Author Author
	Seq    uint64
	Prev   Hash // hash of the author's entry before; zero at Seq 1
	Time   HLC
	Deps   Vector // what the author had applied, its own journal left out
	Action Action
	Note   string // for people: "restore to 2026-11-01"
	Writes []Write
	Packs  []Pack // where the chunks lie that this entry is first to name
}

// Dot names the entry.
func (e *Entry) Dot() Dot { return Dot{e.Author, e.Seq} }
