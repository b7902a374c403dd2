package compile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// elsewhere is a target that calls a route of another namespace.
func elsewhere(name, namespace, route, model string) v1alpha1.RouteTarget {
	return v1alpha1.RouteTarget{Name: name, RouteRef: &v1alpha1.RouteReference{Namespace: namespace, Name: route}, Model: model}
}

func withTargets(targets ...v1alpha1.RouteTarget) func(*v1alpha1.ModelRoute) {
	return func(r *v1alpha1.ModelRoute) { r.Spec.Targets = targets }
}

func withRemote(remote map[string]compile.RemoteRoute) func(*compile.Input) {
	return func(in *compile.Input) { in.Remote = remote }
}

// platformRoute is a route of namespace ai that admits the proxy of team-a.
func platformRoute(mods ...func(*compile.RemoteRoute)) map[string]compile.RemoteRoute {
	remote := compile.RemoteRoute{Models: []string{"llama", "groq/*"}, Access: table.Access{ServiceAccounts: []string{"team-a/signalbox"}}}
	for _, mod := range mods {
		mod(&remote)
	}
	return map[string]compile.RemoteRoute{"ai/llama": remote}
}

func admitting(access table.Access) func(*compile.RemoteRoute) {
	return func(r *compile.RemoteRoute) { r.Access = access }
}

func TestCalledRoute(t *testing.T) {
	highest := &table.Prices{Input: 3, CachedInput: 3, Output: 9}
	result := compile.Compile(input(
		withRemote(platformRoute(func(r *compile.RemoteRoute) {
			r.Prices, r.Declared = highest, table.Declared{Capabilities: table.Tools, ContextTokens: 8192, MaxOutputTokens: 1024}
		})),
		withRoutes(route("chat", withTargets(elsewhere("platform", "ai", "llama", "llama"), target("own")))),
	))
	if got := why(report(t, result, compile.KindModelRoute, "chat")); got != nil {
		t.Errorf("findings %v", got)
	}
	want := table.Target{
		Name: "platform", Credential: "route:ai", CalledRoute: "ai/llama", Model: "llama", Weight: 1,
		Prices:   &table.Prices{Input: 3, CachedInput: 3, Output: 9, Source: "ModelRoute ai/llama"},
		Declared: table.Declared{Capabilities: table.Tools, ContextTokens: 8192, MaxOutputTokens: 1024},
	}
	if diff := cmp.Diff(want, servedRoute(t, result, "chat").Targets[0]); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
	backend := result.Table.Credentials[len(result.Table.Credentials)-1]
	if len(backend.Keys) != 1 || len(backend.Keys[0].Fingerprint) != 12 {
		t.Fatalf("keys %+v", backend.Keys)
	}
	wantBackend := table.Credential{
		Object: table.Object{Name: "route:ai", Since: result.Table.Sequence}, Provider: "Signalbox", Endpoint: "http://signalbox.ai.svc.cluster.local/v1",
		Keys: []table.Key{{
			Name: "serviceaccount", Kind: table.ServiceAccountToken, Cloud: &table.CloudIdentity{Audience: "signalbox.ai"}, Fingerprint: backend.Keys[0].Fingerprint,
		}},
	}
	if diff := cmp.Diff(wantBackend, backend); diff != "" {
		t.Errorf("credential (-want +got):\n%s", diff)
	}
}

// Proxies that speak TLS alone are known by the certificates that the manager made for them, of which their table has two while one is renewed.
func TestCalledRouteBehindTLS(t *testing.T) {
	called := route("llama")
	inForce := &table.Table{Control: table.Control{
		CertificatePEM: []byte("new\n"), PreviousPEM: []byte("old\n"), PrivateKeyPEM: []byte("new key"), PreviousKeyPEM: []byte("old key"),
	}}
	cases := map[string]struct {
		alone        bool
		endpoint     string
		certificates string
	}{
		"alone":  {true, "https://signalbox.ai.svc.cluster.local/v1", "new\nold\n"},
		"beside": {false, "http://signalbox.ai.svc.cluster.local/v1", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			read := compile.RemoteReader{}.Read(&called, inForce)
			result := compile.Compile(input(
				withRemote(platformRoute(func(r *compile.RemoteRoute) { r.TLSAlone, r.Certificates = tc.alone, read.Certificates })),
				withRoutes(route("chat", withTargets(elsewhere("platform", "ai", "llama", "llama")))),
			))
			if got := why(report(t, result, compile.KindModelRoute, "chat")); got != nil {
				t.Errorf("findings %v", got)
			}
			backend := result.Table.Credentials[len(result.Table.Credentials)-1]
			if backend.Endpoint != tc.endpoint || string(backend.Certificates) != tc.certificates {
				t.Errorf("called at %s with the certificates %q", backend.Endpoint, backend.Certificates)
			}
		})
	}
}

