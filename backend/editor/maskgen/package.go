package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"strings"
)

// A pack is what counts of the release.
type pack struct {
	version   string // of VS Code
	workbench []byte
	manifests [][]byte
}

func open(tgz string) (p pack, err error) {
	f, err := os.Open(tgz)
	if err != nil {
		return p, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return p, err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return p, err
		}
		name, ok := strings.CutPrefix(h.Name, "package/lib/vscode/")
		switch extension, _ := path.Match("extensions/*/package.json", name); {
		case !ok:
		case name == "package.json":
			var v struct{ Version string }
			if err := json.NewDecoder(t).Decode(&v); err != nil {
				return p, err
			}
			p.version = v.Version
		case name == "out/vs/code/browser/workbench/workbench.js":
			if p.workbench, err = io.ReadAll(t); err != nil {
				return p, err
			}
		case extension:
			b, err := io.ReadAll(t)
			if err != nil {
				return p, err
			}
			p.manifests = append(p.manifests, b)
		}
	}
	if p.version == "" || len(p.workbench) == 0 || len(p.manifests) < 20 {
		return p, errors.New("not a release of code-server as it is known: no version, no workbench, or hardly any extensions")
	}
	return p, nil
}
