package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the Makefile; what `go install` builds tells it itself.
var version string

// versionText names the build: its version, Go's, and the system.
func versionText() string {
	v := version
	if info, ok := debug.ReadBuildInfo(); ok && v == "" {
		v = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && (v == "" || v == "(devel)") && len(s.Value) >= 12 {
				v = s.Value[:12]
			}
		}
	}
	if v == "" {
		v = "(devel)"
	}
	return fmt.Sprintf("%s (%s, %s/%s)", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
