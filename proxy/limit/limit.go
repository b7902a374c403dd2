// Package limit bounds what callers can ask for: requests a minute, tokens a minute and calls under way, by route or by caller, over all ready replicas of a
// namespace's proxy together. It does no I/O; peers carry what replicas tell each other.
//
// A minute is a sliding one: what was admitted counts for 60 s, in ticks of half a second that count until all of them is over.
//
// What a replica may admit is its cap of a limit. Let it hold the larger of its cap and of what is in use, which is what the last minute admitted or what is under
// way. Admitting never raises what it holds, for it stops at the cap. All that replicas do to each other keeps the sum of what they hold, and of what is on its way
// between them, at or below the limit:
//
//   - Each owns an equal share. What shares is known to all that have a part: a replica gets its part only once every other one has told that it counts it, so no
//     two shares are of fewer replicas than there are, and the more replicas there are the smaller is each share.
//   - When a replica joins, the others shrink at once. What they have in use beyond the smaller share is not the joiner's yet: they tell what of it has been freed,
//     and until nothing is in use the joiner's part is no more than that.
//   - What is lent is deducted before it is said, and only what is not in use is lent. The sums of a pair only grow and are said again until they are known to be
//     heard: a message that is lost delays, one that is repeated or overtaken changes nothing. What the lender wants back is not admitted again but returned.
//   - Who is gone keeps its part for a minute. Then the others stop counting on what it lent them, and only once none of them uses any of that, and all have
//     said so, it is divided. A replica that joins meanwhile gets nothing of that part.
//
// Nothing depends on clocks that agree, and a replica that cannot reach the others goes on with what it has. Only a correction above an estimate can exceed a limit.
package limit

import (
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// Options of a Set.
type Options struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// After wakes those who wait; nil means time.After.
	After func(time.Duration) <-chan time.Time
	// Changed is called, without locks, when the other replicas should be told something at once; may be nil.
	Changed func()
}

// Set holds the limits of all routes, over all tables. Its methods may be called by any number of goroutines.
type Set struct {
	now     func() time.Time
	after   func(time.Duration) <-chan time.Time
	changed func()
	// start is the time that all others are told from.
	start time.Time
	// maxCallers bounds the callers of a route that are counted by themselves.
	maxCallers int

	// limited has the routes that have limits, by name, for the path of a call.
	limited atomic.Pointer[map[string]*route]
	mu      sync.Mutex
	// routes has those as well that had limits within the last minute.
	routes map[string]*route

	// self is this replica's name, empty until a peer has said it.
	self string
	// peers are the others, ghosts included, and departed the last ones that were forgotten.
	peers    map[string]*peer
	departed []string
	// meshed tells that Members was called; settled that it once said so; active that this replica has a part in the limits.
	meshed, settled, active bool
	view                    view
	// number counts the messages, and names the pairs.
	number int64
	names  atomic.Int64
	// ripe is when ghosts have to be looked at.
	ripe atomic.Int64
	// urgent tells that the others should be told something at once; they last were at urged.
	urgent atomic.Bool
	urged  atomic.Int64
}

// NewSet returns a set without limits that belongs to a replica without peers: it has all of every limit.
func NewSet(o Options) *Set {
	s := &Set{now: o.Now, after: o.After, changed: o.Changed, maxCallers: maxCallers, routes: map[string]*route{}, peers: map[string]*peer{},
		active: true, view: view{size: 1, active: true, open: true}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.after == nil {
		s.after = time.After
	}
	if s.changed == nil {
		s.changed = func() {}
	}
	s.start = s.now()
	s.limited.Store(&map[string]*route{})
	s.ripe.Store(int64(never))
	s.urged.Store(-int64(urgency))
	return s
}

// elapsed is the time.
func (s *Set) elapsed() time.Duration { return max(0, s.now().Sub(s.start)) }

// never is later than any time.
const never = time.Duration(1<<63 - 1)

// tell calls the other replicas if there is something urgent, but not all the time: what is not told now goes with the next regular exchange.
func (s *Set) tell() {
	if !s.urgent.Load() || !s.urgent.Swap(false) {
		return
	}
	now, last := int64(s.elapsed()), s.urged.Load()
	if now-last >= int64(urgency) && s.urged.CompareAndSwap(last, now) {
		s.changed()
	}
}

// ripenInTime lets ghosts go also when there is nobody left to talk to.
func (s *Set) ripenInTime(now time.Duration) {
	if int64(now) < s.ripe.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ripen(now)
}

// routeOf is the route of a name; nil when it has no limits.
func (s *Set) routeOf(name string) *route { return (*s.limited.Load())[name] }

// Use takes over the limits of a table. What was counted stays, also where a limit's numbers changed.
func (s *Set) Use(routes []table.Route) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limited := make(map[string]*route, len(routes))
	for i := range routes {
		name := routes[i].Name
		r := s.routes[name]
		if r == nil {
			if len(routes[i].Limits) == 0 {
				continue
			}
			r = newRoute(s, name)
			s.routes[name] = r
		}
		if r.use(routes[i].Limits) {
			limited[name] = r
		}
	}
	for name, r := range s.routes {
		if limited[name] != nil {
			continue
		}
		if r.use(nil); r.empty() {
			delete(s.routes, name)
		}
	}
	s.limited.Store(&limited)
}

// Call is what wants to be admitted.
type Call struct {
	// Route is the name of the route and Caller the caller, in identity's words.
	Route, Caller string
	// Tokens is an estimate of what it will use.
	Tokens int64
}

// Standing is how limits stand, as this replica knows it. A figure below 0 is that of no limit.
type Standing struct {
	LimitRequests, LimitTokens         int64
	RemainingRequests, RemainingTokens int64
	ResetRequests, ResetTokens         time.Duration
}

// Refusal is why a call was not admitted.
type Refusal struct {
	// Per says whose calls the limit counts, and What of them: "requests per minute", "tokens per minute", "concurrent calls".
	Per  table.LimitScope
	What string
	// Limit is the number.
	Limit int64
	// RetryAfter is when a call like this one would be admitted, as far as this replica knows; 0 when it never would, being larger than the limit.
	RetryAfter time.Duration
	// Queue tells that the queue was full, or the wait too long.
	Queue bool
	// Left tells that the context ended while the call waited.
	Left bool
	// Standing of the limits.
	Standing Standing
}
