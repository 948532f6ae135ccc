package keyring

import (
	"slices"
	"time"

	"plait/backend/item"
)

// Vault is the vault's id.
func (r *Ring) Vault() item.Hash { return r.vault }

// Genesis is how the vault began.
func (r *Ring) Genesis() Genesis { return r.genesis }

// Member returns a device that is or was a member.
func (r *Ring) Member(d item.Device) (Member, bool) {
	if m := r.members[d]; m != nil {
		return *m, true
	}
	return Member{}, false
}

// Former returns the keys of a device that is no member because who admitted it was
// put out by somebody who did not know of that. Until then it may have written what a
// live device took in.
func (r *Ring) Former(d item.Device) (Public, bool) {
	k, ok := r.former[d]
	return k, ok && r.members[d] == nil
}

// Members lists all who are or were, by device id.
func (r *Ring) Members() []Member {
	ms := make([]Member, 0, len(r.members))
	for _, m := range r.members {
		ms = append(ms, *m)
	}
	slices.SortFunc(ms, func(a, b Member) int { return slices.Compare(a.Device[:], b.Device[:]) })
	return ms
}

// Live lists the members that are not revoked, by device id.
func (r *Ring) Live() []Member {
	return slices.DeleteFunc(r.Members(), func(m Member) bool { return m.Revoked })
}

// Frontier is the newest statements that count: what a head names, so that others
// notice what a store keeps from them. Never empty: at first the vault's id.
func (r *Ring) Frontier() []item.Hash { return r.frontier(nil) }

// frontier is the newest statements that count among those that had not seen any of
// without; with none of these themselves.
func (r *Ring) frontier(without []item.Hash) []item.Hash {
	out := make(set, (len(r.nodes)+63)/64)
	covered := make(set, len(out))
	in := func(i int) bool { return r.nodes[i].verdict == counts && !out.has(i) }
	for i := range r.nodes {
		if slices.Contains(without, r.nodes[i].name) || r.nodes[i].before.meets(out) {
			out.add(i)
		}
		if in(i) {
			covered.join(r.nodes[i].before)
		}
	}
	var names []item.Hash
	for i := range r.nodes {
		if in(i) && !covered.has(i) {
			names = append(names, r.nodes[i].name)
		}
	}
	return sorted(names)
}

// Missing lists what statements of known authors name and Build was not given, and of
// names (a head's, say) those that Build was not given. While there are any the store
// may hold back a revocation: nothing should be sealed on the strength of this Ring.
func (r *Ring) Missing(names ...item.Hash) []item.Hash {
	missing := slices.Clone(r.missing)
	for _, n := range names {
		if _, there := r.statements[n]; !there && n != r.vault {
			missing = append(missing, n)
		}
	}
	return sorted(missing)
}

// Least is the least versions that may write, by what they are of (a data type's
// name): the highest that any member asked for.
func (r *Ring) Least() map[string]uint64 {
	least := map[string]uint64{}
	for i := range r.nodes {
		n := &r.nodes[i]
		if n.verdict != counts || !n.known || n.body.Least == nil {
			continue
		}
		for of, v := range n.body.Least.Versions {
			if v > least[of] || checkLeast.skipped() {
				least[of] = v
			}
		}
	}
	return least
}

// An Event is a statement in words, for the audit log.
type Event struct {
	Name   item.Hash
	Kind   Kind // 0 for the genesis
	Time   time.Time
	Author Principal
	About  item.Device // who is admitted or revoked
	Counts bool
}

// Events lists the genesis and all statements whose place is known, each after what
// its author had seen.
func (r *Ring) Events() []Event {
	es := make([]Event, 0, len(r.nodes))
	for i := range r.nodes {
		n := &r.nodes[i]
		e := Event{Name: n.name, Kind: n.body.Kind, Time: n.body.time(), Author: n.body.Author, Counts: n.verdict == counts}
		if n.body.Admit != nil {
			e.About = n.body.Admit.Device
		}
		if n.body.Revoke != nil {
			e.About = n.body.Revoke.Device
		}
		es = append(es, e)
	}
	return es
}

// Recognise says whether recovery words belong to this vault, which no store can
// feign: the words' own signature is on the genesis or on the statement that brought
// them in, and that names the vault. Codes: WrongWords, Replaced.
func (r *Ring) Recognise(rec *Recovery) error {
	switch k := r.recovery[rec.ID()]; {
	case k == nil:
		return WrongWords
	case checkWords.fails(k.replaced):
		return Replaced
	}
	return nil
}
