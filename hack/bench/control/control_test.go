package control

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fakeKubectl writes what it is asked to do into files, as a cluster would keep it.
const fakeKubectl = `#!/bin/sh
echo "$@" >> "$KUBECONFIG.calls"
case "$1" in
apply) cat >> "$KUBECONFIG.applied" ;;
wait) [ ! -e "$KUBECONFIG.broken" ] || { echo "timed out waiting" >&2; exit 1; } ;;
esac
`

// cluster is a stand-in: kubectl keeps what is applied, and the proxy serves the models that it finds there.
func cluster(t *testing.T) (Options, string) {
	t.Helper()
	dir := t.TempDir()
	kubectl, config := filepath.Join(dir, "kubectl"), filepath.Join(dir, "config")
	if err := os.WriteFile(kubectl, []byte(fakeKubectl), 0o700); err != nil {
		t.Fatal(err)
	}
	model := regexp.MustCompile(`"model":"([^"]+)"`)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		applied, readErr := os.ReadFile(filepath.Clean(config + ".applied"))
		asked := model.FindSubmatch(body)
		if err != nil || readErr != nil || asked == nil || !strings.Contains(string(applied), "models: ["+string(asked[1])+"]") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(proxy.Close)
	return Options{
		Kubectl: kubectl, Kubeconfig: config, Namespace: "ns-1", Endpoint: "http://model.svc/v1", ProxyAddr: strings.TrimPrefix(proxy.URL, "http://"),
		Sizes: []int{1, 4}, Samples: 3, Say: func(string, ...any) {},
	}, config
}

func TestMeasure(t *testing.T) {
	options, config := cluster(t)
	got, err := Measure(t.Context(), options)
	if err != nil || len(got) != 2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for i, f := range got {
		if f.Routes != options.Sizes[i] || f.Samples != 3 || f.P50 <= 0 || f.P99 < f.P50 || f.AfterApplyP50 > f.P50 {
			t.Errorf("got %+v", f)
		}
	}
	calls := contents(t, config+".calls")
	for want, times := range map[string]int{"delete -n ns-1 mroute/probe-": 6, "delete namespace ns-1": 1, "apply --server-side": 1 + 1 + 6} {
		if got := strings.Count(calls, want); got != times {
			t.Errorf("%q: %d times, want %d, in:\n%s", want, got, times, calls)
		}
	}
	if applied := contents(t, config+".applied"); strings.Count(applied, "name: filler-") != 4 {
		t.Errorf("applied:\n%s", applied)
	}
}

func contents(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Clean(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestMeasureCleansUpAfterAFailure(t *testing.T) {
	options, config := cluster(t)
	if err := os.WriteFile(config+".broken", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Measure(t.Context(), options); err == nil || !strings.Contains(err.Error(), "timed out waiting") {
		t.Errorf("got %v", err)
	}
	if calls := contents(t, config+".calls"); !strings.Contains(calls, "delete namespace ns-1") {
		t.Errorf("namespace was left:\n%s", calls)
	}
}

func TestForwardedAddr(t *testing.T) {
	for line, want := range map[string]string{
		"Forwarding from 127.0.0.1:41234 -> 8080": "127.0.0.1:41234", "Forwarding from [::1]:41234 -> 8080": "[::1]:41234", "Handling connection for 41234": "",
		"Forwarding from nowhere -> 8080": "",
	} {
		if got, ok := forwardedAddr(line); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", line, got, ok, want)
		}
	}
}

func TestValidate(t *testing.T) {
	good := Options{Endpoint: "http://x/v1", Sizes: []int{10, 100}, Samples: 5}
	if err := good.Validate(); err != nil {
		t.Errorf("good options: %v", err)
	}
	for name, change := range map[string]func(*Options){
		"no endpoint": func(o *Options) { o.Endpoint = "" }, "shrinking": func(o *Options) { o.Sizes = []int{10, 5} }, "no size": func(o *Options) { o.Sizes = nil },
		"zero routes": func(o *Options) { o.Sizes = []int{0} }, "too many": func(o *Options) { o.Sizes = []int{5001} }, "no samples": func(o *Options) { o.Samples = 0 },
	} {
		options := good
		change(&options)
		if options.Validate() == nil {
			t.Errorf("%s: accepted %+v", name, options)
		}
	}
}
