package preference

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/table"
)

func nano(n int64) *int64 { return &n }

func TestRead(t *testing.T) {
	cases := map[string]struct {
		raw  string
		want Preferences
	}{
		"nothing": {"", Preferences{}},
		"null":    {" null\n", Preferences{}},
		"empty":   {"{}", Preferences{}},
		"all": {
			`{"order":["OpenAI","google-vertex/us-east5"],"only":["a"],"ignore":["b"],"allow_fallbacks":false,"require_parameters":true,` +
				`"data_collection":"deny","zdr":true,"enforce_distillable_text":true,"quantizations":["fp8","unknown"],"sort":"price",` +
				`"preferred_min_throughput":50,"preferred_max_latency":1.5,"max_price":{"prompt":0.5,"completion":"1.25","request":0,"image":1,"audio":"2"}}`,
			Preferences{
				Order: []string{"openai", "google-vertex/us-east5"}, Only: []string{"a"}, Ignore: []string{"b"}, NoFallbacks: true, RequireParameters: true,
				DataPolicy: table.DataPolicy{NoCollection: true, NoRetention: true}, Distillable: true, Quantizations: []string{"fp8", "unknown"},
				Sort: ByPrice, MinThroughput: 50, MaxLatencySeconds: 1.5, MaxPrice: &table.MaxPrice{Input: nano(5e8), Output: nano(125e7)},
			},
		},
		"nulls are absent": {
			`{"order":null,"only":null,"ignore":null,"allow_fallbacks":null,"require_parameters":null,"data_collection":null,"zdr":null,` +
				`"enforce_distillable_text":null,"quantizations":null,"sort":null,"preferred_min_throughput":null,"preferred_max_latency":null,"max_price":null}`,
			Preferences{},
		},
		"inner nulls are absent": {
			`{"sort":{"by":null,"partition":null},"preferred_max_latency":{"p50":null},"max_price":{"prompt":null,"completion":null}}`, Preferences{},
		},
		"the defaults":                {`{"allow_fallbacks":true,"require_parameters":false,"data_collection":"allow","zdr":false}`, Preferences{}},
		"sort as an object":           {`{"sort":{"by":"latency","partition":"none"}}`, Preferences{Sort: ByLatency, AcrossModels: true}},
		"sort of each model":          {`{"sort":{"by":"throughput","partition":"model"}}`, Preferences{Sort: ByThroughput}},
		"partition alone":             {`{"sort":{"partition":"none"}}`, Preferences{AcrossModels: true}},
		"the strictest percentile":    {`{"preferred_min_throughput":{"p50":20,"p90":70.5,"p99":30},"preferred_max_latency":{"p75":3,"p90":2,"p99":9}}`, Preferences{MinThroughput: 70.5, MaxLatencySeconds: 2}},
		"a price of one kind":         {`{"max_price":{"completion":2}}`, Preferences{MaxPrice: &table.MaxPrice{Output: nano(2e9)}}},
		"a price that is no token's":  {`{"max_price":{"image":2}}`, Preferences{}},
		"a price of nothing":          {`{"max_price":{"prompt":0,"completion":0.0}}`, Preferences{MaxPrice: &table.MaxPrice{Input: nano(0), Output: nano(0)}}},
		"the smallest price is exact": {`{"max_price":{"prompt":0.000000001,"completion":999999999.999999999}}`, Preferences{MaxPrice: &table.MaxPrice{Input: nano(1), Output: nano(999999999999999999)}}},
		"prices with exponents": {
			`{"max_price":{"prompt":1e-05,"completion":"12.5E+2"}}`, Preferences{MaxPrice: &table.MaxPrice{Input: nano(10_000), Output: nano(1250e9)}},
		},
		"a price that no float holds": {`{"max_price":{"prompt":0.1,"completion":0.3}}`, Preferences{MaxPrice: &table.MaxPrice{Input: nano(1e8), Output: nano(3e8)}}},
		"escapes":                     {`{"\u006frder":["\u0041"]}`, Preferences{Order: []string{"a"}}},
		"empty lists":                 {`{"order":[],"only":[],"quantizations":[]}`, Preferences{Order: []string{}, Only: []string{}, Quantizations: []string{}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Read([]byte(tc.raw))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	const unsupported, wrongType, wrongValue = dialect.CodeUnsupportedParameter, dialect.CodeInvalidType, dialect.CodeInvalidValue
	long := strings.Repeat("x", 129)
	cases := map[string]struct {
		raw   string
		code  dialect.RequestCode
		param string
	}{
		"unknown":                       {`{"zdr":true,"xyz":1}`, unsupported, "provider.xyz"},
		"unknown null":                  {`{"xyz":null}`, unsupported, "provider.xyz"},
		"unknown and long":              {`{"` + long + `":1}`, unsupported, "provider." + long[:64] + "..."},
		"unknown of sort":               {`{"sort":{"xyz":null}}`, unsupported, "provider.sort.xyz"},
		"unknown of prices":             {`{"max_price":{"xyz":null}}`, unsupported, "provider.max_price.xyz"},
		"unknown percentile":            {`{"preferred_max_latency":{"p95":1}}`, unsupported, "provider.preferred_max_latency.p95"},
		"no object":                     {`["secret"]`, wrongType, "provider"},
		"a string":                      {`"secret"`, wrongType, "provider"},
		"twice":                         {`{"zdr":true,"zdr":false}`, dialect.CodeDuplicateParameter, "provider.zdr"},
		"twice, once escaped":           {`{"zdr":true,"\u007adr":false}`, dialect.CodeDuplicateParameter, "provider.zdr"},
		"twice in prices":               {`{"max_price":{"prompt":1,"prompt":2}}`, dialect.CodeDuplicateParameter, "provider.max_price.prompt"},
		"no JSON":                       {`{"zdr":tru}`, dialect.CodeInvalidJSON, "provider"},
		"cut off":                       {`{"zdr":true`, dialect.CodeInvalidJSON, "provider"},
		"something behind it":           {`{"zdr":true} {}`, dialect.CodeInvalidJSON, "provider"},
		"order is a string":             {`{"order":"secret"}`, wrongType, "provider.order"},
		"a slug is a number":            {`{"only":["a",7]}`, wrongType, "provider.only[1]"},
		"a slug is null":                {`{"only":[null]}`, wrongType, "provider.only[0]"},
		"a slug is empty":               {`{"ignore":[""]}`, wrongValue, "provider.ignore[0]"},
		"a slug is too long":            {`{"ignore":["` + long + `"]}`, wrongValue, "provider.ignore[0]"},
		"a slug is half a character":    {`{"ignore":["\ud800"]}`, wrongValue, "provider.ignore[0]"},
		"too many slugs":                {`{"order":["a"` + strings.Repeat(`,"a"`, 64) + `]}`, wrongValue, "provider.order"},
		"a flag is a string":            {`{"allow_fallbacks":"secret"}`, wrongType, "provider.allow_fallbacks"},
		"a flag is a number":            {`{"zdr":1}`, wrongType, "provider.zdr"},
		"collection is a flag":          {`{"data_collection":false}`, wrongType, "provider.data_collection"},
		"collection is something else":  {`{"data_collection":"secret"}`, wrongValue, "provider.data_collection"},
		"quantization of another name":  {`{"quantizations":["fp8","secret"]}`, wrongValue, "provider.quantizations[1]"},
		"sort by something else":        {`{"sort":"exacto"}`, wrongValue, "provider.sort"},
		"sort by an object's other":     {`{"sort":{"by":"secret"}}`, wrongValue, "provider.sort.by"},
		"sort by a number":              {`{"sort":3}`, wrongType, "provider.sort"},
		"partition of another name":     {`{"sort":{"partition":"secret"}}`, wrongValue, "provider.sort.partition"},
		"throughput is a string":        {`{"preferred_min_throughput":"50"}`, wrongType, "provider.preferred_min_throughput"},
		"throughput below 0":            {`{"preferred_min_throughput":-1}`, wrongValue, "provider.preferred_min_throughput"},
		"latency is 0":                  {`{"preferred_max_latency":{"p50":0}}`, wrongValue, "provider.preferred_max_latency.p50"},
		"latency beyond all floats":     {`{"preferred_max_latency":1e999}`, wrongValue, "provider.preferred_max_latency"},
		"latency too long to read":      {`{"preferred_max_latency":1` + strings.Repeat("0", 32) + `}`, wrongValue, "provider.preferred_max_latency"},
		"prices are a number":           {`{"max_price":1}`, wrongType, "provider.max_price"},
		"a price is a flag":             {`{"max_price":{"prompt":true}}`, wrongType, "provider.max_price.prompt"},
		"a price is below 0":            {`{"max_price":{"prompt":-1}}`, wrongValue, "provider.max_price.prompt"},
		"a price is no number":          {`{"max_price":{"prompt":"secret"}}`, wrongValue, "provider.max_price.prompt"},
		"a price is finer than nano":    {`{"max_price":{"prompt":0.0000000001}}`, wrongValue, "provider.max_price.prompt"},
		"a price is finer by exponent":  {`{"max_price":{"prompt":1e-10}}`, wrongValue, "provider.max_price.prompt"},
		"a price is beyond all":         {`{"max_price":{"prompt":1e9}}`, wrongValue, "provider.max_price.prompt"},
		"an exponent beyond all":        {`{"max_price":{"prompt":1e999999999}}`, wrongValue, "provider.max_price.prompt"},
		"an exponent without number":    {`{"max_price":{"prompt":"1e"}}`, wrongValue, "provider.max_price.prompt"},
		"a price longer than any":       {`{"max_price":{"prompt":"` + strings.Repeat("0", 33) + `"}}`, wrongValue, "provider.max_price.prompt"},
		"a price that is half a letter": {`{"max_price":{"prompt":"\ud800"}}`, wrongValue, "provider.max_price.prompt"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Read([]byte(tc.raw))
			var refusal *dialect.RequestError
			if !errors.As(err, &refusal) {
				t.Fatalf("Read = %+v, %v, want a RequestError", got, err)
			}
			if refusal.Code != tc.code || refusal.Param != tc.param {
				t.Errorf("the error is %s of %s, want %s of %s", refusal.Code, refusal.Param, tc.code, tc.param)
			}
			if strings.Contains(refusal.Message, "secret") {
				t.Errorf("the message repeats the request: %s", refusal.Message)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", `{"order":["a","b/c"],"only":["a"],"sort":{"by":"price","partition":"none"}}`, `{"max_price":{"prompt":1e-5,"image":"2"}}`,
		`{"preferred_min_throughput":{"p50":1,"p99":2},"quantizations":["fp8"],"data_collection":"deny","zdr":true,"xyz":1}`, `{"order":["\ud800"]`, `{"a":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := Read(raw)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if max(len(got.Order), len(got.Only), len(got.Ignore), len(got.Quantizations)) > maxSlugs {
			t.Fatalf("Read = %+v", got)
		}
		if strings.Trim(string(raw), " \t\r\n") != "" && !json.Valid(raw) {
			t.Fatalf("%q is no JSON and was read", raw)
		}
		checkRewritten(t, raw, &got)
	})
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	var refusal *dialect.RequestError
	if !errors.As(err, &refusal) || len(refusal.Message) > 512 || len(refusal.Param) > 256 {
		t.Fatalf("the error is %v", err)
	}
}

// checkRewritten writes what was read, which has to be something that reads alike. What allows nothing is not written.
func checkRewritten(t *testing.T, raw []byte, got *Preferences) {
	t.Helper()
	again, err := Forward(raw, nil, func(string) bool { return false })
	if err != nil {
		return
	}
	reread, err := Read(again)
	if err != nil {
		t.Fatalf("Forward wrote %s: %v", again, err)
	}
	if !got.Meets(&reread, nil) {
		t.Fatalf("%s has nothing of %s", again, raw)
	}
}
