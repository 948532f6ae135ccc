package editor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"plait/backend/disk"
)

// Declared are the settings, sorted, that a manifest says are not to travel.
type Declared struct {
	Machine []string // scope machine or machine-overridable
	Ignored []string // ignoreSync
}

// node is what counts of contributes.configuration.
type node struct {
	Properties map[string]json.RawMessage `json:"properties"`
	AllOf      []node                     `json:"allOf"`
}

// ReadManifest reads an extension's package.json as VS Code's own sync does: scopes machine
// and machine-overridable, and ignoreSync.
func ReadManifest(b []byte) (Declared, error) {
	var m struct {
		Contributes struct {
			Configuration json.RawMessage `json:"configuration"`
		} `json:"contributes"`
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return Declared{}, err
	}
	var nodes []node
	if raw := m.Contributes.Configuration; len(raw) > 0 && json.Unmarshal(raw, &nodes) != nil {
		var one node
		if err := json.Unmarshal(raw, &one); err != nil {
			return Declared{}, err
		}
		nodes = []node{one}
	}
	var d Declared
	for len(nodes) > 0 {
		n := nodes[0]
		nodes = append(nodes[1:], n.AllOf...)
		for key, raw := range n.Properties {
			var p struct {
				Scope      any `json:"scope"`
				IgnoreSync any `json:"ignoreSync"`
			}
			if json.Unmarshal(raw, &p) != nil {
				continue // not an object: no setting
			}
			if p.Scope == "machine" || p.Scope == "machine-overridable" {
				d.Machine = append(d.Machine, key)
			}
			if p.IgnoreSync == true {
				d.Ignored = append(d.Ignored, key)
			}
		}
	}
	d.sort()
	return d, nil
}

func (d *Declared) sort() {
	for _, l := range []*[]string{&d.Machine, &d.Ignored} {
		slices.Sort(*l)
		*l = slices.Compact(*l)
	}
}

// Manifests reads the manifests of installed extensions, each once for as long as its
// file stays as it is: a hundred of them are megabytes, but a hundred lookups are not. The
// zero value works. It is not for concurrent use.
type Manifests struct {
	known map[string]manifest
}

type manifest struct {
	Stamp    disk.Stamp
	Declared Declared
	Broken   string `json:",omitempty"`
}

// Load reads the manifests below an extensions folder; an empty or missing one declares nothing.
// Manifests that can't be read are among the problems, and what they last declared stays.
// An error means that the folder itself can't be read: the caller keeps the last mask.
func (m *Manifests) Load(fsys disk.FS, dir string) (all Declared, problems []error, err error) {
	if dir == "" {
		return all, nil, nil
	}
	infos, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil, nil
	}
	if err != nil {
		return all, nil, fmt.Errorf("extensions: %w", err)
	}
	if m.known == nil {
		m.known = map[string]manifest{}
	}
	here := map[string]bool{}
	for _, i := range infos {
		if i.Mode.IsRegular() {
			continue // extensions.json, .obsolete
		}
		at := filepath.Join(dir, i.Name, "package.json")
		got, ok := m.read(fsys, at)
		if !ok {
			continue
		}
		here[at] = true
		if got.Broken != "" {
			problems = append(problems, errors.New(got.Broken))
		}
		all.Machine = append(all.Machine, got.Declared.Machine...)
		all.Ignored = append(all.Ignored, got.Declared.Ignored...)
	}
	for at := range m.known {
		if filepath.Dir(filepath.Dir(at)) == dir && !here[at] {
			delete(m.known, at)
		}
	}
	all.sort()
	return all, problems, nil
}

func (m *Manifests) read(fsys disk.FS, at string) (manifest, bool) {
	was, had := m.known[at]
	info, err := fsys.Stat(at)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, disk.ErrOdd) {
		return manifest{}, false
	}
	if err == nil && had && was.Stamp == info.Stamp {
		return was, true
	}
	var b []byte
	if err == nil {
		b, info, err = fsys.Read(at, maxMeta)
	}
	got := manifest{Stamp: info.Stamp, Declared: was.Declared}
	if err == nil {
		var d Declared
		if d, err = ReadManifest(b); err == nil {
			got.Declared = d
		} else {
			err = invalid(at, b, err)
		}
	}
	if err != nil {
		got.Broken = "extension manifest: " + err.Error()
	}
	m.known[at] = got
	return got, true
}

// MarshalJSON keeps what is known for the next process.
func (m *Manifests) MarshalJSON() ([]byte, error) { return json.Marshal(m.known) }

// UnmarshalJSON takes back what MarshalJSON kept.
func (m *Manifests) UnmarshalJSON(b []byte) error {
	known := map[string]manifest{}
	if err := json.Unmarshal(b, &known); err != nil {
		return err
	}
	m.known = known
	return nil
}

// Clone copies what is known.
func (m *Manifests) Clone() *Manifests { return &Manifests{maps.Clone(m.known)} }
