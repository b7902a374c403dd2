package proxydeployment

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"signalbox.dev/signalbox/controllers/platform"
)

func parseConfig(t testing.TB, content string) *platform.Config {
	t.Helper()
	config, err := platform.Parse([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

const plainConfig = "proxy: {image: 'registry.example/signalbox:1.0'}"

const fullConfig = `
proxy:
  image: registry.example/signalbox:1.0
  imagePullPolicy: Always
  imagePullSecrets: [registry]
  autoscaling: {minReplicas: 3, maxReplicas: 30, targetCPUPercent: 60}
  resources: {requests: {cpu: "1", memory: 256Mi}, limits: {memory: 512Mi}}
  nodeSelector: {pool: gateways}
  tolerations: [{key: gateways, operator: Exists}]
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: arch, operator: Exists}]}]}}}
  topologySpreadConstraints: [{maxSkew: 2, topologyKey: rack, whenUnsatisfiable: DoNotSchedule}]
  priorityClassName: important
  drainDelay: 10s
  drainLimit: 1m
  podAnnotations: {team: platform}
  podLabels: {cost-centre: "42"}
networkPolicy:
  dataFrom: [{namespaceSelector: {matchLabels: {apps: "true"}}}]
  metricsFrom: [{podSelector: {matchLabels: {app: prometheus}}}]
  egress: [{ports: [{port: 443, protocol: TCP}]}]
`

// TestObjects compares the objects of a proxy with files; UPDATE_GOLDEN=1 writes them anew.
func TestObjects(t *testing.T) {
	cases := map[string]struct {
		config  string
		ledgers []string
		manager string
	}{
		"plain":      {config: plainConfig, manager: "signalbox-system"},
		"full":       {config: fullConfig, manager: "signalbox-system", ledgers: []string{"signalbox-ledger-daily", "signalbox-ledger-monthly"}},
		"no-policy":  {config: plainConfig + "\nnetworkPolicy: {state: Disabled}"},
		"no-cluster": {config: plainConfig},
		"tls":        {config: "proxy: {image: 'registry.example/signalbox:1.0', tls: {secretName: proxy-tls}}"},
		"tls-alone":  {config: "proxy: {image: 'registry.example/signalbox:1.0', tls: {secretName: proxy-tls, plaintext: Disabled}}"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			config := parseConfig(t, tc.config)
			in := &input{namespace: "team-a", managerNamespace: tc.manager, config: config}
			var got bytes.Buffer
			for _, object := range objects(in.settings(tc.ledgers)) {
				built, err := document(object)
				if err != nil {
					t.Fatal(err)
				}
				text, err := yaml.Marshal(built.Object)
				if err != nil {
					t.Fatal(err)
				}
				got.WriteString("---\n")
				got.Write(text)
			}
			compareGolden(t, filepath.Join("testdata", name+".yaml"), got.Bytes())
		})
	}
}

func compareGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
