package server

import (
	"context"
	"net/http"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/meter"
)

// relayAnswer reads a whole answer, settles it and sends it on. Nothing reaches the client before all of it was read, so a broken one can be mended by the
// next target.
func (s *Server) relayAnswer(ctx context.Context, x *exchange) *Error {
	c := x.call
	body := s.buffers.get()
	defer s.buffers.put(body)
	err := s.buffers.readAll(body, x.body, reading{limit: s.limits.AnswerBytes, declared: x.declaredLength(), spare: openai.CostRoom})
	if err != nil {
		return x.broken(ctx, err, meter.EstimateUsage(c.bytesIn, body.len(), 0))
	}
	now := s.now()
	answer, err := openai.ReadAnswer(body.bytes)
	if failure := x.judge(body.bytes, answer, err); failure != nil {
		return failure
	}
	c.charge(answer.Settle(c.bytesIn), x.attempt.prices)
	c.settle()
	c.waited += now.Sub(x.attempt.began)
	return s.sendAnswer(x, body, answer)
}

// declaredLength is the length of the plain body, where it is known.
func (x *exchange) declaredLength() int64 {
	if x.body != x.response.Body {
		return -1
	}
	return x.response.ContentLength
}

// judge finds what of an answer of status 200 is none. A broken JSON object may have been paid for; what is none, such as a page of HTML, was not.
func (x *exchange) judge(body []byte, answer openai.Answer, err error) *Error {
	switch {
	case err != nil:
		x.call.bill.reached = true
		if len(body) > 0 && body[0] == '{' {
			x.call.charge(meter.EstimateUsage(x.call.bytesIn, int64(len(body)), 0), x.attempt.prices)
		}
		failure := x.attempt.fail(CodeUpstreamInvalidAnswer, http.StatusBadGateway, "its answer is not a JSON object")
		failure.Cause = err
		return failure
	case answer.Err != nil:
		x.call.bill.reached = true
		if answer.HasUsage {
			x.call.charge(answer.Usage, x.attempt.prices)
		}
		return x.saidInside(*answer.Err)
	default:
		return nil
	}
}

// sendAnswer writes the answer, with its cost where it is known.
func (s *Server) sendAnswer(x *exchange, body *buffer, answer openai.Answer) *Error {
	c := x.call
	if x.attempt.prices != nil {
		body.bytes = answer.AddCost(body.bytes, meter.Cost(answer.Settle(c.bytesIn), *x.attempt.prices))
	}
	header := c.w.Header()
	passHeader(header, x.response.Header)
	setRouting(c)
	header[headerContentType] = []string{contentTypeJSON}
	header["Content-Length"] = []string{strconv.Itoa(len(body.bytes))}
	now := s.now()
	c.begin(http.StatusOK, now, s.limits.BodyGrace)
	if err := c.write(body.bytes, now, s.limits.WriteStall); err != nil {
		return clientClosed()
	}
	return nil
}
