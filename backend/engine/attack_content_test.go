package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"plait/backend/chunk"
	"plait/backend/item"
	"plait/backend/journal"
	"plait/backend/keyring"
	"plait/backend/seal"
	"plait/backend/store"
)

// What attackers make of objects whose inside they know: a hostile member does, and
// who stands by its side at the store.

// opened are the checks between a pack whose chunks were moved and a file.
var opened = []hook{believesNames, inChunk("checkBind"), inChunk("checkName"), inChunk("checkWhole")}

// more makes the laptop sync what it wrote since, before the attack.
func (s *scene) more() {
	s.t.Helper()
	s.laptop.mustSync()
	for f, text := range s.laptop.files() {
		s.past[f][text] = true
	}
	s.honest = s.w.bucket.Snapshot()
	s.w.tick(1)
}

// content is a note's value as the device knows it.
func (d *device) content(file string) item.Value {
	d.w.t.Helper()
	it, err := d.e.item(item.NewName("notes", item.Files, "", strings.TrimPrefix(file, "notes/")))
	d.w.must(err)
	live := it.Atoms[theFile].Live
	v := live[len(live)-1].Value
	if v.Large == nil || v.Large.List {
		d.w.t.Fatalf("%s is not in chunks of its own", file)
	}
	return v
}

// places are where the chunks of a note of the laptop's lie.
func (s *scene) places(file string) (ps []chunk.Place) {
	s.t.Helper()
	s.w.must(s.laptop.e.loadPacks())
	for _, c := range s.laptop.content(file).Large.Chunks {
		p, ok := s.laptop.e.packs.chunks[c.Name]
		if !ok {
			s.t.Fatalf("a chunk of %s lies nowhere", file)
		}
		ps = append(ps, p)
	}
	return ps
}

// blocks makes the laptop write a note of one chunk a letter, all sealed to one size.
func (s *scene) blocks(file, letters string) []chunk.Place {
	s.t.Helper()
	var b strings.Builder
	for _, l := range letters {
		b.WriteString(strings.Repeat(string(l), chunk.Max))
	}
	s.laptop.write(file, b.String())
	s.more()
	ps := s.places(file)
	if len(ps) != len(letters) {
		s.t.Fatalf("%s has %d chunks; want %d", file, len(ps), len(letters))
	}
	for _, p := range ps {
		if p.Size != ps[0].Size {
			s.t.Fatalf("chunks of %d and %d bytes", p.Size, ps[0].Size)
		}
	}
	return ps
}

// exchange puts chunk x of such a note where chunk y lies, and if both, y where x lies.
func (s *scene) exchange(file, letters string, x, y int, both bool) {
	s.t.Helper()
	ps := s.blocks(file, letters)
	get := func(p chunk.Place) []byte { return s.raw.Get(packName(p.Pack))[p.Offset : p.Offset+p.Size] }
	put := func(p chunk.Place, body []byte) {
		s.raw.Corrupt(packName(p.Pack), func(b []byte) []byte {
			copy(b[p.Offset:], body)
			return b
		})
	}
	bx, by := string(get(ps[x])), string(get(ps[y]))
	put(ps[y], []byte(bx))
	if both {
		put(ps[x], []byte(by))
	}
}

// strange says that a file of the victim's is one that nobody wrote.
func strange(file string) func(*scene, *Round) bool {
	return func(s *scene, _ *Round) bool {
		now := s.phone.read(file)
		return now != s.before[file] && !s.past[file][now]
	}
}

// begins says whether the victim's file begins with a text.
func begins(file, text string) func(*scene, *Round) bool {
	return func(s *scene, _ *Round) bool { return strings.HasPrefix(s.phone.read(file), text) }
}

// flipPlain changes the first bit of a text in the laptop's newest segment with it,
// as who knows where it lies can do to a stream cipher.
func (s *scene) flipPlain(text string) {
	s.t.Helper()
	c, _, err := s.laptop.e.loadCursor()
	s.w.must(err)
	for _, ref := range c.Segments {
		name := store.HashName(store.Segments, ref.Name)
		if at := strings.Index(s.plainOf(ref), text); at >= 0 {
			flip(func(*scene) string { return name }, seal.Overhead-16+at)(s)
			return
		}
	}
	s.t.Fatalf("no segment has %q", text)
}

func (s *scene) plainOf(ref journal.Ref) string {
	obj := s.raw.Get(store.HashName(store.Segments, ref.Name))
	epoch, err := seal.EpochOf(obj)
	s.w.must(err)
	key, _ := s.laptop.e.epochKey(epoch)
	bind := binary.BigEndian.AppendUint64(ref.Author.Device[:], ref.Author.Inc)
	bind = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(bind, ref.First), ref.Last)
	b, err := seal.Open(key, seal.Context{Vault: s.laptop.e.meta.Vault, Epoch: epoch, Role: seal.Segment, Bind: bind}, obj)
	s.w.must(err)
	return string(b)
}

// restated is what a statement says, said by another, or in another format.
func restated(s *scene, st keyring.Statement, as *keyring.Device, format int) keyring.Statement {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	s.w.must(err)
	var envelope, body map[int]cbor.RawMessage // see keyring/FORMAT.md
	var inner []byte
	raw := func(v any) cbor.RawMessage {
		b, err := enc.Marshal(v)
		s.w.must(err)
		return b
	}
	s.w.must(cbor.Unmarshal(st.Bytes, &envelope))
	s.w.must(cbor.Unmarshal(envelope[1], &inner))
	s.w.must(cbor.Unmarshal(inner, &body))
	body[1], body[4] = raw(format), raw(as.Principal())
	inner = raw(body)
	envelope[1], envelope[2] = raw(inner), raw(as.Sign("statement", inner))
	b := raw(envelope)
	return keyring.Statement{Name: sha256.Sum256(b), Bytes: b}
}
