package providercredential

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"k8s.io/utils/clock"

	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/endpoint"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/provider/registry"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// maxAnswer is how much of an answer is read to tell what it means.
	maxAnswer = 64 << 10
	// maxHeader bounds the headers of an answer.
	maxHeader = 64 << 10
	// userAgent tells providers who asks.
	userAgent = "signalbox-manager"
)

// Caller asks providers over HTTP, within what probes may reach.
type Caller struct {
	// Config is the platform's configuration.
	Config *platform.Config
	// Facts tell where the API server is.
	Facts Facts
	// Providers are those that can be asked.
	Providers registry.Registry
	// Resolver resolves names; nil means net.DefaultResolver.
	Resolver *net.Resolver
	// Clock measures latency.
	Clock clock.PassiveClock
	// LongAnswers bounds by its capacity how many long lists of models are read at a time; nil reads none.
	LongAnswers chan struct{}
}

// LongAnswersAtATime is a good capacity of Caller.LongAnswers: each takes some tens of megabytes.
const LongAnswersAtATime = 4

// Ask makes one probe.
func (c Caller) Ask(ctx context.Context, namespace string, request Request) Outcome {
	outcome := Outcome{Subject: request.Subject, At: c.Clock.Now()}
	vendor, known := c.Providers.Lookup(request.Provider)
	if !known {
		return outcome.noAnswer(fmt.Errorf("provider %q is not known", request.Provider))
	}
	policy, err := c.policy(namespace)
	if err != nil {
		return outcome.noAnswer(err)
	}
	vendor = vendor.For(request.Account)
	line := line{vendor: vendor, request: request}
	if err := line.findAddresses(); err != nil {
		return outcome.noAnswer(err)
	}
	if err := policy.CheckURL(request.Endpoint); endpoint.IsDenied(err) {
		return outcome.notPermitted(err)
	} else if err != nil {
		return outcome.noAnswer(err)
	}
	if err := c.connect(&line, policy); errors.Is(err, auth.ErrNoWorkload) {
		return outcome.notOurs()
	} else if err != nil {
		return outcome.noAnswer(err)
	}
	defer line.transport.CloseIdleConnections()
	outcome, body := c.probe(ctx, &line, outcome)
	return c.addList(ctx, &line, outcome, body)
}

// line is a connection to a provider and what is sent with every call over it.
type line struct {
	vendor  provider.Provider
	request Request
	// probe and list are the addresses of what is asked for; list is empty where the vendor has none.
	probe, list string
	transport   *http.Transport
	authorizer  auth.Authorizer
}

func (l *line) findAddresses() (err error) {
	if l.probe, err = l.vendor.ProbeURL(l.request.Account); err != nil {
		return err
	}
	l.list, err = l.vendor.ListURL(l.request.Account)
	return err
}

// policy says what a probe of a namespace's credential may reach.
func (c Caller) policy(namespace string) (endpoint.Policy, error) {
	facts, _ := c.Facts.Facts()
	return c.Config.ProbePolicy(facts.Addresses, namespace)
}

// connect makes a connection of its own for one probe. A token is asked for anew each time, for the answer tells whether the account is still good.
func (c Caller) connect(l *line, policy endpoint.Policy) (err error) {
	dialer := &endpoint.Dialer{Policy: policy, Resolver: c.Resolver}
	l.transport = &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader, ForceAttemptHTTP2: true}
	credential := &table.Credential{Region: l.request.Region}
	l.authorizer, err = auth.NewKeeper(auth.Options{Now: c.Clock.Now}).Authorizer(l.vendor, credential, l.request.key, l.transport)
	return err
}

// get makes a call and returns the answer's head. A redirect is an answer like any other: following it would send the key elsewhere.
func (l *line) get(ctx context.Context, address string) (*http.Response, error) {
	call, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	call.Header.Set("User-Agent", userAgent)
	for name, value := range l.vendor.Headers {
		call.Header.Set(name, value)
	}
	if err := l.authorizer.Authorize(ctx, call, nil); err != nil {
		return nil, &tokenlessError{err}
	}
	return l.transport.RoundTrip(call)
}

// tokenlessError is the error of a call that could not be authenticated.
type tokenlessError struct{ err error }

func (e *tokenlessError) Error() string { return e.err.Error() }

func (e *tokenlessError) Unwrap() error { return e.err }

// probe asks for what tells whether the key is good. If that is the list of models, it returns the whole answer too, where that can be had.
func (c Caller) probe(ctx context.Context, l *line, outcome Outcome) (Outcome, []byte) {
	response, err := l.get(ctx, l.probe)
	outcome.Latency = c.Clock.Since(outcome.At)
	var tokenless *tokenlessError
	switch {
	case errors.As(err, &tokenless):
		return outcome.withoutToken(tokenless.err), nil
	case err != nil:
		return outcome.failed(err), nil
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return outcome.noAnswer(fmt.Errorf("reading the answer: %w", err)), nil
	}
	outcome = outcome.answered(response.StatusCode, l.vendor.Interpret(response.StatusCode, body))
	if outcome.good() {
		outcome.Balance = c.balance(ctx, l, body)
	}
	if l.probe != l.list || !outcome.good() {
		return outcome, nil
	}
	return outcome, c.rest(body, response.Body)
}

