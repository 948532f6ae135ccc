package api

import "sync"

// Topics of events.
const (
	TopicPhase    = "phase"         // the host's phase
	TopicSync     = "sync.state"    // what the Overview shows
	TopicProgress = "sync.progress" // data: Progress, at most 4 a second
	TopicQueue    = "queue"
	TopicConflict = "conflict" // data: {"item"} if it is about one
	TopicDevice   = "device"
	TopicHistory  = "history"
	TopicAudit    = "audit"
	TopicStats    = "stats"
	TopicHealth   = "health"
	TopicConfig   = "config"
	TopicNotice   = "notice" // data: Notice
	TopicJob      = "job"    // data: Job
	TopicClose    = "close"  // the window asks to be closed while work runs
)

// EventName is the one name under which events travel.
const EventName = "plait"

// An Event says that something changed. Seq grows by one with each; who misses one asks again.
type Event struct {
	Seq   uint64 `json:"seq"`
	Topic string `json:"topic"`
	Data  any    `json:"data,omitempty"`
}

// bus hands events to who listens, in order.
type bus struct {
	mu   sync.Mutex
	seq  uint64
	next int
	subs map[int]func(Event)
}

// emit tells everybody who listens. Data is small (A3).
func (h *Host) emit(topic string, data any) {
	b := &h.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq++
	e := Event{Seq: b.seq, Topic: topic, Data: data}
	for _, f := range b.subs {
		f(e)
	}
}

// Subscribe calls f with every event, in order, until stop is called. f must not
// block, nor call the host.
func (h *Host) Subscribe(f func(Event)) (stop func()) {
	b := &h.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs == nil {
		b.subs = map[int]func(Event){}
	}
	id := b.next
	b.next++
	b.subs[id] = f
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, id)
	}
}

// Seq is the number of the last event.
func (h *Host) Seq() uint64 {
	h.bus.mu.Lock()
	defer h.bus.mu.Unlock()
	return h.bus.seq
}
