package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

func lookup(t *testing.T, name string) provider.Provider {
	t.Helper()
	p, found := registry.Default().Lookup(name)
	if !found {
		t.Fatalf("no provider %q", name)
	}
	return p
}

func TestURL(t *testing.T) {
	type want struct{ Chat, Completions, Embeddings, Models, Probe string }
	below := func(base string) want {
		return want{base + "/chat/completions", base + "/completions", base + "/embeddings", base + "/models", base + "/models"}
	}
	probing := func(base, probe string) want {
		w := below(base)
		w.Probe = probe
		return w
	}
	fireworksProbe := "https://api.fireworks.ai/v1/accounts/fireworks/models?pageSize=1"
	cases := map[string]struct {
		provider, endpoint string
		want               want
	}{
		"OpenAI":                 {provider: "OpenAI", want: below("https://api.openai.com/v1")},
		"OpenAI, host":           {provider: "OpenAI", endpoint: "https://api.openai.com/", want: below("https://api.openai.com/v1")},
		"OpenAI, with version":   {provider: "OpenAI", endpoint: "https://eu.api.openai.com/v1/", want: below("https://eu.api.openai.com/v1")},
		"Groq":                   {provider: "Groq", want: below("https://api.groq.com/openai/v1")},
		"Groq, part of the path": {provider: "Groq", endpoint: "https://api.groq.com/openai", want: below("https://api.groq.com/openai/v1")},
		"Groq, whole path":       {provider: "Groq", endpoint: "https://api.groq.com/openai/v1", want: below("https://api.groq.com/openai/v1")},
		"Groq, part of a name":   {provider: "Groq", endpoint: "https://gw.test/open", want: below("https://gw.test/open")},
		"Groq, gateway":          {provider: "Groq", endpoint: "http://gw.test:8080/v1", want: below("http://gw.test:8080/v1")},
		"OpenRouter":             {provider: "OpenRouter", want: probing("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/key")},
		"OpenRouter, part of the path": {
			provider: "OpenRouter", endpoint: "https://eu.openrouter.ai/api",
			want: probing("https://eu.openrouter.ai/api/v1", "https://eu.openrouter.ai/api/v1/key"),
		},
		"Mistral":  {provider: "Mistral", want: below("https://api.mistral.ai/v1")},
		"DeepSeek": {provider: "DeepSeek", want: below("https://api.deepseek.com/v1")},
		"DeepSeek, beta": {
			provider: "DeepSeek", endpoint: "https://api.deepseek.com/beta", want: below("https://api.deepseek.com/beta"),
		},
		"XAI":       {provider: "XAI", want: probing("https://api.x.ai/v1", "https://api.x.ai/v1/api-key")},
		"Together":  {provider: "Together", want: below("https://api.together.xyz/v1")},
		"Fireworks": {provider: "Fireworks", want: probing("https://api.fireworks.ai/inference/v1", fireworksProbe)},
		"Fireworks, whole path": {
			provider: "Fireworks", endpoint: "https://api.fireworks.ai/inference/v1/",
			want: probing("https://api.fireworks.ai/inference/v1", fireworksProbe),
		},
		"Fireworks, gateway": {provider: "Fireworks", endpoint: "http://gw.test/fw/v1", want: below("http://gw.test/fw/v1")},
		"Cerebras":           {provider: "Cerebras", want: below("https://api.cerebras.ai/v1")},
		"OpenAICompatible":   {provider: "OpenAICompatible", endpoint: "http://vllm:8000", want: below("http://vllm:8000/v1")},
		"OpenAICompatible, path": {
			provider: "OpenAICompatible", endpoint: "http://gw.test/team%2Fa/openai", want: below("http://gw.test/team%2Fa/openai"),
		},
		"OpenAICompatible, IPv6": {provider: "OpenAICompatible", endpoint: "http://[fd00::1]:8000", want: below("http://[fd00::1]:8000/v1")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := lookup(t, tc.provider)
			join := func(operation provider.Operation) string {
				joined, err := p.URL(tc.endpoint, operation)
				if err != nil {
					t.Errorf("%s: %v", operation, err)
				}
				return joined
			}
			got := want{
				Chat: join(provider.ChatCompletions), Completions: join(provider.Completions),
				Embeddings: join(provider.Embeddings), Models: join(provider.Models),
			}
			var err error
			if got.Probe, err = p.ProbeURL(tc.endpoint); err != nil {
				t.Errorf("probe: %v", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestURLErrors(t *testing.T) {
	cases := map[string]struct{ provider, endpoint, want string }{
		"no endpoint":     {"OpenAICompatible", "", "one has to be given"},
		"not a URL":       {"OpenAI", "http://\x7f", "not a URL"},
		"whole operation": {"OpenAI", "https://api.openai.com/v1/chat/completions", "ends in /chat/completions"},
		"model list":      {"Groq", "https://api.groq.com/openai/v1/models/", "ends in /models"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := lookup(t, tc.provider)
			if _, err := p.URL(tc.endpoint, provider.ChatCompletions); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("URL: %v, want %q", err, tc.want)
			}
			if _, err := p.ProbeURL(tc.endpoint); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("ProbeURL: %v, want %q", err, tc.want)
			}
		})
	}
}

func TestAuthorize(t *testing.T) {
	for _, name := range registry.Default().Names() {
		p := lookup(t, name)
		header := http.Header{"Authorization": {"Bearer the-callers"}, "X-Other": {"1"}}
		p.Authorize(header, "sk-1")
		if diff := cmp.Diff(http.Header{"Authorization": {"Bearer sk-1"}, "X-Other": {"1"}}, header); diff != "" {
			t.Errorf("%s with a key (-want +got):\n%s", name, diff)
		}
		p.Authorize(header, "")
		if diff := cmp.Diff(http.Header{"X-Other": {"1"}}, header); diff != "" {
			t.Errorf("%s without a key (-want +got):\n%s", name, diff)
		}
	}
}

func TestInterpret(t *testing.T) {
	type verdict struct {
		Key    provider.KeyState
		Health provider.Health
		Reason string
	}
	const (
		valid, invalid, unknown = provider.KeyValid, provider.KeyInvalid, provider.KeyUnknown
		up, down, unclear       = provider.Healthy, provider.Unhealthy, provider.HealthUnknown
	)
	cases := map[string]struct {
		provider string
		status   int
		body     string
		want     verdict
	}{
		"accepted":              {"Groq", 200, `{"data":[]}`, verdict{valid, up, "KeyAccepted"}},
		"web page":              {"Groq", 200, "<!doctype html>", verdict{unknown, down, "NotAnAPI"}},
		"nothing":               {"Groq", 204, "", verdict{unknown, down, "NotAnAPI"}},
		"list":                  {"Together", 200, "\n [{\"id\":", verdict{valid, up, "KeyAccepted"}},
		"redirect":              {"Groq", 301, "", verdict{unknown, down, "Redirected"}},
		"rejected":              {"Groq", 401, `{"error":{"code":"invalid_api_key"}}`, verdict{invalid, up, "KeyRejected"}},
		"no credit":             {"DeepSeek", 402, "", verdict{valid, down, "InsufficientCredit"}},
		"forbidden":             {"Groq", 403, "<html>", verdict{unknown, up, "Forbidden"}},
		"wrong path":            {"Groq", 404, "", verdict{unknown, down, "EndpointNotFound"}},
		"wrong method":          {"Groq", 405, "", verdict{unknown, down, "EndpointNotFound"}},
		"server without list":   {"OpenAICompatible", 404, "", verdict{unknown, unclear, "EndpointNotFound"}},
		"timeout":               {"Groq", 408, "", verdict{unknown, down, "ProviderError"}},
		"rate limited":          {"Groq", 429, "", verdict{unknown, up, "RateLimited"}},
		"error":                 {"Groq", 500, "", verdict{unknown, down, "ProviderError"}},
		"overloaded":            {"Groq", 529, "", verdict{unknown, down, "ProviderError"}},
		"unexpected":            {"Groq", 418, "", verdict{unknown, down, "UnexpectedStatus"}},
		"400 elsewhere":         {"Groq", 400, "", verdict{unknown, down, "UnexpectedStatus"}},
		"OpenAI, restricted":    {"OpenAI", 401, `{"error":{"message":"Missing scopes: api.model.read"}}`, verdict{unknown, up, "KeyRestricted"}},
		"OpenAI, restricted 2":  {"OpenAI", 403, `{"error":{"message":"... Missing  Scopes: x"}}`, verdict{unknown, up, "KeyRestricted"}},
		"OpenAI, wrong key":     {"OpenAI", 401, `{"error":{"code":"invalid_api_key"}}`, verdict{invalid, up, "KeyRejected"}},
		"xAI, wrong key":        {"XAI", 400, `{"error":"Incorrect API key provided"}`, verdict{invalid, up, "KeyRejected"}},
		"xAI, good key":         {"XAI", 200, `{"api_key_blocked": false, "api_key_disabled": false, "team_blocked": false}`, verdict{valid, up, "KeyAccepted"}},
		"xAI, disabled key":     {"XAI", 200, `{"api_key_blocked": false, "api_key_disabled": true}`, verdict{invalid, up, "KeyDisabled"}},
		"xAI, blocked key":      {"XAI", 200, `{"api_key_blocked":true}`, verdict{invalid, up, "KeyDisabled"}},
		"xAI, blocked team":     {"XAI", 200, "{\n \"team_blocked\" : true\n}", verdict{invalid, up, "KeyDisabled"}},
		"OpenRouter, wrong key": {"OpenRouter", 401, "", verdict{invalid, up, "KeyRejected"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := lookup(t, tc.provider).Interpret(tc.status, []byte(tc.body))
			if diff := cmp.Diff(tc.want, verdict{got.Key, got.Health, got.Reason}); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
			if got.Message == "" || (tc.body != "" && strings.Contains(got.Message, tc.body)) {
				t.Errorf("message %q", got.Message)
			}
		})
	}
}

// Whatever a provider answers, the verdict is complete and an outage never condemns a key.
func TestInterpretEveryStatus(t *testing.T) {
	for _, name := range registry.Default().Names() {
		p := lookup(t, name)
		for status := 100; status < 1000; status++ {
			got := p.Interpret(status, nil)
			if got.Key == "" || got.Health == "" || got.Reason == "" || got.Message == "" {
				t.Errorf("%s, status %d: %+v", name, status, got)
			}
			if status >= 404 && got.Key != provider.KeyUnknown {
				t.Errorf("%s, status %d says the key is %s", name, status, got.Key)
			}
		}
	}
}

func TestStreamUsage(t *testing.T) {
	cases := map[string]struct {
		requestable bool
		paths       []string
	}{
		"OpenAI":           {true, []string{"usage"}},
		"Groq":             {true, []string{"usage", "x_groq.usage"}},
		"OpenRouter":       {true, []string{"usage"}},
		"Mistral":          {false, []string{"usage"}},
		"DeepSeek":         {true, []string{"usage"}},
		"XAI":              {true, []string{"usage"}},
		"Together":         {true, []string{"usage"}},
		"Fireworks":        {true, []string{"usage"}},
		"Cerebras":         {true, []string{"usage"}},
		"OpenAICompatible": {true, []string{"usage"}},
	}
	if got := len(registry.Default().Names()); got != len(cases) {
		t.Errorf("%d vendors are registered, %d are tested", got, len(cases))
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := lookup(t, name)
			if p.StreamUsage.Requestable() != tc.requestable {
				t.Errorf("requestable: %v, want %v", p.StreamUsage.Requestable(), tc.requestable)
			}
			if diff := cmp.Diff(tc.paths, p.UsagePaths); diff != "" {
				t.Errorf("usage paths (-want +got):\n%s", diff)
			}
		})
	}
}
