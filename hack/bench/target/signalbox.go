package target

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"signalbox.dev/signalbox/hack/bench/upstream"
)

// ModelPolicies is served by three targets, with affinity by session, limits for callers and the route, and a measured strategy. Each target answers as
// upstream.ModelPlain does.
const ModelPolicies = "bench-policies"

// ModelBudgets is served by one target, for whose calls four Hard budgets reserve. It answers as upstream.ModelPlain does.
const ModelBudgets = "bench-budgets"

// manifests is what the proxy is measured with, with access-key authentication and a budget: a route that passes, one that translates, one with every
// policy, one with four Hard budgets, one whose streams may be silent for long, and one whose provider is down. The words in capitals are filled in.
var manifests = `apiVersion: v1
kind: Secret
metadata: {name: bench-provider, labels: {signalbox.dev/provider-key: "true"}}
stringData: {api-key: sk-bench-upstream}
---
apiVersion: v1
kind: Secret
metadata: {name: bench-app, labels: {signalbox.dev/access-key: "true"}}
stringData: {key: KEY}
---
apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: bench}
spec:
  provider: OpenAICompatible
  endpoint: http://UPSTREAM/v1
  auth:
    keys: [{name: main, secretKeyRef: {name: bench-provider, key: api-key}}]
---
apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: bench-claude}
spec:
  provider: Anthropic
  endpoint: http://UPSTREAM
  auth:
    keys: [{name: main, secretKeyRef: {name: bench-provider, key: api-key}}]
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: bench-claude}
spec:
  models: [CLAUDES]
  targets:
  - name: bench
    credentialRef: {name: bench-claude}
    model: "*"
    prices: {input: "0.15", output: "0.60"}
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: bench}
spec:
  models: [MODELS]
  targets:
  - name: bench
    credentialRef: {name: bench}
    model: "*"
    prices: {input: "0.15", output: "0.60"}
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: bench-policies}
spec:
  models: [POLICIES]
  targets:
  - {name: first, credentialRef: {name: bench}, model: PLAIN-1, prices: {input: "0.15", output: "0.60"}}
  - {name: second, credentialRef: {name: bench}, model: PLAIN-2, prices: {input: "0.15", output: "0.60"}}
  - {name: third, credentialRef: {name: bench}, model: PLAIN-3, prices: {input: "0.15", output: "0.60"}}
  strategy: LowestLatency
  affinity: {by: Session}
  limits:
  - {per: Route, requestsPerMinute: 10000000, tokensPerMinute: 10000000000, concurrency: 1000000}
  - {per: Caller, requestsPerMinute: 10000000, tokensPerMinute: 10000000000, concurrency: 1000000}
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: bench-held}
spec:
  models: [HELD]
  targets:
  - {name: bench, credentialRef: {name: bench}, model: "*", prices: {input: "0.15", output: "0.60"}}
  timeouts: {firstToken: 5m, idle: 1h, total: 2h}
---
apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: bench-outage}
spec:
  provider: OpenAICompatible
  endpoint: http://UPSTREAM/v1
  auth:
    keys: [{name: main, secretKeyRef: {name: bench-provider, key: api-key}}]
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: bench-outage}
spec:
  models: [OUTAGE]
  targets:
  - {name: first, credentialRef: {name: bench-outage}, model: OUTAGE-1, prices: {input: "0.15", output: "0.60"}}
  - {name: second, credentialRef: {name: bench-outage}, model: OUTAGE-2, prices: {input: "0.15", output: "0.60"}}
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: bench-budgets}
spec:
  models: [BUDGETS]
  targets:
  - {name: bench, credentialRef: {name: bench}, model: PLAIN-4, prices: {input: "0.15", output: "0.60"}, declares: {contextTokens: 8192, maxOutputTokens: 1024}}
---
apiVersion: signalbox.dev/v1alpha1
kind: SpendBudget
metadata: {name: bench}
spec:
  limit: {amount: "900000000.00"}
  window: {period: Month}
` + hardBudgets

// hardBudgets are those of the route with four, over periods of their own.
var hardBudgets = hardBudget("Hour") + hardBudget("Day") + hardBudget("Month") + hardBudget("Total")

func hardBudget(period string) string {
	return `---
apiVersion: signalbox.dev/v1alpha1
kind: SpendBudget
metadata: {name: bench-` + strings.ToLower(period) + `}
spec:
  limit: {amount: "900000000.00"}
  window: {period: ` + period + `}
  enforcement: Hard
  appliesTo: {routes: [bench-budgets]}
`
}

// renderManifests fills the manifests in.
func renderManifests(key, upstreamAddr string) string {
	models := strings.Join([]string{upstream.ModelPlain, upstream.ModelStream, upstream.ModelIdle, upstream.ModelClock}, ", ")
	claudes := strings.Join([]string{upstream.ModelClaudePlain, upstream.ModelClaudeStream}, ", ")
	return strings.NewReplacer("KEY", key, "UPSTREAM", upstreamAddr, "MODELS", models, "CLAUDES", claudes,
		"POLICIES", ModelPolicies, "BUDGETS", ModelBudgets, "PLAIN", upstream.ModelPlain, "HELD", upstream.ModelHeld, "OUTAGE", upstream.ModelOutage).Replace(manifests)
}

// StartProxy starts the proxy under test with a command line in which {file}, {addr}, {metrics} and {state} are replaced by the manifest file,
// the address to serve, an address for metrics and a directory for its state.
func (t *Target) StartProxy(commandLine, dir, upstreamAddr, metricsAddr string, cpu int) error {
	file := filepath.Join(dir, "bench.yaml")
	if err := os.WriteFile(file, []byte(renderManifests(t.Key, upstreamAddr)), 0o600); err != nil {
		return fmt.Errorf("writing the manifests: %w", err)
	}
	replace := strings.NewReplacer("{file}", file, "{addr}", t.PlainAddr, "{metrics}", metricsAddr, "{state}", filepath.Join(dir, "state"), "{upstream}", upstreamAddr)
	var args []string
	for _, word := range strings.Fields(commandLine) {
		args = append(args, replace.Replace(word))
	}
	if len(args) == 0 {
		return fmt.Errorf("starting %s: empty command line", t.Name)
	}
	return t.Start(Command{Args: args, CPU: cpu, Log: filepath.Join(dir, "proxy.log")})
}
