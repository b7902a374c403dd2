package proxydeployment

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// TestMemoryFitsTheLimit: the runtime and the bodies stay below the container's limit, and without a limit the proxy's own defaults hold.
func TestMemoryFitsTheLimit(t *testing.T) {
	cases := map[string]struct{ resources, heap, bodies string }{
		"default":  {"", "966367620", "--max-buffered-bytes=536870900"},
		"small":    {"resources: {limits: {memory: 256Mi}}", "241591860", "--max-buffered-bytes=134217700"},
		"no limit": {"resources: {requests: {memory: 256Mi}}", "", ""},
		"absurd":   {"resources: {limits: {memory: 10}}", "1", "--max-buffered-bytes=1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			config := parseConfig(t, "proxy:\n  image: registry.example/signalbox:1.0\n  "+tc.resources)
			built := container(settings{proxy: config.Proxy, journalBytes: 1 << 20})
			if got := variable(built.Env, "GOMEMLIMIT"); got != tc.heap {
				t.Errorf("GOMEMLIMIT is %q, want %q", got, tc.heap)
			}
			if got := argument(built.Args, "--max-buffered-bytes"); got != tc.bodies {
				t.Errorf("the bodies are bounded by %q, want %q", got, tc.bodies)
			}
		})
	}
}

func variable(list []corev1.EnvVar, name string) string {
	for _, entry := range list {
		if entry.Name == name {
			return entry.Value
		}
	}
	return ""
}

func argument(list []string, name string) string {
	for _, entry := range list {
		if strings.HasPrefix(entry, name+"=") {
			return entry
		}
	}
	return ""
}

// TestGraceCoversTheDrain: the kubelet's patience has whole seconds and must outlast the drain, the settlements of requests that were cut and the last
// write of the ledger.
func TestGraceCoversTheDrain(t *testing.T) {
	cases := map[string]struct {
		drain string
		want  time.Duration
	}{
		"default":           {"", 5*time.Second + 10*time.Minute + 25*time.Second},
		"parts of a second": {"drainDelay: 300ms\n  drainLimit: 1100ms", 27 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			config := parseConfig(t, "proxy:\n  image: registry.example/signalbox:1.0\n  "+tc.drain)
			if got := time.Duration(*podSpec(settings{proxy: config.Proxy}).TerminationGracePeriodSeconds) * time.Second; got != tc.want {
				t.Errorf("the grace period is %v, want %v", got, tc.want)
			}
		})
	}
}