// balance is what the account still has: in the answer to the probe, or that of a call of its own. Trouble with it is no trouble with the provider.
func (c Caller) balance(ctx context.Context, l *line, probed []byte) string {
	address, err := l.vendor.BalanceURL(l.request.Account)
	if err != nil {
		return ""
	}
	if address == "" {
		return l.vendor.ReadBalance(probed)
	}
	response, err := l.get(ctx, address)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil || !isSuccess(response.StatusCode) {
		return ""
	}
	return l.vendor.ReadBalance(body)
}

// rest reads what follows the beginning of an answer, up to one byte more than a list may have; nil if that breaks off. Long answers are read a few at a time, for every one takes
// memory; when too many come together the next probe gets its turn.
func (c Caller) rest(beginning []byte, body io.Reader) []byte {
	if len(beginning) < maxAnswer {
		return beginning
	}
	select {
	case c.LongAnswers <- struct{}{}:
		defer func() { <-c.LongAnswers }()
	default:
		return nil
	}
	following, err := io.ReadAll(io.LimitReader(body, provider.MaxListBytes-maxAnswer+1))
	if err != nil {
		return nil
	}
	return append(beginning, following...)
}

// addList adds the list of models to the outcome of a good probe: body, if the probe has asked for it already, else what another call brings, if the
// request wants that. Trouble with the list is no trouble with the provider.
func (c Caller) addList(ctx context.Context, l *line, outcome Outcome, body []byte) Outcome {
	if !outcome.good() || l.list == "" {
		return outcome
	}
	if l.probe != l.list {
		if !l.request.List {
			return outcome
		}
		body = c.whole(ctx, l, l.list)
	}
	outcome.ListAsked = outcome.At
	if read, ok := l.vendor.ReadList(l.request.Account, body); ok {
		outcome.List = &read
	}
	return outcome
}

// whole makes a call and returns a good answer to it; nil if there is none.
func (c Caller) whole(ctx context.Context, l *line, address string) []byte {
	response, err := l.get(ctx, address)
	if err != nil {
		return nil
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil || !isSuccess(response.StatusCode) {
		return nil
	}
	return c.rest(body, response.Body)
}

func isSuccess(status int) bool { return status >= 200 && status < 300 }

// good tells whether the provider answered a probe as it should.
func (o Outcome) good() bool {
	return o.Result == Answered && isSuccess(int(o.HTTPStatus)) && o.Verdict.Health == provider.Healthy && o.Verdict.Key != provider.KeyInvalid
}

// withoutToken is the outcome of a probe that got no token.
func (o Outcome) withoutToken(err error) Outcome {
	var token *auth.TokenError
	switch {
	case !errors.As(err, &token) || token.Err != nil:
		return o.failed(err)
	case token.Refused():
		return o.answered(token.Status, provider.Verdict{Key: provider.KeyInvalid, Health: provider.Healthy, Message: token.Error()})
	default:
		return o.answered(token.Status, provider.Verdict{Key: provider.KeyUnknown, Health: provider.Unhealthy, Message: token.Error()})
	}
}

// failed is the outcome of a call that got no answer.
func (o Outcome) failed(err error) Outcome {
	switch {
	case endpoint.IsDenied(err):
		return o.notPermitted(err)
	case errors.Is(err, context.DeadlineExceeded):
		return o.noAnswer(errors.New("no answer within spec.probe.timeout"))
	default:
		return o.noAnswer(err)
	}
}

// answered is the outcome of a call that was answered. A status that HTTP does not have is not told.
func (o Outcome) answered(status int, verdict provider.Verdict) Outcome {
	if status < 100 || status > 599 {
		status = 0
	}
	o.Result, o.HTTPStatus, o.Verdict = Answered, int32(status), verdict
	o.Message = verdict.Message
	return o
}

func (o Outcome) noAnswer(err error) Outcome {
	o.Result, o.Message = NoAnswer, "the probe failed: "+describe(err)
	return o
}

// describe tells an error in words that stay the same while the trouble does: a message with a local port in it would have every status that repeats it
// written anew after each probe.
func describe(err error) string {
	var operation *net.OpError
	if errors.As(err, &operation) && operation.Source != nil {
		return fmt.Sprintf("%s %s %s: %v", operation.Op, operation.Net, operation.Addr, operation.Err)
	}
	return err.Error()
}

// notOurs is the outcome for an identity that only the proxies have.
func (o Outcome) notOurs() Outcome {
	o.Result, o.Message = NotPermitted, "only the proxies can act as this identity, by a token of their ServiceAccount, so the manager cannot try it: calls show whether it is good"
	return o
}

func (o Outcome) notPermitted(err error) Outcome {
	o.Result, o.Message = NotPermitted, "the manager may not probe this endpoint, so its health is not known: "+err.Error()
	return o
}
