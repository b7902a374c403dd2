package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
)

var errClientGone = errors.New("the client has left")

// silence watches how long the provider of a stream says nothing after its first token: the client gets signs of life, and after the route's idle timeout
// the attempt ends. It counts only while the provider is waited for, so that a slow client does not count. Its timer runs on its own, for a stream reads
// often and is silent rarely.
type silence struct {
	relay  *relay
	cancel context.CancelCauseFunc
	step   time.Duration

	// mu keeps the sign of life apart from what the stream writes: waiting is only true while the stream's own goroutine reads.
	mu sync.Mutex
	// timer is nil before the first wait and after the end.
	timer   *time.Timer
	waiting bool
	since   time.Time
	// next is how long the silence lasts when something is to be done.
	next time.Duration
}

func newSilence(r *relay, cancel context.CancelCauseFunc) *silence {
	return &silence{relay: r, cancel: cancel, step: min(r.server.limits.KeepAlive, r.call.route.Idle)}
}

// begin is called before the provider is waited for.
func (q *silence) begin() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting, q.since, q.next = true, time.Now(), q.step
	if q.timer == nil {
		q.timer = time.AfterFunc(q.step, q.elapsed)
	}
}

// end is called when the provider has said something.
func (q *silence) end() {
	q.mu.Lock()
	q.waiting = false
	q.mu.Unlock()
}

// stop ends the watch.
func (q *silence) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = false
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
}

// elapsed is called when the silence can have lasted long enough for something.
func (q *silence) elapsed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.timer == nil {
		return
	}
	if !q.waiting {
		// Whatever silence begins meanwhile is not due before.
		q.timer.Reset(q.step)
		return
	}
	if silent := time.Since(q.since); silent < q.next {
		q.timer.Reset(q.next - silent)
		return
	}
	idle := q.relay.call.route.Idle
	if q.next >= idle {
		q.cancel(errIdleTimeout)
		return
	}
	if q.relay.signOfLife() != nil {
		q.cancel(errClientGone)
		return
	}
	q.next = min(q.next+q.step, idle)
	q.timer.Reset(q.next - time.Since(q.since))
}

// signOfLife sends what clients of the surface take for nothing.
func (r *relay) signOfLife() error {
	if r.call.inbound.Head.Array {
		return nil
	}
	sign := []byte(": keep-alive\n\n")
	if own, ok := r.call.place.surface.(dialect.KeepAliver); ok {
		sign = own.KeepAlive()
	}
	if err := r.call.write(sign, r.server.now(), r.server.limits.WriteStall); err != nil {
		return err
	}
	return r.call.flush()
}
