package keyring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode"
)

func TestWords(t *testing.T) {
	s := NewSeed(chance(90))
	typed := s.Words()
	if n := len(strings.Fields(typed)); n != 24 {
		t.Fatalf("%d words", n)
	}
	var short []string
	for _, w := range strings.Fields(typed) {
		short = append(short, w[:min(4, len(w))])
	}
	for _, ok := range []string{typed, strings.ToUpper(typed), "\t" + strings.ReplaceAll(typed, " ", " \n "), strings.Join(short, " ")} {
		if got, err := ParseWords(ok); err != nil || got != s {
			t.Errorf("ParseWords of a good list: %v", err)
		}
	}
	fields := strings.Fields(typed)
	swapped := append([]string{fields[1], fields[0]}, fields[2:]...)
	for _, bad := range []string{"", typed + " zoo", strings.Join(fields[1:], " "), strings.Join(swapped, " "),
		strings.Replace(typed, fields[3], "plaited", 1), strings.Replace(typed, fields[3], "", 1)} {
		if _, err := ParseWords(bad); !errors.Is(err, BadWords) {
			t.Errorf("ParseWords of a bad list: %v", err)
		}
		if _, err := ParseWords(bad); strings.Contains(fmt.Sprint(err), fields[5]) {
			t.Errorf("the error tells words: %v", err)
		}
	}
	// BIP 39's own vector: 32 bytes of 0x7f.
	var v Seed
	for i := range v {
		v[i] = 0x7f
	}
	const want = "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title"
	if v.Words() != want {
		t.Errorf("words %q; want %q", v.Words(), want)
	}
	if a, b := s.Recovery(), s.Recovery(); a.ID() != b.ID() || a.ID() == v.Recovery().ID() {
		t.Error("recovery keys do not follow from the words alone")
	}
}

// TestNoSecretIsPrinted: K7.
func TestNoSecretIsPrinted(t *testing.T) {
	w := newWorld(t, 91)
	code := NewPairCode(w.rand)
	inv, _ := Invite(w.rand, noon, code, w.first, w.ring(), nil)
	k := w.keys(w.first)
	_, epoch, _ := k.Current()
	l := Local{Device: w.first, DB: epoch, Extra: map[string][]byte{"token": []byte("hush hush hush")}}
	pass := Secret("correct horse battery")
	sign, receive := w.first.seeds()
	rs := w.seed.Recovery()
	secrets := [][]byte{code[:], epoch[:], w.seed[:], sign, receive, pass, l.Extra["token"], rs.sign.Seed(), must(rs.receive.Bytes())}

	var out bytes.Buffer
	things := []any{code, &code, inv, *inv, k, *k, epoch, &epoch, l, &l, pass, &pass, w.seed, &w.seed, w.first, *w.first, rs, *rs,
		Protection{Passphrase: pass}, map[string]any{"k": epoch}, []any{w.seed, code, k}, struct{ S Seed }{w.seed}, draft{me: w.first}.me}
	for _, x := range things {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", x)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "x", x)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "x", x)
		if b, err := json.Marshal(x); err == nil {
			out.Write(b)
		}
	}
	printed := out.String()
	for i, s := range secrets {
		for _, form := range []string{string(s), fmt.Sprintf("%x", s[:8]), fmt.Sprintf("%X", s[:8]), b64.EncodeToString(s)[:10],
			strings.Trim(fmt.Sprint(s[:6]), "[]"), strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", s[:6]), "[]byte{"), "}")} {
			if at := strings.Index(printed, form); at >= 0 {
				t.Errorf("secret %d is printed: …%q…", i, printed[max(0, at-40):min(len(printed), at+40)])
			}
		}
	}
}

func TestPrintable(t *testing.T) {
	got := printable("a\x00b\u202ec"+strings.Repeat("é", 100), 10)
	if got != "a?b?cééééé" {
		t.Errorf("%q", got)
	}
	for _, r := range got {
		if !unicode.IsPrint(r) {
			t.Errorf("%q", r)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add(NewSeed(chance(92)).Words())
	f.Add(NewPairCode(chance(93)).Words())
	f.Fuzz(func(t *testing.T, typed string) {
		if s, err := ParseWords(typed); err == nil {
			if again, err := ParseWords(s.Words()); err != nil || again != s {
				t.Errorf("%q does not come back", typed)
			}
		}
		ParsePairCode(typed)
	})
}
