// Maskgen extracts, from a release of code-server, the settings that VS Code's own sync leaves
// out: those registered with scope machine or machine-overridable, or with ignoreSync.
//
//	go run ./backend/editor/maskgen -o backend/editor/machine.json
//
// It has npm fetch the release (no script of it is run), and reads the workbench's bundle and the
// manifests of the built-in extensions. What it can't make sense of ends it: a list that
// quietly lacks a key would upload a machine's paths.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"plait/backend/editor"
)

// release is the one that machine.json is made from. Raise it together with the file.
const release = "code-server@4.139.1"

// desktop are settings that only the desktop's build registers: code-server's bundle, which
// is the web's, lacks them. From VS Code's sources, by hand.
var desktop = map[string]string{
	"window.zoomLevel":                       "ignoreSync in electron-browser/desktop.contribution.ts",
	"remote.tunnels.access.hostNameOverride": "ignoreSync in remoteTunnel.contribution.ts",
}

func main() {
	log.SetFlags(0)
	out := flag.String("o", "", "file to write; standard output if empty")
	tgz := flag.String("tgz", "", "the package, if it has been fetched already")
	flag.Parse()
	if err := run(*tgz, *out); err != nil {
		log.Fatal("maskgen: ", err)
	}
}

func run(tgz, out string) error {
	if tgz == "" {
		dir, err := os.MkdirTemp("", "maskgen")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if tgz, err = fetch(dir); err != nil {
			return err
		}
	}
	p, err := open(tgz)
	if err != nil {
		return fmt.Errorf("reading %s: %w", tgz, err)
	}
	b := editor.BuiltIn{Source: "npm " + release, VSCode: p.version, Desktop: desktop}
	for _, m := range p.manifests {
		d, err := editor.ReadManifest(m)
		if err != nil {
			return fmt.Errorf("manifest of a built-in extension: %w", err)
		}
		b.Machine = append(b.Machine, d.Machine...)
		b.Ignored = append(b.Ignored, d.Ignored...)
	}
	if err := extract(string(p.workbench), &b); err != nil {
		return err
	}
	for _, l := range []*[]string{&b.Machine, &b.Ignored, &b.Never, &b.Conditional} {
		slices.Sort(*l)
		*l = slices.Compact(*l)
	}
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if out == "" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(out, text, 0o644)
}

// fetch has npm download the release into dir.
func fetch(dir string) (string, error) {
	cmd := exec.Command("npm", "pack", "--ignore-scripts", "--silent", release)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("npm pack %s: %w", release, err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("npm pack %s left %d files", release, len(found))
	}
	return found[0], nil
}
