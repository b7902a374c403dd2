package server

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/traffic"
	"signalbox.dev/signalbox/proxy/upstream"
	"signalbox.dev/signalbox/proxy/window"
)

// TestACallThatDoesNotGetThroughIsToldWhileItWaits: the manager hears of it before it has failed, and it counts as one without a connection also when its client
// does not wait for that.
func TestACallThatDoesNotGetThroughIsToldWhileItWaits(t *testing.T) {
	told := make(chan struct{}, 10)
	nowhere := func(ctx context.Context, network, address string) (net.Conn, error) {
		<-ctx.Done()
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	h := newHarness(t, []http.HandlerFunc{http.NotFound}, func(o *Options, _ *table.Table) {
		o.Health = health.NewRegistry(health.Options{Ended: func() { told <- struct{}{} }})
		o.NewTransport = func(table.EndpointRules) (http.RoundTripper, error) {
			return upstream.New(upstream.Options{DialContext: nowhere, DialTimeout: patience}), nil
		}
	})
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if response, err := http.DefaultClient.Do(h.request(ctx, ask{id: "lost"})); err == nil {
			t.Errorf("it is answered with status %d", response.StatusCode)
			_ = response.Body.Close()
		}
	}()
	select {
	case <-told:
	case <-time.After(patience):
		t.Fatal("nothing is told")
	}
	h.expectCalls(1, window.Counts{})
	hangUp()
	<-gone
	h.log.request(t, "lost")
	h.expectCalls(0, window.Counts{window.Unreachable: 1})
}

// expectCalls checks what is told of the first credential.
func (h *harness) expectCalls(waiting int64, ended window.Counts) {
	h.t.Helper()
	var first traffic.Credential
	if all := h.server.Credentials(time.Now()); len(all) > 0 {
		first = all[0]
	}
	if first.Waiting != waiting || first.Minute != ended {
		h.t.Errorf("%d wait, and %v have ended, want %d and %v", first.Waiting, first.Minute, waiting, ended)
	}
}
