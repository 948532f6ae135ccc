// Package jsonc reads JSON with comments without losing a byte, and changes it
// without touching what was not meant.
//
//	Parse → Tree ──New──▶ Patch ──Bytes──▶ the same text, save for the edits
//
// # Guarantees
//
//   - T1 Nodes only point into the original bytes; a Patch without edits gives
//     those bytes back.
//   - T2 Parse never panics, never recurses, and takes time linear in its input;
//     deeper than MaxDepth or longer than MaxSize is an error, not a crash.
//   - T3 What JSON calls an error, save comments and trailing commas, is in
//     Tree.Errors with its place; the tree then holds what could be made out.
//   - T4 A Patch on a tree without errors gives text without errors, whatever the
//     edits and in whatever order they were asked for.
//   - T5 Bytes that belong to no edited member, comment or comma stay as they are:
//     byte order mark, line ends, indentation, invalid UTF-8, odd numbers.
package jsonc

import (
	"bytes"
	"errors"
	"fmt"
)

const (
	// MaxDepth is how deep containers may nest. VS Code's documents nest to about
	// ten; recursive readers elsewhere die of a million brackets.
	MaxDepth = 1000
	// MaxSize is how many bytes a document may have; offsets fit an int32.
	MaxSize = 64 << 20
	// maxErrors bounds what one broken document can make us remember.
	maxErrors = 100
)

// maxDepth is MaxDepth; only attack tests write to it.
var maxDepth = MaxDepth

// TooDeep says whether what lies below so many containers would not be read.
func TooDeep(containers int) bool { return containers > maxDepth }

var (
	ErrTooDeep  = fmt.Errorf("nested deeper than %d levels", MaxDepth)
	ErrTooLarge = errors.New("larger than 64 MB")
)

// A Kind says what a node holds.
type Kind uint8

const (
	Invalid Kind = iota // what could not be read
	Null
	False
	True
	Number
	String
	Array
	Object
)

// Container says whether nodes of this kind hold others.
func (k Kind) Container() bool { return k >= Array }

// A Node is one value, with its key where it is a member of an object. All
// offsets are into Tree.Src.
type Node struct {
	Start, End  int32 // the value, brackets and quotes included
	Key, KeyEnd int32 // the key with its quotes; -1 for elements and the root
	Comma       int32 // the comma after it, or -1
	Next        int32 // the node after this subtree
	Parent      int32 // -1 for the root
	Len         int32 // members or elements
	Kind        Kind
}

// A Tree is a document taken apart: nodes in the order in which they stand,
// parents before children.
type Tree struct {
	Src    []byte
	Nodes  []Node
	Errors []Error // at most 100, in document order
}

// An Error is a place that JSON does not allow.
type Error struct {
	Offset int
	Msg    string
}

// None is the index of no node.
const None = int32(-1)

// Root is the index of the outermost value, or None in a document that has none.
func (t *Tree) Root() int32 {
	if len(t.Nodes) == 0 {
		return None
	}
	return 0
}

// First is the first child of node i, or None.
func (t *Tree) First(i int32) int32 {
	if t.Nodes[i].Len == 0 {
		return None
	}
	return i + 1
}

// After is the sibling after node i, or None.
func (t *Tree) After(i int32) int32 {
	n := &t.Nodes[i]
	if n.Parent < 0 || n.Next >= t.Nodes[n.Parent].Next {
		return None
	}
	return n.Next
}

// Children lists node i's children in order.
func (t *Tree) Children(i int32) []int32 {
	if i < 0 || t.Nodes[i].Len == 0 {
		return nil
	}
	cs := make([]int32, 0, t.Nodes[i].Len)
	for c := t.First(i); c != None; c = t.After(c) {
		cs = append(cs, c)
	}
	return cs
}

// Raw is the text of node i's value, as written.
func (t *Tree) Raw(i int32) []byte { return t.Src[t.Nodes[i].Start:t.Nodes[i].End] }

// RawKey is the text of node i's key with its quotes, or nil.
func (t *Tree) RawKey(i int32) []byte {
	if n := &t.Nodes[i]; n.Key >= 0 {
		return t.Src[n.Key:n.KeyEnd]
	}
	return nil
}

// Key is node i's key, decoded.
func (t *Tree) Key(i int32) string { return Unquote(t.RawKey(i)) }

// Member is the last member of object i whose decoded key is key, or None. Of
// duplicate keys the last one counts, as in VS Code.
func (t *Tree) Member(i int32, key string) int32 {
	found := None
	if i < 0 || t.Nodes[i].Kind != Object {
		return found
	}
	for c := t.First(i); c != None; c = t.After(c) {
		if t.Key(c) == key {
			found = c
		}
	}
	return found
}

// Find follows keys down from the root; None if one is missing.
func (t *Tree) Find(keys ...string) int32 {
	i := t.Root()
	for _, k := range keys {
		if i = t.Member(i, k); i == None {
			return None
		}
	}
	return i
}

// Text is the string that node i holds, decoded; ok is false if it holds none.
func (t *Tree) Text(i int32) (s string, ok bool) {
	if i < 0 || t.Nodes[i].Kind != String {
		return "", false
	}
	return Unquote(t.Raw(i)), true
}

// Position is an offset as a line and a column in bytes, both from 1. CR LF, LF
// and a lone CR each end a line.
func (t *Tree) Position(offset int) (line, column int) {
	return Position(t.Src, offset)
}

// Position is an offset in src as a line and a column in bytes, both from 1.
func Position(src []byte, offset int) (line, column int) {
	offset = min(offset, len(src))
	line, start := 1, 0
	for i := 0; i < offset; i++ {
		switch src[i] {
		case '\r':
			if i+1 < len(src) && src[i+1] == '\n' {
				continue
			}
			line, start = line+1, i+1
		case '\n':
			line, start = line+1, i+1
		}
	}
	if start == 0 && bytes.HasPrefix(src, bom) {
		start = min(3, offset)
	}
	return line, offset - start + 1
}

var bom = []byte("\xef\xbb\xbf")
