package provider_test

import (
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
		"Anthropic, wrong key":  {"Anthropic", 401, `{"type":"error","error":{"type":"authentication_error"}}`, verdict{invalid, up, "KeyRejected"}},
		"Google, wrong key": {
			"GoogleAI", 400, `{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`, verdict{invalid, up, "KeyRejected"},
		},
		"Google, other complaint": {"GoogleAI", 400, `{"error":{"code":400,"status":"FAILED_PRECONDITION"}}`, verdict{unknown, down, "UnexpectedStatus"}},
		"Azure, wrong key":        {"AzureOpenAI", 401, `{"error":{"code":"401","message":"Access denied due to invalid subscription key"}}`, verdict{invalid, up, "KeyRejected"}},
		"Cohere, wrong key":       {"Cohere", 401, `{"message":"invalid api token"}`, verdict{invalid, up, "KeyRejected"}},
		"AWS, wrong ID":           {"AWSBedrock", 403, `{"message":"The security token included in the request is invalid."}`, verdict{invalid, up, "KeyRejected"}},
		"AWS, wrong secret": {
			"AWSBedrock", 403, `{"message":"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key"}`,
			verdict{invalid, up, "KeyRejected"},
		},
		"AWS, expired":          {"AWSBedrock", 403, `{"message":"The security token included in the request is expired"}`, verdict{invalid, up, "KeyRejected"}},
		"AWS, no permission":    {"AWSBedrock", 403, `{"Message":"User: x is not authorized to perform: bedrock:ListFoundationModels"}`, verdict{unknown, up, "Forbidden"}},
		"AWS, private endpoint": {"AWSBedrock", 404, `{}`, verdict{unknown, unclear, "NoFreeCall"}},
		"Vertex, gateway":       {"VertexAI", 404, "<html>", verdict{unknown, unclear, "NoFreeCall"}},
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
