package merge

import (
	"slices"
	"strings"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// byBinding names a rule by [key, command, when, args], each in its normal form.
func byBinding(t *jsonc.Tree, i int32) ([]string, string) {
	if s, ok := t.Text(i); ok { // in a skeleton
		if p, err := item.ParsePath(s); err == nil && len(p) == 4 {
			return p, ""
		}
	}
	if t.Nodes[i].Kind != jsonc.Object {
		return []string{"", "", "", string(t.Canonical(i))}, ""
	}
	text := func(k string) string { s, _ := t.Text(t.Member(i, k)); return s }
	args := ""
	if a := t.Member(i, "args"); a != jsonc.None {
		args = string(t.Canonical(a))
	}
	return []string{NormalKey(text("key")), text("command"), NormalWhen(text("when")), args}, ""
}

// modifiers are what VS Code's parser takes for one, in the order it writes them.
var modifiers = map[string]int{"ctrl": 0, "shift": 1, "alt": 2, "cmd": 3, "meta": 3, "win": 3}
var modifierNames = [...]string{"ctrl", "shift", "alt", "cmd"}

// NormalKey is the one form of a key sequence: lower case, modifiers in the order
// ctrl, shift, alt, cmd; meta and win are other names of cmd, on every platform, so
// that all devices name a rule alike. Source: VS Code, keybindingParser.ts.
func NormalKey(key string) string {
	chords := strings.Fields(strings.ToLower(key))
	for i, c := range chords {
		var has [len(modifierNames)]bool
		for {
			n := strings.IndexAny(c, "+-")
			if n <= 0 {
				break
			}
			m, ok := modifiers[c[:n]]
			if !ok {
				break
			}
			has[m] = true
			c = c[n+1:]
		}
		var b strings.Builder
		for m, on := range has {
			if on {
				b.WriteString(modifierNames[m] + "+")
			}
		}
		chords[i] = b.String() + c
	}
	return strings.Join(chords, " ")
}

// firstChord is the key that rules share if one can shadow the other.
func firstChord(key string) string {
	c, _, _ := strings.Cut(key, " ")
	return c
}

// NormalWhen is the one form of a when clause: spaces as one, the sides of && and ||
// in order, each once. Text that it can't read is kept, spaces apart.
func NormalWhen(when string) string {
	toks, ok := whenTokens(when)
	if !ok {
		return strings.Join(strings.Fields(when), " ")
	}
	p := whenParser{toks: toks}
	e := p.or()
	if p.bad || p.i != len(toks) {
		return strings.Join(strings.Fields(when), " ")
	}
	return e
}

// maxWhen is how deep a when clause may nest and still be read; VS Code's own do not
// nest at all.
const maxWhen = 100

type whenParser struct {
	toks  []string
	i     int
	depth int
	bad   bool
}

func (p *whenParser) peek() string {
	if p.i < len(p.toks) {
		return p.toks[p.i]
	}
	return ""
}

// chain reads operands joined by op, sorts them and drops repetitions. What an
// operand holds of the same op is spliced in by the caller's grammar already.
func (p *whenParser) chain(op string, operand func() string) string {
	parts := []string{operand()}
	for p.peek() == op && !p.bad {
		p.i++
		parts = append(parts, operand())
	}
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), " "+op+" ")
}

func (p *whenParser) or() string  { return p.chain("||", p.and) }
func (p *whenParser) and() string { return p.chain("&&", p.term) }

// term reads !x, (x), or a run of words: a key, or a comparison.
func (p *whenParser) term() string {
	switch t := p.peek(); t {
	case "":
		p.bad = len(p.toks) > 0 || p.bad
		return ""
	case "!", "(":
		if p.depth++; p.depth > maxWhen {
			p.bad = true
			return ""
		}
		defer func() { p.depth-- }()
		if t == "!" {
			p.i++
			return "!" + p.term()
		}
		p.i++
		e := p.or()
		if p.peek() != ")" {
			p.bad = true
			return ""
		}
		p.i++
		if strings.Contains(e, "&&") || strings.Contains(e, "||") {
			e = "(" + e + ")"
		}
		return e
	}
	var words []string
	for {
		t := p.peek()
		if t == "" || t == "&&" || t == "||" || t == ")" || t == "(" || t == "!" {
			break
		}
		words = append(words, t)
		p.i++
	}
	if len(words) == 0 {
		p.bad = true
	}
	return strings.Join(words, " ")
}

// whenTokens splits a when clause; regular expressions and quoted text stay whole.
func whenTokens(s string) (toks []string, ok bool) {
	for i := 0; i < len(s); {
		rest := s[i:]
		two := ""
		if len(rest) > 1 {
			two = rest[:2]
		}
		switch {
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\n' || rest[0] == '\r':
			i++
		case two == "&&" || two == "||" || two == "==" || two == "!=" || two == "=~" || two == "<=" || two == ">=":
			if strings.HasPrefix(rest, "===") || strings.HasPrefix(rest, "!==") {
				i++ // as VS Code reads it
			}
			toks = append(toks, two)
			i += 2
		case strings.IndexByte("!()<>", rest[0]) >= 0:
			toks = append(toks, rest[:1])
			i++
		case rest[0] == '\'':
			n := strings.IndexByte(rest[1:], '\'')
			if n < 0 {
				return nil, false
			}
			toks = append(toks, rest[:n+2])
			i += n + 2
		case rest[0] == '/' && len(toks) > 0 && toks[len(toks)-1] == "=~":
			n := 1
			for n < len(rest) && rest[n] != '/' {
				if rest[n] == '\\' {
					n++
				}
				n++
			}
			if n >= len(rest) {
				return nil, false
			}
			for n++; n < len(rest) && rest[n] >= 'a' && rest[n] <= 'z'; n++ {
			}
			toks = append(toks, rest[:n])
			i += n
		default:
			n := strings.IndexAny(rest, " \t\r\n&|!=<>()'")
			if n < 0 {
				n = len(rest)
			}
			if n == 0 {
				n = 1
			}
			toks = append(toks, rest[:n])
			i += n
		}
	}
	return toks, true
}
