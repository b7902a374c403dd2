package platform

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	maxReplicas    = 1000
	maxDrainDelay  = 5 * time.Minute
	maxDrainLimit  = 24 * time.Hour
	minMaxLifetime = 10 * time.Minute
	maxMaxLifetime = 8760 * time.Hour

	maxSamplePermille = 1000
)

// validate returns everything that is wrong.
func (c *Config) validate() field.ErrorList {
	var problems field.ErrorList
	for i, namespace := range c.WatchNamespaces {
		problems = append(problems, checkNamespace(namespace, field.NewPath("watchNamespaces").Index(i))...)
	}
	for _, message := range validation.IsDNS1123Subdomain(c.ClusterDomain) {
		problems = append(problems, field.Invalid(field.NewPath("clusterDomain"), c.ClusterDomain, message))
	}
	problems = append(problems, c.Proxy.validate(field.NewPath("proxy"))...)
	for _, namespace := range slices.Sorted(maps.Keys(c.proxies)) {
		path := field.NewPath("namespaces").Key(namespace)
		problems = append(problems, checkNamespace(namespace, path)...)
		problems = append(problems, c.proxies[namespace].validate(path)...)
	}
	problems = append(problems, c.Endpoints.validate(field.NewPath("endpoints"))...)
	problems = append(problems, c.Tokens.validate(c.ClusterDomain, field.NewPath("tokens"))...)
	problems = append(problems, checkState(c.NetworkPolicy.State, field.NewPath("networkPolicy", "state"))...)
	problems = append(problems, c.Ledger.validate(field.NewPath("ledger"))...)
	problems = append(problems, c.Usage.validate(field.NewPath("usage"))...)
	return append(problems, c.Tracing.validate(field.NewPath("tracing"))...)
}

func (p Proxy) validate(path *field.Path) field.ErrorList {
	var problems field.ErrorList
	if p.Image == "" {
		problems = append(problems, field.Required(path.Child("image"), "the image of the proxy"))
	}
	policies := []corev1.PullPolicy{"", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever}
	if !slices.Contains(policies, p.ImagePullPolicy) {
		problems = append(problems, field.NotSupported(path.Child("imagePullPolicy"), p.ImagePullPolicy, policies[1:]))
	}
	problems = append(problems, checkRange(p.Replicas, 1, maxReplicas, path.Child("replicas"))...)
	if p.Autoscaling != nil {
		problems = append(problems, p.Autoscaling.validate(path.Child("autoscaling"))...)
	}
	if p.TLS != nil {
		problems = append(problems, p.TLS.validate(path.Child("tls"))...)
	}
	problems = append(problems, checkDuration(p.DrainDelay.Duration, 0, maxDrainDelay, path.Child("drainDelay"))...)
	problems = append(problems, checkDuration(p.DrainLimit.Duration, 0, maxDrainLimit, path.Child("drainLimit"))...)
	own := ProxyLabels()
	for _, label := range slices.Sorted(maps.Keys(p.PodLabels)) {
		if _, taken := own[label]; taken {
			problems = append(problems, field.Forbidden(path.Child("podLabels").Key(label), "Signalbox sets this label itself"))
		}
	}
	return problems
}

func (a Autoscaling) validate(path *field.Path) field.ErrorList {
	problems := checkRange(a.MinReplicas, 1, maxReplicas, path.Child("minReplicas"))
	problems = append(problems, checkRange(a.MaxReplicas, a.MinReplicas, maxReplicas, path.Child("maxReplicas"))...)
	return append(problems, checkRange(a.TargetCPUPercent, 1, 100, path.Child("targetCPUPercent"))...)
}

func (t *TLS) validate(path *field.Path) field.ErrorList {
	problems := checkState(t.Plaintext, path.Child("plaintext"))
	if t.SecretName == "" {
		return append(problems, field.Required(path.Child("secretName"), "the Secret with the certificate, in the proxy's own namespace"))
	}
	for _, message := range validation.IsDNS1123Subdomain(t.SecretName) {
		problems = append(problems, field.Invalid(path.Child("secretName"), t.SecretName, message))
	}
	return problems
}

func (e Endpoints) validate(path *field.Path) field.ErrorList {
	var problems field.ErrorList
	for i, cidr := range e.AllowCIDRs {
		problems = append(problems, checkCIDR(cidr, path.Child("allowCIDRs").Index(i))...)
	}
	for i, cidr := range e.ProbeAllowCIDRs {
		problems = append(problems, checkCIDR(cidr, path.Child("probeAllowCIDRs").Index(i))...)
	}
	return problems
}

func (t Tracing) validate(path *field.Path) field.ErrorList {
	problems := checkRange(*t.SamplePermille, 0, maxSamplePermille, path.Child("samplePermille"))
	if t.OTLPEndpoint != "" {
		problems = append(problems, checkEndpoint(t.OTLPEndpoint, path.Child("otlpEndpoint"))...)
	}
	return problems
}

func checkNamespace(name string, path *field.Path) field.ErrorList {
	var problems field.ErrorList
	for _, message := range validation.IsDNS1123Label(name) {
		problems = append(problems, field.Invalid(path, name, message))
	}
	return problems
}

func checkCIDR(cidr string, path *field.Path) field.ErrorList {
	if _, err := netip.ParsePrefix(cidr); err != nil {
		return field.ErrorList{field.Invalid(path, cidr, "must be a CIDR such as 10.0.0.0/8")}
	}
	return nil
}

func checkRange(value, least, most int32, path *field.Path) field.ErrorList {
	if value < least || value > most {
		return field.ErrorList{field.Invalid(path, value, validation.InclusiveRangeError(int(least), int(most)))}
	}
	return nil
}

func checkDuration(value, least, most time.Duration, path *field.Path) field.ErrorList {
	if value < least || value > most {
		return field.ErrorList{field.Invalid(path, value.String(), "must be between "+least.String()+" and "+most.String())}
	}
	return nil
}

func checkState(state State, path *field.Path) field.ErrorList {
	switch state {
	case Enabled, Disabled:
		return nil
	default:
		return field.ErrorList{field.NotSupported(path, state, []State{Enabled, Disabled})}
	}
}
