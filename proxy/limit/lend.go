package limit

import (
	"slices"
	"time"
)

const (
	// decay is the part of the demand that is forgotten in each tick, as a divisor.
	decay = 16
	// perDemand makes of the decaying demand, two units for each minute's ticks over decay, what a minute needs.
	perDemand = int64(minute/tickLength) / decay
	// keep is the part of its share that a replica does not lend, as a divisor.
	keep = 20
	// askLasts is how long a peer's wish stands without being heard again.
	askLasts = 2 * time.Second
	// hope is how long calls may wait for what peers could lend while nothing comes.
	hope = time.Second
	// urgency bounds how often peers are called at once.
	urgency = 100 * time.Millisecond
)

// pair is what this replica and a peer have given each other of one limiter. Both sides count only upwards and say the sums, so that messages may be lost,
// repeated and reordered.
type pair struct {
	peer *peer
	// mine and theirs name the counts of both sides, so that those of a limiter that was forgotten meanwhile are not taken for those of its successor.
	mine, theirs int64
	// given is deducted here before it is said; acked is what of it the peer is known to have; received is what the peer gave.
	given, acked, received amounts
	// want is what the peer asks for, heard at asked.
	want  amounts
	asked time.Duration
	// reply tells that the peer waits for an answer.
	reply bool
}

// borrowed is how much more the peer gave than it got.
func (p *pair) borrowed(k kind) int64 { return max(0, p.received[k]-p.given[k]) }

// due is what the peer wants back of what it lent.
func (p *pair) due(k kind, now time.Duration) int64 {
	if now-p.asked > askLasts {
		return 0
	}
	return min(p.want[k], p.borrowed(k))
}

func (l *limiter) pairOf(p *peer) *pair {
	for _, q := range l.pairs {
		if q.peer == p {
			return q
		}
	}
	return nil
}

// pairWith is the pair with a peer, a new one if there is none.
func (r *route) pairWith(l *limiter, p *peer) *pair {
	if q := l.pairOf(p); q != nil {
		return q
	}
	q := &pair{peer: p, mine: r.set.names.Add(1)}
	l.pairs = append(l.pairs, q)
	r.talk[l] = struct{}{}
	return q
}

// demands counts demand: all calls of the windows' kinds, and calls under way that found no room.
func (l *limiter) demands(tick int64, need amounts) {
	l.fade(tick)
	for k := range need {
		l.demand[k] = min(l.demand[k]+need[k], most)
	}
}

// fade forgets demand.
func (l *limiter) fade(tick int64) {
	steps := tick - l.faded
	l.faded = max(tick, l.faded)
	if steps > 8*decay {
		l.demand = amounts{}
	}
	for range min(steps, 8*decay) {
		for k, d := range l.demand {
			l.demand[k] = d - (d+decay-1)/decay
		}
	}
}

// needs is how much of a kind this replica would use if calls kept coming as they do.
func (l *limiter) needs(k kind) int64 {
	if k == concurrency {
		return l.under + l.waiting[k] + l.demand[k]
	}
	return max(l.window.sum[k], l.demand[k]*perDemand) + l.waiting[k]
}

// wants is what this replica asks its peers for.
func (l *limiter) wants() amounts {
	var want amounts
	for k := range kind(kinds) {
		if l.limit[k] > 0 {
			want[k] = max(0, min(l.needs(k), l.limit[k])-l.cap[k], l.excess(k))
		}
	}
	return want
}

// hopeful tells whether peers may still give something: they have a part, and were not asked in vain for a while.
func (l *limiter) hopeful(now time.Duration) bool {
	return l.short && now-max(l.shortSince, l.gainedAt) < hope
}

// recall sets aside what peers want back, so that it is not admitted as soon as it comes free.
func (l *limiter) recall(now time.Duration) {
	l.recalled, l.recalledUntil = amounts{}, now+askLasts
	for _, p := range l.pairs {
		for k := range kind(kinds) {
			l.recalled[k] += p.due(k, now)
		}
	}
}

// give deducts what a peer is to get: what it lent and wants back, what is to spare, and all that was borrowed when there is no use for it any more.
func (r *route) give(l *limiter, p *pair, now time.Duration) {
	if p.theirs == 0 {
		return
	}
	given := p.given
	for k := range kind(kinds) {
		if l.limit[k] > 0 {
			n := l.gives(p, k, now)
			p.given[k] += n
			p.want[k] = max(0, p.want[k]-n)
		}
	}
	if given != p.given {
		r.recount(l)
		l.recall(now)
	}
}

// gives is how much of a kind a peer gets.
func (l *limiter) gives(p *pair, k kind, now time.Duration) int64 {
	unused := l.cap[k] - l.used(k)
	if l.needs(k) == 0 && unused > 0 && p.borrowed(k) > 0 {
		return min(unused, p.borrowed(k))
	}
	if now-p.asked > askLasts || p.want[k] == 0 || unused <= 0 {
		return 0
	}
	due := p.due(k, now)
	back := min(due, unused)
	spare := l.cap[k] - max(l.used(k), l.needs(k)) - back - (l.recalled[k] - due) - l.owned[k]/keep
	return back + max(0, min(p.want[k]-back, spare))
}

// tidy forgets pairs that are even and of no use, and takes a limiter that has nothing to say out of the talk.
func (r *route) tidy(l *limiter, tick int64) {
	l.fade(tick)
	l.window.roll(tick)
	quiet := l.window.size == 0 && l.under == 0 && l.queue.Len() == 0 && l.demand == (amounts{})
	if quiet {
		l.pairs = slices.DeleteFunc(l.pairs, func(p *pair) bool {
			return !p.peer.ghost && !p.reply && p.given == p.acked && p.given == p.received && p.want == (amounts{})
		})
	}
	if len(l.pairs) == 0 && len(l.claims) == 0 && l.wants() == (amounts{}) {
		delete(r.talk, l)
	}
}
