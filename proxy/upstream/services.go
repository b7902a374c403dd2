package upstream

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

const (
	// refreshAfter is how old the addresses of a Service may be before a request has them looked up again.
	refreshAfter = 2 * time.Second
	// refreshOthersAfter is the same for hosts that turned out to be none.
	refreshOthersAfter = time.Minute
	// staleAfter is how old the addresses may be before a request waits for that; before, it goes on with what is known.
	staleAfter = 30 * time.Second
	// staleWait bounds that wait. The cluster's DNS answers in milliseconds, or is in trouble.
	staleWait = time.Second
	// maxServices bounds how many hosts are remembered; what comes past it is not spread.
	maxServices = 1024
	// forgottenAfter is how long a host has to be unused before it makes room for another one.
	forgottenAfter = time.Minute
)

// Resolver finds the servers behind hosts that may stand for several equal ones; endpoint.Dialer is one.
type Resolver interface {
	// Spreads says whether the host may be such a one. It is asked for every request, and must not wait.
	Spreads(host string) bool
	// Replicas returns the addresses of the servers behind the host. The host is dialled by its name when there are none
	// or one.
	Replicas(ctx context.Context, host string) ([]netip.Addr, error)
}

// services remembers the addresses of the hosts that may have several. It owns no goroutine: a request that finds
// addresses too old has them looked up, and unless they are very old does not wait for it.
type services struct {
	resolver Resolver
	pool     *pool
	timeout  time.Duration // of one lookup

	mu    sync.RWMutex
	known map[poolKey]*service
}

func newServices(resolver Resolver, idle *pool, timeout time.Duration) *services {
	return &services{resolver: resolver, pool: idle, timeout: timeout, known: map[poolKey]*service{}}
}

// find returns the servers behind the URL's host, nil when requests to it are not spread.
func (s *services) find(ctx context.Context, key poolKey, target *url.URL) (*replicaSet, error) {
	if s.resolver == nil || !s.resolver.Spreads(target.Hostname()) {
		return nil, nil
	}
	now := time.Now()
	found := s.get(key)
	if found == nil {
		if found = s.add(key, target, now); found == nil {
			return nil, nil
		}
	}
	return found.current(ctx, now)
}

func (s *services) get(key poolKey) *service {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.known[key]
}

func (s *services) add(key poolKey, target *url.URL, now time.Time) *service {
	_, port, _ := net.SplitHostPort(address(target)) // address joins the two
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[key]; known != nil {
		return known
	}
	if len(s.known) >= maxServices {
		s.forget(now)
	}
	if len(s.known) >= maxServices {
		return nil
	}
	added := &service{services: s, key: key, host: target.Hostname(), port: port}
	s.known[key] = added
	return added
}

// forget drops the hosts that nobody uses.
func (s *services) forget(now time.Time) {
	for key, known := range s.known {
		if known.unusedSince(now.Add(-forgottenAfter)) {
			delete(s.known, key)
		}
	}
}

// service is one host that may have several servers.
type service struct {
	services   *services
	key        poolKey
	host, port string

	mu   sync.Mutex
	used time.Time
	// asked is when the last lookup ended, zero before the first one.
	asked time.Time
	// asking is closed when the lookup under way ends; nil when there is none.
	asking chan struct{}
	// answered says whether a lookup ever went well; only then the next three mean something.
	answered bool
	others   bool        // the host is no Service
	set      *replicaSet // nil when the host has one server
	failure  error       // of the last lookup
}

func (s *service) unusedSince(moment time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used.Before(moment) && s.asking == nil
}

// current returns the servers as far as they are known, and has them looked up where that is due.
func (s *service) current(ctx context.Context, now time.Time) (*replicaSet, error) {
	s.mu.Lock()
	s.used = now
	age := now.Sub(s.asked)
	if s.asking == nil && s.due(age) {
		s.asking = make(chan struct{})
		go s.look(context.WithoutCancel(ctx))
	}
	asking, patience := s.asking, s.patience(age)
	s.mu.Unlock()
	if asking != nil && patience > 0 {
		if err := await(ctx, asking, patience); err != nil {
			return nil, err
		}
	}
	return s.latest(now)
}

// patience is how long a request waits for the lookup under way.
func (s *service) patience(age time.Duration) time.Duration {
	switch {
	case !s.answered:
		return s.services.timeout
	case age > staleAfter:
		return staleWait
	}
	return 0
}

func (s *service) due(age time.Duration) bool {
	switch {
	case !s.answered:
		return true
	case s.others:
		return age >= refreshOthersAfter
	}
	return age >= refreshAfter
}

// await waits for the end of a lookup. Its error is the end of the context.
func await(ctx context.Context, asking <-chan struct{}, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-asking:
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// latest returns the servers of the last lookup that went well. Addresses outlive DNS, but not for good: when it does
// not know the host and no server takes connections either, the lookup's error is the answer at once.
func (s *service) latest(now time.Time) (*replicaSet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil && (!s.answered || (s.set != nil && s.set.noneUsable(now))) {
		return nil, s.failure
	}
	return s.set, nil
}

// look looks the addresses up. It does not end with the request that began it, for others may wait for it.
func (s *service) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.services.timeout)
	defer cancel()
	addrs, err := s.services.resolver.Replicas(ctx, s.host)
	s.mu.Lock()
	s.failure = err
	s.asked = time.Now()
	var gone []poolKey
	if err == nil {
		gone = s.renew(addrs)
	}
	close(s.asking)
	s.asking = nil
	s.mu.Unlock()
	s.services.pool.discard(gone)
}

// renew takes over a new list of addresses, and returns the keys of those that are gone. A replica that stays keeps its
// counts.
func (s *service) renew(addrs []netip.Addr) (gone []poolKey) {
	earlier := map[poolKey]*replica{}
	if s.set != nil {
		for _, r := range s.set.replicas {
			earlier[r.key] = r
		}
	}
	s.answered, s.others, s.set = true, len(addrs) == 0, nil
	if len(addrs) > 1 {
		s.set = s.newSet(addrs, earlier)
	}
	for key := range earlier {
		gone = append(gone, key)
	}
	return gone
}

// newSet makes the set of the addresses, and takes out of earlier what it uses again.
func (s *service) newSet(addrs []netip.Addr, earlier map[poolKey]*replica) *replicaSet {
	most := s.services.pool.maxPerKey
	set := &replicaSet{maxIdle: (most + len(addrs) - 1) / len(addrs)}
	for _, addr := range addrs {
		key := s.key
		key.host += " at " + addr.String()
		r := earlier[key]
		delete(earlier, key)
		if r == nil {
			r = &replica{key: key, address: net.JoinHostPort(addr.String(), s.port), hash: hashOf(addr)}
		}
		set.replicas = append(set.replicas, r)
	}
	return set
}
