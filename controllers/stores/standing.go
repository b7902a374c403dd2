package stores

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/controllers/broadcast"
)

// Standing is how the namespaces' users stand. It is safe for concurrent use.
type Standing struct {
	troubles broadcast.Broadcaster[string] // by namespace

	mutex sync.Mutex
	users map[user]state
}

// user is that of a namespace in a store.
type user struct {
	namespace string
	use       Use
}

// state is what is known of a user. The password is kept to see that it changed; it is in the manager's memory with the tables anyway.
type state struct {
	password string
	made     time.Time
	// trouble is why it could not be made, in the words of the first failure since it last could; empty if it was.
	trouble string
}

// NewStanding knows nothing yet.
func NewStanding() *Standing { return &Standing{users: map[user]state{}} }

// LedgerTrouble is what keeps a namespace's proxies from their ledgers, in words; empty for nothing that is known.
func (s *Standing) LedgerTrouble(namespace string) string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.users[user{namespace, ForLedgers}].trouble
}

// LedgerSource is a controller's source of requests at every change of a namespace's LedgerTrouble.
func (s *Standing) LedgerSource(requests broadcast.Requests[string]) source.Source {
	return s.troubles.Source(requests)
}

// get returns what is known of a user.
func (s *Standing) get(of user) state {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.users[of]
}

// set notes how a user stands and tells whether its trouble changed.
func (s *Standing) set(of user, now state) (changed bool) {
	s.mutex.Lock()
	changed = s.users[of].trouble != now.trouble
	s.users[of] = now
	s.mutex.Unlock()
	if changed && of.use == ForLedgers {
		s.troubles.Send(of.namespace)
	}
	return changed
}

// forget drops what is known of a user.
func (s *Standing) forget(of user) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.users, of)
}
