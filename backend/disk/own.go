package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
)

// Names of this package's own files: prefix, 8 characters that nobody else has, a dash, the
// name of the file that they belong to. While new content is written it is "new": perhaps
// torn, never displaced. Before the exchange it is renamed to "old", and only that name
// takes part in the exchange: so an "old" file is whole, and holds either what was displaced or,
// after a crash just before the exchange, what was to be written.
const (
	ownPrefix = ".plait-"
	newPrefix = ".plait-new-"
	oldPrefix = ".plait-old-"

	tagLength = 8
	longest   = 255 // bytes in a name: ext4, APFS, NTFS (UTF-16 units there) agree
)

// Own says whether a file of this name is this package's own.
func Own(name string) bool { return strings.HasPrefix(name, ownPrefix) }

// beside names an own file in path's directory.
func beside(path, prefix, tag string) string {
	dir, base := filepath.Split(path)
	name := prefix + tag + "-" + base
	if len(name) > longest {
		name = prefix + tag + "=" + nameHash(base)
	}
	return dir + name
}

func nameHash(base string) string {
	h := sha256.Sum256([]byte(base))
	return hex.EncodeToString(h[:16])
}

// belongsTo is the name of the file that an old file belongs to, given the names
// beside it; "" if it can't be told. ok is false for what is no old file.
func belongsTo(own string, siblings []Info) (base string, ok bool) {
	rest, ok := strings.CutPrefix(own, oldPrefix)
	if !ok || len(rest) <= tagLength+1 {
		return "", false
	}
	switch base := rest[tagLength+1:]; rest[tagLength] {
	case '-':
		return base, true
	case '=':
		for _, s := range siblings {
			if !Own(s.Name) && nameHash(s.Name) == base {
				return s.Name, true
			}
		}
		return "", true
	}
	return "", false
}
