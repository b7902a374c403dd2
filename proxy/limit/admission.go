package limit

import (
	"context"
	"time"
)

// Admission is a call that was admitted. A nil Admission, and the zero one, do nothing: the route has no limits.
type Admission struct {
	route *route
	// own counts the caller, all the route; either may be nil.
	own, all *limiter
	// ownTick and allTick are where the call is booked, and booked is what it is booked as.
	ownTick, allTick int64
	booked           amounts
}

// Admit admits a call, at once or after its time in the queue, or refuses it. An admission must be released. The route's limits are all asked; a refusal
// leaves no trace in any of them. When the context ends in the queue the refusal's Left is true.
func (s *Set) Admit(ctx context.Context, c Call) (*Admission, *Refusal) {
	r := s.routeOf(c.Route)
	if r == nil {
		return nil, nil
	}
	now := s.elapsed()
	s.ripenInTime(now)
	admission, w, refusal := r.ask(c, now)
	s.tell()
	if w == nil {
		return admission, refusal
	}
	o := r.wait(ctx, w, now)
	return o.admission, o.refusal
}

// ask admits or refuses a call at once, or puts it into a queue.
func (r *route) ask(c Call, now time.Duration) (*Admission, *waiter, *Refusal) {
	need := amounts{1, min(max(c.Tokens, 0), most), 1}
	r.mu.Lock()
	defer r.mu.Unlock()
	own, all := r.limiters(c.Caller, now)
	r.demand(own, need, now)
	r.demand(all, need, now)
	switch {
	case own != nil && (own.queue.Len() > 0 || !own.fits(need)):
		return r.queueUp(own, all, own, need, now)
	case all != nil && (all.queue.Len() > 0 || !all.fits(need)):
		return r.queueUp(own, all, all, need, now)
	}
	return r.book(own, all, need, now), nil, nil
}

// limiters are those that count a call, up to date.
func (r *route) limiters(caller string, now time.Duration) (own, all *limiter) {
	if r.perCaller {
		own = r.callerLimiter(caller, now)
		own.refresh(now)
	}
	if r.all != nil && r.all.limit != (amounts{}) {
		all = r.all
		all.refresh(now)
	}
	return own, all
}

// demand counts what is asked of a limiter, so that peers can be asked for more before it runs out.
func (r *route) demand(l *limiter, need amounts, now time.Duration) {
	if l == nil || r.view.size == 1 {
		return
	}
	if l.limit[concurrency] == 0 || l.free(concurrency) > 0 {
		need[concurrency] = 0
	}
	l.demands(tickOf(now), need)
	if l.wants() == (amounts{}) {
		l.short = false
		return
	}
	r.talk[l] = struct{}{}
	if !l.short {
		l.short, l.shortSince = true, now
	}
	if l.hopeful(now) {
		r.set.urgent.Store(true)
	}
}

func (r *route) queueUp(own, all, at *limiter, need amounts, now time.Duration) (*Admission, *waiter, *Refusal) {
	w := &waiter{need: need, own: own, all: all, since: now, out: make(chan outcome, 1), nudge: make(chan struct{}, 1)}
	if refusal := r.join(w, at, now); refusal != nil {
		return nil, nil, refusal
	}
	w.checkAt = r.nextCheck(w, now)
	return nil, w, nil
}

// book counts a call that fits.
func (r *route) book(own, all *limiter, need amounts, now time.Duration) *Admission {
	tick := tickOf(now)
	a := &Admission{route: r, own: own, all: all, booked: need}
	if own != nil {
		a.ownTick = own.book(tick, need)
	}
	if all != nil {
		a.allTick = all.book(tick, need)
	}
	return a
}

// refuse says why a limiter does not admit a call, and when all that count it would.
func (r *route) refuse(w *waiter, l *limiter, now time.Duration) *Refusal {
	t := l.turn(now, w.need, w.ahead(l))
	refusal := &Refusal{Per: l.per, What: t.kind.what(), Limit: l.limit[t.kind], RetryAfter: r.retryAfter(w, now)}
	refusal.Standing, _ = standing(w.own, w.all, now)
	return refusal
}

// retryAfter is when a call like this one would be admitted; 0 when it never would.
func (r *route) retryAfter(w *waiter, now time.Duration) time.Duration {
	after := time.Millisecond
	for _, l := range [...]*limiter{w.own, w.all} {
		if l == nil {
			continue
		}
		t := l.turn(now, w.need, w.ahead(l))
		switch {
		case t.never:
			return 0
		case l.hopeful(now) || !r.view.active:
			t.wait = min(t.wait, soon)
		}
		after = max(after, t.wait)
	}
	return after
}

// Correct replaces the estimate by what the call really used. A call that reached no provider gives back its request, too: tokens is then below 0.
func (a *Admission) Correct(tokens int64) {
	if a == nil || a.route == nil {
		return
	}
	r := a.route
	r.mu.Lock()
	defer r.mu.Unlock()
	really := amounts{1, min(tokens, most), a.booked[concurrency]}
	if tokens < 0 {
		really[requests], really[1] = 0, 0
	}
	change := [windowKind]int64{really[0] - a.booked[0], really[1] - a.booked[1]}
	a.booked = really
	if a.own != nil {
		a.own.window.correct(a.ownTick, change)
	}
	if a.all != nil {
		a.all.window.correct(a.allTick, change)
	}
	r.pumpWaiting()
}

// Release ends the call. Only the first counts.
func (a *Admission) Release() {
	if a == nil || a.route == nil {
		return
	}
	a.release()
	a.route.set.tell()
}

func (a *Admission) release() {
	r := a.route
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.booked[concurrency] == 0 {
		return
	}
	a.booked[concurrency] = 0
	for _, l := range [...]*limiter{a.own, a.all} {
		if l == nil {
			continue
		}
		l.under--
		if l.recalled[concurrency] > 0 {
			r.set.urgent.Store(true)
		}
	}
	r.pumpWaiting()
}

// Standing is how the tightest of the call's limits stands, for x-ratelimit-* headers; false when the route has no limit of requests or tokens.
func (a *Admission) Standing() (Standing, bool) {
	if a == nil || a.route == nil {
		return noStanding(), false
	}
	a.route.mu.Lock()
	defer a.route.mu.Unlock()
	return standing(a.own, a.all, a.route.set.elapsed())
}

func noStanding() Standing {
	return Standing{LimitRequests: -1, LimitTokens: -1, RemainingRequests: -1, RemainingTokens: -1}
}

func standing(own, all *limiter, now time.Duration) (Standing, bool) {
	s := noStanding()
	for _, l := range [...]*limiter{own, all} {
		if l != nil {
			l.window.roll(tickOf(now))
			l.stand(now, &s)
		}
	}
	return s, s.LimitRequests >= 0 || s.LimitTokens >= 0
}