func TestCalledRouteThatCannotBeCalled(t *testing.T) {
	cases := map[string]struct {
		remote  map[string]compile.RemoteRoute
		target  v1alpha1.RouteTarget
		view    compile.NamespaceView
		want    string
		message string
	}{
		"no cluster": {
			target: elsewhere("out", "ai", "llama", "llama"), want: "ResolvedRefs UnsupportedValue spec.targets[0].routeRef", message: "in a cluster only",
		},
		"unknown": {
			remote: platformRoute(), target: elsewhere("out", "ai", "gone", "llama"),
			want: "ResolvedRefs BackendNotFound spec.targets[0].routeRef.name", message: `ModelRoute "gone" of namespace "ai" does not exist`,
		},
		"not watched": {
			remote: platformRoute(), target: elsewhere("out", "far", "llama", "llama"), view: compile.NamesOnly,
			want: "ResolvedRefs BackendNotFound spec.targets[0].routeRef.name", message: "does not watch that namespace",
		},
		"not admitted": {
			remote: platformRoute(admitting(table.Access{Namespaces: []string{"ai"}, ServiceAccounts: []string{"team-a/app"}, AnyAccessKey: true})),
			target: elsewhere("out", "ai", "llama", "secret"), want: "ResolvedRefs RefNotPermitted spec.targets[0].routeRef",
			message: "serviceAccount: {namespace: team-a, name: signalbox}",
		},
		"TLS alone, and no certificate yet": {
			remote: platformRoute(func(r *compile.RemoteRoute) { r.TLSAlone = true }), target: elsewhere("out", "ai", "llama", "llama"),
			want: "ResolvedRefs Pending spec.targets[0].routeRef.namespace", message: `the proxies of namespace "ai" speak TLS alone`,
		},
		"another model": {
			remote: platformRoute(), target: elsewhere("out", "ai", "llama", "gpt"),
			want: "ResolvedRefs BackendNotFound spec.targets[0].model", message: `does not serve model "gpt"; it serves llama, groq/*`,
		},
		"none of the models that are asked for": {
			remote: platformRoute(), target: elsewhere("out", "ai", "llama", "*"),
			want: "ResolvedRefs BackendNotFound spec.targets[0].model", message: `does not serve model "*"`,
		},
		"own namespace": {
			remote: platformRoute(), target: elsewhere("out", "team-a", "other", "llama"),
			want: "ResolvedRefs Invalid spec.targets[0].routeRef.namespace", message: "use its targets themselves",
		},
		"an API that proxies do not serve": {
			remote: platformRoute(), target: func() v1alpha1.RouteTarget {
				made := elsewhere("out", "ai", "llama", "llama")
				made.API = v1alpha1.TargetConverse
				return made
			}(),
			want: "ResolvedRefs UnsupportedValue spec.targets[0].api", message: "has no API Converse",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := input(withRemote(tc.remote), withRoutes(route("chat", withTargets(tc.target, target("own"))), route("other")))
			in.View = tc.view
			result := compile.Compile(in)
			got := report(t, result, compile.KindModelRoute, "chat")
			if diff := cmp.Diff([]string{tc.want}, why(got)); diff != "" {
				t.Fatalf("findings (-want +got):\n%s", diff)
			}
			if !strings.Contains(got.Findings[0].Message, tc.message) {
				t.Errorf("the message is %q, want %q in it", got.Findings[0].Message, tc.message)
			}
			served := servedRoute(t, result, "chat")
			if served.Targets[0].Excluded == "" || served.Targets[1].Excluded != "" {
				t.Errorf("excluded are %q and %q, want the first only", served.Targets[0].Excluded, served.Targets[1].Excluded)
			}
			if got.Targets[0].State != v1alpha1.TargetUnavailable || got.Targets[1].State != v1alpha1.TargetAvailable {
				t.Errorf("states %s and %s", got.Targets[0].State, got.Targets[1].State)
			}
			if len(result.Table.Credentials) != 1 {
				t.Errorf("%d credentials, want no one for a proxy that is not called", len(result.Table.Credentials))
			}
		})
	}
}

