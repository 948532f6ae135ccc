package merge

import (
	"slices"
	"strings"

	"plait/backend/item"
)

// Unit is the path of the smallest whole that an atom belongs to, which makes no sense
// in part: a task, an input, a server, a snippet; of a keybinding the rule. "" if the
// atom stands for itself.
//
// Where one side removed the whole and the other changed a part of it, the parts that
// nobody changed should stay or go with those that were.
func Unit(t item.Type, k item.Key) string {
	path := k.Path
	if k.Lane == item.LaneComment || k.Lane == item.LaneTrail {
		path, _ = slotOf(k)
	}
	n := 0
	switch t {
	case item.Keybindings:
		n = 4
	case item.Snippets:
		n = 1
	case item.Tasks:
		if strings.HasPrefix(path, "/tasks/") || strings.HasPrefix(path, "/inputs/") {
			n = 2
		}
	case item.MCP:
		if strings.HasPrefix(path, "/servers/") || strings.HasPrefix(path, "/inputs/") {
			n = 2
		}
	}
	end := 0
	for ; n > 0; n-- {
		i := strings.IndexByte(path[min(end+1, len(path)):], '/')
		if i < 0 {
			if n == 1 && end+1 < len(path)+1 {
				return path
			}
			return ""
		}
		end += 1 + i
	}
	return path[:end]
}

// has says whether the document has something at path or below.
func (d *doc) has(path string) bool {
	if _, ok := d.containers[path]; ok {
		return true
	}
	return d.find(item.Key{Path: path}) != nil
}

// units keeps wholes whole: what one side removed altogether and the other changed in
// part stays as local has it, and each change is a conflict.
func (m *merger) units() {
	if m.t == item.Settings || m.t == item.Keybindings || !m.known {
		return
	}
	parts := map[string][]item.Key{} // changed or conflicting atoms by unit
	for k := range m.changes {
		if u := Unit(m.t, k); u != "" {
			parts[u] = append(parts[u], k)
		}
	}
	for _, d := range m.result.Decisions {
		if u := Unit(m.t, d.Key); u != "" && d.Took == "local" {
			parts[u] = append(parts[u], d.Key)
		}
	}
	for _, c := range m.result.Conflicts {
		if u := Unit(m.t, c.Key); u != "" {
			parts[u] = append(parts[u], c.Key)
		}
	}
	for u, keys := range parts {
		if !m.base.has(u) || m.local.has(u) == m.remote.has(u) {
			continue
		}
		other := m.local
		if !m.local.has(u) {
			other = m.remote
		}
		if m.changedIn(u, keys, other) {
			m.hold(keys, other)
		}
	}
}

// changedIn says whether side changed a value of unit u.
func (m *merger) changedIn(u string, keys []item.Key, side *doc) bool {
	return slices.ContainsFunc(keys, func(k item.Key) bool {
		return k.Lane == item.LaneValue && !Same(m.t, k, m.base.value(k), side.value(k))
	})
}

// hold takes back what was decided about keys: values that side changed conflict, all
// else stays as local has it.
func (m *merger) hold(keys []item.Key, side *doc) {
	in := make(map[item.Key]bool, len(keys))
	for _, k := range keys {
		in[k] = true
	}
	m.forget(func(k item.Key) bool { return in[k] })
	for k := range in {
		b := m.base.value(k)
		if k.Lane == item.LaneValue && !Same(m.t, k, b, side.value(k)) {
			m.conflict(k, &b, m.local.value(k), m.remote.value(k))
		}
	}
}

// forget takes back changes, decisions and conflicts.
func (m *merger) forget(which func(item.Key) bool) {
	for k := range m.changes {
		if which(k) {
			delete(m.changes, k)
		}
	}
	m.result.Decisions = slices.DeleteFunc(m.result.Decisions, func(d Decision) bool { return which(d.Key) })
	m.result.Conflicts = slices.DeleteFunc(m.result.Conflicts, func(c Conflict) bool { return which(c.Key) })
}

