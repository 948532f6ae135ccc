package vault

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/state"
)

// show is a value as faces show it: JSON as it stands, without comments; text as a
// JSON string; binary by size and hash; nil for what is absent.
func show(v item.Value) json.RawMessage {
	switch v.Kind {
	case item.JSON:
		if b, err := merge.Strict(v.Data); err == nil {
			return b
		}
		return quote(string(v.Data))
	case item.Text:
		if utf8.Valid(v.Data) {
			return quote(string(v.Data))
		}
		return opaque(int64(len(v.Data)), "")
	case item.Blob:
		return opaque(v.Large.Size, v.Large.Hash.String())
	case item.Hidden:
		return json.RawMessage("null")
	}
	return nil
}

func quote(s string) json.RawMessage {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic("vault: a string that is no JSON: " + err.Error())
	}
	return json.RawMessage(strings.TrimSuffix(b.String(), "\n"))
}

func opaque(size int64, hash string) json.RawMessage {
	if len(hash) > 16 {
		hash = hash[:16]
	}
	b, err := json.Marshal(map[string]any{"size": size, "hash": hash})
	if err != nil {
		panic("vault: " + err.Error())
	}
	return b
}

func showSibling(s *state.Sibling) json.RawMessage {
	if s == nil {
		return nil
	}
	return show(s.Value)
}

// short is a value in a sentence: a few words of it.
func short(v item.Value) string {
	switch v.Kind {
	case item.Absent:
		return "removed"
	case item.Hidden:
		return "absent here"
	case item.Blob:
		return fmt.Sprintf("%d bytes", v.Large.Size)
	}
	s := strings.Join(strings.Fields(string(v.Data)), " ")
	if v.Kind == item.JSON {
		if b, err := merge.Strict(v.Data); err == nil {
			s = string(b)
		}
	}
	if r := []rune(s); len(r) > 40 {
		s = string(r[:39]) + "…"
	}
	return s
}
