package server

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/identity"
)

const (
	// keyPatience is how long a request waits for a table with the key that its token was signed with.
	keyPatience = 3 * time.Second
	// maxKeyWaiters bounds how many requests wait at a time; what comes beyond them is refused at once.
	maxKeyWaiters = 64
)

// keyWaiters are the requests whose token was signed with a key that its issuer may have published only now.
type keyWaiters struct {
	// announce tells the manager that somebody waits; nil where there is no manager, and nobody waits.
	announce func()

	mutex   sync.Mutex
	count   int
	issuers map[string]int // waiting requests, by the URL of the issuer
	changed chan struct{}  // closed and replaced with each table
}

func newKeyWaiters(announce func()) *keyWaiters {
	return &keyWaiters{announce: announce, issuers: map[string]int{}, changed: make(chan struct{})}
}

// enter lets one more request wait for keys of an issuer, if there is room.
func (w *keyWaiters) enter(issuer string) bool {
	if w.announce == nil {
		return false
	}
	w.mutex.Lock()
	if w.count == maxKeyWaiters {
		w.mutex.Unlock()
		return false
	}
	w.count++
	w.issuers[issuer]++
	w.mutex.Unlock()
	w.announce()
	return true
}

func (w *keyWaiters) leave(issuer string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.count--
	if w.issuers[issuer]--; w.issuers[issuer] == 0 {
		delete(w.issuers, issuer)
	}
}

// wake lets those who wait look at the newest table.
func (w *keyWaiters) wake() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	close(w.changed)
	w.changed = make(chan struct{})
}

// next is closed at the next table.
func (w *keyWaiters) next() <-chan struct{} {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.changed
}

// KeysWanted are the URLs of the issuers whose newest keys somebody waits for.
func (s *Server) KeysWanted() []string {
	s.keyWaiters.mutex.Lock()
	defer s.keyWaiters.mutex.Unlock()
	return slices.Sorted(maps.Keys(s.keyWaiters.issuers))
}

// recognise finds out whose token it is. One that was signed with a key that may be too new for the table waits for the next one.
func (s *Server) recognise(c *call, token string) (*identity.Grant, error) {
	grant, err := c.snapshot.authenticator.Authenticate(token, c.start)
	issuer := awaited(err)
	if issuer == "" {
		return grant, err
	}
	if !s.keyWaiters.enter(issuer) {
		return nil, err
	}
	defer s.keyWaiters.leave(issuer)
	patience := time.NewTimer(keyPatience)
	defer patience.Stop()
	for {
		changed := s.keyWaiters.next()
		if newest := s.current.Load(); newest != c.snapshot {
			c.snapshot = newest
			grant, err = newest.authenticator.Authenticate(token, s.now())
			if awaited(err) == "" {
				return grant, err
			}
		}
		select {
		case <-changed:
		case <-patience.C:
			return nil, err
		case <-c.r.Context().Done():
			return nil, err
		}
	}
}

// awaited is the URL of the issuer whose newest keys may take what was refused; empty for none.
func awaited(err error) string {
	var refusal *identity.Error
	if !errors.As(err, &refusal) {
		return ""
	}
	return refusal.AwaitKeysOf
}