// A credentialRef with the name that stands for another namespace's proxy calls nobody, not even beside a target that calls that proxy: such a call would
// say neither which route it is for nor which way it has come.
func TestNoCredentialRefCallsAProxy(t *testing.T) {
	behind := target("behind")
	behind.CredentialRef.Name = table.ProxyCredential("ai")
	chat := route("chat", withTargets(elsewhere("platform", "ai", "llama", "llama"), behind))
	chat.Spec.Mirror = &v1alpha1.RouteMirror{CredentialRef: behind.CredentialRef, Model: "llama"}
	result := compile.Compile(input(withRemote(platformRoute()), withRoutes(chat)))
	want := []string{"ResolvedRefs BackendNotFound spec.targets[1].credentialRef.name", "ResolvedRefs BackendNotFound spec.mirror.credentialRef.name"}
	if diff := cmp.Diff(want, why(report(t, result, compile.KindModelRoute, "chat"))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	served := servedRoute(t, result, "chat")
	if served.Targets[0].Excluded != "" || served.Targets[1].Excluded == "" || served.Mirror.Target.Excluded == "" {
		t.Errorf("excluded are %q, %q and the mirror for %q", served.Targets[0].Excluded, served.Targets[1].Excluded, served.Mirror.Target.Excluded)
	}
}

func TestMalformedRouteRef(t *testing.T) {
	both := target("out")
	both.RouteRef = &v1alpha1.RouteReference{Namespace: "ai", Name: "llama"}
	preferring := elsewhere("out", "ai", "llama", "llama")
	preferring.OpenRouter = &v1alpha1.OpenRouterPreferences{}
	cases := map[string]struct {
		target v1alpha1.RouteTarget
		want   string
	}{
		"both":        {both, "Accepted Invalid spec.targets[0].routeRef"},
		"neither":     {v1alpha1.RouteTarget{Name: "out", Model: "m"}, "Accepted Invalid spec.targets[0].credentialRef.name"},
		"a host":      {elsewhere("out", "evil.example/x", "llama", "llama"), "Accepted Invalid spec.targets[0].routeRef.namespace"},
		"no name":     {elsewhere("out", "ai", "", "llama"), "Accepted Invalid spec.targets[0].routeRef.name"},
		"a path":      {elsewhere("out", "ai", "a/b", "llama"), "Accepted Invalid spec.targets[0].routeRef.name"},
		"preferences": {preferring, "Accepted Invalid spec.targets[0].openRouter"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withRemote(platformRoute()), withRoutes(route("chat", withTargets(tc.target)))))
			if diff := cmp.Diff([]string{tc.want}, why(report(t, result, compile.KindModelRoute, "chat"))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamesThatTheCalledRouteDoesNotServe(t *testing.T) {
	cases := map[string]struct {
		models []v1alpha1.ModelPattern
		want   string
	}{
		"all":                {[]v1alpha1.ModelPattern{"llama", "groq/x"}, ""},
		"part of a pattern":  {[]v1alpha1.ModelPattern{"groq/a*"}, ""},
		"more than a part":   {[]v1alpha1.ModelPattern{"gro*"}, ""},
		"some are not":       {[]v1alpha1.ModelPattern{"llama", "gpt", "claude*"}, "the called route does not serve gpt, claude*"},
		"a pattern for name": {[]v1alpha1.ModelPattern{"lla*"}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withRemote(platformRoute()),
				withRoutes(route("chat", serving(tc.models...), withTargets(elsewhere("out", "ai", "llama", "*"))))))
			got := report(t, result, compile.KindModelRoute, "chat")
			if len(got.Findings) != 0 || got.Targets[0].State != v1alpha1.TargetAvailable || got.Targets[0].Message != tc.want {
				t.Errorf("%s, %q, findings %v; want Available, %q", got.Targets[0].State, got.Targets[0].Message, why(got), tc.want)
			}
		})
	}
}

// The prices of the called route follow it, also where the spec has an error and the last good entry stays; those of the target itself stay.
func TestPricesOfTheCalledRouteFollowIt(t *testing.T) {
	dear := platformRoute(func(r *compile.RemoteRoute) { r.Prices = &table.Prices{Input: 5, Output: 7} })
	own := elsewhere("own", "ai", "llama", "llama")
	own.Prices = &v1alpha1.TokenPrices{Input: "1", Output: "1"}
	chat := route("chat", withTargets(elsewhere("out", "ai", "llama", "llama"), own))
	first := compile.Compile(input(withRemote(dear), withRoutes(chat))).Table
	broken := route("chat", withTargets(elsewhere("out", "ai", "llama", "llama"), own), withoutModels, generation(2))
	later := compile.Compile(input(withRemote(platformRoute()), withRoutes(broken), withPrevious(first)))
	served := servedRoute(t, later, "chat")
	if served.Targets[0].Prices != nil {
		t.Errorf("prices are %+v although the called route has none any more", served.Targets[0].Prices)
	}
	if got := served.Targets[1].Prices; got == nil || got.Source != "ModelRoute chat" {
		t.Errorf("the target's own prices are %+v", got)
	}
}

