package spendbudget

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// driftInterval is the shortest time between two writes of numbers that drift.
const driftInterval = 2 * time.Second

// pace remembers when statuses were written. Its zero value remembers nothing.
type pace struct {
	mutex sync.Mutex
	last  map[types.NamespacedName]time.Time
}

// wait is how long numbers that drift have to wait.
func (p *pace) wait(name types.NamespacedName, now time.Time) time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	last, known := p.last[name]
	if !known {
		return 0
	}
	return min(driftInterval, max(0, driftInterval-now.Sub(last)))
}

// wrote notes that a status was written.
func (p *pace) wrote(name types.NamespacedName, now time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.last == nil {
		p.last = map[types.NamespacedName]time.Time{}
	}
	p.last[name] = now
}

// forget drops a budget that is gone.
func (p *pace) forget(name types.NamespacedName) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.last, name)
}
