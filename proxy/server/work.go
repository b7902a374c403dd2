package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/upstream"
)

// editRoom is how much longer than the model's name a request becomes on its way, by the request for usage and by quotes.
const editRoom = 64

// work is a request written for a target.
type work struct {
	credential *credentialEntry
	// key that the request is sent with; nil until it is chosen.
	key *keyEntry
	// authorized is when the request was.
	authorized time.Time
	offer      provider.Offer
	joint      dialect.Joint
	model      string
	// preferences is OpenRouter's "provider", where the provider is OpenRouter.
	preferences []byte
	// outputLimit is the number of tokens of each choice that the request is to be limited to; 0 leaves it as it is.
	outputLimit int64
	// bound is the most that the attempt can cost, in nano-dollars, if bounded tells that it is known and has to be kept; else 0.
	bound   int64
	bounded bool
	// sent is the body that the provider gets; nil for a form, which goes as it comes.
	sent   *sentBody
	report neutral.Report
}

// sentBody is the body of a request. Once it is closed its memory can be used again, unless the transport asked for it another time.
type sentBody struct {
	bytes.Reader
	closed, again atomic.Bool
}

// Close tells that nobody reads any more.
func (b *sentBody) Close() error {
	b.closed.Store(true)
	return nil
}

// unread tells that nobody reads the body's memory any more; false when that is not known.
func (b *sentBody) unread() bool { return b.closed.Load() && !b.again.Load() }

// prepare chooses the API of the target's provider and writes the request for it. A target that cannot do what is asked for is noted with its reason, and
// is no attempt.
func (s *Server) prepare(c *call, l *leg, a *attempt, credential *credentialEntry) (*exchange, *Error) {
	t, model := a.target, a.model
	offer, offered := credential.provider.Choose(c.place.api, model, t.api)
	joint, joined := s.codecs.Join(c.place.api, offer.API)
	if !offered || !joined {
		return nil, c.unsuitable(t, &neutral.UnsupportedError{Reason: fmt.Sprintf("%s has no API for %s", t.provider, describeAPI(c.place.api))})
	}
	x := &exchange{work: work{credential: credential, offer: offer, joint: joint, model: model, outputLimit: a.outputLimit, bound: a.bound, bounded: a.bounded}, server: s, call: c}
	if err := x.forwardPreferences(c, l, t); err != nil {
		return nil, asError(requestError(err))
	}
	if c.form != nil {
		return x, nil
	}
	if err := s.write(c, &x.work); err != nil {
		var cannot *neutral.UnsupportedError
		if errors.As(err, &cannot) {
			return nil, c.unsuitable(t, cannot)
		}
		return nil, asError(requestError(err))
	}
	return x, nil
}

// write writes the provider's request into memory of its own.
func (s *Server) write(c *call, w *work) error {
	size := c.body.len() + int64(len(w.model)) + editRoom
	if w.offer.API != c.place.api {
		size *= 2
	}
	c.outbound = s.buffers.get()
	if size > int64(cap(c.outbound.bytes)) {
		if err := s.buffers.resize(c.outbound, size); err != nil {
			return overloaded("the proxy holds as many request bodies as it can; try again")
		}
	}
	var err error
	c.outbound.bytes, w.report, err = w.joint.AppendRequest(c.outbound.bytes, &c.inbound, w.target(c))
	s.buffers.recount(c.outbound)
	return err
}

// target is who the request is written for.
func (w *work) target(c *call) dialect.Target {
	vendor := &w.credential.provider
	to := dialect.Target{
		Model: w.model, Provider: vendor.Name, ModelInPath: w.offer.ModelInPath, StreamInPath: w.offer.StreamInPath,
		Set: w.offer.Set, Origin: w.offer.Origin, Quirks: *w.offer.Quirks, Preferences: w.preferences, OutputLimit: w.outputLimit,
	}
	if w.offer.API == neutral.Messages && c.place.api == neutral.Messages {
		to.Betas = c.r.Header[headerAnthropicBeta]
	}
	return to
}

// unsuitable notes that a target cannot do what is asked for.
func (c *call) unsuitable(t *targetEntry, cannot *neutral.UnsupportedError) *Error {
	if c.unsuitedBy == nil {
		c.unsuitedBy = cannot
	}
	reason := cannot.Reason
	if cannot.Field != "" {
		reason = cannot.Field + ": " + reason
	}
	c.unsuited = append(c.unsuited, dialect.Exclusion{Target: t.name, Reason: reason})
	return &Error{Code: CodeUnsupportedByTargets, Status: http.StatusBadRequest, Message: reason}
}

// unsuitedReason is why a target cannot do what is asked for.
func (c *call) unsuitedReason(target string) string {
	for _, exclusion := range c.unsuited {
		if exclusion.Target == target {
			return exclusion.Reason
		}
	}
	return ""
}

// asked is the model of the leg that the newest attempt belongs to.
func (c *call) asked() string {
	if len(c.attempts) == 0 || len(c.legs) == 0 {
		return c.inbound.Head.Model
	}
	return c.legs[c.attempts[len(c.attempts)-1].leg].model
}

