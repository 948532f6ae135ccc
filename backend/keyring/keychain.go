package keyring

import (
	"errors"
	"fmt"

	keychain "github.com/zalando/go-keyring"
)

// A Keychain is where the system keeps secrets for a person who has signed in:
// Keychain on a Mac, Credential Manager on Windows, the Secret Service elsewhere.
type Keychain interface {
	// Get returns what was Set under an account; ok is false if nothing was.
	// An error says that the keychain can't be asked now, or at all.
	Get(account string) (secret string, ok bool, _ error)
	Set(account, secret string) error
	// Delete of what is not there succeeds.
	Delete(account string) error
}

// SystemKeychain is this system's keychain.
func SystemKeychain() Keychain { return system{} }

type system struct{}

const service = "plait"

func (system) Get(account string) (string, bool, error) {
	s, err := keychain.Get(service, account)
	if errors.Is(err, keychain.ErrNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("ask the keychain: %w", err)
	}
	return s, true, nil
}

func (system) Set(account, secret string) error {
	if err := keychain.Set(service, account, secret); err != nil {
		return fmt.Errorf("write to the keychain: %w", err)
	}
	return nil
}

func (system) Delete(account string) error {
	if err := keychain.Delete(service, account); err != nil && !errors.Is(err, keychain.ErrNotFound) {
		return fmt.Errorf("delete from the keychain: %w", err)
	}
	return nil
}
