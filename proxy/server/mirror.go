package server

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/preference"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// What can become of a call that the draw chose for its mirror, beside the code of its error.
const (
	mirrorBusy   = "busy"          // as many copies are under way as may be
	mirrorSpent  = "spent"         // the cost of the last hour is at its bound, or the price is not known
	mirrorPolicy = "not_permitted" // the request says which providers may have it
	mirrorNoRoom = "no_room"       // the proxy holds as many bodies as it can
)

// mirrorEntry is a mirror of a route with what its calls need.
type mirrorEntry struct {
	*table.Mirror
	// route has the mirror's target alone; it serves nobody else.
	route *routeEntry
	state *mirrorState
}

// mirrorState is what a mirror remembers over all tables.
type mirrorState struct {
	running atomic.Int64
	spent   hourlySpend
}

// mirrors are the copies that are under way.
type mirrors struct {
	ctx  context.Context // of all copies; it ends when the proxy drains
	stop context.CancelFunc
	wait sync.WaitGroup
}

func newMirrors() *mirrors {
	m := &mirrors{}
	m.ctx, m.stop = context.WithCancel(context.Background())
	return m
}

// compileMirror makes the mirror of a route ready.
func (s *Server) compileMirror(next *snapshot, of *routeEntry, credentials map[string]*table.Credential, state *mirrorState) *mirrorEntry {
	shadow := *of.Route
	shadow.Targets = []table.Target{of.Mirror.Target}
	entry := &routeEntry{Route: &shadow, targets: make([]targetEntry, 1), budgets: of.budgets, acts: of.acts, noTarget: of.noTarget, header: of.header}
	entry.targets[0] = s.compileTarget(next, of.Name, &shadow.Targets[0], credentials)
	return &mirrorEntry{Mirror: of.Mirror, route: entry, state: state}
}

// mirrored is a copy of a call that waits until the client has its answer.
type mirrored struct {
	call  *call
	entry *mirrorEntry
}

// copyForMirror copies a call if its route's mirror is to get it; nil when not. Forms are not copied, for they may be large, nor what costs nothing.
func (s *Server) copyForMirror(c *call) *mirrored {
	entry := c.legs[0].route.mirror
	if entry == nil || c.form != nil || c.place.free() || s.draining.Load() || s.random(100) >= int64(entry.Percent) {
		return nil
	}
	metrics := entry.route.targets[0].metrics
	switch {
	case !entry.permitted(c.legs[0].query.Preferences):
		metrics.Mirrored(mirrorPolicy)
		return nil
	case entry.route.Targets[0].Excluded != "":
		metrics.Mirrored(string(CodeNoEligibleTarget))
		return nil
	case entry.state.running.Add(1) > int64(entry.MaxConcurrency):
		entry.state.running.Add(-1)
		metrics.Mirrored(mirrorBusy)
		return nil
	case !entry.affordable(s.now(), c.legs[0].model):
		entry.state.running.Add(-1)
		metrics.Mirrored(mirrorSpent)
		return nil
	}
	body := s.buffers.get()
	if s.buffers.append(body, c.body.bytes) != nil {
		s.buffers.put(body)
		entry.state.running.Add(-1)
		metrics.Mirrored(mirrorNoRoom)
		return nil
	}
	return &mirrored{call: s.shadowOf(c, entry, body), entry: entry}
}

// permitted tells whether what a request asks of providers lets the mirror have it, too. One that names providers is not copied to another.
func (m *mirrorEntry) permitted(p *preference.Preferences) bool {
	bound := p != nil && (len(p.Only) > 0 || len(p.Ignore) > 0 || p.NoFallbacks && len(p.Order) > 0)
	return p == nil || !bound && m.Target.Declared.DataPolicy.Satisfies(p.DataPolicy)
}

// affordable tells whether the bound on the mirror's cost leaves room for another call.
func (m *mirrorEntry) affordable(now time.Time, asked string) bool {
	if m.MaxCostPerHour == 0 {
		return true
	}
	return m.route.targets[0].priced(asked) && m.state.spent.total(now) < m.MaxCostPerHour
}

// shadowOf is the call of a copy, whose answer nobody gets.
func (s *Server) shadowOf(c *call, entry *mirrorEntry, body *buffer) *call {
	request := &http.Request{Method: c.r.Method, URL: c.r.URL, Header: c.r.Header.Clone(), Body: http.NoBody}
	shadow := &call{
		w: discard{header: http.Header{}}, r: request.WithContext(s.mirrors.ctx), id: c.id, place: c.place, snapshot: c.snapshot, caller: c.caller, claimant: c.claimant,
		trace: c.trace, body: body, inbound: c.inbound, bytesIn: c.bytesIn, bodyRead: true, mirror: true, route: entry.route, target: &entry.route.targets[0],
	}
	shadow.control = http.NewResponseController(shadow.w)
	shadow.inbound.Body = body.bytes
	// They are of the call's own body, which does not last as long as the copy.
	shadow.inbound.Head.Alternatives, shadow.inbound.Head.Preferences = nil, nil
	shadow.attempts = shadow.firstAttempt[:0]
	shadow.firstLeg[0] = leg{route: entry.route, model: c.legs[0].model}
	shadow.legs = shadow.firstLeg[:]
	shadow.candidates = append(shadow.firstCandidates[:0], route.Candidate{})
	return shadow
}

