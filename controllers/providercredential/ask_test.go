package providercredential

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

type knownFacts struct{ facts apiserver.Facts }

func (k knownFacts) Facts() (apiserver.Facts, bool) { return k.facts, true }

func newCaller(t *testing.T, config string, addresses ...string) Caller {
	t.Helper()
	parsed, err := platform.Parse([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	return Caller{Config: parsed, Facts: knownFacts{apiserver.Facts{Addresses: addresses}}, Providers: registry.Default(), Clock: clock.RealClock{}}
}

const (
	strict   = "proxy: {image: a}"
	loopback = "{proxy: {image: a}, endpoints: {allowCIDRs: [127.0.0.0/8, '::1/128']}}"
)

func request(endpoint string) Request {
	return Request{Subject: Subject{Provider: "OpenAICompatible", Endpoint: endpoint}, Timeout: time.Minute, key: "sk-very-secret"}
}

func TestAskReadsAnswers(t *testing.T) {
	cases := map[string]struct {
		handler http.HandlerFunc
		want    Outcome
	}{
		"a list of models": {
			handler: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"object":"list","data":[]}`)) },
			want:    Outcome{Result: Answered, HTTPStatus: 200, Verdict: provider.Verdict{Key: provider.KeyValid, Health: provider.Healthy}},
		},
		"the key is refused": {
			handler: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"error":{}}`, http.StatusUnauthorized) },
			want:    Outcome{Result: Answered, HTTPStatus: 401, Verdict: provider.Verdict{Key: provider.KeyInvalid, Health: provider.Healthy}},
		},
		"a failure": {
			handler: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusBadGateway) },
			want:    Outcome{Result: Answered, HTTPStatus: 502, Verdict: provider.Verdict{Key: provider.KeyUnknown, Health: provider.Unhealthy}},
		},
		"a redirect is not followed": {
			handler: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
			want:    Outcome{Result: Answered, HTTPStatus: 302, Verdict: provider.Verdict{Key: provider.KeyUnknown, Health: provider.Unhealthy}},
		},
		"an endless answer": {
			handler: func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte("{"))
				chunk := []byte(strings.Repeat(" ", 1<<16))
				for {
					if _, err := w.Write(chunk); err != nil {
						return
					}
				}
			},
			want: Outcome{Result: Answered, HTTPStatus: 200, Verdict: provider.Verdict{Key: provider.KeyValid, Health: provider.Healthy}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			paths := make(chan string, 10)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				paths <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization")
				tc.handler(w, r)
			}))
			defer server.Close()
			got := newCaller(t, loopback).Ask(t.Context(), "team-a", request(server.URL+"/v1"))
			if got.Result != tc.want.Result || got.HTTPStatus != tc.want.HTTPStatus ||
				got.Verdict.Key != tc.want.Verdict.Key || got.Verdict.Health != tc.want.Verdict.Health {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if strings.Contains(got.Message, "secret") {
				t.Errorf("the message is %q", got.Message)
			}
			if asked := <-paths; asked != "GET /v1/models Bearer sk-very-secret" {
				t.Errorf("asked for %s", asked)
			}
			if len(paths) > 0 {
				t.Errorf("asked again for %s", <-paths)
			}
		})
	}
}

func TestAskRespectsWhatProbesMayReach(t *testing.T) {
	called := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called <- struct{}{} }))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	cases := map[string]struct {
		endpoint string
		caller   Caller
	}{
		"loopback":              {endpoint: server.URL, caller: newCaller(t, strict)},
		"a private address":     {endpoint: "http://10.1.2.3:8000", caller: newCaller(t, strict)},
		"another's Service":     {endpoint: "http://server.team-b.svc:8000", caller: newCaller(t, strict)},
		"metadata":              {endpoint: "http://169.254.169.254", caller: newCaller(t, strict)},
		"the API server itself": {endpoint: "http://203.0.113.7:6443", caller: newCaller(t, strict, "203.0.113.7:6443")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := tc.caller.Ask(t.Context(), "team-a", request(tc.endpoint))
			if got.Result != NotPermitted {
				t.Errorf("got %+v", got)
			}
		})
	}
	if len(called) > 0 {
		t.Errorf("%s was called", host)
	}
}

func TestAskTellsWhyThereIsNoAnswer(t *testing.T) {
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	cases := map[string]struct{ endpoint, provider, want string }{
		"nothing listens":  {endpoint: "http://" + closed.Addr().String(), provider: "OpenAICompatible", want: "refused"},
		"nothing comes":    {endpoint: "http://" + silent.Addr().String(), provider: "OpenAICompatible", want: "no answer within"},
		"no such provider": {endpoint: "http://127.0.0.1", provider: "Nobody", want: `"Nobody"`},
		"no URL":           {endpoint: "::", provider: "OpenAICompatible", want: "probe failed"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			asked := request(tc.endpoint)
			asked.Provider = tc.provider
			got := newCaller(t, loopback).Ask(ctx, "team-a", asked)
			if got.Result != NoAnswer || !strings.Contains(got.Message, tc.want) {
				t.Errorf("got %+v, want %q", got, tc.want)
			}
		})
	}
}
