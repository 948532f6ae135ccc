package jsonc

import "errors"

// ErrNoSuchPlace is what editing below a value that holds no members gives.
var ErrNoSuchPlace = errors.New("no such place in the document")

// Set gives the member that keys lead to the value raw, and adds it, with the
// objects on the way, if it is missing. Without keys raw becomes the whole value.
func Set(src []byte, raw []byte, l Layout, keys ...string) ([]byte, error) {
	t, err := sound(src)
	if err != nil {
		return nil, err
	}
	p := NewPatch(t, l)
	i := t.Root()
	for n, k := range keys {
		if i != None && t.Nodes[i].Kind != Object {
			return nil, ErrNoSuchPlace
		}
		next := t.Member(i, k)
		if next == None {
			m := nest(raw, keys[n:])
			if i == None {
				p.SetRoot(&Member{Kind: Object, Members: []*Member{m}})
			} else {
				p.SetSequence(i, append(places(t.Children(i)), Place{Node: None, New: m}))
			}
			return p.Bytes(), nil
		}
		i = next
	}
	if i == None {
		p.SetRoot(&Member{Value: raw})
	} else {
		p.SetValue(i, raw)
	}
	return p.Bytes(), nil
}

// Remove takes away the member that keys lead to, with the comments it owns; the
// headings of sections before it stay. One that is not there is no error.
func Remove(src []byte, l Layout, keys ...string) ([]byte, error) {
	t, err := sound(src)
	if err != nil {
		return nil, err
	}
	i := t.Find(keys...)
	if i == None || len(keys) == 0 {
		return src, nil
	}
	up, key := t.Nodes[i].Parent, t.Key(i)
	p := NewPatch(t, l)
	var seq []Place
	for _, c := range t.Children(up) {
		if t.Key(c) == key {
			p.KeepSection(c) // earlier duplicates go too, or the key would come back
			continue
		}
		seq = append(seq, Place{Node: c})
	}
	p.SetSequence(up, seq)
	return p.Bytes(), nil
}

// nest is raw under keys, one object a key.
func nest(raw []byte, keys []string) *Member {
	m := &Member{Key: Quote(keys[len(keys)-1]), Value: raw}
	for n := len(keys) - 2; n >= 0; n-- {
		m = &Member{Key: Quote(keys[n]), Kind: Object, Members: []*Member{m}}
	}
	return m
}

func places(nodes []int32) []Place {
	ps := make([]Place, len(nodes), len(nodes)+1)
	for i, n := range nodes {
		ps[i].Node = n
	}
	return ps
}

// sound parses src and refuses text with errors: there an edit could land anywhere.
func sound(src []byte) (*Tree, error) {
	t, err := Parse(src)
	if err != nil {
		return nil, err
	}
	if len(t.Errors) > 0 {
		return nil, errors.New(t.Errors[0].Msg)
	}
	return t, nil
}
