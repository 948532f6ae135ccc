package merge

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

func itoa(n int) string { return strconv.Itoa(n) }

// shortHash is 64 bits of the SHA-256 of b, as hex.
func shortHash(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:8])
}

// Label is an atom's name for people: "[go] › editor.tabSize".
func Label(t item.Type, k item.Key) string {
	segs := k.Segments()
	what := ""
	switch k.Lane {
	case item.LaneComment, item.LaneTrail:
		path, slot := slotOf(k)
		segs = item.Key{Path: path}.Segments()
		what = [...]string{"section heading", "comment", "comment after it", "comment at its start", "comment at its end"}[slot]
	case item.LaneOrder:
		what = "order"
	case item.LaneSkeleton:
		return "layout"
	}
	var parts []string
	switch {
	case t == item.Keybindings && len(segs) == 4:
		parts = append(parts, binding(segs))
	case t == item.Keybindings && len(segs) == 1 && k.Lane == item.LaneOrder:
		parts = append(parts, segs[0])
	default:
		for _, s := range segs {
			if s = strings.TrimPrefix(s, "#-"); s == "" {
				s = `""`
			}
			parts = append(parts, s)
		}
	}
	if what != "" {
		parts = append(parts, what)
	}
	if len(parts) == 0 {
		if structured(t) {
			return "the whole document"
		}
		if t == item.Files {
			return "content"
		}
		return "text"
	}
	return strings.Join(parts, " › ")
}

// binding is a keybinding rule's name for people.
func binding(segs item.Path) string {
	key, command := segs[0], segs[1]
	if key == "" {
		key = "no key"
	}
	if command == "" {
		command = "no command"
	}
	s := key + " → " + command
	if segs[2] != "" {
		s += " when " + segs[2]
	}
	if segs[3] != "" {
		s += " with " + segs[3]
	}
	return s
}

// ID names a conflict: the same atom with the same base and sides has the same name,
// whatever else changes, on every device, whichever side is which. 13 characters of
// base32, from a 64-bit hash of type, lane, path and what the values mean.
func ID(t item.Type, k item.Key, base *item.Value, sides ...item.Value) string {
	h := sha256.New()
	write := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	write([]byte(t))
	write([]byte{byte(k.Lane)})
	write([]byte(k.Path))
	if base != nil {
		write(meaning(*base))
	} else {
		write([]byte("no base"))
	}
	all := make([]string, len(sides))
	for i, s := range sides {
		all[i] = string(meaning(s))
	}
	slices.Sort(all)
	for _, s := range all {
		write([]byte(s))
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:8]))
}

// meaning is what a value says, as bytes.
func meaning(v item.Value) []byte {
	out := []byte{byte(v.Kind), byte(v.Mode & 0o100)}
	switch v.Kind {
	case item.JSON:
		out = append(out, jsonc.Canonical(v.Data)...)
		for _, c := range jsonc.Comments(v.Data) {
			out = append(append(out, 0), c...)
		}
		return out
	case item.Blob:
		if v.Large != nil {
			out = append(out, v.Large.Hash[:]...)
		}
		return out
	}
	return append(out, v.Data...)
}

// sentences say what each reason means; %[k] stands for argument k.
var sentences = map[string]string{
	BothChanged:    "both sides changed it, differently",
	BothAdded:      "both sides have it, with different values, and no common earlier one is known",
	ChangedRemoved: "this side changed it, the other removed it",
	RemovedChanged: "this side removed it, the other changed it",
	OrderDiffers:   "both sides put the rules of one key in order, differently",
	TextDiffers:    "both sides changed the same lines",
	Shape:          "one side has a value where the other has members",
	Rebound:        "both sides gave the command another key, differently",
	Syntax:         "the document has a syntax error, so it was merged by lines, and both sides changed the same ones",
	LocalOnly:      "only this side changed it",
	RemoteOnly:     "only the other side changed it",
	SameChange:     "both sides made the same change",
	MergedInside:   "both sides changed it, in different parts",
	CommentDiffers: "both sides changed the comment; this side's is shown",
	CommentGone:    "the comment's key was removed",
	OrderChosen:    "both sides changed the order, which has no meaning here; one was taken",
}

// String is the reason as a sentence without its full stop; arguments follow in brackets.
func (r Reason) String() string {
	s := sentences[r.Code]
	if s == "" {
		s = r.Code
	}
	if len(r.Args) == 0 {
		return s
	}
	var args []string
	for _, k := range slices.Sorted(maps.Keys(r.Args)) {
		switch v := r.Args[k]; {
		case k == "places" && v == "1":
			args = append(args, "in one place")
		case k == "places":
			args = append(args, "in "+v+" places")
		default:
			args = append(args, fmt.Sprintf("%s: %s", k, v))
		}
	}
	return s + " (" + strings.Join(args, ", ") + ")"
}
