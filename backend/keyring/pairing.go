package keyring

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tyler-smith/go-bip39/wordlists"
	"golang.org/x/crypto/argon2"

	"plait/backend/item"
	"plait/backend/seal"
)

// PairFor is how long a pairing code is good.
const PairFor = 10 * time.Minute

// A PairCode is 128 random bits that one person carries from one of their devices
// to another: 12 words, or the QR code of these. Nobody who lacks it can read
// or make a pairing message, and it is too long to be guessed, online or off.
type PairCode [16]byte

func (PairCode) String() string               { return redacted }
func (PairCode) GoString() string             { return redacted }
func (PairCode) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (PairCode) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (PairCode) Format(f fmt.State, _ rune)   { io.WriteString(f, redacted) }

// NewPairCode makes a code. It is for one invitation only.
func NewPairCode(rand io.Reader) PairCode { return PairCode(read(rand, 16)) }

// Words is the code as 12 English words with a checksum (BIP 39).
func (c PairCode) Words() string { return words(c[:]) }

// ParsePairCode reads what a person typed, as leniently as ParseWords. Code: BadWords.
func ParsePairCode(typed string) (PairCode, error) {
	b, err := parseWords(typed, 12)
	if err != nil {
		return PairCode{}, err
	}
	return PairCode(b), nil
}

// Boxes names the two objects that the messages travel in.
func (c PairCode) Boxes() (inviter, joiner string) {
	id := c.key("mailbox")
	name := "join/" + hex.EncodeToString(id[:16])
	return name + ".inviter", name + ".joiner"
}

func (c PairCode) key(purpose string) seal.Key {
	if checkPairTag.skipped() {
		c = PairCode{}
	}
	return seal.Key(must(hkdf.Key(sha256.New, c[:], nil, "plait pairing 1\x00"+purpose, 32)))
}

// offer is what the inviter says.
type offer struct {
	Format  uint64      `cbor:"1,keyasint"`
	Vault   item.Hash   `cbor:"2,keyasint"`
	Keys    Public      `cbor:"3,keyasint"` // the inviter's
	Expires int64       `cbor:"4,keyasint"` // seconds since 1970, by the inviter's clock
	Seen    []item.Hash `cbor:"5,keyasint"` // the newest statements, so that a store can't show the joiner an older vault
	Vector  []tip       `cbor:"6,keyasint"` // and the newest entries
	Nonce   [16]byte    `cbor:"7,keyasint"`
}

type tip struct {
	Author item.Author `cbor:"1,keyasint"`
	Tip    item.Tip    `cbor:"2,keyasint"`
}

// answer is what the joiner says.
type answer struct {
	Format uint64    `cbor:"1,keyasint"`
	Offer  item.Hash `cbor:"2,keyasint"` // SHA-256 of the inviter's whole message, which names vault and inviter
	Keys   Public    `cbor:"3,keyasint"`
	Name   string    `cbor:"4,keyasint"`
}

// letter is an offer or an answer, signed by the device whose keys it shows.
type letter struct {
	Body      []byte `cbor:"1,keyasint"`
	Signature []byte `cbor:"2,keyasint"`
}

const maxName = 64

// An Invitation is the old device's side of one pairing. It lives as long as the
// code is shown; it is not kept on disk.
type Invitation struct {
	hidden

	code    PairCode
	expires time.Time
	message []byte
	used    bool
}

// Invite opens a pairing: put the message into the inviter's box. ring and applied
// are how far this device has read the vault.
func Invite(rand io.Reader, now time.Time, code PairCode, d *Device, ring *Ring, applied item.Vector) (*Invitation, []byte) {
	o := offer{
		Format: format, Vault: ring.vault, Keys: d.Public(), Expires: now.Add(PairFor).Unix(),
		Seen: ring.Frontier(), Nonce: [16]byte(read(rand, 16)),
	}
	for _, a := range applied.Authors() {
		o.Vector = append(o.Vector, tip{a, applied[a]})
	}
	body := encode(o)
	message := post(rand, code, "inviter", letter{body, d.Sign("offer", body)})
	return &Invitation{code: code, expires: now.Add(PairFor), message: message}, message
}

// A Joiner is who answered an invitation: to be shown, and approved by Keys.Admit
// only when the person says that both devices show the same words.
type Joiner struct {
	Keys  Public
	Name  string // as the joiner has it; made fit for a terminal
	Words []string
}

// Receive reads what lies in the joiner's box. The first answer that is in order uses
// the invitation up. Codes: Expired, Used, WrongCode, Forged, Damaged.
func (i *Invitation) Receive(now time.Time, message []byte) (Joiner, error) {
	if checkPairTime.fails(!now.Before(i.expires)) {
		return Joiner{}, Expired
	}
	if checkPairOnce.fails(i.used) {
		return Joiner{}, Used
	}
	l, err := unpost(i.code, "joiner", message)
	if err != nil {
		return Joiner{}, err
	}
	var a answer
	if err := decode(l.Body, &a, maxMessage); err != nil {
		return Joiner{}, err
	}
	if checkPairOffer.fails(a.Offer != sha256.Sum256(i.message)) {
		return Joiner{}, fmt.Errorf("%w: an answer to something else", Forged)
	}
	if err := l.check(a.Format, "answer", a.Keys); err != nil {
		return Joiner{}, err
	}
	i.used = true
	return Joiner{a.Keys, printable(a.Name, maxName), checkWordsOf(i.code, i.message, message)}, nil
}

