package item

import (
	"bytes"
	"regexp"
	"strings"
)

// secretNames are words that the name of a secret holds, in lower case without
// punctuation.
var secretNames = []string{
	"password", "passwd", "passphrase", "secret", "apikey", "accesskey", "privatekey", "clientkey", "authkey",
	"accesstoken", "authtoken", "bearer", "credential", "connectionstring", "webhookurl", "authorization",
	"sessionkey", "signingkey", "encryptionkey", "licensekey", "personalaccesstoken",
}

// notSecret are names that hold such a word and mean something else.
var notSecret = []string{"tokencolor", "semantictoken", "maxtoken", "tokenlimit", "tokenizer", "tokenization", "passwordstore", "tokencount", "secretstorage"}

// A shape is what secrets of some well-known service look like. Matching is slow next
// to looking for needle, which stands in whatever matches; so that goes first.
type shape struct {
	needle string
	match  *regexp.Regexp
}

var shapes = compile(
	"ghp_", `ghp_[A-Za-z0-9]{30,}`, "gho_", `gho_[A-Za-z0-9]{30,}`, "ghu_", `ghu_[A-Za-z0-9]{30,}`,
	"ghs_", `ghs_[A-Za-z0-9]{30,}`, "ghr_", `ghr_[A-Za-z0-9]{30,}`,
	"github_pat_", `github_pat_[A-Za-z0-9_]{40,}`, "glpat-", `glpat-[A-Za-z0-9_-]{18,}`,
	"sk-", `\bsk-[A-Za-z0-9_-]{20,}`, "xox", `xox[abposr]-[A-Za-z0-9-]{10,}`,
	"AKIA", `AKIA[A-Z0-9]{16}`, "ASIA", `ASIA[A-Z0-9]{16}`, "AIza", `AIza[A-Za-z0-9_-]{30,}`,
	"ya29.", `ya29\.[A-Za-z0-9_-]{20,}`, "npm_", `\bnpm_[A-Za-z0-9]{30,}`, "pypi-", `pypi-[A-Za-z0-9_-]{30,}`,
	"hf_", `\bhf_[A-Za-z0-9]{30,}`, "dop_v1_", `dop_v1_[a-f0-9]{40,}`, "SG.", `SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`,
	"rk_live_", `rk_live_[A-Za-z0-9]{20,}`, "sk_live_", `sk_live_[A-Za-z0-9]{20,}`,
	".eyJ", `eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+`,
	"PRIVATE KEY-----", `-----BEGIN [A-Z ]*PRIVATE KEY-----`,
	"://", `[a-z][a-z0-9+.-]*://[^/\s:@"]+:[^/\s@"]{3,}@`,
	"AccountKey=", `AccountKey=[A-Za-z0-9+/=]{20,}`, "AGE-SECRET-KEY-1", `AGE-SECRET-KEY-1[A-Z0-9]{20,}`,
)

// bearer comes in any case.
var bearer = regexp.MustCompile(`(?i)\bbearer\s+[A-Za-z0-9._~+/-]{16,}`)

func compile(pairs ...string) (all []shape) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, shape{pairs[i], regexp.MustCompile(pairs[i+1])})
	}
	return all
}

func shaped(value []byte) bool {
	for _, s := range shapes {
		if bytes.Contains(value, []byte(s.needle)) && s.match.Match(value) {
			return true
		}
	}
	for i := 0; i+6 < len(value); i++ {
		if value[i]|0x20 == 'b' && bytes.EqualFold(value[i:i+6], []byte("bearer")) {
			return bearer.Match(value)
		}
	}
	return false
}

// LikelySecret says whether the value at path looks like a secret, by the names on its
// path or by its shape. A name alone counts only over text: a switch, a number, an empty
// string and a reference such as ${env:TOKEN} keep no secret.
func LikelySecret(path Path, value []byte) bool {
	if shaped(value) {
		return true
	}
	text := bytes.Trim(bytes.TrimSpace(value), `"`)
	if len(text) < 4 || !bytes.ContainsAny(value, `"`) && !plainText(value) || reference(text) {
		return false
	}
	for i, seg := range path {
		// Of nested names the last says most, but what lies below "credentials" is one too.
		if secretName(seg, i == len(path)-1) {
			return true
		}
	}
	return false
}

// plainText says whether value is neither a number nor a word of JSON.
func plainText(value []byte) bool {
	switch string(bytes.TrimSpace(value)) {
	case "true", "false", "null":
		return false
	}
	return len(bytes.Trim(value, "0123456789.eE+- \t\r\n")) > 0
}

// reference says whether text only names where the secret is: ${env:X}, ${input:X}, $X.
func reference(text []byte) bool {
	return bytes.HasPrefix(text, []byte("${")) && bytes.HasSuffix(text, []byte("}"))
}

var punctuation = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

func secretName(seg string, last bool) bool {
	name := punctuation.Replace(strings.ToLower(seg))
	for _, n := range notSecret {
		if strings.Contains(name, n) {
			return false
		}
	}
	for _, n := range secretNames {
		if strings.Contains(name, n) {
			return true
		}
	}
	return last && (strings.HasSuffix(name, "token") || strings.HasSuffix(name, "pat") && strings.HasSuffix(seg, "PAT") || name == "pin")
}
