package route

import (
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of the sessions that a route remembers: 65,536 in 64 shards. An entry that has to go is the oldest of a few drawn ones.
const (
	memoryShards   = 64
	sessionsAShard = 1024
	evictionSample = 8
)

// Memory is what a route remembers over all tables: who leads by its strategy and where sessions are. It may be used by any number of goroutines.
type Memory struct {
	shards [memoryShards]shard

	mu     sync.Mutex
	traits map[string]*traits
}

// shard has the sessions whose hash ends alike.
type shard struct {
	mu    sync.Mutex
	seats map[uint64]seat
}

// seat is where a session is.
type seat struct {
	// target is the hash of the target's name.
	target uint64
	// at is the time of its last answer.
	at time.Time
}

// traits are what a strategy remembers of a target: a bit for each band that it is in, and for its lead.
type traits struct{ bits atomic.Uint32 }

// The bits of traits.
const (
	inStreamBand uint32 = 1 << iota
	inAnswerBand
	inThroughputBand
	leadsByCost
	actsByCost
)

func (t *traits) has(bit uint32) bool { return t.bits.Load()&bit != 0 }

// put sets or clears a bit. It writes only what changes, so that calls that find nothing new share the memory line without a fight.
func (t *traits) put(bit uint32, want bool) {
	switch {
	case want == t.has(bit):
	case want:
		t.bits.Or(bit)
	default:
		t.bits.And(^bit)
	}
}

// NewMemory returns an empty memory.
func NewMemory() *Memory { return &Memory{traits: map[string]*traits{}} }

// keep returns the traits of targets by their names, and forgets those of all others.
func (m *Memory) keep(names []string) []*traits {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := make(map[string]*traits, len(names))
	found := make([]*traits, len(names))
	for i, name := range names {
		t := m.traits[name]
		if t == nil {
			t = &traits{}
		}
		kept[name], found[i] = t, t
	}
	m.traits = kept
	return found
}

func (m *Memory) shardOf(session uint64) *shard { return &m.shards[mix(session)%memoryShards] }

// get returns where a session is.
func (m *Memory) get(session uint64) (seat, bool) {
	s := m.shardOf(session)
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.seats[session]
	return found, ok
}

// put remembers where a session is.
func (m *Memory) put(session uint64, where seat) {
	s := m.shardOf(session)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seats == nil {
		s.seats = map[uint64]seat{}
	}
	if _, known := s.seats[session]; !known && len(s.seats) >= sessionsAShard {
		s.evict()
	}
	s.seats[session] = where
}

// evict drops the oldest of the first few sessions, which Go's maps yield in an order of chance.
func (s *shard) evict() {
	var oldest uint64
	var at time.Time
	seen := 0
	for session, where := range s.seats {
		if seen == 0 || where.at.Before(at) {
			oldest, at = session, where.at
		}
		if seen++; seen == evictionSample {
			break
		}
	}
	delete(s.seats, oldest)
}
