package keyring

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"plait/backend/item"
)

// format is the one version of genesis and statements that this code reads and writes.
const format = 1

// A Genesis is what vault.json holds: how the vault began.
type Genesis struct {
	Device   Public    // of the first device
	Recovery Public    // of the first recovery words
	Epoch    item.Hash // the first epoch
	Made     time.Time // to the second; as the first device's clock had it
}

type genesisBody struct {
	Format   uint64    `cbor:"1,keyasint"`
	Device   Public    `cbor:"2,keyasint"`
	Recovery Public    `cbor:"3,keyasint"`
	Epoch    item.Hash `cbor:"4,keyasint"`
	Made     int64     `cbor:"5,keyasint"`
}

// vaultFile is vault.json. Both signatures are over the body: by the device, and by
// the recovery key, without which anybody could found a vault on somebody else's words.
type vaultFile struct {
	Format   int    `json:"plait"`
	About    string `json:"about"`
	Genesis  string `json:"genesis"`
	Device   string `json:"device"`
	Recovery string `json:"recovery"`
}

const about = "A vault of Plait: what is beside this file is encrypted. Its keys are on the devices of its owner."

// VaultID is the id of the vault that a vault.json begins: its hash.
func VaultID(genesis []byte) item.Hash { return sha256.Sum256(genesis) }

func makeGenesis(d *Device, r *Recovery, epoch item.Hash, now time.Time) []byte {
	body := encode(genesisBody{format, d.Public(), r.Public(), epoch, now.Unix()})
	return marshalVault(vaultFile{
		Format: format, About: about, Genesis: b64.EncodeToString(body),
		Device:   b64.EncodeToString(d.Sign("genesis", body)),
		Recovery: b64.EncodeToString(r.Sign("genesis", body)),
	})
}

func marshalVault(f vaultFile) []byte { return append(must(json.MarshalIndent(f, "", "  ")), '\n') }

// ParseGenesis reads a vault.json and checks its signatures. Whether it is the
// right vault's its hash tells, or the recovery words do: see Build, Ring.Recognise.
// Codes: Damaged, Newer, Forged.
func ParseGenesis(b []byte) (Genesis, error) {
	if len(b) > maxGenesis {
		return Genesis{}, fmt.Errorf("vault.json: %w: %d bytes", Damaged, len(b))
	}
	var f vaultFile
	if err := json.Unmarshal(b, &f); err != nil || f.Format < 1 {
		return Genesis{}, fmt.Errorf("vault.json: %w: not a vault", Damaged)
	}
	if checkFormat.fails(f.Format != format) {
		return Genesis{}, fmt.Errorf("vault.json: %w: format %d", Newer, f.Format)
	}
	f.About = about
	if !bytes.Equal(marshalVault(f), b) {
		return Genesis{}, fmt.Errorf("vault.json: %w: not in the one encoding", Damaged)
	}
	body, err1 := b64.DecodeString(f.Genesis)
	byDevice, err2 := b64.DecodeString(f.Device)
	byRecovery, err3 := b64.DecodeString(f.Recovery)
	if err1 != nil || err2 != nil || err3 != nil {
		return Genesis{}, fmt.Errorf("vault.json: %w: not base64", Damaged)
	}
	var g genesisBody
	if err := decode(body, &g, maxGenesis); err != nil {
		return Genesis{}, fmt.Errorf("vault.json: %w", err)
	}
	if checkFormat.fails(g.Format != format) {
		return Genesis{}, fmt.Errorf("vault.json: %w: genesis of format %d", Newer, g.Format)
	}
	for _, p := range []Public{g.Device, g.Recovery} {
		if err := p.valid(); err != nil {
			return Genesis{}, fmt.Errorf("vault.json: %w", err)
		}
	}
	if checkGenesis.fails(!g.Device.Verify("genesis", body, byDevice) || !g.Recovery.Verify("genesis", body, byRecovery)) {
		return Genesis{}, fmt.Errorf("vault.json: %w", Forged)
	}
	return Genesis{Device: g.Device, Recovery: g.Recovery, Epoch: g.Epoch, Made: time.Unix(g.Made, 0).UTC()}, nil
}
