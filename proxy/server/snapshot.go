package server

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/ledger"
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
	byName        map[string]*routeEntry
	budgets       []*ledger.Budget
	credentials   map[string]*credentialEntry
	rules         table.EndpointRules
	transport     http.RoundTripper
	labels        map[telemetry.Labels]struct{}
}

// uses tells whether a key of a credential is in the table.
func (n *snapshot) uses(credential, key string) bool {
	entry, ok := n.credentials[credential]
	return ok && entry.ring.Has(key)
}

// authenticators is the snapshot's authenticator; nil without a snapshot.
func (n *snapshot) authenticators() *identity.Authenticator {
	if n == nil {
		return nil
	}
	return n.authenticator
}

// compile makes a table ready. A broken credential excludes the targets that use it and nothing else.
func (s *Server) compile(t *table.Table, previous *snapshot) (*snapshot, error) {
	next := &snapshot{
		namespace:     t.Namespace,
		authenticator: identity.New(t, previous.authenticators()),
		routes:        make(map[*table.Route]*routeEntry, len(t.Routes)),
		byName:        make(map[string]*routeEntry, len(t.Routes)),
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
	next.budgets = s.book.Use(t.Budgets, s.now())
	served := *t
	served.Routes = slices.Clone(t.Routes)
	for i := range served.Routes {
		entry := &served.Routes[i]
		next.routes[entry] = s.compileRoute(next, entry, credentials, budgetsOf(entry.Name, next.budgets))
		next.byName[entry.Name] = next.routes[entry]
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

func (s *Server) metricsHandle(next *snapshot, labels telemetry.Labels) *telemetry.Target {
	next.labels[labels] = struct{}{}
	return s.metrics.Target(labels)
}

// budgetsOf are the budgets that count a route's calls, whoever makes them.
func budgetsOf(routeName string, budgets []*ledger.Budget) []*ledger.Budget {
	var matching []*ledger.Budget
	for _, budget := range budgets {
		if len(budget.Routes) == 0 || slices.Contains(budget.Routes, routeName) {
			matching = append(matching, budget)
		}
	}
	return matching
}
