package item

import "testing"

func TestLikelySecret(t *testing.T) {
	for _, c := range []struct {
		path  Path
		value string
		want  bool
	}{
		{Path{"servers", "github", "env", "GITHUB_TOKEN"}, `"abcd1234"`, true},
		{Path{"servers", "x", "env"}, `{"KEY": "ghp_0123456789012345678901234567890123"}`, true},
		{Path{"openai.apiKey"}, `"whatever"`, true},
		{Path{"openai.apiKey"}, `""`, false},
		{Path{"openai.apiKey"}, `"${input:key}"`, false},
		{Path{"sqltools.connections"}, `[{"server": "postgres://me:hunter22@host/db"}]`, true},
		{Path{"http.proxy"}, `"http://user:pa55@proxy:8080"`, true},
		{Path{"http.proxy"}, `"http://proxy:8080"`, false},
		{Path{"editor.tokenColorCustomizations", "comments"}, `"#123456"`, false},
		{Path{"editor.semanticTokenColorCustomizations"}, `{"a": "b1234"}`, false},
		{Path{"git.useCredentialStore"}, `true`, false},
		{Path{"llm.maxTokens"}, `4096`, false},
		{Path{"editor.fontFamily"}, `"Fira Code"`, false},
		{Path{"vendor.credentials", "user"}, `"someone"`, true},
		{nil, "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", true},
	} {
		if got := LikelySecret(c.path, []byte(c.value)); got != c.want {
			t.Errorf("LikelySecret(%q, %s) = %v, want %v", c.path, c.value, got, c.want)
		}
	}
}
