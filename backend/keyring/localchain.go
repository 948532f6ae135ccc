package keyring

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"plait/backend/seal"
)

// In the keychain lies "KEY COUNTER": 32 bytes in base64, and how often the file was
// written, in decimal. Some keychains hold no more than 2,560 bytes (Windows).

func (l *Local) account() string { return hex.EncodeToString(l.file.ID[:]) }

// remember puts key and counter into the keychain.
func (l *Local) remember(counter uint64) error {
	if l.chain == nil {
		return fmt.Errorf("keys: %w: no keychain", Locked)
	}
	secret := b64.EncodeToString(l.key[:]) + " " + strconv.FormatUint(counter, 10)
	if err := l.chain.Set(l.account(), secret); err != nil {
		return fmt.Errorf("keys: %w: %w", Locked, err)
	}
	return nil
}

// unlockByKeychain opens the body, and compares the counters.
func (l *Local) unlockByKeychain() ([]byte, error) {
	if l.chain == nil {
		return nil, fmt.Errorf("%w: no keychain", Locked)
	}
	secret, ok, err := l.chain.Get(l.account())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", Locked, err)
	}
	if !ok {
		return nil, fmt.Errorf("%w: the keychain here does not have the key", Locked)
	}
	k, c, _ := strings.Cut(secret, " ")
	key, err1 := b64.DecodeString(k)
	counter, err2 := strconv.ParseUint(c, 10, 64)
	if err1 != nil || err2 != nil || len(key) != len(seal.Key{}) {
		return nil, fmt.Errorf("%w: what the keychain has is no key", Damaged)
	}
	l.key = seal.Key(key)
	body, err := seal.Open(l.key, l.file.context(), l.file.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", Damaged, err)
	}
	switch {
	case l.file.Counter < counter:
		l.Restored = true
	case l.file.Counter > counter:
		// A crash came between the file and the keychain. If it can't be mended now,
		// the next start tries again.
		_ = l.remember(l.file.Counter)
	}
	return body, nil
}

// Forget deletes the file's key from the keychain, if it is there. The file has to be
// deleted by the caller.
func (l *Local) Forget() error {
	if l.Mode != ByKeychain {
		return nil
	}
	return l.chain.Delete(l.account())
}
