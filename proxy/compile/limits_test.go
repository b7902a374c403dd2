package compile_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
)

func TestLimitsInError(t *testing.T) {
	limited := func(limits ...v1alpha1.RouteLimit) []v1alpha1.RouteLimit { return limits }
	one := of(int64(1))
	cases := map[string]struct {
		limits []v1alpha1.RouteLimit
		want   string
	}{
		"scope":        {limited(v1alpha1.RouteLimit{Per: "Pod", Concurrency: one}), "UnsupportedValue spec.limits[0].per"},
		"no number":    {limited(v1alpha1.RouteLimit{Per: "Route"}), "Invalid spec.limits[0]"},
		"twice":        {limited(v1alpha1.RouteLimit{Per: "Route", Concurrency: one}, v1alpha1.RouteLimit{Per: "Route", TokensPerMinute: one}), "Invalid spec.limits[1].per"},
		"no requests":  {limited(v1alpha1.RouteLimit{Per: "Route", RequestsPerMinute: of(int64(0))}), "Invalid spec.limits[0].requestsPerMinute"},
		"many tokens":  {limited(v1alpha1.RouteLimit{Per: "Route", TokensPerMinute: of(int64(10_000_000_001))}), "Invalid spec.limits[0].tokensPerMinute"},
		"many at once": {limited(v1alpha1.RouteLimit{Per: "Route", Concurrency: of(int64(1_000_001))}), "Invalid spec.limits[0].concurrency"},
		"short wait":   {limited(v1alpha1.RouteLimit{Per: "Route", Concurrency: one, Queue: &v1alpha1.LimitQueue{MaxWait: lasting(time.Millisecond)}}), "Invalid spec.limits[0].queue.maxWait"},
		"long wait":    {limited(v1alpha1.RouteLimit{Per: "Route", Concurrency: one, Queue: &v1alpha1.LimitQueue{MaxWait: lasting(time.Hour)}}), "Invalid spec.limits[0].queue.maxWait"},
		"long queue":   {limited(v1alpha1.RouteLimit{Per: "Route", Concurrency: one, Queue: &v1alpha1.LimitQueue{MaxLength: of(int32(10_001))}}), "Invalid spec.limits[0].queue.maxLength"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withRoutes(route("bad", func(r *v1alpha1.ModelRoute) { r.Spec.Limits = tc.limits }))))
			if diff := cmp.Diff([]string{"Accepted " + tc.want}, why(report(t, result, compile.KindModelRoute, "bad"))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func mirrored(mods ...func(*v1alpha1.RouteMirror)) func(*v1alpha1.ModelRoute) {
	return func(r *v1alpha1.ModelRoute) {
		r.Spec.Mirror = &v1alpha1.RouteMirror{CredentialRef: v1alpha1.LocalReference{Name: "groq"}, Model: "next"}
		for _, mod := range mods {
			mod(r.Spec.Mirror)
		}
	}
}

func TestMirrorInError(t *testing.T) {
	requiresZDR := func(r *v1alpha1.ModelRoute) {
		mirrored()(r)
		r.Spec.Require = &v1alpha1.RouteRequirements{DataPolicy: &v1alpha1.DataPolicy{Retention: v1alpha1.DataRetentionZero}}
	}
	cases := map[string]struct {
		edit func(*v1alpha1.ModelRoute)
		want string
	}{
		"name of a target":    {mirrored(func(m *v1alpha1.RouteMirror) { m.Name = "main" }), "Invalid spec.mirror.name"},
		"no credential":       {mirrored(func(m *v1alpha1.RouteMirror) { m.CredentialRef.Name = "" }), "Invalid spec.mirror.credentialRef.name"},
		"no model":            {mirrored(func(m *v1alpha1.RouteMirror) { m.Model = "" }), "Invalid spec.mirror.model"},
		"api":                 {mirrored(func(m *v1alpha1.RouteMirror) { m.API = "Embeddings" }), "UnsupportedValue spec.mirror.api"},
		"no percent":          {mirrored(func(m *v1alpha1.RouteMirror) { m.Percent = of(int32(0)) }), "Invalid spec.mirror.percent"},
		"over 100 percent":    {mirrored(func(m *v1alpha1.RouteMirror) { m.Percent = of(int32(101)) }), "Invalid spec.mirror.percent"},
		"many at once":        {mirrored(func(m *v1alpha1.RouteMirror) { m.MaxConcurrency = of(int32(1001)) }), "Invalid spec.mirror.maxConcurrency"},
		"no cost":             {mirrored(func(m *v1alpha1.RouteMirror) { m.MaxCostPerHour = "0" }), "Invalid spec.mirror.maxCostPerHour"},
		"price":               {mirrored(func(m *v1alpha1.RouteMirror) { m.Prices = &v1alpha1.TokenPrices{Input: "x"} }), "Invalid spec.mirror.prices.input"},
		"weaker data policy":  {requiresZDR, "Invalid spec.mirror.declares.dataPolicy"},
		"declared capability": {mirrored(func(m *v1alpha1.RouteMirror) { m.Declares = &v1alpha1.TargetDeclaration{Quantization: "x"} }), "UnsupportedValue spec.mirror.declares.quantization"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withRoutes(route("bad", tc.edit))))
			if diff := cmp.Diff([]string{"Accepted " + tc.want}, why(report(t, result, compile.KindModelRoute, "bad"))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// The credential of a mirror resolves as a target's does. Without a usable one the mirror is excluded, and the route is served all the same.
func TestMirrorResolves(t *testing.T) {
	cases := map[string]struct {
		edit func(*v1alpha1.ModelRoute)
		mods []func(*compile.Input)
		want compile.TargetReport
		why  []string
	}{
		"available": {
			edit: mirrored(), want: compile.TargetReport{Name: "mirror", State: v1alpha1.TargetAvailable, Priced: compile.Unpriced},
		},
		"priced": {
			edit: mirrored(func(m *v1alpha1.RouteMirror) { m.Model = "llama" }),
			want: compile.TargetReport{Name: "mirror", State: v1alpha1.TargetAvailable, Priced: compile.Priced},
		},
		"nothing of the choice among targets counts": {
			edit: func(r *v1alpha1.ModelRoute) {
				mirrored()(r)
				r.Spec.Strategy = v1alpha1.StrategyLowestCost
				r.Spec.Require = &v1alpha1.RouteRequirements{MaxPrice: &v1alpha1.MaxPrice{Input: "1"}, MinContextTokens: of(int64(9))}
			},
			want: compile.TargetReport{Name: "mirror", State: v1alpha1.TargetAvailable, Priced: compile.Unpriced},
		},
		"credential missing": {
			edit: mirrored(func(m *v1alpha1.RouteMirror) { m.CredentialRef.Name = "other" }),
			want: compile.TargetReport{Name: "mirror", State: v1alpha1.TargetUnavailable, Reason: v1alpha1.ReasonBackendNotFound,
				Message: `ProviderCredential "other" does not exist`, Priced: compile.Unpriced},
			why: []string{"ResolvedRefs BackendNotFound spec.mirror.credentialRef.name"},
		},
		"credential without key": {
			edit: mirrored(func(m *v1alpha1.RouteMirror) { m.CredentialRef.Name = "empty" }),
			mods: []func(*compile.Input){
				withCredentials(credential("groq"), credential("empty")), withKeys([]corev1.Secret{secret("groq", "sk-groq-1")}...),
			},
			want: compile.TargetReport{Name: "mirror", State: v1alpha1.TargetUnavailable, Reason: v1alpha1.ReasonBackendUnusable,
				Message: `ProviderCredential "empty" has no usable key`, Priced: compile.Unpriced},
			why: []string{"ResolvedRefs BackendUnusable spec.mirror.credentialRef.name"},
		},
		"api that the provider does not have": {
			edit: mirrored(func(m *v1alpha1.RouteMirror) { m.API = v1alpha1.TargetConverse }),
			want: compile.TargetReport{Name: "mirror", State: v1alpha1.TargetUnavailable, Reason: v1alpha1.ReasonUnsupportedValue,
				Message: "provider OpenAICompatible has no API Converse", Priced: compile.Unpriced},
			why: []string{"ResolvedRefs UnsupportedValue spec.mirror.api"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(append(tc.mods, withRoutes(route("chat", tc.edit)))...))
			got := report(t, result, compile.KindModelRoute, "chat")
			if diff := cmp.Diff(&tc.want, got.Mirror); diff != "" {
				t.Errorf("mirror (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.why, why(got)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			mirror := servedRoute(t, result, "chat").Mirror
			if (mirror.Target.Excluded != "") != (tc.why != nil) || len(got.Targets) != 1 {
				t.Errorf("excluded %q; %d targets are told of", mirror.Target.Excluded, len(got.Targets))
			}
		})
	}
}
