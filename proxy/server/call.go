package server

import (
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/tracing"
	"signalbox.dev/signalbox/proxy/usage"
)

// call is the state of one request. It belongs to the goroutine that answers it.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	start   time.Time
	id      string
	// record is the unique id of the call's usage record, once somebody needs it.
	record string
	place  place
	// upstreamID is the provider's id of the answer; empty when it does not tell.
	upstreamID string
	snapshot   *snapshot
	caller     identity.Caller
	// passage is how the call came from another namespace's proxy.
	passage passage
	// grant is what the caller's credential proves; nil where there is none.
	grant *identity.Grant

	// body is what the client sent, until a stream begins; bytesIn is its length and inbound what was read of it. A form is read only as far as routing needs.
	body    *buffer
	inbound dialect.Inbound
	form    *form
	bytesIn int64
	// outbound is what the provider is sent, as long as it is being sent.
	outbound *buffer
	// bodyRead tells that the whole body was read.
	bodyRead bool

	// legs are the models that the call names, and candidates the targets of all of them, in the order of trial.
	legs       []leg
	candidates []route.Candidate
	// traits are what the body says beyond its head, once it was inspected.
	traits    dialect.Traits
	inspected bool

	route      *routeEntry // of the newest attempt; the first leg's until then
	target     *targetEntry
	model      string // that target was asked for
	attempts   []attempt
	unsuited   []dialect.Exclusion       // targets that cannot do what is asked for
	unsuitedBy *neutral.UnsupportedError // why the first of them cannot
	report     neutral.Report            // of the newest attempt
	bill       bill
	settled    bool
	// claimant is whose call it is.
	claimant ledger.Claimant
	// demand is the most that the call can use, once a budget needs it.
	demand *dialect.Demand
	// refusals are those of single targets by budgets.
	refusals []refused
	// reserved tells that firstReservation is used, counted that an attempt was settled, and settlements are those of all attempts.
	reserved, counted bool
	settlements       []ledger.Settlement
	// ledgerWait is the time spent waiting for ledgers.
	ledgerWait time.Duration
	// drafted tells that the journal has the call's draft.
	drafted bool
	// published is the record that can be read already; nil before.
	published *usage.Record
	// callerText is the caller in words, once somebody needs it.
	callerText string
	// everybody tells that the call is nobody's, and may use every route: it is only explained.
	everybody bool
	// mirror tells that the call is a copy whose answer nobody gets.
	mirror bool
	// trace is nil without one.
	trace *tracing.Call

	// Most calls need no more than this.
	firstLeg        [1]leg
	firstCandidates [4]route.Candidate
	firstRouters    [1]*route.Router
	firstAttempt    [1]attempt
	firstBudgets    [4]*ledger.Budget

	firstReservation ledger.Reservation

	// queued is the time spent in queues of limits.
	queued time.Duration

	// waited is the time spent on the client's body and on providers until the first byte of the answer.
	waited     time.Duration
	firstToken time.Duration
	firstByte  time.Time

	status         int
	bytesOut       int64
	stallDeadline  time.Time
	clientWriteErr error
	// torn tells that the answer broke off in a way that only the end of the connection can tell.
	torn bool
}

// started tells whether the answer's status and headers have been sent; from then on only the body can tell of an error.
func (c *call) started() bool { return c.status != 0 }

// mayUse tells whether the call's credential admits it to a route.
func (c *call) mayUse(r *table.Route) bool {
	return c.everybody || c.grant != nil && c.grant.Allows(r)
}

// callerName is the caller in words.
func (c *call) callerName() string {
	if c.callerText == "" {
		c.callerText = c.caller.String()
	}
	return c.callerText
}

// begin sends status and headers. net/http reads what the handler left of the client's body before it replies, so a client that keeps it back gets its
// reply after the patience, and the connection ends; without a deadline neither would ever happen.
func (c *call) begin(status int, now time.Time, patience time.Duration) {
	c.status = status
	c.firstByte = now
	if c.r.ContentLength != 0 && !c.bodyRead {
		_ = c.control.SetReadDeadline(now.Add(patience))
	}
	c.w.WriteHeader(status)
}

// write sends a part of the body. The client may take WriteStall for it, no longer.
func (c *call) write(p []byte, now time.Time, stall time.Duration) error {
	if c.clientWriteErr != nil {
		return c.clientWriteErr
	}
	c.extendWriteDeadline(now, stall)
	n, err := c.w.Write(p)
	c.bytesOut += int64(n)
	c.clientWriteErr = err
	return err
}

// flush sends what was written so far at once.
func (c *call) flush() error {
	if c.clientWriteErr == nil {
		c.clientWriteErr = c.control.Flush()
	}
	return c.clientWriteErr
}

// extendWriteDeadline moves the deadline once a quarter of it has passed, which spares most writes of a stream the work.
// A writer that knows no deadlines, as in tests, goes without.
func (c *call) extendWriteDeadline(now time.Time, stall time.Duration) {
	if now.Add(stall * 3 / 4).Before(c.stallDeadline) {
		return
	}
	c.stallDeadline = now.Add(stall)
	_ = c.control.SetWriteDeadline(c.stallDeadline)
}

// release gives the body back. A stream that has begun needs it no more, and may take long.
func (c *call) release(buffers bufferPool) {
	buffers.put(c.body)
	c.body, c.inbound.Body = nil, nil
}

// dropOutbound gives back the memory of what a provider was sent, but not to the next request: somebody may still read it.
func (c *call) dropOutbound(buffers bufferPool) {
	if c.outbound != nil {
		buffers.drop(c.outbound)
		c.outbound = nil
	}
}

// promptBytes is the size of what the client sent that may have become prompt. Images and sound, which forms carry, are not counted by their bytes.
func (c *call) promptBytes() int64 {
	if c.form != nil {
		return 0
	}
	return c.bytesIn
}

// uploadedBytes is the size of what the client sent, for those who know what of it is sound and what are images.
func (c *call) uploadedBytes() int64 {
	if c.form != nil {
		return c.form.spool.received()
	}
	return c.bytesIn
}

// total is how long the call may take; the route of the first model says so.
func (c *call) total() time.Duration { return c.legs[0].route.Total }

// clientGone tells whether the client has left: its connection is closed, or it took no bytes for too long.
func (c *call) clientGone() bool { return c.clientWriteErr != nil || c.r.Context().Err() != nil }
