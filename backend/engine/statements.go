package engine

import (
	"bytes"
	"errors"
	"maps"
	"slices"

	"plait/backend/item"
	"plait/backend/keyring"
)

// Bounds on what is read of keys/ at once. A store can put there what it likes; a
// vault of dozens of devices and hundreds of rotations stays far below.
const (
	maxKnownKeys  = 4096     // statements kept here
	maxFreshKeys  = 16 << 10 // looked at in one round
	maxFreshBytes = 128 << 20
)

// sift says which of the statements that were read are to be kept. What anybody who
// can write to the store may have put there (not signed by who it names, of another
// vault, by a device that nothing introduces) is never kept, so that it neither fills
// the database nor keeps the ring from being added up. It is read again if a head
// names it or its author.
func (e *Engine) sift(genesis []byte, fresh map[item.Hash][]byte) (map[item.Hash][]byte, error) {
	keep := map[item.Hash][]byte{}
	if !checkRing.fails(true) {
		return fresh, nil
	}
	names := slices.SortedFunc(maps.Keys(fresh), func(a, b item.Hash) int { return bytes.Compare(a[:], b[:]) })
	for progress := true; progress && len(names) > 0; {
		progress = false
		var later []item.Hash
		// More at once than a ring may hold: those that count, batch by batch.
		room := max(512, maxKnownKeys-len(e.known)-len(keep))
		for batch := range slices.Chunk(names, room) {
			all := maps.Clone(e.known)
			maps.Copy(all, keep)
			for _, h := range batch {
				all[h] = fresh[h]
			}
			_, rejected, err := keyring.Build(e.meta.Vault, genesis, all)
			if err != nil {
				return nil, err
			}
			why := map[item.Hash]error{}
			for _, r := range rejected {
				why[r.Name] = r.Err
			}
			for _, h := range batch {
				switch err := why[h]; {
				case err == nil || errors.Is(err, keyring.Newer),
					len(names) <= room && (errors.Is(err, keyring.Void) || errors.Is(err, keyring.Incomplete)):
					keep[h] = fresh[h]
					progress = true
				default:
					e.log.Info("a statement does not count", "name", h.String(), "why", err)
					later = append(later, h)
				}
			}
		}
		if len(names) <= room {
			break // they were looked at together
		}
		names = later
	}
	return keep, nil
}
