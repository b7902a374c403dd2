package platform_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/table"
)

func parse(t *testing.T, yaml string) *platform.Config {
	t.Helper()
	config, err := platform.Parse([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestParseFillsInDefaults(t *testing.T) {
	config := parse(t, "proxy: {image: example/signalbox:1}")
	proxy := config.ProxyFor("anywhere")
	type summary struct {
		Domain      string
		Lifetime    time.Duration
		Policy      platform.State
		Peers       int
		Replicas    int32
		Autoscaling *platform.Autoscaling
		Delay       time.Duration
		Limit       time.Duration
		Memory      string
		Spread      int
	}
	got := summary{
		Domain: config.ClusterDomain, Lifetime: config.Tokens.MaxLifetime.Duration, Policy: config.NetworkPolicy.State,
		Peers: len(config.NetworkPolicy.DataFrom), Replicas: proxy.Replicas, Autoscaling: proxy.Autoscaling,
		Delay: proxy.DrainDelay.Duration, Limit: proxy.DrainLimit.Duration, Memory: proxy.Resources.Limits.Memory().String(),
		Spread: len(proxy.TopologySpreadConstraints),
	}
	want := summary{
		Domain: "cluster.local", Lifetime: 24 * time.Hour, Policy: platform.Enabled, Peers: 1, Replicas: 2,
		Delay: 5 * time.Second, Limit: 10 * time.Minute, Memory: "1Gi", Spread: 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestParseMergesOverrides(t *testing.T) {
	config := parse(t, `
proxy:
  image: example/signalbox:1
  replicas: 3
  autoscaling: {minReplicas: 4}
  drainDelay: 0s
  nodeSelector: {pool: general, zone: a}
  tolerations: [{key: one}]
namespaces:
  big:
    replicas: 9
    autoscaling: null
    nodeSelector: {pool: big}
    tolerations: [{key: two}, {key: three}]
  small:
    resources: {limits: {memory: 256Mi}}
    autoscaling: {maxReplicas: 5}
`)
	big, small, other := config.ProxyFor("big"), config.ProxyFor("small"), config.ProxyFor("other")
	if big.Image != "example/signalbox:1" || big.Replicas != 9 || big.Autoscaling != nil || big.DrainDelay.Duration != 0 {
		t.Errorf("big is %+v", big)
	}
	if diff := cmp.Diff(map[string]string{"pool": "big", "zone": "a"}, big.NodeSelector); diff != "" {
		t.Errorf("maps are not merged (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]corev1.Toleration{{Key: "two"}, {Key: "three"}}, big.Tolerations); diff != "" {
		t.Errorf("lists are not replaced (-want +got):\n%s", diff)
	}
	if got := small.Resources.Limits.Memory().String() + " " + small.Resources.Requests.Cpu().String(); got != "256Mi 100m" {
		t.Errorf("small has resources %s", got)
	}
	if diff := cmp.Diff(platform.Autoscaling{MinReplicas: 4, MaxReplicas: 5, TargetCPUPercent: 70}, *small.Autoscaling); diff != "" {
		t.Errorf("small's autoscaling (-want +got):\n%s", diff)
	}
	if other.Replicas != 3 || other.Autoscaling.MaxReplicas != 10 {
		t.Errorf("others are %+v", other)
	}
}

func TestParseNamesTheFieldThatIsWrong(t *testing.T) {
	cases := map[string]struct{ yaml, want string }{
		"not YAML":             {"proxy: [", "reading YAML"},
		"a field twice":        {"proxy: {image: a, image: b}", `"image" already set`},
		"an unknown field":     {"proxy: {image: a, replcas: 2}", `unknown field "proxy.replcas"`},
		"a wrong type":         {"proxy: {image: a, replicas: many}", "proxy.replicas"},
		"no image":             {"proxy: {}", "proxy.image: Required"},
		"a pull policy":        {"proxy: {image: a, imagePullPolicy: Sometimes}", "proxy.imagePullPolicy: Unsupported"},
		"too many replicas":    {"proxy: {image: a, replicas: 1001}", "proxy.replicas: Invalid"},
		"negative replicas":    {"proxy: {image: a, replicas: -1}", "proxy.replicas: Invalid"},
		"max below min":        {"proxy: {image: a, autoscaling: {minReplicas: 5, maxReplicas: 4}}", "proxy.autoscaling.maxReplicas: Invalid"},
		"a target of 101":      {"proxy: {image: a, autoscaling: {targetCPUPercent: 101}}", "proxy.autoscaling.targetCPUPercent: Invalid"},
		"a long delay":         {"proxy: {image: a, drainDelay: 1h}", "proxy.drainDelay: Invalid"},
		"a negative limit":     {"proxy: {image: a, drainLimit: -1s}", "proxy.drainLimit: Invalid"},
		"a duration":           {"proxy: {image: a, drainLimit: soon}", "soon"},
		"our own label":        {"proxy: {image: a, podLabels: {app.kubernetes.io/name: x}}", `proxy.podLabels[app.kubernetes.io/name]: Forbidden`},
		"an override's field":  {"{proxy: {image: a}, namespaces: {team: {replcas: 2}}}", `namespaces[team]: unknown field "replcas"`},
		"an override's value":  {"{proxy: {image: a}, namespaces: {team: {replicas: 2000}}}", "namespaces[team].replicas: Invalid"},
		"an override's name":   {"{proxy: {image: a}, namespaces: {Team_A: {replicas: 2}}}", "namespaces[Team_A]: Invalid"},
		"a watched name":       {"{proxy: {image: a}, watchNamespaces: [ok, Not_OK]}", "watchNamespaces[1]: Invalid"},
		"a domain":             {"{proxy: {image: a}, clusterDomain: 'x y'}", "clusterDomain: Invalid"},
		"an allowed address":   {"{proxy: {image: a}, endpoints: {allowCIDRs: [127.0.0.1]}}", "endpoints.allowCIDRs[0]: Invalid"},
		"a probed address":     {"{proxy: {image: a}, endpoints: {probeAllowCIDRs: [10.0.0.0/8, x]}}", "endpoints.probeAllowCIDRs[1]: Invalid"},
		"a short token":        {"{proxy: {image: a}, tokens: {maxLifetime: 1m}}", "tokens.maxLifetime: Invalid"},
		"an issuer's name":     {issuers("name: Corp, url: https://corp.example, audience: llm"), "tokens.issuers[0].name: Invalid"},
		"an issuer's URL":      {issuers("name: corp, url: http://corp.example, audience: llm"), "tokens.issuers[0].url: Invalid"},
		"no issuer's URL":      {issuers("name: corp, audience: llm"), "tokens.issuers[0].url: Required"},
		"a password in it":     {issuers("name: corp, url: 'https://a:b@corp.example', audience: llm"), "tokens.issuers[0].url: Invalid"},
		"a query in it":        {issuers("name: corp, url: 'https://corp.example?x', audience: llm"), "tokens.issuers[0].url: Invalid"},
		"the cluster's URL":    {issuers("name: corp, url: https://kubernetes.default.svc.cluster.local, audience: llm"), "tokens.issuers[0].url: Invalid"},
		"its shorter one":      {issuers("name: corp, url: 'https://Kubernetes.default.svc:443', audience: llm"), "tokens.issuers[0].url: Invalid"},
		"no audience":          {issuers("name: corp, url: https://corp.example"), "tokens.issuers[0].audience: Required"},
		"a proxy's audience":   {issuers("name: corp, url: https://corp.example, audience: signalbox.team-a"), "tokens.issuers[0].audience: Invalid"},
		"a claim":              {issuers("name: corp, url: https://corp.example, audience: llm, callerClaim: ' sub'"), "tokens.issuers[0].callerClaim: Invalid"},
		"an empty tag":         {issuers("name: corp, url: https://corp.example, audience: llm, tagClaims: {'': a}"), "tokens.issuers[0].tagClaims: Required"},
		"an empty tag claim":   {issuers("name: corp, url: https://corp.example, audience: llm, tagClaims: {a: ''}"), "tokens.issuers[0].tagClaims[a]: Required"},
		"an issuer's lifetime": {issuers("name: corp, url: https://corp.example, audience: llm, maxLifetime: 1s"), "tokens.issuers[0].maxLifetime: Invalid"},
		"two of a name":        {issuers("name: a, url: https://a.example, audience: llm", "name: a, url: https://b.example, audience: llm"), "tokens.issuers[1].name: Duplicate"},
		"two of a URL":         {issuers("name: a, url: https://a.example, audience: llm", "name: b, url: https://a.example, audience: lmm"), "tokens.issuers[1].url: Duplicate"},
		"too many issuers":     {issuers(slices.Repeat([]string{"name: a"}, 17)...), "tokens.issuers: Too many"},
		"a state":              {"{proxy: {image: a}, networkPolicy: {state: 'On'}}", "networkPolicy.state: Unsupported"},
		"a trace endpoint":     {"{proxy: {image: a}, tracing: {otlpEndpoint: 'collector:4318'}}", "tracing.otlpEndpoint: Invalid"},
		"a trace password":     {"{proxy: {image: a}, tracing: {otlpEndpoint: 'http://u:hidden@c'}}", "tracing.otlpEndpoint: Invalid"},
		"too large a share":    {"{proxy: {image: a}, tracing: {samplePermille: 1001}}", "tracing.samplePermille: Invalid"},
		"a negative share":     {"{proxy: {image: a}, tracing: {samplePermille: -1}}", "tracing.samplePermille: Invalid"},
		"TLS without a Secret": {"{proxy: {image: a, tls: {}}}", "proxy.tls.secretName: Required"},
		"a TLS Secret":         {"{proxy: {image: a, tls: {secretName: 'A B'}}}", "proxy.tls.secretName: Invalid"},
		"TLS and plaintext":    {"{proxy: {image: a}, namespaces: {team: {tls: {secretName: a, plaintext: Sometimes}}}}", "namespaces[team].tls.plaintext: Unsupported"},
		"several at one time":  {"{proxy: {replicas: -1}, clusterDomain: '-'}", "proxy.image: Required"},
		"an override by force": {"{proxy: {image: a}, namespaces: {team: {image: null}}}", "namespaces[team].image: Required"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := platform.Parse([]byte(tc.yaml))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// issuers is a configuration with these issuers.
func issuers(entries ...string) string {
	return "proxy: {image: a}\ntokens:\n  issuers:\n  - {" + strings.Join(entries, "}\n  - {") + "}\n"
}

func TestParseFillsInDefaultsOfIssuers(t *testing.T) {
	got := parse(t, issuers("name: corp, url: https://corp.example/realms/main, audience: llm, tagClaims: {team: department}")).Tokens.Issuers
	want := []platform.OIDCIssuer{{
		Name: "corp", URL: "https://corp.example/realms/main", Audience: "llm", CallerClaim: "sub", TagClaims: map[string]string{"team": "department"},
		MaxLifetime: metav1.Duration{Duration: 24 * time.Hour},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("issuers (-want +got):\n%s", diff)
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "platform.yaml")
	if _, err := platform.Load(path); err == nil {
		t.Error("a missing file was read")
	}
	if err := os.WriteFile(path, []byte("proxy: {}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := platform.Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte("proxy: {image: a}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := platform.Load(path); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestEndpointRules(t *testing.T) {
	config := parse(t, "{proxy: {image: a}, endpoints: {allowCIDRs: [127.0.0.0/8]}}")
	want := table.EndpointRules{AllowCIDRs: []string{"127.0.0.0/8"}, DenyCIDRs: []string{"10.0.0.1:443"}}
	if diff := cmp.Diff(want, config.EndpointRules([]string{"10.0.0.1:443"})); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

func TestTraceTarget(t *testing.T) {
	for name, tc := range map[string]struct {
		yaml string
		want table.Tracing
	}{
		"none":      {"{proxy: {image: a}}", table.Tracing{}},
		"a share":   {"{proxy: {image: a}, tracing: {samplePermille: 5}}", table.Tracing{}},
		"all":       {"{proxy: {image: a}, tracing: {otlpEndpoint: 'http://c:4318'}}", table.Tracing{OTLPEndpoint: "http://c:4318", SamplePermille: 1000}},
		"only ours": {"{proxy: {image: a}, tracing: {otlpEndpoint: 'http://c:4318', samplePermille: 0}}", table.Tracing{OTLPEndpoint: "http://c:4318"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, parse(t, tc.yaml).TraceTarget()); diff != "" {
				t.Errorf("TraceTarget() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBaseURL(t *testing.T) {
	for name, tc := range map[string]struct{ yaml, want string }{
		"plain":     {"{proxy: {image: a}}", "http://signalbox.team-a/v1"},
		"both":      {"{proxy: {image: a, tls: {secretName: t}}}", "http://signalbox.team-a/v1"},
		"TLS alone": {"{proxy: {image: a, tls: {secretName: t, plaintext: Disabled}}}", "https://signalbox.team-a/v1"},
		"override":  {"{proxy: {image: a, tls: {secretName: t}}, namespaces: {team-a: {tls: {plaintext: Disabled}}}}", "https://signalbox.team-a/v1"},
		"without":   {"{proxy: {image: a, tls: {secretName: t, plaintext: Disabled}}, namespaces: {team-a: {tls: null}}}", "http://signalbox.team-a/v1"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := parse(t, tc.yaml).ProxyFor("team-a")
			if got := proxy.BaseURL("signalbox.team-a"); got != tc.want {
				t.Errorf("BaseURL() = %s, want %s", got, tc.want)
			}
		})
	}
}
