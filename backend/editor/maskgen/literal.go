package main

import (
	"errors"
	"strings"
)

// Object literals of a minified bundle, found without parsing the language: brackets are
// counted, strings and templates passed over. Regular expressions would need a parser, but
// registrations hold them only as strings.

// reach is how far from a mark its object's start may be.
const reach = 64 << 10

var errBrackets = errors.New("brackets do not match")

// object is the innermost object literal around a place: its braces.
func object(js string, at int) (start, end int, err error) {
	depth := 0
	for i := at - 1; i >= 0 && i > at-reach; i-- {
		switch c := js[i]; c {
		case '"', '\'', '`':
			if i = opening(js, i); i < 0 {
				return 0, 0, errBrackets
			}
		case '}', ')', ']':
			depth++
		case '{', '(', '[':
			if depth > 0 {
				depth--
				continue
			}
			if c != '{' {
				return 0, 0, errBrackets
			}
			end, err = closing(js, i)
			return i, end, err
		}
	}
	return 0, 0, errBrackets
}

// opening is the quote that a closing one at i answers.
func opening(js string, i int) int {
	quote := js[i]
	for i--; i >= 0; i-- {
		if js[i] != quote {
			continue
		}
		slashes := 0
		for j := i - 1; j >= 0 && js[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
	return -1
}

// closing is the bracket that answers the one at start.
func closing(js string, start int) (int, error) {
	depth := 0
	for i := start; i < len(js); i++ {
		switch js[i] {
		case '"', '\'', '`':
			i = after(js, i) - 1
		case '{', '(', '[':
			depth++
		case '}', ')', ']':
			if depth--; depth == 0 {
				return i, nil
			}
		}
	}
	return 0, errBrackets
}

// after is the place behind the string that begins at i.
func after(js string, i int) int {
	quote := js[i]
	for i++; i < len(js); i++ {
		if js[i] == '\\' {
			i++
		} else if js[i] == quote {
			return i + 1
		}
	}
	return len(js)
}

// A member of an object literal: its key as written, and its value.
type member struct {
	key        string
	start, end int
}

// members are those of the literal between two braces. Spread ones, methods and shorthands
// are left out.
func members(js string, start, end int) []member {
	var all []member
	for i := start + 1; i < end; {
		m := member{start: -1}
		from, depth := i, 0
	value:
		for ; i < end; i++ {
			switch c := js[i]; {
			case c == '"' || c == '\'' || c == '`':
				i = after(js, i) - 1
			case c == '{' || c == '(' || c == '[':
				depth++
			case c == '}' || c == ')' || c == ']':
				depth--
			case c == ':' && depth == 0 && m.start < 0:
				m.key, m.start = js[from:i], i+1
			case c == ',' && depth == 0:
				break value
			}
		}
		if m.end = i; m.start >= 0 && !strings.HasPrefix(m.key, "...") {
			all = append(all, m)
		}
		i++
	}
	return all
}
