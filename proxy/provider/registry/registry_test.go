package registry_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

func TestDefault(t *testing.T) {
	want := []string{
		"Cerebras", "DeepSeek", "Fireworks", "Groq", "Mistral", "OpenAI", "OpenAICompatible", "OpenRouter", "Together", "XAI",
	}
	if diff := cmp.Diff(want, registry.Default().Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestLookup(t *testing.T) {
	r := registry.New(
		provider.OpenAICompatible("One", "https://old.test"), provider.OpenAICompatible("Two", "https://two.test"),
		provider.OpenAICompatible("One", "https://new.test"),
	)
	cases := map[string]struct {
		endpoint string
		found    bool
	}{
		"One": {"https://new.test", true},
		"Two": {"https://two.test", true},
		"one": {"", false},
		"":    {"", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, found := r.Lookup(name)
			if found != tc.found || got.DefaultEndpoint != tc.endpoint {
				t.Errorf("got %q, %v; want %q, %v", got.DefaultEndpoint, found, tc.endpoint, tc.found)
			}
		})
	}
}
