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

// shapes are what secrets of well-known services look like.
var shapes = regexp.MustCompile(strings.Join([]string{
	`gh[pousr]_[A-Za-z0-9]{30,}`, `github_pat_[A-Za-z0-9_]{40,}`, `glpat-[A-Za-z0-9_-]{18,}`,
	`\bsk-[A-Za-z0-9_-]{20,}`, `xox[abposr]-[A-Za-z0-9-]{10,}`, `(?:AKIA|ASIA)[A-Z0-9]{16}`, `AIza[A-Za-z0-9_-]{30,}`,
	`ya29\.[A-Za-z0-9_-]{20,}`, `\bnpm_[A-Za-z0-9]{30,}`, `pypi-[A-Za-z0-9_-]{30,}`, `\bhf_[A-Za-z0-9]{30,}`,
	`dop_v1_[a-f0-9]{40,}`, `SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`, `rk_live_[A-Za-z0-9]{20,}`, `sk_live_[A-Za-z0-9]{20,}`,
	`eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+`,
	`-----BEGIN [A-Z ]*PRIVATE KEY-----`,
	`[a-z][a-z0-9+.-]*://[^/\s:@"]+:[^/\s@"]{3,}@`,
	`(?i)\bbearer\s+[A-Za-z0-9._~+/-]{16,}`,
	`AccountKey=[A-Za-z0-9+/=]{20,}`, `AGE-SECRET-KEY-1[A-Z0-9]{20,}`,
}, "|"))

// LikelySecret says whether the value at path looks like a secret, by the names on its
// path or by its shape. A name alone counts only over text: a switch, a number, an empty
// string and a reference such as ${env:TOKEN} keep no secret.
func LikelySecret(path Path, value []byte) bool {
	if shapes.Match(value) {
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

func secretName(seg string, last bool) bool {
	name := strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(seg))
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
