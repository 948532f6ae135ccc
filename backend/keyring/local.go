package keyring

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/fxamacker/cbor/v2"

	"plait/backend/item"
	"plait/backend/seal"
)

// A Mode says what protects this device's keys on its disk.
type Mode string

const (
	ByKeychain   Mode = "keychain"   // a key in the system's keychain
	ByPassphrase Mode = "passphrase" // a passphrase, asked for at each start
	InFile       Mode = "file"       // nothing but the file's mode, 0600; only where the person asks for exactly that
)

// A Local is the secrets that make this installation the device it is. They lie
// in one small file, LocalFile.
type Local struct {
	hidden

	Vault  item.Hash
	Device *Device
	DB     seal.Key          // encrypts the local database and the spool
	Extra  map[string][]byte // small things of others' that have to be as safe

	// Mode is how the keys are protected.
	Mode Mode
	// Restored says that the file is older than the keychain remembers: a backup was
	// put back. This device may have used dots that it no longer knows of.
	Restored bool
	// Loose says that others on this machine may read the file.
	Loose bool

	rest   map[uint64]cbor.RawMessage // fields of a newer version, kept as they are
	dir    string
	file   localFile
	key    seal.Key // that seals the file; none for InFile
	chain  Keychain
	random io.Reader
}

// LocalFile is the name of the file in the directory given.
const LocalFile = "keys.plait"

// A Protection says how to protect a Local.
type Protection struct {
	Mode       Mode
	Keychain   Keychain // for ByKeychain
	Passphrase Secret   // for ByPassphrase
	KDF        KDF      // for ByPassphrase; zero: DefaultKDF
}

// localFile is the file, before the SHA-256 that ends it.
type localFile struct {
	Format  uint64   `cbor:"1,keyasint"`
	Mode    Mode     `cbor:"2,keyasint"`
	ID      [16]byte `cbor:"3,keyasint"` // names it in the keychain
	Counter uint64   `cbor:"4,keyasint"` // how often it was written
	KDF     *KDF     `cbor:"5,keyasint,omitempty"`
	Salt    []byte   `cbor:"6,keyasint,omitempty"`
	Body    []byte   `cbor:"7,keyasint"` // sealed, save for InFile
}

// Numbers of the fields in the file's body.
const (
	fieldVault = iota + 1
	fieldSign
	fieldReceive
	fieldDB
	fieldExtra
)

