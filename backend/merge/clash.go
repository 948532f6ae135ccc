package merge

import (
	"slices"
	"strings"

	"plait/backend/item"
)

// ruleUse is a keybinding rule with the side that it is from.
type ruleUse struct {
	key                  item.Key
	chord, keys, command string
	when, args, side     string
}

// rules finds what merging rules made of them: clashes, commands with two keys, and
// defaults switched off for nothing.
func (w *warner) rules() {
	var all []ruleUse
	w.merged.each(func(k item.Key, v item.Value) {
		if p := k.Segments(); k.Lane == item.LaneValue && len(p) == 4 {
			all = append(all, ruleUse{k, firstChord(p[0]), p[0], p[1], p[2], p[3], w.side(k, v)})
		}
	})
	slices.SortFunc(all, func(a, b ruleUse) int { return compareKeys(a.key, b.key) })
	chords, commands := map[string][]ruleUse{}, map[string][]ruleUse{}
	for _, r := range all {
		if strings.HasPrefix(r.command, "-") || r.command == "" {
			continue
		}
		for _, o := range chords[r.chord][max(0, len(chords[r.chord])-maxGroup):] {
			if differ(o, r) && shadow(o.keys, r.keys) && o.command != r.command && !disjoint(o.when, r.when) {
				w.add(r.key, KeybindingClash, clash(o, r))
			}
		}
		chords[r.chord] = append(chords[r.chord], r)
		for _, o := range commands[r.command][max(0, len(commands[r.command])-maxGroup):] {
			if differ(o, r) && o.keys != r.keys && o.when == r.when && o.args == r.args {
				w.add(r.key, KeybindingTwice, r.command+" now has two keys, "+o.keys+" and "+r.keys)
			}
		}
		commands[r.command] = append(commands[r.command], r)
	}
	had := map[string]bool{}
	for _, side := range []atoms{w.local, w.remote} {
		side.each(func(k item.Key, _ item.Value) {
			if p := k.Segments(); k.Lane == item.LaneValue && len(p) == 4 {
				had[p[1]] = true
			}
		})
	}
	for _, r := range all {
		if off, ok := strings.CutPrefix(r.command, "-"); ok && len(commands[off]) == 0 && had[off] {
			w.add(r.key, NegationOrphaned, off+" has no key left: its default is switched off here, and the other key it had was removed")
		}
	}
}

// maxGroup is how many rules of one chord, or of one command, are compared with another:
// more only a document made to waste our time has.
const maxGroup = 200

// differ says whether two rules are from different sides.
func differ(a, b ruleUse) bool { return a.side != "" && b.side != "" && a.side != b.side }

// shadow says whether one key sequence is the other or starts it.
func shadow(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+" ") || strings.HasPrefix(b, a+" ")
}

func clash(a, b ruleUse) string {
	if a.keys == b.keys {
		return a.keys + " is now bound to both " + a.command + " and " + b.command + "; where both apply, the later rule wins"
	}
	return a.keys + " (" + a.command + ") and " + b.keys + " (" + b.command + ") can't both be typed"
}

// disjoint says whether two when clauses, in normal form, can't both hold: one demands
// a term that the other denies, or the same key with another value.
func disjoint(a, b string) bool {
	if strings.Contains(a, "||") || strings.Contains(b, "||") || a == "" || b == "" {
		return false
	}
	for _, x := range strings.Split(a, " && ") {
		for _, y := range strings.Split(b, " && ") {
			if x == "!"+y || y == "!"+x {
				return true
			}
			xk, xv, okX := strings.Cut(x, " == ")
			yk, yv, okY := strings.Cut(y, " == ")
			if okX && okY && xk == yk && strings.Trim(xv, "'") != strings.Trim(yv, "'") {
				return true
			}
			if equalsNot(x, y) || equalsNot(y, x) {
				return true
			}
		}
	}
	return false
}

// equalsNot says whether x is k == v and y is k != v.
func equalsNot(x, y string) bool {
	k, v, ok := strings.Cut(x, " == ")
	k2, v2, ok2 := strings.Cut(y, " != ")
	return ok && ok2 && k == k2 && strings.Trim(v, "'") == strings.Trim(v2, "'")
}
