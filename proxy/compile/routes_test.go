package compile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

func TestRouteIsCompiledWhole(t *testing.T) {
	priority, weight := int32(1), int32(9)
	result := compile.Compile(input(withRoutes(route("chat", func(r *v1alpha1.ModelRoute) {
		r.Spec.Models = []v1alpha1.ModelPattern{"chat", "groq/*"}
		r.Spec.Targets = append(r.Spec.Targets, v1alpha1.RouteTarget{
			Name: "second", CredentialRef: v1alpha1.LocalReference{Name: "groq"}, Model: "*", Priority: &priority, Weight: &weight,
			Prices: &v1alpha1.TokenPrices{Input: "1.5", CachedInput: "0.000000001", Output: "999999999.999999999"},
		})
		r.Spec.Timeouts = v1alpha1.RouteTimeouts{FirstToken: metav1.Duration{Duration: 5 * time.Second}}
	}))))
	want := table.Route{
		Object: table.Object{Name: "chat", UID: "uid-chat", Generation: 1, Since: 1},
		Models: []string{"chat", "groq/*"},
		Targets: []table.Target{
			{Name: "main", Credential: "groq", Model: "llama", Weight: 1},
			{Name: "second", Credential: "groq", Model: "*", Priority: 1, Weight: 9,
				Prices: &table.Prices{Input: 1_500_000_000, CachedInput: 1, Output: 999_999_999_999_999_999, Source: "ModelRoute chat"}},
		},
		Strategy: table.Weighted, Fallback: table.DefaultFallback(),
		FirstToken: 5 * time.Second, Idle: time.Minute, Total: 10 * time.Minute,
		Access:  table.Access{Namespaces: []string{namespace}, AnyAccessKey: true},
		Created: start(),
	}
	if diff := cmp.Diff(want, servedRoute(t, result, "chat")); diff != "" {
		t.Errorf("route (-want +got):\n%s", diff)
	}
	wantReport := compile.ObjectReport{
		Kind: compile.KindModelRoute, Name: "chat", UID: "uid-chat", Generation: 1, Served: 1, Since: 1,
		Targets: []compile.TargetReport{
			{Name: "main", State: v1alpha1.TargetAvailable, Priced: compile.Priced},
			{Name: "second", State: v1alpha1.TargetAvailable, Priced: compile.Priced},
		},
	}
	if diff := cmp.Diff(wantReport, report(t, result, compile.KindModelRoute, "chat")); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestRouteInErrorIsNotServed(t *testing.T) {
	negative := int32(-1)
	cases := map[string]struct {
		edit func(*v1alpha1.ModelRoute)
		want string
	}{
		"no models":          {func(r *v1alpha1.ModelRoute) { r.Spec.Models = nil }, "Accepted Invalid spec.models"},
		"empty model":        {serving(""), "Accepted Invalid spec.models[0]"},
		"star in the middle": {serving("fine", "a*b"), "Accepted Invalid spec.models[1]"},
		"two stars":          {serving("a**"), "Accepted Invalid spec.models[0]"},
		"space in model":     {serving("a b"), "Accepted Invalid spec.models[0]"},
		"long model":         {serving(v1alpha1.ModelPattern(strings.Repeat("m", 257))), "Accepted Invalid spec.models[0]"},
		"no targets":         {withoutTargets, "Accepted Invalid spec.targets"},
		"negative weight":    {func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Weight = &negative }, "Accepted Invalid spec.targets[0].weight"},
		"negative priority":  {func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Priority = &negative }, "Accepted Invalid spec.targets[0].priority"},
		"no target name":     {func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Name = "" }, "Accepted Invalid spec.targets[0].name"},
		"no credential":      {func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].CredentialRef.Name = "" }, "Accepted Invalid spec.targets[0].credentialRef.name"},
		"no upstream model":  {func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Model = "" }, "Accepted Invalid spec.targets[0].model"},
		"same target twice":  {func(r *v1alpha1.ModelRoute) { r.Spec.Targets = append(r.Spec.Targets, target("main")) }, "Accepted Invalid spec.targets[1].name"},
		"price not a decimal": {
			func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Prices = &v1alpha1.TokenPrices{Input: "cheap"} },
			"Accepted Invalid spec.targets[0].prices.input",
		},
		"price with an exponent": {
			func(r *v1alpha1.ModelRoute) {
				r.Spec.Targets[0].Prices = &v1alpha1.TokenPrices{Input: "1", Output: "1e3"}
			},
			"Accepted Invalid spec.targets[0].prices.output",
		},
		"price with ten decimals": {
			func(r *v1alpha1.ModelRoute) {
				r.Spec.Targets[0].Prices = &v1alpha1.TokenPrices{Input: "1", CachedInput: "0.0000000001"}
			},
			"Accepted Invalid spec.targets[0].prices.cachedInput",
		},
		"timeout too short": {
			func(r *v1alpha1.ModelRoute) { r.Spec.Timeouts.Idle.Duration = time.Millisecond },
			"Accepted Invalid spec.timeouts.idle",
		},
		"first token after the end": {
			func(r *v1alpha1.ModelRoute) {
				r.Spec.Timeouts = v1alpha1.RouteTimeouts{
					FirstToken: metav1.Duration{Duration: 3 * time.Second}, Idle: metav1.Duration{Duration: time.Second}, Total: metav1.Duration{Duration: 2 * time.Second},
				}
			},
			"Accepted Invalid spec.timeouts.firstToken",
		},
		"rule with nothing": {allowing(v1alpha1.AccessRule{}), "Accepted Invalid spec.access.allow[0]"},
		"rule with two things": {
			allowing(v1alpha1.AccessRule{NamespaceSelector: &v1alpha1.LabelSelector{}, AccessKeySelector: &v1alpha1.LabelSelector{}}),
			"Accepted Invalid spec.access.allow[0]",
		},
		"selector that is none": {
			allowing(v1alpha1.AccessRule{NamespaceSelector: &v1alpha1.LabelSelector{MatchLabels: map[string]v1alpha1.LabelValue{"not a key!": "x"}}}),
			"Accepted Invalid spec.access.allow[0].namespaceSelector",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withRoutes(route("bad", tc.edit), route("good"))))
			got := report(t, result, compile.KindModelRoute, "bad")
			if diff := cmp.Diff([]string{tc.want}, why(got)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if got.Served != 0 || len(result.Table.Routes) != 1 {
				t.Errorf("served generation %d, %d routes in the table, want 0 and only the good one", got.Served, len(result.Table.Routes))
			}
		})
	}
}

