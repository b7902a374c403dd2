package providercredential

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// listServer is a provider whose paths answer as given; everything else is 404. It returns what was asked.
func listServer(t *testing.T, answers map[string]http.HandlerFunc) (endpoint string, asked func() []string) {
	t.Helper()
	lines := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines <- r.URL.String() + " " + r.Header.Get("Authorization")
		if answer := answers[r.URL.Path]; answer != nil {
			answer(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		close(lines)
		var all []string
		for line := range lines {
			all = append(all, line)
		}
		return all
	}
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// padded is a list of models that is longer than what a verdict needs.
func padded(bytes int) string {
	return `{"data":[{"id":"a"}],"pad":"` + strings.Repeat("x", bytes) + `"}`
}

func TestAskReadsTheListOfModels(t *testing.T) {
	const key = " Bearer sk-very-secret"
	openRouterList := "/api/v1/models?output_modalities=all&limit=1000" + key
	cases := map[string]struct {
		provider string
		answers  map[string]http.HandlerFunc
		list     bool
		want     []provider.ListedModel
		asked    []string
		// listAsked tells that the next call for the list alone has time.
		listAsked bool
		verdict   provider.KeyState
	}{
		"the probe is the list": {
			provider: "Groq", answers: map[string]http.HandlerFunc{"/openai/v1/models": answering(200, `{"data":[{"id":"a","context_window":8}]}`)},
			want: []provider.ListedModel{{ID: "a", ContextTokens: 8}}, asked: []string{"/openai/v1/models" + key}, listAsked: true, verdict: provider.KeyValid,
		},
		"the list takes another call": {
			provider: "OpenRouter", list: true,
			answers: map[string]http.HandlerFunc{"/api/v1/key": answering(200, `{}`), "/api/v1/models": answering(200, `{"data":[{"id":"a/b"}]}`)},
			want:    []provider.ListedModel{{ID: "a/b"}}, asked: []string{"/api/v1/key" + key, openRouterList}, listAsked: true, verdict: provider.KeyValid,
		},
		"the other call is not due": {
			provider: "OpenRouter", answers: map[string]http.HandlerFunc{"/api/v1/key": answering(200, `{}`)},
			asked: []string{"/api/v1/key" + key}, verdict: provider.KeyValid,
		},
		"no other call after a bad probe": {
			provider: "OpenRouter", list: true, answers: map[string]http.HandlerFunc{"/api/v1/key": answering(401, `{}`)},
			asked: []string{"/api/v1/key" + key}, verdict: provider.KeyInvalid,
		},
		"no other call with a key that is switched off": {
			provider: "XAI", list: true, answers: map[string]http.HandlerFunc{"/v1/api-key": answering(200, `{"api_key_disabled":true}`)},
			asked: []string{"/v1/api-key" + key}, verdict: provider.KeyInvalid,
		},
		"trouble with the list is none with the provider": {
			provider: "OpenRouter", list: true, answers: map[string]http.HandlerFunc{"/api/v1/key": answering(200, `{}`), "/api/v1/models": answering(500, `{"data":[{"id":"a"}]}`)},
			asked: []string{"/api/v1/key" + key, openRouterList}, listAsked: true, verdict: provider.KeyValid,
		},
		"a list that is none": {
			provider: "Groq", answers: map[string]http.HandlerFunc{"/openai/v1/models": answering(200, `{"data":"none"}`)},
			asked: []string{"/openai/v1/models" + key}, listAsked: true, verdict: provider.KeyValid,
		},
		"an error is no list": {
			provider: "Groq", answers: map[string]http.HandlerFunc{"/openai/v1/models": answering(429, `{"data":[{"id":"a"}]}`)},
			asked: []string{"/openai/v1/models" + key}, verdict: provider.KeyUnknown,
		},
		"a long list": {
			provider: "Groq", answers: map[string]http.HandlerFunc{"/openai/v1/models": answering(200, padded(1<<20))},
			want: []provider.ListedModel{{ID: "a"}}, asked: []string{"/openai/v1/models" + key}, listAsked: true, verdict: provider.KeyValid,
		},
		"a list that is too long": {
			provider: "Groq", answers: map[string]http.HandlerFunc{"/openai/v1/models": answering(200, padded(provider.MaxListBytes))},
			asked: []string{"/openai/v1/models" + key}, listAsked: true, verdict: provider.KeyValid,
		},
		"a list that breaks off": {
			provider: "Groq", answers: map[string]http.HandlerFunc{"/openai/v1/models": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "2000000")
				_, _ = w.Write([]byte(padded(1 << 20)))
			}},
			asked: []string{"/openai/v1/models" + key}, listAsked: true, verdict: provider.KeyValid,
		},
		"a provider without a list": {
			provider: "AzureOpenAI", list: true, answers: map[string]http.HandlerFunc{"/openai/v1/models": answering(200, `{"data":[{"id":"a"}]}`)},
			asked: []string{"/openai/v1/models "}, verdict: provider.KeyValid,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			endpoint, asked := listServer(t, tc.answers)
			caller := newCaller(t, loopback)
			caller.LongAnswers = make(chan struct{}, 1)
			account := provider.Account{Endpoint: endpoint}
			got := caller.Ask(t.Context(), "team-a", Request{
				Subject: Subject{Provider: tc.provider, Account: account}, Timeout: time.Minute, List: tc.list, key: &table.Key{Value: "sk-very-secret"},
			})
			if got.Result != Answered || got.Verdict.Key != tc.verdict {
				t.Errorf("got %+v", got)
			}
			var want *provider.ModelList
			if tc.want != nil {
				want = &provider.ModelList{Provider: tc.provider, Account: account, Models: tc.want, Complete: true}
			}
			if diff := cmp.Diff(want, got.List); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.asked, asked()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			var listAsked time.Time
			if tc.listAsked {
				listAsked = got.At
			}
			if !got.ListAsked.Equal(listAsked) {
				t.Errorf("the list was asked for at %s, the probe began at %s", got.ListAsked, got.At)
			}
		})
	}
}

// Long lists take memory, so only a few are read at a time; those that find no room are left for the next probe, and the verdict stands.
func TestAskReadsFewLongListsAtATime(t *testing.T) {
	endpoint, _ := listServer(t, map[string]http.HandlerFunc{"/openai/v1/models": answering(200, padded(1<<20))})
	caller := newCaller(t, loopback)
	caller.LongAnswers = make(chan struct{}, 1)
	ask := func() Outcome {
		return caller.Ask(t.Context(), "team-a", Request{Subject: Subject{Provider: "Groq", Account: provider.Account{Endpoint: endpoint}}, Timeout: time.Minute})
	}
	caller.LongAnswers <- struct{}{}
	if got := ask(); got.List != nil || got.Verdict.Key != provider.KeyValid {
		t.Errorf("got %+v", got)
	}
	<-caller.LongAnswers
	for range 2 {
		if got := ask(); got.List == nil {
			t.Errorf("got %+v", got)
		}
	}
}
