package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/provider/signalbox"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// standardDomain is the DNS domain of most clusters.
	standardDomain = "cluster.local"
	// remoteKey is the name of the key that other namespaces' proxies are called with.
	remoteKey = "serviceaccount"
	// maxNamedModels bounds how many models a message names.
	maxNamedModels = 8
	// maxLabel and maxRouteName bound the names that a reference consists of.
	maxLabel     = 63
	maxRouteName = 253
)

// RemoteReader reads ModelRoutes of namespaces other than the one that is compiled.
type RemoteReader struct {
	// Namespaces of the cluster, as far as View says.
	Namespaces []corev1.Namespace
	// View says what Namespaces holds.
	View NamespaceView
}

// Read says of a route what targets that refer to it need to know. inForce is its namespace's table, which tells prices, limits and certificates; nil while there is none.
func (r RemoteReader) Read(route *v1alpha1.ModelRoute, inForce *table.Table) RemoteRoute {
	access := newAccessCompiler(&Input{Namespace: route.Namespace, Namespaces: r.Namespaces, View: r.View})
	read := RemoteRoute{Calls: callsOf(route)}
	// What is wrong with its access its own status tells; such rules admit nobody.
	read.Access, _ = access.compile(route.Spec.Access)
	for _, model := range route.Spec.Models {
		read.Models = append(read.Models, string(model))
	}
	if inForce == nil {
		return read
	}
	read.Certificates = slices.Concat(inForce.Control.CertificatePEM, inForce.Control.PreviousPEM)
	at := slices.IndexFunc(inForce.Routes, func(entry table.Route) bool { return entry.Name == route.Name && entry.UID == string(route.UID) })
	if at >= 0 {
		read.Prices, read.Declared = highestOf(&inForce.Routes[at], inForce.Credentials)
	}
	return read
}

// callsOf are the routes that a route's targets refer to, as namespace/name, each once.
func callsOf(route *v1alpha1.ModelRoute) []string {
	var calls []string
	for i := range route.Spec.Targets {
		if ref := route.Spec.Targets[i].RouteRef; ref != nil {
			calls = append(calls, ref.Namespace+"/"+ref.Name)
		}
	}
	return unique(calls)
}

// highestOf are the highest prices of the targets of a route that can be called, nil if one is not known, and what is known of their models: the
// capabilities that any of them has, and the largest limits, 0 if one is not known.
func highestOf(route *table.Route, credentials []table.Credential) (*table.Prices, table.Declared) {
	var all []*table.Prices
	var known table.Declared
	var contexts, outputs []int64
	for i := range route.Targets {
		target := &route.Targets[i]
		if target.Excluded != "" {
			continue
		}
		all = append(all, everyPrice(route, target, credentials)...)
		known.Capabilities |= target.Declared.Capabilities
		contexts = append(contexts, target.Declared.ContextTokens)
		outputs = append(outputs, target.Declared.MaxOutputTokens)
	}
	known.ContextTokens, known.MaxOutputTokens = widest(contexts), widest(outputs)
	return meter.Highest(all), known
}

// widest is the largest limit, 0 if there is none or one is not known.
func widest(limits []int64) int64 {
	if len(limits) == 0 || slices.Contains(limits, 0) {
		return 0
	}
	return slices.Max(limits)
}

// everyPrice are the prices of all models that calls to a target can go to; nil is among them where one is not known.
func everyPrice(route *table.Route, target *table.Target, credentials []table.Credential) []*table.Prices {
	if target.Prices != nil {
		return []*table.Prices{target.Prices}
	}
	at := slices.IndexFunc(credentials, func(c table.Credential) bool { return c.Name == target.Credential })
	if at < 0 {
		return []*table.Prices{nil}
	}
	models := []string{target.Model}
	if target.Model == wildcard {
		models = route.Models
	}
	if target.Successor != "" {
		models = append(slices.Clone(models), target.Successor)
	}
	prices := make([]*table.Prices, 0, len(models))
	for _, model := range models {
		found, priced := credentials[at].Prices[model]
		if !priced || strings.HasSuffix(model, wildcard) {
			return []*table.Prices{nil}
		}
		prices = append(prices, &found)
	}
	return prices
}

