package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"plait/backend/store/driver"
)

// Prefixes of the objects in a store; FORMAT.md says what lies under each.
const (
	VaultFile = "vault.json"
	Keys      = "keys/"
	Heads     = "heads/"
	Segments  = "segments/"
	Packs     = "packs/"
	Snapshots = "snapshots/"
	Join      = "join/"
)

// limits bound what is accepted under a prefix, in bytes, so that a store can't
// make a device download or hold what nobody wrote. Each is well above what
// Plait writes: a statement wraps one key (1.2 KB) for each of up to 1,000
// members, a head's vector grows with the incarnations, a pack ends above 16 MiB
// with its last chunk and padding.
var limits = map[string]int64{
	VaultFile: 64 << 10,
	Keys:      4 << 20,
	Heads:     1 << 20,
	Segments:  64 << 20,
	Packs:     32 << 20,
	Snapshots: 256 << 20,
	Join:      256 << 10,
}

// MaxSize is the largest object, in bytes, that may stand under the name; 0 if no object may.
func MaxSize(name string) int64 { return limits[prefixOf(name)] }

func prefixOf(name string) string {
	if i := strings.IndexByte(name, '/'); i >= 0 {
		return name[:i+1]
	}
	return name
}

// Sum is the hash by which objects are named: SHA-256 of their bytes.
func Sum(body []byte) [32]byte { return sha256.Sum256(body) }

// HashName is the name of the object with that hash, under a prefix that names by
// hash: Keys, Segments, Packs or Snapshots.
func HashName(prefix string, hash [32]byte) string { return prefix + hex.EncodeToString(hash[:]) }

// A HeadName is what the name of a head tells.
type HeadName struct {
	Device string // a UUID, in lower case
	Inc    uint64 // incarnation
	N      uint64 // number of the head, from 1
	Hash   [32]byte
}

// String is the head's name: heads/<device>.<incarnation, 16 hex digits>.<n>.<hash>.
func (h HeadName) String() string {
	return fmt.Sprintf("%s%s.%016x.%d.%x", Heads, h.Device, h.Inc, h.N, h.Hash)
}

// ParseHeadName reads what String wrote, and nothing else.
func ParseHeadName(name string) (h HeadName, ok bool) {
	rest, ok := strings.CutPrefix(name, Heads)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 4 || len(parts[1]) != 16 {
		return HeadName{}, false
	}
	var err1, err2 error
	h.Device = parts[0]
	h.Inc, err1 = strconv.ParseUint(parts[1], 16, 64)
	h.N, err2 = strconv.ParseUint(parts[2], 10, 64)
	h.Hash, ok = parseHash(parts[3])
	// Comparing with what String writes refuses upper case, signs and leading zeros.
	if err1 != nil || err2 != nil || !ok || !isUUID(h.Device) || h.N == 0 || h.String() != name {
		return HeadName{}, false
	}
	return h, true
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (s[i] == '-') || !hyphen && !isHex(s[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }

func parseHash(s string) (h [32]byte, ok bool) {
	if len(s) != 64 {
		return h, false
	}
	for i := range len(s) {
		if !isHex(s[i]) {
			return h, false
		}
	}
	_, err := hex.Decode(h[:], []byte(s))
	return h, err == nil
}

// HashOf is the hash that the object of that name must have; ok is false for
// names that say nothing about the content, vault.json and join/.
func HashOf(name string) (hash [32]byte, ok bool) {
	switch p := prefixOf(name); p {
	case Keys, Segments, Packs, Snapshots:
		return parseHash(name[len(p):])
	case Heads:
		h, ok := ParseHeadName(name)
		return h.Hash, ok
	}
	return hash, false
}

// CheckName says whether an object of a vault may have the name: the grammar of
// FORMAT.md, narrower than what a driver takes.
func CheckName(name string) error {
	if err := driver.CheckName(name); err != nil {
		return err
	}
	ok := false
	switch p := prefixOf(name); p {
	case VaultFile:
		ok = true
	case Keys, Segments, Packs, Snapshots, Heads:
		_, ok = HashOf(name)
	case Join:
		id, side, cut := strings.Cut(name[len(p):], ".")
		ok = cut && id != "" && side != "" && !strings.Contains(side, ".")
	}
	if !ok {
		return fmt.Errorf("name %.64q is no object's: %w", name, driver.BadName)
	}
	return nil
}
