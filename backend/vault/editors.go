package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"plait/backend/editor"
	"plait/backend/engine"
	"plait/backend/problem"
)

// FindEditors lists what is found on this machine; with no vault yet, none is attached.
func FindEditors(ctx context.Context, o Options) ([]EditorInfo, error) {
	o.fill()
	v := &Vault{o: o}
	return v.Editors(ctx)
}

// Editors lists every editor's profiles that are found here, and what is attached.
func (v *Vault) Editors(ctx context.Context) ([]EditorInfo, error) {
	var out []EditorInfo
	seen := map[string]bool{}
	for _, e := range editor.Find(v.env()) {
		for _, p := range e.Profiles {
			info := EditorInfo{Name: e.Name, Command: e.Command, Profile: p.Name, Version: e.Version, Path: p.Dir, Kind: "editor", Collection: p.Collection}
			for _, at := range v.cfg.Attached {
				if at.Kind == "editor" && at.Editor == e.ID && strings.EqualFold(at.Profile, p.Name) {
					info.Attached, info.Collection = true, at.Collection
					seen[at.ID] = true
				}
			}
			out = append(out, info)
		}
	}
	for _, at := range v.cfg.Attached {
		if seen[at.ID] {
			continue
		}
		kind := "files"
		if at.Kind != "files" {
			kind = "editor"
		}
		info := EditorInfo{Name: at.Name, Profile: at.Profile, Path: at.Path, Kind: kind, Attached: true, Collection: at.Collection}
		if _, err := v.o.FS.Stat(at.Path); errors.Is(err, fs.ErrNotExist) {
			info.Missing = true
		}
		out = append(out, info)
	}
	return out, nil
}

// Attach begins to sync an editor's profile or a folder. With dryRun it only says what
// that would do.
func (v *Vault) Attach(ctx context.Context, s AttachSpec, dryRun bool) (p AttachPlan, err error) {
	at, src, err := v.attachment(s)
	if err != nil {
		return p, err
	}
	// What the vault has decides what attaching does; offline, what is known here must do.
	r, err := v.eng.Round(ctx, engine.RoundOptions{NoApply: true, NoPush: true, NoObserve: true})
	if err != nil {
		return p, err
	}
	p = AttachPlan{Editor: at.Name, Profile: at.Profile, Collection: at.Collection, Path: at.Path, Types: []AttachType{}}
	if r.Offline != nil {
		p.Notes = append(p.Notes, "The store can't be reached; the plan rests on what this device last read of it.")
	}
	rows, waiting, err := v.eng.Preview(ctx, src)
	if err != nil {
		return p, err
	}
	for _, row := range rows {
		p.Types = append(p.Types, attachRow(row))
	}
	for _, w := range waiting {
		x := v.waiting(w)
		p.Notes = append(p.Notes, x.File+": "+x.Reason)
	}
	if dryRun {
		return p, nil
	}
	// Marked first: after a crash in between, marks without a replica mean nothing, while
	// a replica without marks would never get what the vault has.
	if err := v.eng.Attached(at.Collection); err != nil {
		return p, err
	}
	cfg := v.cfg
	cfg.Attached = append(slices.Clone(cfg.Attached), at)
	v.cfg = cfg
	if err := v.writeConfig(); err != nil {
		return p, err
	}
	if err := v.resource(); err != nil {
		return p, err
	}
	p.Done = true
	return p, nil
}

func (v *Vault) resource() error {
	sources, err := v.sources()
	if err != nil {
		return err
	}
	if err := v.eng.SetSources(sources); err != nil {
		return err
	}
	return v.learnMasks(sources)
}

func attachRow(r engine.PreviewRow) AttachType {
	c := r.Contact
	a := AttachType{Type: string(r.Type), Here: c.Here, InVault: c.Vault, Equal: c.Equal, Add: c.Add, Receive: c.Get, Differ: c.Conflict, Masked: r.Masked}
	switch {
	case c.Add > 0 && c.Get == 0 && c.Conflict == 0:
		a.Action = "upload"
	case c.Get > 0 && c.Add == 0 && c.Conflict == 0:
		a.Action = "download"
	case c.Add+c.Get+c.Conflict > 0:
		a.Action = "merge"
	default:
		a.Action = "nothing"
	}
	return a
}

