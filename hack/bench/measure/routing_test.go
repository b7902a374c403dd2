package measure

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"signalbox.dev/signalbox/hack/bench/report"
	"signalbox.dev/signalbox/hack/bench/upstream"
)

// behind puts a proxy that answers so many requests at a time before the upstream of a bench, and repeats what failed.
func behind(t *testing.T, b *Bench, room int64, attempts int) {
	t.Helper()
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: b.Direct.PlainAddr})
	forward.FlushInterval = -1
	var inside atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer inside.Add(-1)
		if inside.Add(1) > room {
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(string(body), upstream.ModelOutage) {
			for range attempts - 1 {
				forward.ServeHTTP(httptest.NewRecorder(), again(r, body))
			}
		}
		forward.ServeHTTP(w, again(r, body))
	}))
	t.Cleanup(server.Close)
	addr := strings.TrimPrefix(server.URL, "http://")
	b.Proxy.PlainAddr, b.Proxy.StreamAddr = addr, addr
}

func again(r *http.Request, body []byte) *http.Request {
	copied := r.Clone(r.Context())
	copied.Body, copied.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
	return copied
}

func TestRouting(t *testing.T) {
	b := setUp(t)
	behind(t, b, int64(b.Plan.FullStreams), 3)
	var r report.Report
	if err := b.Routing(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	shedding := r.Routing.Shedding
	checkPlain(t, map[string]report.Load{"policies": r.Routing.Policies, "full": shedding.Loaded, "full, alone": shedding.Alone})
	if shedding.Streams != 40 || shedding.Ended != 40 {
		t.Errorf("%d of %d streams ended well", shedding.Ended, shedding.Streams)
	}
	if o := r.Routing.Outage; o.Requests != 20 || o.Attempts != 60 || o.AttemptsPerRequest != 3 || o.Broken != 0 || o.SlowestMillis <= 0 {
		t.Errorf("outage: %+v", o)
	}
}

// TestProxyThatIsNotFullIsNoFigure: answers are no refusals.
func TestProxyThatIsNotFullIsNoFigure(t *testing.T) {
	b := setUp(t)
	behind(t, b, 1000, 1)
	err := b.Routing(t.Context(), &report.Report{})
	if err == nil || !strings.Contains(err.Error(), "status 503 was wanted") {
		t.Errorf("got %v", err)
	}
}

// TestStreamsThatAreCutAreCounted: one of them is cut while it is open.
func TestStreamsThatAreCutAreCounted(t *testing.T) {
	b := setUp(t)
	conns, err := openStreams(t.Context(), b.Direct, upstream.ModelHeld, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := conns[0].Close(); err != nil {
		t.Error(err)
	}
	b.Upstream.Release()
	ended, err := finish(conns)
	closeAll(conns)
	if ended != 2 || err == nil {
		t.Errorf("%d ended, %v", ended, err)
	}
}

// TestOutageWithAnAnswerIsNoFigure: what is not down is not measured as if it were.
func TestOutageWithAnAnswerIsNoFigure(t *testing.T) {
	b := setUp(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	t.Cleanup(server.Close)
	b.Proxy.PlainAddr = strings.TrimPrefix(server.URL, "http://")
	if got, err := b.outage(t.Context()); err == nil {
		t.Errorf("got %+v", got)
	}
}
