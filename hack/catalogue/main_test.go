package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/catalogue"
	"signalbox.dev/signalbox/proxy/table"
)

const data = "../../proxy/catalogue/data"

// TestDataIsOfThisProgram: the data was made by this program with these pins and overrides.
func TestDataIsOfThisProgram(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(data, catalogue.HeaderFile))
	if err != nil {
		t.Fatal(err)
	}
	var header catalogue.Header
	if err := json.Unmarshal(content, &header); err != nil {
		t.Fatal(err)
	}
	hash, err := generatorHash(".")
	if err != nil {
		t.Fatal(err)
	}
	if header.Generator != hash {
		t.Errorf("the data is of another program or other overrides; run make catalogue")
	}
	requirements, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := pins(requirements)
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range header.Packages {
		if pinned[source.Name].source() != source {
			t.Errorf("the data is of %+v, and %+v is pinned; run make catalogue", source, pinned[source.Name])
		}
	}
	if len(header.Packages) != len(pinned) {
		t.Errorf("the data is of %d packages, and %d are pinned", len(header.Packages), len(pinned))
	}
}

// TestDataPasses checks the data that is there as new data is checked, and that it is written as it was.
func TestDataPasses(t *testing.T) {
	entries, err := readData(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range check(entries) {
		t.Error(problem)
	}
	for provider, list := range entries {
		for _, entry := range list {
			unsigned(&entry.Prices)
		}
		again, err := encode(list)
		if err != nil {
			t.Fatal(err)
		}
		there, err := os.ReadFile(filepath.Join(data, provider+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, there) {
			t.Errorf("%s.json is not written as this program writes it", provider)
		}
	}
}

func unsigned(p *table.Prices) { p.Source = "" }

func TestNanos(t *testing.T) {
	for text, tc := range map[string]struct {
		factor int64
		want   int64
		exact  bool
	}{
		"2.5e-06":             {perToken, 2_500_000_000, true},
		"0.0000025":           {perToken, 2_500_000_000, true},
		"0":                   {perToken, 0, true},
		"0.0":                 {1, 0, true},
		"3.083e-05":           {secondsPerHour, 110_988_000, true},
		"0.08333333333333334": {1, 83_333_334, false},
		"1e-25":               {1, 1, false},
		"1.0000000000001e-6":  {perToken, 1_000_000_001, false},
		"10":                  {perThousand, 10_000_000_000_000, true},
	} {
		got, exact, err := nanos(text, tc.factor)
		if err != nil || got != tc.want || exact != tc.exact {
			t.Errorf("nanos(%q, %d) = %d, %t, %v, want %d, %t", text, tc.factor, got, exact, err, tc.want, tc.exact)
		}
	}
	for _, text := range []string{"", "x", "1/3", "0x10", "1e99", "1e", "NaN", "Inf", "99999999999999", strings.Repeat("1", 50)} {
		if got, _, err := nanos(text, perToken); err == nil {
			t.Errorf("nanos(%q) = %d", text, got)
		}
	}
	if _, _, err := nanos("-1e-6", perToken); !errors.Is(err, errNegative) {
		t.Errorf("a negative price is %v", err)
	}
}

// read makes the prices of facts in JSON.
func read(t *testing.T, text string) *priceList {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var f facts
	if err := decoder.Decode(&f); err != nil {
		t.Fatal(err)
	}
	list, err := f.prices()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func of(nano int64) *int64 { return &nano }

func TestLitellmPrices(t *testing.T) {
	for name, tc := range map[string]struct {
		facts   string
		want    table.Prices
		problem string
	}{
		"usual": {
			facts: `{"mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}`,
			want:  table.Prices{Input: 1_000_000_000, CachedInput: 1_000_000_000, Output: 2_000_000_000},
		},
		"a write that costs nothing beside its tokens": {
			facts: `{"mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "cache_creation_input_token_cost": 0.0, "cache_read_input_token_cost": 1e-7}`,
			want:  table.Prices{Input: 1_000_000_000, CachedInput: 100_000_000, Output: 2_000_000_000},
		},
		"a long prompt without a price of its own for cached tokens": {
			facts: `{"mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "cache_read_input_token_cost": 1e-7, "input_cost_per_token_above_200k_tokens": 3e-6}`,
			want: table.Prices{
				Input: 1_000_000_000, CachedInput: 100_000_000, Output: 2_000_000_000,
				Tiers: []table.PriceTier{{Above: 200_000, Prices: table.Prices{Input: 3_000_000_000, CachedInput: 300_000_000, Output: 2_000_000_000}}},
			},
		},
		"a cheaper class that leaves out the long prompt": {
			facts: `{"mode": "chat", "input_cost_per_token": 4e-6, "output_cost_per_token": 8e-6, "input_cost_per_token_above_200k_tokens": 6e-6,
				"input_cost_per_token_flex": 2e-6, "output_cost_per_token_flex": 4e-6}`,
			want: table.Prices{
				Input: 4_000_000_000, CachedInput: 4_000_000_000, Output: 8_000_000_000,
				Tiers: []table.PriceTier{{Above: 200_000, Prices: table.Prices{Input: 6_000_000_000, CachedInput: 6_000_000_000, Output: 8_000_000_000}}},
				Services: []table.ServicePrices{{Service: "flex", Prices: table.Prices{
					Input: 2_000_000_000, CachedInput: 2_000_000_000, Output: 4_000_000_000,
					Tiers: []table.PriceTier{{Above: 200_000, Prices: table.Prices{Input: 6_000_000_000, CachedInput: 6_000_000_000, Output: 4_000_000_000}}},
				}}},
			},
		},
		"a dearer class that leaves out sound": {
			facts: `{"mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "input_cost_per_audio_token": 5e-6, "input_cost_per_token_priority": 2e-6,
				"search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_high": 0.03}}`,
			want: table.Prices{
				Input: 1_000_000_000, CachedInput: 1_000_000_000, Output: 2_000_000_000, InputAudio: of(5_000_000_000), Search: of(30_000_000_000),
				Services: []table.ServicePrices{{Service: "priority", Prices: table.Prices{
					Input: 2_000_000_000, CachedInput: 2_000_000_000, Output: 2_000_000_000, InputAudio: of(10_000_000_000), Search: of(30_000_000_000),
				}}},
			},
		},
		"images come out and nothing else": {
			facts: `{"mode": "image_generation", "input_cost_per_token": 5e-6, "output_cost_per_image_token": 4e-5, "input_cost_per_image": 0.04}`,
			want:  table.Prices{Input: 5_000_000_000, CachedInput: 5_000_000_000, Output: 40_000_000_000},
		},
		"an image": {facts: `{"mode": "image_generation", "output_cost_per_image": 0.04}`, want: table.Prices{Image: of(40_000_000)}},
		"sound that is heard is not charged as made too": {
			facts: `{"mode": "audio_transcription", "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001}`, want: table.Prices{AudioHour: of(360_000_000)},
		},
		"characters":       {facts: `{"mode": "audio_speech", "input_cost_per_character": 1.5e-05}`, want: table.Prices{Characters: of(15_000_000_000)}},
		"rerank":           {facts: `{"mode": "rerank", "input_cost_per_query": 0.002, "input_cost_per_token": 0.0}`, want: table.Prices{SearchUnits: of(2_000_000_000)}},
		"free on purpose":  {facts: `{"mode": "moderation", "input_cost_per_token": 0.0}`},
		"zeros":            {facts: `{"mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0}`, problem: "it has no prices but zeros"},
		"no completions":   {facts: `{"mode": "chat", "input_cost_per_token": 1e-6}`, problem: "it has no price of completions"},
		"free completions": {facts: `{"mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 0.0}`, problem: "it has no price of completions"},
		"no prompts":       {facts: `{"mode": "chat", "output_cost_per_token": 1e-6}`, problem: "it has no price of prompts"},
	} {
		t.Run(name, func(t *testing.T) {
			list := read(t, tc.facts)
			if list.problem != tc.problem {
				t.Fatalf("the problem is %q, want %q", list.problem, tc.problem)
			}
			if tc.problem == "" && !reflect.DeepEqual(list.prices, tc.want) {
				t.Errorf("prices are %s, want %s", text(t, list.prices), text(t, tc.want))
			}
		})
	}
}

func text(t *testing.T, p table.Prices) string {
	t.Helper()
	content, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestRateOf(t *testing.T) {
	for name, want := range map[string]variant{
		"input_cost_per_token":                                                 {},
		"input_cost_per_token_above_272k_tokens_flex":                          {service: "flex", above: 272_000},
		"cache_creation_input_token_cost_above_1hr":                            {},
		"cache_creation_input_token_cost_above_12hr_above_272k_tokens_batches": {service: "batch", above: 272_000},
	} {
		if _, at, known := rateOf(name); !known || at != want {
			t.Errorf("rateOf(%q) = %+v, %t, want %+v", name, at, known, want)
		}
	}
	for _, name := range []string{"input_cost_per_token_decisions", "input_cost_per_token_above_128", "input_cost_per_second", "output_cost_per_tokens", ""} {
		if which, at, known := rateOf(name); known {
			t.Errorf("rateOf(%q) = %d, %+v", name, which, at)
		}
	}
}

const genaiSample = genaiStart + ` [
    Provider(id='groq', name="Groq's \'own\'", models=[
        ModelInfo(id='family', match=ClauseStartsWith(starts_with='gpt'), prices=ModelPrice(input_mtok=Decimal('9'))),
        ModelInfo(
            id='m', match=ClauseOr(or_=[ClauseEquals(equals='m'), ClauseRegex(regex='^m-\\d{8}$'), ClauseEquals(equals='m:extended')]), context_window=1000,
            prices=[
                ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('2'))),
                ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(2026, 11, 1)), prices=ModelPrice(
                    input_mtok=TieredPrices(base=Decimal('3'), tiers=[Tier(start=200000, price=Decimal('6'))]), output_mtok=Decimal('4'), cache_write_mtok=Decimal('0.5'))),
                ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(2027, 1, 1)), prices=ModelPrice(input_mtok=Decimal('5'))),
            ],
        ),
        ModelInfo(id='p', match=ClauseEquals(equals='p'), prices=[
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('2'))),
            ConditionalPrice(constraint=TimeOfDateConstraint(start_time=datetime.time(1, 0, tzinfo=datetime.timezone.utc)), prices=ModelPrice(
                input_mtok=Decimal('2'), output_mtok=Decimal('4'))),
        ]),
    ]),
]
`

func TestGenai(t *testing.T) {
	entries, err := readGenai([]byte(genaiSample), pin{name: "g", version: "1"}, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	groq := entries["Groq"]
	if len(groq) != 2 || groq["m"] == nil || groq["p"] == nil {
		t.Fatalf("entries are %v", groq)
	}
	want := table.Prices{
		Input: 3_000_000_000, CachedInput: 3_000_000_000, CacheWrite: of(3_500_000_000), Output: 4_000_000_000,
		Tiers: []table.PriceTier{{Above: 200_000, Prices: table.Prices{
			Input: 6_000_000_000, CachedInput: 6_000_000_000, CacheWrite: of(7_000_000_000), Output: 4_000_000_000,
		}}},
	}
	if !reflect.DeepEqual(groq["m"].Prices, want) || groq["m"].ContextTokens != 1000 {
		t.Errorf("prices are %s, want %s", text(t, groq["m"].Prices), text(t, want))
	}
	if groq["p"].Prices.Input != 2_000_000_000 || groq["p"].Prices.Output != 4_000_000_000 {
		t.Errorf("of prices by the hour the dearest counts, not %s", text(t, groq["p"].Prices))
	}
}

// twoModels share their prices, as models of one family do.
func twoModels() listing {
	shared := table.Prices{Input: 1, CachedInput: 1, Search: of(5), Services: []table.ServicePrices{{Service: "flex", Prices: table.Prices{Search: of(5)}}}}
	return listing{"Groq": {"a": {Key: "a", Prices: shared}, "b": {Key: "b", Prices: shared}}}
}

func TestOverrides(t *testing.T) {
	entries := twoModels()
	err := overridden(entries, []byte(`[
		{"provider": "Groq", "models": ["a"], "set": {"prices": {"search": 7}}, "reason": "r", "url": "u"},
		{"provider": "Groq", "models": ["c"], "new": true, "set": {"prices": {"input": 3}}, "reason": "r", "url": "u"},
		{"provider": "Groq", "models": ["b"], "remove": true, "reason": "r", "url": "u"},
		{"provider": "Groq", "models": ["*"], "set": {"uplifts": {"us": 1250}}, "reason": "all", "url": "u"}
	]`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := encode(entries["Groq"])
	if err != nil {
		t.Fatal(err)
	}
	const want = `[
{"key":"a","prices":{"input":1,"cachedInput":1,"output":0,"search":7,"services":[{"service":"flex","prices":{"input":0,"cachedInput":0,"output":0,"search":7}}]},"uplifts":{"us":1250},"package":"","url":"u","notes":["r","all"]},
{"key":"c","prices":{"input":3,"cachedInput":0,"output":0},"uplifts":{"us":1250},"package":"the provider's documentation","url":"u","notes":["r","all"]}
]
`
	if string(got) != want {
		t.Errorf("entries are\n%s, want\n%s", got, want)
	}
}

// TestOverrideOfOne leaves alone the other that shares its prices.
func TestOverrideOfOne(t *testing.T) {
	entries := twoModels()
	if err := overridden(entries, []byte(`[{"provider": "Groq", "models": ["a"], "set": {"prices": {"search": 7}}, "reason": "r", "url": "u"}]`)); err != nil {
		t.Fatal(err)
	}
	if other := entries["Groq"]["b"]; *other.Prices.Search != 5 || other.URL != "" {
		t.Errorf("the other is %+v", other)
	}
}

func TestOverridesRefused(t *testing.T) {
	for name, list := range map[string]string{
		"no reason":       `[{"provider": "Groq", "models": ["a"], "set": {}, "url": "u"}]`,
		"no URL":          `[{"provider": "Groq", "models": ["a"], "set": {}, "reason": "r"}]`,
		"model not there": `[{"provider": "Groq", "models": ["z"], "set": {}, "reason": "r", "url": "u"}]`,
		"model is there":  `[{"provider": "Groq", "models": ["a"], "new": true, "set": {}, "reason": "r", "url": "u"}]`,
		"broken":          `[{"provider": "Groq", "models": ["a"], "set": {"prices": 3}, "reason": "r", "url": "u"}]`,
	} {
		if err := overridden(twoModels(), []byte(list)); err == nil {
			t.Errorf("%s: it was applied", name)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, entry := range map[string]catalogue.Entry{
		"nobody says":      {},
		"negative":         {Package: "p", Prices: table.Prices{Output: -1}},
		"absurd":           {Package: "p", Prices: table.Prices{Input: highestRate + 1}},
		"cached is dearer": {Package: "p", Prices: table.Prices{Input: 1, CachedInput: 2}},
		"negative unit":    {Package: "p", Prices: table.Prices{Search: of(-1)}},
		"tiers unordered":  {Package: "p", Prices: table.Prices{Tiers: []table.PriceTier{{Above: 2}, {Above: 1}}}},
		"in a service":     {Package: "p", Prices: table.Prices{Services: []table.ServicePrices{{Prices: table.Prices{Output: -1}}}}},
		"no date":          {Package: "p", Deprecated: "soon"},
		"uplift":           {Package: "p", Uplifts: map[string]int64{"eu": 110}},
		"answer too long":  {Package: "p", ContextTokens: 1, MaxOutputTokens: 2},
	} {
		if len(checkEntry(&entry)) == 0 {
			t.Errorf("%s: it passes", name)
		}
	}
	good := catalogue.Entry{Package: "p", Prices: table.Prices{Input: 2, CachedInput: 1, Tiers: []table.PriceTier{{Above: 1}, {Above: 2}}}}
	if problems := checkEntry(&good); len(problems) > 0 {
		t.Errorf("a good entry has the problems %v", problems)
	}
}

func TestChanges(t *testing.T) {
	list := func(price int64, keys ...string) listing {
		made := listing{}
		for _, key := range keys {
			made.of("Groq")[key] = &catalogue.Entry{Key: key, Prices: table.Prices{Input: price}}
		}
		return made
	}
	if problems := changes(list(10, "a", "b"), list(40, "a", "b", "c")); len(problems) != 0 {
		t.Errorf("small changes are problems: %v", problems)
	}
	if problems := changes(list(10, "a"), list(41, "a")); len(problems) != 1 {
		t.Errorf("a large change has the problems %v", problems)
	}
	if problems := changes(list(41, "a"), list(10, "a")); len(problems) != 1 {
		t.Errorf("a large change downwards has the problems %v", problems)
	}
	if problems := changes(list(1, "a", "b", "c", "d", "e"), list(1, "a")); len(problems) != 1 {
		t.Errorf("models that are gone have the problems %v", problems)
	}
}

func TestPins(t *testing.T) {
	got, err := pins([]byte("a==1 --hash=sha256:00\n"))
	if err != nil || got["a"] != (pin{"a", "1", "00"}) {
		t.Errorf("pins = %v, %v", got, err)
	}
	for _, text := range []string{"a", "a==1", "a --hash=sha256:00", "a==1 --hash=md5:00", "a==1 --hash=sha256:00 x"} {
		if _, err := pins([]byte(text)); err == nil {
			t.Errorf("pins(%q) passes", text)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a-1-py3.whl"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := got["a"].member(dir, "x"); err == nil || !strings.Contains(err.Error(), "is pinned") {
		t.Errorf("a wheel with another hash is %v", err)
	}
	if _, err := got["a"].member(t.TempDir(), "x"); err == nil {
		t.Error("a wheel that is not there was read")
	}
}

func FuzzLiterals(f *testing.F) {
	for _, seed := range []string{genaiSample, "[", "'", "A(b=", "{'a': [1, -2.5e3, None], 'b': ()}", "'a' \"b\"", "A(B(C(1)))", "\\", "\"\\", strings.Repeat("[", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		reader := literals{text: text}
		if _, err := reader.parse(0); err != nil && !errors.Is(err, errLiteral) {
			t.Fatalf("parse(%q) is %v", text, err)
		}
		if reader.at > len(text)+1 {
			t.Fatalf("parse(%q) read to %d", text, reader.at)
		}
	})
}

func FuzzNanos(f *testing.F) {
	for _, seed := range []string{"1e-6", "0.1", "-1", "1e40", "9e9", "1/0", "0x1p-3", "1_000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if nano, _, err := nanos(text, perToken); err == nil && nano < 0 {
			t.Fatalf("nanos(%q) = %d", text, nano)
		}
	})
}
