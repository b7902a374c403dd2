package upstream

import (
	"hash/fnv"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	// maxReplicasTried bounds how many servers of one host a request may try to connect to.
	maxReplicasTried = 3
	// avoidance is how long a server that took no connection is passed over. After that one request tries it again.
	avoidance = 5 * time.Second
)

// replica is one of the servers behind a host.
type replica struct {
	key     poolKey
	address string // to dial
	hash    uint64

	// inFlight counts the requests that were sent to it and whose response has not ended.
	inFlight atomic.Int64
	// avoided is until when the replica is passed over; nil while it takes connections.
	avoided atomic.Pointer[time.Time]
}

// usable says whether the replica is not passed over.
func (r *replica) usable(now time.Time) bool {
	until := r.avoided.Load()
	return until == nil || !now.Before(*until)
}

// enter counts a request. Where the replica was avoided, this is the one request that tries it again.
func (r *replica) enter(now time.Time) {
	r.inFlight.Add(1)
	if until := r.avoided.Load(); until != nil && !now.Before(*until) {
		later := now.Add(avoidance)
		r.avoided.CompareAndSwap(until, &later)
	}
}

// leave ends what enter began. A nil replica stands for a host that is not spread.
func (r *replica) leave() {
	if r != nil {
		r.inFlight.Add(-1)
	}
}

// reached notes that the replica takes connections.
func (r *replica) reached() {
	if r.avoided.Load() != nil {
		r.avoided.Store(nil)
	}
}

// unreached notes that the replica took no connection.
func (r *replica) unreached(now time.Time) {
	until := now.Add(avoidance)
	r.avoided.Store(&until)
}

// replicaSet holds the servers behind a host, two at least. It does not change.
type replicaSet struct {
	replicas []*replica
	// maxIdle bounds the idle connections to each of them.
	maxIdle int
}

// order is the replicas that a request tries, in that order; unused places at the end are nil.
type order [maxReplicasTried]*replica

// count is how many replicas there are.
func (o *order) count() int {
	n := 0
	for n < len(o) && o[n] != nil {
		n++
	}
	return n
}

// byAffinity orders by rendezvous hashing: each replica has a score of its own for every hash, and the highest goes
// first. A replica that comes or goes moves the hashes that it wins, and no others. Those to avoid come last.
func (s *replicaSet) byAffinity(hash uint64, now time.Time) order {
	var best order
	var places [maxReplicasTried]place
	for _, r := range s.replicas {
		at := place{r.usable(now), mix(hash ^ r.hash)}
		for i := range best {
			if best[i] == nil {
				best[i], places[i] = r, at
				break
			}
			if at.before(places[i]) {
				best[i], r = r, best[i]
				places[i], at = at, places[i]
			}
		}
	}
	return best
}

// byLoad takes two replicas at random and begins with the one that has fewer requests in flight. Always taking the
// least loaded of all would send everybody to the same one in the moment it comes.
func (s *replicaSet) byLoad(random uint64, now time.Time) order {
	best := s.byAffinity(random, now)
	first, second := best[0], best[1]
	if second.usable(now) && second.inFlight.Load() < first.inFlight.Load() {
		best[0], best[1] = second, first
	}
	return best
}

// noneUsable says whether every replica is to be avoided.
func (s *replicaSet) noneUsable(now time.Time) bool {
	for _, r := range s.replicas {
		if r.usable(now) {
			return false
		}
	}
	return true
}

// place is where a replica stands in an order.
type place struct {
	usable bool
	score  uint64
}

func (p place) before(other place) bool {
	if p.usable != other.usable {
		return p.usable
	}
	return p.score > other.score
}

// hashOf hashes an address, the same in every process.
func hashOf(addr netip.Addr) uint64 {
	hash := fnv.New64a()
	bytes := addr.As16()
	_, _ = hash.Write(bytes[:]) // a hash takes everything
	return hash.Sum64()
}

// mix is the finalizer of SplitMix64: every bit of x changes half of the bits of the result.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
