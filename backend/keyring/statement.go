package keyring

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"plait/backend/item"
)

// A Statement is something that a member or the recovery key said for good about the
// vault's members and keys. It is kept at keys/<Name>.
type Statement struct {
	Name  item.Hash // SHA-256 of Bytes
	Bytes []byte
}

// A Kind says what a statement is about.
type Kind uint64

const (
	KindAdmit  Kind = 1 // a device becomes a member
	KindRevoke Kind = 2 // a device is a member no more
	KindWrap   Kind = 3 // epoch keys, each for one principal
	KindWords  Kind = 4 // a new recovery key takes the place of older ones
	KindSlot   Kind = 5 // a recovery seed under a passphrase
	KindLeast  Kind = 6 // the least versions that may write
)

func (k Kind) String() string {
	names := []string{"begin", "admit", "revoke", "share keys", "change recovery words", "set passphrase", "require versions"}
	if int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// envelope is a statement's bytes.
type envelope struct {
	Body      []byte `cbor:"1,keyasint"`
	Signature []byte `cbor:"2,keyasint"`           // by the author
	Proof     []byte `cbor:"3,keyasint,omitempty"` // KindWords: by the key that it introduces
}

// body is what is signed. Fields 1 to 6 are the same in every format to come.
type body struct {
	Format uint64      `cbor:"1,keyasint"`
	Vault  item.Hash   `cbor:"2,keyasint"`
	Kind   Kind        `cbor:"3,keyasint"`
	Author Principal   `cbor:"4,keyasint"`
	Seen   []item.Hash `cbor:"5,keyasint"` // the newest statements its author had seen; in order, the genesis at least
	Time   int64       `cbor:"6,keyasint"` // seconds since 1970, by the author's clock; only shown

	Admit  *admitBody  `cbor:"10,keyasint,omitempty"`
	Revoke *revokeBody `cbor:"11,keyasint,omitempty"`
	Wrap   *wrapBody   `cbor:"12,keyasint,omitempty"`
	Words  *wordsBody  `cbor:"13,keyasint,omitempty"`
	Slot   *slotBody   `cbor:"14,keyasint,omitempty"`
	Least  *leastBody  `cbor:"15,keyasint,omitempty"`
}

type admitBody struct {
	Device item.Device `cbor:"1,keyasint"`
	Keys   Public      `cbor:"2,keyasint"`
	Run    bool        `cbor:"3,keyasint"`
}

type revokeBody struct {
	Device item.Device `cbor:"1,keyasint"`
	Limit  []limit     `cbor:"2,keyasint"` // in order of incarnation
}

// limit is how far the revoker had applied one of the device's journals.
type limit struct {
	Inc  uint64  `cbor:"1,keyasint"`
	Seq  uint64  `cbor:"2,keyasint"`
	Hash [8]byte `cbor:"3,keyasint"`
}

type wrapBody struct {
	Shares []share `cbor:"1,keyasint"`
}

// share is an epoch key for one principal, sealed by HPKE.
type share struct {
	Epoch  item.Hash `cbor:"1,keyasint"`
	To     Principal `cbor:"2,keyasint"`
	Sealed []byte    `cbor:"3,keyasint"` // 1,120 bytes of encapsulated key, 48 of ciphertext
}

type wordsBody struct {
	Keys     Public      `cbor:"1,keyasint"`
	Replaces []item.Hash `cbor:"2,keyasint"` // recovery keys, in order, at least one
}

type leastBody struct {
	Versions map[string]uint64 `cbor:"1,keyasint"`
}

// statement is one that has been read.
type statement struct {
	name     item.Hash
	envelope envelope
	body     body
	known    bool // this code knows what it means; else it only stands in the order of things
}

// newStatement signs b as h, with a proof by the key that it introduces, if any.
func newStatement(h Holder, b body, introduced *Recovery) Statement {
	e := envelope{Body: encode(b)}
	e.Signature = h.Sign("statement", e.Body)
	if introduced != nil {
		e.Proof = introduced.Sign("new words", e.Body)
	}
	bytes := encode(e)
	return Statement{sha256.Sum256(bytes), bytes}
}

// parseStatement reads a statement. What it says is not yet believed. The statement is
// nil if the bytes are not those that the name names.
// Codes: Damaged, Newer, OtherVault, Weak.
func parseStatement(vault, name item.Hash, b []byte) (*statement, error) {
	if checkName.fails(item.Hash(sha256.Sum256(b)) != name) {
		return nil, fmt.Errorf("%w: its name is not its hash", Damaged)
	}
	s := &statement{name: name}
	if err := decode(b, &s.envelope, maxStatement); err != nil {
		return s, err
	}
	if err := decoder.Unmarshal(s.envelope.Body, &s.body); err != nil {
		return s, fmt.Errorf("%w: %v", Damaged, err)
	}
	switch {
	case checkVault.fails(s.body.Vault != vault):
		return s, OtherVault
	case len(s.body.Seen) == 0 || len(s.body.Seen) > maxSeen || !inOrder(s.body.Seen):
		return s, fmt.Errorf("%w: what its author had seen", Damaged)
	}
	// Another format, another kind, or a field that this code does not write: a newer
	// version meant something by it. It has no effect here, but others may build on it.
	s.known = !checkFormat.fails(s.body.Format != format) && string(encode(s.body)) == string(s.envelope.Body)
	if !s.known || s.body.Kind > KindLeast {
		s.known = false
		return s, nil
	}
	return s, s.body.valid()
}

// valid checks what can be told of a statement by itself.
func (b *body) valid() error {
	payloads := 0
	for _, there := range []bool{b.Admit != nil, b.Revoke != nil, b.Wrap != nil, b.Words != nil, b.Slot != nil, b.Least != nil} {
		if there {
			payloads++
		}
	}
	bad := func(what string) error { return fmt.Errorf("%w: %s", Damaged, what) }
	switch {
	case payloads != 1:
		return bad("not one payload")
	case b.Kind == KindAdmit && b.Admit != nil:
		if checkDeviceID.fails(b.Admit.Keys.Device() != b.Admit.Device) {
			return bad("a device's id is not the hash of its keys")
		}
		return b.Admit.Keys.valid()
	case b.Kind == KindRevoke && b.Revoke != nil:
		if !slices.IsSortedFunc(b.Revoke.Limit, func(x, y limit) int {
			if x.Inc <= y.Inc { // in order, and no two alike
				return -1
			}
			return 1
		}) {
			return bad("limits out of order")
		}
		return nil
	case b.Kind == KindWrap && b.Wrap != nil:
		if len(b.Wrap.Shares) == 0 || len(b.Wrap.Shares) > maxShares {
			return bad("number of shares")
		}
		return nil
	case b.Kind == KindWords && b.Words != nil:
		if len(b.Words.Replaces) == 0 || !inOrder(b.Words.Replaces) || slices.Contains(b.Words.Replaces, b.Words.Keys.Recovery()) {
			return bad("which words are replaced")
		}
		return b.Words.Keys.valid()
	case b.Kind == KindSlot && b.Slot != nil:
		return b.Slot.KDF.valid()
	case b.Kind == KindLeast && b.Least != nil:
		return nil
	}
	return bad("payload of another kind")
}

// verify checks the signatures, given the author's keys.
func (s *statement) verify(author Public) error {
	if checkSignature.fails(!author.Verify("statement", s.envelope.Body, s.envelope.Signature)) {
		return Forged
	}
	if s.known && s.body.Kind == KindWords {
		// Without the proof anybody could found a vault of their own, make these words its
		// recovery key, and have their owner join it.
		if checkPossession.fails(!s.body.Words.Keys.Verify("new words", s.envelope.Body, s.envelope.Proof)) {
			return fmt.Errorf("%w: by the new words", Forged)
		}
	} else if len(s.envelope.Proof) != 0 {
		return fmt.Errorf("%w: a proof of nothing", Damaged)
	}
	return nil
}

// introduces is the principal whose keys a statement tells, and the keys.
func (b *body) introduces() (Principal, Public, bool) {
	switch {
	case b.Admit != nil:
		return Principal{Device: b.Admit.Device}, b.Admit.Keys, true
	case b.Words != nil:
		return Principal{Recovery: b.Words.Keys.Recovery()}, b.Words.Keys, true
	}
	return Principal{}, Public{}, false
}

// removes is who is out by a statement.
func (b *body) removes() (ps []Principal) {
	switch {
	case b.Revoke != nil:
		return []Principal{{Device: b.Revoke.Device}}
	case b.Words != nil:
		for _, r := range b.Words.Replaces {
			ps = append(ps, Principal{Recovery: r})
		}
	}
	return ps
}

func (r *revokeBody) vector() item.Vector {
	v := item.Vector{}
	for _, l := range r.Limit {
		v[item.Author{Device: r.Device, Inc: l.Inc}] = item.Tip{Seq: l.Seq, Hash: l.Hash}
	}
	return v
}

func limitsOf(d item.Device, v item.Vector) []limit {
	ls := []limit{}
	for _, a := range v.Authors() {
		if a.Device == d {
			ls = append(ls, limit{a.Inc, v[a].Seq, v[a].Hash})
		}
	}
	return ls
}

func inOrder(hs []item.Hash) bool {
	for i := 1; i < len(hs); i++ {
		if slices.Compare(hs[i-1][:], hs[i][:]) >= 0 {
			return false
		}
	}
	return true
}

func sorted(hs []item.Hash) []item.Hash {
	slices.SortFunc(hs, func(a, b item.Hash) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(hs)
}

func (b *body) time() time.Time { return time.Unix(b.Time, 0).UTC() }
