package main

import (
	"fmt"
	"regexp"
	"strings"

	"plait/backend/editor"
)

// marks are what a registration holds whose key must not travel. In the bundle, names are
// shortened and enums are numbers, but the keys of object literals stay.
var marks = regexp.MustCompile(`\b(scope|ignoreSync|disallowSyncIgnore):([^,{}"]+)[,}]`)

// scopes reads the enum's numbers from the function that parses them.
var scopes = regexp.MustCompile(`case"machine":return (\d+);.{0,200}?case"machine-overridable":return (\d+);`)

// extract finds the registrations in the workbench's bundle.
func extract(js string, b *editor.BuiltIn) error {
	s := scopes.FindStringSubmatch(js)
	if s == nil {
		return fmt.Errorf("the function that parses scopes is not to be found")
	}
	machine := map[string]bool{s[1]: true, s[2]: true}
	found := len(b.Machine)
	for _, m := range marks.FindAllStringSubmatchIndex(js, -1) {
		name, value := js[m[2]:m[3]], js[m[4]:m[5]]
		var into *[]string
		switch {
		case name == "scope" && machine[value]:
			into = &b.Machine
		case name == "scope" && strings.Contains(value, "?") && (strings.HasSuffix(value, ":"+s[1]) || strings.HasSuffix(value, ":"+s[2])):
			into = &b.Conditional
		case name == "ignoreSync" && value == "!0":
			into = &b.Ignored
		case name == "disallowSyncIgnore" && value == "!0":
			into = &b.Never
		default:
			continue
		}
		keys, err := registered(js, m[0], name)
		if err != nil {
			return fmt.Errorf("%s at byte %d (…%s…): %w", name, m[0], js[max(0, m[0]-40):m[1]], err)
		}
		*into = append(*into, keys...)
	}
	if len(b.Never) < 2 || len(b.Machine) == found {
		return fmt.Errorf("too little was found: %d about sync itself, %d of the workbench's own", len(b.Never), len(b.Machine)-found)
	}
	return nil
}

// registered names the settings that a mark at this place is about: the one whose registration it
// stands in, or, where it stands beside properties, all in there that have none of their own.
func registered(js string, at int, mark string) ([]string, error) {
	start, end, err := object(js, at)
	if err != nil {
		return nil, err
	}
	for _, m := range members(js, start, end) {
		if m.key == "properties" && js[m.start] == '{' {
			return below(js, m.start, mark)
		}
	}
	// Its key stands before it, in an object that is called properties.
	outer, _, err := object(js, start-1)
	if err != nil {
		return nil, nil
	}
	if !strings.HasSuffix(js[:outer], "properties:") {
		return nil, nil // something else that has a scope: a storage key, a message
	}
	for _, m := range members(js, outer, end+1) {
		if m.start == start {
			key, err := resolve(js, m.key)
			return []string{key}, err
		}
	}
	return nil, fmt.Errorf("the key is not to be found")
}

// below names the settings of an object of properties that lack a mark of this name.
func below(js string, start int, mark string) ([]string, error) {
	end, err := closing(js, start)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, m := range members(js, start, end) {
		own := false
		if js[m.start] == '{' {
			for _, f := range members(js, m.start, m.end-1) {
				own = own || f.key == mark
			}
		}
		if own {
			continue
		}
		key, err := resolve(js, m.key)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

var plain = regexp.MustCompile(`^[A-Za-z_$][\w$]*$`)

// resolve is the string that a key is: "a.b" itself, or what the constant x of [x] holds.
func resolve(js, key string) (string, error) {
	name, computed := strings.CutPrefix(key, "[")
	if !computed {
		return strings.Trim(key, `"'`), nil
	}
	name = strings.TrimSuffix(name, "]")
	assigned := regexp.QuoteMeta(name)
	if _, field, ok := strings.Cut(name, "."); ok {
		assigned = `\w+\.` + regexp.QuoteMeta(field) // an enum's: s.field="…"
	} else if !plain.MatchString(name) {
		return "", fmt.Errorf("key [%s] is computed", name)
	}
	values := map[string]bool{}
	value := ""
	for _, m := range regexp.MustCompile(`(?:^|[^\w$.])`+assigned+`="([^"\\]+)"`).FindAllStringSubmatch(js, -1) {
		value = m[1]
		values[value] = true
	}
	if len(values) != 1 {
		return "", fmt.Errorf("key [%s] has %d values", name, len(values))
	}
	return value, nil
}
