package provider_test

import (
	"strings"
	"testing"
)

func TestReadBalance(t *testing.T) {
	cases := map[string]struct{ provider, answer, want string }{
		"what is left of a key":      {"OpenRouter", `{"data":{"label":"sk-or-v1-abc...def","limit":100,"limit_remaining":74.509,"usage":25.5}}`, "74.50"},
		"nothing is left":            {"OpenRouter", `{"data":{"limit_remaining":0}}`, "0.00"},
		"overdrawn":                  {"OpenRouter", `{"data":{"limit_remaining":-0.001}}`, "-0.01"},
		"a key without limit":        {"OpenRouter", `{"data":{"limit":null,"limit_remaining":null}}`, ""},
		"an older answer":            {"OpenRouter", `{"data":{}}`, ""},
		"a text":                     {"OpenRouter", `{"data":{"limit_remaining":"many"}}`, ""},
		"an exponent":                {"OpenRouter", `{"data":{"limit_remaining":1e999999999}}`, ""},
		"longer than any":            {"OpenRouter", `{"data":{"limit_remaining":` + strings.Repeat("9", 400) + `}}`, ""},
		"no JSON":                    {"OpenRouter", `<html>`, ""},
		"dollars among others":       {"DeepSeek", `{"is_available":true,"balance_infos":[{"currency":"CNY","total_balance":"110.00"},{"currency":"USD","total_balance":"12.345"}]}`, "12.34"},
		"yuan alone":                 {"DeepSeek", `{"is_available":true,"balance_infos":[{"currency":"CNY","total_balance":"110.00"}]}`, ""},
		"a list of models":           {"DeepSeek", `{"object":"list","data":[]}`, ""},
		"a vendor that does not say": {"OpenAI", `{"data":{"limit_remaining":5}}`, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := lookup(t, tc.provider).ReadBalance([]byte(tc.answer)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestBalanceURL(t *testing.T) {
	cases := map[string]struct{ provider, endpoint, want string }{
		"beside the API":             {"DeepSeek", "", "https://api.deepseek.com/user/balance"},
		"given with its path":        {"DeepSeek", "https://api.deepseek.com/v1", "https://api.deepseek.com/user/balance"},
		"a gateway":                  {"DeepSeek", "https://gw.test/deepseek", ""},
		"in the probe":               {"OpenRouter", "", ""},
		"a vendor that does not say": {"OpenAI", "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := lookup(t, tc.provider).BalanceURL(account(tc.endpoint)); err != nil || got != tc.want {
				t.Errorf("got %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func FuzzReadBalance(f *testing.F) {
	f.Add([]byte(`{"data":{"limit_remaining":74.5}}`))
	f.Add([]byte(`{"balance_infos":[{"currency":"USD","total_balance":"-1"}]}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, name := range []string{"OpenRouter", "DeepSeek"} {
			if got := lookup(t, name).ReadBalance(answer); len(got) > 32 {
				t.Errorf("%s has %q", name, got)
			}
		}
	})
}