// unsupported is the error of a request that no target can do, with each target's reason.
func (c *call) unsupported() error {
	reasons := make([]string, 0, len(c.unsuited))
	for _, exclusion := range c.unsuited {
		reasons = append(reasons, fmt.Sprintf("target %q: %s", exclusion.Target, exclusion.Reason))
	}
	return &Error{
		Code: CodeUnsupportedByTargets, Status: http.StatusBadRequest, Param: c.unsuitedBy.Field,
		Message:  fmt.Sprintf("no target of ModelRoute %q can do what the request asks for: %s", c.route.Name, strings.Join(reasons, "; ")),
		Metadata: &dialect.Metadata{Targets: c.unsuited},
	}
}

// describeAPI is an API in words for callers.
func describeAPI(api neutral.API) string {
	switch api.Family() {
	case neutral.Generation:
		return "generating text"
	case neutral.Embedding:
		return "embeddings"
	case neutral.Reranking:
		return "reranking"
	case neutral.Alone:
	}
	switch api {
	case neutral.Moderations:
		return "moderations"
	case neutral.Speech:
		return "speech"
	case neutral.Transcriptions, neutral.Translations:
		return "transcribing or translating sound"
	case neutral.CountTokens:
		return "counting tokens"
	default:
		return "images"
	}
}

// addressed is a request for the offer, without header and body. It must not be changed but for what a shallow copy holds.
func (w *work) addressed(c *call) (*http.Request, error) {
	if ready, ok := w.credential.templates[w.offer.Path]; ok && (!c.inbound.Head.Stream || w.offer.StreamPath == "") {
		return ready, nil
	}
	address, err := w.credential.provider.Address(w.credential.account, w.offer, w.model, c.inbound.Head.Stream)
	if err != nil {
		return nil, err
	}
	return newRequest(address), nil
}

// request builds the provider's request.
func (w *work) request(ctx context.Context, c *call) (*http.Request, error) {
	request, err := w.addressed(c)
	if err != nil {
		return nil, &upstream.Error{Kind: upstream.NotSent, Err: err}
	}
	request = request.WithContext(ctx)
	request.Header = w.header(c)
	if c.form != nil {
		request.Body, request.ContentLength = c.form.body(w.model), c.form.lengthWith(w.model)
		request.GetBody = func() (io.ReadCloser, error) { return c.form.body(w.model), nil }
		return request, w.authorize(ctx, request, nil)
	}
	body, sent := c.outbound.bytes, &sentBody{}
	sent.Reset(body)
	w.sent = sent
	request.Body, request.ContentLength = sent, int64(len(body))
	request.GetBody = func() (io.ReadCloser, error) {
		sent.again.Store(true)
		return io.NopCloser(bytes.NewReader(body)), nil
	}
	return request, w.authorize(ctx, request, body)
}

// authorize proves who sends the request. What fails there happens before a byte was sent.
func (w *work) authorize(ctx context.Context, request *http.Request, body []byte) error {
	if err := w.key.authorize(ctx, request, body); err != nil {
		return &upstream.Error{Kind: upstream.NotSent, Err: err}
	}
	w.authorized = w.key.now()
	return nil
}

// frames splits the body of a stream into events.
type frames interface {
	Next() (sse.Event, error)
}

// exchangeOf is what writers of answers need to know of the call.
func (w *work) exchangeOf(c *call, a *attempt, now func() time.Time) dialect.Exchange {
	vendor := &w.credential.provider
	o := dialect.Exchange{
		Flavor: c.place.flavor, IncludeUsage: c.inbound.Head.IncludeUsage, Array: c.inbound.Head.Array, Model: c.asked(), UpstreamModel: w.model,
		Provider: vendor.Name, Origin: w.offer.Origin, Created: c.start.Unix(), Prices: a.prices,
		BelievesCost: a.target.believesCost(), Bound: a.bound,
	}
	crosses := w.offer.API != c.place.api
	if crosses {
		c.inbound.Tell(&o)
	}
	if crosses || c.place.flavor != dialect.OpenAIFlavor {
		// What passes has the provider's id.
		o.ID = c.generationID()
	}
	if c.wantsMetadata() {
		o.Metadata = func() *dialect.RoutingMetadata { return c.routingMetadata(now()) }
	}
	if c.place.flavor == dialect.GroqFlavor || c.place.api == neutral.Responses {
		o.Timing = func() dialect.Timing { return c.timing(a, now()) }
	}
	return o
}

// timing is how long the parts of the call have taken.
func (c *call) timing(a *attempt, now time.Time) dialect.Timing {
	first := now
	if c.firstToken > 0 {
		first = c.start.Add(c.firstToken)
	}
	return dialect.Timing{Queue: a.began.Sub(c.start), Prompt: first.Sub(a.began), Completion: now.Sub(first)}
}

// generationID is unique, unlike the request's id, which clients may choose.
func (c *call) generationID() string {
	return c.recordID()[len(generationPrefix):]
}
