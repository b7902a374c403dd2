package providercredential

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"

	"k8s.io/utils/clock"

	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/endpoint"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/provider/registry"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// maxAnswer is how much of an answer is read; enough to tell what it means.
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
}

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
	target, err := vendor.ProbeURL(request.Account)
	if err != nil {
		return outcome.noAnswer(err)
	}
	if err := policy.CheckURL(request.Endpoint); endpoint.IsDenied(err) {
		return outcome.notPermitted(err)
	} else if err != nil {
		return outcome.noAnswer(err)
	}
	call, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return outcome.noAnswer(err)
	}
	call.Header.Set("User-Agent", userAgent)
	for name, value := range vendor.Headers {
		call.Header.Set(name, value)
	}
	return c.send(call, outcome, exchange{request: request, vendor: vendor, policy: policy})
}

// exchange is what sending a probe needs to know.
type exchange struct {
	request Request
	vendor  provider.Provider
	policy  endpoint.Policy
}

// policy says what a probe of a namespace's credential may reach.
func (c Caller) policy(namespace string) (endpoint.Policy, error) {
	facts, _ := c.Facts.Facts()
	allow, deny, err := c.Config.EndpointRules(facts.Addresses).Parse()
	if err != nil {
		return endpoint.Policy{}, fmt.Errorf("reading the rules for endpoints: %w", err)
	}
	rules := endpoint.Rules{Allow: allow, APIServers: deny, ClusterDomain: c.Config.ClusterDomain}
	for _, cidr := range c.Config.Endpoints.ProbeAllowCIDRs {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			return endpoint.Policy{}, fmt.Errorf("reading the rules for endpoints: %w", err)
		}
		rules.ProbeReach = append(rules.ProbeReach, prefix)
	}
	return endpoint.ProbePolicy(rules, namespace), nil
}

// send makes the call on a connection of its own. A redirect is an answer like any other: following it would send the key elsewhere. A token is asked for
// anew each time, for the answer tells whether the account is still good.
func (c Caller) send(call *http.Request, outcome Outcome, e exchange) Outcome {
	dialer := &endpoint.Dialer{Policy: e.policy, Resolver: c.Resolver}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	credential := &table.Credential{Region: e.request.Region}
	authorizer, err := auth.NewKeeper(c.Clock.Now).Authorizer(e.vendor, credential, e.request.key, transport)
	if err != nil {
		return outcome.noAnswer(err)
	}
	if err := authorizer.Authorize(call.Context(), call, nil); err != nil {
		outcome.Latency = c.Clock.Since(outcome.At)
		return outcome.withoutToken(err)
	}
	response, err := transport.RoundTrip(call)
	outcome.Latency = c.Clock.Since(outcome.At)
	if err != nil {
		return outcome.failed(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return outcome.noAnswer(fmt.Errorf("reading the answer: %w", err))
	}
	return outcome.answered(response.StatusCode, e.vendor.Interpret(response.StatusCode, body))
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

func (o Outcome) answered(status int, verdict provider.Verdict) Outcome {
	o.Result, o.HTTPStatus, o.Verdict = Answered, int32(min(max(status, 0), 599)), verdict
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

func (o Outcome) notPermitted(err error) Outcome {
	o.Result, o.Message = NotPermitted, "the manager may not probe this endpoint, so its health is not known: "+err.Error()
	return o
}
