package route

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

func remembered(m *Memory) int {
	n := 0
	for i := range m.shards {
		n += len(m.shards[i].seats)
	}
	return n
}

// However many sessions there are, only so many are remembered, and of those the new ones rather than the old.
func TestMemoryIsBounded(t *testing.T) {
	const most = memoryShards * sessionsAShard
	memory := NewMemory()
	for id := range uint64(2 * most) {
		memory.put(id, seat{target: 1, at: start.Add(time.Duration(id))})
	}
	if n := remembered(memory); n > most || n < most*9/10 {
		t.Fatalf("%d sessions are remembered, want at most %d and about as many", n, most)
	}
	fresh := 0
	for id := uint64(2*most - most/4); id < 2*most; id++ {
		if _, ok := memory.get(id); ok {
			fresh++
		}
	}
	// The oldest of 8 drawn ones is hardly ever among the newest quarter.
	if fresh < most/4*98/100 {
		t.Errorf("%d of the %d newest sessions are remembered", fresh, most/4)
	}
	if _, ok := memory.get(2*most - 1); !ok {
		t.Error("the newest session is not remembered")
	}
}

// A session that is remembered already takes nobody's place.
func TestAKnownSessionEvictsNobody(t *testing.T) {
	memory := NewMemory()
	for id := range uint64(2 * memoryShards * sessionsAShard) {
		memory.put(id, seat{at: start})
	}
	before := remembered(memory)
	for i := range memory.shards {
		for id := range memory.shards[i].seats {
			memory.put(id, seat{target: 2, at: start})
			break
		}
	}
	if after := remembered(memory); after != before {
		t.Errorf("%d sessions are remembered, want %d", after, before)
	}
}

// What is kept of targets is kept of those of the newest table alone, so that renaming them for ever fills nothing.
func TestMemoryForgetsTargets(t *testing.T) {
	memory := NewMemory()
	for i := range 100 {
		NewRouter(&table.Route{}, []Target{at("stays"), at("t" + strconv.Itoa(i))}, memory)
	}
	if len(memory.traits) != 2 {
		t.Errorf("%d targets are kept, want 2", len(memory.traits))
	}
}

func TestMemoryIsSafe(t *testing.T) {
	memory := NewMemory()
	route := bySession(0)
	route.Strategy = table.LowestLatency
	targets := []Target{at("a", latency(time.Second)), at("b", latency(time.Second))}
	var all sync.WaitGroup
	for worker := range uint64(8) {
		all.Go(func() {
			random := seeded(worker)
			for i := range 300 {
				router := NewRouter(route, targets, memory)
				q := &Query{Now: start, Affinity: uint64(i % 20), Random: random}
				router.Served(q, router.Order(nil, 0, q)[0].Index)
			}
		})
	}
	all.Wait()
	if n := remembered(memory); n != 19 {
		t.Errorf("%d sessions are remembered, want 19", n)
	}
}
