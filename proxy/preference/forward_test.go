package preference

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/dialect"
)

// ownSlugs are those of our targets: all that begin with "our".
func ownSlugs(slug string) bool { return strings.HasPrefix(slug, "our") }

func TestForward(t *testing.T) {
	cases := map[string]struct{ route, request, want string }{
		"nothing":                               {"", "", ""},
		"nulls":                                 {"null", "null", ""},
		"the route's alone":                     {`{"only":["a"],"zdr":true}`, ``, `{"only":["a"],"zdr":true}`},
		"the request's alone":                   {``, `{"order":["a"],"sort":"price"}`, `{"order":["a"],"sort":{"by":"price"}}`},
		"only of both":                          {`{"only":["a","b"]}`, `{"only":["c","B"]}`, `{"only":["b"]}`},
		"a base allows its endpoints":           {`{"only":["v"]}`, `{"only":["v/east"]}`, `{"only":["v/east"]}`},
		"endpoints of a base":                   {`{"only":["v/east","w"]}`, `{"only":["v"]}`, `{"only":["v/east"]}`},
		"ignore of either":                      {`{"ignore":["a"]}`, `{"ignore":["b","A"]}`, `{"ignore":["a","b"]}`},
		"only without what is ignored":          {`{"only":["a","b"]}`, `{"ignore":["a"]}`, `{"only":["b"],"ignore":["a"]}`},
		"the request's order, then the route's": {`{"order":["a","b"]}`, `{"order":["c","b"]}`, `{"order":["c","b","a"]}`},
		"the request's order within only":       {`{"only":["a","b"]}`, `{"order":["c","b"]}`, `{"order":["b"],"only":["a","b"]}`},
		"the route's order where the request's is not allowed": {`{"only":["a"],"order":["a"]}`, `{"order":["c"]}`, `{"order":["a"],"only":["a"]}`},
		"an order that binds is an only":                       {`{"order":["a","b"],"allow_fallbacks":false}`, `{"order":["b","c"]}`, `{"order":["b","a"],"only":["a","b"],"allow_fallbacks":false}`},
		"a request's order that binds":                         {`{"only":["a","b"]}`, `{"order":["b","c"],"allow_fallbacks":false}`, `{"order":["b"],"only":["b"],"allow_fallbacks":false}`},
		"fallbacks are allowed by both":                        {`{"allow_fallbacks":true}`, `{"allow_fallbacks":true}`, ``},
		"fallbacks are forbidden by one":                       {`{"allow_fallbacks":false}`, `{"allow_fallbacks":true}`, `{"allow_fallbacks":false}`},
		"fallbacks are forbidden by the other":                 {`{"allow_fallbacks":true}`, `{"allow_fallbacks":false}`, `{"allow_fallbacks":false}`},
		"collection is denied by the route":                    {`{"data_collection":"deny"}`, `{"data_collection":"allow"}`, `{"data_collection":"deny"}`},
		"collection is denied by the request":                  {`{"data_collection":"allow"}`, `{"data_collection":"deny"}`, `{"data_collection":"deny"}`},
		"flags of the route":                                   {`{"zdr":true,"require_parameters":true,"enforce_distillable_text":true}`, `{"zdr":false,"require_parameters":false,"enforce_distillable_text":false}`, `{"require_parameters":true,"zdr":true,"enforce_distillable_text":true}`},
		"flags of the request":                                 {`{"zdr":false}`, `{"zdr":true,"require_parameters":true,"enforce_distillable_text":true}`, `{"require_parameters":true,"zdr":true,"enforce_distillable_text":true}`},
		"a flag that is false":                                 {``, `{"zdr":false}`, `{"zdr":false}`},
		"quantizations of both":                                {`{"quantizations":["fp8","fp16"]}`, `{"quantizations":["fp16","bf16"]}`, `{"quantizations":["fp16"]}`},
		"quantizations of the request":                         {``, `{"quantizations":["fp16"]}`, `{"quantizations":["fp16"]}`},
		"the lower prices":                                     {`{"max_price":{"prompt":1,"completion":2}}`, `{"max_price":{"prompt":"0.5","completion":3,"image":4}}`, `{"max_price":{"completion":2,"image":4,"prompt":0.5}}`},
		"the route's sort":                                     {`{"sort":"latency"}`, `{"sort":"price"}`, `{"sort":{"by":"latency"}}`},
		"the request's sort":                                   {`{}`, `{"sort":{"by":"price","partition":"none"}}`, `{"sort":{"by":"price","partition":"none"}}`},
		"the request's figures":                                {`{"preferred_max_latency":3}`, `{"preferred_max_latency":{"p90":2},"preferred_min_throughput":50}`, `{"preferred_min_throughput":{"p50":50},"preferred_max_latency":{"p90":2}}`},
		"the route's figures":                                  {`{"preferred_max_latency":3.50}`, ``, `{"preferred_max_latency":{"p50":3.50}}`},
		"our own slugs stay here":                              {`{"only":["a"]}`, `{"only":["our-b","our"],"order":["our","a"],"ignore":["our"]}`, `{"order":["a"],"only":["a"]}`},
		"nothing but our own slugs":                            {``, `{"only":["our"],"order":["our"],"allow_fallbacks":false}`, `{"allow_fallbacks":false}`},
		"our own among others":                                 {``, `{"only":["our","b"]}`, `{"only":["b"]}`},
		"tiers only by themselves":                             {`{"only":["o","o/flex"]}`, `{"only":["o/flex","o/priority","o/east"]}`, `{"only":["o/flex","o/east"]}`},
		"the spelling stays":                                   {``, `{"only":["DeepInfra"]}`, `{"only":["DeepInfra"]}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Forward([]byte(tc.route), []byte(tc.request), ownSlugs)
			if err != nil || string(got) != tc.want || (got == nil) != (tc.want == "") {
				t.Errorf("Forward = %s, %v, want %s", got, err, tc.want)
			}
		})
	}
}

// Where nothing is left there must not be a list without elements, which would allow all.
func TestForwardLeavesNothing(t *testing.T) {
	cases := map[string]struct{ route, request, param string }{
		"no provider of both":             {`{"only":["a"]}`, `{"only":["b"]}`, "provider"},
		"the only one is ignored":         {`{"only":["a"]}`, `{"ignore":["a"]}`, "provider"},
		"a base that is ignored":          {`{"only":["a/east"]}`, `{"ignore":["a"]}`, "provider"},
		"a tier of one that is ignored":   {`{"ignore":["a"]}`, `{"only":["a/flex"]}`, "provider"},
		"a tier of one that is allowed":   {`{"only":["a"]}`, `{"only":["a/flex"]}`, "provider"},
		"an order that binds":             {`{"order":["a"],"allow_fallbacks":false}`, `{"only":["b"]}`, "provider"},
		"a request's order that binds":    {`{"only":["a"]}`, `{"order":["b"],"allow_fallbacks":false}`, "provider"},
		"orders that bind":                {`{"order":["a"],"allow_fallbacks":false}`, `{"order":["b"],"allow_fallbacks":false}`, "provider"},
		"no quantization of both":         {`{"quantizations":["fp8"]}`, `{"quantizations":["fp16"]}`, "provider.quantizations"},
		"something that begins alike":     {`{"only":["a"]}`, `{"only":["ab"]}`, "provider"},
		"its own only and ignore exclude": {``, `{"only":["a"],"ignore":["a"]}`, "provider"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Forward([]byte(tc.route), []byte(tc.request), ownSlugs)
			var refusal *dialect.RequestError
			if !errors.As(err, &refusal) || refusal.Param != tc.param || got != nil {
				t.Fatalf("Forward = %s, %v, want a RequestError of %s", got, err, tc.param)
			}
			if meets(t, tc.route, tc.request) {
				t.Error("Meets is true")
			}
		})
	}
}

func TestForwardRefusesWhatCannotBeRead(t *testing.T) {
	for _, pair := range [][2]string{{`{"xyz":1}`, `{}`}, {`{}`, `{"xyz":1}`}} {
		if got, err := Forward([]byte(pair[0]), []byte(pair[1]), ownSlugs); err == nil {
			t.Errorf("Forward(%s, %s) = %s", pair[0], pair[1], got)
		}
	}
}

func meets(t *testing.T, route, request string) bool {
	t.Helper()
	ours, err := Read([]byte(route))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := Read([]byte(request))
	if err != nil {
		t.Fatal(err)
	}
	return ours.Meets(&theirs, ownSlugs)
}

// invented writes preferences of a small world of providers, so that lists often meet.
func invented(random *rand.Rand) string {
	slugs := []string{"a", "a/east", "a/flex", "b", "b/west", "C", "our-x"}
	list := func() string {
		var chosen []string
		for range 1 + random.IntN(3) {
			chosen = append(chosen, `"`+slugs[random.IntN(len(slugs))]+`"`)
		}
		return "[" + strings.Join(chosen, ",") + "]"
	}
	flag := func() string { return []string{"true", "false", "null"}[random.IntN(3)] }
	members := map[string]func() string{
		"order": list, "only": list, "ignore": list, "allow_fallbacks": flag, "zdr": flag, "require_parameters": flag, "enforce_distillable_text": flag,
		"data_collection": func() string { return []string{`"deny"`, `"allow"`}[random.IntN(2)] },
		"quantizations":   func() string { return []string{`["fp8"]`, `["fp8","fp16"]`, `["fp16"]`, `[]`}[random.IntN(4)] },
		"max_price": func() string {
			return []string{`{"prompt":1}`, `{"prompt":2,"completion":3}`, `{"completion":1.5}`}[random.IntN(3)]
		},
	}
	var parts []string
	for _, name := range []string{"order", "only", "ignore", "allow_fallbacks", "zdr", "require_parameters", "enforce_distillable_text", "data_collection", "quantizations", "max_price"} {
		if random.IntN(2) == 0 {
			parts = append(parts, `"`+name+`":`+members[name]())
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// admits tells whether preferences allow an endpoint of OpenRouter.
func admits(p *Preferences, endpoint string) bool {
	covered := func(list []string) bool {
		return slices.ContainsFunc(list, func(slug string) bool {
			base, variant, _ := strings.Cut(endpoint, "/")
			return slug == endpoint || (slug == base && variant != "flex")
		})
	}
	base, _, _ := strings.Cut(endpoint, "/")
	return (len(p.Only) == 0 || covered(p.Only)) && (!p.NoFallbacks || len(p.Order) == 0 || covered(p.Order)) &&
		!slices.Contains(p.Ignore, endpoint) && !slices.Contains(p.Ignore, base)
}

// Whatever the route and a request say, what is forwarded allows nothing that one of them does not; and where it fails nothing was allowed by both.
func TestForwardNeverWidens(t *testing.T) {
	random, forwarded := rand.New(rand.NewPCG(1, 1)), 0
	for range 6000 {
		route, request := invented(random), invented(random)
		raw, err := Forward([]byte(route), []byte(request), ownSlugs)
		if met := meets(t, route, request); met != (err == nil) {
			t.Fatalf("Meets is %v and Forward says %v of %s and %s", met, err, route, request)
		}
		ours, _ := Read([]byte(route))
		theirs, _ := Read([]byte(request))
		for _, list := range []*[]string{&theirs.Only, &theirs.Order, &theirs.Ignore} {
			*list = slices.DeleteFunc(*list, ownSlugs)
		}
		result, reading := Read(raw)
		if reading != nil {
			t.Fatalf("Forward wrote %s: %v", raw, reading)
		}
		if err == nil {
			forwarded++
			checkNarrower(t, &result, &ours)
			checkNarrower(t, &result, &theirs)
		}
		checkEndpoints(t, err, [3]*Preferences{&ours, &theirs, &result})
		if t.Failed() {
			t.Fatalf("of %s and %s came %s", route, request, raw)
		}
	}
	if forwarded < 1500 {
		t.Errorf("only %d pairs leave anything", forwarded)
	}
}

// checkEndpoints looks at single endpoints: of the route, the request and the result.
func checkEndpoints(t *testing.T, err error, p [3]*Preferences) {
	for _, endpoint := range []string{"a", "a/east", "a/flex", "b", "b/west", "c", "c/flex", "d", "our-x"} {
		both := admits(p[0], endpoint) && admits(p[1], endpoint)
		if err != nil {
			if both && listed(p, endpoint) && !disjoint(p[0].Quantizations, p[1].Quantizations) {
				t.Errorf("nothing was left although both allow %s", endpoint)
			}
			continue
		}
		// Without fallbacks an order that did not bind does, which allows less.
		if got := admits(p[2], endpoint); got != both && (got || !p[2].NoFallbacks) {
			t.Errorf("%s: allowed is %v, want %v", endpoint, got, both)
		}
	}
}

// listed tells whether an endpoint is one that a list of the route or of the request names as such.
func listed(p [3]*Preferences, endpoint string) bool {
	return slices.Contains(slices.Concat(p[0].Only, p[0].Order, p[1].Only, p[1].Order), endpoint)
}

func disjoint(a, b []string) bool {
	return len(a) > 0 && len(b) > 0 && !slices.ContainsFunc(a, func(word string) bool { return slices.Contains(b, word) })
}

// checkNarrower looks at all but the lists of providers.
func checkNarrower(t *testing.T, result, than *Preferences) {
	for what, holds := range map[string]bool{
		"allow_fallbacks":          result.NoFallbacks || !than.NoFallbacks,
		"require_parameters":       result.RequireParameters || !than.RequireParameters,
		"data policy":              result.DataPolicy.Satisfies(than.DataPolicy),
		"enforce_distillable_text": result.Distillable || !than.Distillable,
		"quantizations": len(than.Quantizations) == 0 || (len(result.Quantizations) > 0 &&
			!slices.ContainsFunc(result.Quantizations, func(word string) bool { return !slices.Contains(than.Quantizations, word) })),
		"max_price": than.MaxPrice == nil || (result.MaxPrice != nil && keeps(result.MaxPrice.Input, than.MaxPrice.Input) && keeps(result.MaxPrice.Output, than.MaxPrice.Output)),
	} {
		if !holds {
			t.Errorf("%s is wider", what)
		}
	}
}

func keeps(price, bound *int64) bool { return bound == nil || (price != nil && *price <= *bound) }

func FuzzForward(f *testing.F) {
	f.Add([]byte(`{"only":["a","b/c"],"max_price":{"prompt":1}}`), []byte(`{"only":["b"],"ignore":["a"],"sort":"price"}`))
	f.Add([]byte(`{"order":["a"],"allow_fallbacks":false}`), []byte(`{"order":["our","a/b"],"allow_fallbacks":false}`))
	f.Add([]byte(``), []byte(`{"quantizations":[]}`))
	f.Fuzz(func(t *testing.T, route, request []byte) {
		raw, err := Forward(route, request, ownSlugs)
		if err != nil || raw == nil {
			return
		}
		result, err := Read(raw)
		if err != nil {
			t.Fatalf("Forward wrote %s: %v", raw, err)
		}
		ours, err := Read(route)
		if err != nil {
			t.Fatal(err)
		}
		if len(ours.Only) > 0 && len(result.Only) == 0 {
			t.Fatalf("the list of %s became %s", route, raw)
		}
		checkNarrower(t, &result, &ours)
	})
}
