package limit

import (
	"container/list"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	// most is the largest figure that anything here takes, so that sums of many cannot overflow.
	most = int64(1) << 50
	// soon is the answer to "when" where only other calls' ends, or other replicas, can tell.
	soon = time.Second
)

// limiter counts the calls of one route, or of one of its callers. It is guarded by its route's lock.
type limiter struct {
	per    table.LimitScope
	caller string
	// limit has the numbers for all replicas together; 0 bounds nothing.
	limit    amounts
	maxWait  time.Duration
	maxQueue int

	window window
	// under is how many calls are under way.
	under int64
	// owned is this replica's share, and cap what it may admit: the share, what it was given, without what it gave.
	owned, cap amounts
	// recalled is what peers want back of it, until recalledUntil.
	recalled      amounts
	recalledUntil time.Duration
	// pairs are what was given and received, by peer.
	pairs []*pair
	// ceded is what was lost to replicas that joined, and claims what is not settled with them yet.
	ceded  amounts
	claims []*claim
	// demand fades with time; it was faded up to the tick.
	demand amounts
	faded  int64
	// shortSince is since when this replica wants more than it has, if it is short, and gainedAt when it last got something.
	short                bool
	shortSince, gainedAt time.Duration

	// queue holds the waiters in the order in which they came, and waiting the sum of what they need.
	queue   list.List
	waiting amounts
	// place is where the limiter stands among the route's callers by last use; nil for others.
	place *list.Element
}

// setLimit takes over the numbers of a table.
func (l *limiter) setLimit(t table.Limit) {
	l.limit = amounts{min(t.RequestsPerMinute, most), min(t.TokensPerMinute, most), min(t.Concurrency, most)}
	l.maxWait, l.maxQueue = t.MaxWait, t.MaxQueue
}

// used is how much of a kind counts now.
func (l *limiter) used(k kind) int64 {
	if k == concurrency {
		return l.under
	}
	return l.window.sum[k]
}

// free is how much of a kind may still be admitted; below 0 after the share has shrunk.
func (l *limiter) free(k kind) int64 { return l.cap[k] - l.used(k) - l.recalled[k] }

// refresh brings the limiter up to date with the time.
func (l *limiter) refresh(now time.Duration) {
	l.window.roll(tickOf(now))
	if now > l.recalledUntil {
		l.recalled = amounts{}
	}
}

// fits tells whether a call can be admitted now, whoever else waits.
func (l *limiter) fits(need amounts) bool {
	for k := range kind(kinds) {
		if l.limit[k] > 0 && l.free(k) < atLeastOne(need[k]) {
			return false
		}
	}
	return true
}

// atLeastOne lets a call that is expected to use nothing wait for what is used up all the same.
func atLeastOne(n int64) int64 { return max(n, 1) }

// book counts a call and returns the tick that it is booked in.
func (l *limiter) book(tick int64, need amounts) int64 {
	l.under += need[concurrency]
	return l.window.add(tick, [windowKind]int64{need[requests], need[tokens]})
}

// turn is when a call fits that comes after others which need ahead, and the kind that it waits for longest. known is false when other calls' ends, or other
// replicas, decide; never is true when the call is larger than the whole limit.
func (l *limiter) turn(now time.Duration, need, ahead amounts) (t turn) {
	t.kind = l.first()
	for k := range kind(kinds) {
		lacks := atLeastOne(need[k]) + ahead[k] - l.free(k)
		if l.limit[k] == 0 || lacks <= 0 {
			continue
		}
		if need[k] > l.limit[k] {
			return turn{kind: k, never: true, known: true}
		}
		wait, known := l.frees(now, k, lacks)
		if wait > t.wait {
			t = turn{kind: k, wait: wait, known: known}
		}
	}
	return t
}

// first is the first kind that the limit bounds.
func (l *limiter) first() kind {
	for k := range kind(kinds) {
		if l.limit[k] > 0 {
			return k
		}
	}
	return requests
}

// turn is when a call fits.
type turn struct {
	kind  kind
	wait  time.Duration
	known bool
	never bool
}

// frees is how long it takes until so much of a kind has been freed.
func (l *limiter) frees(now time.Duration, k kind, lacks int64) (wait time.Duration, known bool) {
	if k == concurrency {
		return soon, false
	}
	tick, enough := l.window.frees(k, lacks)
	if !enough {
		return time.Duration(span) * tickLength, false
	}
	return time.Duration(tick)*tickLength - now, true
}

// idle tells whether nothing is lost when the limiter is forgotten.
func (l *limiter) idle(tick int64) bool {
	l.window.roll(tick)
	return l.window.size == 0 && l.under == 0 && l.queue.Len() == 0 && len(l.pairs) == 0 && len(l.claims) == 0
}

// stand puts how the limiter stands into the standing, for the kinds of which less is left here than there.
func (l *limiter) stand(now time.Duration, s *Standing) {
	if l.limit[requests] > 0 && tighter(l.left(requests), l.limit[requests], s.RemainingRequests, s.LimitRequests) {
		s.LimitRequests, s.RemainingRequests, s.ResetRequests = l.limit[requests], l.left(requests), l.resets(now, requests)
	}
	if l.limit[tokens] > 0 && tighter(l.left(tokens), l.limit[tokens], s.RemainingTokens, s.LimitTokens) {
		s.LimitTokens, s.RemainingTokens, s.ResetTokens = l.limit[tokens], l.left(tokens), l.resets(now, tokens)
	}
}

// left is what a client can count on: what this replica may still admit by itself.
func (l *limiter) left(k kind) int64 { return max(0, l.free(k)) }

// resets is how long it takes until a window is empty.
func (l *limiter) resets(now time.Duration, k kind) time.Duration {
	tick, counts := l.window.empties(k)
	if !counts {
		return 0
	}
	return max(0, time.Duration(tick)*tickLength-now)
}

// tighter tells whether the share of a limit that is left is smaller than that of another, which may be none.
func tighter(left, limit, otherLeft, otherLimit int64) bool {
	if otherLimit < 0 {
		return true
	}
	return float64(left)*float64(otherLimit) < float64(otherLeft)*float64(limit)
}
