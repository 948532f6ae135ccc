package editor

import (
	"slices"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// Own is what a document itself has to say about what stays here. It is a function of the
// document's text alone, so it can be kept for as long as the file's stamp stays.
type Own struct {
	IgnoredSettings []string   `json:"ignoredSettings,omitempty"` // settingsSync.ignoredSettings, as written
	Secrets         [][]string `json:"secrets,omitempty"`         // paths of atoms that look like secrets
}

// ReadOwn reads a document. path is only named in errors: a *SyntaxError says where the text is
// damaged; Own is then what could be made out, and the caller should keep the reasons
// that it had before as well (see Own.Join).
func ReadOwn(t item.Type, path string, text []byte) (Own, error) {
	var own Own
	if t == item.Prompts {
		return own, nil
	}
	tree, err := jsonc.Parse(text)
	if err != nil {
		return own, &SyntaxError{path, 1, 1, err.Error()}
	}
	root := tree.Root()
	if root == jsonc.None {
		return own, nil
	}
	if t == item.Settings {
		for _, c := range tree.Children(tree.Find("settingsSync.ignoredSettings")) {
			if s, ok := tree.Text(c); ok {
				own.IgnoredSettings = append(own.IgnoredSettings, s)
			}
		}
	}
	w := secrets{tree: tree}
	w.atoms(t, root)
	own.Secrets = w.found
	if len(tree.Errors) > 0 {
		e := tree.Errors[0]
		line, column := tree.Position(e.Offset)
		return own, &SyntaxError{path, line, column, e.Msg}
	}
	return own, nil
}

// Join adds the reasons of an earlier reading.
func (o Own) Join(earlier Own) Own {
	for _, k := range earlier.IgnoredSettings {
		if !slices.Contains(o.IgnoredSettings, k) {
			o.IgnoredSettings = append(slices.Clip(o.IgnoredSettings), k)
		}
	}
	for _, p := range earlier.Secrets {
		if !slices.ContainsFunc(o.Secrets, func(q []string) bool { return slices.Equal(p, q) }) {
			o.Secrets = append(slices.Clip(o.Secrets), p)
		}
	}
	return o
}

// secrets walks a document as the merge engine cuts it, and looks into each atom.
type secrets struct {
	tree  *jsonc.Tree
	found [][]string
}

// An identity says by which field the elements of a list are told apart.
var identities = map[item.Type]map[string]string{
	item.Tasks: {"tasks": "label", "inputs": "id"},
	item.MCP:   {"inputs": "id"},
}

func (w *secrets) atoms(t item.Type, root int32) {
	switch t {
	case item.Settings:
		w.leaves(root, nil, -1)
	case item.Snippets:
		w.leaves(root, nil, 2)
	case item.Keybindings:
		// A rule's atom is named by its content, arguments included, so it can't be kept back
		// by a path; a binding that types a password is the person's pattern to name.
	case item.Tasks, item.MCP:
		for _, c := range w.tree.Children(root) {
			key := w.tree.Key(c)
			switch id := identities[t][key]; {
			case id != "" && w.tree.Nodes[c].Kind == jsonc.Array:
				for _, e := range w.tree.Children(c) {
					name, _ := w.tree.Text(w.tree.Member(e, id))
					w.leaves(e, item.Path{key, name}, 3)
				}
			case t == item.MCP && key == "servers":
				w.leaves(c, item.Path{key}, 3)
			default:
				w.leaves(c, item.Path{key}, -1)
			}
		}
	}
}

// leaves goes down objects to the atoms: at most depth segments deep, if that is not negative.
func (w *secrets) leaves(i int32, path item.Path, depth int) {
	n := w.tree.Nodes[i]
	if n.Kind == jsonc.Object && n.Len > 0 && len(path) != depth {
		for _, c := range w.tree.Children(i) {
			w.leaves(c, append(slices.Clip(path), w.tree.Key(c)), depth)
		}
		return
	}
	if len(path) > 0 && w.secret(i, path) {
		w.found = append(w.found, path)
	}
}

// secret looks at a value and all that is in it.
func (w *secrets) secret(i int32, path item.Path) bool {
	if !w.tree.Nodes[i].Kind.Container() {
		return item.LikelySecret(path, w.tree.Raw(i))
	}
	for _, c := range w.tree.Children(i) {
		below := path
		if w.tree.Nodes[i].Kind == jsonc.Object {
			below = append(slices.Clip(path), w.tree.Key(c))
		}
		if w.secret(c, below) {
			return true
		}
	}
	return false
}
