package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"plait/backend/item"
	"plait/backend/keyring"
	"plait/backend/localdb"
	"plait/backend/merge"
	"plait/backend/state"
	"plait/backend/store"
	"plait/backend/store/driver"
)

// What a person would report, one text file each in testdata/scenarios. A line is a
// device, what happens there or is expected, and its arguments; texts are Go strings,
// segments of a key are joined by ">". A device's second editor is DEVICE/other. The
// verbs are in scenarioVerbs; these stand without a device:
//
//	devices A B …    found the vault on A, and pair the others
//	guest X          pair a device that may not change what runs elsewhere
//	sync A B …       each in turn; nothing at all may be wrong
//	both KEY VALUE   every device's settings say so; "-" is: has it not
//	quiet            nothing is left to do: a round is one request, and writes nothing

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			s := &scenario{world: newWorld(t, 1), t: t, versions: map[string]Past{}, backups: map[string]*localdb.Memory{}}
			for i, line := range strings.Split(string(raw), "\n") {
				s.at = fmt.Sprintf("%s:%d: %s", filepath.Base(f), i+1, line)
				if line, _, _ = strings.Cut(line, "# "); strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
					s.run(words(t, line))
				}
			}
		})
	}
}

type scenario struct {
	*world
	t        *testing.T
	at       string
	versions map[string]Past
	backups  map[string]*localdb.Memory
}

// words splits a line; what is in double quotes is a Go string.
func words(t *testing.T, line string) (ws []string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		end := strings.IndexByte(line, ' ')
		if end < 0 {
			end = len(line)
		}
		if line[0] == '"' {
			q, err := strconv.QuotedPrefix(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			u, err := strconv.Unquote(q)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			ws, line = append(ws, u), line[len(q):]
			continue
		}
		ws, line = append(ws, line[:end]), line[end:]
	}
	return ws
}

func (s *scenario) fatalf(format string, a ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n\t%s", s.at, fmt.Sprintf(format, a...))
}

func (s *scenario) dev(name string) *device {
	name, _, _ = strings.Cut(name, "/")
	for _, d := range s.devices {
		if d.name == name {
			return d
		}
	}
	s.fatalf("no device %s", name)
	return nil
}

func (s *scenario) run(ws []string) {
	switch ws[0] {
	case "devices":
		for _, n := range ws[1:] {
			s.add(n)
		}
	case "guest":
		d := s.machine(ws[1])
		s.admit(d, false)
		s.devices = append(s.devices, d)
	case "sync":
		for _, n := range ws[1:] {
			s.wants(s.dev(n).turn(RoundOptions{}))
		}
	case "both":
		for _, d := range s.devices {
			s.has(d, d.sources[0], ws[1], ws[2])
		}
	case "quiet":
		for _, d := range s.devices { // once more, until what was just written is old enough to trust its stamp
			if r := s.wants(d.turn(RoundOptions{})); r.Usage.RequestsUp != 0 || r.Applied != 0 {
				s.fatalf("%s is not quiet: %s", d.name, told(r, nil))
			}
		}
		for _, d := range s.devices {
			points := d.db.Points()
			r := s.wants(d.turn(RoundOptions{}))
			if r.Usage.RequestsDown != 1 || r.Usage.RequestsUp != 0 || d.db.Points() != points {
				s.fatalf("%s is not quiet: %+v, %d transactions", d.name, r.Usage, (d.db.Points()-points)/2)
			}
		}
	default:
		if len(ws) < 2 || scenarioVerbs[ws[1]] == nil {
			s.fatalf("no such verb")
		}
		d := s.dev(ws[0])
		src := d.sources[0]
		if strings.HasSuffix(ws[0], "/other") {
			src = d.sources[2]
		}
		s.tick(5 * time.Second)
		scenarioVerbs[ws[1]](s, d, src, ws[2:])
	}
}

func (d *device) turn(o RoundOptions) *Round {
	d.w.tick(5 * time.Second)
	r, err := d.sync(o)
	d.w.must(err)
	return r
}

// wants is a round in which nothing may be wrong.
func (s *scenario) wants(r *Round) *Round {
	if r.Offline != nil || len(r.Bad) > 0 || r.Caught != nil || len(r.Waiting) > 0 {
		s.fatalf("%s", told(r, nil))
	}
	return r
}

func keyPath(key string) item.Key {
	return item.Key{Path: item.Path(strings.Split(key, ">")).String()}
}

// place is where a file of a source lies, and which item it is.
func (s *scenario) place(d *device, src Source, name string) (string, item.Name) {
	if rel, is := strings.CutPrefix(name, "notes/"); is {
		return d.sources[1].Root() + "/" + rel, fileItem(rel)
	}
	n := item.NewName("default", item.Type(strings.TrimSuffix(name, ".json")), "", "")
	if dir, file, ok := strings.Cut(name, "/"); ok {
		n = item.NewName("default", item.Type(dir), "", file)
	}
	if name == "keybindings.json" {
		n = "default/keybindings/linux"
	}
	p, ok, err := src.Locate(n)
	if err != nil || !ok {
		s.fatalf("%s has no place", name)
	}
	return p, n
}

