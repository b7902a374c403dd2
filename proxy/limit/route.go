package limit

import (
	"container/list"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	// maxCallers bounds the callers of a route that are counted by themselves.
	maxCallers = 16_384
	// evictionTries is how many of the callers that were not seen for longest are looked at for one that can be forgotten.
	evictionTries = 8
	// crowdName stands for all callers for whom there is no room. No identity contains a zero byte.
	crowdName = "\x00"
)

// route counts the calls of one route. One lock guards all its limiters, so that they are asked and booked at once.
type route struct {
	set  *Set
	name string

	mu sync.Mutex
	// all counts all calls; nil without a limit of scope Route.
	all *limiter
	// callerLimit is the limit of scope Caller, if perCaller.
	callerLimit table.Limit
	perCaller   bool
	callers     map[string]*limiter
	// recent has the callers' limiters, the last one seen in front.
	recent list.List
	// crowd counts, together, callers for whom there was no room.
	crowd *limiter
	// lines has the callers' limiters that have a queue, in the order in which these began.
	lines list.List

	// view is who shares the limits.
	view view
	// told is what peers told of what they still hold of this replica's share.
	told map[tellingKey]telling
	// talk has the limiters of which there may be something to say to peers.
	talk map[*limiter]struct{}
}

func newRoute(s *Set, name string) *route {
	return &route{set: s, name: name, callers: map[string]*limiter{}, view: s.view, told: map[tellingKey]telling{}, talk: map[*limiter]struct{}{}}
}

// use takes over the limits of a table and tells whether the route has any.
func (r *route) use(limits []table.Limit) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	tick := tickOf(r.set.elapsed())
	var all *table.Limit
	r.perCaller = false
	for i := range limits {
		switch limits[i].Per {
		case table.PerRoute:
			all = &limits[i]
		case table.PerCaller:
			r.callerLimit, r.perCaller = limits[i], true
		}
	}
	r.useAll(tick, all)
	r.useEach(tick)
	r.pump(r.set.elapsed())
	return all != nil || r.perCaller
}

// useAll sets the numbers of all calls. Without a limit they are no more bounded, but kept until they are no use.
func (r *route) useAll(tick int64, limit *table.Limit) {
	if limit == nil {
		limit = &table.Limit{}
	} else if r.all == nil {
		r.all = &limiter{per: table.PerRoute}
	}
	if r.all == nil {
		return
	}
	r.all.setLimit(*limit)
	r.recount(r.all)
	if r.all.limit == (amounts{}) && r.all.idle(tick) {
		r.all = nil
	}
}

func (r *route) useEach(tick int64) {
	if !r.perCaller {
		r.callerLimit = table.Limit{}
	}
	for _, l := range r.callers {
		l.setLimit(r.callerLimit)
		r.recount(l)
		if !r.perCaller && l.idle(tick) {
			r.forget(l)
		}
	}
	if r.crowd != nil {
		r.crowd.setLimit(r.callerLimit)
		r.recount(r.crowd)
	}
}

// empty tells whether nothing is lost when a route that has no limits is forgotten.
func (r *route) empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	tick := tickOf(r.set.elapsed())
	for _, l := range r.callers {
		if l.idle(tick) {
			r.forget(l)
		}
	}
	return len(r.callers) == 0 && (r.all == nil || r.all.idle(tick)) && (r.crowd == nil || r.crowd.idle(tick))
}

// every goes over all limiters.
func (r *route) every(yield func(*limiter) bool) {
	for _, l := range [...]*limiter{r.all, r.crowd} {
		if l != nil && !yield(l) {
			return
		}
	}
	for _, l := range r.callers {
		if !yield(l) {
			return
		}
	}
}

// crowdLimiter counts all for whom there is no room.
func (r *route) crowdLimiter() *limiter {
	if r.crowd == nil {
		r.crowd = &limiter{per: table.PerCaller, caller: crowdName}
		r.crowd.setLimit(r.callerLimit)
		r.recount(r.crowd)
	}
	return r.crowd
}

// callerLimiter is what counts a caller's calls: a limiter of its own, or one for the crowd when there is no room and nobody can be forgotten. While the crowd's
// window holds anything a caller without a limiter stays in the crowd; a fresh one would give it a second minute.
func (r *route) callerLimiter(caller string, now time.Duration) *limiter {
	if l := r.callers[caller]; l != nil {
		r.recent.MoveToFront(l.place)
		return l
	}
	tick := tickOf(now)
	if r.crowd != nil && !r.crowd.idle(tick) || !r.makeRoom(tick) {
		return r.crowdLimiter()
	}
	l := &limiter{per: table.PerCaller, caller: caller}
	l.setLimit(r.callerLimit)
	l.place = r.recent.PushFront(l)
	r.callers[caller] = l
	r.recount(l)
	return l
}

// makeRoom makes room for one more caller.
func (r *route) makeRoom(tick int64) bool {
	if len(r.callers) < r.set.maxCallers {
		return true
	}
	place := r.recent.Back()
	for range evictionTries {
		if place == nil {
			return false
		}
		if l := place.Value.(*limiter); l.idle(tick) {
			r.forget(l)
			return true
		}
		place = place.Prev()
	}
	return false
}

func (r *route) forget(l *limiter) {
	delete(r.callers, l.caller)
	r.recent.Remove(l.place)
	delete(r.talk, l)
}
