package limit

import (
	"container/list"
	"context"
	"time"
)

// waiter is a call that waits for its turn. A call of a caller with a limit of its own stands in that limiter's queue first; at its head, and once it fits there, it
// stands in the route's as well, so that nobody waits behind a caller who is over his own limit.
type waiter struct {
	need amounts
	// own counts the caller, all the route; either may be nil.
	own, all *limiter
	// inOwn and inAll are its places in the queues; nil where it does not stand.
	inOwn, inAll *list.Element
	// since is when it came, deadline when it leaves, checkAt when it looks again by itself.
	since, deadline, checkAt time.Duration
	// out gets the outcome, once.
	out  chan outcome
	done bool
	// nudge wakes it to look anew at when its turn comes.
	nudge chan struct{}
}

// outcome ends a wait.
type outcome struct {
	admission *Admission
	refusal   *Refusal
}

// ahead is what those need who come before the waiter, or would if it came now.
func (w *waiter) ahead(l *limiter) amounts {
	ahead := l.waiting
	if l == w.own && w.inOwn != nil || l == w.all && w.inAll != nil {
		for k := range ahead {
			ahead[k] -= w.need[k]
		}
	}
	return ahead
}

// join puts the waiter at the end of a queue, or tells why it may not wait there.
func (r *route) join(w *waiter, l *limiter, now time.Duration) *Refusal {
	t := l.turn(now, w.need, l.waiting)
	if l.maxWait <= 0 || l.maxQueue <= 0 || t.never {
		return r.refuse(w, l, now)
	}
	if l.queue.Len() >= l.maxQueue || t.known && t.wait > l.maxWait && !l.hopeful(now) {
		refusal := r.refuse(w, l, now)
		refusal.Queue = true
		return refusal
	}
	w.deadline = max(w.deadline, w.since+l.maxWait)
	place := l.queue.PushBack(w)
	if l == w.all {
		w.inAll = place
	} else {
		w.inOwn = place
		if l.queue.Len() == 1 {
			r.lines.PushBack(l)
		}
	}
	l.expect(w.need, 1)
	return nil
}

// expect adds to, or takes from, what the waiters need.
func (l *limiter) expect(need amounts, sign int64) {
	for k := range l.waiting {
		l.waiting[k] += sign * need[k]
	}
}

// leave takes the waiter out of its queues.
func (r *route) leave(w *waiter) {
	r.leaveAll(w)
	if w.inOwn == nil {
		return
	}
	w.own.queue.Remove(w.inOwn)
	w.own.expect(w.need, -1)
	w.inOwn = nil
	if w.own.queue.Len() > 0 {
		return
	}
	for e := r.lines.Front(); e != nil; e = e.Next() {
		if e.Value.(*limiter) == w.own {
			r.lines.Remove(e)
			return
		}
	}
}

func (r *route) leaveAll(w *waiter) {
	if w.inAll == nil {
		return
	}
	w.all.queue.Remove(w.inAll)
	w.all.expect(w.need, -1)
	w.inAll = nil
}

// pumpWaiting pumps if anybody waits, and does not even ask for the time if nobody does.
func (r *route) pumpWaiting() {
	if r.lines.Len() > 0 || r.all != nil && r.all.queue.Len() > 0 {
		r.pump(r.set.elapsed())
	}
}

// pump admits those whose turn has come and wakes those whose turn may come sooner than they think.
func (r *route) pump(now time.Duration) {
	if r.all != nil {
		r.all.refresh(now)
	}
	r.pumpAll(now)
	for e := r.lines.Front(); e != nil; {
		next := e.Next()
		r.pumpLine(e.Value.(*limiter), now)
		e = next
	}
	r.nudge(now)
}

// pumpAll admits from the head of the route's queue.
func (r *route) pumpAll(now time.Duration) {
	for r.all != nil && r.all.queue.Len() > 0 {
		w := r.all.queue.Front().Value.(*waiter)
		if w.own != nil {
			w.own.refresh(now)
			if !w.own.fits(w.need) {
				r.stepBack(w, now)
				continue
			}
		}
		if !r.all.fits(w.need) {
			return
		}
		r.admitWaiter(w, now)
	}
}

