package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAffinityKeepsItsServer(t *testing.T) {
	f := newFarm(4)
	transport := f.transport(t, nil)
	servers := map[string]bool{}
	for hash := range uint64(20) {
		first := ask(t, transport, hash)
		servers[first] = true
		for range 3 {
			if got := ask(t, transport, hash); got != first {
				t.Errorf("hash %d went to %s and %s", hash, first, got)
			}
		}
	}
	if len(servers) != 4 {
		t.Errorf("20 hashes went to %d servers, want 4", len(servers))
	}
}

// Two processes choose the same server.
func TestAffinityIsTheSameInEveryTransport(t *testing.T) {
	f := newFarm(4)
	one, other := f.transport(t, nil), f.transport(t, nil)
	for hash := range uint64(20) {
		if first, second := ask(t, one, hash), ask(t, other, hash); first != second {
			t.Errorf("hash %d went to %s and %s", hash, first, second)
		}
	}
}

func TestRequestsWithoutAffinityUseAllServers(t *testing.T) {
	f := newFarm(3)
	transport := f.transport(t, nil)
	var ends []func()
	for range 30 {
		ends = append(ends, begin(t, transport, newRequest(t, http.MethodPost, "http://vllm", "prompt")))
	}
	set, err := transport.services.find(t.Context(), poolKey{scheme: "http", host: "vllm"}, newRequest(t, http.MethodGet, "http://vllm", "").URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range set.replicas {
		if n := r.inFlight.Load(); n < 8 || n > 12 {
			t.Errorf("%s has %d of 30 requests", r.address, n)
		}
	}
	for _, end := range ends {
		end()
	}
	if n := inFlight(transport); n != 0 {
		t.Errorf("%d requests are still counted", n)
	}
}

// whereTo returns the servers in the order in which a request with the hash tries them.
func whereTo(t *testing.T, servers int, hash uint64) []string {
	t.Helper()
	best := newReplicas(servers).byAffinity(hash, time.Now())
	var addresses []string
	for _, r := range best[:best.count()] {
		addresses = append(addresses, r.address+":80")
	}
	return addresses
}

func TestServerThatTakesNoConnection(t *testing.T) {
	places := whereTo(t, 5, 7)
	cases := map[string]struct {
		down        []string
		want        string // who answers; empty for an error
		wantDialled []string
	}{
		"none":                  {nil, places[0], places[:1]},
		"the first":             {places[:1], places[1], places[:2]},
		"two":                   {places[:2], places[2], places[:3]},
		"three, one too many":   {places[:3], "", places[:3]},
		"one that is not asked": {places[1:2], places[0], places[:1]},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFarm(5)
			for _, address := range tc.down {
				f.refusing[address] = true
			}
			transport := f.transport(t, nil)
			got := ""
			if tc.want != "" {
				got = ask(t, transport, 7)
			} else if kind, _ := KindOf(tryRoundTrip(transport, affine(t, 7))); kind != NotSent {
				t.Errorf("error of kind %v, want %v", kind, NotSent)
			}
			_, dialled := f.look()
			if got != tc.want || !slices.Equal(dialled, tc.wantDialled) {
				t.Errorf("%q answered after dialling %v, want %q after %v", got, dialled, tc.want, tc.wantDialled)
			}
			if n := inFlight(transport); n != 0 {
				t.Errorf("%d requests are still counted", n)
			}
		})
	}
}

// The second request does not try the dead server; one after its time does, and affinity is as before.
func TestDeadServerIsAvoidedAndFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := whereTo(t, 3, 7)
		f := newFarm(3)
		f.refusing[places[0]] = true
		transport := f.transport(t, nil)
		for _, step := range []struct {
			pause       time.Duration
			back        bool
			want        string
			wantDialled []string
		}{
			{0, false, places[1], places[:2]},
			{0, false, places[1], nil},
			{avoidance, false, places[1], places[:1]},
			{avoidance - 1, true, places[1], nil},
			{1, true, places[0], places[:1]},
			{0, true, places[0], nil},
		} {
			<-time.After(step.pause)
			f.set(func(f *farm) { f.refusing[places[0]] = !step.back })
			got := ask(t, transport, 7)
			if _, dialled := f.look(); got != step.want || !slices.Equal(dialled, step.wantDialled) {
				t.Errorf("%s answered after dialling %v, want %s after %v", got, dialled, step.want, step.wantDialled)
			}
		}
		transport.CloseIdleConnections()
	})
}

