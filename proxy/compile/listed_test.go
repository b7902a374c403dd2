package compile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// withList says what the provider of the credential groq offers, completely.
func withList(models ...provider.ListedModel) func(*compile.Input) {
	return withListOf(provider.ModelList{
		Provider: "OpenAICompatible", Account: provider.Account{Endpoint: "https://api.provider.example/v1"}, Models: models, Complete: true,
	})
}

func withListOf(list provider.ModelList) func(*compile.Input) {
	return func(in *compile.Input) { in.Lists = map[string]provider.ModelList{"groq": list} }
}

func listed(id string, contextTokens, output int64) provider.ListedModel {
	return provider.ListedModel{ID: id, ContextTokens: contextTokens, MaxOutputTokens: output}
}

func succeededBy(model string) func(*v1alpha1.ModelRoute) {
	return func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Successor = model }
}

func TestListOfModels(t *testing.T) {
	const unlisted = `provider OpenAICompatible does not list model "llama"`
	declaring := func(r *v1alpha1.ModelRoute) {
		r.Spec.Targets[0].Declares = &v1alpha1.TargetDeclaration{ContextTokens: of(int64(1000))}
	}
	cases := map[string]struct {
		edit     []func(*v1alpha1.ModelRoute)
		list     func(*compile.Input)
		declared table.Declared
		unlisted bool
		want     compile.TargetReport
	}{
		"listed": {
			list: withList(listed("llama", 8192, 1024)), declared: table.Declared{ContextTokens: 8192, MaxOutputTokens: 1024},
			want: compile.TargetReport{Listing: "Listed"},
		},
		"what is declared wins": {
			edit: []func(*v1alpha1.ModelRoute){declaring}, list: withList(listed("llama", 8192, 1024)),
			declared: table.Declared{ContextTokens: 1000, MaxOutputTokens: 1024}, want: compile.TargetReport{Listing: "Listed"},
		},
		"not listed": {
			list: withList(listed("other", 1, 1)), unlisted: true,
			want: compile.TargetReport{Listing: "Unlisted", Reason: v1alpha1.ReasonModelNotListed,
				Message: unlisted + ", so calls to it may fail; correct the model, or name a successor"},
		},
		"the successor serves": {
			edit: []func(*v1alpha1.ModelRoute){succeededBy("other")}, list: withList(listed("other", 4096, 512)), unlisted: true,
			declared: table.Declared{ContextTokens: 4096, MaxOutputTokens: 512},
			want: compile.TargetReport{Listing: "Unlisted", Model: "other", Reason: v1alpha1.ReasonModelNotListed,
				Message: unlisted + `; calls go to its successor "other"`},
		},
		"the successor is not listed either": {
			edit: []func(*v1alpha1.ModelRoute){succeededBy("next")}, list: withList(listed("other", 4096, 512)),
			want: compile.TargetReport{Listing: "Unlisted", Reason: v1alpha1.ReasonModelNotListed, Message: unlisted + `, nor its successor "next"; correct both`},
		},
		"a successor in reserve": {
			edit: []func(*v1alpha1.ModelRoute){succeededBy("other")}, list: withList(listed("llama", 8192, 1024), listed("other", 4096, 512)),
			declared: table.Declared{ContextTokens: 8192, MaxOutputTokens: 1024}, want: compile.TargetReport{Listing: "Listed"},
		},
		"a list of another endpoint": {
			list: withListOf(provider.ModelList{
				Provider: "OpenAICompatible", Account: provider.Account{Endpoint: "https://old.example"}, Models: []provider.ListedModel{listed("x", 1, 1)}, Complete: true,
			}),
		},
		"a list of another provider": {
			list: withListOf(provider.ModelList{
				Provider: "Groq", Account: provider.Account{Endpoint: "https://api.provider.example/v1"}, Models: []provider.ListedModel{listed("x", 1, 1)}, Complete: true,
			}),
		},
		"a list that goes on": {
			list: withListOf(provider.ModelList{
				Provider: "OpenAICompatible", Account: provider.Account{Endpoint: "https://api.provider.example/v1"}, Models: []provider.ListedModel{listed("x", 1, 1)},
			}),
		},
		"no list": {list: func(*compile.Input) {}},
		"what the client asks for": {
			edit: []func(*v1alpha1.ModelRoute){func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Model = "*" }}, list: withList(listed("other", 1, 1)),
			want: compile.TargetReport{Priced: compile.Unpriced},
		},
		"a drained target says so": {
			edit: []func(*v1alpha1.ModelRoute){func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Weight = of(int32(0)) }}, list: withList(listed("other", 1, 1)), unlisted: true,
			want: compile.TargetReport{State: v1alpha1.TargetDrained, Reason: v1alpha1.ReasonDrained, Message: "its weight is 0", Listing: "Unlisted"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withRoutes(route("chat", tc.edit...)), tc.list))
			got := servedRoute(t, result, "chat").Targets[0]
			if diff := cmp.Diff(tc.declared, got.Declared); diff != "" || got.Unlisted != tc.unlisted || got.Excluded != "" {
				t.Errorf("unlisted %v, excluded %q, declared (-want +got):\n%s", got.Unlisted, got.Excluded, diff)
			}
			tc.want.Name = "main"
			if tc.want.State == "" {
				tc.want.State = v1alpha1.TargetAvailable
			}
			if tc.want.Priced == "" {
				tc.want.Priced = compile.Priced
			}
			chat := report(t, result, compile.KindModelRoute, "chat")
			if diff := cmp.Diff([]compile.TargetReport{tc.want}, chat.Targets); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
			if chat.Findings != nil {
				t.Errorf("findings: %v", chat.Findings)
			}
		})
	}
}

