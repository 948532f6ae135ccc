package keyring

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"plait/backend/item"
)

// A Ring is what a set of statements adds up to. It holds no secret, and does not change.
type Ring struct {
	vault      item.Hash
	genesis    Genesis
	bytes      []byte               // the genesis
	statements map[item.Hash][]byte // whose names are their hashes; others are as good as missing
	nodes      []node               // in an order in which each follows what it had seen
	missing    []item.Hash
	members    map[item.Device]*Member
	recovery   map[item.Hash]*recoveryKey
	epochs     map[item.Hash]*epoch
	former     map[item.Device]Public
}

// A Member is a device that is, or was, in the vault.
type Member struct {
	Device   item.Device
	Keys     Public
	Run      bool      // may it change what runs on the vault's other machines
	Admitted time.Time // by the clock of who admitted it
	By       Principal // who admitted it; itself for the first device

	// If it was revoked: entries of its journals beyond Limit count only where a
	// live device's entry or head covers them.
	Revoked   bool
	RevokedBy []Principal
	RevokedAt time.Time
	Limit     item.Vector
}

// recoveryKey is one set of recovery words' keys.
type recoveryKey struct {
	keys     Public
	run      bool
	replaced bool
}

// epoch is a key's sharing out.
type epoch struct {
	to    map[Principal]bool
	depth int // of the statement that first shared it
}

// Rejected is a statement that does not count, and why.
type Rejected struct {
	Name item.Hash
	Err  error // of one of this package's codes
}

// Build reads a vault's genesis and statements, by name. vault is what this device
// knows the vault's id to be: VaultID(genesis) only for who still has to check it by
// other means (Ring.Recognise). The order of the statements makes no difference.
//
// Statements that do not count are told, and left out: the Ring stands without them.
// Codes of the error: Damaged, Newer, Forged, OtherVault; all of the genesis.
func Build(vault item.Hash, genesis []byte, statements map[item.Hash][]byte) (*Ring, []Rejected, error) {
	if checkVaultID.fails(VaultID(genesis) != vault) {
		return nil, nil, fmt.Errorf("vault.json: %w", OtherVault)
	}
	g, err := ParseGenesis(genesis)
	if err != nil {
		return nil, nil, err
	}
	if len(statements) > maxStatements {
		return nil, nil, fmt.Errorf("keys: %w: %d statements", Damaged, len(statements))
	}
	r := &Ring{vault: vault, genesis: g, bytes: genesis, statements: map[item.Hash][]byte{}}
	sound, rejected := r.read(statements)
	ordered, pending := r.order(sound)
	rejected = append(rejected, pending...)
	r.nodes = ordered
	judge(r.nodes)
	for i := range r.nodes {
		switch n := &r.nodes[i]; {
		case n.verdict == void:
			rejected = append(rejected, Rejected{n.name, Void})
		case !n.known:
			rejected = append(rejected, Rejected{n.name, Newer})
		}
	}
	slices.SortFunc(rejected, func(a, b Rejected) int { return slices.Compare(a.Name[:], b.Name[:]) })
	r.sum()
	for _, p := range pending {
		r.miss(sound[p.Name])
	}
	r.missing = sorted(r.missing)
	return r, rejected, nil
}

// miss notes what a statement that can't be placed names and nobody gave. It has to be
// a live member's: a stranger may name what it likes.
func (r *Ring) miss(s *statement) {
	if r.present(s.body.Author) != nil {
		return
	}
	for _, seen := range s.body.Seen {
		if _, there := r.statements[seen]; !there && seen != r.vault {
			r.missing = append(r.missing, seen)
		}
	}
}