// Servers that say nothing at all cost a fifth of the time each, and all together no more than one host does.
func TestSilentServers(t *testing.T) {
	places := whereTo(t, 3, 7)
	cases := map[string]struct {
		silent []string
		want   time.Duration
	}{
		"one":   {places[:1], 1200 * time.Millisecond},
		"two":   {places[:2], 2400 * time.Millisecond},
		"three": {places, 6 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFarm(3)
				for _, address := range tc.silent {
					f.silent[address] = true
				}
				transport := f.transport(t, nil)
				start := time.Now()
				err := tryRoundTrip(transport, affine(t, 7))
				if took := time.Since(start); took != tc.want || (err != nil) != (len(tc.silent) == 3) {
					t.Errorf("after %v: %v; want %v", took, err, tc.want)
				}
				transport.CloseIdleConnections()
			})
		})
	}
}

// The end of the request's context is nothing that the server did, and nobody waits for another one.
func TestCancelledWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := whereTo(t, 3, 7)
		f := newFarm(3)
		f.silent[places[0]] = true
		transport := f.transport(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := tryRoundTrip(transport, affine(t, 7).WithContext(WithAffinity(ctx, 7)))
		if kind, _ := KindOf(err); kind != NotSent || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline of kind %v", err, NotSent)
		}
		f.set(func(f *farm) { f.silent[places[0]] = false })
		if got := ask(t, transport, 7); got != places[0] {
			t.Errorf("%s answered, want %s", got, places[0])
		}
		if _, dialled := f.look(); len(dialled) != 2 {
			t.Errorf("dialled %v, want the first one twice", dialled)
		}
		transport.CloseIdleConnections()
	})
}

// A request that was sent is not sent to another server.
func TestServerThatDiesOnARequest(t *testing.T) {
	places := whereTo(t, 3, 7)
	f := newFarm(3)
	f.dying[places[0]] = true
	transport := f.transport(t, nil)
	if kind, _ := KindOf(tryRoundTrip(transport, affine(t, 7))); kind != SentNoResponse {
		t.Errorf("error of kind %v, want %v", kind, SentNoResponse)
	}
	if _, dialled := f.look(); !slices.Equal(dialled, places[:1]) {
		t.Errorf("dialled %v, want %v", dialled, places[:1])
	}
	if n := inFlight(transport); n != 0 {
		t.Errorf("%d requests are still counted", n)
	}
}

// A body that was read for a connection that turned out to be dead is whole at the next server.
func TestBodyIsSentAgainToTheNextServer(t *testing.T) {
	places := whereTo(t, 3, 7)
	f := newFarm(3)
	transport := f.transport(t, nil)
	if got := ask(t, transport, 7); got != places[0] {
		t.Fatalf("%s answered, want %s", got, places[0])
	}
	f.set(func(f *farm) { f.dying[places[0]], f.refusing[places[0]] = true, true })
	req := affine(t, 7)
	req.Header.Set("Idempotency-Key", "1")
	if got := roundTrip(t, transport, req).Body; got != places[1]+" prompt" {
		t.Errorf("got %q, want the prompt at %s", got, places[1])
	}
}

// A response counts until its end, whatever that is.
func TestInFlightEndsWithTheResponse(t *testing.T) {
	long := "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"
	cases := map[string]struct {
		reply string
		end   func(*testing.T, *http.Response)
		want  int64 // before the end
	}{
		"read to its end": {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", func(t *testing.T, resp *http.Response) {
			if _, err := io.ReadAll(resp.Body); err != nil {
				t.Error(err)
			}
		}, 1},
		"closed early": {long, func(t *testing.T, resp *http.Response) {
			if err := errors.Join(resp.Body.Close(), resp.Body.Close()); err != nil {
				t.Error(err)
			}
		}, 1},
		"broken": {long, func(t *testing.T, resp *http.Response) {
			if _, err := io.ReadAll(resp.Body); err == nil {
				t.Error("the body is whole")
			}
		}, 1},
		"without body": {"HTTP/1.1 204 No Content\r\n\r\n", func(*testing.T, *http.Response) {}, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFarm(2)
			server := newRawServer(t, func(c *rawConn, _ int) {
				if c.request() != nil {
					c.send(tc.reply)
				}
			})
			transport := f.transport(t, func(o *Options) { o.DialContext = redirected(server.url) })
			resp, err := transport.RoundTrip(affine(t, 1))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			if n := inFlight(transport); n != tc.want {
				t.Errorf("%d in flight before the end, want %d", n, tc.want)
			}
			tc.end(t, resp)
			if n := inFlight(transport); n != 0 {
				t.Errorf("%d in flight after the end, want 0", n)
			}
		})
	}
}

// redirected dials one server whatever the address.
func redirected(url string) DialFunc {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(strings.TrimPrefix(url, "http://"), "https://"))
	}
}

