package compile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

func of[T any](value T) *T { return &value }

func lasting(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }

func price(input, output int64) *table.MaxPrice {
	return &table.MaxPrice{Input: &input, Output: &output}
}

// resilient has every field of a policy, none with its default.
func resilient(r *v1alpha1.ModelRoute) {
	r.Spec.Targets = append(r.Spec.Targets, v1alpha1.RouteTarget{
		Name: "large", CredentialRef: v1alpha1.LocalReference{Name: "groq"}, Model: "large-1", Priority: of(int32(1)), Successor: "large-2",
		OnlyFor: []v1alpha1.FailureKind{v1alpha1.FailureContextTooLong, v1alpha1.FailureContentFiltered, v1alpha1.FailureContextTooLong},
		Declares: &v1alpha1.TargetDeclaration{
			Capabilities:  &[]v1alpha1.ModelCapability{v1alpha1.CapabilityVision, v1alpha1.CapabilityTools},
			ContextTokens: of(int64(131072)), MaxOutputTokens: of(int64(8192)), Quantization: "fp8",
			DataPolicy: &v1alpha1.DataPolicy{Collection: v1alpha1.DataCollectionDeny, Retention: v1alpha1.DataRetentionZero, Region: "eu"},
		},
	})
	r.Spec.Strategy = v1alpha1.StrategyLowestLatency
	r.Spec.Affinity = &v1alpha1.RouteAffinity{By: v1alpha1.AffinityEndUser, TTL: lasting(time.Hour)}
	r.Spec.Fallback = v1alpha1.RouteFallback{
		Failures:    &[]v1alpha1.FailureKind{v1alpha1.FailureTimeout, v1alpha1.FailureContextTooLong},
		MaxAttempts: of(int32(2)), MaxCost: "0.05",
		Retry: v1alpha1.RouteRetry{Failures: &[]v1alpha1.FailureKind{v1alpha1.FailureCapacity}, Max: of(int32(3))},
	}
	r.Spec.Require = &v1alpha1.RouteRequirements{
		Capabilities: []v1alpha1.ModelCapability{v1alpha1.CapabilityLogProbs}, DataPolicy: &v1alpha1.DataPolicy{Collection: v1alpha1.DataCollectionDeny},
		MinContextTokens: of(int64(4096)), MaxPrice: &v1alpha1.MaxPrice{Input: "1", Output: "2.5"},
	}
	r.Spec.Limits = []v1alpha1.RouteLimit{
		{Per: v1alpha1.LimitPerCaller, RequestsPerMinute: of(int64(60)), TokensPerMinute: of(int64(100_000)), Queue: &v1alpha1.LimitQueue{}},
		{Per: v1alpha1.LimitPerRoute, Concurrency: of(int64(16)), Queue: &v1alpha1.LimitQueue{MaxWait: lasting(5 * time.Second), MaxLength: of(int32(7))}},
	}
	r.Spec.Mirror = &v1alpha1.RouteMirror{
		Name: "shadow", CredentialRef: v1alpha1.LocalReference{Name: "groq"}, Model: "next", Percent: of(int32(5)), MaxConcurrency: of(int32(2)),
		MaxCostPerHour: "1.50", Prices: &v1alpha1.TokenPrices{Input: "1"},
		Declares: &v1alpha1.TargetDeclaration{DataPolicy: &v1alpha1.DataPolicy{Collection: v1alpha1.DataCollectionDeny}},
	}
	r.Spec.Timeouts.Attempt = lasting(20 * time.Second)
}

