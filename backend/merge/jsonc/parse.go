package jsonc

import "bytes"

// Parse takes a document apart. It fails only with ErrTooDeep and ErrTooLarge;
// what is wrong with the text itself is in Tree.Errors.
func Parse(src []byte) (*Tree, error) {
	if len(src) > MaxSize {
		return nil, ErrTooLarge
	}
	p := parser{t: &Tree{Src: src}, s: src, cur: None}
	p.t.Nodes = make([]Node, 0, len(src)/24+4)
	if bytes.HasPrefix(src, bom) {
		p.i = len(bom)
	}
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.t, nil
}

type parser struct {
	t     *Tree
	s     []byte
	i     int
	cur   int32 // the container that is open, or None
	last  int32 // cur's newest child, or None
	depth int
}

func (p *parser) fail(at int, msg string) {
	if len(p.t.Errors) < maxErrors {
		p.t.Errors = append(p.t.Errors, Error{at, msg})
	}
}

// skip passes white space and comments.
func (p *parser) skip() {
	s := p.s
	for i := p.i; ; i++ {
		if i >= len(s) {
			p.i = i
			return
		}
		switch s[i] {
		case ' ', '\t', '\n', '\r':
			continue
		case '/':
			p.i = i
			end := commentEnd(s, i)
			switch {
			case end == i:
				return // a slash that starts no comment: the caller complains
			case end < 0:
				p.fail(i, "comment without an end")
				p.i = len(s)
				return
			}
			i = end - 1
			continue
		}
		p.i = i
		return
	}
}

// commentEnd is where the comment that starts at i ends (for // before the line's
// end); i if none starts there, -1 if it has no end.
func commentEnd(s []byte, i int) int {
	if i+1 >= len(s) {
		return i
	}
	switch s[i+1] {
	case '/':
		for j := i + 2; j < len(s); j++ {
			if s[j] == '\n' || s[j] == '\r' {
				return j
			}
		}
		return len(s)
	case '*':
		j := bytes.Index(s[i+2:], []byte("*/"))
		if j < 0 {
			return -1
		}
		return i + 2 + j + 2
	}
	return i
}

func (p *parser) document() error {
	p.last = None
	p.skip()
	if p.i >= len(p.s) {
		return nil
	}
	if err := p.value(-1, -1); err != nil {
		return err
	}
	for p.cur != None {
		if err := p.next(); err != nil {
			return err
		}
	}
	p.skip()
	if p.i < len(p.s) {
		p.fail(p.i, "text after the end of the document")
	}
	return nil
}

// next reads one member, element, comma or closing bracket of the open container.
func (p *parser) next() error {
	p.skip()
	object := p.t.Nodes[p.cur].Kind == Object
	if p.i >= len(p.s) {
		p.fail(p.i, "a closing bracket is missing")
		p.close(p.i)
		return nil
	}
	switch c := p.s[p.i]; {
	case c == '}' && object, c == ']' && !object:
		p.i++
		p.close(p.i)
		return nil
	case c == '}' || c == ']':
		p.fail(p.i, "the wrong closing bracket")
		if up := p.t.Nodes[p.cur].Parent; up != None && (p.t.Nodes[up].Kind == Object) == (c == '}') {
			p.close(p.i) // the outer one is meant: this one was never closed
		} else {
			p.i++
		}
		return nil
	case c == ',':
		if p.last == None || p.t.Nodes[p.last].Comma >= 0 {
			p.fail(p.i, "a comma without a value before it")
		} else {
			p.t.Nodes[p.last].Comma = int32(p.i)
		}
		p.i++
		return nil
	}
	if p.last != None && p.t.Nodes[p.last].Comma < 0 {
		p.fail(p.i, "a comma is missing")
	}
	if !object {
		return p.value(-1, -1)
	}
	if p.s[p.i] != '"' {
		p.fail(p.i, "a key in double quotes is missing")
		p.junk()
		return nil
	}
	key := p.i
	p.str()
	keyEnd := p.i
	p.skip()
	if p.i < len(p.s) && p.s[p.i] == ':' {
		p.i++
		p.skip()
	} else {
		p.fail(p.i, "a colon is missing")
	}
	return p.value(int32(key), int32(keyEnd))
}

