package compile_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/catalogue"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// at makes a credential one of a provider that the catalogue knows, at that provider's own address, without prices of its own.
func at(name v1alpha1.ProviderName) func(*v1alpha1.ProviderCredential) {
	return func(c *v1alpha1.ProviderCredential) {
		c.Spec.Provider, c.Spec.Endpoint, c.Spec.Prices = name, "", nil
	}
}

func calling(model string) func(*v1alpha1.ModelRoute) {
	return func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Model = model }
}

func entryOf(t *testing.T, provider, place, model string) catalogue.Entry {
	t.Helper()
	entry, known := catalogue.Standard().LookupAt(provider, place, model)
	if !known {
		t.Fatalf("the catalogue has no %s/%s", provider, model)
	}
	return entry
}

// TestLayersOfPrices: the catalogue, then the credential, then the target.
func TestLayersOfPrices(t *testing.T) {
	const model = "gpt-4o-2024-08-06"
	known := entryOf(t, "OpenAI", "", model).Prices
	own := []v1alpha1.ModelPrice{{Model: model, TokenPrices: v1alpha1.TokenPrices{Input: "7"}}}
	for name, tc := range map[string]struct {
		credential func(*v1alpha1.ProviderCredential)
		route      func(*v1alpha1.ModelRoute)
		// inCredential is the price in the credential of the table, and inTarget that of the target.
		inCredential map[string]table.Prices
		inTarget     *table.Prices
		priced       string
	}{
		"catalogue": {inCredential: map[string]table.Prices{model: known}, priced: compile.Priced},
		"credential": {
			credential:   func(c *v1alpha1.ProviderCredential) { c.Spec.Prices = own },
			inCredential: map[string]table.Prices{model: {Input: 7_000_000_000, CachedInput: 7_000_000_000, Source: "ProviderCredential groq"}}, priced: compile.Priced,
		},
		"target": {
			route:    pricing(v1alpha1.TokenPrices{Input: "9"}),
			inTarget: &table.Prices{Input: 9_000_000_000, CachedInput: 9_000_000_000, Source: "ModelRoute chat"}, priced: compile.Priced,
		},
		"nobody": {route: calling("gpt-unheard-of"), priced: compile.Unpriced},
	} {
		t.Run(name, func(t *testing.T) {
			edits := []func(*v1alpha1.ProviderCredential){at(v1alpha1.ProviderOpenAI)}
			if tc.credential != nil {
				edits = append(edits, tc.credential)
			}
			routes := []func(*v1alpha1.ModelRoute){calling(model)}
			if tc.route != nil {
				routes = append(routes, tc.route)
			}
			result := compile.Compile(input(withCredentials(credential("groq", edits...)), withRoutes(route("chat", routes...))))
			if diff := cmp.Diff(tc.inCredential, servedGroq(t, result).Prices); diff != "" {
				t.Errorf("prices of the credential (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.inTarget, servedRoute(t, result, "chat").Targets[0].Prices); diff != "" {
				t.Errorf("prices of the target (-want +got):\n%s", diff)
			}
			if got := report(t, result, compile.KindModelRoute, "chat").Targets[0].Priced; got != tc.priced {
				t.Errorf("the target is %s, want %s", got, tc.priced)
			}
		})
	}
}

// TestCataloguePricesSuccessorsAndMirrors: whatever can be called has its price.
func TestCataloguePricesSuccessorsAndMirrors(t *testing.T) {
	result := compile.Compile(input(
		withCredentials(credential("groq", at(v1alpha1.ProviderOpenAI))),
		withRoutes(route("chat", calling("gpt-4o"), succeededBy("gpt-4o-mini"), func(r *v1alpha1.ModelRoute) {
			r.Spec.Mirror = &v1alpha1.RouteMirror{CredentialRef: v1alpha1.LocalReference{Name: "groq"}, Model: "gpt-6-luna"}
		})),
	))
	got := slices.Sorted(maps.Keys(servedGroq(t, result).Prices))
	if diff := cmp.Diff([]string{"gpt-4o", "gpt-4o-mini", "gpt-6-luna"}, got); diff != "" {
		t.Errorf("priced models (-want +got):\n%s", diff)
	}
}

// TestCataloguePricesWhatPasses: a target that sends on what the client asked for has the prices of all that its route lets through.
func TestCataloguePricesWhatPasses(t *testing.T) {
	for name, tc := range map[string]struct {
		models []v1alpha1.ModelPattern
		some   []string
		none   []string
		priced string
	}{
		"names":      {[]v1alpha1.ModelPattern{"gpt-4o", "gpt-4o-2031-01-02"}, []string{"gpt-4o", "gpt-4o-2031-01-02"}, []string{"gpt-4o-mini"}, compile.Priced},
		"a pattern":  {[]v1alpha1.ModelPattern{"gpt-4o*"}, []string{"gpt-4o", "gpt-4o-mini"}, []string{"gpt-5", "gpt-4o-2031-01-02"}, compile.Unpriced},
		"everything": {[]v1alpha1.ModelPattern{"*"}, []string{"gpt-4o", "gpt-5", "whisper-1"}, []string{"llama"}, compile.Unpriced},
		"unknown":    {[]v1alpha1.ModelPattern{"gpt-4o", "mine"}, []string{"gpt-4o"}, []string{"mine"}, compile.Unpriced},
	} {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(
				withCredentials(credential("groq", at(v1alpha1.ProviderOpenAI))), withRoutes(route("chat", serving(tc.models...), calling("*"))),
			))
			prices := servedGroq(t, result).Prices
			for _, model := range tc.some {
				if _, known := prices[model]; !known {
					t.Errorf("%s has no price", model)
				}
			}
			for _, model := range tc.none {
				if _, known := prices[model]; known {
					t.Errorf("%s has a price", model)
				}
			}
			if got := report(t, result, compile.KindModelRoute, "chat").Targets[0].Priced; got != tc.priced {
				t.Errorf("the target is %s, want %s", got, tc.priced)
			}
		})
	}
}

