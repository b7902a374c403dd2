package identity

import (
	"sync"
	"time"
)

// maxVerified bounds how many verified tokens are remembered.
const maxVerified = 4096

// cache remembers tokens that were verified, by their hash, so that each is verified once. It lives as long as the table whose keys verified them.
type cache struct {
	lock   sync.RWMutex
	tokens map[digest]verified
}

func (c *cache) get(key digest) (verified, bool) {
	c.lock.RLock()
	defer c.lock.RUnlock()
	known, ok := c.tokens[key]
	return known, ok
}

// put remembers a token. When there is no room it forgets those that expired, and then any others until a quarter is free.
func (c *cache) put(key digest, token verified, now time.Time) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if len(c.tokens) >= maxVerified {
		for other, known := range c.tokens {
			if known.expired(now) {
				delete(c.tokens, other)
			}
		}
		for other := range c.tokens {
			if len(c.tokens) <= maxVerified*3/4 {
				break
			}
			delete(c.tokens, other)
		}
	}
	c.tokens[key] = token
}
