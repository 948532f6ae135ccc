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