// What a list said stays while there is none: after a restart of the manager, or while probes fail.
func TestListIsRemembered(t *testing.T) {
	full := withList(listed("llama", 8192, 1024))
	cases := map[string]struct {
		before, after []func(*compile.Input)
		want          table.Declared
		unlisted      bool
	}{
		"no list now": {
			before: []func(*compile.Input){full}, want: table.Declared{ContextTokens: 8192, MaxOutputTokens: 1024},
		},
		"not listed, and no list now": {
			before: []func(*compile.Input){withList(listed("x", 1, 1))}, unlisted: true,
		},
		"another list": {
			before: []func(*compile.Input){full}, after: []func(*compile.Input){withList(listed("llama", 4096, 0))}, want: table.Declared{ContextTokens: 4096},
		},
		"a list that goes on": {
			before: []func(*compile.Input){full},
			after: []func(*compile.Input){withListOf(provider.ModelList{
				Provider: "OpenAICompatible", Account: provider.Account{Endpoint: "https://api.provider.example/v1"}, Models: []provider.ListedModel{listed("x", 1, 1)},
			})},
			want: table.Declared{ContextTokens: 8192, MaxOutputTokens: 1024},
		},
		"listed again": {
			before: []func(*compile.Input){withList(listed("x", 1, 1))}, after: []func(*compile.Input){full},
			want: table.Declared{ContextTokens: 8192, MaxOutputTokens: 1024},
		},
		"another endpoint": {
			before: []func(*compile.Input){full}, after: []func(*compile.Input){withCredentials(credential("groq", endpointAt("https://other.example/v1"), editedOnce))},
		},
		"another object of the name": {
			before: []func(*compile.Input){full},
			after:  []func(*compile.Input){withCredentials(credential("groq", func(c *v1alpha1.ProviderCredential) { c.UID = "recreated" }))},
		},
		"another model": {
			before: []func(*compile.Input){full},
			after:  []func(*compile.Input){withRoutes(route("chat", generation(2), func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Model = "new" }))},
		},
		"a spec in error": {
			before: []func(*compile.Input){full}, after: []func(*compile.Input){withRoutes(route("chat", generation(2), withoutTargets))},
			want: table.Declared{ContextTokens: 8192, MaxOutputTokens: 1024},
		},
		"listed again, and a spec in error": {
			before: []func(*compile.Input){withList(listed("x", 1, 1))},
			after:  []func(*compile.Input){withRoutes(route("chat", generation(2), withoutTargets)), full},
			want:   table.Declared{ContextTokens: 8192, MaxOutputTokens: 1024},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := compile.Compile(input(append(tc.before, withRoutes(route("chat")))...))
			after := compile.Compile(input(append([]func(*compile.Input){withRoutes(route("chat")), withPrevious(before.Table)}, tc.after...)...))
			got := servedRoute(t, after, "chat").Targets[0]
			if diff := cmp.Diff(tc.want, got.Declared); diff != "" || got.Unlisted != tc.unlisted {
				t.Errorf("unlisted %v, declared (-want +got):\n%s", got.Unlisted, diff)
			}
		})
	}
}

