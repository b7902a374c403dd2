package status

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Pace remembers when statuses were written, so that numbers that drift are not written all the time. Its zero value remembers nothing; it is safe for
// concurrent use.
type Pace struct {
	mutex sync.Mutex
	last  map[types.NamespacedName]time.Time
}

// Wait is how long numbers that drift have to wait for the interval since the last write to pass. A clock that was set back makes it no longer.
func (p *Pace) Wait(name types.NamespacedName, interval time.Duration, now time.Time) time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	last, known := p.last[name]
	if !known {
		return 0
	}
	return min(interval, max(0, interval-now.Sub(last)))
}

// Wrote notes that a status was written.
func (p *Pace) Wrote(name types.NamespacedName, now time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.last == nil {
		p.last = map[types.NamespacedName]time.Time{}
	}
	p.last[name] = now
}

// Forget drops an object that is gone.
func (p *Pace) Forget(name types.NamespacedName) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.last, name)
}