func TestModelConflict(t *testing.T) {
	result := compile.Compile(input(withRoutes(
		route("young", serving("chat", "own"), createdAfter(time.Hour)),
		route("old", serving("chat", "gpt-*")),
		route("younger", serving("gpt-*"), createdAfter(2*time.Hour)),
		route("zwin", serving("own2", "chat"), createdAfter(time.Hour)),
	)))
	if got := servedRoute(t, result, "old").Models; !cmp.Equal(got, []string{"chat", "gpt-*"}) {
		t.Errorf("the older route has %v", got)
	}
	if got := servedRoute(t, result, "young").Models; !cmp.Equal(got, []string{"own"}) {
		t.Errorf("the younger route has %v, want its other model", got)
	}
	young := report(t, result, compile.KindModelRoute, "young")
	if diff := cmp.Diff([]string{"Accepted ModelConflict spec.models[0]"}, why(young)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if !strings.Contains(young.Findings[0].Message, `"old"`) {
		t.Errorf("message %q does not name the winner", young.Findings[0].Message)
	}
	younger := report(t, result, compile.KindModelRoute, "younger")
	if younger.Served != 0 || len(result.Table.Routes) != 3 {
		t.Errorf("a route without a model is served: generation %d, %d routes", younger.Served, len(result.Table.Routes))
	}
}

func TestModelConflictOfTheSameAgeGoesByName(t *testing.T) {
	result := compile.Compile(input(withRoutes(route("b", serving("chat")), route("a", serving("chat")))))
	if len(result.Table.Routes) != 1 || result.Table.Routes[0].Name != "a" {
		t.Errorf("routes %v, want a alone", result.Table.Routes)
	}
}

func TestTargets(t *testing.T) {
	zero := int32(0)
	cases := map[string]struct {
		edit func(*v1alpha1.ModelRoute)
		mods []func(*compile.Input)
		want compile.TargetReport
		why  []string
	}{
		"available and priced": {
			want: compile.TargetReport{Name: "main", State: v1alpha1.TargetAvailable, Priced: compile.Priced},
		},
		"unpriced": {
			edit: func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Model = "other" },
			want: compile.TargetReport{Name: "main", State: v1alpha1.TargetAvailable, Priced: compile.Unpriced},
		},
		"what the client asks for, all priced": {
			edit: func(r *v1alpha1.ModelRoute) {
				r.Spec.Models, r.Spec.Targets[0].Model = []v1alpha1.ModelPattern{"llama"}, "*"
			},
			want: compile.TargetReport{Name: "main", State: v1alpha1.TargetAvailable, Priced: compile.Priced},
		},
		"what the client asks for, a pattern": {
			edit: func(r *v1alpha1.ModelRoute) {
				r.Spec.Models, r.Spec.Targets[0].Model = []v1alpha1.ModelPattern{"llama", "ll*"}, "*"
			},
			want: compile.TargetReport{Name: "main", State: v1alpha1.TargetAvailable, Priced: compile.Unpriced},
		},
		"drained": {
			edit: func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Weight = &zero },
			want: compile.TargetReport{Name: "main", State: v1alpha1.TargetDrained, Reason: v1alpha1.ReasonDrained, Message: "its weight is 0", Priced: compile.Priced},
		},
		"credential missing": {
			mods: []func(*compile.Input){withCredentials()},
			want: compile.TargetReport{Name: "main", State: v1alpha1.TargetUnavailable, Reason: v1alpha1.ReasonBackendNotFound,
				Message: `ProviderCredential "groq" does not exist`, Priced: compile.Unpriced},
			why: []string{"ResolvedRefs BackendNotFound spec.targets[0].credentialRef.name"},
		},
		"credential invalid": {
			mods: []func(*compile.Input){withCredentials(credential("groq", endpointAt("ftp://x")))},
			want: compile.TargetReport{Name: "main", State: v1alpha1.TargetUnavailable, Reason: v1alpha1.ReasonBackendUnusable,
				Message: `ProviderCredential "groq" is not valid`, Priced: compile.Unpriced},
			why: []string{"ResolvedRefs BackendUnusable spec.targets[0].credentialRef.name"},
		},
		"credential without key": {
			mods: []func(*compile.Input){withKeys()},
			want: compile.TargetReport{Name: "main", State: v1alpha1.TargetUnavailable, Reason: v1alpha1.ReasonBackendUnusable,
				Message: `ProviderCredential "groq" has no usable key`, Priced: compile.Priced},
			why: []string{"ResolvedRefs BackendUnusable spec.targets[0].credentialRef.name"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := route("chat")
			if tc.edit != nil {
				tc.edit(&r)
			}
			result := compile.Compile(input(append(tc.mods, withRoutes(r))...))
			got := report(t, result, compile.KindModelRoute, "chat")
			if diff := cmp.Diff([]compile.TargetReport{tc.want}, got.Targets); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.why, why(got)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			excluded := servedRoute(t, result, "chat").Targets[0].Excluded
			if (excluded != "") != (tc.want.State == v1alpha1.TargetUnavailable) {
				t.Errorf("excluded %q with state %s", excluded, tc.want.State)
			}
		})
	}
}

