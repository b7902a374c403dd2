package server

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/identity"
)

const (
	// keyPatience is how long a request at least waits for a table with the key that its token was signed with. Several API servers may learn of a new key
	// one after the other.
	keyPatience = 3 * time.Second
	// maxKeyPatience is how long it waits while it is not known what the issuer publishes now, because manager or issuer are away. Another manager leads
	// some 20 seconds after the last one was cut off.
	maxKeyPatience = 30 * time.Second
	// maxKeyWaiters bounds how many requests wait at a time; what comes beyond them is refused at once.
	maxKeyWaiters = 64
	// issuerRetry is when a client may come back that waited in vain.
	issuerRetry = 5 * time.Second
)

// keyWaiters are the requests whose token was signed with a key that its issuer may have published only now.
type keyWaiters struct {
	// announce tells the manager that somebody waits; nil where there is no manager, and nobody waits.
	announce func()

	mutex   sync.Mutex
	count   int
	asked   int64               // requests that ever came to wait
	issuers map[string]*keyWait // by URL, those for which a request waits
	changed chan struct{}       // closed and replaced with each table, and each answer of an issuer
}

// keyWait is what is known of an issuer while requests wait for it.
type keyWait struct {
	requests int
	// answered is how many of keyWaiters.asked came before the issuer was asked last, and digest tells what it answered; zero before the first answer.
	answered int64
	digest   string
}

func newKeyWaiters(announce func()) *keyWaiters {
	return &keyWaiters{announce: announce, issuers: map[string]*keyWait{}, changed: make(chan struct{})}
}

// enter lets one more request wait for keys of an issuer, if there is room. Its number tells which answers of the issuer count for it.
func (w *keyWaiters) enter(issuer string) (number int64, ok bool) {
	if w.announce == nil {
		return 0, false
	}
	w.mutex.Lock()
	if w.count == maxKeyWaiters {
		w.mutex.Unlock()
		return 0, false
	}
	if w.issuers[issuer] == nil {
		w.issuers[issuer] = &keyWait{}
	}
	w.issuers[issuer].requests++
	w.count++
	w.asked++
	number = w.asked
	w.mutex.Unlock()
	w.announce()
	return number, true
}

func (w *keyWaiters) leave(issuer string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.count--
	if w.issuers[issuer].requests--; w.issuers[issuer].requests == 0 {
		delete(w.issuers, issuer)
	}
}

// wake lets those who wait look at the newest table.
func (w *keyWaiters) wake() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.signal()
}

// signal needs the mutex to be held.
func (w *keyWaiters) signal() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// next is closed when there is something new to look at.
func (w *keyWaiters) next() <-chan struct{} {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.changed
}

// answer notes what an issuer answered when it was asked after that many requests had come to wait.
func (w *keyWaiters) answer(issuer string, asked int64, digest string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	waiting := w.issuers[issuer]
	if waiting == nil || asked < waiting.answered {
		return
	}
	waiting.answered, waiting.digest = asked, digest
	w.signal()
}

// settled tells whether an issuer was asked after the request with the number had come, and published no other keys than those in force.
func (w *keyWaiters) settled(issuer string, number int64, inForce *identity.Authenticator) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	waiting := w.issuers[issuer]
	return waiting != nil && waiting.answered >= number && inForce.HasKeys(issuer, waiting.digest)
}

// KeysWanted are the URLs of the issuers whose newest keys requests wait for, and how many requests have ever come to wait for any.
func (s *Server) KeysWanted() (issuers []string, asked int64) {
	s.keyWaiters.mutex.Lock()
	defer s.keyWaiters.mutex.Unlock()
	return slices.Sorted(maps.Keys(s.keyWaiters.issuers)), s.keyWaiters.asked
}

// KeysFound tells what an issuer, by its URL, answered when it was asked after KeysWanted had counted that many requests. The digest is that of the keys
// that it publishes, see identity.KeysDigest; they come with a table if they are new.
func (s *Server) KeysFound(issuer string, asked int64, digest string) {
	s.keyWaiters.answer(issuer, asked, digest)
}

// recognise finds out whose token it is. One that was signed with a key that may be too new for the table waits for the next one.
func (s *Server) recognise(c *call, token string) (*identity.Grant, error) {
	grant, err := c.snapshot.authenticator.Authenticate(token, c.start)
	issuer := awaited(err)
	if issuer == "" {
		return grant, err
	}
	number, ok := s.keyWaiters.enter(issuer)
	if !ok {
		return nil, err
	}
	defer s.keyWaiters.leave(issuer)
	patience, end := time.NewTimer(keyPatience), time.NewTimer(maxKeyPatience)
	defer patience.Stop()
	defer end.Stop()
	for patient := true; ; {
		changed := s.keyWaiters.next()
		if newest := s.current.Load(); newest != c.snapshot {
			c.snapshot = newest
			grant, err = newest.authenticator.Authenticate(token, s.now())
			if awaited(err) == "" {
				return grant, err
			}
		}
		if !patient && s.keyWaiters.settled(issuer, number, c.snapshot.authenticator) {
			return nil, err
		}
		select {
		case <-changed:
		case <-patience.C:
			patient = false
		case <-end.C:
			return nil, issuerUnavailable()
		case <-c.r.Context().Done():
			return nil, err
		}
	}
}

// issuerUnavailable is no verdict on the token: a client that comes back with it may be served.
func issuerUnavailable() error {
	refusal := &Error{
		Code: CodeIssuerUnavailable, Status: http.StatusServiceUnavailable,
		Message: "the token was signed with a key that is not known here, and its issuer's newest keys cannot be read at the moment; try again",
	}
	return refusal.withRetryAfter(issuerRetry)
}

// awaited is the URL of the issuer whose newest keys may take what was refused; empty for none.
func awaited(err error) string {
	var refusal *identity.Error
	if !errors.As(err, &refusal) {
		return ""
	}
	return refusal.AwaitKeysOf
}