// set changes one value of a settings file, as an editor does.
func (s *scenario) set(d *device, src Source, key string, value []byte) {
	p, n := s.place(d, src, "settings.json")
	raw, _ := d.fs.Content(p)
	doc, err := merge.Atomize(item.Settings, raw, merge.Options{Platform: "linux"})
	s.must(err)
	want := doc.Atoms
	if want == nil {
		want = map[item.Key]item.Value{}
	}
	delete(want, keyPath(key))
	if value != nil {
		want[keyPath(key)] = item.Value{Kind: item.JSON, Data: value}
	}
	out, err := merge.Render(n.Type(), raw, want, merge.Options{Platform: "linux"})
	s.must(err)
	d.fs.SaveByRename(p, out)
}

func (s *scenario) has(d *device, src Source, key, want string) {
	p, _ := s.place(d, src, "settings.json")
	raw, _ := d.fs.Content(p)
	doc, err := merge.Atomize(item.Settings, raw, merge.Options{Platform: "linux"})
	s.must(err)
	got := "-"
	if v, on := doc.Atoms[keyPath(key)]; on {
		got = string(v.Data)
	}
	if got != want {
		s.fatalf("%s has %s %s, want %s, in\n%s", d.name, key, got, want, raw)
	}
}

func (s *scenario) conflicts(d *device) []OpenConflict {
	cs, err := d.e.Conflicts(context.Background(), "")
	s.must(err)
	return cs
}

// conflict is the one open conflict about a key or an item.
func (s *scenario) conflict(d *device, about string) OpenConflict {
	var labels []string
	for _, c := range s.conflicts(d) {
		if c.Key.Lane == item.LaneValue && (c.Key == keyPath(about) || string(c.Item) == about) {
			return c
		}
		labels = append(labels, string(c.Item)+" "+c.Label)
	}
	s.fatalf("%s does not ask about %s, but about %q", d.name, about, labels)
	return OpenConflict{}
}

var scenarioVerbs map[string]func(*scenario, *device, Source, []string)

