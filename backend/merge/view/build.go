package view

import (
	"bytes"
	"errors"
	"fmt"

	"plait/backend/item"
	"plait/backend/merge"
	"plait/backend/merge/jsonc"
	"plait/backend/merge/text"
)

// Build prepares a merge. JSON documents that can all be read are cut at their
// atoms; others at their lines. It fails only for documents that are too large or
// too deep to be read at all.
func Build(in Input) (*Plan, error) {
	p := &Plan{Type: in.Type, options: in.Options, byID: map[string]int{}}
	versions := [3][]byte{in.Base, in.Local, in.Remote}
	readable := true
	var docs [3]merge.Doc
	for i, doc := range versions {
		p.Sides[i] = describe(doc, i != Base || doc != nil)
		var err error
		if docs[i], err = merge.Atomize(in.Type, doc, in.Options); err != nil {
			var broken *merge.SyntaxError
			if !errors.As(err, &broken) {
				return nil, fmt.Errorf("reading %s: %w", sideNames[i], err)
			}
			readable = false
			p.Sides[i].Errors = append(p.Sides[i].Errors,
				Diag{Kind: "syntax", Message: broken.Msg, Line: broken.Line, Column: broken.Column})
		}
	}
	if !readable || !isJSON(in.Type) {
		p.byLines(versions, readable)
		p.index()
		return p, nil
	}
	p.json = true
	if in.Merged == nil {
		r, err := merge.Three(in.Type, in.Base, in.Local, in.Remote, in.Options)
		if err != nil {
			return nil, fmt.Errorf("merging: %w", err)
		}
		in.Merged, in.Conflicts, in.Decisions, in.Warnings = r.Text, r.Conflicts, r.Decisions, r.Warnings
	}
	merged, err := merge.Atomize(in.Type, in.Merged, in.Options)
	if err != nil {
		return nil, fmt.Errorf("reading the merged text: %w", err)
	}
	for _, w := range in.Warnings {
		p.Diags = append(p.Diags, Diag{Kind: w.Kind, Message: w.Message, Path: w.Key.Segments()})
	}
	b := &builder{Plan: p, in: in, docs: docs, versions: versions, merged: merged}
	b.gather()
	if !b.byMembers() {
		b.asWhole()
	}
	p.index()
	return p, nil
}

var sideNames = [3]string{"base", "local", "remote"}

// isJSON says whether documents of type t are JSON, and so have more than the one
// atom that stands for all of a text.
func isJSON(t item.Type) bool {
	switch t {
	case item.Settings, item.Keybindings, item.Snippets, item.Tasks, item.MCP, item.Policy:
		return true
	}
	return false
}

func describe(doc []byte, known bool) Side {
	s := Side{Bytes: doc, Known: known, BOM: bytes.HasPrefix(doc, []byte("\xef\xbb\xbf"))}
	s.Lines = bytes.Count(doc, []byte{'\n'})
	pairs := bytes.Count(doc, []byte("\r\n"))
	switch {
	case s.Lines == 0:
	case pairs == 0:
		s.EOL = "\n"
	case pairs == s.Lines:
		s.EOL = "\r\n"
	default:
		s.EOL = "mixed"
	}
	if n := len(doc); n > 0 && doc[n-1] != '\n' {
		s.Lines++
	}
	return s
}

// index numbers what was built: chunks by id, slots by chunk, kinds by count.
func (p *Plan) index() {
	for i := range p.Chunks {
		c := &p.Chunks[i]
		id := c.ID
		for n := 2; ; n++ { // the same change in several places: told apart by their order
			if _, taken := p.byID[c.ID]; !taken {
				break
			}
			c.ID = fmt.Sprintf("%s-%d", id, n)
		}
		p.byID[c.ID] = i
		if c.Slot >= 0 {
			p.Slots[c.Slot].Chunks = append(p.Slots[c.Slot].Chunks, i)
		}
		switch c.Kind {
		case text.Unchanged:
			p.Stats.Unchanged++
		case text.Local:
			p.Stats.Local++
		case text.Remote:
			p.Stats.Remote++
		case text.Both:
			p.Stats.Both++
		case text.Conflict:
			p.Stats.Conflicts++
		}
	}
}

// preview is how much of a value options and chunks show.
const preview = 200

func shorten(s []byte) (string, bool) {
	if len(s) <= preview {
		return string(s), false
	}
	return string(bytes.ToValidUTF8(s[:preview], nil)), true
}

// validity lists what is wrong with a JSON document.
func validity(doc []byte) []Diag {
	t, err := jsonc.Parse(doc)
	if err != nil {
		return []Diag{{Kind: "syntax", Message: err.Error()}}
	}
	var ds []Diag
	for _, e := range t.Errors {
		line, column := t.Position(e.Offset)
		ds = append(ds, Diag{Kind: "syntax", Message: e.Msg, Line: line, Column: column})
	}
	return ds
}
