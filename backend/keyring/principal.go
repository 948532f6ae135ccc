package keyring

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hpke"
	"fmt"
	"io"
	"log/slog"

	"plait/backend/item"
)

// A Principal is who can sign a statement or be given a key: a device, or a
// recovery key, named by the hash of its public halves.
type Principal struct {
	Device   item.Device // zero for a recovery key
	Recovery item.Hash   // zero for a device
}

// IsRecovery says whether it is a recovery key.
func (p Principal) IsRecovery() bool { return p.Recovery != item.Hash{} }

func (p Principal) String() string {
	if p.IsRecovery() {
		return "recovery " + p.Recovery.String()[:16]
	}
	return p.Device.String()
}

func (p Principal) bytes() []byte {
	if p.IsRecovery() {
		return p.Recovery[:]
	}
	return p.Device[:]
}

// MarshalCBOR writes the 16 bytes of a device's id, or the 32 of a recovery key's.
func (p Principal) MarshalCBOR() ([]byte, error) { return encode(p.bytes()), nil }

// UnmarshalCBOR reads what MarshalCBOR wrote.
func (p *Principal) UnmarshalCBOR(b []byte) error {
	var id []byte
	if err := decoder.Unmarshal(b, &id); err != nil {
		return err
	}
	*p = Principal{}
	switch len(id) {
	case len(p.Device):
		p.Device = item.Device(id)
	case len(p.Recovery):
		p.Recovery = item.Hash(id)
	default:
		return fmt.Errorf("%w: a principal of %d bytes", Damaged, len(id))
	}
	return nil
}

// Sizes of public keys, in bytes.
const (
	signSize    = ed25519.PublicKeySize
	receiveSize = 1184 + 32 // ML-KEM-768, then X25519 (draft-ietf-hpke-pq, MLKEM768-X25519)
)

// Public is the public halves of a device's or a recovery key's two keys.
type Public struct {
	Sign    []byte `cbor:"1,keyasint"` // Ed25519
	Receive []byte `cbor:"2,keyasint"` // HPKE, MLKEM768-X25519
}

// Device is the id of the device that has these keys: a UUID of version 8 made of
// their hash, so that no other keys can pass for its.
func (p Public) Device() item.Device {
	h := hash("plait device 1", p.Sign, p.Receive)
	d := item.Device(h[:16])
	d[6] = d[6]&0x0f | 0x80
	d[8] = d[8]&0x3f | 0x80
	return d
}

// Recovery is the id of the recovery key that has these keys.
func (p Public) Recovery() item.Hash { return hash("plait recovery 1", p.Sign, p.Receive) }

// Verify says whether the holder of the keys signed message, as domain: what is
// signed as one thing never passes for another.
func (p Public) Verify(domain string, message, signature []byte) bool {
	return len(p.Sign) == signSize && ed25519.Verify(p.Sign, signed(domain, message), signature)
}

func (p Public) equal(q Public) bool {
	return string(p.Sign) == string(q.Sign) && string(p.Receive) == string(q.Receive)
}

// valid refuses keys that nobody needs to hold a secret for.
func (p Public) valid() error {
	if len(p.Sign) != signSize || len(p.Receive) != receiveSize {
		return fmt.Errorf("%w: public keys of %d and %d bytes", Damaged, len(p.Sign), len(p.Receive))
	}
	if checkPoint.fails(lowOrder(p.Sign)) {
		return fmt.Errorf("%w: signing key of low order", Damaged)
	}
	if _, err := kem.NewPublicKey(p.Receive); err != nil {
		return fmt.Errorf("%w: receiving key: %v", Damaged, err)
	}
	x, err := ecdh.X25519().NewPublicKey(p.Receive[receiveSize-32:])
	if err == nil {
		_, err = probe.ECDH(x)
	}
	if checkPoint.fails(err != nil) {
		return fmt.Errorf("%w: receiving key: %v", Damaged, err)
	}
	return nil
}