func TestPolicyIsCompiledWhole(t *testing.T) {
	result := compile.Compile(input(withRoutes(route("chat", resilient))))
	got := servedRoute(t, result, "chat")
	want := got
	want.Targets = []table.Target{got.Targets[0], {
		Name: "large", Credential: "groq", Model: "large-1", Priority: 1, Weight: 1, Successor: "large-2",
		OnlyFor: []table.FailureKind{table.ContextTooLong, table.ContentFiltered},
		Declared: table.Declared{
			Capabilities: table.Tools | table.Vision, CapabilitiesKnown: true, ContextTokens: 131072, MaxOutputTokens: 8192, Quantization: "fp8",
			DataPolicy: table.DataPolicy{NoCollection: true, NoRetention: true, Region: "eu"},
		},
	}}
	want.Strategy = table.LowestLatency
	want.Affinity = &table.Affinity{By: table.ByEndUser, TTL: time.Hour}
	want.Fallback = table.Fallback{
		On: []table.FailureKind{table.Timeout, table.ContextTooLong}, MaxAttempts: 2, MaxCost: 50_000_000,
		RetryOn: []table.FailureKind{table.Capacity}, MaxRetries: 3,
	}
	want.Require = table.Requirements{
		Capabilities: table.LogProbs, DataPolicy: table.DataPolicy{NoCollection: true}, MinContextTokens: 4096, MaxPrice: price(1_000_000_000, 2_500_000_000),
	}
	want.Limits = []table.Limit{
		{Per: table.PerCaller, RequestsPerMinute: 60, TokensPerMinute: 100_000, MaxWait: time.Second, MaxQueue: 100},
		{Per: table.PerRoute, Concurrency: 16, MaxWait: 5 * time.Second, MaxQueue: 7},
	}
	want.Mirror = &table.Mirror{
		Target: table.Target{
			Name: "shadow", Credential: "groq", Model: "next", Weight: 1, Prices: &table.Prices{Input: 1_000_000_000, CachedInput: 1_000_000_000, Source: "ModelRoute chat"},
			Declared: table.Declared{DataPolicy: table.DataPolicy{NoCollection: true}},
		},
		Percent: 5, MaxConcurrency: 2, MaxCostPerHour: 1_500_000_000,
	}
	want.Attempt = 20 * time.Second
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("route (-want +got):\n%s", diff)
	}
	if findings := why(report(t, result, compile.KindModelRoute, "chat")); findings != nil {
		t.Errorf("findings: %v", findings)
	}
}

