package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// BadName is the code for a name that no store may take. Like Unknown it is a bug
// of ours, or somebody's attempt to reach outside the store.
const BadName Code = "name not allowed"

// MaxName is the longest name, in bytes: what every file system and service can
// hold, with room for what another tool appends to a conflict copy.
const MaxName = 200

// CheckName says whether a store may take the name: vault.json, or prefix/rest,
// both of [a-z0-9.-], neither starting nor ending with a dot or hyphen. So no name
// leads out of a folder, and none differs from another only by case or by how
// Unicode is composed.
//
// Refused as well is what a file system or a tool that carries folders gives a
// meaning of its own: Windows' device names, partial and temporary files, and
// Syncthing's conflict copies, which would otherwise look like objects.
func CheckName(name string) error {
	prefix, rest, ok := strings.Cut(name, "/")
	if name == "vault.json" {
		return nil
	}
	if !ok || len(name) > MaxName || !plainPart(prefix) || !plainPart(rest) {
		return fmt.Errorf("name %.64q: %w", name, BadName)
	}
	return nil
}

// CheckPrefix says whether objects can be listed by the prefix: "" for all,
// "heads/", or "heads/" and a beginning of what follows.
func CheckPrefix(prefix string) error {
	dir, rest, ok := strings.Cut(prefix, "/")
	switch {
	case prefix == "":
		return nil
	case !ok || len(prefix) > MaxName || !plainPart(dir) || !plainBytes(rest):
		return fmt.Errorf("prefix %.64q: %w", prefix, BadName)
	}
	return nil
}

func plainBytes(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}

func plainPart(s string) bool {
	if s == "" || !plainBytes(s) || strings.ContainsAny(s[:1]+s[len(s)-1:], ".-") {
		return false
	}
	for _, ext := range []string{".tmp", ".part", ".partial", ".filepart", ".crdownload"} {
		if strings.HasSuffix(s, ext) {
			return false
		}
	}
	if strings.Contains(s, ".sync-conflict-") {
		return false
	}
	stem, _, _ := strings.Cut(s, ".")
	switch stem {
	case "con", "prn", "aux", "nul":
		return false
	}
	if len(stem) == 4 && (stem[:3] == "com" || stem[:3] == "lpt") {
		return false
	}
	return true
}

// CodeOf is what most drivers' Code is: the code that err wraps, Cancelled for a
// context that ended, "" for nil, else Unknown.
func CodeOf(err error) Code {
	var c Code
	switch {
	case err == nil:
		return ""
	case errors.As(err, &c):
		return c
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Cancelled
	}
	return Unknown
}
