package route

import (
	"math"
	"time"
)

// defaultAffinityTTL is how long a session stays where neither the route nor the provider's cache says so.
const defaultAffinityTTL = 5 * time.Minute

// FNV-1a with 64 bits.
const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

// rampSalt keeps the hash that lets sessions back to a returning target apart from the one that places them.
const rampSalt = 0x9e3779b97f4a7c15

// hashName hashes a target's name. All proxies have to agree on it, so there is no seed.
func hashName(name string) uint64 {
	hash := uint64(fnvOffset)
	for _, c := range []byte(name) {
		hash = (hash ^ uint64(c)) * fnvPrime
	}
	return mix(hash)
}

// mix is the finalizer of splitmix64: each bit of the result depends on all bits of x.
func mix(x uint64) uint64 {
	x += rampSalt
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// rendezvous is the score of a target for a session; the highest wins. Over all sessions each target wins a share of its weight, and a target that comes
// or goes moves only the sessions that it wins or won.
func rendezvous(session, target uint64, weight int32) float64 {
	// The 53 bits of a float's mantissa, and a half so that neither 0 nor 1 is hit.
	const steps = 1 << 53
	chance := (float64(mix(session^target)>>11) + 0.5) / steps
	return -float64(weight) / math.Log(chance)
}

// isBack tells whether a session may go to a returning target that should get so many of a thousand calls. A session that was let back once is let back at
// every greater share, so it does not go to and fro while the share grows.
func isBack(session, target uint64, permille int) bool {
	return int(mix(session^target^rampSalt)%1000) < permille
}

// seated returns the index of the target where the call's session is; -1 when it is nowhere.
func (r *Router) seated(q *Query) int {
	if r.route.Affinity == nil || q.Affinity == 0 {
		return -1
	}
	where, ok := r.memory.get(q.Affinity)
	if !ok {
		return -1
	}
	for i := range r.targets {
		if t := &r.targets[i]; t.key == where.target {
			if q.Now.Sub(where.at) < r.stay(t) {
				return i
			}
			return -1
		}
	}
	return -1
}

// stay is how long after its last answer a session stays with a target.
func (r *Router) stay(t *routed) time.Duration {
	switch {
	case r.route.Affinity.TTL > 0:
		return r.route.Affinity.TTL
	case t.CacheTTL > 0:
		return t.CacheTTL
	default:
		return defaultAffinityTTL
	}
}