// read parses the statements and checks their signatures, by name.
func (r *Ring) read(statements map[item.Hash][]byte) (sound map[item.Hash]*statement, rejected []Rejected) {
	parsed := map[item.Hash]*statement{}
	// Whose keys are whose needs no trust: a principal's id is the hash of its keys.
	keys := map[Principal]Public{
		{Device: r.genesis.Device.Device()}:       r.genesis.Device,
		{Recovery: r.genesis.Recovery.Recovery()}: r.genesis.Recovery,
	}
	for _, name := range sorted(slices.Collect(maps.Keys(statements))) {
		s, err := parseStatement(r.vault, name, statements[name])
		if s != nil {
			r.statements[name] = statements[name]
		}
		if err != nil {
			rejected = append(rejected, Rejected{name, err})
			continue
		}
		parsed[name] = s
		if p, k, ok := s.body.introduces(); ok && s.known {
			keys[p] = k
		}
	}
	for name, s := range parsed {
		author, ok := keys[s.body.Author]
		err := error(Stranger)
		if ok {
			err = s.verify(author)
		}
		if err != nil {
			rejected = append(rejected, Rejected{name, err})
			delete(parsed, name)
		}
	}
	return parsed, rejected
}

// order puts what builds on nothing unknown into an order that follows seen.
func (r *Ring) order(sound map[item.Hash]*statement) (nodes []node, pending []Rejected) {
	nodes = []node{genesisNode(r.vault, r.genesis)}
	number := map[item.Hash]int{r.vault: 0}
	waits := map[item.Hash]int{}        // how many of its seen are not placed
	then := map[item.Hash][]item.Hash{} // who waits for it
	ready := []item.Hash{}              // all of whose seen are placed
	names := sorted(slices.Collect(maps.Keys(sound)))
	for _, name := range names {
		for _, seen := range sound[name].body.Seen {
			if seen == r.vault || checkVault.skipped() && seen == sound[name].body.Vault {
				continue
			}
			waits[name]++
			then[seen] = append(then[seen], name)
		}
		if waits[name] == 0 {
			ready = append(ready, name)
		}
	}
	for len(ready) > 0 {
		name := ready[0]
		ready = ready[1:]
		number[name] = len(nodes)
		nodes = append(nodes, node{statement: sound[name]})
		for _, t := range then[name] {
			if waits[t]--; waits[t] == 0 {
				ready = append(ready, t)
			}
		}
	}
	words := (len(nodes) + 63) / 64
	for i := range nodes {
		n := &nodes[i]
		n.before = make(set, words)
		for _, seen := range n.body.Seen {
			j := number[seen]
			n.before.add(j)
			n.before.join(nodes[j].before)
			n.depth = max(n.depth, nodes[j].depth+1)
		}
	}
	for _, name := range names {
		if _, placed := number[name]; !placed {
			pending = append(pending, Rejected{name, Incomplete})
		}
	}
	return nodes, pending
}

// sum adds up what counts.
func (r *Ring) sum() {
	r.members, r.recovery, r.epochs = map[item.Device]*Member{}, map[item.Hash]*recoveryKey{}, map[item.Hash]*epoch{}
	r.former = map[item.Device]Public{}
	run := make([]bool, len(r.nodes)) // may who this node brings in change what runs
	for i := range r.nodes {
		n := &r.nodes[i]
		if n.verdict == void && n.once && n.known {
			r.sumVoid(n)
		}
		if n.verdict != counts || !n.known {
			continue
		}
		authorRuns := i == 0 || checkRun.skipped()
		for _, s := range n.support {
			authorRuns = authorRuns || (r.nodes[s].verdict == counts && run[s] && r.brings(s, n.body.Author))
		}
		run[i] = authorRuns && (n.body.Admit == nil || n.body.Admit.Run)
		if a := n.body.Admit; a != nil {
			m := r.members[a.Device]
			if m == nil {
				m = &Member{Device: a.Device, Keys: a.Keys, Admitted: n.body.time(), By: n.body.Author}
				r.members[a.Device] = m
			}
			m.Run = m.Run || run[i]
		}
		if w := n.body.Words; w != nil {
			id := w.Keys.Recovery()
			if r.recovery[id] == nil {
				r.recovery[id] = &recoveryKey{keys: w.Keys}
			}
			r.recovery[id].run = r.recovery[id].run || run[i]
		}
		if w := n.body.Wrap; w != nil {
			for _, s := range w.Shares {
				r.share(s.Epoch, s.To, n.depth)
			}
		}
	}
	for i := range r.nodes {
		if n := &r.nodes[i]; n.verdict == counts && n.known {
			r.remove(n)
		}
	}
}

