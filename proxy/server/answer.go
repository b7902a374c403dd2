package server

import (
	"bytes"
	"context"
	"net/http"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// answerRoom is how many bytes an answer may grow by what the proxy adds, such as its cost.
const answerRoom = 512

// jsonSpace is what may stand before a JSON value. Some providers send it while the answer is not ready.
const jsonSpace = " \t\r\n"

// relayAnswer reads a whole answer, settles it and sends it on. Nothing reaches the client before all of it was read, so a broken one can be mended by the
// next target.
func (s *Server) relayAnswer(ctx context.Context, x *exchange) *Error {
	c := x.call
	body := s.buffers.get()
	defer s.buffers.put(body)
	err := s.buffers.readAll(body, x.answer, reading{limit: s.limits.AnswerBytes, declared: x.declaredLength(), spare: answerRoom})
	if err != nil {
		return x.broken(ctx, err, meter.EstimateUsage(c.promptBytes(), body.len(), 0))
	}
	now := s.now()
	answer, err := x.joint.ReadAnswer(body.bytes, x.exchangeOf(c, x.attempt, s.now))
	if failure := x.judge(body.bytes, answer, err); failure != nil {
		return failure
	}
	c.upstreamID = upstreamID(body.bytes)
	used := x.believe(answer.Settle(c.uploadedBytes()), costIn(x.response.Header))
	c.charge(used, x.attempt)
	c.waited += now.Sub(x.attempt.began)
	s.settle(c)
	s.publish(c)
	return s.sendAnswer(x, answer.Body(used))
}

// declaredLength is the length of the plain body, where it is known.
func (x *exchange) declaredLength() int64 {
	if x.answer != x.response.Body {
		return -1
	}
	return x.response.ContentLength
}

// judge finds what of an answer of status 200 is none. A broken JSON object may have been paid for; what is none, such as a page of HTML, was not.
func (x *exchange) judge(body []byte, answer dialect.Answer, err error) *Error {
	if err != nil {
		x.call.reach(x.attempt)
		if bytes.HasPrefix(bytes.TrimLeft(body, jsonSpace), []byte("{")) {
			x.call.charge(meter.EstimateUsage(x.call.promptBytes(), int64(len(body)), 0), x.attempt)
		}
		failure := x.attempt.fail(table.BrokenAnswer, CodeUpstreamInvalidAnswer, http.StatusBadGateway, "its answer is not a JSON object of its API")
		failure.Cause = err
		return failure
	}
	said := answer.Failure()
	if said == nil {
		return nil
	}
	x.call.reach(x.attempt)
	if usage, reported := answer.Reported(); reported {
		x.call.charge(usage, x.attempt)
	}
	return x.saidInside(*said)
}

// sendAnswer writes the answer.
func (s *Server) sendAnswer(x *exchange, body []byte) *Error {
	c := x.call
	header := c.w.Header()
	x.passHeader(header)
	setRouting(c)
	header[headerContentType] = []string{contentTypeJSON}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	now := s.now()
	c.begin(http.StatusOK, now, s.limits.BodyGrace)
	if err := c.write(body, now, s.limits.WriteStall); err != nil {
		return clientClosed()
	}
	return nil
}