// Lists change every day; a table changes only with the models that its targets name.
func TestListDoesNotChurnTheTable(t *testing.T) {
	chat := withRoutes(route("chat", succeededBy("next")))
	first := compile.Compile(input(chat, withList(listed("llama", 8192, 1024), listed("next", 1, 1))))
	cases := map[string]struct {
		mods []func(*compile.Input)
		same bool
	}{
		"other models":  {[]func(*compile.Input){withList(listed("a", 1, 1), listed("llama", 8192, 1024), listed("next", 1, 1))}, true},
		"no list":       {nil, true},
		"another size":  {[]func(*compile.Input){withList(listed("llama", 4096, 1024), listed("next", 1, 1))}, false},
		"model is gone": {[]func(*compile.Input){withList(listed("next", 1, 1))}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			next := compile.Compile(input(append([]func(*compile.Input){chat, withPrevious(first.Table)}, tc.mods...)...))
			if same := next.Table.Revision == first.Table.Revision && next.Table.Sequence == first.Table.Sequence; same != tc.same {
				t.Errorf("the table is the same: %v, want %v", same, tc.same)
			}
			// A change of a list is no change of an object.
			if since := report(t, next, compile.KindModelRoute, "chat").Since; since != 1 {
				t.Errorf("the route is served since table %d, want 1", since)
			}
		})
	}
	want := map[string]table.ModelListing{"llama": {ContextTokens: 8192, MaxOutputTokens: 1024}}
	if diff := cmp.Diff(want, servedGroq(t, first).Listing); diff != "" {
		t.Errorf("what the table remembers (-want +got):\n%s", diff)
	}
}