// The certificate is checked for the host, not for the address.
func TestTLSOfAServerBehindAHost(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for host, want := range map[string]bool{"example.com": true, "vllm.example.org": false} {
		resolver := staticResolver{serverAddr(1), serverAddr(2)}
		transport := newTransport(t, func(o *Options) {
			o.DialContext, o.Resolver = redirected(server.URL), resolver
			o.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		})
		err := tryRoundTrip(transport, newRequest(t, http.MethodPost, "https://"+host, "x"))
		if (err == nil) != want {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// staticResolver spreads every host over the same servers.
type staticResolver []netip.Addr

func (r staticResolver) Spreads(string) bool { return true }

func (r staticResolver) Replicas(context.Context, string) ([]netip.Addr, error) { return r, nil }

// A server that refuses TLS with an alert is there: the others are not asked, and the standard library is.
func TestHTTP2OnlyServersBehindAHost(t *testing.T) {
	server, roots, handshakes := newHTTP2Server(t, func(http.ResponseWriter, *http.Request) {})
	selecting := NewSelecting(Options{
		DialContext: redirected(server.URL), Resolver: staticResolver{serverAddr(1), serverAddr(2)},
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}, nil)
	t.Cleanup(selecting.CloseIdleConnections)
	for range 2 {
		if got := roundTrip(t, selecting, newRequest(t, http.MethodPost, "https://example.com", "x")); got.Proto != "HTTP/2.0" {
			t.Errorf("answered with %s", got.Proto)
		}
	}
	if n := handshakes.Load(); n != 2 {
		t.Errorf("%d handshakes, want 2: the refused one and one for HTTP/2", n)
	}
	if n := inFlight(selecting.fast); n != 0 {
		t.Errorf("%d requests are still counted", n)
	}
}

// The servers behind a host share its bound on idle connections, and the connections of one that is gone are closed.
func TestIdleConnectionsOfServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(4)
		transport := f.transport(t, func(o *Options) { o.MaxIdlePerHost = 10 })
		var ends []func()
		for hash := range uint64(200) {
			ends = append(ends, begin(t, transport, affine(t, hash)))
		}
		for _, end := range ends {
			end()
		}
		for key, conns := range transport.pool.idle {
			if len(conns) != 3 {
				t.Errorf("%s keeps %d idle connections, want 3", key.host, len(conns))
			}
		}
		if n := idleCount(transport); n != 12 {
			t.Errorf("%d idle connections, want 12", n)
		}
		f.resize(2)
		<-time.After(refreshAfter)
		stays := uint64(0)
		for whereTo(t, 4, stays)[0] != "10.0.0.1:80" {
			stays++
		}
		ask(t, transport, stays)
		synctest.Wait()
		if n := idleCount(transport); n != 6 {
			t.Errorf("%d idle connections after two servers have gone, want 6", n)
		}
		transport.CloseIdleConnections()
	})
}

// Servers come and go while requests are under way; nothing is counted twice or forgotten.
func TestServersComeAndGoUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm(3)
		transport := f.transport(t, nil)
		var requests sync.WaitGroup
		for worker := range uint64(8) {
			requests.Go(func() {
				for i := range uint64(200) {
					req := newRequest(t, http.MethodPost, "http://vllm", "prompt")
					if worker%2 == 0 {
						req = affine(t, worker*1000+i)
					}
					if got := roundTrip(t, transport, req).Body; !strings.HasSuffix(got, " prompt") {
						t.Errorf("got %q", got)
					}
					<-time.After(50 * time.Millisecond)
				}
			})
		}
		for round := range 5 {
			<-time.After(2 * time.Second)
			f.resize(2 + round%4)
		}
		requests.Wait()
		if n := inFlight(transport); n != 0 {
			t.Errorf("%d requests are still counted", n)
		}
		if lookups, _ := f.look(); lookups < 3 || lookups > 6 {
			t.Errorf("%d lookups in 10 s, want one every 2 s", lookups)
		}
		transport.CloseIdleConnections()
	})
}

func TestAffinityContext(t *testing.T) {
	type key struct{}
	parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	ctx := context.WithValue(WithAffinity(parent, 42), key{}, "inner")
	if hash, found := affinityOf(ctx); hash != 42 || !found {
		t.Errorf("got %d, %v", hash, found)
	}
	if got := WithAffinity(parent, 1).Value(key{}); got != "value" {
		t.Errorf("got the value %v", got)
	}
	if hash, _ := affinityOf(WithAffinity(ctx, 0)); hash != 0 {
		t.Errorf("got %d, want the inner hash", hash)
	}
	if _, found := affinityOf(parent); found {
		t.Error("found a hash where there is none")
	}
	cancel()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("got %v after the parent was cancelled", ctx.Err())
	}
	if n := testing.AllocsPerRun(100, func() { ctx = WithAffinity(parent, 1) }); n > 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}
