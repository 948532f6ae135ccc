package disk

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A System says whose rules for names count.
type System string

const (
	Linux   System = "linux"
	Mac     System = "darwin"
	Windows System = "windows"
)

// Here is the system that this runs on.
const Here = System(runtime.GOOS)

// A rule is one way in which a name, that another device made up, could do harm on apply.
type rule string

const (
	ruleForm     rule = "is empty, too long, or not valid Unicode text"
	ruleAbsolute rule = "is absolute"
	ruleUp       rule = "leads upwards"
	ruleControl  rule = "holds control characters"
	ruleOwn      rule = "is one of Plait's own"
	ruleUnicode  rule = "is not in Unicode's composed form (NFC)"
	ruleReserved rule = "is reserved on Windows"
	ruleWindows  rule = "means another file on Windows"
)

// longestRel bounds a whole relative name, in bytes. Linux takes paths of 4,096, the root included.
const longestRel = 3072

// CheckName says whether a name from the vault may be a file's relative path on this
// system. The name has slashes; it must be clean: its own shortest form.
func CheckName(rel string) error { return CheckNameOn(Here, rel) }

// CheckNameOn is CheckName by another system's rules.
func CheckNameOn(sys System, rel string) error { return checkName(sys, rel, "") }

// checkName leaves one rule out: with it out, that rule's tests must fail.
func checkName(sys System, rel string, without rule) error {
	if sys != Windows && plain(rel) {
		return nil
	}
	for _, c := range []struct {
		rule rule
		bad  func(System, string) bool
	}{
		{ruleForm, badForm}, {ruleAbsolute, absolute}, {ruleUp, upwards}, {ruleControl, controls},
		{ruleOwn, owned}, {ruleUnicode, decomposed}, {ruleReserved, reserved}, {ruleWindows, windowsAlias},
	} {
		if c.rule != without && c.bad(sys, rel) {
			return &Error{Op: "name", Path: fmt.Sprintf("%.200q", rel), Code: ErrUnsafe, Err: errors.New(string(c.rule))}
		}
	}
	return nil
}

// plain says, in one pass, that a name breaks no rule but maybe one of Windows': most names
// are short and ASCII, and a scan asks of thousands.
func plain(rel string) bool {
	if len(rel) > longestRel {
		return false
	}
	start := 0
	for i := 0; i <= len(rel); i++ {
		if i < len(rel) && rel[i] != '/' {
			if rel[i] < ' ' || rel[i] > '~' {
				return false
			}
			continue
		}
		// Segments that start with a dot are few: the rules themselves judge those.
		if i == start || i-start > longest || rel[start] == '.' {
			return false
		}
		start = i + 1
	}
	return true
}

// Join is root/rel in the system's form, for a rel that CheckName allows.
func Join(root, rel string) (string, error) {
	if err := CheckName(rel); err != nil {
		return "", err
	}
	return filepath.Join(root, filepath.FromSlash(rel)), nil
}

// Rel is the name, for the vault, of a path below root: slashes, and Unicode's composed form. It
// fails for a path that is not below root, or whose name no device should write.
func Rel(root, path string) (string, error) {
	if n := len(root); Here != Windows && len(path) > n && path[:n] == root && path[n] == '/' && plain(path[n+1:]) {
		return path[n+1:], nil
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return "", &Error{Op: "name", Path: path, Code: ErrUnsafe, Err: err}
	}
	rel = filepath.ToSlash(rel)
	if utf8.ValidString(rel) {
		rel = norm.NFC.String(rel)
	}
	return rel, CheckName(rel)
}

func segments(rel string) []string { return strings.Split(rel, "/") }

func anySegment(rel string, bad func(string) bool) bool {
	return slices.ContainsFunc(segments(rel), bad)
}

func badForm(_ System, rel string) bool {
	return rel == "" || len(rel) > longestRel || !utf8.ValidString(rel) ||
		strings.ContainsRune(rel, utf8.RuneError) || // what invalid text was turned into: not the file's name
		anySegment(rel, func(s string) bool { return len(s) > longest })
}

