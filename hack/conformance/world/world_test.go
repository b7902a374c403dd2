package world

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
)

// TestFrontPassesStreams: a program that trusts the authority reaches what is behind the front, by the vendor's name, and gets a stream as it comes.
func TestFrontPassesStreams(t *testing.T) {
	release := make(chan struct{})
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/models" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, "the first part")
		w.(http.Flusher).Flush()
		<-release
	}))
	defer behind.Close()
	dir := t.TempDir()
	front, err := StartFront(t.Context(), dir, behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(filepath.Join(dir, "authority.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: "openrouter.ai", MinVersion: tls.VersionTLS12}}
	connection, err := dialer.DialContext(t.Context(), "tcp", front.addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(connection, "GET /api/v1/models HTTP/1.1\r\nHost: openrouter.ai\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	for buffer := make([]byte, 512); !strings.Contains(seen.String(), "the first part"); {
		n, err := connection.Read(buffer)
		if err != nil {
			t.Fatalf("after %q: %v", seen.String(), err)
		}
		seen.Write(buffer[:n])
	}
	close(release)
	if err := connection.Close(); err != nil {
		t.Error(err)
	}
	if err := front.Stop(); err != nil {
		t.Error(err)
	}
}

func TestPrograms(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	ready := regexp.MustCompile(`^on (\S+)$`)
	p, err := start(t.Context(), log, ready, "sh", "-c", "echo starting; echo on 127.0.0.1:7; exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	if p.found[1] != "127.0.0.1:7" {
		t.Errorf("found %q", p.found)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := start(t.Context(), log, ready, "sh", "-c", "echo broken; exit 1"); err == nil {
		t.Error("a program that ends at once is no error")
	}
	if _, err := start(t.Context(), log, ready, "/does/not/exist"); err == nil {
		t.Error("a program that is not there is no error")
	}
}

// TestFaultsAreChosenByModel: each model that stands for a fault gets it, and no other.
func TestFaultsAreChosenByModel(t *testing.T) {
	got := map[string]string{}
	for _, f := range faults(catalogue.Upstreams()) {
		got[f.Match["model"]] = f.Kind
		if f.Times != -1 {
			t.Errorf("%s ends", f.Match["model"])
		}
	}
	for _, u := range catalogue.Upstreams() {
		for purpose, id := range u.Models {
			want := map[string]string{"busy": "Status", "stall": "Stall", "picky": "Status", "broken": "ErrorEvent"}[purpose]
			if got[id] != want {
				t.Errorf("%s: fault %q, want %q", id, got[id], want)
			}
		}
	}
}

// TestRoutes: each name that clients are told is the model of one route, and each client has keys of its own.
func TestRoutes(t *testing.T) {
	clients := []string{"one", "two"}
	manifests := Manifests(catalogue.Upstreams(), clients, "http://127.0.0.1:1", "{}")
	for _, u := range catalogue.Upstreams() {
		names := Aliases(u)
		for _, purpose := range []string{"chat", "picky", "fallback", "priced", "session", "limited", "closed"} {
			if names[purpose] == "" {
				t.Errorf("%s has no name for %s", u.Name, purpose)
			}
		}
		for purpose, name := range names {
			if n := strings.Count(manifests, "models: ["+name+"]\n"); n != 1 || !strings.Contains(manifests, "metadata: {name: "+u.Name+"-"+purpose+"}") {
				t.Errorf("%d routes serve %s, want one, %s-%s", n, name, u.Name, purpose)
			}
		}
	}
	for _, client := range clients {
		keys := Keys(client)
		for key, want := range map[string]int{keys.Key: 1, keys.Renewed: 1, keys.Revoked: 0} {
			if n := strings.Count(manifests, "{key: "+key+"}"); n != want {
				t.Errorf("the key %s is there %d times, want %d", key, n, want)
			}
		}
	}
}

// TestBudgets: the routes with Hard budgets are in front of the upstreams that the surface is tried with, each budget counts a route that is there, and believes
// all clients; the account's client alone has a budget over all routes.
func TestBudgets(t *testing.T) {
	clients := []string{"one", plan.Accountant}
	for _, u := range catalogue.Upstreams() {
		manifests := Manifests([]catalogue.Upstream{u}, clients, "http://127.0.0.1:1", "{}")
		want := 0
		if slices.Contains(catalogue.MoneyUpstreams(), u.Name) {
			want = 1
		}
		for _, purpose := range []string{plan.Budgeted, plan.Spent, plan.Unbounded} {
			routes := strings.Count(manifests, "metadata: {name: "+u.Name+"-"+purpose+"}\nspec:\n  models:")
			counted := strings.Contains(manifests, "enforcement: Hard, appliesTo: {routes: ["+u.Name+"-"+purpose+"]}")
			if routes != want || counted != (want == 1) {
				t.Errorf("%s: %d routes %s, want %d; a Hard budget counts it: %t", u.Name, routes, purpose, want, counted)
			}
		}
		if n := strings.Count(manifests, "trustedCallers: [{accessKey: client-one}, {accessKey: client-openrouter-sdk}]"); n != 2*want {
			t.Errorf("%s: %d budgets believe all clients, want %d", u.Name, n, 2*want)
		}
		if n := strings.Count(manifests, "appliesTo: {callers: [{accessKey: client-openrouter-sdk}]}"); n != 1 {
			t.Errorf("%s: %d budgets for the account, want 1", u.Name, n)
		}
	}
	if strings.Contains(Manifests(nil, []string{"one"}, "http://127.0.0.1:1", "{}"), allowanceBudget) {
		t.Error("there is a budget for a client that does not run")
	}
}

func TestSpent(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "default"), 0o700); err != nil {
		t.Fatal(err)
	}
	ledger, err := json.Marshal(map[string]any{"format": 1, "windows": []any{map[string]any{
		"period": "Total", "folded": map[string]int{"spent": 5}, "owners": map[string]any{"a": map[string]int{"spent": 7}, "b": map[string]int{"spent": 11}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "default", "signalbox-ledger-b.ledger.json"), ledger, 0o600); err != nil {
		t.Fatal(err)
	}
	p := Proxy{State: dir}
	if spent, err := p.Spent("default", "b"); err != nil || spent != 23 {
		t.Errorf("%d, %v", spent, err)
	}
	if _, err := p.Spent("default", "other"); err == nil {
		t.Error("a ledger that is not there is no error")
	}
}
