package registry_test

import (
	"bytes"
	stdcmp "cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

func TestDefault(t *testing.T) {
	want := []string{
		"AWSBedrock", "Anthropic", "AzureOpenAI", "Cerebras", "Cohere", "DeepSeek", "Fireworks", "GoogleAI", "Groq", "Mistral", "OpenAI", "OpenAICompatible",
		"OpenRouter", "Signalbox", "Together", "VertexAI", "XAI",
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

// A provider is one small file in a folder of its name, so that another one is quickly added.
func TestEveryProviderIsOneSmallFile(t *testing.T) {
	const maxLines = 90
	for _, name := range registry.Default().Names() {
		folder := strings.ToLower(name)
		files, err := filepath.Glob(filepath.Join("..", folder, "*"))
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{filepath.Join("..", folder, folder+".go")}; !cmp.Equal(want, files) {
			t.Errorf("%s consists of %q, want %q", name, files, want)
			continue
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")); lines > maxLines {
			t.Errorf("%s has %d lines, more than %d", files[0], lines, maxLines)
		}
	}
}

// The page of providers tells of every one where it is and which APIs it has.
func TestProvidersAreDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "providers.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) == 6 {
			rows[strings.Trim(cells[1], " `")] = cells
		}
	}
	place := provider.Account{Region: "eu-central-1", Project: "acme", Location: "europe-west4"}
	aside := regexp.MustCompile(` \([^)]*\)`)
	for _, name := range registry.Default().Names() {
		row, documented := rows[name]
		if !documented {
			t.Errorf("%s is not in the table", name)
			continue
		}
		p, _ := registry.Default().Lookup(name)
		if endpoint := p.EndpointOf(place); !strings.Contains(row[2], stdcmp.Or(endpoint, "none")) {
			t.Errorf("%s: the endpoint is %s, the page says %s", name, endpoint, row[2])
		}
		if got := strings.TrimSpace(aside.ReplaceAllString(row[3], "")); got != generating(p) {
			t.Errorf("%s: the APIs are %q, the page says %q", name, generating(p), got)
		}
	}
}

// generating lists the APIs of a provider that generate text, as the page of providers does.
func generating(p provider.Provider) string {
	var always, onDemand []string
	for _, offer := range p.Offers {
		name := string(offer.API)
		switch {
		case offer.API.Family() != neutral.Generation:
		case offer.OnDemand:
			onDemand = append(onDemand, name)
		case !slices.Contains(always, name):
			always = append(always, name)
		}
	}
	text := strings.Join(always, ", ")
	if onDemand != nil {
		text += "; " + strings.Join(onDemand, ", ") + " on demand"
	}
	return text
}
