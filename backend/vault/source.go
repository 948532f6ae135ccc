package vault

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"plait/backend/disk"
	"plait/backend/editor"
	"plait/backend/engine"
	"plait/backend/item"
	"plait/backend/localdb"
	"plait/backend/merge"
)

// rowManifests keeps what was read of extensions' manifests, by folder.
const rowManifests = "V/manifests/"

// docTypes are the data types that an editor keeps in documents.
var docTypes = []item.Type{item.Settings, item.Keybindings, item.Snippets, item.Prompts, item.Tasks, item.MCP}

// profileSource is an editor's profile as the engine sees it.
type profileSource struct {
	at       attachment
	editor   editor.Editor
	profile  editor.Profile
	fs       disk.FS
	platform string
	declared editor.Declared
	known    []string
	patterns []string
	print    [8]byte
}

func (s *profileSource) ID() string         { return s.at.ID }
func (s *profileSource) Label() string      { return s.at.Name }
func (s *profileSource) Collection() string { return s.at.Collection }
func (s *profileSource) Root() string       { return s.profile.Dir }
func (s *profileSource) MaskPrint() [8]byte { return s.print }

func (s *profileSource) Options(n item.Name, raw []byte) merge.Options {
	t := n.Type()
	if t == item.Prompts {
		return merge.Options{Platform: s.platform}
	}
	own, err := editor.ReadOwn(t, "", raw)
	if err != nil {
		own = editor.Own{} // what does not parse is not taken apart either
	}
	m := editor.NewMask(t, editor.MaskInput{Declared: s.declared, Own: own, Known: s.known, Patterns: s.patterns})
	return merge.Options{Platform: s.platform, Ignore: m.Ignored}
}

func (s *profileSource) Documents(fsys disk.FS) ([]engine.Doc, error) {
	if _, err := fsys.Stat(s.profile.Dir); err != nil {
		return nil, err
	}
	var out []engine.Doc
	for _, t := range docTypes {
		docs, err := s.editor.Documents(fsys, s.profile, t)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if d.Absent {
				continue
			}
			out = append(out, engine.Doc{Item: item.NewName(s.at.Collection, t, "", d.Rest), Path: d.Path, Info: d.Info, Err: d.Err})
		}
	}
	return out, nil
}

func (s *profileSource) Locate(n item.Name) (string, bool, error) {
	if n.Type() == item.Files {
		return "", false, nil
	}
	return s.editor.Path(s.fs, s.profile, n.Type(), n.Rest())
}

// folderSource is an added folder of files.
type folderSource struct {
	at    attachment
	fs    disk.FS
	guard *disk.Guard
}

func (s *folderSource) ID() string                              { return s.at.ID }
func (s *folderSource) Label() string                           { return s.at.Name }
func (s *folderSource) Collection() string                      { return s.at.Collection }
func (s *folderSource) Root() string                            { return s.at.Path }
func (s *folderSource) MaskPrint() [8]byte                      { return [8]byte{} }
func (s *folderSource) Options(item.Name, []byte) merge.Options { return merge.Options{} }

func (s *folderSource) Documents(fsys disk.FS) ([]engine.Doc, error) {
	s.guard = disk.NewGuard(s.fs, s.at.Path, true)
	if _, err := fsys.Stat(s.at.Path); err != nil {
		return nil, err
	}
	var docs []engine.Doc
	err := fsys.Scan(s.at.Path, func(i disk.Info, err error) error {
		if err != nil {
			return fmt.Errorf("reading %s: %w", i.Path, err) // absence below it would read as removal
		}
		if i.Mode&fs.ModeSymlink != 0 {
			// A symlinked file stays one and its target is synced; a linked folder is left out.
			t, err := fsys.Stat(i.Path)
			if err != nil || !t.Mode.IsRegular() {
				return nil
			}
			i = t
		}
		if !i.Mode.IsRegular() {
			return nil
		}
		rel, err := disk.Rel(s.at.Path, i.Path)
		docs = append(docs, engine.Doc{Item: item.NewName(s.at.Collection, item.Files, "", rel), Path: i.Path, Info: i, Err: err})
		return nil
	})
	return docs, err
}

func (s *folderSource) Locate(n item.Name) (string, bool, error) {
	if n.Type() != item.Files {
		return "", false, nil
	}
	if s.guard == nil {
		s.guard = disk.NewGuard(s.fs, s.at.Path, true)
	}
	p, err := s.guard.Place(n.Rest())
	return p, true, err
}

