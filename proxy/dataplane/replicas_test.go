package dataplane

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/control/controltest"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/table"
)

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// found is a Service that lists machines of loopback.
func found(machines ...string) func(context.Context) ([]netip.Addr, error) {
	return func(context.Context) ([]netip.Addr, error) {
		var addrs []netip.Addr
		for _, machine := range machines {
			addrs = append(addrs, netip.MustParseAddr(machine))
		}
		return addrs, nil
	}
}

// startReplica starts a data plane at an address of loopback.
func startReplica(t *testing.T, ip, port string, lookup func(context.Context) ([]netip.Addr, error)) *plane {
	t.Helper()
	return start(t, func(o *Options) {
		o.ControlAddr, o.PodIP, o.LookupPeers, o.Owner = net.JoinHostPort(ip, port), netip.MustParseAddr(ip), lookup, ledger.NewOwner(ip, time.Now())
	})
}

// awaitMetric polls until the metrics hold a line.
func (p *plane) awaitMetric(want string) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		_, metrics := p.get("/metrics")
		if strings.Contains(metrics, want) {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the metrics never hold %s", want)
		}
	}
}

// TestReplicasFindEachOtherAndTakeLeave: a replica is reckoned with as long as one of its requests goes on.
func TestReplicasFindEachOtherAndTakeLeave(t *testing.T) {
	address, finish := slowStream(t)
	routes, port := tableFor(address), freePort(t)
	routes.Control = controltest.NewPair(t)
	lookup := found("127.0.0.1", "127.0.0.2")
	a, b := startReplica(t, "127.0.0.1", port, lookup), startReplica(t, "127.0.0.2", port, lookup)
	for _, p := range []*plane{a, b} {
		p.source <- routes
	}
	for _, p := range []*plane{a, b} {
		p.awaitReady(http.StatusOK)
		p.awaitMetric("signalbox_peers 1")
		p.awaitMetric(`signalbox_peers_settled_total{result="complete"} 1`)
	}
	// One of a pair calls the other, which counts nothing.
	_, ofA := a.get("/metrics")
	_, ofB := b.get("/metrics")
	if !strings.Contains(ofA+ofB, `signalbox_peer_exchanges_total{result="ok"}`) {
		t.Error("no exchange is counted")
	}
	stream := a.open(http.DefaultClient)
	a.terminate()
	a.awaitReady(http.StatusServiceUnavailable)
	if _, metrics := b.get("/metrics"); !strings.Contains(metrics, "signalbox_peers 1") {
		t.Error("the other replica is forgotten while it answers a request")
	}
	close(finish)
	if _, err := io.Copy(io.Discard, stream.body); err != nil {
		t.Error(err)
	}
	if err := a.end(); err != nil {
		t.Error(err)
	}
	// It is still listed, so only its goodbye can have told.
	b.awaitMetric("signalbox_peers 0")
}

// TestReplicaWithLimitsWaitsForTheOthers: a replica that would refuse what it is sent asks for nothing to be sent. Without limits there is nothing to wait
// for.
func TestReplicaWithLimitsWaitsForTheOthers(t *testing.T) {
	address, _ := slowStream(t)
	var there atomic.Bool
	lookup := func(context.Context) ([]netip.Addr, error) {
		if !there.Load() {
			return nil, errors.New("not yet")
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	p := startReplica(t, "127.0.0.1", freePort(t), lookup)
	routes := tableFor(address)
	routes.Control = controltest.NewPair(t)
	p.source <- routes
	p.awaitReady(http.StatusOK)
	limited := tableFor(address)
	limited.Control, limited.Sequence = routes.Control, 4
	limited.Routes[0].Limits = []table.Limit{{Per: table.PerRoute, Concurrency: 5}}
	p.source <- limited
	if body := p.awaitReady(http.StatusServiceUnavailable); body != "the other replicas are not known yet\n" {
		t.Errorf("readiness says %q", body)
	}
	there.Store(true)
	p.awaitReady(http.StatusOK)
}

// TestLimitWaitsForNobodyWithoutPeers: on a laptop there is one replica, and it has all of every limit.
func TestLimitWaitsForNobodyWithoutPeers(t *testing.T) {
	address, finish := slowStream(t)
	close(finish)
	p := start(t, unchanged)
	routes := tableFor(address)
	routes.Routes[0].Limits = []table.Limit{{Per: table.PerRoute, Concurrency: 1}}
	p.source <- routes
	p.awaitReady(http.StatusOK)
	if stream := p.open(http.DefaultClient); stream.status != http.StatusOK {
		t.Errorf("status %d", stream.status)
	}
}

// TestCoolDownReachesTheOtherReplica: what one replica was told by a provider, the other one knows without having asked.
func TestCoolDownReachesTheOtherReplica(t *testing.T) {
	var calls atomic.Int64
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Retry-After", "600")
		http.Error(w, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`, http.StatusTooManyRequests)
	}))
	t.Cleanup(backend.Close)
	routes, port := tableFor(backend.URL), freePort(t)
	routes.Control = controltest.NewPair(t)
	lookup := found("127.0.0.1", "127.0.0.2")
	a, b := startReplica(t, "127.0.0.1", port, lookup), startReplica(t, "127.0.0.2", port, lookup)
	for _, p := range []*plane{a, b} {
		p.source <- routes
	}
	for _, p := range []*plane{a, b} {
		p.awaitReady(http.StatusOK)
		p.awaitMetric("signalbox_peers 1")
	}
	if stream := a.open(http.DefaultClient); stream.status == http.StatusOK {
		t.Fatalf("status %d", stream.status)
	}
	b.awaitMetric("signalbox_target_blocked{")
	before := calls.Load()
	if stream := b.open(http.DefaultClient); stream.status == http.StatusOK {
		t.Errorf("status %d", stream.status)
	}
	if got := calls.Load() - before; got != 0 {
		t.Errorf("the other replica called the provider %d times", got)
	}
}