// TestWholeCatalogueFits: the prices of every provider at once take a small part of the table.
func TestWholeCatalogueFits(t *testing.T) {
	in := input()
	all := route("all", serving("*"), withoutTargets)
	in.Credentials, in.ProviderKeys = nil, nil
	for _, name := range []v1alpha1.ProviderName{
		v1alpha1.ProviderOpenAI, v1alpha1.ProviderAnthropic, v1alpha1.ProviderGroq, v1alpha1.ProviderOpenRouter, v1alpha1.ProviderGoogleAI, v1alpha1.ProviderMistral,
		v1alpha1.ProviderXAI, v1alpha1.ProviderTogether, v1alpha1.ProviderFireworks,
	} {
		object := strings.ToLower(string(name))
		in.Credentials = append(in.Credentials, credential(object, at(name)))
		in.ProviderKeys = append(in.ProviderKeys, secret(object, "sk-"+object))
		all.Spec.Targets = append(all.Spec.Targets, v1alpha1.RouteTarget{Name: object, CredentialRef: v1alpha1.LocalReference{Name: object}, Model: "*"})
	}
	in.Routes = []v1alpha1.ModelRoute{all}
	result := compile.Compile(in)
	packed, err := table.Encode(result.Table)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for i := range result.Table.Credentials {
		count += len(result.Table.Credentials[i].Prices)
	}
	if count < 1500 || len(packed) > table.MaxEncodedBytes/4 {
		t.Errorf("%d prices take %d bytes", count, len(packed))
	}
}

