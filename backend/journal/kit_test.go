package journal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"plait/backend/item"
	"plait/backend/seal"
)

// fixed is a source of "random" bytes for tests: a counter.
type fixed struct{ n byte }

func (f *fixed) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = f.n
		f.n++
	}
	return len(p), nil
}

var (
	vaultID  = item.Hash{'v'}
	epochKey = seal.Key{1, 2, 3}
	epochID  = item.Hash(sha256.Sum256(epochKey[:]))
	signKey  = ed25519.NewKeyFromSeed(make([]byte, 32))
	verifyBy = signKey.Public().(ed25519.PublicKey)
)

func testSealer() Sealer {
	return Sealer{Vault: vaultID, Epoch: epochID, Key: epochKey, Rand: &fixed{}}
}

func testOpener() Opener {
	return Opener{Vault: vaultID, Key: func(e item.Hash) (seal.Key, bool) { return epochKey, e == epochID }}
}

func sign(m []byte) []byte { return ed25519.Sign(signKey, m) }

// chainOf makes a journal's first n records; tag tells histories apart.
func chainOf(t testing.TB, a item.Author, n int, tag string) []Record {
	t.Helper()
	return extend(t, nil, a, n, tag)
}

func extend(t testing.TB, records []Record, a item.Author, n int, tag string) []Record {
	t.Helper()
	tip := Tip{Author: a}
	if len(records) > 0 {
		tip = must(Verify(records, tip))
	}
	out := append([]Record{}, records...)
	for range n {
		r := mustEncode(t, &item.Entry{
			Author: a, Seq: tip.Seq + 1, Prev: tip.Hash, Time: start + item.HLC(tip.Seq), Action: item.Edit,
			Deps: item.Vector{{Device: item.Device{77}}: {Seq: 5}},
			Writes: []item.Write{{
				Item: "default/settings", Key: item.Key{Path: "/a"},
				Value: item.Value{Kind: item.JSON, Data: fmt.Appendf(nil, `"%s %d"`, tag, tip.Seq+1)},
			}},
		}, nil)
		tip = Tip{a, tip.Seq + 1, r.Hash}
		out = append(out, r)
	}
	return out
}

func tipOf(t testing.TB, records []Record) Tip {
	t.Helper()
	h, err := records[len(records)-1].Open()
	if err != nil {
		t.Fatal(err)
	}
	return Tip{h.Author, h.Seq, records[len(records)-1].Hash}
}

// An attack is something that a store, or a hostile device, does. It is made with
// make, and has to fail at the one check named; with that check taken out, it has
// to succeed, or it was another one that held.
type attack struct {
	name  string
	row   int // of the design's list
	check check
	try   func() error // nil: the attack succeeded
}

func runAttacks(t *testing.T, attacks []attack) {
	t.Helper()
	for _, a := range attacks {
		t.Run(fmt.Sprintf("row %d %s", a.row, a.name), func(t *testing.T) {
			err := a.try()
			if err == nil {
				t.Fatal("not noticed")
			}
			var code Code
			var sealed seal.Code
			if !errors.As(err, &code) && !errors.As(err, &sealed) {
				t.Errorf("noticed without a code: %v", err)
			}
			without[a.check] = true
			defer func() { without[a.check] = false }()
			if err := a.try(); err != nil {
				t.Errorf("with the check taken out: %v", err)
			}
		})
	}
}
