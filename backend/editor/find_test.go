package editor

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plait/backend/disk"
	"plait/backend/item"
)

func memory() *disk.Memory {
	n := int64(0)
	return disk.NewMemory(func() time.Time { n++; return time.Unix(1_800_000_000, n) }, disk.MemoryOptions{})
}

func env(goos string, m *disk.Memory, vars ...string) Env {
	return Env{Home: "/home/u", OS: goos, FS: m, Getenv: func(name string) string {
		for _, v := range vars {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	}}
}

// placed is where each editor keeps its User folder and its extensions, by system.
var placed = []struct{ os, name, user, extensions string }{
	{"linux", "VS Code", ".config/Code/User", ".vscode/extensions"},
	{"linux", "VS Code Insiders", ".config/Code - Insiders/User", ".vscode-insiders/extensions"},
	{"linux", "Code - OSS", ".config/Code - OSS/User", ".vscode-oss/extensions"},
	{"linux", "VSCodium", ".config/VSCodium/User", ".vscode-oss/extensions"},
	{"linux", "VSCodium Insiders", ".config/VSCodium - Insiders/User", ".vscodium-insiders/extensions"},
	{"linux", "Cursor", ".config/Cursor/User", ".cursor/extensions"},
	{"linux", "Windsurf", ".config/Windsurf/User", ".windsurf/extensions"},
	{"linux", "Positron", ".config/Positron/User", ".positron/extensions"},
	{"linux", "Trae", ".config/Trae/User", ".trae/extensions"},
	{"linux", "Trae CN", ".config/Trae CN/User", ".trae-cn/extensions"},
	{"linux", "Kiro", ".config/Kiro/User", ".kiro/extensions"},
	{"linux", "Antigravity", ".config/Antigravity/User", ".antigravity/extensions"},
	{"linux", "Qoder", ".config/Qoder/User", ".qoder/extensions"},
	{"linux", "Void", ".config/Void/User", ".void-editor/extensions"},
	{"linux", "code-server", ".local/share/code-server/User", ".local/share/code-server/extensions"},
	{"linux", "VS Code Server", ".vscode-server/data/Machine", ".vscode-server/extensions"},
	{"linux", "Land", ".local/share/land.playform.debug/User", ".fiddee/extensions"},
	{"linux", "Land", ".local/share/land.playform/User", ".land/extensions"},
	{"linux", "VS Code (Flatpak)", ".var/app/com.visualstudio.code/config/Code/User", ".var/app/com.visualstudio.code/data/vscode/extensions"},
	{"linux", "VSCodium (Flatpak)", ".var/app/com.vscodium.codium/config/VSCodium/User", ".var/app/com.vscodium.codium/data/codium/extensions"},
	{"linux", "VS Code (portable)", "VSCode-linux-x64/data/user-data/User", "VSCode-linux-x64/data/extensions"},
	{"darwin", "VS Code", "Library/Application Support/Code/User", ".vscode/extensions"},
	{"darwin", "VSCodium", "Library/Application Support/VSCodium/User", ".vscode-oss/extensions"},
	{"darwin", "code-server", ".local/share/code-server/User", ".local/share/code-server/extensions"},
	{"darwin", "Land", "Library/Application Support/land.playform.x/User", ".fiddee/extensions"},
	{"darwin", "VS Code (portable)", "Applications/code-portable-data/user-data/User", "Applications/code-portable-data/extensions"},
	{"darwin", "VSCodium (portable)", "Applications/codium-portable-data/user-data/User", "Applications/codium-portable-data/extensions"},
	{"windows", "VS Code", "AppData/Roaming/Code/User", ".vscode/extensions"},
	{"windows", "Cursor", "AppData/Roaming/Cursor/User", ".cursor/extensions"},
	{"windows", "code-server", "AppData/Local/code-server/Data/User", "AppData/Local/code-server/Data/extensions"},
	{"windows", "Land", "AppData/Roaming/land.playform.x/User", ".fiddee/extensions"},
	{"windows", "VS Code (portable)", "Downloads/VSCode-win32-x64-1.99/data/user-data/User", "Downloads/VSCode-win32-x64-1.99/data/extensions"},
}

func TestFind(t *testing.T) {
	for _, p := range placed {
		t.Run(p.os+" "+p.name, func(t *testing.T) {
			m := memory()
			user, ext := filepath.Join("/home/u", p.user), filepath.Join("/home/u", p.extensions)
			m.WriteFile(filepath.Join(user, "settings.json"), nil)
			m.Mkdir(ext)
			m.Mkdir("/home/u/Applications/Visual Studio Code.app")
			m.Mkdir("/home/u/Applications/VSCodium.app")
			found := Find(env(p.os, m))
			if len(found) != 1 {
				t.Fatalf("found %+v", found)
			}
			e := found[0]
			if e.Name != p.name || e.UserDir != user || e.ExtensionsDir != ext || len(e.Problems) > 0 {
				t.Errorf("found %+v", e)
			}
			if e.Portable != strings.Contains(p.name, "portable") || (e.Flatpak != "") != strings.Contains(p.name, "Flatpak") {
				t.Errorf("portable %v, Flatpak %q", e.Portable, e.Flatpak)
			}
			if len(e.Profiles) != 1 || !e.Profiles[0].Default || e.Profiles[0].Collection != "default" || e.Profiles[0].Dir != user {
				t.Errorf("profiles %+v", e.Profiles)
			}
			if want := map[string]string{"linux": "linux", "darwin": "mac", "windows": "windows"}[p.os]; e.Platform != want {
				t.Errorf("platform %q", e.Platform)
			}
		})
	}
}

// Every product of the data file is found when it is there, under an id of its own.
func TestEveryDescriptor(t *testing.T) {
	ids := map[string]bool{}
	for _, d := range descriptors() {
		if d.ID == "" || d.Name == "" || d.Gallery == "" || ids[d.ID] {
			t.Errorf("%+v", d)
		}
		ids[d.ID] = true
		m := memory()
		user := strings.NewReplacer("${CONFIG}", "/home/u/.config", "${DATA}", "/home/u/.local/share", "${XDG}", "/home/u/.local/share", "${HOME}", "/home/u", "*", "x").Replace(d.User[0])
		m.Mkdir(user)
		if found := Find(env("linux", m)); len(found) != 1 || found[0].ID != d.ID || found[0].UserDir != user {
			t.Errorf("%s: found %+v", d.ID, found)
		}
	}
}

func TestFindByVariables(t *testing.T) {
	for _, c := range []struct{ os, vars, user string }{
		{"linux", "XDG_CONFIG_HOME=/cfg", "/cfg/Code/User"},
		{"linux", "XDG_CONFIG_HOME=relative", "/home/u/.config/Code/User"},
		{"linux", "VSCODE_APPDATA=/data", "/data/Code/User"},
		{"linux", "VSCODE_PORTABLE=/usb/data", "/usb/data/user-data/User"},
		{"linux", "XDG_DATA_HOME=/share", "/share/code-server/User"},
		{"linux", "XDG_DATA_HOME=/share", "/share/land.playform/User"},
		{"windows", "APPDATA=/Roaming", "/Roaming/Code/User"},
		{"windows", "LOCALAPPDATA=/Local", "/Local/code-server/Data/User"},
		{"darwin", "VSCODE_APPDATA=/data", "/home/u/Library/Application Support/land.playform/User"},
	} {
		m := memory()
		m.Mkdir(c.user)
		if found := Find(env(c.os, m, c.vars)); len(found) != 1 || found[0].UserDir != c.user {
			t.Errorf("%s %s: %+v", c.os, c.vars, found)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, c := range []struct{ os, app, command, link string }{
		{"linux", "/usr/share/code/resources/app", "", ""},
		{"linux", "/opt/odd/resources/app", "/opt/odd/bin/code", "/usr/bin/code"},
		{"darwin", "/Applications/Visual Studio Code.app/Contents/Resources/app", "", ""},
		{"darwin", "/Elsewhere/Code.app/Contents/Resources/app", "/Elsewhere/Code.app/Contents/Resources/app/bin/code", "/usr/bin/code"},
		{"windows", "/home/u/AppData/Local/Programs/Microsoft VS Code/resources/app", "", ""},
	} {
		m := memory()
		e := env(c.os, m, "PATH=/usr/bin:relative")
		m.Mkdir(e.variable("CONFIG") + "/Code/User")
		m.WriteFile(c.app+"/package.json", []byte(`{"version": "1.139.1"}`))
		m.WriteFile(c.app+"/product.json", []byte(`{"applicationName": "code"}`))
		if c.command != "" {
			m.WriteFile(c.command, nil)
			m.Symlink(c.command, c.link)
		}
		if found := Find(e); len(found) != 1 || found[0].Version != "1.139.1" {
			t.Errorf("%s: %+v", c.app, found)
		}
	}
	// Cursor, too, puts a "code" on the PATH.
	m := memory()
	m.Mkdir("/home/u/.config/Code/User")
	m.WriteFile("/opt/x/resources/app/package.json", []byte(`{"version": "0.50"}`))
	m.WriteFile("/opt/x/resources/app/product.json", []byte(`{"applicationName": "cursor"}`))
	m.WriteFile("/opt/x/bin/code", nil)
	m.Symlink("/opt/x/bin/code", "/usr/bin/code")
	if found := Find(env("linux", m, "PATH=/usr/bin")); len(found) != 1 || found[0].Version != "" {
		t.Errorf("another editor's version: %+v", found)
	}
}

func TestPortableBesideOrdinary(t *testing.T) {
	m := memory()
	m.Mkdir("/home/u/.config/Code/User")
	for _, d := range []string{"VSCode-linux-x64", "VSCode-linux-old"} {
		m.Mkdir("/home/u/" + d + "/data/user-data/User")
		m.WriteFile("/home/u/"+d+"/resources/app/package.json", []byte(`{"version": "`+d+`"}`))
		m.WriteFile("/home/u/"+d+"/bin/code", nil)
	}
	var got []string
	for _, e := range Find(env("linux", m)) {
		got = append(got, e.ID+" "+e.Name+" "+e.Version+" "+e.Command)
	}
	want := []string{
		"vscode VS Code  code",
		"vscode-portable VS Code (portable) VSCode-linux-old /home/u/VSCode-linux-old/bin/code",
		"vscode-portable-2 VS Code (portable 2) VSCode-linux-x64 /home/u/VSCode-linux-x64/bin/code",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestProfiles(t *testing.T) {
	m := memory()
	m.WriteFile("/home/u/.config/Code/User/globalStorage/storage.json", []byte(`{
		"telemetry.machineId": "x",
		"userDataProfiles": [
			{"location": "-5f0e", "name": "Work", "useDefaultFlags": {"keybindings": true, "snippets": true, "extensions": true, "tasks": false}},
			{"location": {"$mid": 1, "path": "/home/u/.config/Code/User/profiles/7a", "scheme": "file"}, "name": "Data/Science @ Home"},
			{"location": "../../../.ssh", "name": "Evil"},
			{"name": "Nowhere"}
		]}`))
	e, err := Lookup(Find(env("linux", m)), "code")
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Profiles) != 3 || len(e.Problems) != 2 {
		t.Fatalf("%+v, %v", e.Profiles, e.Problems)
	}
	work, err := e.Profile("wORK")
	if err != nil || work.ID != "-5f0e" || work.Dir != "/home/u/.config/Code/User/profiles/-5f0e" || work.Collection != "work" || work.Default {
		t.Errorf("%+v, %v", work, err)
	}
	if !work.Inherits[item.Keybindings] || !work.Inherits[item.Snippets] || work.Inherits[item.Tasks] || work.Inherits[item.Settings] {
		t.Errorf("inherits %v", work.Inherits)
	}
	if p, err := e.Profile("7a"); err != nil || p.Collection != "data-science - home" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := e.Profile(""); err != nil || !p.Default {
		t.Errorf("%+v, %v", p, err)
	}
	var missing *NotFound
	if _, err := e.Profile("Wrok"); !errors.As(err, &missing) || !slices.Equal(missing.Near, []string{"Work"}) {
		t.Errorf("%v", err)
	}

	// What can't be read leaves the default profile, and says so.
	for what, content := range map[string]string{"no JSON": "{\n \"a\": nope", "another type": `{"userDataProfiles": 5}`} {
		m.WriteFile("/home/u/.config/Code/User/globalStorage/storage.json", []byte(content))
		e := Find(env("linux", m))[0]
		var s *SyntaxError
		if len(e.Profiles) != 1 || len(e.Problems) != 1 || !errors.As(e.Problems[0], &s) || s.Line < 1 || !strings.HasSuffix(s.Path, "storage.json") {
			t.Errorf("%s: %+v, %v", what, e.Profiles, e.Problems)
		}
	}
	m.SetFault(func(op, p string) error {
		if op == "open" {
			return fs.ErrPermission
		}
		return nil
	})
	if e := Find(env("linux", m))[0]; len(e.Profiles) != 1 || len(e.Problems) != 1 || !errors.Is(e.Problems[0], fs.ErrPermission) {
		t.Errorf("%+v", e)
	}
}

func TestLookup(t *testing.T) {
	m := memory()
	for _, d := range []string{".config/Code/User", ".config/VSCodium/User", ".var/app/com.visualstudio.code/config/Code/User"} {
		m.Mkdir("/home/u/" + d)
	}
	found := Find(env("linux", m))
	for name, id := range map[string]string{
		"VS Code": "vscode", "vs code": "vscode", "CODE": "vscode", "vscode": "vscode", "codium": "vscodium", "VSCodium": "vscodium",
		"VS Code (flatpak)": "vscode-flatpak", "vscode-flatpak": "vscode-flatpak",
	} {
		if e, err := Lookup(found, name); e.ID != id || err != nil {
			t.Errorf("%s: %s, %v", name, e.ID, err)
		}
	}
	var missing *NotFound
	for name, near := range map[string]string{"VScod": "VS Code", "vscodum": "VSCodium", "cod": "code", "vs-code": "VS Code"} {
		if _, err := Lookup(found, name); !errors.As(err, &missing) || !slices.Contains(missing.Near, near) || missing.Gone {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Lookup(found, "cursor"); !errors.As(err, &missing) || !missing.Gone || missing.Name != "Cursor" {
		t.Errorf("%v", err)
	}
	if _, err := Lookup(found, "emacs"); !errors.As(err, &missing) || missing.Gone || len(missing.Near) > 0 {
		t.Errorf("%v", err)
	}
}

func TestCustom(t *testing.T) {
	m := memory()
	m.Mkdir("/srv/x/User")
	m.Mkdir("/srv/x/extensions")
	m.WriteFile("/srv/file", nil)
	e, err := Custom(env("linux", m), "/srv/x/User", "server")
	if err != nil || e.Name != "server" || e.UserDir != "/srv/x/User" || e.ExtensionsDir != "/srv/x/extensions" || len(e.Profiles) != 1 || !e.Has(item.Prompts) {
		t.Errorf("%+v, %v", e, err)
	}
	m.Mkdir("/home/u/.config/Code/User")
	m.Mkdir("/home/u/.vscode/extensions")
	if e, err := Custom(env("linux", m), "/home/u/.config/Code/User", "mine"); err != nil || e.ExtensionsDir != "/home/u/.vscode/extensions" || e.Name != "mine" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := Custom(env("linux", m), "/srv/none", "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Custom(env("linux", m), "/srv/file", "x"); err == nil {
		t.Error("a file was taken for a folder")
	}
}

func TestDocuments(t *testing.T) {
	m := memory()
	user := "/home/u/.config/Code/User"
	for f, c := range map[string]string{"settings.json": "{}", "keybindings.json": "[]", "snippets/go.json": "{}", "snippets/my.code-snippets": "{}",
		"snippets/README": "x", "snippets/deep/x.json": "{}", "snippets/e\u0301.json": "{}", "prompts/a.prompt.md": "a", "prompts/b.agent.md": "b", "prompts/c.md": "c", "prompts/.prompt.md": "d"} {
		m.WriteFile(user+"/"+f, []byte(c))
	}
	m.Mkdir(user + "/mcp.json")
	m.WriteFile("/home/u/dot/ts.json", []byte("{}"))
	m.Symlink("/home/u/dot/ts.json", user+"/snippets/ts.json")
	m.Symlink("/home/u/dot/gone.json", user+"/snippets/gone.json")
	e, _ := Lookup(Find(env("linux", m)), "code")
	p := e.Profiles[0]
	list := func(t2 item.Type) (got []string) {
		t.Helper()
		docs, err := e.Documents(m, p, t2)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			s := d.Rest
			if d.Absent {
				s += " absent"
			}
			if d.Err != nil {
				s += " broken"
			} else if path, ok, err := e.Path(m, p, d.Type, d.Rest); path != d.Path || !ok || err != nil {
				t.Errorf("Path(%s %q) = %s, %v, %v; want %s", d.Type, d.Rest, path, ok, err, d.Path)
			}
			if !d.Absent && d.Err == nil && d.Info.Path != d.Path {
				t.Errorf("%+v", d)
			}
			got = append(got, s)
		}
		return got
	}
	for ty, want := range map[item.Type][]string{
		item.Settings: {""}, item.Keybindings: {"linux"}, item.Tasks: {" absent"}, item.MCP: {" broken"},
		item.Snippets: {"é.json", "go.json", "gone.json absent", "my.code-snippets", "ts.json"}, item.Prompts: {"a.prompt.md", "b.agent.md"}, item.Files: nil,
	} {
		if got := list(ty); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", ty, got, want)
		}
	}
	m.SetFault(func(op, p string) error {
		if op == "list" {
			return fs.ErrPermission
		}
		return nil
	})
	if _, err := e.Documents(m, p, item.Snippets); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("unreadable folder: %v", err)
	}
}

func TestHugeDocument(t *testing.T) {
	m := memory()
	m.WriteFile("/home/u/.config/Code/User/settings.json", make([]byte, MaxDocument+1))
	e := Find(env("linux", m))[0]
	docs, err := e.Documents(m, e.Profiles[0], item.Settings)
	if err != nil || len(docs) != 1 || !errors.Is(docs[0].Err, disk.ErrTooLarge) || !strings.Contains(docs[0].Err.Error(), "settings.json") {
		t.Errorf("%+v, %v", docs, err)
	}
}

func TestPathRefuses(t *testing.T) {
	m := memory()
	m.Mkdir("/home/u/.config/Code/User")
	e := Find(env("linux", m))[0]
	p := e.Profiles[0]
	for _, c := range []struct {
		t    item.Type
		rest string
	}{
		{item.Snippets, "../settings.json"}, {item.Snippets, "/etc/x.json"}, {item.Snippets, "a/../../b.json"}, {item.Snippets, "a\x00.json"},
		{item.Prompts, "..\u2028/x.prompt.md"}, {item.Snippets, ".plait-old-aaaaaaaa-x.json"},
	} {
		if path, ok, err := e.Path(m, p, c.t, c.rest); ok || !errors.Is(err, disk.ErrUnsafe) {
			t.Errorf("%q: %s, %v, %v", c.rest, path, ok, err)
		}
	}
	for _, c := range []struct {
		t    item.Type
		rest string
	}{
		{item.Snippets, "x.txt"}, {item.Snippets, "deep/x.json"}, {item.Keybindings, "mac"}, {item.Settings, "x"}, {item.Files, "x"}, {item.Prompts, "x.md"}, {item.Policy, ""},
	} {
		if path, ok, err := e.Path(m, p, c.t, c.rest); ok || err != nil {
			t.Errorf("%s %q: %s, %v, %v", c.t, c.rest, path, ok, err)
		}
	}
	p.Inherits = map[item.Type]bool{item.Settings: true}
	if _, ok, err := e.Path(m, p, item.Settings, ""); ok || err != nil {
		t.Errorf("inherited: %v, %v", ok, err)
	}
	if docs, err := e.Documents(m, p, item.Settings); len(docs) > 0 || err != nil {
		t.Errorf("inherited: %v, %v", docs, err)
	}
	if got := e.Watched(p); len(got) != 3 {
		t.Errorf("watched %q", got)
	}
}
