package providercredential

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
	"signalbox.dev/signalbox/proxy/table"
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
	return Request{Subject: Subject{Provider: "OpenAICompatible", Account: provider.Account{Endpoint: endpoint}}, Timeout: time.Minute, key: &table.Key{Value: "sk-very-secret"}}
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

// TestAskTellsTheSameTroubleInTheSameWords tells of a provider that resets its connections: with the local port in the message, every route that repeats it
// had its status written after each probe.
func TestAskTellsTheSameTroubleInTheSameWords(t *testing.T) {
	resetting, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resetting.Close() }()
	go func() {
		for {
			conn, err := resetting.Accept()
			if err != nil {
				return
			}
			if _, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
				_ = conn.(*net.TCPConn).SetLinger(0)
			}
			_ = conn.Close()
		}
	}()
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	for name, address := range map[string]net.Addr{"reset": resetting.Addr(), "silent": silent.Addr()} {
		t.Run(name, func(t *testing.T) {
			said := map[string]bool{}
			for i := range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(200+20*i)*time.Millisecond)
				said[newCaller(t, loopback).Ask(ctx, "team-a", request("http://"+address.String())).Message] = true
				cancel()
			}
			if len(said) != 1 {
				t.Errorf("said %v", said)
			}
		})
	}
}

// TestAskChecksWhereANameLeads gives the prober names that look harmless and lead to what it must not reach.
func TestAskChecksWhereANameLeads(t *testing.T) {
	called := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called <- struct{}{} }))
	defer server.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ leadsTo, want string }{
		"loopback":        {"127.0.0.1", "loopback"},
		"metadata":        {"169.254.169.254", "metadata"},
		"link-local":      {"169.254.7.7", "link-local"},
		"private address": {"10.1.2.3", "probe"},
		"API server":      {"203.0.113.7", "API server"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			caller := newCaller(t, strict, "203.0.113.7:"+port)
			caller.Resolver = resolverTo(t, tc.leadsTo)
			got := caller.Ask(t.Context(), "team-a", request("http://harmless.example.com:"+port))
			if got.Result != NotPermitted || !strings.Contains(got.Message, tc.want) || !strings.Contains(got.Message, "harmless.example.com") {
				t.Errorf("got %+v, want %q", got, tc.want)
			}
		})
	}
	if len(called) > 0 {
		t.Error("the server was called")
	}
}

// resolverTo answers every question about a name with one IPv4 address.
func resolverTo(t *testing.T, address string) *net.Resolver {
	t.Helper()
	server, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	ip := netip.MustParseAddr(address).As4()
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(answer(buffer[:n], ip), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// answer is a DNS reply with one A record, or with none to a question about another type.
func answer(query []byte, ip [4]byte) []byte {
	const header = 12
	end := header + bytes.IndexByte(query[header:], 0) + 5 // the name, its type and its class
	question := query[header:end]
	if question[len(question)-3] != 1 {
		return slices.Concat(query[:2], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question)
	}
	return slices.Concat(query[:2], []byte{0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}, question, []byte{0xc0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4}, ip[:])
}

// The API would take no status with a status in it that HTTP does not have.
func TestStatusThatHTTPDoesNotHave(t *testing.T) {
	for status, want := range map[int]int32{0: 0, 99: 0, 100: 100, 599: 599, 600: 0, 999: 0} {
		if got := (Outcome{}).answered(status, provider.Verdict{}).HTTPStatus; got != want {
			t.Errorf("status %d is told as %d, want %d", status, got, want)
		}
	}
}
