// Package dbtest is what every localdb.DB has to hold to.
package dbtest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"plait/backend/localdb"
)

// Run tests databases: open returns a new, empty one, and a function that closes
// and opens it again.
func Run(t *testing.T, open func(*testing.T) (db localdb.DB, again func() localdb.DB)) {
	cases := []struct {
		name string
		test func(*testing.T, localdb.DB, func() localdb.DB)
	}{
		{"D1 what was set is there, now and later", set},
		{"D2 what fn refused is not there", refused},
		{"D3 a scan is in order and sees its own writes", scan},
		{"D4 a View sees one state", isolation},
		{"D5 values of any size", sizes},
		{"D6 transactions of any size", large},
		{"D7 wrong use has its codes", misuse},
		{"D8 values stay what they are", aliasing},
		{"D9 random transactions agree with a map", random},
		{"D10 calls at once", atOnce},
		{"D11 info counts, and accepting changes nothing else", info},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db, again := open(t)
			c.test(t, db, again)
		})
	}
}

func put(t *testing.T, db localdb.DB, kv ...string) {
	t.Helper()
	err := db.Update(func(tx localdb.Tx) error {
		for i := 0; i < len(kv); i += 2 {
			if err := tx.Set(kv[i], []byte(kv[i+1])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// want compares the whole database with pairs of keys and values.
func want(t *testing.T, db localdb.DB, kv ...string) {
	t.Helper()
	var got []string
	err := db.View(func(tx localdb.Tx) error {
		return tx.Scan("", func(k string, v []byte) error {
			got = append(got, k, string(v))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, kv) {
		t.Fatalf("got %.200q, want %.200q", got, kv)
	}
}

func set(t *testing.T, db localdb.DB, again func() localdb.DB) {
	put(t, db, "b", "2", "a", "1", "\x00", "low", "\xff\xff", "high", "empty", "")
	all := []string{"\x00", "low", "a", "1", "b", "2", "empty", "", "\xff\xff", "high"}
	want(t, db, all...)
	db = again()
	want(t, db, all...)
	err := db.Update(func(tx localdb.Tx) error {
		return errors.Join(tx.Delete("a"), tx.Delete("never there"), tx.Set("b", []byte("3")))
	})
	if err != nil {
		t.Fatal(err)
	}
	all = []string{"\x00", "low", "b", "3", "empty", "", "\xff\xff", "high"}
	want(t, db, all...)
	want(t, again(), all...)
}

func refused(t *testing.T, db localdb.DB, again func() localdb.DB) {
	put(t, db, "a", "1")
	boom := errors.New("boom")
	err := db.Update(func(tx localdb.Tx) error {
		return errors.Join(tx.Set("a", []byte("2")), tx.Set("b", make([]byte, 100<<10)), boom)
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v, want fn's own error", err)
	}
	func() {
		defer func() { recover() }()
		db.Update(func(tx localdb.Tx) error { tx.Delete("a"); panic("fn's own") })
	}()
	want(t, db, "a", "1")
	put(t, db, "c", "3") // and the database goes on
	want(t, again(), "a", "1", "c", "3")
}

func scan(t *testing.T, db localdb.DB, _ func() localdb.DB) {
	put(t, db, "a/1", "1", "a/2", "2", "a/4", "4", "a0", "x", "b", "y")
	err := db.Update(func(tx localdb.Tx) error {
		tx.Set("a/3", []byte("3"))
		tx.Set("a/0", []byte("0"))
		tx.Set("a/5", []byte("5"))
		tx.Set("a/2", []byte("two"))
		tx.Delete("a/4")
		tx.Set("gone", nil)
		tx.Delete("gone")
		var got []string
		err := tx.Scan("a/", func(k string, v []byte) error {
			got = append(got, k+"="+string(v))
			return nil
		})
		if want := "a/0=0 a/1=1 a/2=two a/3=3 a/5=5"; strings.Join(got, " ") != want {
			t.Errorf("scan: got %q, want %q", got, want)
		}
		if v, ok, err := tx.Get("a/4"); ok || v != nil || err != nil {
			t.Errorf("get of a key deleted here: %q, %v, %v", v, ok, err)
		}
		n := 0
		if err := tx.Scan("", func(string, []byte) error { n++; return localdb.Stop }); err != nil || n != 1 {
			t.Errorf("stopped scan: %v after %d", err, n)
		}
		boom := errors.New("boom")
		if err := tx.Scan("b", func(string, []byte) error { return boom }); !errors.Is(err, boom) {
			t.Errorf("scan: got %v, want fn's error", err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, db, "a/0", "0", "a/1", "1", "a/2", "two", "a/3", "3", "a/5", "5", "a0", "x", "b", "y")
}

func isolation(t *testing.T, db localdb.DB, _ func() localdb.DB) {
	big := strings.Repeat("x", 200<<10)
	put(t, db, "a", "1", "big", big)
	err := db.View(func(tx localdb.Tx) error {
		put(t, db, "a", "2", "big", "small", "new", "n")
		a, _, err := tx.Get("a")
		b, _, err2 := tx.Get("big")
		_, ok, err3 := tx.Get("new")
		if string(a) != "1" || string(b) != big || ok {
			t.Errorf("a View saw a later state: %q, %d bytes, %v", a, len(b), ok)
		}
		return errors.Join(err, err2, err3)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx localdb.Tx) error {
		tx.Set("a", []byte("3"))
		want(t, db, "a", "2", "big", "small", "new", "n") // a View within an Update
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func sizes(t *testing.T, db localdb.DB, again func() localdb.DB) {
	var kv []string
	for i, n := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10, 1 << 20, 3<<20 + 17} {
		kv = append(kv, fmt.Sprintf("k%d", i), strings.Repeat(string(rune('a'+i)), n))
	}
	put(t, db, kv...)
	want(t, db, kv...)
	db = again()
	want(t, db, kv...)
	for i := 1; i < len(kv); i += 2 { // large ones become small, and the other way round
		kv[i] = strings.Repeat("z", 4<<20-len(kv[i]))
		if i%4 == 1 {
			kv[i] = "small"
		}
	}
	put(t, db, kv...)
	want(t, db, kv...)
	want(t, again(), kv...)
}

func large(t *testing.T, db localdb.DB, again func() localdb.DB) {
	r := rand.New(rand.NewPCG(1, 2))
	all := map[string][]byte{}
	for round := range 3 {
		err := db.Update(func(tx localdb.Tx) error {
			for i := range 4000 {
				k := fmt.Sprintf("key/%d", r.IntN(6000))
				if i%5 == 4 {
					delete(all, k)
					if err := tx.Delete(k); err != nil {
						return err
					}
					continue
				}
				v := make([]byte, r.IntN(2000))
				v = fmt.Appendf(v, "%d", round)
				all[k] = v
				if err := tx.Set(k, v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, db, all)
	}
	err := db.Update(func(tx localdb.Tx) error { // many, and all of them small
		for i := range 30_000 {
			k, v := fmt.Sprint(i), []byte{byte(i)}
			all[k] = v
			if err := tx.Set(k, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, db, all)
	compare(t, again(), all)
}

func compare(t *testing.T, db localdb.DB, all map[string][]byte) {
	t.Helper()
	got, err := localdb.Dump(db)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(got, all, bytes.Equal) {
		t.Fatalf("%d rows that differ from the %d wanted", len(got), len(all))
	}
}

func misuse(t *testing.T, db localdb.DB, _ func() localdb.DB) {
	put(t, db, "a", "1")
	db.View(func(tx localdb.Tx) error {
		if err := tx.Set("a", nil); !errors.Is(err, localdb.ErrReadOnly) {
			t.Errorf("Set in a View: %v", err)
		}
		if err := tx.Delete("a"); !errors.Is(err, localdb.ErrReadOnly) {
			t.Errorf("Delete in a View: %v", err)
		}
		return nil
	})
	db.Update(func(tx localdb.Tx) error {
		for _, key := range []string{"", strings.Repeat("k", localdb.MaxKey+1)} {
			if err := tx.Set(key, nil); !errors.Is(err, localdb.ErrBadKey) {
				t.Errorf("Set with a key of %d bytes: %v", len(key), err)
			}
			if _, _, err := tx.Get(key); !errors.Is(err, localdb.ErrBadKey) {
				t.Errorf("Get with a key of %d bytes: %v", len(key), err)
			}
		}
		return tx.Set(strings.Repeat("k", localdb.MaxKey), []byte("longest"))
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.View(func(localdb.Tx) error { return nil }); !errors.Is(err, localdb.ErrClosed) {
		t.Errorf("View after Close: %v", err)
	}
	if err := db.Update(func(localdb.Tx) error { return nil }); !errors.Is(err, localdb.ErrClosed) {
		t.Errorf("Update after Close: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func aliasing(t *testing.T, db localdb.DB, _ func() localdb.DB) {
	v := []byte("before")
	var got []byte
	err := db.Update(func(tx localdb.Tx) error {
		err := tx.Set("a", v)
		copy(v, "XXXXXX")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx localdb.Tx) (err error) {
		got, _, err = tx.Get("a")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, "a", "after!")
	if string(got) != "before" {
		t.Errorf("value changed to %q after its transaction", got)
	}
}

func random(t *testing.T, db localdb.DB, again func() localdb.DB) {
	r := rand.New(rand.NewPCG(3, 4))
	all := map[string][]byte{}
	for round := range 60 {
		next := maps.Clone(all)
		fail := r.IntN(6) == 0
		boom := errors.New("boom")
		err := db.Update(func(tx localdb.Tx) error {
			for range r.IntN(12) {
				k := fmt.Sprintf("%c/%d", 'a'+r.IntN(3), r.IntN(9))
				switch r.IntN(5) {
				case 0:
					delete(next, k)
					if err := tx.Delete(k); err != nil {
						return err
					}
				case 1:
					got, ok, err := tx.Get(k)
					if want, there := next[k]; err != nil || ok != there || !bytes.Equal(got, want) {
						t.Fatalf("get %q: %d bytes, %v, %v", k, len(got), ok, err)
					}
				case 2:
					p := k[:2]
					var keys []string
					if err := tx.Scan(p, func(k string, _ []byte) error { keys = append(keys, k); return nil }); err != nil {
						return err
					}
					var want []string
					for _, k := range slices.Sorted(maps.Keys(next)) {
						if strings.HasPrefix(k, p) {
							want = append(want, k)
						}
					}
					if !slices.Equal(keys, want) {
						t.Fatalf("scan %q: got %q, want %q", p, keys, want)
					}
				default:
					n := r.IntN(50)
					if r.IntN(20) == 0 {
						n = 64<<10 + r.IntN(100)
					}
					v := make([]byte, n)
					for i := range v {
						v[i] = byte(r.Uint32())
					}
					next[k] = v
					if err := tx.Set(k, v); err != nil {
						return err
					}
				}
			}
			if fail {
				return boom
			}
			return nil
		})
		if fail != errors.Is(err, boom) || (!fail && err != nil) {
			t.Fatalf("round %d: %v", round, err)
		}
		if !fail {
			all = next
		}
		if round%20 == 19 {
			db = again()
		}
		compare(t, db, all)
	}
}

func atOnce(t *testing.T, db localdb.DB, _ func() localdb.DB) {
	put(t, db, "a", "0", "b", "0")
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 15 {
				v := fmt.Appendf(nil, "%d.%d", w, i)
				err := db.Update(func(tx localdb.Tx) error { return errors.Join(tx.Set("a", v), tx.Set("b", v)) })
				if err != nil {
					t.Error(err)
				}
				db.View(func(tx localdb.Tx) error {
					a, _, _ := tx.Get("a")
					b, _, _ := tx.Get("b")
					if !bytes.Equal(a, b) {
						t.Errorf("half a transaction: %q, %q", a, b)
					}
					return nil
				})
			}
		}()
	}
	wg.Wait()
}

func info(t *testing.T, db localdb.DB, again func() localdb.DB) {
	if got, want := db.Info(), (localdb.Info{Fresh: true}); got != want {
		t.Fatalf("new: %+v, want %+v", got, want)
	}
	put(t, db, "a", "1")
	put(t, db, "a", "2")
	db.Update(func(localdb.Tx) error { return nil }) // wrote nothing, counts nothing
	if err := db.Accept(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, want := db.Info(), (localdb.Info{Counter: 2}); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		want(t, db, "a", "2")
		db = again()
	}
}