// sendToMirror sends a copy of a call on its way; nil is none. The client has its answer by now, so that the copy can take nothing from it. What the route did
// not admit is not copied.
func (s *Server) sendToMirror(c *call, m *mirrored) {
	switch {
	case m == nil:
	case c.legs[0].admitted && !s.draining.Load():
		s.mirrors.wait.Go(func() { s.serveMirror(m) })
	default:
		s.endMirror(m)
	}
}

// endMirror gives back what a copy holds.
func (s *Server) endMirror(m *mirrored) {
	s.leave(m.call)
	m.call.release(s.buffers)
	m.entry.state.running.Add(-1)
}

func (s *Server) serveMirror(m *mirrored) {
	defer s.endMirror(m)
	s.runMirror(m)
}

// runMirror makes the call of a copy and books it under the mirror's name.
func (s *Server) runMirror(m *mirrored) {
	c := m.call
	c.start = s.now()
	c.trace = c.trace.Mirror(c.start)
	ctx, cancel := context.WithTimeoutCause(s.mirrors.ctx, m.entry.route.Total, errTotalTimeout)
	defer cancel()
	outcome := s.success
	if failure := s.isolateMirror(ctx, c); failure != nil {
		outcome = failure
	}
	s.leave(c)
	m.entry.state.spent.add(s.now(), c.bill.nano)
	m.entry.route.targets[0].metrics.Mirrored(string(outcome.Code))
	s.record(c, outcome)
}

// isolateMirror is mirrorOnce. A copy that makes the proxy panic must not end the calls of others, and what it was sent is charged and recorded like any other.
func (s *Server) isolateMirror(ctx context.Context, c *call) (failure *Error) {
	defer func() {
		if reason := recover(); reason != nil {
			s.log.Error("a copy of a request failed", "request_id", c.id, "panic", reason, "stack", string(debug.Stack()))
			failure = &Error{Code: CodeInternal, Status: http.StatusInternalServerError, Message: "the proxy failed; its log says why"}
		}
	}()
	return s.mirrorOnce(ctx, c)
}

// mirrorOnce makes the one attempt of a copy. Its cost counts in the budgets of the route, which may refuse it.
func (s *Server) mirrorOnce(ctx context.Context, c *call) *Error {
	l := &c.legs[0]
	l.query = route.Query{Now: c.start, Asked: l.model, Stream: c.inbound.Head.Stream, PromptTokens: c.promptTokens(), Random: s.random}
	l.budgets = c.appendBudgets(c.roomForBudgets(0), l.route)
	l.hard = hasHard(l.budgets)
	l.unpriced = !l.route.targets[0].priced(l.model)
	l.admitted = true
	failure, passed := s.attempt(ctx, c, visit{candidate: c.candidates[0]})
	switch {
	case passed == outRefused:
		return c.refused()
	case passed == outUnsuitable:
		return asError(c.unsupported())
	case passed != 0:
		return &Error{Code: CodeNoEligibleTarget, Status: http.StatusServiceUnavailable, Message: "the mirror is left alone for now"}
	default:
		return failure
	}
}

// discard is where the answers to copies go.
type discard struct{ header http.Header }

// Header is a part of http.ResponseWriter.
func (d discard) Header() http.Header { return d.header }

// Write is a part of http.ResponseWriter.
func (d discard) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader is a part of http.ResponseWriter.
func (d discard) WriteHeader(int) {}

// FlushError, SetReadDeadline and SetWriteDeadline are what http.ResponseController asks for.
func (d discard) FlushError() error                { return nil }
func (d discard) SetReadDeadline(time.Time) error  { return nil }
func (d discard) SetWriteDeadline(time.Time) error { return nil }

// hourlySpend is what was spent in the last hour, in nano-dollars, by minutes.
type hourlySpend struct {
	mu      sync.Mutex
	minutes [61]int64
	newest  int64 // minute since 1970
}

// advance forgets the minutes that are more than an hour ago. It needs the mutex to be held.
func (h *hourlySpend) advance(now time.Time) {
	minute := now.Unix() / 60
	steps := min(minute-h.newest, int64(len(h.minutes)))
	for i := int64(1); i <= steps; i++ {
		h.minutes[(h.newest+i)%int64(len(h.minutes))] = 0
	}
	h.newest = max(h.newest, minute)
}

func (h *hourlySpend) add(now time.Time, nano int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.advance(now)
	minute := h.newest % int64(len(h.minutes))
	h.minutes[minute] = meter.AddSaturating(h.minutes[minute], nano)
}

func (h *hourlySpend) total(now time.Time) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.advance(now)
	var sum int64
	for _, nano := range h.minutes {
		sum = meter.AddSaturating(sum, nano)
	}
	return sum
}

var errMirrorsLeft = errors.New("copies of calls are still under way")

// AwaitMirrors waits until the copies of calls that Drain gave up have settled.
func (s *Server) AwaitMirrors(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.mirrors.wait.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errMirrorsLeft
	}
}