func withoutModels(r *v1alpha1.ModelRoute) { r.Spec.Models = nil }

// A table stays the same as long as nothing of what it calls changes.
func TestCalledRouteKeepsTheTable(t *testing.T) {
	in := input(withRemote(platformRoute()), withRoutes(route("chat", withTargets(elsewhere("out", "ai", "llama", "llama")))))
	first := compile.Compile(in).Table
	in.Previous = &first
	if again := compile.Compile(in).Table; again.Revision != first.Revision || again.Sequence != first.Sequence {
		t.Errorf("sequence %d revision %s became %d %s", first.Sequence, first.Revision, again.Sequence, again.Revision)
	}
}

func TestNoCredentialIsASignalboxProxy(t *testing.T) {
	named := credential("groq", func(c *v1alpha1.ProviderCredential) { c.Spec.Provider = "Signalbox" })
	result := compile.Compile(input(withCredentials(named)))
	want := []string{"Ready UnsupportedValue spec.provider"}
	if diff := cmp.Diff(want, why(report(t, result, compile.KindProviderCredential, "groq"))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestReadRemote(t *testing.T) {
	labelled := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-b", Labels: map[string]string{"tier": "gold"}}}
	dear, cheap := &table.Prices{Input: 5, CachedInput: 5, Output: 1}, &table.Prices{Input: 2, CachedInput: 1, Output: 8}
	asked := route("llama", serving("llama", "big"), allowing(
		v1alpha1.AccessRule{NamespaceSelector: &v1alpha1.LabelSelector{MatchLabels: map[string]v1alpha1.LabelValue{"tier": "gold"}}},
		v1alpha1.AccessRule{ServiceAccount: &v1alpha1.ServiceAccountReference{Namespace: "team-a", Name: "signalbox"}},
	), withTargets(target("own"), elsewhere("out", "ai", "far", "m"), elsewhere("again", "ai", "far", "n")))
	entry := func(targets ...table.Target) *table.Table {
		return &table.Table{
			Routes:      []table.Route{{Object: table.Object{Name: "llama", UID: string(asked.UID)}, Models: []string{"llama", "big"}, Targets: targets}},
			Credentials: []table.Credential{{Object: table.Object{Name: "c"}, Prices: map[string]table.Prices{"llama": *dear, "big": *cheap}}},
		}
	}
	limits := func(context, output int64) table.Declared {
		return table.Declared{Capabilities: table.Tools, ContextTokens: context, MaxOutputTokens: output}
	}
	cases := map[string]struct {
		inForce      *table.Table
		wantPrices   bool
		wantDeclared table.Declared
	}{
		"no table": {},
		"two prices": {
			entry(table.Target{Prices: dear, Declared: limits(10, 5)}, table.Target{Credential: "c", Model: "big", Declared: limits(20, 0)}), true,
			table.Declared{Capabilities: table.Tools, ContextTokens: 20},
		},
		"models of their own":      {entry(table.Target{Credential: "c", Model: "*"}), true, table.Declared{}},
		"one is not known":         {entry(table.Target{Prices: dear}, table.Target{Credential: "c", Model: "other"}), false, table.Declared{}},
		"successor is not known":   {entry(table.Target{Credential: "c", Model: "llama", Successor: "next"}), false, table.Declared{}},
		"what is not called":       {entry(table.Target{Prices: dear}, table.Target{Prices: cheap}, table.Target{Model: "x", Excluded: "gone"}), true, table.Declared{}},
		"a credential that is not": {entry(table.Target{Credential: "gone", Model: "llama"}), false, table.Declared{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := compile.RemoteReader{Namespaces: []corev1.Namespace{labelled}}.Read(&asked, tc.inForce)
			want := compile.RemoteRoute{
				Models: []string{"llama", "big"}, Calls: []string{"ai/far"}, Declared: tc.wantDeclared,
				Access: table.Access{Namespaces: []string{"team-b"}, ServiceAccounts: []string{"team-a/signalbox"}},
			}
			prices := got.Prices
			got.Prices = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("route (-want +got):\n%s", diff)
			}
			if tc.wantPrices != (prices != nil) {
				t.Fatalf("prices are %+v, want some: %v", prices, tc.wantPrices)
			}
			if prices != nil && (prices.Input != 5 || prices.CachedInput != 5 || prices.Output != 8) {
				t.Errorf("prices are %+v, want the highest of each", prices)
			}
		})
	}
}
