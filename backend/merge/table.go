package merge

import (
	"path"
	"strings"

	"plait/backend/item"
	"plait/backend/merge/jsonc"
)

// TableVersion is the version of everything that says how documents are cut and how
// arrays are merged. A device with another version must not take documents apart for
// those that have this one.
const TableVersion = 1

// An arrayMerge says how the elements of an array are told apart: as a set, by what
// they mean; as a list, by the values of the fields in by.
type arrayMerge struct {
	pattern string // of the setting's name; * as in path.Match
	by      []string
}

// arrays are the settings whose arrays are sets or keyed lists, by themselves or by
// what their documentation says. All other arrays are one value: an order or a
// repetition may mean something there.
//
// Sources: package.json of VS Code's built-in extensions (git, css, html, markdown,
// json, typescript) and of the extensions that the names start with.
var arrays = []arrayMerge{
	{pattern: "cSpell.*[wW]ords"},
	{pattern: "cSpell.ignorePaths"},
	{pattern: "cSpell.enabledLanguageIds"},
	{pattern: "cSpell.enableFiletypes"},
	{pattern: "cSpell.dictionaries"},
	{pattern: "settingsSync.ignoredExtensions"},
	{pattern: "settingsSync.ignoredSettings"},
	{pattern: "remote.SSH.defaultExtensions"},
	{pattern: "dev.containers.defaultExtensions"},
	{pattern: "git.ignoredRepositories"},
	{pattern: "git.branchProtection"},
	{pattern: "html.customData"},
	{pattern: "css.customData"},
	{pattern: "json.schemas", by: []string{"url", "fileMatch"}},
	{pattern: "yaml.customTags"},
	{pattern: "yaml.disableSchemaDetection"},
	{pattern: "markdownlint.ignore"},
	{pattern: "javascript.preferences.autoImportFileExcludePatterns"},
	{pattern: "typescript.preferences.autoImportFileExcludePatterns"},
	{pattern: "eslint.validate"},
	{pattern: "eslint.probe"},
	{pattern: "stylelint.validate"},
	{pattern: "stylelint.snippet"},
	{pattern: "prettier.documentSelectors"},
	{pattern: "prettier.disableLanguages"},
	{pattern: "emmet.excludeLanguages"},
	{pattern: "ltex.dictionary/*"},
	{pattern: "ltex.disabledRules/*"},
	{pattern: "ltex.enabledRules/*"},
	{pattern: "todo-tree.general.tags"},
	{pattern: "todo-tree.filtering.excludeGlobs"},
	{pattern: "gitlens.*.scopes"},
	{pattern: "python.analysis.ignore"},
	{pattern: "python.analysis.exclude"},
	{pattern: "files.participants.*"},
	{pattern: "security.allowedUNCHosts"},
	{pattern: "extensions.supportNodeGlobalNavigator"},
	{pattern: "workbench.trustedDomains.*"},
	{pattern: "workbench.view.alwaysShowHeaderActions.*"},
	{pattern: "editor.tokenColorCustomizations/textMateRules", by: []string{"name", "scope"}},
	{pattern: "editor.tokenColorCustomizations/*/textMateRules", by: []string{"name", "scope"}},
	{pattern: "launch/configurations", by: []string{"type", "name"}},
	{pattern: "launch/compounds", by: []string{"name"}},
	{pattern: "launch/inputs", by: []string{"id"}},
	{pattern: "tasks/tasks", by: []string{"label"}},
	{pattern: "tasks/inputs", by: []string{"id"}},
	{pattern: "sqltools.connections", by: []string{"name"}},
	{pattern: "mssql.connections", by: []string{"id"}},
	{pattern: "vim.*KeyBindings*", by: []string{"before"}},
	{pattern: "projectManager.projects", by: []string{"name"}},
	{pattern: "editor.rulers"},
}

// arrayRule is how the array at path p of a document of type t is merged; nil: whole.
func arrayRule(t item.Type, p item.Path) *arrayMerge {
	if t != item.Settings || len(p) == 0 {
		return nil
	}
	if strings.HasPrefix(p[0], "[") {
		p = p[1:]
	}
	if len(p) > 0 && len(p) < 4 {
		name := strings.Join(p, "/")
		for i := range arrays {
			if ok, _ := path.Match(arrays[i].pattern, name); ok {
				return &arrays[i]
			}
		}
	}
	return nil
}

// identity is what tells element i from the others; ok is false for an element that
// has none of the fields.
func (a *arrayMerge) identity(t *jsonc.Tree, i int32) (id string, ok bool) {
	if a.by == nil {
		return string(t.Canonical(i)), true
	}
	for _, f := range a.by {
		id += "\x00"
		if m := t.Member(i, f); m != jsonc.None {
			id += string(t.Canonical(m))
			ok = true
		}
	}
	return id, ok
}
