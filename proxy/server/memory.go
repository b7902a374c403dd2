package server

import (
	"sync"

	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// memories are what routes remember over all tables.
type memories struct {
	mu     sync.Mutex
	routes map[string]*memory
}

// memory is what one route remembers.
type memory struct {
	route  *route.Memory
	mirror mirrorState
}

// of returns the memory of a route, by its identity.
func (m *memories) of(identity string) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.routes == nil {
		m.routes = map[string]*memory{}
	}
	known, ok := m.routes[identity]
	if !ok {
		known = &memory{route: route.NewMemory()}
		m.routes[identity] = known
	}
	return known
}

// retain forgets the routes that are gone.
func (m *memories) retain(live map[*table.Route]*routeEntry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := make(map[string]*memory, len(live))
	for r := range live {
		if known, ok := m.routes[identityOf(r)]; ok {
			kept[identityOf(r)] = known
		}
	}
	m.routes = kept
}

// identityOf tells a route from one of the same name that was deleted.
func identityOf(r *table.Route) string { return r.UID + "/" + r.Name }
