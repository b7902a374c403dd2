// Package platform is the manager's configuration: what belongs to the platform team and not to a namespace. It is one YAML file, checked as a whole
// at start, in which an unknown or impossible field is an error that names its path.
package platform

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"signalbox.dev/signalbox/proxy/endpoint"
	"signalbox.dev/signalbox/proxy/table"
)

// Config is the file.
type Config struct {
	// WatchNamespaces are the namespaces that the manager looks after; empty means all. With it the manager needs Roles in these namespaces only.
	WatchNamespaces []string `json:"watchNamespaces,omitempty"`
	// ClusterDomain is the DNS domain of the cluster. The default is cluster.local.
	ClusterDomain string `json:"clusterDomain,omitempty"`
	// Proxy is how the proxies are run.
	Proxy Proxy `json:"proxy"`
	// Namespaces override Proxy for single namespaces, in the manner of a JSON merge patch: maps are merged, lists replaced, null removes.
	Namespaces map[string]Override `json:"namespaces,omitempty"`
	// Endpoints are the platform's exceptions from what may be called.
	Endpoints Endpoints `json:"endpoints,omitzero"`
	// Tokens bound the tokens of callers.
	Tokens Tokens `json:"tokens,omitzero"`
	// NetworkPolicy says who may reach the proxies.
	NetworkPolicy NetworkPolicy `json:"networkPolicy,omitzero"`
	// Ledger says where the ledgers of budgets are kept.
	Ledger Ledger `json:"ledger,omitzero"`
	// Usage says where usage records go.
	Usage Usage `json:"usage,omitzero"`
	// Tracing says where traces go.
	Tracing Tracing `json:"tracing,omitzero"`

	// proxies are Proxy with the overrides, by namespace.
	proxies map[string]Proxy
}

// Override is part of a Proxy.
type Override map[string]any

