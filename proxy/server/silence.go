package server

import (
	"context"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
)

// silence watches how long the provider of a stream says nothing after its first token: the client gets signs of life, and after the route's idle timeout
// the attempt ends. It counts only while the provider is waited for, so that a slow client does not count.
type silence struct {
	relay  *relay
	cancel context.CancelCauseFunc
	timer  *time.Timer
	step   time.Duration

	// mu keeps the sign of life apart from what the stream writes: waiting is only true while the stream's own goroutine reads.
	mu      sync.Mutex
	waiting bool
	passed  time.Duration
}

func newSilence(r *relay, cancel context.CancelCauseFunc) *silence {
	q := &silence{relay: r, cancel: cancel, step: min(r.server.limits.KeepAlive, r.call.route.Idle)}
	q.timer = time.AfterFunc(time.Hour, q.elapsed)
	q.timer.Stop()
	return q
}

// begin is called before the provider is waited for.
func (q *silence) begin() {
	q.mu.Lock()
	q.waiting, q.passed = true, 0
	q.mu.Unlock()
	q.timer.Reset(q.step)
}

// end is called when the provider has said something.
func (q *silence) end() {
	q.timer.Stop()
	q.mu.Lock()
	q.waiting = false
	q.mu.Unlock()
}

// stop ends the watch.
func (q *silence) stop() { q.end() }

// elapsed is a step of silence.
func (q *silence) elapsed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.waiting {
		return
	}
	q.passed += q.step
	idle := q.relay.call.route.Idle
	if q.passed >= idle {
		q.cancel(errIdleTimeout)
		return
	}
	q.relay.signOfLife()
	q.timer.Reset(min(q.step, idle-q.passed))
}

// signOfLife sends what clients of the surface take for nothing.
func (r *relay) signOfLife() {
	if r.call.head.Array {
		return
	}
	sign := []byte(": keep-alive\n\n")
	if own, ok := r.call.place.surface.(dialect.KeepAliver); ok {
		sign = own.KeepAlive()
	}
	if r.call.write(sign, r.server.now(), r.server.limits.WriteStall) == nil {
		_ = r.call.flush()
	}
}
