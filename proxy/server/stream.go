package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/awsstream"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// maxHeld bounds what is kept of a stream before its first token. A stream that says so much is taken to have begun.
	maxHeld = 1 << 20
	// endPatience is how long the end of a stream's body may take after its last event, for the connection's sake; the client has all of it by then.
	endPatience = 50 * time.Millisecond
	// maxTail is how much is read behind the last event to reach that end.
	maxTail = 4 << 10
)

var (
	errIdleTimeout = errors.New("the stream was silent for the route's idle timeout")
	errStreamOver  = errors.New("the stream has ended, its connection has not")
)

// relay sends a stream on, event by event.
type relay struct {
	server *Server
	*exchange
	ctx    context.Context // of the attempt; the relay lives no longer
	stream dialect.Stream
	reader frames
	quiet  *silence
	// held is what came before the first token.
	held    *buffer
	unsent  bool
	charged bool
	// told is what a called proxy says that the call cost.
	told toldCost
	// looked is how many events were looked at for the id of the answer.
	looked int
}

// relayStream sends on a stream. Until its first token another target can still take over; afterwards errors become the last event.
func (s *Server) relayStream(ctx context.Context, cancel context.CancelCauseFunc, x *exchange) *Error {
	if !x.isStream() {
		return s.notAStream(ctx, x)
	}
	r := &relay{server: s, exchange: x, ctx: ctx, held: s.buffers.get()}
	defer func() { s.buffers.put(r.held) }()
	r.quiet = newSilence(r, cancel)
	defer r.quiet.stop()
	r.stream = x.joint.NewStream(x.exchangeOf(x.call, x.attempt, s.now))
	r.reader = r.frames()
	if failure := r.run(); failure != nil {
		return failure
	}
	patience := time.AfterFunc(endPatience, func() { cancel(errStreamOver) })
	defer patience.Stop()
	_, _ = io.Copy(io.Discard, io.LimitReader(x.answer, maxTail))
	return nil
}

// frames splits the answer into events, as the provider frames them.
func (r *relay) frames() frames {
	switch limit := r.server.limits.EventBytes; r.offer.Frames {
	case provider.AWSConverse:
		return awsstream.NewReader(r, limit, awsstream.Converse)
	case provider.AWSInvoke:
		return awsstream.NewReader(r, limit, awsstream.Invoke)
	default:
		return sse.NewReader(r, limit)
	}
}

// isStream also takes an answer that does not say what it is.
func (x *exchange) isStream() bool {
	contentType := x.response.Header.Get(headerContentType)
	if contentType == "" || contentType == contentTypeStream {
		return true
	}
	if x.offer.Frames != provider.SSE {
		return contentType == "application/vnd.amazon.eventstream"
	}
	return isEventStreamType(contentType)
}

// notAStream is the failure of an answer of status 200 that is no stream: an error, or a server that cannot stream.
func (s *Server) notAStream(ctx context.Context, x *exchange) *Error {
	body := s.buffers.get()
	defer s.buffers.put(body)
	err := s.buffers.readAll(body, x.answer, reading{limit: s.limits.AnswerBytes, declared: x.declaredLength()})
	if err != nil {
		return x.broken(ctx, err, meter.EstimateUsage(x.call.promptBytes(), body.len(), 0))
	}
	answer, err := x.joint.ReadAnswer(body.bytes, x.exchangeOf(x.call, x.attempt, s.now))
	if failure := x.judge(body.bytes, answer, err); failure != nil {
		return failure
	}
	x.call.charge(answer.Settle(x.call.uploadedBytes()), x.attempt)
	return x.attempt.fail(table.BrokenAnswer, CodeUpstreamInvalidAnswer, http.StatusBadGateway, "it was asked for a stream and did not answer with one")
}

// run is the stream from its first event to its last.
func (r *relay) run() *Error {
	for {
		event, err := r.reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return r.end()
		case err != nil:
			return r.fail(r.broken(r.ctx, err, r.spend()))
		}
		if r.hears(event) {
			continue
		}
		r.noteID(event)
		step, err := r.stream.Next(event)
		if err != nil {
			r.charge()
			failure := r.attempt.fail(table.BrokenAnswer, CodeUpstreamInvalidAnswer, http.StatusBadGateway, "an event of its stream cannot be read")
			failure.Cause = err
			return r.fail(failure)
		}
		if done, failure := r.take(step); done || failure != nil {
			return failure
		}
	}
}

// hears takes in what a called proxy says of the cost, which is no part of the answer.
func (r *relay) hears(event sse.Event) bool {
	if len(event.Data) > 0 || !r.attempt.target.callsProxy() {
		return false
	}
	told, ok := costInComment(event.Raw)
	if ok {
		r.told = told
	}
	return ok
}

// eventsWithID is how many events of a stream are looked at for the id of the answer; those that have it have it at once.
const eventsWithID = 3

// noteID keeps the provider's id of the answer.
func (r *relay) noteID(event sse.Event) {
	if r.call.upstreamID != "" || r.looked == eventsWithID || len(event.Data) == 0 {
		return
	}
	r.looked++
	if _, err := jsonscan.Value(event.Data, 0); err == nil {
		r.call.upstreamID = upstreamID(event.Data)
	}
}