// stepBack puts a waiter, whose caller has no more room, from the route's queue to the head of the caller's.
func (r *route) stepBack(w *waiter, now time.Duration) {
	r.leaveAll(w)
	if w.inOwn != nil {
		return
	}
	if w.own.maxWait <= 0 {
		r.end(w, outcome{refusal: r.refuse(w, w.own, now)})
		return
	}
	if w.own.queue.Len() == 0 {
		r.lines.PushBack(w.own)
	}
	w.inOwn = w.own.queue.PushFront(w)
	w.own.expect(w.need, 1)
}

// pumpLine lets the heads of a caller's queue go on.
func (r *route) pumpLine(l *limiter, now time.Duration) {
	l.refresh(now)
	for l.queue.Len() > 0 {
		w := l.queue.Front().Value.(*waiter)
		if w.inAll != nil || !l.fits(w.need) {
			return
		}
		if w.all == nil || w.all.queue.Len() == 0 && w.all.fits(w.need) {
			r.admitWaiter(w, now)
			continue
		}
		if refusal := r.join(w, w.all, now); refusal != nil {
			r.end(w, outcome{refusal: refusal})
		}
	}
}

func (r *route) admitWaiter(w *waiter, now time.Duration) {
	r.end(w, outcome{admission: r.book(w.own, w.all, w.need, now)})
}

func (r *route) end(w *waiter, o outcome) {
	r.leave(w)
	w.done = true
	w.out <- o
}

// nudge wakes the heads whose turn comes before they would look by themselves.
func (r *route) nudge(now time.Duration) {
	if r.all != nil && r.all.queue.Len() > 0 {
		r.nudgeHead(r.all.queue.Front().Value.(*waiter), now)
	}
	for e := r.lines.Front(); e != nil; e = e.Next() {
		r.nudgeHead(e.Value.(*limiter).queue.Front().Value.(*waiter), now)
	}
}

func (r *route) nudgeHead(w *waiter, now time.Duration) {
	if r.nextCheck(w, now) >= w.checkAt {
		return
	}
	select {
	case w.nudge <- struct{}{}:
	default:
	}
}

// nextCheck is when a waiter looks again by itself: when its turn is known to come if it is at the head of a queue, else when it gives up.
func (r *route) nextCheck(w *waiter, now time.Duration) time.Duration {
	at := w.deadline
	for _, l := range [...]*limiter{w.own, w.all} {
		if l == nil || l.queue.Len() == 0 || l.queue.Front().Value.(*waiter) != w {
			continue
		}
		if t := l.turn(now, w.need, amounts{}); t.known && !t.never {
			at = min(at, now+max(t.wait, time.Millisecond))
		}
	}
	return at
}

// wait waits for the outcome of a call that stands in a queue.
func (r *route) wait(ctx context.Context, w *waiter, now time.Duration) outcome {
	for ended := false; !ended; {
		select {
		case o := <-w.out:
			return o
		case <-ctx.Done():
			return r.giveUp(w, gone)
		case <-w.nudge:
		case <-r.set.after(w.checkAt - now):
		}
		now, ended = r.look(w)
	}
	return <-w.out
}

// look admits whom it can, and refuses the waiter when its time is over.
func (r *route) look(w *waiter) (now time.Duration, ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now = r.set.elapsed()
	r.pump(now)
	if !w.done && now >= w.deadline {
		r.giveUpLocked(w, late, now)
	}
	w.checkAt = r.nextCheck(w, now)
	return now, w.done
}

// reason says why a waiter gives up.
type reason int

// The reasons.
const (
	// late: its time is over.
	late reason = iota
	// gone: its context ended.
	gone
)

// giveUp ends a wait, unless it has ended meanwhile.
func (r *route) giveUp(w *waiter, why reason) outcome {
	r.mu.Lock()
	if !w.done {
		r.giveUpLocked(w, why, r.set.elapsed())
	}
	r.mu.Unlock()
	return <-w.out
}

func (r *route) giveUpLocked(w *waiter, why reason, now time.Duration) {
	l := w.all
	if w.inOwn != nil && w.inAll == nil {
		l = w.own
	}
	r.leave(w)
	refusal := r.refuse(w, l, now)
	refusal.Queue, refusal.Left = why == late, why == gone
	r.end(w, outcome{refusal: refusal})
	r.pump(now)
}