// TestCatalogueOfPlaces: prices are those of where a credential's calls are kept.
func TestCatalogueOfPlaces(t *testing.T) {
	for name, tc := range map[string]struct {
		credential func(*v1alpha1.ProviderCredential)
		provider   string
		place      string
		model      string
	}{
		"worldwide": {at(v1alpha1.ProviderOpenAI), "OpenAI", "", "gpt-6-luna"},
		"endpoint of the EU": {func(c *v1alpha1.ProviderCredential) {
			c.Spec.Provider, c.Spec.Endpoint, c.Spec.Prices = v1alpha1.ProviderOpenAI, "https://eu.api.openai.com", nil
		}, "OpenAI", "eu", "gpt-6-luna"},
		"some other endpoint": {func(c *v1alpha1.ProviderCredential) {
			c.Spec.Provider, c.Spec.Endpoint, c.Spec.Prices = v1alpha1.ProviderOpenAI, "https://eu.gateway.example", nil
		}, "OpenAI", "", "gpt-6-luna"},
		"endpoint of Canada": {func(c *v1alpha1.ProviderCredential) {
			c.Spec.Provider, c.Spec.Endpoint, c.Spec.Prices = v1alpha1.ProviderTogether, "https://ca-api.together.ai", nil
		}, "Together", "ca", "zai-org/GLM-5.3"},
		"region of AWS": {func(c *v1alpha1.ProviderCredential) {
			at(v1alpha1.ProviderAWSBedrock)(c)
			c.Spec.AWSBedrock = &v1alpha1.AWSBedrockAccount{Region: "ap-northeast-1"}
		}, "AWSBedrock", "ap-northeast-1", "deepseek.v3.2"},
		"location of Google": {func(c *v1alpha1.ProviderCredential) {
			at(v1alpha1.ProviderVertexAI)(c)
			c.Spec.VertexAI = &v1alpha1.VertexAIAccount{Project: "p", Location: "europe-west4"}
		}, "VertexAI", "europe-west4", "gemini-3.5-flash"},
	} {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withCredentials(credential("groq", tc.credential)), withRoutes(route("chat", calling(tc.model)))))
			want := map[string]table.Prices{tc.model: entryOf(t, tc.provider, tc.place, tc.model).Prices}
			if diff := cmp.Diff(want, servedGroq(t, result).Prices); diff != "" {
				t.Errorf("prices (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCatalogueDeclares: what neither the target nor the provider's list says is taken from the catalogue, of which nothing follows about what a model cannot.
func TestCatalogueDeclares(t *testing.T) {
	known := entryOf(t, "OpenAI", "", "gpt-4o")
	list := withListOf(provider.ModelList{
		Provider: "OpenAI", Account: provider.Account{Endpoint: "https://api.openai.com"}, Models: []provider.ListedModel{listed("gpt-4o", 4096, 0)}, Complete: true,
	})
	for name, tc := range map[string]struct {
		edit func(*v1alpha1.ModelRoute)
		list func(*compile.Input)
		want table.Declared
	}{
		"catalogue": {want: table.Declared{
			Capabilities: known.CapabilitySet(), ContextTokens: known.ContextTokens, MaxOutputTokens: known.MaxOutputTokens,
		}},
		"the list first": {list: list, want: table.Declared{
			Capabilities: known.CapabilitySet(), ContextTokens: 4096, MaxOutputTokens: known.MaxOutputTokens,
		}},
		"the target before all": {
			edit: func(r *v1alpha1.ModelRoute) {
				r.Spec.Targets[0].Declares = &v1alpha1.TargetDeclaration{
					ContextTokens: of(int64(1000)), MaxOutputTokens: of(int64(10)), Capabilities: &[]v1alpha1.ModelCapability{"LogProbs"},
				}
			},
			list: list,
			want: table.Declared{CapabilitiesKnown: true, Capabilities: table.LogProbs, ContextTokens: 1000, MaxOutputTokens: 10},
		},
	} {
		t.Run(name, func(t *testing.T) {
			edits := []func(*v1alpha1.ModelRoute){calling("gpt-4o")}
			if tc.edit != nil {
				edits = append(edits, tc.edit)
			}
			in := input(withCredentials(credential("groq", at(v1alpha1.ProviderOpenAI))), withRoutes(route("chat", edits...)))
			if tc.list != nil {
				tc.list(&in)
			}
			if diff := cmp.Diff(tc.want, servedRoute(t, compile.Compile(in), "chat").Targets[0].Declared); diff != "" {
				t.Errorf("declared (-want +got):\n%s", diff)
			}
		})
	}
	if known.ContextTokens == 0 || known.MaxOutputTokens == 0 || known.CapabilitySet() == 0 {
		t.Error("the catalogue says nothing of the model of this test")
	}
}

// TestOldPricesOfTheCatalogueGo: an entry that stays because its object is in error keeps its own prices, and takes those of the catalogue anew.
func TestOldPricesOfTheCatalogueGo(t *testing.T) {
	good := input(withCredentials(credential("groq", at(v1alpha1.ProviderOpenAI), func(c *v1alpha1.ProviderCredential) {
		c.Spec.Prices = []v1alpha1.ModelPrice{{Model: "mine", TokenPrices: v1alpha1.TokenPrices{Input: "7"}}}
	})), withRoutes(route("chat", calling("gpt-4o"))))
	first := compile.Compile(good).Table
	stale := first.Credentials[0].Prices["gpt-4o"]
	stale.Input, stale.Source = 1, "catalogue 2020-01-01, OpenAI/gpt-4o"
	first.Credentials[0].Prices["gpt-4o"], first.Credentials[0].Prices["gpt-gone"] = stale, stale

	bad := good
	bad.Credentials = []v1alpha1.ProviderCredential{credential("groq", at(v1alpha1.ProviderOpenAI), endpointAt("http//api"), editedOnce)}
	bad.Previous = &first
	prices := servedGroq(t, compile.Compile(bad)).Prices
	if got := slices.Sorted(maps.Keys(prices)); !slices.Equal(got, []string{"gpt-4o", "mine"}) {
		t.Errorf("priced models are %v", got)
	}
	if prices["gpt-4o"].Input == 1 {
		t.Error("a price of an older catalogue stayed")
	}
}