// shapes finds values with members below them: one side made a value of what the other
// put members into. The whole is one conflict, unless the value is {} or [].
func (m *merger) shapes() {
	var at []string
	for k, v := range m.changes {
		if k.Lane != item.LaneValue || v.Kind == item.Absent {
			continue
		}
		for i, c := range k.Path {
			if c != '/' || i == 0 {
				continue
			}
			if up, ok := m.merged(item.Key{Path: k.Path[:i]}); ok && !Yields(m.t, k.Path[:i], up.Data) {
				at = append(at, k.Path[:i])
				break
			}
		}
		if _, ok := m.local.containers[k.Path]; ok && !Yields(m.t, k.Path, v.Data) && m.anyBelow(k.Path) {
			at = append(at, k.Path)
		}
	}
	for _, c := range m.result.Conflicts { // local's value stays, remote's members come
		if c.Key.Lane == item.LaneValue && c.Local == nil {
			if _, ok := m.local.containers[c.Key.Path]; ok && c.Remote != nil && !Yields(m.t, c.Key.Path, c.Remote.Data) {
				at = append(at, c.Key.Path)
			}
		}
		for i, ch := range c.Key.Path {
			if ch == '/' && i > 0 && c.Key.Lane == item.LaneValue {
				if up, ok := m.merged(item.Key{Path: c.Key.Path[:i]}); ok && !Yields(m.t, c.Key.Path[:i], up.Data) {
					at = append(at, c.Key.Path[:i])
					break
				}
			}
		}
	}
	slices.Sort(at)
	last := ""
	for _, path := range slices.Compact(at) {
		if last != "" && strings.HasPrefix(path, last+"/") {
			continue
		}
		last = path
		m.forget(func(k item.Key) bool { return k.Path == path || strings.HasPrefix(k.Path, path+"/") })
		k := item.Key{Path: path}
		b, l, r := m.base.subtree(path), m.local.subtree(path), m.remote.subtree(path)
		base := &b
		if !m.known {
			base = nil
		}
		m.conflict(k, base, l, r)
		c := &m.result.Conflicts[len(m.result.Conflicts)-1]
		c.Reason.Code = Shape
	}
}

// anyBelow says whether the result has values below path.
func (m *merger) anyBelow(path string) bool {
	if m.above == nil {
		m.above = map[string]bool{}
		for i := range m.local.atoms {
			k := m.local.atoms[i].key
			if k.Lane != item.LaneValue {
				continue
			}
			if _, ok := m.merged(k); ok {
				for at := strings.LastIndexByte(k.Path, '/'); at > 0 && !m.above[k.Path[:at]]; at = strings.LastIndexByte(k.Path[:at], '/') {
					m.above[k.Path[:at]] = true
				}
			}
		}
	}
	return m.above[path]
}

// subtree is the whole text of what stands at path.
func (d *doc) subtree(path string) item.Value {
	if s, ok := d.containers[path]; ok {
		return jsonValue(d.tree.Raw(s.node))
	}
	return d.value(item.Key{Path: path})
}

// rebound finds commands whose key both sides changed, to different ones: each
// removed the rule that base has and added another for the same command and when.
func (m *merger) rebound() {
	if m.t != item.Keybindings || !m.known {
		return
	}
	type use struct{ command, when, args string }
	news := func(d, other *doc) map[use][]item.Key {
		out := map[use][]item.Key{}
		for i := range d.atoms {
			if k := d.atoms[i].key; k.Lane == item.LaneValue && m.base.find(k) == nil && other.find(k) == nil {
				if p := k.Segments(); len(p) == 4 { // else the document is no list
					out[use{p[1], p[2], p[3]}] = append(out[use{p[1], p[2], p[3]}], k)
				}
			}
		}
		return out
	}
	locals, remotes := news(m.local, m.remote), news(m.remote, m.local)
	for i := range m.base.atoms {
		k := m.base.atoms[i].key
		if k.Lane != item.LaneValue || m.local.find(k) != nil || m.remote.find(k) != nil {
			continue
		}
		p := k.Segments()
		if len(p) != 4 {
			continue
		}
		u := use{p[1], p[2], p[3]}
		if len(locals[u]) != 1 || len(remotes[u]) != 1 {
			continue
		}
		lk, rk := locals[u][0], remotes[u][0]
		delete(locals, u)
		m.forget(func(k item.Key) bool { return k == lk || k == rk })
		b := m.base.value(k)
		m.conflict(k, &b, m.local.value(lk), m.remote.value(rk)) // named by the rule that both gave up
		c := &m.result.Conflicts[len(m.result.Conflicts)-1]
		c.Reason = Reason{Rebound, map[string]string{"from": p[0], "local": lk.Segments()[0], "remote": rk.Segments()[0]}}
	}
}

// orphans says of changed comments that their key is gone from the result.
func (m *merger) orphans() {
	for i := range m.result.Decisions {
		d := &m.result.Decisions[i]
		if d.Key.Lane != item.LaneComment && d.Key.Lane != item.LaneTrail {
			continue
		}
		if _, ok := m.merged(d.Key); !ok {
			continue
		}
		owner, _ := slotOf(d.Key)
		if _, container := m.local.containers[owner]; container || owner == "" {
			continue
		}
		if _, ok := m.merged(item.Key{Path: owner}); !ok {
			if _, container := m.remote.containers[owner]; !container {
				d.Reason.Code = CommentGone
			}
		}
	}
}