func init() {
	ctx := context.Background()
	scenarioVerbs = map[string]func(*scenario, *device, Source, []string){
		"set":   func(s *scenario, d *device, src Source, a []string) { s.set(d, src, a[0], []byte(a[1])) },
		"unset": func(s *scenario, d *device, src Source, a []string) { s.set(d, src, a[0], nil) },
		"has":   func(s *scenario, d *device, src Source, a []string) { s.has(d, src, a[0], a[1]) },
		"save": func(s *scenario, d *device, src Source, a []string) {
			p, _ := s.place(d, src, a[0])
			d.fs.WriteFile(p, []byte(a[1]))
		},
		"remove": func(s *scenario, d *device, src Source, a []string) {
			p, _ := s.place(d, src, a[0])
			d.fs.RemoveAll(p)
		},
		"rename": func(s *scenario, d *device, src Source, a []string) {
			from, _ := s.place(d, src, a[0])
			to, _ := s.place(d, src, a[1])
			d.fs.Move(from, to)
		},
		"file": func(s *scenario, d *device, src Source, a []string) {
			p, _ := s.place(d, src, a[0])
			raw, have := d.fs.Content(p)
			if got := string(raw); have != (a[1] != "-") || have && got != a[1] {
				s.fatalf("%s has\n%s", d.name, got)
			}
		},
		"contains": func(s *scenario, d *device, src Source, a []string) {
			p, _ := s.place(d, src, a[0])
			if raw, _ := d.fs.Content(p); !strings.Contains(string(raw), a[1]) {
				s.fatalf("%s has\n%s", d.name, raw)
			}
		},
		"other": func(s *scenario, d *device, _ Source, _ []string) { // a second editor, in the same collection
			d.fs.Mkdir("/" + d.name + "/Other")
			d.sources = append(d.sources, &userDir{id: "other", root: "/" + d.name + "/Other", collection: "default"})
			s.must(d.e.SetSources(d.sources))
			s.must(d.e.Attached("default"))
		},
		"ask": func(s *scenario, d *device, _ Source, a []string) {
			c := s.conflict(d, a[0])
			if len(a) > 1 && string(c.Local.Value.Data) != a[1] {
				s.fatalf("its own side is %s", c.Local.Value.Data)
			}
			if len(a) > 2 && string(c.Remote.Value.Data) != a[2] {
				s.fatalf("the other side is %s", c.Remote.Value.Data)
			}
		},
		"asks": func(s *scenario, d *device, _ Source, a []string) {
			if cs := s.conflicts(d); strconv.Itoa(len(cs)) != a[0] {
				s.fatalf("%s asks about %+v", d.name, cs)
			}
		},
		"resolve": func(s *scenario, d *device, _ Source, a []string) {
			c := s.conflict(d, a[0])
			side := c.Local
			if a[1] == "remote" {
				side = c.Remote
			}
			ws, err := d.e.Choose(ctx, &c, Choice{Side: c.Side(side)})
			s.must(err)
			s.must(d.e.Decide(ws, "resolved"))
			done, err := d.e.ApplyNow(ctx)
			s.must(err)
			if !done {
				s.fatalf("not everything could be written")
			}
		},
		"strategy": func(s *scenario, d *device, _ Source, a []string) {
			s.must(d.e.SetStrategy(a[0], state.Strategy(a[1])))
		},
		"overlay": func(s *scenario, d *device, _ Source, a []string) {
			found, err := d.e.Overlay("default/settings", strings.Split(a[0], ">"), a[1])
			s.must(err)
			if !found {
				s.fatalf("no such key")
			}
		},
		"mask": func(s *scenario, d *device, src Source, a []string) {
			u := src.(*userDir)
			u.ignore, u.print = nil, [8]byte{}
			if a[0] != "-" {
				u.ignore, u.print = func(p item.Path) bool { return p[0] == a[0] }, [8]byte{1}
			}
		},
		"approve": func(s *scenario, d *device, _ Source, a []string) {
			n, err := d.e.Approve(item.Name(a[0]))
			s.must(err)
			if strconv.Itoa(n) != a[1] {
				s.fatalf("%d parts waited", n)
			}
		},
		"caught": func(s *scenario, d *device, _ Source, a []string) {
			if r := d.turn(RoundOptions{}); r.Caught == nil || string(r.Caught.What.Why) != a[0] {
				s.fatalf("%s", told(r, nil))
			}
		},
		"accepts": func(s *scenario, d *device, _ Source, _ []string) {
			s.wants(d.turn(RoundOptions{AcceptRemovals: true}))
		},
		"waits": func(s *scenario, d *device, _ Source, a []string) {
			r := d.turn(RoundOptions{})
			if len(r.Waiting) == 0 || string(r.Waiting[0].Item) != a[0] || r.Waiting[0].Code != a[1] {
				s.fatalf("%s", told(r, nil))
			}
		},
		"warned": func(s *scenario, d *device, _ Source, a []string) {
			r := s.wants(d.turn(RoundOptions{}))
			if !slices.ContainsFunc(r.Warnings, func(w Warning) bool { return w.Kind == a[0] }) {
				s.fatalf("warnings: %+v", r.Warnings)
			}
		},
		"unmount": func(s *scenario, d *device, src Source, _ []string) { d.fs.Move(src.Root(), src.Root()+".gone") },
		"mount":   func(s *scenario, d *device, src Source, _ []string) { d.fs.Move(src.Root()+".gone", src.Root()) },
		"offline": func(s *scenario, d *device, _ Source, _ []string) {
			d.e.SetStore(store.New(store.Faults(d.bucket, 1, store.FaultOptions{Down: driver.Transient}), store.Options{}))
			d.turn(RoundOptions{})
		},
		"online":  func(s *scenario, d *device, _ Source, _ []string) { d.e.SetStore(d.store) },
		"restart": func(s *scenario, d *device, _ Source, _ []string) { d.open() },
		"revoke": func(s *scenario, d *device, _ Source, a []string) {
			ss, err := d.e.Keys().Revoke(d.rand, d.clock(), s.dev(a[0]).keys.ID(), d.e.Vector())
			s.must(err)
			s.must(d.e.AddStatements(ss))
			s.wants(d.turn(RoundOptions{}))
		},
		"out": func(s *scenario, d *device, _ Source, _ []string) {
			if _, err := d.sync(RoundOptions{}); !errors.Is(err, keyring.NotMember) {
				s.fatalf("it is not out: %v", err)
			}
			s.devices = slices.DeleteFunc(s.devices, func(o *device) bool { return o == d })
		},
		"backup": func(s *scenario, d *device, _ Source, _ []string) { s.backups[d.name] = d.db.Clone(localdb.Info{}) },
		"restore-backup": func(s *scenario, d *device, _ Source, _ []string) {
			d.db = s.backups[d.name].Clone(localdb.Info{LostTail: true})
			d.open()
		},
		"version": func(s *scenario, d *device, _ Source, a []string) {
			all, err := d.e.History(ctx, item.Name(a[1]))
			s.must(err)
			s.versions[a[0]] = all[0]
		},
		"bring": func(s *scenario, d *device, _ Source, a []string) {
			v, n := s.versions[a[0]], item.Name(a[1])
			items, err := d.e.AsOf(ctx, &v, s.now)
			s.must(err)
			ws, err := d.e.Bring(ctx, n, d.e.ShownOf(n, items[n]))
			s.must(err)
			s.must(d.e.Restore(ws, "restored"))
		},
		"clock": func(s *scenario, d *device, _ Source, a []string) {
			years, err := strconv.Atoi(a[0])
			s.must(err)
			d.skew = time.Duration(years) * 365 * 24 * time.Hour
		},
	}
}
