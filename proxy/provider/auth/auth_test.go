package auth_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/provider/registry"
	"signalbox.dev/signalbox/proxy/table"
)

// sender is a transport made of a function.
type sender func(*http.Request) (*http.Response, error)

func (s sender) RoundTrip(req *http.Request) (*http.Response, error) { return s(req) }

// noNetwork fails the test if anything is sent.
func noNetwork(t *testing.T) http.RoundTripper {
	return sender(func(req *http.Request) (*http.Response, error) {
		t.Errorf("a request went to %s", req.URL)
		return nil, context.Canceled
	})
}

func lookup(t *testing.T, name string) provider.Provider {
	t.Helper()
	p, found := registry.Default().Lookup(name)
	if !found {
		t.Fatalf("no provider %q", name)
	}
	return p
}

func newRequest(t *testing.T, address, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// Every provider's keys go into its own header, and into no other.
func TestHeaderKeys(t *testing.T) {
	cases := map[string]string{
		"Anthropic": "X-Api-Key: sk-1", "GoogleAI": "X-Goog-Api-Key: sk-1", "VertexAI": "X-Goog-Api-Key: sk-1", "AzureOpenAI": "Api-Key: sk-1",
	}
	for _, name := range registry.Default().Names() {
		t.Run(name, func(t *testing.T) {
			line, special := cases[name]
			if !special {
				line = "Authorization: Bearer sk-1"
			}
			header, value, _ := strings.Cut(line, ": ")
			authorizer, err := auth.NewKeeper(auth.Options{}).Authorizer(lookup(t, name), &table.Credential{}, &table.Key{Value: "sk-1"}, noNetwork(t))
			if err != nil {
				t.Fatal(err)
			}
			req := newRequest(t, "https://gw.test/", "")
			if err := authorizer.Authorize(t.Context(), req, nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(http.Header{header: {value}}, req.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			static, ok := authorizer.(auth.Static)
			if !ok {
				t.Fatal("a key in a header has to be set for each request")
			}
			if diff := cmp.Diff(req.Header, static.StaticHeader()); diff != "" {
				t.Errorf("static header (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKeyless(t *testing.T) {
	authorizer, err := auth.NewKeeper(auth.Options{}).Authorizer(lookup(t, "OpenAICompatible"), &table.Credential{Keyless: true}, nil, noNetwork(t))
	if err != nil {
		t.Fatal(err)
	}
	req := newRequest(t, "https://gw.test/", "")
	if err := authorizer.Authorize(t.Context(), req, nil); err != nil || len(req.Header) != 0 {
		t.Errorf("got %v, %v", req.Header, err)
	}
}

func TestAuthorizerRefuses(t *testing.T) {
	pair := &table.AWSKeyPair{AccessKeyID: "AKID"}
	cases := map[string]struct {
		provider string
		region   string
		key      table.Key
		want     string
	}{
		"kind of a later version": {"OpenAI", "", table.Key{Kind: "Quantum", Value: "secret"}, `"Quantum"`},
		"AWS elsewhere":           {"OpenAI", "eu-west-1", table.Key{Kind: table.AWSKey, Value: "secret", AWS: pair}, "takes no keys of AWS"},
		"AWS without region":      {"AWSBedrock", "", table.Key{Kind: table.AWSKey, Value: "secret", AWS: pair}, "needs a region"},
		"AWS without ID":          {"AWSBedrock", "eu-west-1", table.Key{Kind: table.AWSKey, Value: "secret"}, "access key ID"},
		"no key file":             {"VertexAI", "", table.Key{Kind: table.GoogleKey, Value: "secret"}, "key file"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := auth.NewKeeper(auth.Options{}).Authorizer(lookup(t, tc.provider), &table.Credential{Region: tc.region}, &tc.key, noNetwork(t))
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

// fixed is a clock that stands still.
func fixed() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }
