package server

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// rawChunk is how much of a raw answer is read at a time.
const rawChunk = 32 << 10

// answersInEvents tells whether an answer comes as a stream although the request's head did not ask for one: sound and images have their own ways to ask.
func (x *exchange) answersInEvents() bool {
	return x.call.place.api.Family() == neutral.Alone && isEventStreamType(x.response.Header.Get(headerContentType))
}

func isEventStreamType(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == contentTypeStream
}

// answersRaw tells whether an answer is neither JSON nor a stream of events: sound, or a transcript in text.
func (x *exchange) answersRaw() bool {
	switch x.call.place.api {
	case neutral.Speech, neutral.Transcriptions, neutral.Translations:
	default:
		return false
	}
	media, _, err := mime.ParseMediaType(x.response.Header.Get(headerContentType))
	return err == nil && media != contentTypeJSON && media != contentTypeStream && media != "text/html"
}

// relayRaw sends on an answer as it comes. The proxy cannot read it, so what it cost is estimated by the request and its size.
func (s *Server) relayRaw(ctx context.Context, x *exchange) *Error {
	c := x.call
	chunk := make([]byte, rawChunk)
	// Nothing is sent before there is something: until then another target can take over.
	n, err := x.answer.Read(chunk)
	if n == 0 && err != nil && !errors.Is(err, io.EOF) {
		return x.broken(ctx, err, meter.EstimateUsage(c.promptBytes(), 0, 0))
	}
	x.begun()
	now := s.now()
	c.waited += now.Sub(x.attempt.began)
	header := c.w.Header()
	x.passHeader(header)
	setRouting(c)
	header[headerContentType] = x.response.Header[headerContentType]
	c.announceCost(header)
	c.begin(http.StatusOK, now, s.limits.BodyGrace)
	// What is to be spoken is counted while its text is there.
	spoken := x.rawUsage()
	c.release(s.buffers)
	failure := s.copyRaw(ctx, x, chunk, rawRead{n: n, err: err})
	if c.form != nil {
		spoken = x.rawUsage()
	}
	c.charge(x.believe(spoken, costIn(x.response.Trailer)), x.attempt)
	s.settle(c)
	c.tellCost()
	return failure
}

// rawUsage is what an answer costs that the proxy cannot read, as far as request and size tell.
func (x *exchange) rawUsage() meter.Usage {
	c := x.call
	raw, ok := c.place.surface.(dialect.RawMeter)
	switch {
	case !ok:
		return meter.EstimateUsage(c.promptBytes(), x.textBytes(), 0)
	case c.body == nil:
		return raw.RawUsage(nil, c.uploadedBytes(), x.textBytes())
	default:
		return raw.RawUsage(c.body.bytes, c.uploadedBytes(), x.textBytes())
	}
}

// textBytes is the size of a transcript; sound has no text.
func (x *exchange) textBytes() int64 {
	if strings.HasPrefix(x.response.Header.Get(headerContentType), "text/") {
		return x.call.bytesOut
	}
	return 0
}

// rawRead is what a read returned.
type rawRead struct {
	n   int
	err error
}

// copyRaw sends on what comes, piece by piece. An answer that breaks off ends the client's connection, for nothing else can tell.
func (s *Server) copyRaw(ctx context.Context, x *exchange, chunk []byte, read rawRead) *Error {
	c := x.call
	for {
		if c.write(chunk[:read.n], s.now(), s.limits.WriteStall) != nil || c.flush() != nil {
			return clientClosed()
		}
		if errors.Is(read.err, io.EOF) {
			return nil
		}
		if read.err != nil {
			c.torn = true
			return x.describeRawBreak(ctx, read.err)
		}
		read.n, read.err = x.answer.Read(chunk)
	}
}

func (x *exchange) describeRawBreak(ctx context.Context, err error) *Error {
	if x.call.clientGone() {
		return clientClosed()
	}
	failure := x.describeBreak(ctx, err, 0)
	failure.Cause = err
	return failure
}