// attachment finds what a spec names, and checks that it can be attached.
func (v *Vault) attachment(s AttachSpec) (attachment, engine.Source, error) {
	usage := func(msg, hint string) (attachment, engine.Source, error) {
		return attachment{}, nil, &problem.Error{Code: "usage", Message: msg, Hint: hint}
	}
	at := attachment{ID: uuid.NewString(), Collection: s.Collection}
	switch {
	case s.Path != "" && s.Editor != "":
		return usage("Both an editor and --path were given.", "Give one of them.")
	case s.Path == "" && s.Editor == "":
		return usage("Nothing to attach was named.", "Name an editor (`plait editors` lists them), or give --path DIR --name N.")
	case s.Path != "" && s.Name == "":
		return usage("A folder needs a name.", "Give --name N; it is what the folder is called on every device.")
	}
	if s.Path != "" {
		abs, err := filepath.Abs(s.Path)
		if err != nil {
			return at, nil, err
		}
		info, err := os.Stat(abs)
		if err != nil {
			return usage("There is no folder "+abs+".", "Make it first, or check the path.")
		}
		if !info.IsDir() {
			return usage(abs+" is no folder.", "Give the folder that it is in.")
		}
		if within(abs, v.o.Home) || within(v.o.Home, abs) {
			return usage(abs+" and Plait's own folder "+v.o.Home+" contain each other.", "Plait can't sync its own data. Choose another folder.")
		}
		if store, isFolder := strings.CutPrefix(v.cfg.Store, "folder:"); isFolder && (within(abs, store) || within(store, abs)) {
			return usage(abs+" and the store, "+store+", contain each other.", "What is synced would grow with every sync. Choose another folder.")
		}
		at.Path, at.Name, at.Kind = abs, s.Name, "folder"
		if s.Files {
			at.Kind = "files"
		}
		if at.Collection == "" {
			at.Collection = collectionName(s.Name)
			if !s.Files {
				at.Collection = "default"
			}
		}
	} else {
		e, err := editor.Lookup(editor.Find(v.env()), s.Editor)
		if err != nil {
			return at, nil, notFound(err)
		}
		p, err := e.Profile(s.Profile)
		if err != nil {
			return at, nil, notFound(err)
		}
		at.Kind, at.Editor, at.Profile, at.Path = "editor", e.ID, p.Name, p.Dir
		at.Name = e.Name
		if !p.Default {
			at.Name += " · " + p.Name
		}
		if at.Collection == "" {
			at.Collection = p.Collection
		}
	}
	if at.Collection != collectionName(at.Collection) {
		return usage(fmt.Sprintf("%q can't name a collection.", at.Collection), "Use small letters, digits, - and _.")
	}
	if at.Collection == "plait" {
		return usage("The collection \"plait\" is Plait's own.", "Choose another name.")
	}
	for _, o := range v.cfg.Attached {
		if o.Path == at.Path {
			return usage(at.Path+" is attached already, as "+o.Name+".", "Nothing was changed. `plait detach` ends it.")
		}
		if strings.EqualFold(o.Name, at.Name) {
			return usage("Something named "+o.Name+" is attached already.", "Nothing was changed. Choose another --name.")
		}
	}
	src, err := v.sourceOf(at)
	return at, src, err
}

// notFound says in words that an editor or profile is not here, and what comes near.
func notFound(err error) error {
	var n *editor.NotFound
	if !errors.As(err, &n) {
		return err
	}
	p := &problem.Error{Code: problem.UnknownEditor, Message: fmt.Sprintf("No %s is called %q here.", n.What, n.Name), Err: err}
	if n.Gone {
		p.Message = fmt.Sprintf("%s has no data here yet.", n.Name)
		p.Hint = "Start it once, then attach it. A User folder elsewhere is added with `plait attach --path DIR --name NAME`."
	} else if len(n.Near) > 0 {
		p.Hint = "Did you mean " + strings.Join(n.Near, ", ") + "? `plait editors` lists what is found."
	}
	return p
}

func (v *Vault) sourceOf(at attachment) (engine.Source, error) {
	if at.Kind == "files" {
		return &folderSource{at: at, fs: v.o.FS}, nil
	}
	known, err := v.knownMasks()
	if err != nil {
		return nil, err
	}
	return v.profileSource(at, editor.Find(v.env()), known)
}

func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// collectionName makes a name fit for a collection.
func collectionName(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(s)) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			b.WriteRune(r)
		case r > 127 && r != '/':
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}

// Detach ends the syncing of one editor or folder (by name or command); its files stay.
func (v *Vault) Detach(ctx context.Context, name, profile string) error {
	i := -1
	var names []string
	for j, at := range v.cfg.Attached {
		names = append(names, at.Name)
		match := strings.EqualFold(at.Name, name)
		if at.Kind == "editor" && !match {
			e, err := editor.Lookup(editor.Find(v.env()), name)
			match = err == nil && e.ID == at.Editor && (strings.EqualFold(at.Profile, profile) || profile == "" && v.onlyOne(at.Editor))
		}
		if match {
			i = j
			break
		}
	}
	if i < 0 {
		hint := "Nothing is attached."
		if len(names) > 0 {
			hint = "Attached are " + strings.Join(names, ", ") + "."
		}
		return &problem.Error{Code: "unknown-editor", Message: fmt.Sprintf("%q is not attached.", name), Hint: hint}
	}
	at := v.cfg.Attached[i]
	// Forgotten first: after a crash in between, what is still attached is met anew, while
	// rows without a replica would be taken for its files' past when it is attached again.
	if err := v.eng.Detached(at.ID); err != nil {
		return err
	}
	cfg := v.cfg
	cfg.Attached = slices.Delete(slices.Clone(cfg.Attached), i, i+1)
	v.cfg = cfg
	if err := v.writeConfig(); err != nil {
		return err
	}
	return v.resource()
}

func (v *Vault) onlyOne(editorID string) bool {
	n := 0
	for _, at := range v.cfg.Attached {
		if at.Editor == editorID {
			n++
		}
	}
	return n == 1
}
