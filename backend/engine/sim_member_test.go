package engine

import (
	"context"
	"fmt"

	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// Who is in the vault.

// begin founds the vault, and lets a few devices meet in it.
func (s *sim) begin() {
	m := s.machine("a")
	s.seed = keyring.NewSeed(m.rand)
	genesis, ss, err := keyring.Found(m.rand, s.now, m.keys, s.seed, nil, keyring.KDF{})
	s.must(err)
	s.must(s.bucket.Put(context.Background(), store.VaultFile, genesis))
	s.must(Init(m.db, keyring.VaultID(genesis), m.keys.ID(), m.rand, genesis, ss, true))
	s.fleet = append(s.fleet, m)
	m.start()
	m.named()
	s.settle(m)
	m.round(RoundOptions{})
	for range 1 + s.r.IntN(3) {
		s.pair(m)
	}
}

func (m *machine) named() { m.s.must(m.e.SetDevice(m.keys.ID(), "name", m.name)) }

// settle gives a machine some content of its own.
func (s *sim) settle(m *machine) {
	for range s.r.IntN(5) {
		s.editDocument(m)
	}
	if s.chance(0.7) {
		s.editFile(m)
	}
}

// newcomer is a machine that is about to join, and the vault's genesis.
func (s *sim) newcomer() (*machine, []byte) {
	m := s.machine(string(rune('a' + len(s.fleet))))
	genesis, err := s.bucket.Get(context.Background(), store.VaultFile, driver.All)
	s.must(err)
	return m, genesis
}

// stored are the statements in the store.
func (s *sim) stored() (known map[item.Hash][]byte) {
	known = map[item.Hash][]byte{}
	for _, name := range s.bucket.Raw().Names(store.Keys) {
		h, ok := store.HashOf(name)
		if ok {
			known[h] = s.bucket.Raw().Get(name)
		}
	}
	return known
}

// pair admits a new device, by the word of one that is in.
func (s *sim) pair(by *machine) {
	if len(s.fleet) >= 8 || by.out {
		return
	}
	m, genesis := s.newcomer()
	run := s.chance(0.8)
	ss, err := by.e.Keys().Admit(s.now, m.keys.Public(), run)
	if err != nil {
		by.note("can't admit: %v", err)
		return
	}
	if err := by.e.AddStatements(ss); !by.expelled(err) {
		s.must(err)
	}
	by.round(RoundOptions{})
	by.did("keys: pair", fmt.Sprintf("%s, run %v", m.name, run))
	known := s.stored()
	ring, _, err := keyring.Build(by.e.meta.Vault, genesis, known)
	s.must(err)
	if x, ok := ring.Member(m.keys.ID()); !ok || x.Revoked || len(ring.Missing()) > 0 {
		by.note("%s does not get in", m.name)
		return
	}
	keys, err := ring.Unlock(m.keys)
	if err == nil {
		_, err = keys.ChunkNames()
	}
	if err != nil {
		by.note("%s has no keys yet: %v", m.name, err)
		return
	}
	s.enter(m, genesis, known, nil)
}

// recover lets a new device in by the recovery words.
func (s *sim) recover(*machine) {
	if len(s.fleet) >= 8 {
		return
	}
	m, genesis := s.newcomer()
	known := s.stored()
	ring, _, err := keyring.Build(keyring.VaultID(genesis), genesis, known)
	s.must(err)
	rec := s.seed.Recovery()
	if ring.Recognise(rec) != nil || len(ring.Missing()) > 0 {
		return
	}
	keys, err := ring.Unlock(rec)
	s.must(err)
	ss, err := keys.Admit(s.now, m.keys.Public(), true)
	s.must(err)
	for _, x := range ss {
		known[x.Name] = x.Bytes
	}
	m.did("keys: recover", "")
	s.enter(m, genesis, known, ss)
}

func (s *sim) enter(m *machine, genesis []byte, known map[item.Hash][]byte, own []keyring.Statement) {
	var all []keyring.Statement
	for _, h := range sortedHashes(known) {
		all = append(all, keyring.Statement{Name: h, Bytes: known[h]})
	}
	s.must(Init(m.db, keyring.VaultID(genesis), m.keys.ID(), m.rand, genesis, all, false))
	s.fleet = append(s.fleet, m)
	m.start()
	s.must(m.e.AddStatements(own))
	if s.chance(0.7) {
		s.settle(m)
	}
	m.round(RoundOptions{NoApply: true, NoPush: true})
	m.named()
	m.round(RoundOptions{NoApply: true})
}

func (s *sim) revoke(by *machine) {
	who := pick(s, s.fleet)
	if by.keys == who.keys || len(s.fleet) < 3 {
		return
	}
	live := map[*keyring.Device]bool{}
	for _, m := range s.fleet {
		if x, ok := by.e.Ring().Member(m.keys.ID()); ok && !x.Revoked && m.keys != who.keys {
			live[m.keys] = true
		}
	}
	if len(live) < 2 && s.chance(0.9) {
		return
	}
	by.round(RoundOptions{})
	if by.out {
		return
	}
	ss, err := by.e.Keys().Revoke(by.rand, by.clock(), who.keys.ID(), by.e.Vector())
	if err != nil {
		by.note("can't revoke %s: %v", who.name, err)
		return
	}
	if err := by.e.AddStatements(ss); !by.expelled(err) {
		s.must(err)
	}
	by.did("keys: revoke", who.name)
	by.round(RoundOptions{})
}

func (s *sim) rotate(m *machine) {
	ss, err := m.e.Keys().Rotate(m.rand, m.clock())
	if err != nil {
		m.note("can't rotate: %v", err)
		return
	}
	if err := m.e.AddStatements(ss); !m.expelled(err) {
		s.must(err)
	}
	m.did("keys: rekey", "")
}
