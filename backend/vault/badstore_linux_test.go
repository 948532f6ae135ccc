package vault

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"plait/backend/problem"
)

// A store on a disk that is really full, where one can be mounted.
func TestStoreOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mount")
	must(t, os.Mkdir(dir, 0o755))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	laptop, c := found(t, "laptop", filepath.Join(dir, "store"))
	desktop := join(t, "desktop", filepath.Join(dir, "store"), c)
	fill := filepath.Join(dir, "holiday.jpg")
	laptop.write("settings.json", `{"editor.fontSize": 14, "editor.tabSize": 4, "long": "`+noise(40<<10)+`"}`)
	must(t, os.WriteFile(fill, nil, 0o644))
	f, err := os.OpenFile(fill, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	_, err = laptop.v.Sync(bg, SyncOptions{})
	told(t, err, problem.Full)
	desktop.sync()
	if got := desktop.read("settings.json"); strings.Contains(got, "14") {
		t.Errorf("half of it arrived: %.80s", got)
	}
	must(t, os.Remove(fill))
	laptop.reopen()
	laptop.sync()
	desktop.sync()
	if got := desktop.read("settings.json"); !strings.Contains(got, "14") {
		t.Errorf("with room again the desktop has %.80s", got)
	}
}
