package editor

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"plait/backend/item"
)

// A Why says why something stays on this device.
type Why string

const (
	WhyNever   Why = "sync"    // it configures sync itself
	WhyMachine Why = "machine" // machine-scoped, or not to be synced, by the editor's or an extension's word
	WhyKnown   Why = "known"   // some device of this vault knows it as such
	WhyIgnored Why = "ignored" // settingsSync.ignoredSettings
	WhyPattern Why = "pattern" // the person's own pattern
	WhySecret  Why = "secret"  // it looks like a secret
	whyNot     Why = ""        // it travels
)

// MaskInput is what a mask is made of. The zero value masks what VS Code itself does.
type MaskInput struct {
	Declared Declared // by the manifests of installed extensions
	Own      Own      // what the document itself says and holds
	Known    []string // settings that this vault knows as machine-scoped, from any device

	// Patterns are the person's:
	//
	//	editor.font*           a setting, at the top and in language blocks; * is any characters
	//	/[go]/editor.tabSize   a place, and all below it, as a JSON pointer; * within a segment
	//	mcp:/servers/x         the same in a document of another type
	//	!git.path              keeps nothing back, whatever else says so
	Patterns []string
}

// A Mask says which atoms of a document stay on this device: they are neither written
// to the vault nor touched by what comes from it. It is immutable.
type Mask struct {
	settings bool
	keys     map[string]Why // settings by name
	places   []place        // of secrets
	patterns []pattern
	print    [8]byte
}

type place []string

type pattern struct {
	not  bool
	key  string   // a setting's
	path []string // else a place
}

// NewMask makes the mask of a document of this type.
//
// It follows VS Code's order: what is ignored by default and by settingsSync.ignoredSettings,
// less what that names with a minus; the settings about sync itself always stay. Then come
// what looks like a secret and the person's patterns, whose ! has the last word.
func NewMask(t item.Type, in MaskInput) *Mask {
	m := &Mask{settings: t == item.Settings, keys: map[string]Why{}}
	if m.settings {
		m.addKeys(in)
	}
	for _, p := range in.Own.Secrets {
		m.places = append(m.places, place(p))
	}
	for _, p := range in.Patterns {
		if q, ok := parsePattern(t, p); ok {
			m.patterns = append(m.patterns, q)
		}
	}
	m.sum()
	return m
}

func (m *Mask) addKeys(in MaskInput) {
	add := func(w Why, keys []string) {
		for _, k := range keys {
			m.keys[k] = w
		}
	}
	b := builtIn()
	add(WhyKnown, in.Known)
	add(WhyMachine, in.Declared.Machine)
	add(WhyMachine, in.Declared.Ignored)
	add(WhyMachine, b.Machine)
	add(WhyMachine, b.Ignored)
	for k := range b.Desktop {
		m.keys[k] = WhyMachine
	}
	for _, k := range in.Own.IgnoredSettings {
		if !strings.HasPrefix(k, "-") {
			m.keys[k] = WhyIgnored
		}
	}
	for _, k := range in.Own.IgnoredSettings {
		if k, ok := strings.CutPrefix(k, "-"); ok {
			delete(m.keys, k)
		}
	}
	add(WhyNever, b.Never)
}

// parsePattern reads a person's pattern; ok is false if it is about another type.
func parsePattern(t item.Type, s string) (p pattern, ok bool) {
	s, p.not = strings.CutPrefix(strings.TrimSpace(s), "!")
	of := item.Settings
	if head, rest, cut := strings.Cut(s, ":"); cut && slices.Contains(item.Types, item.Type(head)) {
		of, s = item.Type(head), rest
	}
	if s == "" || of != t {
		return p, false
	}
	if !strings.HasPrefix(s, "/") {
		p.key = s
		return p, true
	}
	path, err := item.ParsePath(s)
	p.path = path
	return p, err == nil
}

// Ignored says whether the atom at path, or all below it, stays here.
func (m *Mask) Ignored(path item.Path) bool { return m.Why(path) != whyNot }

// Why says why it does; "" if it does not.
func (m *Mask) Why(path item.Path) Why {
	if len(path) == 0 {
		return whyNot
	}
	why := whyNot
	if m.settings {
		if why = m.keys[setting(path)]; why == WhyNever {
			return why
		}
	}
	for _, p := range m.places {
		if why == whyNot && len(p) <= len(path) && slices.Equal(p, place(path[:len(p)])) {
			why = WhySecret
		}
	}
	for _, p := range m.patterns {
		if !p.matches(m.settings, path) {
			continue
		}
		if p.not {
			return whyNot
		}
		if why == whyNot {
			why = WhyPattern
		}
	}
	return why
}

// setting is the name of the setting that a path leads to: its first segment, or within
// a language block the second.
func setting(path item.Path) string {
	if strings.HasPrefix(path[0], "[") && len(path) > 1 {
		return path[1]
	}
	return path[0]
}

func (p pattern) matches(settings bool, path item.Path) bool {
	if p.key != "" {
		return settings && wild(p.key, setting(path)) || wild(p.key, path[0])
	}
	if len(p.path) > len(path) {
		return false
	}
	for i, seg := range p.path {
		if !wild(seg, path[i]) {
			return false
		}
	}
	return true
}

// Fingerprint changes whenever the mask does, and is the same on every run.
func (m *Mask) Fingerprint() [8]byte { return m.print }

func (m *Mask) sum() {
	var all []string
	for k := range m.keys {
		// Why it stays makes no difference to what stays, save that ! has no power over WhyNever.
		all = append(all, "k"+k)
		if m.keys[k] == WhyNever {
			all = append(all, "n"+k)
		}
	}
	for _, p := range m.places {
		all = append(all, "s"+item.Path(p).String())
	}
	for _, p := range m.patterns {
		kind := "p"
		if p.not {
			kind = "!"
		}
		all = append(all, kind+p.key+"\x00"+item.Path(p.path).String())
	}
	slices.Sort(all)
	h := sha256.New()
	var n [8]byte
	for _, s := range slices.Compact(all) {
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	copy(m.print[:], h.Sum(nil))
}
