package identity

import (
	"sync"
	"time"
)

const (
	// maxVerified bounds how many verified tokens are remembered.
	maxVerified = 4096
	// maxRefused bounds how many refused tokens are.
	maxRefused = 4096
	// refusedFor is how long a token with a bad signature is refused without another look at its signature.
	refusedFor = 10 * time.Second
)

// memory remembers tokens by their hash, so that the signature of each is verified once: the good ones until they expire, the bad ones for a moment. Neither
// kind takes the other's room. It belongs to one set of issuers and keys.
type memory struct {
	lock sync.RWMutex
	good map[digest]*verified
	bad  map[digest]refused
}

// refused is a token whose signature is bad.
type refused struct {
	why   *Error
	until time.Time
}

func newMemory() *memory {
	return &memory{good: map[digest]*verified{}, bad: map[digest]refused{}}
}

func (m *memory) verified(key digest) (*verified, bool) {
	m.lock.RLock()
	defer m.lock.RUnlock()
	known, ok := m.good[key]
	return known, ok
}

// refusal returns why a token was refused a moment ago; nil if it was not.
func (m *memory) refusal(key digest, now time.Time) *Error {
	m.lock.RLock()
	defer m.lock.RUnlock()
	if known, ok := m.bad[key]; ok && now.Before(known.until) {
		return known.why
	}
	return nil
}

// remember keeps a verified token. When there is no room it forgets those that expired, and then any others until a quarter is free.
func (m *memory) remember(key digest, token *verified, now time.Time) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if len(m.good) >= maxVerified {
		for other, known := range m.good {
			if known.expired(now) {
				delete(m.good, other)
			}
		}
		for other := range m.good {
			if len(m.good) <= maxVerified*3/4 {
				break
			}
			delete(m.good, other)
		}
	}
	m.good[key] = token
}

// refuse keeps a refused token. When there is no room it begins anew: what is forgotten costs one more look.
func (m *memory) refuse(key digest, why *Error, now time.Time) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if len(m.bad) >= maxRefused {
		clear(m.bad)
	}
	m.bad[key] = refused{why: why, until: now.Add(refusedFor)}
}
