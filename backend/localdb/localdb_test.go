package localdb_test

import (
	"log/slog"
	"testing"

	"plait/backend/localdb"
	"plait/backend/localdb/dbtest"
)

func TestMemory(t *testing.T) {
	dbtest.Run(t, func(*testing.T) (localdb.DB, func() localdb.DB) {
		m := localdb.NewMemory()
		return m, func() localdb.DB {
			m.Close()
			m.Reopen()
			return m
		}
	})
}

func TestBadger(t *testing.T) {
	dbtest.Run(t, func(t *testing.T) (localdb.DB, func() localdb.DB) {
		dir := t.TempDir()
		var db *localdb.Badger
		open := func() localdb.DB {
			var err error
			if db, err = localdb.Open(t.Context(), dir, localdb.Options{Key: [32]byte{1}, Log: slog.New(slog.DiscardHandler)}); err != nil {
				t.Fatal(err)
			}
			return db
		}
		first := open()
		t.Cleanup(func() { db.Close() })
		return first, func() localdb.DB {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			return open()
		}
	})
}
