package editor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"plait/backend/disk"
	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// flags are the names that VS Code has for data types in a profile's useDefaultFlags.
var flags = map[string]item.Type{
	"settings": item.Settings, "keybindings": item.Keybindings, "snippets": item.Snippets,
	"prompts": item.Prompts, "tasks": item.Tasks, "mcp": item.MCP,
}

// profiles reads globalStorage/storage.json. The default profile is always there.
func profiles(fsys disk.FS, userDir string) ([]Profile, []error) {
	all := []Profile{{Name: "Default", Dir: userDir, Default: true, Collection: "default"}}
	at := filepath.Join(userDir, "globalStorage", "storage.json")
	b, _, err := fsys.Read(at, maxMeta)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, []error{fmt.Errorf("profiles: %w", err)}
	}
	var storage struct {
		Profiles []struct {
			Location json.RawMessage `json:"location"`
			Name     string          `json:"name"`
			Flags    map[string]bool `json:"useDefaultFlags"`
		} `json:"userDataProfiles"`
	}
	if err := json.Unmarshal(b, &storage); err != nil {
		return all, []error{fmt.Errorf("profiles: %w", invalid(at, b, err))}
	}
	var problems []error
	for _, s := range storage.Profiles {
		id := location(s.Location)
		// The file is the editor's own, but a path out of profiles/ is never right.
		if err := disk.CheckName(id); err != nil || strings.Contains(id, "/") {
			problems = append(problems, fmt.Errorf("profile %q has no usable folder", s.Name))
			continue
		}
		p := Profile{ID: id, Name: s.Name, Dir: filepath.Join(userDir, "profiles", id), Collection: collection(s.Name, id)}
		for flag, on := range s.Flags {
			if t, ok := flags[flag]; ok && on {
				if p.Inherits == nil {
					p.Inherits = map[item.Type]bool{}
				}
				p.Inherits[t] = true
			}
		}
		all = append(all, p)
	}
	return all, problems
}

// location is a profile's folder name; early versions wrote a URI.
func location(raw json.RawMessage) string {
	var id string
	if json.Unmarshal(raw, &id) == nil {
		return id
	}
	var uri struct {
		Path string `json:"path"`
	}
	if json.Unmarshal(raw, &uri) == nil && uri.Path != "" {
		return path.Base(uri.Path)
	}
	return ""
}

// collection is the collection that a profile joins: its own name in lower case. What would
// end the collection's part of an item's name is replaced.
func collection(name, id string) string {
	c := strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '@' || r == '\\':
			return '-'
		case r < ' ' || r == 0x7f:
			return -1
		}
		return r
	}, strings.ToLower(strings.TrimSpace(name)))
	if c == "" {
		return id
	}
	return c
}

// A SyntaxError says where a file stops making sense.
type SyntaxError struct {
	Path         string
	Line, Column int // from 1
	Msg          string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Msg)
}

// invalid is a JSON decoder's error with its place.
func invalid(path string, text []byte, err error) error {
	offset := int64(0)
	var s *json.SyntaxError
	var t *json.UnmarshalTypeError
	switch {
	case errors.As(err, &s):
		offset = s.Offset
	case errors.As(err, &t):
		offset = t.Offset
	}
	line, column := jsonc.Position(text, int(offset))
	return &SyntaxError{path, line, column, err.Error()}
}