// junk passes what can't stand where it does: a word, a string, or one byte.
func (p *parser) junk() {
	if p.s[p.i] == '"' {
		p.str()
		return
	}
	start := p.i
	for p.i < len(p.s) && !delimiter[p.s[p.i]] {
		p.i++
	}
	if p.i == start {
		p.i++
	}
}

// delimiter says which bytes end a number or a word.
var delimiter = func() (d [256]bool) {
	for _, c := range " \t\r\n,:[]{}\"/" {
		d[c] = true
	}
	return d
}()

// close ends the open container at end.
func (p *parser) close(end int) {
	n := &p.t.Nodes[p.cur]
	n.End, n.Next = int32(end), int32(len(p.t.Nodes))
	p.last, p.cur = p.cur, n.Parent
	p.depth--
}

// value reads one value; of a container it reads the opening bracket, and leaves
// it open.
func (p *parser) value(key, keyEnd int32) error {
	at := int32(len(p.t.Nodes))
	n := Node{Start: int32(p.i), Key: key, KeyEnd: keyEnd, Comma: -1, Parent: p.cur, Next: at + 1}
	if p.cur != None {
		p.t.Nodes[p.cur].Len++
	}
	if p.i >= len(p.s) {
		p.fail(p.i, "a value is missing")
		n.End = n.Start
		p.add(n, at)
		return nil
	}
	switch c := p.s[p.i]; c {
	case '{', '[':
		if p.depth++; p.depth > maxDepth {
			return ErrTooDeep
		}
		n.Kind = Object
		if c == '[' {
			n.Kind = Array
		}
		p.i++
		p.t.Nodes = append(p.t.Nodes, n)
		p.cur, p.last = at, None
		return nil
	case '"':
		n.Kind = String
		p.str()
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		n.Kind = Number
		p.number()
	case ',', '}', ']', ':':
		p.fail(p.i, "a value is missing")
		if c == ':' {
			p.i++
		}
	default:
		n.Kind = p.word()
	}
	n.End = int32(p.i)
	p.add(n, at)
	return nil
}

func (p *parser) add(n Node, at int32) {
	p.t.Nodes = append(p.t.Nodes, n)
	p.last = at
}

func (p *parser) word() Kind {
	start := p.i
	p.junk()
	switch string(p.s[start:p.i]) {
	case "true":
		return True
	case "false":
		return False
	case "null":
		return Null
	}
	p.fail(start, "not a value")
	return Invalid
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (p *parser) number() {
	s, start, i := p.s, p.i, p.i
	digits := func() bool {
		from := i
		for i < len(s) && s[i]-'0' <= 9 {
			i++
		}
		return i > from
	}
	ok := true
	if s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else {
		ok = digits()
	}
	if ok && i < len(s) && s[i] == '.' {
		i++
		ok = digits()
	}
	if ok && i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		ok = digits()
	}
	if !ok || i < len(s) && !delimiter[s[i]] {
		p.fail(start, "not a number")
		for i < len(s) && !delimiter[s[i]] {
			i++
		}
	}
	p.i = i
}

// plain says which bytes of a string need no second look.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x20 && c != '"' && c != '\\'
	}
	return t
}()

// str reads the string that starts at p.i. One without an end stops at the line's.
func (p *parser) str() {
	s, start := p.s, p.i
	for i := p.i + 1; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		switch {
		case c == '"':
			p.i = i + 1
			return
		case c == '\n' || c == '\r':
			p.fail(start, "a string without an end")
			p.i = i
			return
		case c < 0x20:
			p.fail(i, "a control character in a string")
			i++
		default:
			n := escape(s[i:])
			if n == 0 {
				p.fail(i, "an escape that JSON does not know")
				n = 1
				if i+1 < len(s) && s[i+1] != '\n' && s[i+1] != '\r' {
					n = 2
				}
			}
			i += n
		}
	}
	p.fail(start, "a string without an end")
	p.i = len(s)
}

// escape is the length of the escape sequence that s starts with, 0 if it is none.
func escape(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(s) < 6 {
			return 0
		}
		for _, c := range s[2:6] {
			if hexValue(c) < 0 {
				return 0
			}
		}
		return 6
	}
	return 0
}

func hexValue(c byte) rune {
	switch {
	case c-'0' <= 9:
		return rune(c - '0')
	case c-'a' <= 5:
		return rune(c-'a') + 10
	case c-'A' <= 5:
		return rune(c-'A') + 10
	}
	return -1
}
