package providercredential

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// keyFile is the key file of a service account that asks for tokens at an address.
func keyFile(t *testing.T, tokenURI string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "bot@acme.test", "token_uri": tokenURI,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Probes authenticate as calls do, whatever the way.
func TestAskAuthenticates(t *testing.T) {
	var lines []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line := r.Method + " " + r.URL.String()
		for _, name := range []string{"X-Api-Key", "Anthropic-Version", "X-Goog-Api-Key", "Api-Key", "Authorization", "X-Amz-Security-Token"} {
			if value := r.Header.Get(name); value != "" {
				value, _, _ = strings.Cut(value, "/")
				line += ", " + name + ": " + value
			}
		}
		lines = append(lines, line)
		_, _ = w.Write([]byte(`{"access_token":"token-1","expires_in":3600}`))
	}))
	defer server.Close()
	plain := &table.Key{Value: "sk-1"}
	cases := map[string]struct {
		provider string
		account  provider.Account
		key      *table.Key
		want     []string
	}{
		"Anthropic":   {"Anthropic", provider.Account{Endpoint: server.URL}, plain, []string{"GET /v1/models?limit=1000, X-Api-Key: sk-1, Anthropic-Version: 2023-06-01"}},
		"GoogleAI":    {"GoogleAI", provider.Account{Endpoint: server.URL}, plain, []string{"GET /v1beta/models?pageSize=1000, X-Goog-Api-Key: sk-1"}},
		"AzureOpenAI": {"AzureOpenAI", provider.Account{Endpoint: server.URL}, plain, []string{"GET /openai/v1/models, Api-Key: sk-1"}},
		"AzureOpenAI with version": {
			"AzureOpenAI", provider.Account{Endpoint: server.URL, APIVersion: "2024-10-21"}, plain, []string{"GET /openai/models?api-version=2024-10-21, Api-Key: sk-1"},
		},
		"Cohere": {"Cohere", provider.Account{Endpoint: server.URL}, plain, []string{"GET /v1/models?page_size=1000, Authorization: Bearer sk-1"}},
		"AWSBedrock with API key": {
			"AWSBedrock", provider.Account{Endpoint: server.URL + "/b", Region: "eu-west-1"}, plain,
			[]string{"GET /b/foundation-models, Authorization: Bearer sk-1"},
		},
		"AWSBedrock": {
			"AWSBedrock", provider.Account{Endpoint: server.URL, Region: "eu-west-1"},
			&table.Key{Kind: table.AWSKey, Value: "s", AWS: &table.AWSKeyPair{AccessKeyID: "AKID", SessionToken: "tok"}},
			[]string{"GET /foundation-models, Authorization: AWS4-HMAC-SHA256 Credential=AKID, X-Amz-Security-Token: tok"},
		},
		"VertexAI": {
			"VertexAI", provider.Account{Endpoint: server.URL + "/vertex", Project: "p", Location: "l"}, &table.Key{Kind: table.GoogleKey, Value: keyFile(t, server.URL+"/token")},
			[]string{"POST /token", "GET /vertex/publishers/google/models?pageSize=1, Authorization: Bearer token-1"},
		},
		"no key": {"OpenAICompatible", provider.Account{Endpoint: server.URL}, nil, []string{"GET /v1/models"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			lines = nil
			got := newCaller(t, loopback).Ask(t.Context(), "team-a", Request{Subject: Subject{Provider: tc.provider, Account: tc.account}, Timeout: time.Minute, key: tc.key})
			if got.Result != Answered || got.Verdict.Key != provider.KeyValid {
				t.Errorf("got %+v", got)
			}
			if diff := cmp.Diff(tc.want, lines); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAskForTokens(t *testing.T) {
	cases := map[string]struct {
		status int
		body   string
		config string
		want   Outcome
	}{
		"revoked":     {400, `{"error":"invalid_grant"}`, loopback, Outcome{Result: Answered, HTTPStatus: 400, Verdict: provider.Verdict{Key: provider.KeyInvalid, Health: provider.Healthy}}},
		"outage":      {503, "", loopback, Outcome{Result: Answered, HTTPStatus: 503, Verdict: provider.Verdict{Key: provider.KeyUnknown, Health: provider.Unhealthy}}},
		"web page":    {200, "<html>", loopback, Outcome{Result: NoAnswer}},
		"not allowed": {200, "{}", strict, Outcome{Result: NotPermitted}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			defer server.Close()
			key := &table.Key{Kind: table.GoogleKey, Value: keyFile(t, server.URL+"/token")}
			account := provider.Account{Endpoint: "https://vertex.example.com", Project: "p", Location: "l"}
			got := newCaller(t, tc.config).Ask(t.Context(), "team-a", Request{Subject: Subject{Provider: "VertexAI", Account: account}, Timeout: time.Minute, key: key})
			if got.Result != tc.want.Result || got.HTTPStatus != tc.want.HTTPStatus || got.Verdict.Key != tc.want.Verdict.Key || got.Verdict.Health != tc.want.Verdict.Health {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if got.Message == "" {
				t.Error("there is no message")
			}
		})
	}
}

// The manager is not the proxy: it asks nobody in its name, and takes neither the identity nor the provider for bad.
func TestAskWithIdentitiesOfTheProxy(t *testing.T) {
	for _, kind := range []table.KeyKind{
		table.AWSWebIdentity, table.AWSPodIdentity, table.GoogleWorkloadIdentity, table.AzureWorkloadIdentity, table.ServiceAccountToken,
	} {
		t.Run(string(kind), func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked %s", r.URL) }))
			defer server.Close()
			account := provider.Account{Endpoint: server.URL, Region: "eu-west-1", Project: "p", Location: "l"}
			request := Request{Subject: Subject{Provider: "VertexAI", Account: account}, Timeout: time.Minute, key: &table.Key{Kind: kind}}
			got := newCaller(t, loopback).Ask(t.Context(), "team-a", request)
			if got.Result != NotPermitted || !strings.Contains(got.Message, "only the proxies can act as this identity") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// Another place in the cloud, or another API there, is another question, although the key and the endpoint are the same.
func TestPlaceIsPartOfTheQuestion(t *testing.T) {
	bedrock := func(in *input) {
		in.entry.Provider, in.entry.Region = "AWSBedrock", "eu-central-1"
		in.entry.Keys[0].Kind = table.AWSKey
	}
	asked := newInput(bedrock).subject()
	if asked.Region != "eu-central-1" || asked.Fingerprint == "" {
		t.Errorf("subject %+v", asked)
	}
	outcome := answered(provider.KeyValid, provider.Healthy)
	outcome.Subject = asked
	if planned := makePlan(newInput(bedrock, probed(0, outcome))); len(planned.probes) > 0 {
		t.Error("what was asked a moment ago is asked again")
	}
	moved := newInput(bedrock, func(in *input) { in.entry.Region = "us-east-1" }, probed(0, outcome))
	planned := makePlan(moved)
	if len(planned.probes) != 1 || planned.probes[0].Region != "us-east-1" || planned.probes[0].key.Kind != table.AWSKey {
		t.Errorf("after a move %+v is probed", planned.probes)
	}
}

func TestRequestsTheUsersOfASecret(t *testing.T) {
	ref := func(name string) v1alpha1.SecretKeyReference {
		return v1alpha1.SecretKeyReference{Name: name, Key: "key"}
	}
	token := ref("session")
	with := func(name string, auth v1alpha1.ProviderAuth) *v1alpha1.ProviderCredential {
		return controllertest.Credential("team-a", name, func(c *v1alpha1.ProviderCredential) { c.Spec.Auth = auth })
	}
	objects := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(
		with("keys", v1alpha1.ProviderAuth{Keys: []v1alpha1.ProviderKey{{Name: "k", SecretKeyRef: ref("shared")}}}),
		with("aws", v1alpha1.ProviderAuth{AWS: &v1alpha1.AWSAuth{AccessKeyIDRef: new(ref("shared")), SecretAccessKeyRef: new(ref("aws")), SessionTokenRef: &token}}),
		with("google", v1alpha1.ProviderAuth{Google: &v1alpha1.GoogleAuth{ServiceAccountKeyRef: new(ref("google"))}}),
		with("none", v1alpha1.ProviderAuth{None: &v1alpha1.NoAuth{}}),
	).Build()
	cases := map[string][]string{
		"shared": {"aws", "keys"}, "aws": {"aws"}, "session": {"aws"}, "google": {"google"}, "other": nil,
	}
	for secret, want := range cases {
		t.Run(secret, func(t *testing.T) {
			reconciler := Reconciler{Client: objects}
			var got []string
			for _, request := range reconciler.requestUsers(t.Context(), controllertest.KeySecret("team-a", secret, "sk-one")) {
				got = append(got, request.Name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}
