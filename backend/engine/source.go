package engine

import (
	"cmp"
	"fmt"
	"slices"

	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/merge"
)

// A Source is one editor's User folder, or an added folder: which files there
// hold which items. The engine asks; package editor answers.
type Source interface {
	// ID is stable for as long as the source is attached.
	ID() string
	// Label names it in words: "VSCodium · default".
	Label() string
	Collection() string
	Root() string
	// Documents lists the files that are there now, in any order. A file that
	// can't be looked at is in Doc.Err.
	Documents(fs disk.FS) ([]Doc, error)
	// Locate says where an item is kept here; false if this source does not
	// carry it, an error if its name can't be a file here.
	Locate(n item.Name) (path string, ok bool, err error)
	// Options say how an item's document is taken apart here. raw is its content, of which
	// masks may depend; nil if there is none.
	Options(n item.Name, raw []byte) merge.Options
	// MaskPrint changes whenever Options' masks do.
	MaskPrint() [8]byte
}

// Doc is a file that holds an item.
type Doc struct {
	Item item.Name
	Path string
	Info disk.Info
	Err  error
}

// replica is a source with what this round knows of it.
type replica struct {
	src     Source
	rows    map[item.Name]fileRow // nil until loaded
	intents map[item.Name][]byte  // writes that a crash may have cut
	caught  bool                  // the safety catch holds it back: it is neither recorded nor written
}

// SetSources says which sources are attached.
func (e *Engine) SetSources(sources []Source) error {
	e.reps = nil
	seen := map[string]bool{}
	for _, s := range sources {
		if seen[s.ID()] {
			return fmt.Errorf("two sources with id %s", s.ID())
		}
		seen[s.ID()] = true
		e.reps = append(e.reps, &replica{src: s})
	}
	slices.SortFunc(e.reps, func(a, b *replica) int { return cmp.Compare(a.src.ID(), b.src.ID()) })
	return nil
}

// layersOf names an item's layers on this device, topmost first.
func (e *Engine) layersOf(n item.Name) []item.Name {
	c, t, _, rest, _ := n.Split()
	if t == item.Files || t == item.Policy {
		return []item.Name{n}
	}
	return []item.Name{
		item.NewName(c, t, "device-"+e.meta.Me.Device.String(), rest),
		item.NewName(c, t, e.cfg.Platform, rest),
		item.NewName(c, t, "", rest),
	}
}

func sortedKeys[V any](m map[item.Key]V) []item.Key {
	ks := make([]item.Key, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	slices.SortFunc(ks, compareKeys)
	return ks
}

func compareKeys(a, b item.Key) int {
	return cmp.Or(cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.Path, b.Path))
}

func sortedNames[V any](m map[item.Name]V) []item.Name {
	ns := make([]item.Name, 0, len(m))
	for n := range m {
		ns = append(ns, n)
	}
	slices.Sort(ns)
	return ns
}
