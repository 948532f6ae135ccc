package keyring

import "plait/backend/item"

// A node is a statement among those it builds on. Node 0 is the genesis.
type node struct {
	*statement
	before  set   // all that its author had seen, and what those had
	depth   int   // longest way from the genesis
	support []int // what made its author a member, of what it had seen
	once    bool  // its author was let in, by way of statements of such: whatever came after
	against []int // what voids it if it counts: removals of its author by somebody who had not seen it
	verdict verdict
}

type verdict uint8

const (
	undecided verdict = iota
	counts
	void
)

// set is a set of node numbers.
type set []uint64

func (s set) has(i int) bool { return s[i/64]>>(i%64)&1 == 1 }
func (s set) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s set) meets(t set) bool {
	for i := range t {
		if s[i]&t[i] != 0 {
			return true
		}
	}
	return false
}
func (s set) join(t set) {
	for i := range t {
		s[i] |= t[i]
	}
}

// judge decides which statements count. A statement counts if one that made its
// author a member counts, and none that is against it does. Where that goes in
// circles, those who removed each other are all out; see FORMAT.md, "Membership".
//
//	one removes the other           the remover's word, and what the other did unseen is void
//	both remove each other          both out
//	a removed device's friend,      void with its admission: it does not get to
//	  admitted unseen, hits back      remove anybody
func judge(nodes []node) {
	link(nodes)
	nodes[0].verdict, nodes[0].once = counts, true
	for i := range nodes {
		for _, s := range nodes[i].support { // which comes before it
			nodes[i].once = nodes[i].once || nodes[s].once
		}
	}
	for {
		settle(nodes)
		tie := firstTie(nodes)
		if tie == nil {
			return
		}
		// Of the removals in the circle those stand whose authors are members by
		// something outside it. If there are none, all do: better out than in.
		standing := 0
		for _, strict := range []bool{true, false} {
			for _, i := range tie {
				n := &nodes[i]
				if len(n.body.removes()) > 0 && n.known && (!strict || supported(nodes, n) == counts) {
					n.verdict = counts
					standing++
				}
			}
			if standing > 0 {
				break
			}
		}
		if standing == 0 {
			panic("keyring: a circle of statements without a removal") // support alone follows the order of time
		}
	}
}

// link finds what supports each node and what is against it.
func link(nodes []node) {
	brings, removes := map[Principal][]int{}, map[Principal][]int{}
	for i := range nodes {
		if !nodes[i].known {
			continue
		}
		if p, _, ok := nodes[i].body.introduces(); ok {
			brings[p] = append(brings[p], i)
		}
		for _, p := range nodes[i].body.removes() {
			removes[p] = append(removes[p], i)
		}
	}
	first := Principal{Recovery: nodes[0].body.Words.Keys.Recovery()}
	brings[first] = append(brings[first], 0)
	for i := 1; i < len(nodes); i++ {
		n := &nodes[i]
		for _, b := range brings[n.body.Author] {
			if n.before.has(b) {
				n.support = append(n.support, b)
			}
		}
		for _, r := range removes[n.body.Author] {
			if r != i && !nodes[r].before.has(i) {
				n.against = append(n.against, r)
			}
		}
		if checkRevoked.skipped() {
			n.against = nil
		}
		if checkAdmitted.skipped() {
			n.support = append(n.support, 0)
		}
	}
}

// settle decides all that follows from what is decided.
func settle(nodes []node) {
	for again := true; again; {
		again = false
		for i := range nodes {
			n := &nodes[i]
			if n.verdict != undecided {
				continue
			}
			switch s, a := supported(nodes, n), opposed(nodes, n); {
			case s == void || a == counts:
				n.verdict, again = void, true
			case s == counts && a == void:
				n.verdict, again = counts, true
			}
		}
	}
}

// supported is counts if some support counts, void if all is void.
func supported(nodes []node, n *node) verdict {
	v := void
	for _, s := range n.support {
		switch nodes[s].verdict {
		case counts:
			return counts
		case undecided:
			v = undecided
		}
	}
	return v
}

// opposed is counts if something against n counts, void if all of that is void.
func opposed(nodes []node, n *node) verdict {
	v := void
	for _, r := range n.against {
		switch nodes[r].verdict {
		case counts:
			return counts
		case undecided:
			v = undecided
		}
	}
	return v
}

// firstTie finds a circle of undecided nodes that depends on no undecided node outside
// it (Tarjan's strongly connected components: the first one to be complete).
// Which of several is found first makes no difference: they do not touch.
func firstTie(nodes []node) []int {
	index, low := make([]int, len(nodes)), make([]int, len(nodes))
	var stack, tie []int
	next := 1
	var visit func(i int) bool
	visit = func(i int) bool {
		index[i], low[i] = next, next
		next++
		stack = append(stack, i)
		for _, on := range [][]int{nodes[i].support, nodes[i].against} {
			for _, j := range on {
				if nodes[j].verdict != undecided {
					continue
				}
				if index[j] == 0 && visit(j) {
					return true
				}
				low[i] = min(low[i], low[j])
			}
		}
		if low[i] != index[i] {
			return false
		}
		for k := len(stack) - 1; ; k-- {
			if stack[k] == i {
				tie = stack[k:]
				return true
			}
		}
	}
	for i := range nodes {
		if nodes[i].verdict == undecided && visit(i) {
			return tie
		}
	}
	return nil
}

// genesisNode is the genesis as a statement: of the first device, introducing both
// that device and the first words.
func genesisNode(vault item.Hash, g Genesis) node {
	d := g.Device.Device()
	return node{statement: &statement{name: vault, known: true, body: body{
		Format: format, Vault: vault, Author: Principal{Device: d}, Time: g.Made.Unix(),
		Admit: &admitBody{Device: d, Keys: g.Device, Run: true},
		Words: &wordsBody{Keys: g.Recovery},
	}}}
}
