package folderstore

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"plait/backend/store/driver"
)

// What the system says, and what that means for a store.
func TestSystemCodes(t *testing.T) {
	for errno, code := range map[syscall.Errno]driver.Code{
		syscall.ENOSPC: driver.Full, syscall.EDQUOT: driver.Full, syscall.EROFS: driver.ReadOnly, syscall.EIO: driver.Transient,
		syscall.ESTALE: driver.Transient, syscall.ENOTCONN: driver.Transient, syscall.EACCES: driver.ReadOnly, syscall.EPERM: driver.ReadOnly,
		syscall.ENODEV: driver.Missing, syscall.EINVAL: driver.Unknown,
	} {
		for _, effect := range []string{"create", "write", "sync", "rename", "syncdir"} {
			b := create(t)
			b.hook = func(what string) error {
				if what == effect {
					return &os.PathError{Op: what, Path: "x", Err: errno}
				}
				return nil
			}
			wantCode(t, effect+": "+errno.Error(), b.Put(t.Context(), "packs/a", []byte("a")), code)
			left, _ := os.ReadDir(filepath.Join(b.root, "packs"))
			if effect != "syncdir" && len(left) != 0 {
				t.Errorf("%s at %s left %v", errno, effect, left)
			}
		}
	}
}

// Where a hard link can't be had, PutFile copies.
func TestPutFileCopies(t *testing.T) {
	b := create(t)
	if err := b.Put(t.Context(), "packs/first", []byte("1")); err != nil {
		t.Fatal(err)
	}
	spool, err := os.MkdirTemp("/dev/shm", "plait")
	if err != nil {
		t.Skip("no second file system to put from")
	}
	defer os.RemoveAll(spool)
	path := filepath.Join(spool, "spooled")
	if err := os.WriteFile(path, make([]byte, 9<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.PutFile(t.Context(), "packs/a", path); err != nil {
		t.Fatal(err)
	}
	if body, err := b.Get(t.Context(), "packs/a", driver.All); len(body) != 9<<20 || err != nil {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

// A pipe under an object's name must not make anybody wait.
func TestPipe(t *testing.T) {
	b := create(t)
	if err := b.Put(t.Context(), "heads/a", nil); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(b.path("heads/pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	if body, err := b.Get(t.Context(), "heads/pipe", driver.All); err == nil {
		t.Errorf("Get = %q", body)
	}
	wantCode(t, "Put", b.Put(t.Context(), "heads/pipe", []byte("x")), driver.Exists)
}

// What a real file system says: a folder without write permission, and a full one.
func TestRealFolders(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere")
	}
	b := create(t)
	if err := b.Put(t.Context(), "packs/a", []byte("a")); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(b.root, "packs")
	os.Chmod(dir, 0o500)
	defer os.Chmod(dir, 0o700)
	wantCode(t, "Put", b.Put(t.Context(), "packs/b", nil), driver.ReadOnly)
	wantCode(t, "Delete", b.Delete(t.Context(), "packs/a"), driver.ReadOnly)
	if body, err := b.Get(t.Context(), "packs/a", driver.All); string(body) != "a" {
		t.Errorf("a read-only folder reads as %q, %v", body, err)
	}
	os.Chmod(dir, 0)
	_, err := b.Get(t.Context(), "packs/a", driver.All)
	wantCode(t, "Get", err, driver.Denied)
	_, err = b.List(t.Context(), "packs/")
	wantCode(t, "List", err, driver.Denied)
}
