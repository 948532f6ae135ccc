package text

// Text is the merged text. Where sides conflict it holds local's lines.
func (r Result) Text() []byte {
	if r.isWhole {
		return r.whole
	}
	out := make([]byte, 0, max(len(r.local.bytes), len(r.remote.bytes)))
	for _, c := range r.Chunks {
		out = r.appendChunk(out, c)
	}
	return out
}

func (r *Result) appendChunk(out []byte, c Chunk) []byte {
	if c.Kind == Remote {
		return r.remote.write(out, c.Remote.Line, c.Remote.LineEnd, r.eol)
	}
	return r.local.write(out, c.Local.Line, c.Local.LineEnd, r.eol)
}

// Part is what stands for a chunk if a side is chosen: 0 base, 1 local, 2 remote.
// Its lines end as the merged text's do.
func (r Result) Part(c Chunk, side int) []byte {
	v, at := &r.base, c.Base
	switch side {
	case 1:
		v, at = &r.local, c.Local
	case 2:
		v, at = &r.remote, c.Remote
	}
	return v.write(nil, at.Line, at.LineEnd, r.eol)
}

// Markers is the merged text, each conflict between marker lines with all three
// versions, as of `git merge-file --diff3`: one conflict for each region. labels
// name base, local and remote.
func (r Result) Markers(labels [3]string) []byte {
	var out []byte
	for i := 0; i < len(r.Chunks); {
		c := r.Chunks[i]
		if c.Region == 0 {
			out = r.appendChunk(out, c)
			i++
			continue
		}
		whole := c
		for ; i < len(r.Chunks) && r.Chunks[i].Region == c.Region; i++ {
			e := r.Chunks[i]
			whole.Base.LineEnd, whole.Local.LineEnd, whole.Remote.LineEnd = e.Base.LineEnd, e.Local.LineEnd, e.Remote.LineEnd
		}
		end := "\n"
		if r.pairedAt(whole) {
			end = "\r\n"
		}
		out = marker(out, "<<<<<<<", labels[1], end)
		out = ended(r.local.write(out, whole.Local.Line, whole.Local.LineEnd, r.eol), end)
		out = marker(out, "|||||||", labels[0], end)
		out = ended(r.base.write(out, whole.Base.Line, whole.Base.LineEnd, r.eol), end)
		out = marker(out, "=======", "", end)
		out = ended(r.remote.write(out, whole.Remote.Line, whole.Remote.LineEnd, r.eol), end)
		out = marker(out, ">>>>>>>", labels[2], end)
	}
	return out
}

func marker(out []byte, mark, label, end string) []byte {
	out = append(out, mark...)
	if label != "" {
		out = append(append(out, ' '), label...)
	}
	return append(out, end...)
}

// ended ends the last line, so that a marker starts its own.
func ended(out []byte, end string) []byte {
	if n := len(out); n > 0 && out[n-1] != '\n' {
		out = append(out, end...)
	}
	return out
}

// pairedAt says whether markers at a conflict end with CR LF: as the line before
// it on both sides does, or else the first, and base's first.
func (r *Result) pairedAt(c Chunk) bool {
	if r.eol != asIs {
		return r.eol == crlf
	}
	known := false
	for _, at := range []struct {
		v    *version
		line int
	}{{&r.local, c.Local.Line - 1}, {&r.remote, c.Remote.Line - 1}, {&r.base, 0}} {
		switch i := max(at.line, 0); at.v.endOf(i) {
		case lf:
			return false
		case crlf:
			known = true
		}
	}
	return known
}

// endOf is how line i ends, or if it lacks its end, the line before.
func (v *version) endOf(i int) style {
	for ; i >= 0 && i < len(v.ends); i-- {
		l := v.line(i)
		n := len(l)
		switch {
		case l[n-1] != '\n':
		case n > 1 && l[n-2] == '\r':
			return crlf
		default:
			return lf
		}
	}
	return asIs
}