func absolute(sys System, rel string) bool {
	if strings.HasPrefix(rel, "/") {
		return true
	}
	if sys != Windows {
		return false
	}
	drive := len(rel) >= 2 && rel[1] == ':' && unicode.IsLetter(rune(rel[0]))
	return drive || strings.HasPrefix(rel, `\`)
}

// upwards finds empty and dot segments, too: they would give one file two names.
func upwards(sys System, rel string) bool {
	rel = strings.TrimPrefix(rel, "/")
	if sys == Windows {
		rel = strings.ReplaceAll(rel, `\`, "/")
	}
	return rel != "" && anySegment(rel, func(s string) bool { return s == "" || s == "." || s == ".." })
}

// controls finds what could write elsewhere on a terminal or end a C string, and the marks
// that turn the direction of text, with which a name can be made to read as another.
func controls(_ System, rel string) bool {
	return strings.ContainsFunc(rel, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
			r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
	})
}

// owned finds names that this package would take for its own leavings.
func owned(_ System, rel string) bool {
	return anySegment(rel, func(s string) bool { return Own(Fold(s)) })
}

func decomposed(_ System, rel string) bool {
	return utf8.ValidString(rel) && !norm.NFC.IsNormalString(rel)
}

// devices are the names of Windows' devices, with any extension
// (Microsoft, "Naming Files, Paths, and Namespaces").
var devices = func() map[string]bool {
	all := map[string]bool{"con": true, "prn": true, "aux": true, "nul": true, "conin$": true, "conout$": true, "clock$": true}
	for _, port := range []string{"com", "lpt"} {
		for _, n := range "0123456789¹²³" {
			all[port+string(n)] = true
		}
	}
	return all
}()

func reserved(sys System, rel string) bool {
	return sys == Windows && anySegment(rel, func(s string) bool {
		stem, _, _ := strings.Cut(s, ".")
		stem, _, _ = strings.Cut(stem, ":")
		return devices[strings.ToLower(strings.TrimRight(stem, " "))]
	})
}

// windowsAlias finds characters that Windows refuses or gives a meaning (a stream, a
// separator), and endings that it drops.
func windowsAlias(sys System, rel string) bool {
	return sys == Windows && anySegment(rel, func(s string) bool {
		return s != "." && s != ".." && (strings.ContainsAny(s, `<>:"|?*\`) || strings.HasSuffix(s, ".") || strings.HasSuffix(s, " "))
	})
}

// Fold is what two names have in common that some system takes for one: composed, in one case,
// without the characters that HFS+ ignores.
func Fold(name string) string {
	folded := strings.Map(func(r rune) rune {
		if ignorable(r) {
			return -1
		}
		return foldRune(r)
	}, norm.NFD.String(name))
	return norm.NFC.String(folded)
}

// ignorable are the characters that HFS+ leaves out when it compares (Apple, TN1150; git's
// CVE-2014-9390 is what comes of not knowing).
func ignorable(r rune) bool {
	return r >= 0x200c && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff
}

// foldRune is the least of the letters that differ from r in case only.
func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return unicode.ToLower(least)
}

// Clashes lists the groups of names, sorted, that some system takes for one, or of which one
// is a file and a directory of another. They can't all be applied there.
func Clashes(names []string) [][]string {
	groups := map[string][]string{}
	for _, n := range names {
		at := ""
		for i, s := range segments(n) {
			if i > 0 {
				at += "/"
			}
			at += s
			f := Fold(at)
			if !slices.Contains(groups[f], at) {
				groups[f] = append(groups[f], at)
			}
		}
	}
	isName := map[string]bool{}
	for _, n := range names {
		isName[n] = true
	}
	var all [][]string
	for _, g := range groups {
		if len(g) > 1 {
			slices.Sort(g)
			all = append(all, g)
		}
	}
	for _, n := range names {
		for i, c := range n {
			if c == '/' && isName[n[:i]] {
				pair := []string{n[:i], n}
				all = append(all, pair)
			}
		}
	}
	slices.SortFunc(all, slices.Compare)
	return all
}
