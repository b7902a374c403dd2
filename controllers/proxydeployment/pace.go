package proxydeployment

import (
	"sync"
	"time"
)

// bytesPerSecond is how fast the tables of one namespace are written. Every version stays in the API server's store for some minutes, so hundreds of
// changes of a large table within seconds are gathered; a change after a quiet time is written at once, and a small table practically always.
const bytesPerSecond = 1 << 20

// Pace remembers when tables were written. It is safe for concurrent use.
type Pace struct {
	mutex sync.Mutex
	until map[string]time.Time
}

// NewPace returns a Pace without memory.
func NewPace() *Pace { return &Pace{until: map[string]time.Time{}} }

// Wait is how long the next table of a namespace has to wait.
func (p *Pace) Wait(namespace string, now time.Time) time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return max(0, p.until[namespace].Sub(now))
}

// Wrote notes that a table of that size was written.
func (p *Pace) Wrote(namespace string, size int, now time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.until[namespace] = now.Add(time.Duration(size) * time.Second / bytesPerSecond)
}

// Forget drops a namespace that has no table any more.
func (p *Pace) Forget(namespace string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.until, namespace)
}
