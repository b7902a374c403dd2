package kubernetes

import (
	"net/http"
	"sync"
	"time"
)

// maxDrift is how far two clocks are taken to part in a second.
const maxDrift = 200 * time.Microsecond

// Clock learns the API server's clock from the Date of its answers. A Date has whole seconds: the server's clock showed it, or up to a second more, at some moment
// between the request and the answer. Several answers together narrow that down.
type Clock struct {
	now func() time.Time

	mu    sync.Mutex
	known bool
	// at is when the bounds were learned.
	at time.Time
	// least and most bound how far the server's clock is ahead of this machine's.
	least, most time.Duration
}

// NewClock returns a clock that knows nothing.
func NewClock() *Clock {
	return &Clock{now: time.Now}
}

// Wrap returns a transport that learns from what passes through. It is meant for rest.Config.Wrap.
func (c *Clock) Wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper{clock: c, next: next}
}

type roundTripper struct {
	clock *Clock
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := r.clock.now()
	response, err := r.next.RoundTrip(request)
	if err == nil {
		r.clock.learn(response.Header.Get("Date"), sent, r.clock.now())
	}
	return response, err
}

// WrappedRoundTripper lets others find the transport that is wrapped.
func (r roundTripper) WrappedRoundTripper() http.RoundTripper {
	return r.next
}

// learn takes the date of an answer to what was sent at an instant and came at another. What contradicts what is known says that a clock was set, and begins anew.
func (c *Clock) learn(date string, sent, came time.Time) {
	told, err := http.ParseTime(date)
	if err != nil || came.Before(sent) {
		return
	}
	// The clocks of walls are compared, whatever the monotonic ones say.
	sent, came = sent.Round(0), came.Round(0)
	least, most := told.Sub(came), told.Add(time.Second).Sub(sent)
	c.mu.Lock()
	defer c.mu.Unlock()
	drift := max(0, came.Sub(c.at)) / time.Second * maxDrift
	narrowed, narrowedMost := max(least, c.least-drift), min(most, c.most+drift)
	if !c.known || narrowed > narrowedMost {
		narrowed, narrowedMost = least, most
	}
	c.known, c.at, c.least, c.most = true, came, narrowed, narrowedMost
}

// offset returns how far the server's clock is ahead, to half a second and half the time that the fastest answer took, and false before the first answer.
func (c *Clock) offset() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.least + (c.most-c.least)/2, c.known
}
