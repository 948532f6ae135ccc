package disk

import (
	"strings"
	"testing"
	"time"
)

func TestSettled(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	now = now.Add(time.Nanosecond)                 // read by a clock that is finer than every filesystem
	for age, want := range map[time.Duration]bool{ // 1 ns more: a round stamp
		1: false, Tick + 1: false, time.Second + 1: false, Grain + 1: true, 9*Grain + 1: true, 1 - time.Hour: false,
		0: false, Tick: false, Tick + 2: true, time.Second: true, Grain + 2: true, -time.Hour: false,
	} {
		s := Stamp{MTime: now.Add(-age).UnixNano()}
		for _, s := range []Stamp{s, {MTime: s.MTime, CTime: s.MTime}, {MTime: s.MTime - int64(time.Hour), CTime: s.MTime}} {
			if got := s.Settled(now); got != want {
				t.Errorf("%v old, %+v: %v", age, s, got)
			}
		}
	}
	// The content's time is whole, as after unpacking an archive, and the inode's is not.
	if s := (Stamp{MTime: now.Add(-time.Hour - 1).UnixNano(), CTime: now.Add(-time.Second).UnixNano()}); !s.Settled(now) {
		t.Error("a fine change of the inode is not seen")
	}
}

func TestExchanged(t *testing.T) {
	clock := time.Unix(1_800_000_000, 0)
	m := NewMemory(func() time.Time { return clock }, MemoryOptions{Effect: func(string, string) Fate {
		clock = clock.Add(4*time.Millisecond + 7)
		return Go
	}})
	s, err := m.Replace("/a", strings.NewReader("new"), 0o644, Expect{Absent: true})
	if err != nil || !s.After.Stamp.Exchanged() {
		t.Fatalf("%+v, %v", s.After.Stamp, err)
	}
	m.WriteFile("/a", []byte("own")) // of the same size, in the same tick
	if i, err := m.Stat("/a"); err != nil || i.Stamp == s.After.Stamp || i.Stamp.Exchanged() {
		t.Errorf("a save right after the exchange left %+v, %v", i.Stamp, err)
	}
	for _, s := range []Stamp{{MTime: 3}, {MTime: 3, CTime: 3}, {MTime: int64(time.Second), CTime: 3e9}, {MTime: 3, CTime: 2}} {
		if s.Exchanged() {
			t.Errorf("%+v is taken for proof", s)
		}
	}
}
