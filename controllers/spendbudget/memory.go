package spendbudget

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// memory holds what was last read of ledgers outside of the cluster, so that statuses do not flap whenever a store does not answer. Its zero value is empty; it is
// safe for concurrent use.
type memory struct {
	mutex sync.Mutex
	known map[types.NamespacedName]memo
}

type memo struct {
	documents []Document
	at        time.Time
}

// note remembers what was read.
func (m *memory) note(name types.NamespacedName, documents []Document, now time.Time) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.known == nil {
		m.known = map[types.NamespacedName]memo{}
	}
	m.known[name] = memo{documents: documents, at: now}
}

// last returns what was read no longer than graceTime ago.
func (m *memory) last(name types.NamespacedName, now time.Time) ([]Document, bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	found, known := m.known[name]
	if !known || now.Sub(found.at) > graceTime {
		return nil, false
	}
	return found.documents, true
}

// forget drops a ledger.
func (m *memory) forget(name types.NamespacedName) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	delete(m.known, name)
}