// probe is a private key that is no secret: X25519 with it tells low-order points.
var probe = must(ecdh.X25519().NewPrivateKey([]byte("plait: tells a low-order point..")))

// lowOrder says whether an Ed25519 public key is one of the points of order 1, 2, 4
// or 8, in any encoding: under those anybody can sign. The y coordinates are those of
// libsodium's ge25519_has_small_order; the sign bit does not matter.
func lowOrder(key []byte) bool {
	k := [32]byte(key)
	k[31] &= 0x7f
	for _, y := range lowOrderY {
		if k == y {
			return true
		}
	}
	return false
}

var lowOrderY = [][32]byte{
	{}, // order 4
	{1},
	{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05}, // order 8
	{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}, // order 8
	nearP(0xec), // p-1, order 2
	nearP(0xed), // p, that is 0
	nearP(0xee), // p+1, that is 1
}

func nearP(low byte) (y [32]byte) {
	for i := range y {
		y[i] = 0xff
	}
	y[0], y[31] = low, 0x7f
	return y
}

// The one HPKE suite (RFC 9180, draft-ietf-hpke-pq).
var (
	kem  = hpke.MLKEM768X25519()
	kdf  = hpke.HKDFSHA256()
	aead = hpke.ChaCha20Poly1305()
)

// private is a pair of private keys, made of two 32-byte seeds.
type private struct {
	hidden

	public  Public
	sign    ed25519.PrivateKey
	receive hpke.PrivateKey
}

func newPrivate(signSeed, receiveSeed []byte) (private, error) {
	r, err := kem.NewPrivateKey(receiveSeed)
	if err != nil {
		return private{}, fmt.Errorf("%w: receiving key: %v", Damaged, err)
	}
	if len(signSeed) != ed25519.SeedSize {
		return private{}, fmt.Errorf("%w: signing key of %d bytes", Damaged, len(signSeed))
	}
	s := ed25519.NewKeyFromSeed(signSeed)
	return private{
		public:  Public{Sign: []byte(s.Public().(ed25519.PublicKey)), Receive: r.PublicKey().Bytes()},
		sign:    s,
		receive: r,
	}, nil
}

func signed(domain string, message []byte) []byte {
	return append([]byte("plait "+domain+" 1\x00"), message...)
}

// A Holder holds the private keys of a principal: a *Device or a *Recovery.
type Holder interface {
	Principal() Principal
	Public() Public
	// Sign signs message as domain; see Public.Verify.
	Sign(domain string, message []byte) []byte
	open(info, sealed []byte) ([]byte, error)
}

func (p *private) Public() Public { return p.public }

func (p *private) Sign(domain string, message []byte) []byte {
	return ed25519.Sign(p.sign, signed(domain, message))
}

func (p *private) open(info, sealed []byte) ([]byte, error) {
	return hpke.Open(p.receive, kdf, aead, info, sealed)
}

// A Device is this device's keys. It is made once, and stays with it.
type Device struct{ private }

// NewDevice makes the keys of a new device, and thereby its id.
func NewDevice(rand io.Reader) *Device {
	return &Device{must(newPrivate(read(rand, 32), read(rand, 32)))}
}

// ID is the device's id.
func (d Device) ID() item.Device { return d.public.Device() }

// Principal names the device.
func (d *Device) Principal() Principal { return Principal{Device: d.ID()} }

func (d *Device) seeds() (sign, receive Secret) {
	return d.sign.Seed(), must(d.receive.Bytes())
}

func (d Device) String() string               { return d.ID().String() }
func (d Device) GoString() string             { return d.ID().String() }
func (d Device) LogValue() slog.Value         { return slog.StringValue(d.ID().String()) }
func (d Device) MarshalText() ([]byte, error) { return []byte(d.ID().String()), nil }
func (d Device) Format(f fmt.State, _ rune)   { io.WriteString(f, d.ID().String()) }
