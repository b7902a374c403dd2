package upstream

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// vigilance is how requests are looked after.
type vigilance struct {
	// lostAfter is how long a request waits for a connection, or for the other end to acknowledge any of it, until its Watcher is told.
	lostAfter time.Duration
	// vanishedAfter is when a connection is given up whose other end acknowledges nothing.
	vanishedAfter time.Duration
	// lookEvery is the time between two looks at a request that waits.
	lookEvery time.Duration
	// unacknowledged is how long the other end of a connection has acknowledged nothing of what is on its way to it; 0 when nothing is.
	unacknowledged func(net.Conn) time.Duration
}

// vigilant is the vigilance that nobody changes: a segment that is lost is sent again after about 0.2, 0.6, 1.4, 3 and 6.2 s, the first one of a connection
// after 1 and 3 s. A network that is back by then costs nobody a call.
func vigilant() vigilance {
	return vigilance{lostAfter: 2 * time.Second, vanishedAfter: 7 * time.Second, lookEvery: 500 * time.Millisecond, unacknowledged: unacknowledged}
}

// errVanished ends a request whose other end is silent on the level of TCP. How long it takes to answer has nothing to do with it: who thinks, acknowledges.
var errVanished = errors.New("the other end acknowledges nothing any more")

// Watcher is told of a request that does not get through: it has had no connection for 2 s, or its connection has acknowledged nothing of what was sent for
// 2 s, which the kernel tells on Linux only. Its methods are called by any goroutine, one at a time, and none of them after RoundTrip has returned.
type Watcher interface {
	// Lost tells that the request does not get through.
	Lost()
	// Found tells that it does, after all. It is not told of a request that fails.
	Found()
}

// WithWatcher returns a context whose request is watched.
func WithWatcher(ctx context.Context, watcher Watcher) context.Context {
	return carry(ctx, watcher)
}

// vigil looks after one request until the head of its response is there.
type vigil struct {
	*vigilance
	watcher Watcher // nil for none
	timer   *time.Timer
	// pool has the idle connections to the same host; nil where it is another library's.
	pool *pool

	mu sync.Mutex
	// since is when the request began to wait for a connection, was given the one that it has, or was last known to get through it: what is under way for a
	// moment, after an upload that paused, is no sign of anything.
	since time.Time
	// raw is that connection, below TLS; nil while there is none.
	raw net.Conn
	// key is that of its equals.
	key poolKey
	// sent tells that all of the request was written, lost what the watcher was told last, vanished that the connection was given up.
	sent, lost, vanished, ended bool
}

// newVigil begins to look after a request.
func newVigil(ctx context.Context, how *vigilance, pool *pool) *vigil {
	v := &vigil{vigilance: how, pool: pool, since: time.Now()}
	v.watcher, _ = carried[Watcher](ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.timer = time.AfterFunc(v.lostAfter, v.look)
	return v
}

// connecting notes that the request has no connection. It does not matter how many are tried one after the other.
func (v *vigil) connecting() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.raw != nil {
		v.raw, v.since, v.vanished = nil, time.Now(), false
		v.timer.Reset(v.lostAfter)
	}
}

// connected notes that the request has a connection. Idle ones with the same key are given up when it acknowledges nothing.
func (v *vigil) connected(raw net.Conn, key poolKey) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.raw, v.key, v.since, v.sent, v.vanished = raw, key, time.Now(), false, false
	v.timer.Reset(v.lostAfter)
}

// wrote notes that the connection has taken all of the request.
func (v *vigil) wrote() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sent = true
}

// look finds out whether the request gets through.
func (v *vigil) look() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended || v.vanished {
		return
	}
	now := time.Now()
	if v.raw != nil {
		if heard := now.Add(-v.unacknowledged(v.raw)); heard.After(v.since) {
			v.since = heard
		}
	}
	waits := now.Sub(v.since)
	switch {
	case waits >= v.vanishedAfter && v.raw != nil:
		v.lose()
		v.vanished = true
		_ = v.raw.Close() // whatever comes of it, the connection is not used again
		return
	case waits >= v.lostAfter:
		v.lose()
	case v.raw != nil:
		v.find()
		if v.sent && waits == 0 {
			return // It was taken. An answer may take its time.
		}
	}
	v.timer.Reset(v.lookEvery)
}

func (v *vigil) lose() {
	if v.lost {
		return
	}
	v.lost = true
	if v.raw != nil && v.pool != nil {
		v.pool.discard([]poolKey{v.key})
	}
	if v.watcher != nil {
		v.watcher.Lost()
	}
}

func (v *vigil) find() {
	if v.lost && v.watcher != nil {
		v.watcher.Found()
	}
	v.lost = false
}

// end is the end of the request, with its error, or with nil when there is a response.
func (v *vigil) end(ctx context.Context, err error) error {
	v.timer.Stop()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ended = true
	if err == nil {
		v.find()
		return nil
	}
	var failed *Error
	if v.vanished && ctx.Err() == nil && errors.As(err, &failed) {
		return &Error{Kind: failed.Kind, Reused: failed.Reused, Err: errVanished}
	}
	return err
}
