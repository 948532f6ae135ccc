package journal

import (
	"regexp"

	"plait/backend/item"
)

// secret says whether a value is compressed alone (J5).
func secret(k item.Key, v item.Value) bool {
	return secretName.MatchString(k.Path) || secretValue.Match(v.Data)
}

var (
	secretName  = regexp.MustCompile(`(?i)(token|secret|passw(or)?d|passphrase|api[-_.]?key|credential|private[-_.]?key)`)
	secretValue = regexp.MustCompile(`gh[pousr]_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}|xox[abprs]-|-----BEGIN [A-Z ]*PRIVATE KEY`)
)