// sumVoid takes in what a statement did before it was void: who its author admitted
// may have written what a live device took in, and who has an epoch key has it.
func (r *Ring) sumVoid(n *node) {
	if a := n.body.Admit; a != nil {
		r.former[a.Device] = a.Keys
	}
	if w := n.body.Wrap; w != nil {
		for _, s := range w.Shares {
			r.share(s.Epoch, s.To, n.depth)
			r.share(s.Epoch, n.body.Author, n.depth)
		}
	}
}

// share notes that a principal has an epoch key.
func (r *Ring) share(id item.Hash, to Principal, depth int) {
	e := r.epochs[id]
	if e == nil {
		e = &epoch{to: map[Principal]bool{}, depth: depth}
		r.epochs[id] = e
	}
	e.to[to] = true
	e.depth = min(e.depth, depth)
}

func (r *Ring) brings(i int, p Principal) bool {
	return r.nodes[i].body.Admit != nil && r.nodes[i].body.Admit.Device == p.Device && !p.IsRecovery() ||
		r.nodes[i].body.Words != nil && p.IsRecovery() && r.nodes[i].body.Words.Keys.Recovery() == p.Recovery
}

func (r *Ring) remove(n *node) {
	if n.body.Revoke != nil {
		if m := r.members[n.body.Revoke.Device]; m != nil {
			if !m.Revoked {
				m.Revoked, m.Limit, m.RevokedAt = true, item.Vector{}, n.body.time()
			}
			m.RevokedBy = append(m.RevokedBy, n.body.Author)
			// What any of several revokers had seen counts.
			m.Limit.Join(n.body.Revoke.vector())
		}
	}
	if n.body.Words != nil {
		for _, old := range n.body.Words.Replaces {
			if k := r.recovery[old]; k != nil {
				k.replaced = true
			}
		}
	}
}

// recipients is who an epoch key has to be given to, now: the live members, and the
// recovery keys that were not replaced; devices first, each by id.
func (r *Ring) recipients() (ps []Principal) {
	for _, m := range r.Live() {
		ps = append(ps, Principal{Device: m.Device})
	}
	var ids []item.Hash
	for id, k := range r.recovery {
		if !k.replaced {
			ids = append(ids, id)
		}
	}
	for _, id := range sorted(ids) {
		ps = append(ps, Principal{Recovery: id})
	}
	return ps
}

// public is a principal's keys.
func (r *Ring) public(p Principal) Public {
	if p.IsRecovery() {
		return r.recovery[p.Recovery].keys
	}
	return r.members[p.Device].Keys
}

// present says whether a principal may make statements.
func (r *Ring) present(p Principal) error {
	if p.IsRecovery() {
		k := r.recovery[p.Recovery]
		if k == nil {
			return WrongWords
		}
		if checkWords.fails(k.replaced) {
			return Replaced
		}
		return nil
	}
	if m := r.members[p.Device]; m == nil || m.Revoked {
		return NotMember
	}
	return nil
}

// with is the Ring with more statements.
func (r *Ring) with(more []Statement) (*Ring, error) {
	all := maps.Clone(r.statements)
	for _, s := range more {
		all[s.Name] = s.Bytes
	}
	next, rejected, err := Build(r.vault, r.bytes, all)
	if err != nil {
		return nil, err
	}
	for _, s := range more {
		if i := slices.IndexFunc(rejected, func(x Rejected) bool { return x.Name == s.Name }); i >= 0 {
			return nil, fmt.Errorf("a new statement does not count: %w", rejected[i].Err)
		}
	}
	return next, nil
}
