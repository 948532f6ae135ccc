package item

import (
	"fmt"
	"strings"
)

// A Type is a data type.
type Type string

const (
	Settings    Type = "settings"
	Keybindings Type = "keybindings"
	Snippets    Type = "snippets"
	Prompts     Type = "prompts"
	Tasks       Type = "tasks"
	MCP         Type = "mcp"
	Files       Type = "files"

	// Policy is Plait's own: strategies, masks and names of devices travel as
	// items of this type, in the collection "plait".
	Policy Type = "policy"
)

// Types lists the data types that a person can switch on and off, in the order
// in which they are shown.
var Types = []Type{Settings, Keybindings, Snippets, Prompts, Tasks, MCP, Files}

// A Name names an item: COLLECTION/TYPE[@OVERLAY][/NAME].
//
//	default/settings                      one document a collection
//	default/settings@linux                an overlay for one OS
//	default/settings@device-<uuid>        an overlay for one device
//	default/keybindings/linux             one document a platform
//	default/snippets/go.json              one document a file
//	notes/files/deep/down/photo.jpg       NAME may hold slashes
type Name string

// NewName builds a name. overlay and rest may be empty.
func NewName(collection string, t Type, overlay, rest string) Name {
	n := collection + "/" + string(t)
	if overlay != "" {
		n += "@" + overlay
	}
	if rest != "" {
		n += "/" + rest
	}
	return Name(n)
}

// Split takes the name apart. ok is false for what NewName can't have built.
func (n Name) Split() (collection string, t Type, overlay, rest string, ok bool) {
	collection, after, ok := strings.Cut(string(n), "/")
	if !ok || collection == "" {
		return "", "", "", "", false
	}
	head, rest, _ := strings.Cut(after, "/")
	ty, overlay, _ := strings.Cut(head, "@")
	if ty == "" {
		return "", "", "", "", false
	}
	return collection, Type(ty), overlay, rest, true
}

func (n Name) Collection() string { c, _, _, _, _ := n.Split(); return c }
func (n Name) Type() Type         { _, t, _, _, _ := n.Split(); return t }
func (n Name) Overlay() string    { _, _, o, _, _ := n.Split(); return o }
func (n Name) Rest() string       { _, _, _, r, _ := n.Split(); return r }

// Shared is the name without its overlay.
func (n Name) Shared() Name { c, t, _, r, _ := n.Split(); return NewName(c, t, "", r) }

// A Path leads to an atom inside an item: the keys from the top, one segment a
// key. Keybindings have [key, command, when, args]; list elements their identity.
type Path []string

// String is the path as a JSON pointer (RFC 6901); the empty path is "".
func (p Path) String() string {
	var b strings.Builder
	for _, s := range p {
		b.WriteByte('/')
		s = strings.ReplaceAll(s, "~", "~0")
		b.WriteString(strings.ReplaceAll(s, "/", "~1"))
	}
	return b.String()
}

// ParsePath reads what String wrote.
func ParsePath(s string) (Path, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != '/' {
		return nil, fmt.Errorf("path %q does not start with /", s)
	}
	p := Path(strings.Split(s[1:], "/"))
	for i, seg := range p {
		p[i] = strings.ReplaceAll(strings.ReplaceAll(seg, "~1", "/"), "~0", "~")
	}
	return p, nil
}

// A Lane says which side of a place in a document an atom holds.
type Lane uint8

const (
	LaneValue    Lane = 0 // the value itself
	LaneComment  Lane = 1 // the comments before a key; at the empty path the header, at path ["","footer"] of a container its last ones
	LaneTrail    Lane = 2 // a comment after a value, on its line
	LaneOrder    Lane = 3 // the order of a list's or map's elements: a JSON array of identities
	LaneSkeleton Lane = 4 // the document with its values blanked: where things stand and how they are laid out
)

// A Key names an atom within its item.
type Key struct {
	Lane Lane
	Path string // Path.String()
}

// Segments is the key's path taken apart.
func (k Key) Segments() Path { p, _ := ParsePath(k.Path); return p }
