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
	"signalbox.dev/signalbox/proxy/provider/registry"
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
	target, err := vendor.ProbeURL(request.Endpoint)
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
	vendor.Authorize(call.Header, request.key)
	return c.send(call, outcome, vendor, policy)
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

// send makes the call on a connection of its own. A redirect is an answer like any other: following it would send the key elsewhere.
func (c Caller) send(call *http.Request, outcome Outcome, vendor provider.Provider, policy endpoint.Policy) Outcome {
	dialer := &endpoint.Dialer{Policy: policy, Resolver: c.Resolver}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(call)
	outcome.Latency = c.Clock.Since(outcome.At)
	switch {
	case endpoint.IsDenied(err):
		return outcome.notPermitted(err)
	case errors.Is(err, context.DeadlineExceeded):
		return outcome.noAnswer(errors.New("no answer within spec.probe.timeout"))
	case err != nil:
		return outcome.noAnswer(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return outcome.noAnswer(fmt.Errorf("reading the answer: %w", err))
	}
	return outcome.answered(response.StatusCode, vendor.Interpret(response.StatusCode, body))
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
