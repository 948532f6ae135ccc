package merge

import (
	"hash/maphash"
	"slices"
	"strings"
	"unicode/utf8"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// Atomize takes a document apart. It fails with a *SyntaxError, ErrTooDeep or
// ErrTooLarge. The atoms' data may share text's bytes.
func Atomize(t item.Type, text []byte, o Options) (Doc, error) {
	if !structured(t) {
		if len(text) > jsonc.MaxSize {
			return Doc{}, ErrTooLarge
		}
		return Doc{Atoms: map[item.Key]item.Value{{}: {Kind: item.Text, Data: text}}}, nil
	}
	d, err := cut(t, text, o, nil)
	if err != nil {
		return Doc{}, err
	}
	atoms := make(map[item.Key]item.Value, len(d.atoms)+1)
	for i := range d.atoms {
		atoms[d.atoms[i].key] = d.atoms[i].value()
	}
	if s := d.skeleton(); len(s) > 0 {
		atoms[skeletonKey] = item.Value{Kind: item.Text, Data: s}
	}
	return Doc{Atoms: atoms, Warnings: d.warnings}, nil
}

var skeletonKey = item.Key{Lane: item.LaneSkeleton}

// doc is a document that was cut: its atoms in document order, and where they stand.
type doc struct {
	t          item.Type
	o          Options
	tree       *jsonc.Tree
	atoms      []atom
	containers map[string]spot  // by path
	paths      map[int32]string // of containers, by node
	inert      map[int32]bool   // earlier duplicates: no atoms, and gone with their key
	masked     map[int32]bool
	warnings   []Warning

	blocks map[string]bool // the root's keys that start with a bracket, made when asked for
	src    string          // the text again: keys are parts of it
	path   []byte          // the walk's own
	segs   item.Path
	like   *doc // another document, whose paths are shared
	next   int
	index  map[string]int32   // of value atoms by path, made when asked for
	rest   map[item.Key]int32 // of all others
}

type atom struct {
	key  item.Key
	data []byte
	node int32 // of a value; of a comment the slot's owner
	twin int32 // the atom of the same key in the document that this one was cut like, or -1
}

// value is what the atom holds: JSON for values and orders, text for comments.
func (a *atom) value() item.Value {
	if a.key.Lane == item.LaneValue || a.key.Lane == item.LaneOrder {
		return jsonValue(a.data)
	}
	return item.Value{Kind: item.Text, Data: a.data}
}

// spot is a container and how its members are cut.
type spot struct {
	node  int32
	rule  *rule
	field string // of a list's element: the field that names it
}

// cut takes text apart. like, if not nil, is a document whose paths it may share.
func cut(t item.Type, text []byte, o Options, like *doc) (*doc, error) {
	tree, err := jsonc.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(tree.Errors) > 0 {
		e := tree.Errors[0]
		line, col := tree.Position(e.Offset)
		return nil, &SyntaxError{Line: line, Column: col, Msg: e.Msg}
	}
	d := &doc{t: t, o: o, tree: tree, containers: map[string]spot{}, paths: map[int32]string{}}
	d.src = string(text)
	d.atoms = make([]atom, 0, len(tree.Nodes)+8)
	d.like = like
	d.outer()
	if root := tree.Root(); root != jsonc.None {
		d.walk(root, ruleOf(t), "")
	}
	return d, nil
}

// outer adds the comments around the root.
func (d *doc) outer() {
	lead, trail := d.tree.Outer()
	if lead != "" {
		d.add(item.Key{Lane: item.LaneComment}, []byte(lead), d.tree.Root())
	}
	if trail != "" {
		d.add(item.Key{Lane: item.LaneTrail}, []byte(trail), d.tree.Root())
	}
}

func jsonValue(raw []byte) item.Value { return item.Value{Kind: item.JSON, Data: raw} }

func (d *doc) add(k item.Key, data []byte, node int32) {
	twin := int32(-1)
	if d.like != nil {
		twin = d.like.at(k)
	}
	d.atoms = append(d.atoms, atom{k, data, node, twin})
}

// addValue adds the value at the walk's present path. Its twin is mostly the one after
// the twin of the value before.
func (d *doc) addValue(data []byte, node int32) {
	if d.like != nil {
		for i := d.next; i < len(d.like.atoms) && i < d.next+4; i++ {
			if k := d.like.atoms[i].key; k.Lane == item.LaneValue && k.Path == string(d.path) {
				d.next = i + 1
				d.atoms = append(d.atoms, atom{k, data, node, int32(i)})
				return
			}
		}
	}
	d.add(item.Key{Path: string(d.path)}, data, node)
	if twin := d.atoms[len(d.atoms)-1].twin; twin >= 0 {
		d.next = int(twin) + 1
	}
}

func (d *doc) push(segs ...string) int {
	n := len(d.path)
	for _, s := range segs {
		d.path = append(d.path, '/')
		if strings.IndexByte(s, '~') < 0 && strings.IndexByte(s, '/') < 0 {
			d.path = append(d.path, s...)
		} else {
			d.path = append(d.path, item.Path{s}.String()[1:]...)
		}
	}
	if d.o.Ignore != nil {
		d.segs = append(d.segs, segs...)
	}
	return n
}

func (d *doc) pop(n, segs int) {
	d.path = d.path[:n]
	if d.o.Ignore != nil {
		d.segs = d.segs[:len(d.segs)-segs]
	}
}

// walk adds the atoms of node i, which stands at the present path.
func (d *doc) walk(i int32, r *rule, field string) {
	n := &d.tree.Nodes[i]
	if !r.container(n.Kind) {
		d.addValue(d.tree.Raw(i), i)
		return
	}
	path := string(d.path)
	d.containers[path] = spot{i, r, field}
	d.paths[i] = path
	d.members(i, r, field)
	kept := d.tree.Nodes[i].Len
	if field != "" {
		kept--
	}
	if kept == 0 && path != "" {
		d.add(item.Key{Path: path}, emptyOf(n.Kind), i)
	}
	d.comments(i)
}

func emptyOf(k jsonc.Kind) []byte {
	if k == jsonc.Array {
		return []byte("[]")
	}
	return []byte("{}")
}

// members walks what container i holds.
func (d *doc) members(i int32, r *rule, field string) {
	var order []int32
	first, repeats := len(d.atoms), len(d.inert)
	if r.object {
		d.duplicates(i, r)
	}
	var seen map[string]int32
	if r.list != nil {
		seen = map[string]int32{}
	}
	for c := d.tree.First(i); c != jsonc.None; c = d.tree.After(c) {
		if d.inert[c] {
			continue
		}
		if r.list == nil {
			seg := d.segment(i, c, r)
			if seg == field && field != "" {
				d.paths[c] = string(d.path) + item.Path{seg}.String()
				continue
			}
			n := d.push(seg)
			if d.o.Ignore != nil && d.o.Ignore(d.segs) {
				d.mask(c)
			} else {
				d.walk(c, r.member(seg), "")
				order = append(order, c)
			}
			d.pop(n, 1)
			continue
		}
		segs, f := r.list(d.tree, c)
		n := d.push(segs...)
		path := string(d.path)
		switch old, dup := seen[path]; {
		case d.o.Ignore != nil && d.o.Ignore(d.segs):
			d.mask(c)
		case dup:
			d.markInert(old, item.Key{Path: path})
			fallthrough
		default:
			seen[path] = c
			d.walk(c, elementRule(r, f), f)
			order = append(order, c)
		}
		d.pop(n, len(segs))
	}
	if r.list != nil && len(d.inert) > repeats {
		d.dropInert(i, first)
	}
	d.orders(i, r, order)
}

// elementRule is how a list's element is cut: one that no field names is a leaf.
func elementRule(r *rule, field string) *rule {
	if field == "" {
		return leaf
	}
	return r.rest
}

// key is member c's key, decoded; most are parts of the text as they are.
func (d *doc) key(c int32) string {
	n := &d.tree.Nodes[c]
	key := d.src[n.Key+1 : n.KeyEnd-1]
	for i := range len(key) {
		if key[i] == '\\' || key[i] >= utf8.RuneSelf {
			return d.tree.Key(c)
		}
	}
	return key
}

// segment is the path segment of member c of object i.
func (d *doc) segment(i, c int32, r *rule) string {
	key := d.key(c)
	if !r.langs || key == "" || key[0] != '[' {
		return key
	}
	seg := r.segment(key)
	if seg != key && d.blockThere(i, seg) {
		return key // both forms are there: each keeps its own
	}
	return seg
}

// blockThere says whether object i has a member whose key is seg as it is.
func (d *doc) blockThere(i int32, seg string) bool {
	if d.blocks == nil {
		d.blocks = map[string]bool{}
		for c := d.tree.First(i); c != jsonc.None; c = d.tree.After(c) {
			if key := d.key(c); key != "" && key[0] == '[' {
				d.blocks[key] = true
			}
		}
	}
	return d.blocks[seg]
}

// duplicates marks the members of object i that a later one of the same key undoes. It
// keeps a table of its own, open to half: a map costs more than all the rest.
func (d *doc) duplicates(i int32, r *rule) {
	n := d.tree.Nodes[i].Len
	if n < 2 {
		return
	}
	size := 4
	for size < 2*int(n) {
		size *= 2
	}
	type slot struct {
		hash uint32
		node int32 // plus one; 0 for none
	}
	table := make([]slot, size)
	for c := d.tree.First(i); c != jsonc.None; c = d.tree.After(c) {
		seg := d.segment(i, c, r)
		h := maphash.String(seed, seg)
		at := int(h>>32) & (size - 1)
		for ; table[at].node != 0; at = (at + 1) & (size - 1) {
			if table[at].hash == uint32(h) && d.segment(i, table[at].node-1, r) == seg {
				d.markInert(table[at].node-1, item.Key{Path: string(d.path) + item.Path{seg}.String()})
				break
			}
		}
		table[at] = slot{uint32(h), c + 1}
	}
}

// seed spreads keys over a table; no result depends on it.
var seed = maphash.MakeSeed()

// dropInert takes back the atoms, from the first-th on, of those elements of list i that
// later ones repeat.
func (d *doc) dropInert(i int32, first int) {
	var gone []int32 // their nodes, in order
	for c := d.tree.First(i); c != jsonc.None; c = d.tree.After(c) {
		if d.inert[c] {
			gone = append(gone, c)
		}
	}
	kept := d.atoms[:first]
	for _, a := range d.atoms[first:] {
		n, is := slices.BinarySearch(gone, a.node)
		if !is && (n == 0 || a.node >= d.tree.Nodes[gone[n-1]].Next) {
			kept = append(kept, a)
		}
	}
	d.atoms = kept
}

// maxRepeats is how many repetitions of one document are warned about.
const maxRepeats = 100

func (d *doc) markInert(c int32, k item.Key) {
	if d.inert == nil {
		d.inert = map[int32]bool{}
	}
	d.inert[c] = true
	if len(d.inert) > maxRepeats {
		return
	}
	line, _ := d.tree.Position(int(d.tree.Nodes[c].Start))
	d.warnings = append(d.warnings, Warning{k, DuplicateKey,
		Label(d.t, k) + " is there twice; the one in line " + itoa(line) + " has no effect"})
}

func (d *doc) mask(c int32) {
	if d.masked == nil {
		d.masked = map[int32]bool{}
	}
	d.masked[c] = true
}

// live says whether member c takes part: it is neither masked nor a duplicate.
func (d *doc) live(c int32) bool { return !d.inert[c] && !d.masked[c] }

// place is the path of member c of the container at path, which r cuts.
func (d *doc) place(i, c int32, r *rule, path string) string {
	if r.list != nil {
		segs, _ := r.list(d.tree, c)
		return path + item.Path(segs).String()
	}
	return path + item.Path{d.segment(i, c, r)}.String()
}

// comments adds the comments among container i's members.
func (d *doc) comments(i int32) {
	path := d.paths[i]
	r := d.containers[path].rule
	d.tree.Comments(i, func(c jsonc.Comment) {
		owner := path
		if c.Node != i {
			if !d.live(c.Node) {
				return
			}
			owner = d.place(i, c.Node, r, path)
		}
		d.add(slotKey(owner, c.Slot), []byte(c.Text), c.Node)
	})
}

// slotKey is the key of the comment atom of a slot.
func slotKey(path string, s jsonc.Slot) item.Key {
	switch s {
	case jsonc.Trail:
		return item.Key{Lane: item.LaneTrail, Path: path}
	case jsonc.Section:
		path += "//section"
	case jsonc.Header:
		path += "//header"
	case jsonc.Footer:
		path += "//footer"
	}
	return item.Key{Lane: item.LaneComment, Path: path}
}

var suffixes = []struct {
	suffix string
	slot   jsonc.Slot
}{{"//section", jsonc.Section}, {"//header", jsonc.Header}, {"//footer", jsonc.Footer}}

// slotOf is the slot that a comment's key means, and the path of its owner.
func slotOf(k item.Key) (path string, s jsonc.Slot) {
	if k.Lane == item.LaneTrail {
		return k.Path, jsonc.Trail
	}
	for _, e := range suffixes {
		if p, ok := strings.CutSuffix(k.Path, e.suffix); ok {
			return p, e.slot
		}
	}
	return k.Path, jsonc.Lead
}

// find gives the atom of key k, or nil.
func (d *doc) find(k item.Key) *atom {
	if i := d.at(k); i >= 0 {
		return &d.atoms[i]
	}
	return nil
}

// at is the number of the atom of key k, or -1.
func (d *doc) at(k item.Key) int32 {
	if d.index == nil {
		d.index = make(map[string]int32, len(d.atoms))
		d.rest = map[item.Key]int32{}
		for i := range d.atoms {
			if key := d.atoms[i].key; key.Lane == item.LaneValue {
				d.index[key.Path] = int32(i)
			} else {
				d.rest[key] = int32(i)
			}
		}
	}
	i, ok := int32(0), false
	if k.Lane == item.LaneValue {
		i, ok = d.index[k.Path]
	} else {
		i, ok = d.rest[k]
	}
	if !ok {
		return -1
	}
	return i
}
