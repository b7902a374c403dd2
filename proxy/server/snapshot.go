package server

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
)

// snapshot is a table made ready for requests. It never changes.
type snapshot struct {
	namespace     string
	index         *route.Index
	authenticator *identity.Authenticator
	routes        map[*table.Route]*routeEntry
	credentials   map[string]*credentialEntry
	rules         table.EndpointRules
	transport     http.RoundTripper
	labels        map[telemetry.Labels]struct{}
}

// routeEntry is a route with what its requests need. Targets of the embedded route carry all exclusions that do not depend on the request.
type routeEntry struct {
	*table.Route
	targets  []targetEntry
	budgets  []*table.Budget
	noTarget *telemetry.Target
	header   []string
}

// targetEntry is a target of a route; it stands at the same index as in the table.
type targetEntry struct {
	name       string
	credential string
	provider   string
	model      string
	api        neutral.API
	prices     *table.Prices
	byModel    map[string]table.Prices
	metrics    *telemetry.Target
	header     []string
}

// sameModel is the upstream model of a target that sends on what the client asked for.
const sameModel = "*"

// upstreamModel is the name that the target's provider is asked for.
func (t *targetEntry) upstreamModel(asked string) string {
	if t.model == sameModel {
		return asked
	}
	return t.model
}

// pricesOf is what the target charges for a model; nil if that is not known.
func (t *targetEntry) pricesOf(upstreamModel string) *table.Prices {
	if t.prices != nil {
		return t.prices
	}
	if prices, ok := t.byModel[upstreamModel]; ok {
		return &prices
	}
	return nil
}

// compile makes a table ready. A broken credential excludes the targets that use it and nothing else.
func (s *Server) compile(t *table.Table, previous *snapshot) (*snapshot, error) {
	next := &snapshot{
		namespace:     t.Namespace,
		authenticator: identity.New(t),
		routes:        make(map[*table.Route]*routeEntry, len(t.Routes)),
		credentials:   make(map[string]*credentialEntry, len(t.Credentials)),
		rules:         t.Endpoints,
		labels:        map[telemetry.Labels]struct{}{{}: {}},
	}
	if err := s.chooseTransport(next, previous); err != nil {
		return nil, err
	}
	for _, problem := range next.authenticator.Problems() {
		s.log.Error("callers of an issuer cannot be authenticated", "error", problem)
	}
	credentials := make(map[string]*table.Credential, len(t.Credentials))
	for i := range t.Credentials {
		credential := &t.Credentials[i]
		credentials[credential.Name] = credential
		next.credentials[credential.Name] = s.compileCredential(credential, next.transport)
	}
	served := *t
	served.Routes = slices.Clone(t.Routes)
	for i := range served.Routes {
		entry := &served.Routes[i]
		next.routes[entry] = s.compileRoute(next, entry, credentials)
		next.routes[entry].budgets = budgetsOf(entry.Name, t.Budgets)
	}
	next.index = route.NewIndex(&served)
	return next, nil
}

// chooseTransport keeps the transport, and with it the open connections, while the rules stay the same.
func (s *Server) chooseTransport(next, previous *snapshot) error {
	if previous != nil && reflect.DeepEqual(previous.rules, next.rules) {
		next.transport = previous.transport
		return nil
	}
	transport, err := s.newTransport(next.rules)
	if err != nil {
		return fmt.Errorf("applying the endpoint rules: %w", err)
	}
	next.transport = transport
	return nil
}

func (s *Server) compileRoute(next *snapshot, r *table.Route, credentials map[string]*table.Credential) *routeEntry {
	r.Targets = slices.Clone(r.Targets)
	entry := &routeEntry{Route: r, targets: make([]targetEntry, len(r.Targets)), header: []string{r.Name}}
	entry.noTarget = s.metricsHandle(next, telemetry.Labels{Route: r.Name})
	for i := range r.Targets {
		target := &r.Targets[i]
		credential, found := credentials[target.Credential]
		if !found {
			exclude(target, fmt.Sprintf("ProviderCredential %q does not exist", target.Credential))
			credential = &table.Credential{}
		} else {
			exclude(target, next.credentials[target.Credential].excluded)
		}
		entry.targets[i] = compileTarget(target, credential)
		entry.targets[i].metrics = s.metricsHandle(next, telemetry.Labels{Route: r.Name, Target: target.Name, Provider: credential.Provider})
	}
	return entry
}

// exclude keeps the reason that the table gives, which knows more.
func exclude(t *table.Target, reason string) {
	if t.Excluded == "" {
		t.Excluded = reason
	}
}

func compileTarget(t *table.Target, c *table.Credential) targetEntry {
	entry := targetEntry{
		name: t.Name, credential: t.Credential, provider: c.Provider, model: t.Model, api: neutral.API(t.API), prices: t.Prices, byModel: c.Prices, header: []string{t.Name},
	}
	if t.Model != sameModel {
		entry.prices = entry.pricesOf(t.Model)
	}
	return entry
}

func (s *Server) metricsHandle(next *snapshot, labels telemetry.Labels) *telemetry.Target {
	next.labels[labels] = struct{}{}
	return s.metrics.Target(labels)
}

// budgetsOf are the budgets that count a route's calls, whoever makes them.
func budgetsOf(routeName string, budgets []table.Budget) []*table.Budget {
	var matching []*table.Budget
	for i := range budgets {
		if len(budgets[i].Routes) == 0 || slices.Contains(budgets[i].Routes, routeName) {
			matching = append(matching, &budgets[i])
		}
	}
	return matching
}
