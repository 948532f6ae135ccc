package journal

import (
	"testing"

	"plait/backend/item"
)

// Row 20: who gets a guess at a secret into the entry that holds it, and sees sizes,
// learns whether the guess was near. With what is secret compressed alone, a guess and
// a text of the same make that is none take as many bytes.
func TestSecretsAlone(t *testing.T) {
	const token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
	const miss = "xqz_zyxwvutsrqponmlkjihgfedcba9876543210"
	type beside func(guess string) []item.Write
	write := func(lane item.Lane, path, text string) item.Write {
		return item.Write{Item: "default/settings", Key: item.Key{Lane: lane, Path: path}, Value: item.Value{Kind: item.JSON, Data: []byte(text)}}
	}
	for _, a := range []struct {
		name string
		with beside
	}{
		{"in another setting", func(g string) []item.Write { return []item.Write{write(item.LaneValue, "/b", `"`+g+`"`)} }},
		{"in a setting's name", func(g string) []item.Write { return []item.Write{write(item.LaneValue, "/"+g, "1")} }},
		{"in a comment", func(g string) []item.Write { return []item.Write{write(item.LaneComment, "/b", "// "+g)} }},
		{"in another item", func(g string) []item.Write {
			return []item.Write{{Item: item.Name("default/prompts/" + g), Value: item.Value{Kind: item.Text, Data: []byte("x")}}}
		}},
	} {
		t.Run("row 20 "+a.name, func(t *testing.T) {
			size := func(guess string) int {
				e := &item.Entry{Author: alice, Seq: 1, Time: start, Writes: append(a.with(guess), write(item.LaneValue, "/a", `"`+token+`"`))}
				return len(mustEncode(t, e, nil).Payload)
			}
			if near, far := size(token[:30]), size(miss[:30]); near != far {
				t.Errorf("a guess changes the size: %d, %d", near, far)
			}
			without[checkAlone] = true
			defer func() { without[checkAlone] = false }()
			if near, far := size(token[:30]), size(miss[:30]); near >= far {
				t.Errorf("a guess takes %d bytes and a miss %d without the check too: this proves nothing", near, far)
			}
		})
	}
}