// called reads a target's routeRef.
func (c *complaints) called(spec *v1alpha1.RouteTarget, read *table.Target, path string) {
	ref := spec.RouteRef
	switch {
	case ref == nil:
		c.required(spec.CredentialRef.Name, path+".credentialRef.name")
		return
	case spec.CredentialRef.Name != "":
		c.invalid(path+".routeRef", "a target needs exactly one of credentialRef and routeRef")
	case ref.Namespace == "" || len(ref.Namespace) > maxLabel || strings.ContainsFunc(ref.Namespace, notInPlaces):
		c.invalid(path+".routeRef.namespace", fmt.Sprintf("%q is not the name of a namespace", bounded(ref.Namespace)))
	case ref.Name == "" || len(ref.Name) > maxRouteName || strings.ContainsFunc(ref.Name, func(r rune) bool { return r != '.' && notInPlaces(r) }):
		c.invalid(path+".routeRef.name", fmt.Sprintf("%q is not the name of a ModelRoute", bounded(ref.Name)))
	case spec.OpenRouter != nil:
		c.invalid(path+".openRouter", "it is only for targets with a credentialRef")
	}
	read.Credential, read.CalledRoute = table.ProxyCredential(ref.Namespace), ref.Namespace+"/"+ref.Name
}

// remoteProblem tells why another namespace's route cannot be called, and which field of the target is at fault.
func (a *assembly) remoteProblem(route *table.Route, target *table.Target) (reason, problem, field string) {
	namespace, name, _ := strings.Cut(target.CalledRoute, "/")
	called := fmt.Sprintf("ModelRoute %q of namespace %q", name, namespace)
	if namespace == a.in.Namespace {
		return v1alpha1.ReasonInvalid, called + " is in this namespace; use its targets themselves", "routeRef.namespace"
	}
	if a.in.Remote == nil {
		return v1alpha1.ReasonUnsupportedValue, called + " cannot be called: routes of other namespaces can be called in a cluster only", "routeRef"
	}
	remote, known := a.in.Remote[target.CalledRoute]
	account := a.in.Namespace + "/" + v1alpha1.ProxyName
	switch {
	case !known && a.in.View == NamesOnly:
		return v1alpha1.ReasonBackendNotFound, called + " does not exist, or this installation does not watch that namespace (watchNamespaces)", "routeRef.name"
	case !known:
		return v1alpha1.ReasonBackendNotFound, called + " does not exist", "routeRef.name"
	case !admitsServiceAccount(remote.Access, account):
		return v1alpha1.ReasonRefNotPermitted, fmt.Sprintf("the access of %s does not admit the proxy of this namespace; add to its spec.access.allow: serviceAccount: {namespace: %s, name: %s}",
			called, a.in.Namespace, v1alpha1.ProxyName), "routeRef"
	case remote.TLSAlone && len(remote.Certificates) == 0:
		return v1alpha1.ReasonPending, fmt.Sprintf("%s cannot be called yet: the proxies of namespace %q speak TLS alone, and the table that tells their certificate is not made yet",
			called, namespace), "routeRef.namespace"
	}
	if loop := a.calls().loop(a.in.Namespace+"/"+route.Name, target.CalledRoute); loop != nil {
		return v1alpha1.ReasonRouteLoop, "a call would come back to this route: " + strings.Join(loop, " -> ") + "; remove one of these references", "routeRef"
	}
	if a.calls().tooDeep(target.CalledRoute) {
		return v1alpha1.ReasonUnsupportedValue, fmt.Sprintf("a call could pass through more than %d namespaces behind this one; refer to a route further on", MaxHops), "routeRef"
	}
	if !servesAny(remote.Models, route, target) {
		return v1alpha1.ReasonBackendNotFound, fmt.Sprintf("%s does not serve model %q; it serves %s", called, bounded(target.Model), listModels(remote.Models)), "model"
	}
	return "", "", ""
}

// servesAny tells whether a called route serves the model that a target asks it for, or, of those that clients ask for, at least one.
func servesAny(models []string, route *table.Route, target *table.Target) bool {
	if target.Model != wildcard {
		return serves(models, target.Model)
	}
	return slices.ContainsFunc(route.Models, func(asked string) bool { return serves(models, asked) })
}

