package merge

import (
	"sort"
	"strings"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// A rule says how a value is cut. The zero rule is a leaf: one atom, whatever it holds.
type rule struct {
	object bool             // an object's members are atoms of their own, by rest and named
	list   identity         // an array's elements are named by it
	named  map[string]*rule // members with a rule of their own
	rest   *rule            // the other members, or a list's elements
	order  bool             // the order of its members is an atom
	langs  bool             // keys like [a][b] have one form
}

// An identity names the elements of a list. It gives the path segments of element i,
// and the field that says it, which is no atom: "" if the element is a leaf.
type identity func(t *jsonc.Tree, i int32) (segments []string, field string)

var (
	leaf   = &rule{}
	fields = &rule{object: true, rest: leaf}
	deep   = func() *rule { r := &rule{object: true}; r.rest = r; return r }()

	settingsRule    = &rule{object: true, rest: deep, order: true, langs: true}
	snippetsRule    = &rule{object: true, rest: fields, order: true}
	keybindingsRule = &rule{list: byBinding, rest: leaf}
	tasksRule       = &rule{object: true, rest: deep, order: true, named: map[string]*rule{
		"tasks":  {list: byField("label"), rest: fields, order: true},
		"inputs": {list: byField("id"), rest: fields, order: true},
	}}
	mcpRule = &rule{object: true, rest: deep, order: true, named: map[string]*rule{
		"servers": {object: true, rest: fields, order: true},
		"inputs":  {list: byField("id"), rest: fields, order: true},
	}}
)

// ruleOf is how documents of type t are cut.
func ruleOf(t item.Type) *rule {
	switch t {
	case item.Keybindings:
		return keybindingsRule
	case item.Snippets:
		return snippetsRule
	case item.Tasks:
		return tasksRule
	case item.MCP:
		return mcpRule
	}
	return settingsRule
}

// member is the rule for the member that seg names. What an empty key holds is a
// leaf: an empty segment below a path names its header, section or footer.
func (r *rule) member(seg string) *rule {
	if seg == "" {
		return leaf
	}
	if n := r.named[seg]; n != nil {
		return n
	}
	return r.rest
}

// container says whether r takes a value of kind k apart.
func (r *rule) container(k jsonc.Kind) bool {
	return r.object && k == jsonc.Object || r.list != nil && k == jsonc.Array
}

// segment is the one form of a key: a settings block for several languages is the
// same in whatever order it names them.
func (r *rule) segment(key string) string {
	if !r.langs || !strings.HasPrefix(key, "[") || strings.Count(key, "[") < 2 {
		return key
	}
	parts := strings.Split(strings.TrimSuffix(key, "]"), "]")
	for i, p := range parts {
		if !strings.HasPrefix(p, "[") || len(p) < 2 {
			return key
		}
		parts[i] = p[1:]
	}
	sort.Strings(parts)
	return "[" + strings.Join(parts, "][") + "]"
}

// ruleAt is the rule by which what lies at p in a document of type t is cut.
func ruleAt(t item.Type, p item.Path) *rule {
	r := ruleOf(t)
	if t == item.Keybindings && len(p) > 0 {
		return leaf
	}
	for _, s := range p {
		switch {
		case r.list != nil && isUnnamed(s):
			return leaf
		case r.list != nil:
			r = r.rest
		case r.object:
			r = r.member(s)
		default:
			return leaf
		}
	}
	return r
}

// isUnnamed says whether a list element's segment stands for one without a name.
func isUnnamed(seg string) bool { return strings.HasPrefix(seg, "#") && !strings.HasPrefix(seg, "##") }

// Yields says whether the value raw at path is no more than an empty place for members:
// {} or [] where a document of type t has members. It gives way to any below it.
func Yields(t item.Type, path string, raw []byte) bool {
	if !isEmpty(raw) {
		return false
	}
	return ruleAt(t, item.Key{Path: path}.Segments()).container(kindOf(raw))
}

// isEmpty says whether raw is {} or [], whatever the white space and comments in it.
func isEmpty(raw []byte) bool {
	if len(raw) < 2 || raw[0] != '{' && raw[0] != '[' {
		return false
	}
	t := tree(raw)
	return t != nil && t.Nodes[0].Len == 0
}

// kindOf is the kind of the value that raw is.
func kindOf(raw []byte) jsonc.Kind {
	if t := tree(raw); t != nil {
		return t.Nodes[0].Kind
	}
	return jsonc.Invalid
}

// byField names elements by a string field. What has none is a leaf, named by # and
// what VS Code would call it, else by a hash of what it means: a changed one is
// another one.
func byField(field string) identity {
	return func(t *jsonc.Tree, i int32) ([]string, string) {
		if s, ok := t.Text(i); ok && strings.HasPrefix(s, "#") {
			return []string{s}, "" // in a skeleton
		}
		if s, ok := t.Text(t.Member(i, field)); ok && s != "" {
			if strings.HasPrefix(s, "#") {
				s = "#" + s
			}
			return []string{s}, field
		}
		if s, ok := t.Text(t.Member(i, "taskName")); ok && s != "" {
			return []string{"#-" + s}, ""
		}
		kind, _ := t.Text(t.Member(i, "type"))
		for _, by := range []string{"script", "task", "command"} {
			if s, ok := t.Text(t.Member(i, by)); ok && kind != "" {
				return []string{"#-" + kind + ": " + s}, ""
			}
		}
		return []string{"#" + shortHash(t.Canonical(i))}, ""
	}
}
