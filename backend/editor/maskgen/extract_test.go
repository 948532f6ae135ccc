package main

import (
	"slices"
	"testing"

	"plait/backend/editor"
)

// bundle is what the workbench's bundle looks like, in small.
const bundle = `function jPt(s){switch(s){case"application":return 1;case"machine":return 2;case"resource":return 5;case"machine-overridable":return 7;default:return 4}}
var igt="settingsSync.x",Ft;(s=>{s.one="enum.one";s.two="enum.two"})(Ft||={});
r.registerConfiguration({id:"settingsSync",order:30,title:d(3732,null),type:"object",properties:{[igt]:{type:"boolean",scope:1,disallowSyncIgnore:!0},"settingsSync.y":{default:[],disallowSyncIgnore:!0,tags:["a{",'}']}}});
t=[{id:"http",order:15,title:d(1,null),type:"object",scope:2,properties:{"http.a":{type:"string",enum:["on"]},"http.b":{type:"boolean",scope:1}}},{id:"http",scope:s?1:2,properties:{"http.c":{}}}];
r.registerConfiguration({...Eh,properties:{"files.path":{type:"string",pattern:"^((\\/|\\\\\\\\|[a-zA-Z]:\\\\).*)?$",description:d(2,null),scope:2},[Ft.two]:{default:!0,ignoreSync:!0},plain:{scope:7},"x.y":{scope:6}}});
n.prompt({neverShowAgain:{id:` + "`never.${o.vendor}`" + `,scope:2}});`

func TestExtract(t *testing.T) {
	var b editor.BuiltIn
	if err := extract(bundle, &b); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what      string
		got, want []string
	}{
		{"machine", b.Machine, []string{"http.a", "files.path", "plain"}},
		{"ignored", b.Ignored, []string{"enum.two"}},
		{"never", b.Never, []string{"settingsSync.x", "settingsSync.y"}},
		{"conditional", b.Conditional, []string{"http.c"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
}

// What it does not understand ends it: nothing is left out quietly.
func TestExtractFails(t *testing.T) {
	for what, js := range map[string]string{
		"no scopes":          `properties:{"a":{scope:2}}`,
		"nothing registered": bundle[:200],
		"a computed key":     bundle + `r({properties:{[a()+b]:{scope:2}}})`,
		"a constant of two":  bundle + `;var q="a";q="b";r({properties:{[q]:{scope:2}}})`,
	} {
		if err := extract(js, &editor.BuiltIn{}); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
