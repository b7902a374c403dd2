package proxydeployment

import (
	"sync"
	"time"
)

// bytesPerSecond is how fast the tables of one namespace are written. Every version stays in the API server's store for some minutes, so hundreds of
// changes of a large table within seconds are gathered; a change after a quiet time is written at once, and a small table practically always.
const bytesPerSecond = 1 << 20

// longestUrgent is how long a table waits at most that takes something away: what is revoked has to be out of every proxy within a second.
const longestUrgent = 200 * time.Millisecond

// Pace remembers when tables were written. It is safe for concurrent use.
type Pace struct {
	mutex sync.Mutex
	until map[string]waits
}

// waits are when the next table of a namespace can be written.
type waits struct {
	// until is when any can be, urgent when one can that takes something away.
	until, urgent time.Time
}

// NewPace returns a Pace without memory.
func NewPace() *Pace { return &Pace{until: map[string]waits{}} }

// Wait is how long the next table of a namespace has to wait, and how long one that takes something away.
func (p *Pace) Wait(namespace string, now time.Time) (usual, urgent time.Duration) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	next := p.until[namespace]
	return max(0, next.until.Sub(now)), max(0, next.urgent.Sub(now))
}

// Wrote notes that a table of that size was written.
func (p *Pace) Wrote(namespace string, size int, now time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	usual := time.Duration(size) * time.Second / bytesPerSecond
	p.until[namespace] = waits{until: now.Add(usual), urgent: now.Add(min(usual, longestUrgent))}
}

// Forget drops a namespace that has no table any more.
func (p *Pace) Forget(namespace string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.until, namespace)
}