// An Answer is the new device's side of one pairing.
type Answer struct {
	Vault   item.Hash   // the vault's id: vault.json has to have this hash
	Inviter Public      // keys of the device that invited
	Seen    []item.Hash // for Ring.Missing: what the store has to show at least
	Applied item.Vector // how far the inviter had applied the journals
	Words   []string    // to compare with what the other device shows
}

// Respond answers the message in the inviter's box: put the reply into the joiner's.
// Codes: WrongCode, Expired (or this device's clock is wrong), Newer, Forged, Damaged.
func Respond(rand io.Reader, now time.Time, code PairCode, d *Device, name string, message []byte) (Answer, []byte, error) {
	l, err := unpost(code, "inviter", message)
	if err != nil {
		return Answer{}, nil, err
	}
	var o offer
	if err := decode(l.Body, &o, maxMessage); err != nil {
		return Answer{}, nil, err
	}
	if err := l.check(o.Format, "offer", o.Keys); err != nil {
		return Answer{}, nil, err
	}
	if checkPairTime.fails(now.Unix() >= o.Expires) {
		return Answer{}, nil, Expired
	}
	body := encode(answer{format, sha256.Sum256(message), d.Public(), printable(name, maxName)})
	reply := post(rand, code, "joiner", letter{body, d.Sign("answer", body)})
	a := Answer{Vault: o.Vault, Inviter: o.Keys, Seen: o.Seen, Applied: item.Vector{}, Words: checkWordsOf(code, message, reply)}
	for _, t := range o.Vector {
		a.Applied[t.Author] = t.Tip
	}
	return a, reply, nil
}

// Admitted says whether a ring, built with the answer's vault id, has come so far that
// this device is a member: nil; Incomplete if the store shows less than the inviter
// had seen; NotMember if the inviter has not approved yet, or is no member itself.
func (a Answer) Admitted(r *Ring, d *Device) error {
	if r.Vault() != a.Vault {
		return OtherVault
	}
	if missing := r.Missing(a.Seen...); len(missing) > 0 {
		return Incomplete
	}
	inviter, ok := r.Member(a.Inviter.Device())
	if !ok || inviter.Revoked {
		return fmt.Errorf("the device that invited: %w", NotMember)
	}
	if m, ok := r.Member(d.ID()); !ok || m.Revoked {
		return NotMember
	}
	return nil
}

func post(rand io.Reader, code PairCode, side string, l letter) []byte {
	c := seal.Context{Role: seal.Mailbox, Bind: []byte(side)}
	return seal.Seal(rand, code.key(side), c, seal.Pad(encode(l), seal.Heads, seal.Overhead))
}

func unpost(code PairCode, side string, message []byte) (l letter, _ error) {
	if len(message) > maxMessage {
		return l, fmt.Errorf("%w: %d bytes", Damaged, len(message))
	}
	plain, err := seal.Open(code.key(side), seal.Context{Role: seal.Mailbox, Bind: []byte(side)}, message)
	if err != nil {
		return l, fmt.Errorf("%w: %w", WrongCode, err)
	}
	if plain, err = seal.Unpad(plain); err != nil {
		return l, fmt.Errorf("%w: %w", Damaged, err)
	}
	return l, decode(plain, &l, maxMessage)
}

// check makes sure that who wrote the letter holds the keys that it shows.
func (l letter) check(f uint64, domain string, k Public) error {
	if f != format {
		return fmt.Errorf("%w: pairing format %d", Newer, f)
	}
	if err := k.valid(); err != nil {
		return err
	}
	if checkPairProof.fails(!k.Verify(domain, l.Body, l.Signature)) {
		return Forged
	}
	return nil
}

var checkWordsKDF = KDF{Time: 3, Memory: 32 << 10, Threads: 4}

// checkWordsOf makes four words (44 bits) of both messages. They matter where the code
// has leaked: who has it and stands between the two devices would have to find messages
// with equal words. Argon2id makes each try cost 32 MiB and tens of milliseconds, so
// that 2^43 tries do not fit into ten minutes.
func checkWordsOf(code PairCode, inviter, joiner []byte) []string {
	a, b := sha256.Sum256(inviter), sha256.Sum256(joiner)
	salt := code.key("check words")
	k := checkWordsKDF
	h := argon2.IDKey(slices.Concat(a[:], b[:]), salt[:], k.Time, k.Memory, k.Threads, 8)
	n := uint64(0)
	for _, x := range h {
		n = n<<8 | uint64(x)
	}
	var ws []string
	for range 4 {
		ws = append(ws, strings.Clone(wordlists.English[n>>53]))
		n <<= 11
	}
	return ws
}
