package target

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/hack/bench/load"
)

func TestRenderNginx(t *testing.T) {
	for name, tc := range map[string]struct {
		uid      int
		wantUser bool
	}{"root": {0, true}, "other": {1000, false}} {
		got := renderNginx("/d", "u:1", "p:2", "s:3", tc.uid)
		if strings.Contains(got, "user root;") != tc.wantUser {
			t.Errorf("%s: user: %v", name, !tc.wantUser)
		}
		for _, want := range []string{"pid /d/nginx.pid;", "server u:1;", "listen p:2; location / { proxy_pass", "listen s:3; location / { proxy_buffering off;"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in:\n%s", name, want, got)
			}
		}
	}
}

func TestRenderManifests(t *testing.T) {
	got := renderManifests("secret-1", "127.0.0.1:5")
	for _, want := range []string{"stringData: {key: secret-1}", "endpoint: http://127.0.0.1:5/v1", "models: [bench-plain, bench-stream, bench-idle, bench-clock]",
		"models: [bench-claude-plain, bench-claude-stream]", "models: [bench-policies]", "models: [bench-budgets]", "metadata: {name: bench-hour}", "enforcement: Hard", "model: bench-plain-3,", "models: [bench-held]", "models: [bench-outage]",
		"model: bench-outage-2,"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

func TestProxyThatEndsIsReported(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	proxy := Target{Name: "proxy", PlainAddr: addr}
	if err := proxy.StartProxy("ls {file} {addr}", dir, "127.0.0.1:1", "127.0.0.1:2", -1); err != nil {
		t.Fatal(err)
	}
	err = proxy.WaitReady(t.Context(), load.Request("/", "k", "m", ""))
	if err == nil || !strings.Contains(err.Error(), "ended before it answered") || !strings.Contains(err.Error(), addr) {
		t.Errorf("got %v, want its output with %s", err, addr)
	}
	if err := proxy.Stop(); err != nil {
		t.Errorf("stopping what has ended: %v", err)
	}
}

func TestProcessIsMeasuredAndStopped(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	t.Cleanup(server.Close)
	process := Target{Name: "sleeper", PlainAddr: strings.TrimPrefix(server.URL, "http://")}
	if err := process.Start(Command{Args: []string{"sleep", "600"}, CPU: -1, Log: filepath.Join(t.TempDir(), "log")}); err != nil {
		t.Fatal(err)
	}
	if err := process.WaitReady(t.Context(), load.Request("/", "k", "m", "")); err != nil {
		t.Error(err)
	}
	if usage, err := process.Usage(); err != nil || usage.RSS == 0 {
		t.Errorf("got %+v, %v", usage, err)
	}
	begin := time.Now()
	if err := process.Stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > stopWithin/2 {
		t.Errorf("a process that obeys SIGTERM took %v to stop", took)
	}
	if _, err := process.Usage(); err == nil {
		t.Error("a stopped process still has usage")
	}
}

func TestWaitReadyHonoursItsContext(t *testing.T) {
	process := Target{Name: "sleeper", PlainAddr: "127.0.0.1:1"}
	if err := process.Start(Command{Args: []string{"sleep", "600"}, CPU: -1, Log: filepath.Join(t.TempDir(), "log")}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := process.WaitReady(ctx, nil); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("got %v", err)
	}
	if err := process.Stop(); err != nil {
		t.Error(err)
	}
}
