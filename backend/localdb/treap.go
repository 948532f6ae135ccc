package localdb

import (
	"hash/fnv"
	"strings"
)

// A node is the root of a treap: a search tree by key, a heap by a hash of the
// key. Nodes never change, so that a root is a snapshot; which tree holds a set
// of keys depends on the set alone.
type node struct {
	key         string
	value       []byte
	rank        uint64
	left, right *node
}

func rank(key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	x := h.Sum64()
	x ^= x >> 33 // FNV's upper bits change little between similar keys: murmur3's finaliser
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}

func (n *node) get(key string) ([]byte, bool) {
	for n != nil {
		switch {
		case key < n.key:
			n = n.left
		case key > n.key:
			n = n.right
		default:
			return n.value, true
		}
	}
	return nil, false
}

func (n *node) with(key string, value []byte) *node {
	if n == nil {
		return &node{key: key, value: value, rank: rank(key)}
	}
	c := *n
	switch {
	case key < n.key:
		c.left = n.left.with(key, value)
		if c.left.rank > c.rank { // only the new node can be: turn right
			l := *c.left
			c.left, l.right = l.right, &c
			return &l
		}
	case key > n.key:
		c.right = n.right.with(key, value)
		if c.right.rank > c.rank {
			r := *c.right
			c.right, r.left = r.left, &c
			return &r
		}
	default:
		c.value = value
	}
	return &c
}

func (n *node) without(key string) *node {
	if n == nil {
		return nil
	}
	c := *n
	switch {
	case key < n.key:
		c.left = n.left.without(key)
	case key > n.key:
		c.right = n.right.without(key)
	default:
		return join(n.left, n.right)
	}
	return &c
}

// join makes one tree of two, of which all keys of a come first.
func join(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.rank > b.rank:
		c := *a
		c.right = join(a.right, b)
		return &c
	}
	c := *b
	c.left = join(a, b.left)
	return &c
}

func (n *node) scan(prefix string, fn func(string, []byte) error) error {
	if n == nil {
		return nil
	}
	in := strings.HasPrefix(n.key, prefix)
	if n.key >= prefix {
		if err := n.left.scan(prefix, fn); err != nil {
			return err
		}
	}
	if in {
		if err := fn(n.key, n.value); err != nil {
			return err
		}
	}
	if in || n.key < prefix {
		return n.right.scan(prefix, fn)
	}
	return nil
}
