package engine

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rows says where each attack of the threat model's list is made, by its row there:
// package and test. What is missing (12, 17, 26) belongs to parts that do not exist
// yet: our own server, several stores, and the deletion of what nothing uses.
var rows = map[int][]string{
	1:  {"keyring.TestAttack1ReplaceKeys", "engine.TestAttack1Keys"},
	2:  {"keyring.TestAttack2Ghost", "engine.TestAttack2Ghost"},
	3:  {"keyring.TestAttack3Downgrade", "seal.TestAttack3Downgrade", "engine.TestAttack3Downgrade"},
	4:  {"keyring.TestAttack4KDF"},
	5:  {"seal.TestAttack5Flip", "keyring.TestAttack5Flip", "engine.TestAttack5Flip"},
	6:  {"store.TestAttacks", "chunk.TestAttacks", "journal.TestSegmentAttacks", "engine.TestAttack6Cut"},
	7:  {"seal.TestAttack7Swap", "keyring.TestAttack7Swap", "journal.TestHeadAttacks", "engine.TestAttack7Swap"},
	8:  {"store.TestAttacks", "journal.TestHeadAttacks", "engine.TestAttack8Metadata"},
	9:  {"journal.TestSnapshotAttacks", "engine.TestAttack9Inject"},
	10: {"seal.TestAttack10SameRandomness", "engine.TestAttack10Randomness"},
	11: {"keyring.TestAttack11OtherVault", "engine.TestAttack11OtherVault"},
	13: {"journal.TestHeadAttacks", "engine.TestAttack13Rollback"},
	14: {"journal.TestChainAttacks", "engine.TestAttack14Fork", "engine.TestAttack14Twin"},
	15: {"keyring.TestAttack15Revoked", "engine.TestAttack15Revoked"},
	16: {"engine.TestAttack16Freeze"},
	18: {"seal.TestAttack18TwoKeys", "keyring.TestAttack18Slot"},
	19: {"chunk.TestAttacks", "engine.TestAttack19Confirm"},
	20: {"journal.TestSecretsAlone"},
	21: {"journal.TestTextAttacks", "journal.TestNumberAttacks", "chunk.TestAttacks", "engine.TestAttack21Bombs"},
	22: {"disk.TestCheckNameRefuses", "engine.TestAttack22Paths"},
	23: {"keyring.TestAttack23Run", "engine.TestAttack23Execute"},
	24: {"keyring.TestAttack24Pairing"},
	25: {"keyring.TestAttack25Recovery", "engine.TestAttack25Recovery"},
	27: {"journal.TestNumberAttacks", "engine.TestAttack27Numbers"},
	28: {"journal.TestChainAttacks", "engine.TestAttack28Log"},
}

// rounds are the attacks on whole rounds.
func rounds() (all []attack) {
	for _, list := range []func() []attack{attack1Keys, attack2Ghost, attack3Downgrade, attack5Flip, attack6Cut, attack7Swap, attack8Metadata, attack9Inject, attack10Randomness, attack11OtherVault,
		attack13Rollback, attack14Fork, attack14Twin, attack15Revoked, attack16Freeze, attack19Confirm, attack21Bombs, attack22Paths, attack23Execute, attack25Recovery, attack27Numbers} {
		all = append(all, list()...)
	}
	for _, a := range attack28Log() {
		all = append(all, attack{row: 28, name: a.name, out: a.out})
	}
	return all
}

// Rows that no round can show are attacked where they would succeed, three ways at
// least, each with its check taken out: a passphrase's slot and pairing never reach a
// round; no object of a round is opened under more than the one key it names; and what
// a guess beside a secret saves is less than an object's padding hides.
var below = []int{4, 18, 20, 24}

func TestEveryRowIsAttacked(t *testing.T) {
	proven := map[int]int{}
	for _, a := range rounds() {
		switch {
		case a.cannot == "" && len(a.out) == 0:
			t.Errorf("row %d, %s: no check is taken out, and nothing says why", a.row, a.name)
		case a.cannot == "":
			proven[a.row]++
		}
	}
	for row := 1; row <= 28; row++ {
		if row == 12 || row == 17 || row == 26 {
			continue
		}
		if len(rows[row]) == 0 {
			t.Errorf("row %d is attacked nowhere", row)
		}
		if proven[row] < 3 && !slices.Contains(below, row) {
			t.Errorf("row %d has %d attacks on rounds that succeed without their checks; want 3", row, proven[row])
		}
		for _, name := range rows[row] {
			if !hasTest(t, name) {
				t.Errorf("row %d: there is no test %s", row, name)
			}
		}
	}
}

// ATTACKS.md is what the tests say of themselves. PLAIT_UPDATE=1 writes it anew.
func TestTableOfAttacks(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`# Attacks on whole rounds

By the rows of the threat model's list. With all checks in, each fails: the victim names it, or passes it over,
applies nothing of it, and goes on once it is over. It succeeds once the checks named here are out together; with any
one of them put back it fails again. Tests make all three, and this table. What a store or a member may try below a
round is tested with its packages, in the same way.

| Row | Attack | Succeeds without |
| ---: | --- | --- |
`)
	all := rounds()
	slices.SortStableFunc(all, func(x, y attack) int { return x.row - y.row })
	for _, a := range all {
		var names []string
		for _, h := range a.out {
			names = append(names, h.name)
		}
		without := strings.Join(names, ", ")
		if a.cannot != "" {
			without = "nothing: " + a.cannot
		}
		fmt.Fprintf(&b, "| %d | %s | %s |\n", a.row, a.name, without)
	}
	for _, row := range below {
		fmt.Fprintf(&b, "| %d | below rounds alone | %s |\n", row, strings.Join(rows[row], ", "))
	}
	if os.Getenv("PLAIT_UPDATE") != "" {
		if err := os.WriteFile("ATTACKS.md", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if had, err := os.ReadFile("ATTACKS.md"); err != nil || !bytes.Equal(had, b.Bytes()) {
		t.Errorf("ATTACKS.md is not what the tests are (%v); PLAIT_UPDATE=1 writes it anew", err)
	}
}

// hasTest says whether a package beside this one has a test of that name.
func hasTest(t *testing.T, name string) bool {
	t.Helper()
	pkg, test, _ := strings.Cut(name, ".")
	files, err := filepath.Glob(filepath.Join("..", pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "func "+test+"(t *testing.T)") {
			return true
		}
	}
	return false
}
