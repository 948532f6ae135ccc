package text

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// vectors opens a file of the cases from elsewhere, which are not part of the
// repository.
func vectors(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../../../shared/vectors/text", name))
	if os.IsNotExist(err) {
		t.Skipf("skipped: the vectors are not here (%v)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// At least 99 of 100 random merges are clean where git's are. Where both are, the
// texts are equal; where both conflict, so are the markers in most.
func TestGitVectors(t *testing.T) {
	total, agree, cleans, sameText, markers := 0, 0, 0, 0, 0
	for d := json.NewDecoder(bytes.NewReader(vectors(t, "git-merge-file.jsonl"))); d.More(); {
		var v struct {
			Base, Local, Remote string
			Conflicts           int    `json:"git_conflicts"`
			Output              string `json:"git_diff3_output"`
		}
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		total++
		r := Merge([]byte(v.Base), []byte(v.Local), []byte(v.Remote))
		got := string(r.Markers([3]string{"o", "a", "b"}))
		switch {
		case r.Clean != (v.Conflicts == 0):
			t.Logf("case %d: %d conflicts, git has %d\n%q\n%q\n%q", total, r.Conflicts(), v.Conflicts, v.Base, v.Local, v.Remote)
			continue
		case !r.Clean:
			if got == v.Output {
				markers++
			}
		default:
			if cleans++; string(r.Text()) == v.Output {
				sameText++
			} else {
				t.Logf("case %d: text\n%q\ngit's\n%q", total, r.Text(), v.Output)
			}
		}
		agree++
	}
	t.Logf("%d of %d agree; of %d clean ones %d are equal; of %d conflicting ones %d are, markers and all",
		agree, total, cleans, sameText, agree-cleans, markers)
	if agree*100 < total*99 || sameText != cleans {
		t.Error("too few agree with git")
	}
}

// unlike are the cases in which we propose something else than JetBrains, and why.
var unlike = map[int]struct{ want, why string }{
	22: {"\ni", "the line end that right added is kept; JetBrains drops it"},
	23: {"", "both added something before and after X: that is asked"},
}

func TestJetBrainsWords(t *testing.T) {
	var cases [][]*string
	if err := json.Unmarshal(vectors(t, "jetbrains-word/merge-resolve.json"), &cases); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		got, ok := Suggest([]byte(*c[0]), []byte(*c[1]), []byte(*c[2]))
		want := c[3]
		if want != nil && *want == "?" {
			want = c[4]
		}
		if u, there := unlike[i]; there {
			want = &u.want
			if u.want == "" {
				want = nil
			}
		}
		if same := ok == (want != nil) && (!ok || string(got) == *want); !same {
			w := "none"
			if want != nil {
				w = *want
			}
			t.Errorf("case %d: %q | %q | %q: got %q, %v, want %q", i, *c[0], *c[1], *c[2], got, ok, w)
		}
	}
}
