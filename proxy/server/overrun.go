package server

import (
	"sync"

	"signalbox.dev/signalbox/proxy/table"
)

// overrun names a target that has cost more than it could by its prices and the limits that it was sent. It does not honour them, or its prices are wrong: either
// way no bound holds there. An edit of the route or the credential is taken for a correction.
type overrun struct {
	route, credential table.Object
	target, model     string
}

// overruns are the targets that Hard budgets are not spent on.
type overruns struct {
	mu    sync.RWMutex
	known map[overrun]struct{}
}

// maxOverruns bounds them.
const maxOverruns = 1024

func overrunOf(r *routeEntry, a *attempt) overrun {
	return overrun{route: versionOf(r.Object), credential: versionOf(a.target.account), target: a.target.name, model: a.model}
}

// versionOf leaves out what tables change by themselves.
func versionOf(o table.Object) table.Object {
	o.Since = 0
	return o
}

func (o *overruns) has(target overrun) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	_, found := o.known[target]
	return found
}

// add notes a target and tells whether it is new.
func (o *overruns) add(target overrun) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, found := o.known[target]; found {
		return false
	}
	if o.known == nil || len(o.known) == maxOverruns {
		o.known = map[overrun]struct{}{}
	}
	o.known[target] = struct{}{}
	return true
}