// CreateLocal writes a new device's keys into dir, which it makes. The file is there
// whole, and durable, or not at all. Of l it takes Vault, Device, DB and Extra.
// Codes: Exists, Locked (no keychain here), Weak.
func CreateLocal(rand io.Reader, dir string, l Local, p Protection) (*Local, error) {
	if _, err := os.Stat(filepath.Join(dir, LocalFile)); err == nil {
		return nil, fmt.Errorf("keys in %s: %w", dir, Exists)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	n := &Local{Vault: l.Vault, Device: l.Device, DB: l.DB, Extra: l.Extra, dir: dir, random: rand}
	return n, n.Protect(p)
}

// Protect changes what protects the keys, and writes the file.
func (l *Local) Protect(p Protection) error {
	old := *l
	f := localFile{Format: format, Mode: p.Mode, ID: [16]byte(read(l.random, 16)), Counter: l.file.Counter}
	switch p.Mode {
	case ByKeychain:
		l.key, l.chain = seal.NewKey(l.random), p.Keychain
	case ByPassphrase:
		if p.KDF == (KDF{}) {
			p.KDF = DefaultKDF
		}
		if err := p.KDF.valid(); err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		f.KDF, f.Salt = &p.KDF, read(l.random, kdfSalt)
		l.key = p.KDF.key(p.Passphrase, f.Salt)
	case InFile:
		l.key = seal.Key{}
	default:
		return fmt.Errorf("keys: no such protection: %q", p.Mode)
	}
	l.Mode, l.file = p.Mode, f
	if p.Mode == ByKeychain {
		// The keychain first: a file whose key is nowhere would be lost.
		if err := l.remember(f.Counter + 1); err != nil {
			*l = old
			return err
		}
	}
	if err := l.Save(); err != nil {
		*l = old
		return err
	}
	if old.Mode == ByKeychain {
		return old.chain.Delete(old.account())
	}
	return nil
}

// Save writes the file anew: beside, synced, renamed.
func (l *Local) Save() error {
	f := l.file
	f.Counter++
	plain := l.body()
	if f.Body = plain; f.Mode != InFile {
		f.Body = seal.Seal(l.random, l.key, f.context(), plain)
	}
	b := encode(f)
	sum := sha256.Sum256(b)
	if err := writeDurably(filepath.Join(l.dir, LocalFile), append(b, sum[:]...)); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	l.file, l.Loose = f, false
	if l.Mode == ByKeychain {
		// The file first: if this fails the keychain is behind, which OpenLocal mends.
		return l.remember(f.Counter)
	}
	return nil
}

// An Unlock is what may be needed to open a Local.
type Unlock struct {
	Keychain Keychain
	// Passphrase asks for the passphrase; it may return code Locked. nil: nobody to ask.
	Passphrase func() (Secret, error)
}

// OpenLocal reads this device's keys. Codes: Missing, Damaged, Newer, Locked (the
// keychain does not answer or does not have the key: another machine's file; or nobody
// to ask for a passphrase), WrongPassphrase.
func OpenLocal(rand io.Reader, dir string, u Unlock) (*Local, error) {
	l := &Local{dir: dir, chain: u.Keychain, random: rand}
	path := filepath.Join(dir, LocalFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keys in %s: %w", dir, Missing)
	}
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if l.file, err = parseLocal(b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	l.Mode, l.Loose = l.file.Mode, runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
	body, err := l.unlock(u)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := l.parseBody(body); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// LocalMode says how the keys in dir are protected, without opening them.
// Codes: Missing, Damaged, Newer.
func LocalMode(dir string) (Mode, error) {
	b, err := os.ReadFile(filepath.Join(dir, LocalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("keys in %s: %w", dir, Missing)
	}
	if err != nil {
		return "", fmt.Errorf("keys: %w", err)
	}
	f, err := parseLocal(b)
	return f.Mode, err
}

// parseLocal reads the file up to its body.
func parseLocal(b []byte) (f localFile, _ error) {
	n := len(b) - sha256.Size
	if n < 0 || len(b) > maxLocal || [32]byte(b[n:]) != sha256.Sum256(b[:n]) {
		return f, fmt.Errorf("%w: its checksum does not match", Damaged)
	}
	var v struct {
		Format uint64 `cbor:"1,keyasint"`
	}
	if err := decoder.Unmarshal(b[:n], &v); err != nil {
		return f, fmt.Errorf("%w: %v", Damaged, err)
	}
	if v.Format != format {
		return f, fmt.Errorf("%w: format %d", Newer, v.Format)
	}
	if err := decode(b[:n], &f, maxLocal); err != nil {
		return f, err
	}
	switch {
	case f.Mode == ByPassphrase && f.KDF != nil && len(f.Salt) == kdfSalt:
		return f, f.KDF.valid()
	case (f.Mode == ByKeychain || f.Mode == InFile) && f.KDF == nil && f.Salt == nil:
		return f, nil
	}
	return f, fmt.Errorf("%w: protection %q", Damaged, f.Mode)
}

// unlock opens the body.
func (l *Local) unlock(u Unlock) ([]byte, error) {
	switch l.Mode {
	case InFile:
		return l.file.Body, nil
	case ByKeychain:
		return l.unlockByKeychain()
	}
	if u.Passphrase == nil {
		return nil, Locked
	}
	pass, err := u.Passphrase()
	if err != nil {
		return nil, err
	}
	l.key = l.file.KDF.key(pass, l.file.Salt)
	body, err := seal.Open(l.key, l.file.context(), l.file.Body)
	if err != nil {
		return nil, WrongPassphrase // the checksum matched
	}
	return body, nil
}

// context binds the body to everything about it that stands in clear.
func (f localFile) context() seal.Context {
	f.Body = nil
	return seal.Context{Role: seal.Local, Bind: encode(f)}
}

// body encodes what the file holds, unknown fields too.
func (l *Local) body() []byte {
	m := map[uint64]cbor.RawMessage{}
	for k, v := range l.rest {
		m[k] = v
	}
	sign, receive := l.Device.seeds()
	m[fieldVault], m[fieldDB] = encode(l.Vault), encode(l.DB[:])
	m[fieldSign], m[fieldReceive] = encode([]byte(sign)), encode([]byte(receive))
	if len(l.Extra) > 0 {
		m[fieldExtra] = encode(l.Extra)
	}
	return encode(m)
}

func (l *Local) parseBody(b []byte) error {
	var m map[uint64]cbor.RawMessage
	if err := decoder.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("%w: %v", Damaged, err)
	}
	var vault, sign, receive, db []byte
	for field, to := range map[uint64]any{fieldVault: &vault, fieldSign: &sign, fieldReceive: &receive, fieldDB: &db, fieldExtra: &l.Extra} {
		raw, ok := m[field]
		if !ok && field == fieldExtra {
			continue
		}
		if err := decoder.Unmarshal(raw, to); err != nil {
			return fmt.Errorf("%w: field %d: %v", Damaged, field, err)
		}
		delete(m, field)
	}
	if len(vault) != 32 || len(db) != 32 {
		return fmt.Errorf("%w: a key of another length", Damaged)
	}
	p, err := newPrivate(sign, receive)
	if err != nil {
		return err
	}
	l.Vault, l.DB, l.Device, l.rest = item.Hash(vault), seal.Key(db), &Device{p}, m
	return nil
}

// writeDurably replaces a file so that after a crash the old or the new one is there.
func writeDurably(path string, b []byte) error {
	t, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(t.Name()) // of no effect once it is renamed
	_, err = t.Write(b)
	if err == nil {
		err = t.Sync()
	}
	if err = errors.Join(err, t.Close()); err != nil {
		return err
	}
	if err := os.Rename(t.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename durable. Windows has no such thing, and needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
