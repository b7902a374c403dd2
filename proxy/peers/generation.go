package peers

import (
	"context"
	"errors"
	"sync"

	"signalbox.dev/signalbox/proxy/control"
)

// Generation asks all other replicas at once what they know of a request, by its id, and returns the first answer that take accepts. It waits no longer
// than control.GenerationTimeout for the slowest of them.
func (m *Mesh) Generation(ctx context.Context, id string, take func(known []byte) bool) bool {
	identity := m.options.Identity()
	if identity == nil || !control.ValidGenerationID(id) {
		return false
	}
	m.mutex.Lock()
	calls := m.roster.all()
	m.mutex.Unlock()
	ctx, cancel := context.WithTimeout(ctx, control.GenerationTimeout)
	defer cancel()
	answers := make(chan []byte, len(calls))
	var asking sync.WaitGroup
	for _, to := range calls {
		asking.Go(func() {
			known, err := m.caller.Generation(ctx, to.addr.String(), identity, id)
			switch {
			case err == nil:
				answers <- known
			case !errors.Is(err, control.ErrNoGeneration):
				m.options.Log.Debug("a replica did not tell what it knows of a request", "addr", to.addr.String(), "error", err)
			}
		})
	}
	go func() {
		asking.Wait()
		close(answers)
	}()
	for known := range answers {
		if take(known) {
			return true
		}
	}
	return false
}
