package compile_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
)

// preferring is a route to a target with preferences for OpenRouter.
func preferring(preferences v1alpha1.OpenRouterPreferences) v1alpha1.ModelRoute {
	return route("chat", func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].OpenRouter = &preferences })
}

func openRouter(c *v1alpha1.ProviderCredential) {
	c.Spec.Provider, c.Spec.Endpoint = v1alpha1.ProviderOpenRouter, ""
}

func TestOpenRouterPreferences(t *testing.T) {
	cases := map[string]struct {
		preferences v1alpha1.OpenRouterPreferences
		want        string
	}{
		"nothing": {},
		"all": {
			v1alpha1.OpenRouterPreferences{
				Order: []v1alpha1.ProviderSlug{"deepinfra", "google-vertex/us-east5"}, Only: []v1alpha1.ProviderSlug{"deepinfra"}, Ignore: []v1alpha1.ProviderSlug{"Azure"},
				Fallbacks: "Deny", Parameters: "Required", DataPolicy: &v1alpha1.DataPolicy{Collection: "Deny", Retention: "Zero"},
				Quantizations: []v1alpha1.Quantization{"fp8", "bf16", "fp8"}, Sort: "Throughput", MaxPrice: &v1alpha1.MaxPrice{Input: "0.30", Output: "2"},
			},
			`{"order":["deepinfra","google-vertex/us-east5"],"only":["deepinfra"],"ignore":["Azure"],"allow_fallbacks":false,"require_parameters":true,` +
				`"data_collection":"deny","zdr":true,"quantizations":["fp8","bf16"],"sort":"throughput","max_price":{"prompt":0.3,"completion":2}}`,
		},
		"the lenient ones, by name": {
			v1alpha1.OpenRouterPreferences{Fallbacks: "Allow", Parameters: "Optional", DataPolicy: &v1alpha1.DataPolicy{Collection: "Allow", Retention: "Any"}},
			`{"allow_fallbacks":true,"require_parameters":false,"data_collection":"allow","zdr":false}`,
		},
		"an exact price": {
			v1alpha1.OpenRouterPreferences{MaxPrice: &v1alpha1.MaxPrice{Input: "999999999.000000001"}}, `{"max_price":{"prompt":999999999.000000001}}`,
		},
		"free":           {v1alpha1.OpenRouterPreferences{MaxPrice: &v1alpha1.MaxPrice{Output: "0"}}, `{"max_price":{"completion":0}}`},
		"no price":       {v1alpha1.OpenRouterPreferences{MaxPrice: &v1alpha1.MaxPrice{}}, ""},
		"sort by price":  {v1alpha1.OpenRouterPreferences{Sort: "Price"}, `{"sort":"price"}`},
		"sort by waits":  {v1alpha1.OpenRouterPreferences{Sort: "Latency"}, `{"sort":"latency"}`},
		"empty policies": {v1alpha1.OpenRouterPreferences{DataPolicy: &v1alpha1.DataPolicy{}}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withCredentials(credential("groq", openRouter)), withRoutes(preferring(tc.preferences))))
			got := servedRoute(t, result, "chat").Targets[0]
			if diff := cmp.Diff(tc.want, string(got.OpenRouter)); diff != "" || got.Excluded != "" {
				t.Errorf("excluded %q, preferences (-want +got):\n%s", got.Excluded, diff)
			}
			if tc.want != "" && !json.Valid(got.OpenRouter) {
				t.Error("the preferences are no JSON")
			}
		})
	}
}

func TestOpenRouterPreferencesInError(t *testing.T) {
	cases := map[string]struct {
		preferences v1alpha1.OpenRouterPreferences
		want        string
	}{
		"empty slug":     {v1alpha1.OpenRouterPreferences{Order: []v1alpha1.ProviderSlug{"a", ""}}, "Invalid spec.targets[0].openRouter.order[1]"},
		"slug of spaces": {v1alpha1.OpenRouterPreferences{Only: []v1alpha1.ProviderSlug{"a b"}}, "Invalid spec.targets[0].openRouter.only[0]"},
		"long slug":      {v1alpha1.OpenRouterPreferences{Ignore: []v1alpha1.ProviderSlug{v1alpha1.ProviderSlug(strings.Repeat("a", 129))}}, "Invalid spec.targets[0].openRouter.ignore[0]"},
		"fallbacks":      {v1alpha1.OpenRouterPreferences{Fallbacks: "Some"}, "UnsupportedValue spec.targets[0].openRouter.fallbacks"},
		"parameters":     {v1alpha1.OpenRouterPreferences{Parameters: "Some"}, "UnsupportedValue spec.targets[0].openRouter.parameters"},
		"quantization":   {v1alpha1.OpenRouterPreferences{Quantizations: []v1alpha1.Quantization{"int3"}}, "UnsupportedValue spec.targets[0].openRouter.quantizations[0]"},
		"sort":           {v1alpha1.OpenRouterPreferences{Sort: "Beauty"}, "UnsupportedValue spec.targets[0].openRouter.sort"},
		"collection":     {v1alpha1.OpenRouterPreferences{DataPolicy: &v1alpha1.DataPolicy{Collection: "Some"}}, "UnsupportedValue spec.targets[0].openRouter.dataPolicy.collection"},
		"retention":      {v1alpha1.OpenRouterPreferences{DataPolicy: &v1alpha1.DataPolicy{Retention: "Some"}}, "UnsupportedValue spec.targets[0].openRouter.dataPolicy.retention"},
		"region":         {v1alpha1.OpenRouterPreferences{DataPolicy: &v1alpha1.DataPolicy{Region: "eu"}}, "UnsupportedValue spec.targets[0].openRouter.dataPolicy.region"},
		"price":          {v1alpha1.OpenRouterPreferences{MaxPrice: &v1alpha1.MaxPrice{Input: "1e-3"}}, "Invalid spec.targets[0].openRouter.maxPrice.input"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withCredentials(credential("groq", openRouter)), withRoutes(preferring(tc.preferences))))
			if diff := cmp.Diff([]string{"Accepted " + tc.want}, why(report(t, result, compile.KindModelRoute, "chat"))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// Preferences that a provider would not keep are no preferences: its target is left out rather than called without them.
func TestOpenRouterPreferencesOfAnotherProvider(t *testing.T) {
	result := compile.Compile(input(withRoutes(preferring(v1alpha1.OpenRouterPreferences{Sort: "Price"}))))
	got := report(t, result, compile.KindModelRoute, "chat")
	if diff := cmp.Diff([]string{"ResolvedRefs UnsupportedValue spec.targets[0].openRouter"}, why(got)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if servedRoute(t, result, "chat").Targets[0].Excluded == "" || got.Targets[0].State != v1alpha1.TargetUnavailable {
		t.Errorf("the target is used: %+v", got.Targets[0])
	}
}
