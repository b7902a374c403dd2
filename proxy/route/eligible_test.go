package route

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/preference"
	"signalbox.dev/signalbox/proxy/table"
)

// verdict is what a call finds of a target.
type verdict struct {
	Out    Exclusion
	Reason string
}

// eligibility is a target, a route and a query, and what is to come of them.
type eligibility struct {
	target Target
	route  table.Route
	query  Query
	want   verdict
}

func (e eligibility) check(t *testing.T) {
	t.Helper()
	e.query.Now, e.query.Random = start, always(0)
	// A second target keeps the first from being a last resort.
	router := NewRouter(&e.route, []Target{e.target, at("other", priority(9), provider("Groq"))}, NewMemory())
	var got verdict
	for _, c := range router.Order(nil, 0, &e.query) {
		if c.Index == 0 {
			got = verdict{c.Out, router.Reason(c, &e.query)}
		}
	}
	if diff := cmp.Diff(e.want, got); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

func dollars(d int64) *int64 { d *= 1e9; return &d }

func TestEligibleByDeclaration(t *testing.T) {
	sees := table.Declared{Capabilities: table.Vision, CapabilitiesKnown: true}
	requiring := func(require table.Requirements) table.Route { return table.Route{Require: require} }
	small := table.Declared{ContextTokens: 8192, MaxOutputTokens: 1000}
	cases := map[string]eligibility{
		"nothing speaks against it": {target: at("a")},
		"the table's own reason": {
			target: at("a", func(t *Target) { t.Excluded, t.Backend = "its key is missing", nil }),
			want:   verdict{Unusable, "its key is missing"},
		},
		"drained": {target: at("a", weight(0)), want: verdict{Drained, "its weight is 0"}},
		"a capability that the route requires": {
			target: at("a", declaring(sees)), route: requiring(table.Requirements{Capabilities: table.Vision | table.Tools}),
			want: verdict{LacksRequired, "it does not declare what the route requires: Tools"},
		},
		"unknown capabilities are not what the route requires": {
			target: at("a"), route: requiring(table.Requirements{Capabilities: table.Vision}),
			want: verdict{LacksRequired, "it does not declare what the route requires: Vision"},
		},
		"figures of unknown capabilities count for nothing": {
			target: at("a", declaring(table.Declared{Capabilities: table.Vision})), route: requiring(table.Requirements{Capabilities: table.Vision}),
			want: verdict{LacksRequired, "it does not declare what the route requires: Vision"},
		},
		"declared as required": {target: at("a", declaring(sees)), route: requiring(table.Requirements{Capabilities: table.Vision})},
		"a capability that the request needs": {
			target: at("a", declaring(sees)), query: Query{Needs: table.Tools | table.Vision},
			want: verdict{LacksNeeded, "it cannot do what the request needs: Tools"},
		},
		"unknown capabilities may be what the request needs": {target: at("a"), query: Query{Needs: table.Tools}},
		"a smaller context than required": {
			target: at("a", declaring(small)), route: requiring(table.Requirements{MinContextTokens: 8193}),
			want: verdict{ContextBelowMinimum, "its context of 8192 tokens is smaller than the 8193 that the route requires"},
		},
		"an unknown context where one is required": {
			target: at("a"), route: requiring(table.Requirements{MinContextTokens: 1}),
			want: verdict{ContextBelowMinimum, "its context is not known; the route requires 1 tokens; declare contextTokens"},
		},
		"the context required": {target: at("a", declaring(small)), route: requiring(table.Requirements{MinContextTokens: 8192})},
		"prompt and answer are too long": {
			target: at("a", declaring(small)), query: Query{PromptTokens: 11_600, MaxOutputTokens: 493},
			want: verdict{ContextTooSmall, "its context of 8192 tokens is too small for about 7733 of the prompt and 493 of the answer"},
		},
		"the prompt alone is too long": {
			target: at("a", declaring(small)), query: Query{PromptTokens: 12_300},
			want: verdict{ContextTooSmall, "its context of 8192 tokens is too small for about 8200 of the prompt"},
		},
		"prompt and answer just fit":                  {target: at("a", declaring(small)), query: Query{PromptTokens: 11_538, MaxOutputTokens: 500}},
		"an answer beyond the output limit is cut":    {target: at("a", declaring(small)), query: Query{PromptTokens: 7000, MaxOutputTokens: 100_000}},
		"an unknown context takes any prompt":         {target: at("a"), query: Query{PromptTokens: 1e6}},
		"the output limit alone leaves nothing out":   {target: at("a", declaring(table.Declared{MaxOutputTokens: 10})), query: Query{MaxOutputTokens: 20}},
		"the largest answer of all does not overflow": {target: at("a"), query: Query{PromptTokens: 1e9, MaxOutputTokens: 1e18}},
		"a data policy that the route requires": {
			target: at("a"), route: requiring(table.Requirements{DataPolicy: table.DataPolicy{NoCollection: true, NoRetention: true, Region: "eu"}}),
			want: verdict{RouteDataPolicy, `data policy: collection is not declared as Deny and retention is not declared as Zero and region is not declared as "eu", which the route requires`},
		},
		"the data policy is declared": {
			target: at("a", declaring(table.Declared{DataPolicy: table.DataPolicy{NoCollection: true, Region: "eu"}})),
			route:  requiring(table.Requirements{DataPolicy: table.DataPolicy{NoCollection: true, Region: "eu"}}),
		},
		"only after a failure": {
			target: at("a", onlyFor(table.ContextTooLong, table.Capacity)),
			want:   verdict{AfterFailureOnly, "it is only for calls that failed elsewhere: ContextTooLong, Capacity"},
		},
		"only after a failure, and out for something else": {
			target: at("a", onlyFor(table.ContextTooLong), blocked(health.CircuitOpen, time.Second)),
			want:   verdict{CircuitOpen, "its circuit is open for 1s more: too many attempts in a row failed"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { tc.check(t) })
	}
}

func TestEligibleByPreference(t *testing.T) {
	asking := func(p preference.Preferences) Query { return Query{Preferences: &p} }
	bedrock, aggregator := at("fast", provider("AWSBedrock")), at("fast", provider("OpenRouter"))
	narrow := at("fast", provider("OpenRouter"), func(t *Target) { t.OpenRouter = []byte(`{"only":["deepinfra"],"quantizations":["fp8"]}`) })
	names := `it can be named as "fast" or "awsbedrock" or "amazon-bedrock"`
	quantized := at("fast", declaring(table.Declared{Quantization: "fp8"}))
	cases := map[string]eligibility{
		"only names the target":                       {target: bedrock, query: asking(preference.Preferences{Only: []string{"fast"}})},
		"only names the provider":                     {target: bedrock, query: asking(preference.Preferences{Only: []string{"awsbedrock"}})},
		"only names it as OpenRouter does":            {target: bedrock, query: asking(preference.Preferences{Only: []string{"amazon-bedrock"}})},
		"only names it in another case":               {target: bedrock, query: asking(preference.Preferences{Only: []string{"AWSBedrock"}})},
		"only names a region of it":                   {target: bedrock, query: asking(preference.Preferences{Only: []string{"amazon-bedrock/us-east-1"}})},
		"only names another":                          {target: bedrock, query: asking(preference.Preferences{Only: []string{"groq"}}), want: verdict{NotInOnly, "the request's provider.only does not name it; " + names}},
		"only names something that begins alike":      {target: bedrock, query: asking(preference.Preferences{Only: []string{"fast-2"}}), want: verdict{NotInOnly, "the request's provider.only does not name it; " + names}},
		"only names one of OpenRouter's":              {target: aggregator, query: asking(preference.Preferences{Only: []string{"deepinfra"}})},
		"only names another of ours than OpenRouter":  {target: aggregator, query: asking(preference.Preferences{Only: []string{"groq"}}), want: verdict{NotInOnly, `the request's provider.only does not name it; it can be named as "fast" or "openrouter"`}},
		"ignore names it":                             {target: bedrock, query: asking(preference.Preferences{Ignore: []string{"amazon-bedrock"}}), want: verdict{Ignored, "the request's provider.ignore names it"}},
		"ignore names one of OpenRouter's":            {target: aggregator, query: asking(preference.Preferences{Ignore: []string{"deepinfra"}})},
		"ignore names OpenRouter":                     {target: aggregator, query: asking(preference.Preferences{Ignore: []string{"openrouter"}}), want: verdict{Ignored, "the request's provider.ignore names it"}},
		"order is binding":                            {target: bedrock, query: asking(preference.Preferences{Order: []string{"groq"}, NoFallbacks: true}), want: verdict{NotInOrder, "the request's provider.order does not name it and allow_fallbacks is false; " + names}},
		"order is not binding":                        {target: bedrock, query: asking(preference.Preferences{Order: []string{"groq"}})},
		"a binding order has it":                      {target: bedrock, query: asking(preference.Preferences{Order: []string{"groq", "fast"}, NoFallbacks: true})},
		"the request's data policy":                   {target: bedrock, query: asking(preference.Preferences{DataPolicy: table.DataPolicy{NoCollection: true}}), want: verdict{RequestDataPolicy, "data policy: collection is not declared as Deny, which the request asks for"}},
		"OpenRouter keeps the request's data policy":  {target: aggregator, query: asking(preference.Preferences{DataPolicy: table.DataPolicy{NoCollection: true}})},
		"OpenRouter does not keep the route's for us": {target: aggregator, route: table.Route{Require: table.Requirements{DataPolicy: table.DataPolicy{NoRetention: true}}}, want: verdict{RouteDataPolicy, "data policy: retention is not declared as Zero, which the route requires"}},
		"its quantization is asked for":               {target: quantized, query: asking(preference.Preferences{Quantizations: []string{"fp16", "fp8"}})},
		"its quantization is not asked for":           {target: quantized, query: asking(preference.Preferences{Quantizations: []string{"fp16"}}), want: verdict{OtherQuantization, "its quantization is fp8, which the request's provider.quantizations do not have"}},
		"an unknown quantization is not asked for":    {target: bedrock, query: asking(preference.Preferences{Quantizations: []string{"fp16"}}), want: verdict{OtherQuantization, "its quantization is unknown, which the request's provider.quantizations do not have"}},
		"an unknown quantization is asked for":        {target: bedrock, query: asking(preference.Preferences{Quantizations: []string{"unknown"}})},
		"text to distill":                             {target: bedrock, query: asking(preference.Preferences{Distillable: true}), want: verdict{NotDistillable, "it is not known whether its text may be distilled, which the request asks for"}},
		"text to distill, of OpenRouter":              {target: aggregator, query: asking(preference.Preferences{Distillable: true})},
		"a parameter would be dropped":                {target: bedrock, query: Query{Preferences: &preference.Preferences{RequireParameters: true}, Drops: 1}, want: verdict{DropsParameters, "it would drop a parameter of the request, and the request's require_parameters is true"}},
		"a parameter may be dropped":                  {target: bedrock, query: Query{Preferences: &preference.Preferences{}, Drops: 1}},
		"another drops a parameter":                   {target: bedrock, query: Query{Preferences: &preference.Preferences{RequireParameters: true}, Drops: 2}},
		"nothing is left of OpenRouter":               {target: narrow, query: asking(preference.Preferences{Only: []string{"together"}}), want: verdict{NothingLeft, "the request's provider preferences leave nothing of the providers that the route allows OpenRouter"}},
		"no quantization is left of OpenRouter":       {target: narrow, query: asking(preference.Preferences{Quantizations: []string{"fp16"}}), want: verdict{NothingLeft, "the request's provider preferences leave nothing of the providers that the route allows OpenRouter"}},
		"something is left of OpenRouter":             {target: narrow, query: asking(preference.Preferences{Only: []string{"deepinfra/fp8"}})},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { tc.check(t) })
	}
}

func TestEligibleByPrice(t *testing.T) {
	dear := priced(table.Prices{Input: 2e9, Output: 8e9})
	capped := func(m table.MaxPrice) table.Route { return table.Route{Require: table.Requirements{MaxPrice: &m}} }
	asking := func(m table.MaxPrice) Query { return Query{Preferences: &preference.Preferences{MaxPrice: &m}} }
	cases := map[string]eligibility{
		"a price just allowed by the route":              {target: at("a", dear), route: capped(table.MaxPrice{Input: dollars(2), Output: dollars(8)})},
		"the route's price for prompts":                  {target: at("a", dear), route: capped(table.MaxPrice{Input: dollars(1)}), want: verdict{OverRoutePrice, "its price of $2 for a million prompt tokens is above the $1 of the route's maxPrice"}},
		"the route's price for answers":                  {target: at("a", dear), route: capped(table.MaxPrice{Output: dollars(7)}), want: verdict{OverRoutePrice, "its price of $8 for a million completion tokens is above the $7 of the route's maxPrice"}},
		"the request's price for answers":                {target: at("a", dear), query: asking(table.MaxPrice{Output: dollars(7)}), want: verdict{OverRequestPrice, "its price of $8 for a million completion tokens is above the $7 of the request's provider.max_price"}},
		"the request's price":                            {target: at("a", dear), query: asking(table.MaxPrice{Input: dollars(2)})},
		"no price under the route's bound":               {target: at("a"), route: capped(table.MaxPrice{Input: dollars(1)}), want: verdict{OverRoutePrice, "its price is not known, and prices are bounded by the route's maxPrice"}},
		"no price under the request's bound":             {target: at("a"), query: asking(table.MaxPrice{Input: dollars(1)}), want: verdict{OverRequestPrice, "its price is not known, and prices are bounded by the request's provider.max_price"}},
		"a bound without figures":                        {target: at("a"), route: capped(table.MaxPrice{})},
		"what is left covers prompt and answer":          {target: at("a", dear), query: Query{PromptTokens: 1000, MaxOutputTokens: 500, MaxCost: 6_000_000}},
		"what is left does not cover the answer":         {target: at("a", dear), query: Query{PromptTokens: 1000, MaxOutputTokens: 500, MaxCost: 5_999_999}, want: verdict{OverCost, "the call is estimated to cost up to $0.006 there; $0.005999999 is left for it"}},
		"an answer without bound is the usual":           {target: at("a", dear, seen(func(v *health.View) { v.OutputTokens = 1000 })), query: Query{PromptTokens: 1000, MaxCost: 9_999_999}, want: verdict{OverCost, "the call is estimated to cost up to $0.01 there; $0.009999999 is left for it"}},
		"an answer of which nothing is known":            {target: at("a", dear), query: Query{MaxCost: 2_047_999}, want: verdict{OverCost, "the call is estimated to cost up to $0.002048 there; $0.002047999 is left for it"}},
		"an answer is cut to the output limit":           {target: at("a", dear, declaring(table.Declared{MaxOutputTokens: 100})), query: Query{MaxOutputTokens: 1e6, MaxCost: 800_000}},
		"no price under a bound of the cost":             {target: at("a"), query: Query{MaxCost: 1e9}, want: verdict{OverCost, "its price is not known, and the cost of the call is bounded"}},
		"no price where nothing is bounded":              {target: at("a"), query: Query{PromptTokens: 1000}},
		"the route's bound is told before the request's": {target: at("a", dear), route: capped(table.MaxPrice{Input: dollars(1)}), query: asking(table.MaxPrice{Input: dollars(1)}), want: verdict{OverRoutePrice, "its price of $2 for a million prompt tokens is above the $1 of the route's maxPrice"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { tc.check(t) })
	}
}

func TestEligibleByHealth(t *testing.T) {
	headroom := func(h health.Headroom) modifier { return seen(func(v *health.View) { v.Headroom = h }) }
	query := Query{PromptTokens: 1000, MaxOutputTokens: 500}
	cases := map[string]eligibility{
		"circuit open":  {target: at("a", blocked(health.CircuitOpen, 3210*time.Millisecond)), want: verdict{CircuitOpen, "its circuit is open for 3.2s more: too many attempts in a row failed"}},
		"error rate":    {target: at("a", blocked(health.ErrorRate, 50*time.Millisecond), seen(func(v *health.View) { v.ErrorPermille = 620 })), want: verdict{ErrorRate, "its circuit is open for 50ms more: 620 of 1000 attempts failed"}},
		"cooling down":  {target: at("a", blocked(health.CoolingDown, 90*time.Second)), want: verdict{CoolingDown, "its provider limits the rate or is short of capacity; it is left alone for 1m30s more"}},
		"no quota":      {target: at("a", blocked(health.NoQuota, time.Hour)), want: verdict{NoQuota, "the quota or credit of its key is used up; it is left alone for 1h0m0s more"}},
		"key refused":   {target: at("a", blocked(health.KeyRefused, 0)), want: verdict{KeyRefused, "its provider refuses the key; it is left alone"}},
		"withdrawn":     {target: at("a", blocked(health.Withdrawn, time.Minute)), want: verdict{Withdrawn, "its provider does not offer the model; it is left alone for 1m0s more; name a successor or another model"}},
		"being probed":  {target: at("a", probing(true)), want: verdict{BeingProbed, "another call is finding out whether it is back"}},
		"may be probed": {target: at("a", probing(false))},
		"no requests left": {
			target: at("a", headroom(health.Headroom{Requests: 0, Tokens: -1, RequestsReset: 4 * time.Second})), query: query,
			want: verdict{NoHeadroom, "its provider's rate limits do not leave room for 4s more for a call of about 1500 tokens"},
		},
		"too few tokens left": {
			target: at("a", headroom(health.Headroom{Requests: -1, Tokens: 1499, TokensReset: 7 * time.Second})), query: query,
			want: verdict{NoHeadroom, "its provider's rate limits do not leave room for 7s more for a call of about 1500 tokens"},
		},
		"one request and just enough tokens left": {
			target: at("a", headroom(health.Headroom{Requests: 1, Tokens: 1500, RequestsReset: time.Second, TokensReset: time.Second})), query: query,
		},
		"limits that have reset":      {target: at("a", headroom(health.Headroom{})), query: query},
		"unlisted is behind, not out": {target: at("a", func(t *Target) { t.Unlisted = true })},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { tc.check(t) })
	}
}

func TestExclusionsHaveCodes(t *testing.T) {
	seen := map[string]Exclusion{}
	for e := Eligible; e <= NoFallbacks; e++ {
		if other, taken := seen[e.String()]; taken {
			t.Errorf("%d and %d have the same code %q", e, other, e)
		}
		seen[e.String()] = e
	}
	if got := (NoFallbacks + 1).String(); got != "unknown" {
		t.Errorf("the code of no exclusion is %q", got)
	}
}

func TestOwns(t *testing.T) {
	router := NewRouter(&table.Route{}, []Target{at("Fast", provider("VertexAI")), at("slow", provider("OpenAICompatible"))}, NewMemory())
	cases := map[string]bool{
		"fast": true, "SLOW": true, "vertexai": true, "google-vertex": true, "google-vertex/us-east5": true, "openaicompatible": true,
		"groq": false, "": false, "/": false, "google": false, "fas": false, "deepinfra/fast": false,
	}
	for slug, want := range cases {
		if got := router.Owns(slug); got != want {
			t.Errorf("Owns(%q) = %v, want %v", slug, got, want)
		}
	}
}

func TestEstimate(t *testing.T) {
	cases := map[string]struct {
		target Target
		query  Query
		want   int64
		known  bool
	}{
		"no price":      {target: at("a"), query: Query{PromptTokens: 1000}},
		"as bounded":    {target: at("a", priced(table.Prices{Input: 1e9, Output: 2e9})), query: Query{PromptTokens: 1000, MaxOutputTokens: 500}, want: 2_000_000, known: true},
		"costs nothing": {target: at("a", priced(table.Prices{})), query: Query{PromptTokens: 1000}, known: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, known := NewRouter(&table.Route{}, []Target{tc.target}, NewMemory()).Estimate(0, &tc.query)
			if got != tc.want || known != tc.known {
				t.Errorf("Estimate = %d, %v, want %d, %v", got, known, tc.want, tc.known)
			}
		})
	}
}
