package platform

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

const (
	defaultClusterDomain = "cluster.local"
	defaultReplicas      = 2
	defaultMaxReplicas   = 10
	defaultTargetCPU     = 70
	defaultDrainDelay    = 5 * time.Second
	defaultDrainLimit    = 10 * time.Minute
	defaultMaxLifetime   = 24 * time.Hour
)

// Load reads, defaults and checks a file, and looks whether the files that it names can be read. The error names every field that is wrong.
func Load(path string) (*Config, error) {
	content, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	config, err := Parse(content)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	if problems := config.checkFiles(); len(problems) > 0 {
		return nil, fmt.Errorf("configuration %s: %w", path, problems.ToAggregate())
	}
	return config, nil
}

// Parse is Load for the content of a file.
func Parse(content []byte) (*Config, error) {
	plain, err := yaml.YAMLToJSONStrict(content)
	if err != nil {
		return nil, fmt.Errorf("reading YAML: %w", err)
	}
	config := &Config{}
	if err := decodeStrict(plain, config, nil); err != nil {
		return nil, err
	}
	config.setDefaults()
	if err := config.resolveOverrides(); err != nil {
		return nil, err
	}
	if problems := config.validate(); len(problems) > 0 {
		return nil, problems.ToAggregate()
	}
	return config, nil
}

// decodeStrict refuses unknown and repeated fields, and names the path of what is wrong below prefix.
func decodeStrict(plain []byte, into any, prefix *field.Path) error {
	strict, err := kjson.UnmarshalStrict(plain, into)
	if err != nil {
		return under(prefix, err)
	}
	if len(strict) > 0 {
		return under(prefix, strict[0])
	}
	return nil
}

func under(prefix *field.Path, err error) error {
	if prefix == nil {
		return err
	}
	return fmt.Errorf("%s: %w", prefix, err)
}

// setDefaults fills in what the file leaves out.
func (c *Config) setDefaults() {
	if c.ClusterDomain == "" {
		c.ClusterDomain = defaultClusterDomain
	}
	if c.Tokens.MaxLifetime.Duration == 0 {
		c.Tokens.MaxLifetime.Duration = defaultMaxLifetime
	}
	for i := range c.Tokens.Issuers {
		c.Tokens.Issuers[i].setDefaults()
	}
	if c.NetworkPolicy.State == "" {
		c.NetworkPolicy.State = Enabled
	}
	if c.NetworkPolicy.DataFrom == nil {
		c.NetworkPolicy.DataFrom = []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}
	}
	c.Ledger.setDefaults()
	c.Usage.setDefaults()
	if c.Tracing.SamplePermille == nil {
		c.Tracing.SamplePermille = ptr.To[int32](maxSamplePermille)
	}
	c.Proxy.setDefaults()
}

func (p *Proxy) setDefaults() {
	if p.Replicas == 0 {
		p.Replicas = defaultReplicas
	}
	if p.DrainDelay == nil {
		p.DrainDelay = &metav1.Duration{Duration: defaultDrainDelay}
	}
	if p.DrainLimit == nil {
		p.DrainLimit = &metav1.Duration{Duration: defaultDrainLimit}
	}
	if p.Resources.Requests == nil && p.Resources.Limits == nil {
		p.Resources = defaultResources()
	}
	if p.TopologySpreadConstraints == nil {
		p.TopologySpreadConstraints = defaultSpread()
	}
	if p.TLS != nil && p.TLS.Plaintext == "" {
		p.TLS.Plaintext = Enabled
	}
	if p.Autoscaling != nil {
		p.Autoscaling.setDefaults()
	}
}

func (a *Autoscaling) setDefaults() {
	if a.MinReplicas == 0 {
		a.MinReplicas = defaultReplicas
	}
	if a.MaxReplicas == 0 {
		a.MaxReplicas = max(defaultMaxReplicas, a.MinReplicas)
	}
	if a.TargetCPUPercent == 0 {
		a.TargetCPUPercent = defaultTargetCPU
	}
}

func defaultResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("100m"),
			corev1.ResourceMemory: resource.MustParse("128Mi"),
		},
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
	}
}

func defaultSpread() []corev1.TopologySpreadConstraint {
	return []corev1.TopologySpreadConstraint{
		{MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway},
		{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.ScheduleAnyway},
	}
}

// resolveOverrides merges each namespace's override into the defaults.
func (c *Config) resolveOverrides() error {
	defaults, err := json.Marshal(c.Proxy)
	if err != nil {
		return fmt.Errorf("encoding the proxy defaults: %w", err)
	}
	c.proxies = make(map[string]Proxy, len(c.Namespaces))
	for namespace, override := range c.Namespaces {
		path := field.NewPath("namespaces").Key(namespace)
		patch, err := json.Marshal(override)
		if err != nil {
			return under(path, err)
		}
		merged, err := jsonpatch.MergePatch(defaults, patch)
		if err != nil {
			return under(path, err)
		}
		var proxy Proxy
		if err := decodeStrict(merged, &proxy, path); err != nil {
			return err
		}
		proxy.setDefaults()
		c.proxies[namespace] = proxy
	}
	return nil
}