// Proxy is how the proxies of a namespace are run.
type Proxy struct {
	// Image of the proxy. It is required.
	Image string `json:"image"`
	// ImagePullPolicy is Always, IfNotPresent or Never; empty leaves it to the cluster.
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	// ImagePullSecrets name Secrets of the proxy's own namespace.
	ImagePullSecrets []string `json:"imagePullSecrets,omitempty"`
	// Replicas, 1 to 1000, while there is no autoscaling. The default is 2.
	Replicas int32 `json:"replicas,omitempty"`
	// Autoscaling lets a HorizontalPodAutoscaler choose the number of replicas; null, the default, does not.
	Autoscaling *Autoscaling `json:"autoscaling,omitempty"`
	// Resources of the container. The default asks for 100m and 128Mi and is limited to 1Gi.
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`
	// NodeSelector of the pods.
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Tolerations of the pods.
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// Affinity of the pods.
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// TopologySpreadConstraints of the pods. A constraint without labelSelector gets the one of the proxy's pods. The default spreads over nodes and
	// zones, as far as it goes.
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	// PriorityClassName of the pods.
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// DrainDelay is how long a proxy that is asked to stop still takes connections, until no load balancer sends any, 0s to 5m. The default is 5s.
	DrainDelay *metav1.Duration `json:"drainDelay,omitempty"`
	// DrainLimit is how long open requests may then go on, 0s to 24h. The default is 10m.
	DrainLimit *metav1.Duration `json:"drainLimit,omitempty"`
	// PodAnnotations are put on the pods.
	PodAnnotations map[string]string `json:"podAnnotations,omitempty"`
	// TLS of the proxy's Service; null, the default, has none.
	TLS *TLS `json:"tls,omitempty"`
	// PodLabels are put on the pods; the labels that Signalbox sets itself cannot be changed.
	PodLabels map[string]string `json:"podLabels,omitempty"`
}

// Autoscaling bounds the HorizontalPodAutoscaler.
type Autoscaling struct {
	// MinReplicas, 1 to 1000. The default is 2.
	MinReplicas int32 `json:"minReplicas,omitempty"`
	// MaxReplicas, MinReplicas to 1000. The default is 10.
	MaxReplicas int32 `json:"maxReplicas,omitempty"`
	// TargetCPUPercent is the use of the requested CPU that is aimed at, 1 to 100. The default is 70.
	TargetCPUPercent int32 `json:"targetCPUPercent,omitempty"`
}

// Endpoints are the platform's exceptions from what may be called.
type Endpoints struct {
	// AllowCIDRs open addresses that are closed otherwise: loopback, link-local, cloud metadata, the API server.
	AllowCIDRs []string `json:"allowCIDRs,omitempty"`
	// ProbeAllowCIDRs are private addresses that the manager's probes may reach besides Services of the credential's own namespace.
	ProbeAllowCIDRs []string `json:"probeAllowCIDRs,omitempty"`
}

// Tokens bound the ServiceAccount tokens of callers.
type Tokens struct {
	// MaxLifetime is the longest lifetime of a token that is taken, 10m to 8760h. The default is 24h.
	MaxLifetime metav1.Duration `json:"maxLifetime,omitzero"`
	// Issuers are OIDC issuers outside the cluster, at most 16, whose callers routes and budgets can name.
	Issuers []OIDCIssuer `json:"issuers,omitempty"`
}

// OIDCIssuer vouches for callers with JSON Web Tokens.
type OIDCIssuer struct {
	// Name in access rules and budgets. It is required and a DNS label.
	Name string `json:"name"`
	// URL is the tokens' "iss", an https URL. It is required; its keys are found as OpenID Connect Discovery says.
	URL string `json:"url"`
	// Audience is the tokens' required "aud". It is required.
	Audience string `json:"audience"`
	// CallerClaim names the caller. The default is sub.
	CallerClaim string `json:"callerClaim,omitempty"`
	// TagClaims become tags of the call, by the key of the tag; at most 16.
	TagClaims map[string]string `json:"tagClaims,omitempty"`
	// CAFile has the authorities of the issuer's certificate, PEM; empty for those of the system.
	CAFile string `json:"caFile,omitempty"`
	// MaxLifetime is the longest lifetime of its tokens, 1m to 8760h. The default is 24h.
	MaxLifetime metav1.Duration `json:"maxLifetime,omitzero"`
}

// CA reads the authorities of the issuer anew, for the file may be replaced at any time; nil without a file.
func (i *OIDCIssuer) CA() ([]byte, error) { return readFile(i.CAFile) }

// Tracing says where traces go.
type Tracing struct {
	// OTLPEndpoint is the URL of a collector that takes traces over HTTP, such as http://otel-collector.monitoring:4318. Without one there are no traces.
	OTLPEndpoint string `json:"otlpEndpoint,omitempty"`
	// SamplePermille is how many of a thousand traces that begin at a proxy are kept, 0 to 1000. The default is 1000. Those that a caller began follow the caller.
	SamplePermille *int32 `json:"samplePermille,omitempty"`
}

// TLS is how a proxy's Service speaks TLS, on port 443.
type TLS struct {
	// SecretName is a Secret of the proxy's own namespace in the shape of kubernetes.io/tls, as cert-manager writes it: tls.crt, tls.key, and ca.crt where the authority is
	// a private one. It is required. A changed certificate is taken up without a restart.
	SecretName string `json:"secretName"`
	// Plaintext keeps the Service's port 80 beside it: Enabled (the default) or Disabled.
	Plaintext State `json:"plaintext,omitempty"`
}

// State switches something on or off.
type State string

// The states.
const (
	// Enabled is on.
	Enabled State = "Enabled"
	// Disabled is off.
	Disabled State = "Disabled"
)

// NetworkPolicy says who may reach the proxies. The control port is open to the manager and the proxies of the namespace only.
type NetworkPolicy struct {
	// State is Enabled (the default) or Disabled.
	State State `json:"state,omitempty"`
	// DataFrom may reach the data port. The default is every pod of the cluster.
	DataFrom []networkingv1.NetworkPolicyPeer `json:"dataFrom,omitempty"`
	// MetricsFrom may reach the metrics port; empty means nobody but the node's kubelet.
	MetricsFrom []networkingv1.NetworkPolicyPeer `json:"metricsFrom,omitempty"`
	// Egress restricts what the proxies may call. It is not restricted when left out. DNS, the API server
	// and the servers that Ledger and Usage name must be among the rules.
	Egress []networkingv1.NetworkPolicyEgressRule `json:"egress,omitempty"`
}

// SpeaksTLS tells whether the proxy's Service has a port with TLS.
func (p *Proxy) SpeaksTLS() bool { return p.TLS != nil }

// SpeaksPlain tells whether the proxy's Service has a port without TLS.
func (p *Proxy) SpeaksPlain() bool { return p.TLS == nil || p.TLS.Plaintext != Disabled }

// BaseURL is where apps call the proxy of a namespace, with a host of theirs or the whole name of its Service.
func (p *Proxy) BaseURL(host string) string {
	if p.SpeaksPlain() {
		return "http://" + host + "/v1"
	}
	return "https://" + host + "/v1"
}

// ProxyFor returns how the proxies of a namespace are run.
func (c *Config) ProxyFor(namespace string) Proxy {
	if proxy, ok := c.proxies[namespace]; ok {
		return proxy
	}
	return c.Proxy
}

// TraceTarget is where the proxies send their traces.
func (c *Config) TraceTarget() table.Tracing {
	if c.Tracing.OTLPEndpoint == "" {
		return table.Tracing{}
	}
	return table.Tracing{OTLPEndpoint: c.Tracing.OTLPEndpoint, SamplePermille: ptr.Deref(c.Tracing.SamplePermille, maxSamplePermille)}
}

// EndpointRules are the rules for what may be called. The addresses of the API server may not.
func (c *Config) EndpointRules(apiServers []string) table.EndpointRules {
	return table.EndpointRules{AllowCIDRs: slices.Clone(c.Endpoints.AllowCIDRs), DenyCIDRs: slices.Clone(apiServers)}
}

// ProbePolicy says what the manager's calls for a namespace's credentials may reach.
func (c *Config) ProbePolicy(apiServers []string, namespace string) (endpoint.Policy, error) {
	allow, deny, err := c.EndpointRules(apiServers).Parse()
	if err != nil {
		return endpoint.Policy{}, fmt.Errorf("reading the rules for endpoints: %w", err)
	}
	rules := endpoint.Rules{Allow: allow, APIServers: deny, ClusterDomain: c.ClusterDomain}
	for _, cidr := range c.Endpoints.ProbeAllowCIDRs {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			return endpoint.Policy{}, fmt.Errorf("reading the rules for endpoints: %w", err)
		}
		rules.ProbeReach = append(rules.ProbeReach, prefix)
	}
	return endpoint.ProbePolicy(rules, namespace), nil
}