func TestAccess(t *testing.T) {
	names := func(labels map[string]v1alpha1.LabelValue) *v1alpha1.LabelSelector {
		return &v1alpha1.LabelSelector{MatchLabels: labels}
	}
	cases := map[string]struct {
		rules []v1alpha1.AccessRule
		view  compile.NamespaceView
		want  table.Access
		why   []string
	}{
		"nobody": {rules: []v1alpha1.AccessRule{}},
		"namespaces by label": {
			rules: []v1alpha1.AccessRule{{NamespaceSelector: names(map[string]v1alpha1.LabelValue{"tier": "prod"})}},
			want:  table.Access{Namespaces: []string{"apps", "web"}},
		},
		"every namespace takes in the rest": {
			rules: []v1alpha1.AccessRule{
				{NamespaceSelector: names(nil)},
				{ServiceAccount: &v1alpha1.ServiceAccountReference{Namespace: "apps", Name: "bot"}},
			},
			want: table.Access{AnyNamespace: true},
		},
		"a ServiceAccount of an admitted namespace": {
			rules: []v1alpha1.AccessRule{
				{NamespaceSelector: names(map[string]v1alpha1.LabelValue{"tier": "prod"})},
				{ServiceAccount: &v1alpha1.ServiceAccountReference{Namespace: "apps", Name: "bot"}},
				{ServiceAccount: &v1alpha1.ServiceAccountReference{Namespace: "lab", Name: "bot"}},
			},
			want: table.Access{Namespaces: []string{"apps", "web"}, ServiceAccounts: []string{"lab/bot"}},
		},
		"access keys by label": {
			rules: []v1alpha1.AccessRule{{AccessKeySelector: names(map[string]v1alpha1.LabelValue{"who": "ci"})}},
			want:  table.Access{AccessKeys: []string{"ci"}},
		},
		"all access keys": {
			rules: []v1alpha1.AccessRule{{AccessKeySelector: names(nil)}},
			want:  table.Access{AnyAccessKey: true},
		},
		"names only, by name": {
			view:  compile.NamesOnly,
			rules: []v1alpha1.AccessRule{{NamespaceSelector: names(map[string]v1alpha1.LabelValue{corev1.LabelMetadataName: "elsewhere"})}},
			want:  table.Access{Namespaces: []string{"elsewhere"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := input(withRoutes(route("chat", allowing(tc.rules...))))
			in.View = tc.view
			in.Namespaces = []corev1.Namespace{labelledNamespace("web", "prod"), labelledNamespace("lab", "test"), labelledNamespace("apps", "prod")}
			in.AccessKeys = []corev1.Secret{accessKey("ci", "key-ci", map[string]string{"who": "ci"}), accessKey("dev", "key-dev", nil)}
			if diff := cmp.Diff(tc.want, servedRoute(t, compile.Compile(in), "chat").Access); diff != "" {
				t.Errorf("access (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamesOnlyRefusesOtherSelectors(t *testing.T) {
	in := input(withRoutes(route("chat", allowing(v1alpha1.AccessRule{
		NamespaceSelector: &v1alpha1.LabelSelector{MatchLabels: map[string]v1alpha1.LabelValue{"tier": "prod"}},
	}))))
	in.View = compile.NamesOnly
	got := report(t, compile.Compile(in), compile.KindModelRoute, "chat")
	if diff := cmp.Diff([]string{"Accepted UnsupportedValue spec.access.allow[0].namespaceSelector"}, why(got)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func labelledNamespace(name, tier string) corev1.Namespace {
	return corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"tier": tier}}}
}