// take does what one event asks for. It tells whether the stream is over.
func (r *relay) take(step dialect.Step) (bool, *Error) {
	switch step.Kind {
	case dialect.StepComment:
		if !r.call.started() {
			return false, nil
		}
		return false, r.send(step.Output)
	case dialect.StepFailure:
		if _, reported := r.stream.Usage(); reported || r.stream.Started() {
			r.charge()
		}
		r.call.reach(r.attempt)
		if r.call.started() {
			if failure := r.send(step.Output); failure != nil {
				return true, failure
			}
		}
		return true, r.fail(r.saidInside(*step.Err))
	case dialect.StepToken:
		if !r.call.started() {
			r.begin(step.Kind)
		}
		return false, r.send(step.Output)
	case dialect.StepDone:
		if r.isEmpty() {
			r.charge()
			return true, r.attempt.fail(table.BrokenAnswer, CodeUpstreamBroken, http.StatusBadGateway, "its stream ended without an answer")
		}
		return true, r.finish(step.Output)
	default:
		return false, r.hold(step.Output)
	}
}

// Read is where the stream's events come from. Everything that was written goes out before the proxy waits for more, and not earlier: events that came
// together leave together.
func (r *relay) Read(p []byte) (int, error) {
	if r.unsent {
		r.unsent = false
		if err := r.call.flush(); err != nil {
			return 0, err
		}
	}
	if !r.call.started() {
		return r.answer.Read(p)
	}
	r.quiet.begin()
	n, err := r.answer.Read(p)
	r.quiet.end()
	return n, err
}

// hold keeps what comes before the first token, and sends on what comes after it.
func (r *relay) hold(output []byte) *Error {
	if r.call.started() {
		return r.send(output)
	}
	if len(r.held.bytes)+len(output) > maxHeld {
		r.begin(dialect.StepChunk)
		return r.send(output)
	}
	if err := r.server.buffers.append(r.held, output); err != nil {
		return r.fail(r.broken(r.ctx, err, r.spend()))
	}
	return nil
}

// begin sends status, headers and what was held back. From here on the target is chosen.
func (r *relay) begin(kind dialect.StepKind) {
	r.begun()
	c, now := r.call, r.server.now()
	c.waited += now.Sub(r.attempt.began)
	if kind == dialect.StepToken {
		c.firstToken = now.Sub(c.start)
		r.attempt.firstToken = now.Sub(r.attempt.began)
		r.attempt.health.FirstToken(now)
	}
	header := c.w.Header()
	r.passHeader(header)
	setRouting(c)
	header[headerContentType] = []string{contentTypeStream}
	if c.inbound.Head.Array {
		header[headerContentType] = []string{contentTypeJSON}
	}
	header["Cache-Control"] = []string{"no-cache"}
	if !c.settled {
		// What the stream costs is known at its end.
		header["Trailer"] = []string{headerCost + ", " + headerEstimated}
	}
	header["X-Accel-Buffering"] = []string{"no"}
	c.begin(http.StatusOK, now, r.server.limits.BodyGrace)
	// A client that left is noticed by the send that follows.
	_ = c.write(r.held.bytes, now, r.server.limits.WriteStall)
	r.server.buffers.put(r.held)
	r.held = nil
	c.release(r.server.buffers)
}

// begun tells that the answer has begun; from here on it takes as long as it takes.
func (x *exchange) begun() {
	if x.begin != nil {
		x.begin.Stop()
	}
}

// send writes an event; Read flushes it. A client that takes nothing ends the attempt, and what the provider did until then is charged.
func (r *relay) send(output []byte) *Error {
	if len(output) == 0 {
		return nil
	}
	r.unsent = true
	if err := r.call.write(output, r.server.now(), r.server.limits.WriteStall); err != nil {
		r.charge()
		return clientClosed()
	}
	return nil
}

// finish ends a stream with its last event. The books are in order before the client knows that it has everything.
func (r *relay) finish(output []byte) *Error {
	r.charge()
	r.server.settle(r.call)
	if !r.call.started() {
		r.begin(dialect.StepDone)
	}
	r.server.publish(r.call)
	r.call.tellCost()
	if told := r.call.appendCost(nil); told != nil {
		output = append(told, output...)
	}
	if failure := r.send(output); failure != nil {
		return failure
	}
	if r.call.flush() != nil {
		return clientClosed()
	}
	return nil
}

// isEmpty tells whether a stream is over that has said nothing, not even what it used.
func (r *relay) isEmpty() bool {
	_, reported := r.stream.Usage()
	return !reported && !r.call.started() && !r.stream.Started()
}

// end is the end of the body without a last event. After a finish_reason the answer is whole: some servers send no [DONE].
func (r *relay) end() *Error {
	if output, whole := r.stream.End(); whole {
		return r.finish(output)
	}
	r.charge()
	return r.fail(r.attempt.fail(table.BrokenAnswer, CodeUpstreamBroken, http.StatusBadGateway, "its stream ended before its end"))
}

// fail ends a stream with an error: as its last event if the client has seen a part of it.
func (r *relay) fail(failure *Error) *Error {
	c := r.call
	if !c.started() || failure.Code == CodeClientClosed {
		return failure
	}
	r.server.settle(c)
	c.tellCost()
	reply := c.reply(failure, r.server.now())
	reply.ID, reply.Model, reply.Created = c.generationID(), c.model, c.start.Unix()
	if numbered, ok := r.stream.(dialect.Numbered); ok {
		reply.Sequence = numbered.NextSequence()
	}
	event := c.place.surface.AppendErrorEvent(c.appendCost(nil), reply)
	if c.write(event, r.server.now(), r.server.limits.WriteStall) == nil {
		// A client that left does not miss it.
		_ = c.flush()
	}
	return failure
}

// charge charges what the stream has used, once.
func (r *relay) charge() {
	if !r.charged {
		r.call.charge(r.spend(), r.attempt)
	}
}

// spend is what the stream has used so far. Who asks for it charges it.
func (r *relay) spend() meter.Usage {
	r.charged = true
	if !r.stream.Started() {
		return r.believe(r.stream.Settle(r.call.promptBytes()), r.told)
	}
	return r.believe(r.stream.Settle(r.call.uploadedBytes()), r.told)
}