// A table is the same after it was stored, with every field of a policy in it.
func TestPolicySurvivesTheTable(t *testing.T) {
	want := compile.Compile(input(withRoutes(route("chat", resilient)))).Table
	packed, err := table.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := table.Decode(packed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	again := compile.Compile(input(withPrevious(*got), withRoutes(route("chat", resilient)))).Table
	if again.Revision != want.Revision || again.Sequence != want.Sequence {
		t.Errorf("the stored table was followed by another one for the same objects")
	}
}

func TestPolicyDefaults(t *testing.T) {
	none := &[]v1alpha1.FailureKind{}
	cases := map[string]struct {
		edit func(*v1alpha1.ModelRoute)
		want table.Route
	}{
		"a spec from before": {
			edit: func(*v1alpha1.ModelRoute) {},
			want: table.Route{Strategy: table.Weighted, Fallback: table.DefaultFallback()},
		},
		"an empty list of failures is none": {
			edit: func(r *v1alpha1.ModelRoute) { r.Spec.Fallback.Failures = none },
			want: table.Route{Strategy: table.Weighted, Fallback: table.Fallback{MaxAttempts: 4, RetryOn: table.DefaultFallback().RetryOn, MaxRetries: 1}},
		},
		"an empty list of retries is none": {
			edit: func(r *v1alpha1.ModelRoute) { r.Spec.Fallback.Retry.Failures = none },
			want: table.Route{Strategy: table.Weighted, Fallback: table.Fallback{On: table.DefaultFallback().On, MaxAttempts: 4, MaxRetries: 1}},
		},
		"no retries": {
			edit: func(r *v1alpha1.ModelRoute) { r.Spec.Fallback.Retry.Max = of(int32(0)) },
			want: table.Route{Strategy: table.Weighted, Fallback: table.Fallback{
				On: table.DefaultFallback().On, MaxAttempts: 4, RetryOn: table.DefaultFallback().RetryOn,
			}},
		},
		"an affinity without a time": {
			edit: func(r *v1alpha1.ModelRoute) { r.Spec.Affinity = &v1alpha1.RouteAffinity{By: v1alpha1.AffinitySession} },
			want: table.Route{Strategy: table.Weighted, Fallback: table.DefaultFallback(), Affinity: &table.Affinity{By: table.BySession}},
		},
		"a mirror of two fields": {
			edit: func(r *v1alpha1.ModelRoute) {
				r.Spec.Mirror = &v1alpha1.RouteMirror{CredentialRef: v1alpha1.LocalReference{Name: "groq"}, Model: "*"}
			},
			want: table.Route{Strategy: table.Weighted, Fallback: table.DefaultFallback(), Mirror: &table.Mirror{
				Target: table.Target{Name: "mirror", Credential: "groq", Model: "*", Weight: 1}, Percent: 1, MaxConcurrency: 8,
			}},
		},
		"a limit without a queue": {
			edit: func(r *v1alpha1.ModelRoute) {
				r.Spec.Limits = []v1alpha1.RouteLimit{{Per: v1alpha1.LimitPerRoute, RequestsPerMinute: of(int64(1))}}
			},
			want: table.Route{Strategy: table.Weighted, Fallback: table.DefaultFallback(), Limits: []table.Limit{{Per: table.PerRoute, RequestsPerMinute: 1}}},
		},
		"a requirement that requires nothing": {
			edit: func(r *v1alpha1.ModelRoute) {
				r.Spec.Require = &v1alpha1.RouteRequirements{
					DataPolicy: &v1alpha1.DataPolicy{Collection: v1alpha1.DataCollectionAllow, Retention: v1alpha1.DataRetentionAny}, MaxPrice: &v1alpha1.MaxPrice{},
				}
			},
			want: table.Route{Strategy: table.Weighted, Fallback: table.DefaultFallback()},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := servedRoute(t, compile.Compile(input(withRoutes(route("chat", tc.edit)))), "chat")
			want := got
			want.Strategy, want.Fallback, want.Affinity, want.Mirror = tc.want.Strategy, tc.want.Fallback, tc.want.Affinity, tc.want.Mirror
			want.Limits, want.Require, want.Attempt = tc.want.Limits, tc.want.Require, tc.want.Attempt
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("route (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefaultFailures(t *testing.T) {
	got := servedRoute(t, compile.Compile(input(withRoutes(route("chat")))), "chat").Fallback
	want := table.Fallback{
		On: []table.FailureKind{
			"Unreachable", "RateLimited", "QuotaExhausted", "KeyRejected", "Unavailable", "Capacity", "Timeout", "FirstTokenTimeout", "BrokenAnswer",
			"ModelWithdrawn", "ContextTooLong", "ContentFiltered",
		},
		MaxAttempts: 4, RetryOn: []table.FailureKind{"Unreachable", "Unavailable", "Capacity", "RateLimited"}, MaxRetries: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fallback (-want +got):\n%s", diff)
	}
}

// A route whose last good entry was compiled before there were policies falls back as it did then, also while its spec is in error.
func TestLastGoodFromBeforePolicies(t *testing.T) {
	before := compile.Compile(input(withRoutes(route("chat")))).Table
	before.Routes[0].Strategy, before.Routes[0].Fallback = "", table.Fallback{}
	result := compile.Compile(input(withPrevious(before), withRoutes(route("chat", withoutTargets, generation(2)))))
	if diff := cmp.Diff(table.DefaultFallback(), servedRoute(t, result, "chat").Fallback); diff != "" {
		t.Errorf("fallback (-want +got):\n%s", diff)
	}
}

func TestPolicyInErrorIsNotServed(t *testing.T) {
	long := strings.Repeat("x", 300)
	spec := func(edit func(*v1alpha1.ModelRouteSpec)) func(*v1alpha1.ModelRoute) {
		return func(r *v1alpha1.ModelRoute) { edit(&r.Spec) }
	}
	first := func(edit func(*v1alpha1.RouteTarget)) func(*v1alpha1.ModelRoute) {
		return func(r *v1alpha1.ModelRoute) { edit(&r.Spec.Targets[0]) }
	}
	declares := func(d v1alpha1.TargetDeclaration) func(*v1alpha1.ModelRoute) {
		return first(func(target *v1alpha1.RouteTarget) { target.Declares = &d })
	}
	requires := func(r v1alpha1.RouteRequirements) func(*v1alpha1.ModelRoute) {
		return spec(func(s *v1alpha1.ModelRouteSpec) { s.Require = &r })
	}
	failures := func(kinds ...v1alpha1.FailureKind) *[]v1alpha1.FailureKind { return &kinds }
	cases := map[string]struct {
		edit func(*v1alpha1.ModelRoute)
		want string
	}{
		"strategy": {spec(func(s *v1alpha1.ModelRouteSpec) { s.Strategy = "Cheapest" }), "UnsupportedValue spec.strategy"},
		"affinity": {spec(func(s *v1alpha1.ModelRouteSpec) { s.Affinity = &v1alpha1.RouteAffinity{} }), "UnsupportedValue spec.affinity.by"},
		"affinity time": {spec(func(s *v1alpha1.ModelRouteSpec) {
			s.Affinity = &v1alpha1.RouteAffinity{By: "Session", TTL: lasting(time.Millisecond)}
		}), "Invalid spec.affinity.ttl"},
		"long affinity": {spec(func(s *v1alpha1.ModelRouteSpec) {
			s.Affinity = &v1alpha1.RouteAffinity{By: "Session", TTL: lasting(25 * time.Hour)}
		}), "Invalid spec.affinity.ttl"},
		"failure":       {spec(func(s *v1alpha1.ModelRouteSpec) { s.Fallback.Failures = failures("Timeout", "Stalled") }), "UnsupportedValue spec.fallback.failures[1]"},
		"no failure":    {spec(func(s *v1alpha1.ModelRouteSpec) { s.Fallback.Failures = failures("") }), "UnsupportedValue spec.fallback.failures[0]"},
		"retry":         {spec(func(s *v1alpha1.ModelRouteSpec) { s.Fallback.Retry.Failures = failures("Always") }), "UnsupportedValue spec.fallback.retry.failures[0]"},
		"no attempts":   {spec(func(s *v1alpha1.ModelRouteSpec) { s.Fallback.MaxAttempts = of(int32(0)) }), "Invalid spec.fallback.maxAttempts"},
		"many attempts": {spec(func(s *v1alpha1.ModelRouteSpec) { s.Fallback.MaxAttempts = of(int32(17)) }), "Invalid spec.fallback.maxAttempts"},
		"many retries":  {spec(func(s *v1alpha1.ModelRouteSpec) { s.Fallback.Retry.Max = of(int32(6)) }), "Invalid spec.fallback.retry.max"},
		"cost":          {spec(func(s *v1alpha1.ModelRouteSpec) { s.Fallback.MaxCost = "1e3" }), "Invalid spec.fallback.maxCost"},
		"no cost":       {spec(func(s *v1alpha1.ModelRouteSpec) { s.Fallback.MaxCost = "0.00" }), "Invalid spec.fallback.maxCost"},
		"short attempt": {spec(func(s *v1alpha1.ModelRouteSpec) { s.Timeouts.Attempt = lasting(time.Millisecond) }), "Invalid spec.timeouts.attempt"},
		"long attempt":  {spec(func(s *v1alpha1.ModelRouteSpec) { s.Timeouts.Attempt = lasting(11 * time.Minute) }), "Invalid spec.timeouts.attempt"},

		"capability":          {requires(v1alpha1.RouteRequirements{Capabilities: []v1alpha1.ModelCapability{"Tools", "Magic"}}), "UnsupportedValue spec.require.capabilities[1]"},
		"required collection": {requires(v1alpha1.RouteRequirements{DataPolicy: &v1alpha1.DataPolicy{Collection: "Maybe"}}), "UnsupportedValue spec.require.dataPolicy.collection"},
		"required retention":  {requires(v1alpha1.RouteRequirements{DataPolicy: &v1alpha1.DataPolicy{Retention: "Some"}}), "UnsupportedValue spec.require.dataPolicy.retention"},
		"required region":     {requires(v1alpha1.RouteRequirements{DataPolicy: &v1alpha1.DataPolicy{Region: "e u"}}), "Invalid spec.require.dataPolicy.region"},
		"required context":    {requires(v1alpha1.RouteRequirements{MinContextTokens: of(int64(-1))}), "Invalid spec.require.minContextTokens"},
		"required price":      {requires(v1alpha1.RouteRequirements{MaxPrice: &v1alpha1.MaxPrice{Output: "-1"}}), "Invalid spec.require.maxPrice.output"},

		"declared capability":   {declares(v1alpha1.TargetDeclaration{Capabilities: &[]v1alpha1.ModelCapability{"Magic"}}), "UnsupportedValue spec.targets[0].declares.capabilities[0]"},
		"declared context":      {declares(v1alpha1.TargetDeclaration{ContextTokens: of(int64(100_000_001))}), "Invalid spec.targets[0].declares.contextTokens"},
		"declared output":       {declares(v1alpha1.TargetDeclaration{MaxOutputTokens: of(int64(0))}), "Invalid spec.targets[0].declares.maxOutputTokens"},
		"declared region":       {declares(v1alpha1.TargetDeclaration{DataPolicy: &v1alpha1.DataPolicy{Region: long}}), "Invalid spec.targets[0].declares.dataPolicy.region"},
		"declared quantization": {declares(v1alpha1.TargetDeclaration{Quantization: "int3"}), "UnsupportedValue spec.targets[0].declares.quantization"},
		"own successor":         {first(func(target *v1alpha1.RouteTarget) { target.Successor = target.Model }), "Invalid spec.targets[0].successor"},
		"any successor":         {first(func(target *v1alpha1.RouteTarget) { target.Successor = "*" }), "Invalid spec.targets[0].successor"},
		"long successor":        {first(func(target *v1alpha1.RouteTarget) { target.Successor = long }), "Invalid spec.targets[0].successor"},
		"only for all":          {first(func(target *v1alpha1.RouteTarget) { target.OnlyFor = *failures("ContextTooLong") }), "Invalid spec.targets"},
		"only for nothing known": {func(r *v1alpha1.ModelRoute) {
			r.Spec.Targets = append(r.Spec.Targets, target("other"))
			r.Spec.Targets[1].OnlyFor = *failures("Timeout", "Bad")
		}, "UnsupportedValue spec.targets[1].onlyFor[1]"},
		"only for what does not move on": {func(r *v1alpha1.ModelRoute) {
			r.Spec.Targets = append(r.Spec.Targets, target("other"))
			r.Spec.Targets[1].OnlyFor = *failures("BadRequest")
		}, "Invalid spec.targets[1].onlyFor"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withRoutes(route("bad", tc.edit), route("good"))))
			got := report(t, result, compile.KindModelRoute, "bad")
			if diff := cmp.Diff([]string{"Accepted " + tc.want}, why(got)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if got.Served != 0 || len(result.Table.Routes) != 1 {
				t.Errorf("served generation %d, %d routes in the table, want 0 and only the good one", got.Served, len(result.Table.Routes))
			}
			if strings.Contains(got.Findings[0].Message, long) {
				t.Error("the message repeats a long value")
			}
		})
	}
}
