package health

import (
	"sync/atomic"
	"time"
)

const (
	// believed is how long a figure is believed, at most. Limits refill all the time, and their reset is when they are full: waiting for that of a limit by
	// the day would leave an upstream alone for hours that takes the next call in seconds.
	believed = time.Minute
	// maxLeft bounds figures of headers.
	maxLeft = int64(1) << 50
)

// allowance is what is left of one rate limit, and until when that is believed. It is changed under the lock of its Upstream.
type allowance struct {
	left, reset atomic.Int64
	// full is when the provider says that it is full again, which can be hours away; 0 when it does not say.
	full atomic.Int64
}

func (a *allowance) init() { a.left.Store(-1) }

// tell takes in what the provider says; below 0 it says nothing.
func (a *allowance) tell(left int64, reset time.Duration, now instant) {
	if left < 0 {
		return
	}
	a.full.Store(0)
	if reset > 0 {
		a.full.Store(int64(now.after(reset)))
	} else {
		reset = believed // The provider did not say when it is full again.
	}
	a.left.Store(min(left, maxLeft))
	a.reset.Store(int64(now.after(min(reset, believed))))
}

// take lowers what is left by what is begun.
func (a *allowance) take(n int64) {
	if left := a.left.Load(); left >= 0 {
		a.left.Store(max(left-max(n, 0), 0))
	}
}

// fullAfter is how long until the limit is full again; 0 when that is not known or over.
func (a *allowance) fullAfter(now instant) time.Duration {
	return max(0, time.Duration(instant(a.full.Load())-now))
}

// read returns what is left and for how long; -1 when that is not known, and once the limit has been reset.
func (a *allowance) read(now instant) (int64, time.Duration) {
	left, reset := a.left.Load(), instant(a.reset.Load())
	if left < 0 || reset <= now {
		return -1, 0
	}
	return left, time.Duration(reset - now)
}

// The budget of retries is counted in tenths of an attempt. A retry costs its own attempt and the tenth that its attempt puts in, so that retries never
// feed retries. The first one is lent, so that a lone call has one, and is paid back by the next attempts: there are never more retries than a tenth of the
// calls, but for that one.
const (
	budgetFirst = 1
	budgetRetry = 11
	budgetMost  = 10 * budgetRetry
)

// budget is what is left for retries. It is changed under the lock of its Upstream.
type budget struct{ left, owed int }

func newBudget() budget { return budget{left: budgetRetry, owed: budgetRetry} }

func (b *budget) deposit() {
	if b.owed > 0 {
		b.owed -= budgetFirst
		return
	}
	b.left = min(b.left+budgetFirst, budgetMost)
}

func (b *budget) withdraw() bool {
	if b.left < budgetRetry {
		return false
	}
	b.left -= budgetRetry
	return true
}