// serves tells whether one of the names and patterns of a called route can be what is asked for, which may be a pattern as well.
func serves(models []string, asked string) bool {
	prefix, isPattern := strings.CutSuffix(asked, wildcard)
	return slices.ContainsFunc(models, func(model string) bool {
		served, servesMany := strings.CutSuffix(model, wildcard)
		switch {
		case servesMany && isPattern:
			return strings.HasPrefix(prefix, served) || strings.HasPrefix(served, prefix)
		case servesMany:
			return strings.HasPrefix(asked, served)
		case isPattern:
			return strings.HasPrefix(model, prefix)
		default:
			return model == asked
		}
	})
}

func listModels(models []string) string {
	if len(models) <= maxNamedModels {
		return strings.Join(models, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(models[:maxNamedModels], ", "), len(models)-maxNamedModels)
}

// unserved says which of the names that clients ask for a called route does not serve; empty when it serves all.
func (a *assembly) unserved(route *table.Route, target *table.Target) string {
	if target.Model != wildcard {
		return ""
	}
	var missing []string
	models := a.in.Remote[target.CalledRoute].Models
	for _, asked := range route.Models {
		if !serves(models, asked) {
			missing = append(missing, asked)
		}
	}
	if missing == nil {
		return ""
	}
	return "the called route does not serve " + listModels(missing)
}

// forgetRemote takes back the prices that an earlier table took from the called route, for they are looked up anew.
func forgetRemote(target *table.Target) {
	if target.CalledRoute != "" && target.Prices != nil && target.Prices.Source == pricedBy(target) {
		target.Prices = nil
	}
}

// pricedBy is the source of prices that are those of the called route. No route of this namespace has such a name.
func pricedBy(target *table.Target) string { return KindModelRoute + " " + target.CalledRoute }

// applyRemote fills in what a target does not say itself of the route that it calls, and finds the called proxy a credential.
func (a *assembly) applyRemote(target *table.Target) {
	remote := a.in.Remote[target.CalledRoute]
	namespace, _ := table.CalledNamespace(target.Credential)
	if a.backends[target.Credential] == nil {
		a.backends[target.Credential] = a.remoteBackend(namespace, &remote)
	}
	if target.Prices == nil && remote.Prices != nil {
		prices := *remote.Prices
		prices.Source = pricedBy(target)
		target.Prices = &prices
	}
	declared := &target.Declared
	declared.ContextTokens = cmp.Or(declared.ContextTokens, remote.Declared.ContextTokens)
	declared.MaxOutputTokens = cmp.Or(declared.MaxOutputTokens, remote.Declared.MaxOutputTokens)
	if !declared.CapabilitiesKnown {
		declared.Capabilities |= remote.Declared.Capabilities
	}
}

// remoteBackend is the credential that stands for another namespace's proxy: a token of this namespace's own ServiceAccount for it. Where there is no port
// without TLS, its certificates are those of the control port, which the manager makes: to trust the platform's own would take a Secret that holds their key.
func (a *assembly) remoteBackend(namespace string, remote *RemoteRoute) *table.Credential {
	audience := v1alpha1.ProxyAudience(namespace)
	made := &table.Credential{
		Object: table.Object{Name: table.ProxyCredential(namespace), Since: a.next}, Provider: signalbox.Name,
		Endpoint: fmt.Sprintf("http://%s.%s.svc.%s/v1", v1alpha1.ProxyName, namespace, cmp.Or(a.in.ClusterDomain, standardDomain)),
		Keys: []table.Key{{
			Name: remoteKey, Kind: table.ServiceAccountToken, Cloud: &table.CloudIdentity{Audience: audience},
			Fingerprint: fingerprint(audience),
		}},
	}
	if remote.TLSAlone {
		made.Endpoint, made.Certificates = strings.Replace(made.Endpoint, "http:", "https:", 1), remote.Certificates
	}
	if a.in.Previous == nil {
		return made
	}
	for i := range a.in.Previous.Credentials {
		if before := &a.in.Previous.Credentials[i]; before.Name == made.Name {
			made.Since = before.Since
		}
	}
	return made
}

// addRemotes adds the proxies of other namespaces that targets of the table call.
func (a *assembly) addRemotes() {
	called := map[string]bool{}
	for i := range a.table.Routes {
		for _, target := range a.table.Routes[i].Targets {
			if target.CalledRoute != "" && target.Excluded == "" && !called[target.Credential] {
				called[target.Credential] = true
				a.table.Credentials = append(a.table.Credentials, *a.backends[target.Credential])
			}
		}
	}
	slices.SortFunc(a.table.Credentials, func(x, y table.Credential) int { return cmp.Compare(x.Name, y.Name) })
}
