package engine

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"

	"plait/backend/chunk"
	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/seal"
	"plait/backend/store"
)

func TestAttack3Downgrade(t *testing.T) { runAttacks(t, attack3Downgrade()) }

// Where a sealed object says its format: see seal/FORMAT.md.
const sealedVersion = 3

func attack3Downgrade() []attack {
	// set puts another version into an object; its reader must not read it as its own.
	set := func(name func(*scene) string, at int, version byte) func(*scene) {
		return func(s *scene) {
			s.raw.Corrupt(name(s), func(b []byte) []byte {
				b[at] = version
				return b
			})
		}
	}
	snapshot := func(s *scene) string { return s.named(store.Snapshots) }
	read := func(s *scene, r *Round) bool { return silent(s, r) && newest(s, r) }
	out := []hook{believesNames, inJournal("checkHash"), inSeal("checkVersion")}
	return []attack{
		{row: 3, name: "a head of format 0", mount: set(newHead, 64+sealedVersion, 0), won: read, code: "changed", object: "heads/", device: laptop, out: append(out, inJournal("checkSigned"))},
		{row: 3, name: "a segment of format 0", mount: set(freshOne(store.Segments), sealedVersion, 0), won: read, code: "changed", object: "segments/", device: laptop, out: out},
		{row: 3, name: "a snapshot of format 2", mount: set(snapshot, 4+sealedVersion, 2), won: read, code: "changed", object: "snapshots/", device: laptop, out: out},
		{row: 3, name: "an admission in another format", mount: func(s *scene) {
			k, err := s.laptop.e.Ring().Unlock(s.laptop.keys)
			s.w.must(err)
			ss, err := k.Admit(s.w.now, s.ghost.Public(), true)
			s.w.must(err)
			s.inject([]keyring.Statement{restated(s, ss[0], s.laptop.keys, 0)})
		}, won: shows("User/settings.json", "666"), code: "stranger", object: "heads/", out: []hook{inKeyring("checkFormat")}},
	}
}

func TestAttack10Randomness(t *testing.T) { runAttacks(t, attack10Randomness()) }

// stuck is a generator that was set back to the same state again and again, as that of
// a machine that is started from one snapshot.
type stuck struct{}

func (stuck) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i * 7)
	}
	return len(p), nil
}

func attack10Randomness() []attack {
	again := func(write func(s *scene, n uint64)) func(*scene) {
		return func(s *scene) {
			s.phone.mustSync()
			s.phone.e.cfg.Rand = stuck{}
			write(s, 1)
			s.phone.mustSync()
			s.laptop.mustSync()
			s.honest = s.w.bucket.Snapshot()
			write(s, 2)
		}
	}
	own := func(name string, size int) func(s *scene, n uint64) {
		return func(s *scene, n uint64) { s.phone.write(name, text(20+n, size)) }
	}
	// repeated says whether two objects that differ were sealed with one salt and nonce.
	repeated := func(prefix string, at int) func(*scene, *Round) bool {
		return func(s *scene, _ *Round) bool {
			seen := map[[56]byte][]byte{}
			for n, b := range s.w.bucket.Snapshot() {
				if _, was := s.old[n]; was || !strings.HasPrefix(n, prefix) {
					continue
				}
				u, err := seal.UniqueOf(b[at:])
				s.w.must(err)
				if o, ok := seen[u]; ok && !bytes.Equal(o, b) {
					return true
				}
				seen[u] = b
			}
			return false
		}
	}
	out := []hook{inSeal("hedging")}
	return []attack{
		{row: 10, name: "two heads", mount: again(own("notes/own.txt", 100)), won: repeated(store.Heads, 64), out: out},
		{row: 10, name: "two segments", mount: again(own("User/prompts/own.md", 9<<10)), won: repeated(store.Segments, 0), out: out},
		{row: 10, name: "two snapshots", mount: again(func(s *scene, n uint64) {
			s.phone.e.cfg.sizes.snapshotEntries, s.phone.e.cfg.sizes.snapshotBytes = 1, 1
			own("notes/own.txt", 100)(s, n)
		}), won: repeated(store.Snapshots, 4), out: out},
	}
}

func TestAttack19Confirm(t *testing.T) { runAttacks(t, attack19Confirm()) }

// Who owns the store has made the laptop's owner take a file, and looks for it.
func attack19Confirm() []attack {
	injected := func(s *scene) {
		s.laptop.write("notes/big.bin", noise(31, 400<<10))
		s.more()
	}
	return []attack{
		{row: 19, name: "look for a chunk by its hash", mount: injected, won: func(s *scene, _ *Round) bool {
			b := s.laptop.read("notes/big.bin")
			c := s.laptop.content("notes/big.bin").Large.Chunks[0]
			return c.Name == item.Hash(sha256.Sum256([]byte(b[:c.Size])))
		}, out: []hook{inChunk("checkKeyed")}},
		{row: 19, name: "foretell where a file is cut", mount: injected, won: func(s *scene, _ *Round) bool {
			b := []byte(s.laptop.read("notes/big.bin"))
			cut := chunk.NewNamer(seal.Key{}).Cutter(bytes.NewReader(b))
			for _, c := range s.laptop.content("notes/big.bin").Large.Chunks {
				if piece, err := cut.Next(); err != nil || len(piece) != int(c.Size) {
					return false
				}
			}
			return true
		}, out: []hook{inChunk("checkGear")}},
		{row: 19, name: "tell two files by their packs' sizes", mount: func(s *scene) {
			s.laptop.write("notes/big.bin", noise(32, 101_000))
			s.more()
			s.laptop.write("notes/small.txt", noise(33, 101_100))
			s.more()
		}, won: func(s *scene, _ *Round) bool {
			size := func(file string) int { return len(s.raw.Get(packName(s.places(file)[0].Pack))) }
			return size("notes/big.bin") != size("notes/small.txt")
		}, out: []hook{inChunk("checkPad")}},
	}
}
