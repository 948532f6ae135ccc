package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"plait/backend/store/driver"
	"plait/backend/store/memstore"
)

// Attacks of a store's owner that are met here, numbered as in the threat model. Each
// must be noticed with all checks, and must work with its check taken out, so that it is
// known to be that check which holds it off.
func TestAttacks(t *testing.T) {
	body := bytes.Repeat([]byte("sealed bytes "), 1000)
	other := bytes.Repeat([]byte("other bytes! "), 1000)
	head := func(body []byte) string {
		return HeadName{Device: "0b6ad3e4-0000-4000-8000-0123456789ab", N: 3, Hash: Sum(body)}.String()
	}
	segment, pack, snapshot := HashName(Segments, Sum(body)), HashName(Packs, Sum(body)), HashName(Snapshots, Sum(body))
	change := func(name string, f func([]byte) []byte) func(memstore.Raw) {
		return func(r memstore.Raw) { r.Corrupt(name, f) }
	}
	for _, a := range []struct {
		name   string
		object string
		check  check
		code   driver.Code
		attack func(memstore.Raw)
	}{
		{"6 truncate a segment", segment, checkHash, Changed, change(segment, func(b []byte) []byte { return b[:len(b)-1] })},
		{"6 truncate a pack to nothing", pack, checkHash, Changed, change(pack, func(b []byte) []byte { return nil })},
		{"6 append to a pack", pack, checkHash, Changed, change(pack, func(b []byte) []byte { return append(b, 0) })},
		{"6 reorder what is in a pack", pack, checkHash, Changed, change(pack, func(b []byte) []byte { return slices.Concat(b[600:], b[:600]) })},
		{"6 duplicate what is in a segment", segment, checkHash, Changed, change(segment, func(b []byte) []byte { return slices.Concat(b, b) })},
		{"6 swap two segments", segment, checkHash, Changed, func(r memstore.Raw) { r.Swap(segment, HashName(Segments, Sum(other))) }},
		{"8 a head under an older head's name", head(body), checkHash, Changed, func(r memstore.Raw) { r.Set(head(body), other) }},
		{"8 a snapshot of another size", snapshot, checkHash, Changed, change(snapshot, func(b []byte) []byte { return append([]byte{1}, b...) })},
		{"8 one bit of a statement", HashName(Keys, Sum(body)), checkHash, Changed, change(HashName(Keys, Sum(body)), func(b []byte) []byte { b[77] ^= 4; return b })},
		{"21 a head of 40 MB", head(body), checkLimit | checkHash, TooLarge, func(r memstore.Raw) { r.Set(head(body), make([]byte, 40<<20)) }},
		{"21 a vault.json of 40 MB", VaultFile, checkLimit, TooLarge, func(r memstore.Raw) { r.Set(VaultFile, make([]byte, 40<<20)) }},
		{"21 a pairing message of 40 MB", "join/ab.new", checkLimit, TooLarge, func(r memstore.Raw) { r.Set("join/ab.new", make([]byte, 40<<20)) }},
	} {
		t.Run(a.name, func(t *testing.T) {
			b := memstore.New()
			for _, x := range [][]byte{body, other} {
				for _, name := range []string{HashName(Segments, Sum(x)), HashName(Packs, Sum(x)), HashName(Snapshots, Sum(x)), HashName(Keys, Sum(x)), head(x)} {
					b.Raw().Set(name, x)
				}
			}
			a.attack(b.Raw())
			s := New(b, Options{})
			got, err := s.Get(t.Context(), a.object)
			if got != nil || !errors.Is(err, a.code) {
				t.Errorf("Get = %d bytes, %v; want code %q", len(got), err, a.code)
			}
			if down := s.Usage().BytesDown; down > 2*MaxSize(a.object) {
				t.Errorf("%d bytes came down, of at most %d", down, MaxSize(a.object))
			}
			s.checks &^= a.check
			if got, err := s.Get(t.Context(), a.object); err != nil {
				t.Errorf("without its check the attack failed too: %d bytes, %v", len(got), err)
			}
		})
	}
}

// FuzzName: names come from whoever writes to the store. What is accepted is one
// plain way of writing it, stays inside, and says what it said.
func FuzzName(f *testing.F) {
	for _, s := range []string{
		VaultFile, HashName(Packs, Sum(nil)), HeadName{Device: "0b6ad3e4-0000-4000-8000-0123456789ab", N: 3}.String(), "join/a.b",
		"heads/../../etc/passwd", "packs/" + fmt.Sprint(0), "heads/....", "join/.", "keys/\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if CheckName(name) != nil {
			return
		}
		if driver.CheckName(name) != nil || MaxSize(name) <= 0 {
			t.Errorf("%q passes here and not below", name)
		}
		hash, named := HashOf(name)
		if h, ok := ParseHeadName(name); ok && (h.String() != name || h.Hash != hash) {
			t.Errorf("%q reads as %+v", name, h)
		}
		if !named && name != VaultFile && prefixOf(name) != Join {
			t.Errorf("%q has no hash", name)
		}
	})
}