// sources makes what the engine syncs of what is attached.
func (v *Vault) sources() ([]engine.Source, error) {
	var out []engine.Source
	known, err := v.knownMasks()
	if err != nil {
		return nil, err
	}
	var found []editor.Editor
	for _, at := range v.cfg.Attached {
		if at.Kind == "files" {
			out = append(out, &folderSource{at: at, fs: v.o.FS})
			continue
		}
		if found == nil && at.Kind == "editor" {
			found = editor.Find(v.env())
		}
		s, err := v.profileSource(at, found, known)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (v *Vault) env() editor.Env {
	e := v.o.Env
	if e.FS == nil {
		e.FS = v.o.FS
	}
	return e
}

func (v *Vault) profileSource(at attachment, found []editor.Editor, known []string) (*profileSource, error) {
	s := &profileSource{at: at, fs: v.o.FS, platform: v.o.platform(), known: known}
	switch at.Kind {
	case "editor":
		i := slices.IndexFunc(found, func(e editor.Editor) bool { return e.ID == at.Editor })
		if i >= 0 {
			s.editor = found[i]
			if p, err := s.editor.Profile(at.Profile); err == nil {
				s.profile = p
				break
			}
		}
		fallthrough // uninstalled, or its profile is gone: what was there is still known
	default:
		e, err := editor.Custom(v.env(), at.Path, at.Name)
		if err != nil {
			return nil, err
		}
		s.editor = e
		if s.profile, err = e.Profile(""); err != nil {
			return nil, err
		}
	}
	var err error
	if s.declared, err = v.manifests(s.editor.ExtensionsDir); err != nil {
		return nil, err
	}
	s.sum()
	return s, nil
}

// sum is a fingerprint of all of a mask that does not depend on the document.
func (s *profileSource) sum() {
	h := sha256.New()
	for _, t := range docTypes {
		p := editor.NewMask(t, editor.MaskInput{Declared: s.declared, Known: s.known, Patterns: s.patterns}).Fingerprint()
		h.Write(p[:])
	}
	copy(s.print[:], h.Sum(nil))
}

// manifests reads which settings the installed extensions keep on their machine.
// Manifests that did not change are not read again.
func (v *Vault) manifests(dir string) (editor.Declared, error) {
	if dir == "" {
		return editor.Declared{}, nil
	}
	sum := sha256.Sum256([]byte(dir))
	row := fmt.Sprintf("%s%x", rowManifests, binary.BigEndian.Uint64(sum[:8]))
	var m editor.Manifests
	var before []byte
	err := v.db.View(func(tx localdb.Tx) error {
		b, ok, err := tx.Get(row)
		if err != nil || !ok {
			return err
		}
		before = b
		return json.Unmarshal(b, &m)
	})
	if err != nil {
		return editor.Declared{}, err
	}
	all, problems, err := m.Load(v.o.FS, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return editor.Declared{}, fmt.Errorf("reading the extensions in %s: %w", dir, err)
	}
	for _, p := range problems {
		v.o.Log.Info("an extension's manifest can't be read", "why", p)
	}
	after, err := json.Marshal(&m)
	if err != nil {
		return editor.Declared{}, err
	}
	if string(after) != string(before) && (before != nil || len(all.Machine)+len(all.Ignored) > 0) {
		if err := v.db.Update(func(tx localdb.Tx) error { return tx.Set(row, after) }); err != nil {
			return editor.Declared{}, err
		}
	}
	return all, nil
}

// knownMasks are the settings that some device of the vault knows as machine-scoped.
func (v *Vault) knownMasks() ([]string, error) {
	if v.eng == nil {
		return engine.MasksIn(v.db)
	}
	return v.eng.Masks()
}

// learnMasks tells the vault which settings of this device's documents are machine-scoped
// by an extension's word, so that they stay so where the extension is not installed.
func (v *Vault) learnMasks(sources []engine.Source) error {
	var learned []string
	for _, s := range sources {
		p, ok := s.(*profileSource)
		if !ok {
			continue
		}
		raw, _, err := v.o.FS.Read(filepath.Join(p.profile.Dir, "settings.json"), engine.MaxDocument)
		if err != nil {
			continue
		}
		doc, err := merge.Atomize(item.Settings, raw, merge.Options{})
		if err != nil {
			continue
		}
		for k := range doc.Atoms {
			for _, s := range k.Segments() {
				if slices.Contains(p.declared.Machine, s) && !slices.Contains(learned, s) {
					learned = append(learned, s)
				}
			}
		}
	}
	if len(learned) == 0 {
		return nil
	}
	slices.Sort(learned)
	return v.eng.LearnMasks(learned)
}