func TestRequirementsThatATargetNeverMeets(t *testing.T) {
	requires := func(r v1alpha1.RouteRequirements) func(*v1alpha1.ModelRoute) {
		return func(route *v1alpha1.ModelRoute) { route.Spec.Require = &r }
	}
	declares := func(d v1alpha1.TargetDeclaration) func(*v1alpha1.ModelRoute) {
		return func(route *v1alpha1.ModelRoute) { route.Spec.Targets[0].Declares = &d }
	}
	sending := func(model string) func(*v1alpha1.ModelRoute) {
		return func(route *v1alpha1.ModelRoute) { route.Spec.Targets[0].Model = model }
	}
	tools := requires(v1alpha1.RouteRequirements{Capabilities: []v1alpha1.ModelCapability{"Tools", "Vision"}})
	deny := requires(v1alpha1.RouteRequirements{DataPolicy: &v1alpha1.DataPolicy{Collection: "Deny"}})
	large := requires(v1alpha1.RouteRequirements{MinContextTokens: of(int64(8192))})
	cases := map[string]struct {
		edit []func(*v1alpha1.ModelRoute)
		list func(*compile.Input)
		want string
	}{
		"capabilities not known": {
			edit: []func(*v1alpha1.ModelRoute){tools}, want: "it does not declare these capabilities, which the route requires: Tools, Vision",
		},
		"a capability missing": {
			edit: []func(*v1alpha1.ModelRoute){tools, declares(v1alpha1.TargetDeclaration{Capabilities: &[]v1alpha1.ModelCapability{"Tools"}})},
			want: "it does not declare these capabilities, which the route requires: Vision",
		},
		"capabilities declared": {
			edit: []func(*v1alpha1.ModelRoute){tools, declares(v1alpha1.TargetDeclaration{Capabilities: &[]v1alpha1.ModelCapability{"Vision", "Tools"}})},
		},
		"data policy not known": {edit: []func(*v1alpha1.ModelRoute){deny}, want: "it does not declare the data policy that the route requires"},
		"data policy declared": {
			edit: []func(*v1alpha1.ModelRoute){deny, declares(v1alpha1.TargetDeclaration{DataPolicy: &v1alpha1.DataPolicy{Collection: "Deny"}})},
		},
		"context not known":     {edit: []func(*v1alpha1.ModelRoute){large}, want: "its context is not known to have the 8192 tokens that the route requires"},
		"context from the list": {edit: []func(*v1alpha1.ModelRoute){large}, list: withList(listed("llama", 8192, 0))},
		"context too small": {
			edit: []func(*v1alpha1.ModelRoute){large}, list: withList(listed("llama", 8191, 0)), want: "its context is not known to have the 8192 tokens that the route requires",
		},
		"price within": {edit: []func(*v1alpha1.ModelRoute){requires(v1alpha1.RouteRequirements{MaxPrice: &v1alpha1.MaxPrice{Input: "0.59", Output: "0.79"}})}},
		"prompts too dear": {
			edit: []func(*v1alpha1.ModelRoute){requires(v1alpha1.RouteRequirements{MaxPrice: &v1alpha1.MaxPrice{Input: "0.5"}})},
			want: "its price of 0.59 USD per million prompt tokens is above the 0.5 that the route allows",
		},
		"completions too dear": {
			edit: []func(*v1alpha1.ModelRoute){requires(v1alpha1.RouteRequirements{MaxPrice: &v1alpha1.MaxPrice{Output: "0.5"}})},
			want: "its price of 0.79 USD per million completion tokens is above the 0.5 that the route allows",
		},
		"price not known": {
			edit: []func(*v1alpha1.ModelRoute){requires(v1alpha1.RouteRequirements{MaxPrice: &v1alpha1.MaxPrice{Output: "0.5"}}), sending("unpriced")},
			want: "its price is not known, and the route requires a maximum price",
		},
		"prices of what clients ask for": {
			edit: []func(*v1alpha1.ModelRoute){requires(v1alpha1.RouteRequirements{MaxPrice: &v1alpha1.MaxPrice{Output: "0.5"}}), sending("*")},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			mods := []func(*compile.Input){withRoutes(route("chat", tc.edit...))}
			if tc.list != nil {
				mods = append(mods, tc.list)
			}
			result := compile.Compile(input(mods...))
			got := report(t, result, compile.KindModelRoute, "chat").Targets[0]
			state, reason := v1alpha1.TargetAvailable, ""
			if tc.want != "" {
				state, reason = v1alpha1.TargetUnavailable, v1alpha1.ReasonRequirementNotMet
			}
			if got.State != state || got.Reason != reason || got.Message != tc.want {
				t.Errorf("got %+v, want %s %q", got, state, tc.want)
			}
		})
	}
}

func TestLowestCostTellsOfTargetsWithoutPrice(t *testing.T) {
	cheap := func(r *v1alpha1.ModelRoute) {
		r.Spec.Strategy = v1alpha1.StrategyLowestCost
		r.Spec.Targets = append(r.Spec.Targets, target("second"))
		r.Spec.Targets[1].Model = "unpriced"
	}
	got := report(t, compile.Compile(input(withRoutes(route("chat", cheap)))), compile.KindModelRoute, "chat")
	want := []compile.TargetReport{
		{Name: "main", State: v1alpha1.TargetAvailable, Priced: compile.Priced},
		{Name: "second", State: v1alpha1.TargetAvailable, Priced: compile.Unpriced,
			Message: "its price is not known, so the strategy LowestCost tries it after those with a price"},
	}
	if diff := cmp.Diff(want, got.Targets); diff != "" || got.Findings != nil {
		t.Errorf("findings %v, targets (-want +got):\n%s", got.Findings, diff)
	}
}
