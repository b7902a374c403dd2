package proxydeployment

import (
	"maps"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
)

const (
	// tableDir is where the table's Secret is mounted.
	tableDir = "/etc/signalbox/table"
	// stateDir is where a proxy keeps what must outlive its process, and journalDir its journal there.
	stateDir   = "/var/lib/signalbox"
	journalDir = stateDir + "/journal"
	// journalMargin is what the volume takes beyond the journal: the proxy keeps to its bound itself, and a pod that exceeds the volume's is evicted.
	journalMargin = 64 << 20
	// tempDir is where it keeps the uploads that it passes on, out of its memory. It bounds them itself, well below the volume's limit.
	tempDir = "/tmp"
	// nonRoot is the user and group that the proxy runs as.
	nonRoot int64 = 65532
	// shutdownMargin is the time beyond the drain limit for the last settlements, the last write of the ledgers and the last usage records.
	shutdownMargin = 25 * time.Second
	// tlsDir is where the Secret with the certificate is mounted.
	tlsDir = "/etc/signalbox/tls"
	// readableByGroup is the mode of what is mounted of Secrets.
	readableByGroup int32 = 0o440
	// heapPercent is the share of the memory limit that the Go runtime keeps to: it would rather collect garbage than be killed.
	heapPercent = 90
	// bodiesPercent is the share of the memory limit that the bodies of all requests and answers may take; garbage and everything else need the rest.
	bodiesPercent = 50
	// maxHistory is how many old ReplicaSets are kept.
	maxHistory int32 = 3
)

// deployment runs the proxies. A new table needs no new pods, so nothing of it is in the template but which store the ledgers are in: a proxy has one for
// all its life.
func deployment(s settings) *appsv1.Deployment {
	none, one, history := intstr.FromInt32(0), intstr.FromInt32(1), maxHistory
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: podLabels(s.proxy), Annotations: s.proxy.PodAnnotations},
		Spec:       podSpec(s),
	}
	built := &appsv1.Deployment{
		TypeMeta:   typeMeta(appsv1.SchemeGroupVersion.WithKind("Deployment")),
		ObjectMeta: s.meta(v1alpha1.ProxyName),
		Spec: appsv1.DeploymentSpec{
			Selector:             platform.ProxySelector(),
			RevisionHistoryLimit: &history,
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &one},
			},
			Template: template,
		},
	}
	if s.proxy.Autoscaling == nil {
		replicas := s.proxy.Replicas
		built.Spec.Replicas = &replicas
	}
	return built
}

func podLabels(proxy platform.Proxy) map[string]string {
	labels := maps.Clone(proxy.PodLabels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, platform.ProxyLabels())
	return labels
}

func podSpec(s settings) corev1.PodSpec {
	proxy, yes, no, user := s.proxy, true, false, nonRoot
	grace := int64((proxy.DrainDelay.Duration + proxy.DrainLimit.Duration + shutdownMargin + time.Second - 1) / time.Second)
	return corev1.PodSpec{
		ServiceAccountName:            v1alpha1.ProxyName,
		AutomountServiceAccountToken:  &yes,
		EnableServiceLinks:            &no,
		TerminationGracePeriodSeconds: &grace,
		ImagePullSecrets:              pullSecrets(proxy.ImagePullSecrets),
		NodeSelector:                  proxy.NodeSelector,
		Tolerations:                   proxy.Tolerations,
		Affinity:                      proxy.Affinity,
		TopologySpreadConstraints:     spread(proxy.TopologySpreadConstraints),
		PriorityClassName:             proxy.PriorityClassName,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user, FSGroup: &user,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{container(s)},
		Volumes:    volumes(s),
	}
}

func container(s settings) corev1.Container {
	proxy, yes, no := s.proxy, true, false
	return corev1.Container{
		Name:            platform.ProxyContainer,
		Image:           proxy.Image,
		ImagePullPolicy: proxy.ImagePullPolicy,
		Args:            arguments(s),
		Env:             environment(proxy),
		Ports:           containerPorts(proxy),
		Resources:       resources(s),
		StartupProbe:    probe("/healthz", 1, 60),
		ReadinessProbe:  probe("/readyz", 2, 2),
		LivenessProbe:   probe("/healthz", 10, 6),
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, RunAsNonRoot: &yes,
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts: mounts(proxy),
	}
}

func containerPorts(proxy platform.Proxy) []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	add := func(name string, port int32) {
		ports = append(ports, corev1.ContainerPort{Name: name, ContainerPort: port, Protocol: corev1.ProtocolTCP})
	}
	if proxy.SpeaksPlain() {
		add(platform.DataPortName, platform.DataPort)
	}
	if proxy.SpeaksTLS() {
		add(platform.TLSPortName, platform.TLSPort)
	}
	add(platform.ControlPortName, platform.ControlPort)
	add(platform.MetricsPortName, platform.MetricsPort)
	return ports
}

func mounts(proxy platform.Proxy) []corev1.VolumeMount {
	list := []corev1.VolumeMount{
		{Name: "table", MountPath: tableDir, ReadOnly: true},
		{Name: "state", MountPath: stateDir},
		{Name: "tmp", MountPath: tempDir},
	}
	if proxy.SpeaksTLS() {
		list = append(list, corev1.VolumeMount{Name: "tls", MountPath: tlsDir, ReadOnly: true})
	}
	return list
}

// resources ask for the journal's room on the node, where the configuration says nothing about room on the node.
func resources(s settings) corev1.ResourceRequirements {
	wanted := *s.proxy.Resources.DeepCopy()
	_, asked := wanted.Requests[corev1.ResourceEphemeralStorage]
	_, limited := wanted.Limits[corev1.ResourceEphemeralStorage]
	if asked || limited {
		return wanted
	}
	if wanted.Requests == nil {
		wanted.Requests = corev1.ResourceList{}
	}
	wanted.Requests[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(s.journalBytes, resource.BinarySI)
	return wanted
}

func arguments(s settings) []string {
	proxy := s.proxy
	list := []string{
		"proxy",
		"--namespace=$(POD_NAMESPACE)",
		"--table-secret=" + platform.TableSecret,
		"--table-dir=" + tableDir,
		"--addr=" + plainAddr(proxy),
		"--control-addr=" + listen(platform.ControlPort),
		"--metrics-addr=" + listen(platform.MetricsPort),
		"--peers-service=" + platform.ControlService,
		"--journal-dir=" + journalDir,
		"--ledger-store=" + s.ledgerStore,
		"--journal-bytes=" + strconv.FormatInt(s.journalBytes, 10),
		"--drain-delay=" + proxy.DrainDelay.Duration.String(),
		"--drain-limit=" + proxy.DrainLimit.Duration.String(),
	}
	if proxy.SpeaksTLS() {
		list = append(list, "--tls-addr="+listen(platform.TLSPort), "--tls-dir="+tlsDir)
	}
	if limit := memoryLimit(proxy); limit > 0 {
		list = append(list, "--max-buffered-bytes="+percentOf(limit, bodiesPercent))
	}
	return list
}

// plainAddr is where calls are answered without TLS; empty for nowhere.
func plainAddr(proxy platform.Proxy) string {
	if !proxy.SpeaksPlain() {
		return ""
	}
	return listen(platform.DataPort)
}

// memoryLimit is the container's limit in bytes; 0 without one.
func memoryLimit(proxy platform.Proxy) int64 { return proxy.Resources.Limits.Memory().Value() }

// percentOf is a share of bytes, at least one byte.
func percentOf(bytes, percent int64) string { return strconv.FormatInt(max(1, bytes/100*percent), 10) }

func listen(port int32) string { return ":" + strconv.Itoa(int(port)) }

func environment(proxy platform.Proxy) []corev1.EnvVar {
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}}
	}
	list := []corev1.EnvVar{
		field("POD_NAME", "metadata.name"),
		field("POD_NAMESPACE", "metadata.namespace"),
		field("POD_UID", "metadata.uid"),
		field("POD_IP", "status.podIP"),
	}
	if limit := memoryLimit(proxy); limit > 0 {
		list = append(list, corev1.EnvVar{Name: "GOMEMLIMIT", Value: percentOf(limit, heapPercent)})
	}
	return list
}

func probe(path string, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString(platform.MetricsPortName)}},
		PeriodSeconds:    period,
		FailureThreshold: failures,
		TimeoutSeconds:   2,
	}
}

func volumes(s settings) []corev1.Volume {
	mode, size, uploads := readableByGroup, resource.NewQuantity(s.journalBytes+journalMargin, resource.BinarySI), resource.MustParse("2Gi")
	list := []corev1.Volume{
		{Name: "table", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
			SecretName: platform.TableSecret, DefaultMode: &mode,
			Items: []corev1.KeyToPath{{Key: platform.TableKey, Path: platform.TableKey}},
		}}},
		{Name: "state", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: size}}},
		{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &uploads}}},
	}
	if s.proxy.SpeaksTLS() {
		list = append(list, tlsVolume(s.proxy.TLS.SecretName))
	}
	return list
}

// tlsVolume has the certificate. A Secret that is missing keeps no pod from starting: with a port without TLS it serves that one.
func tlsVolume(secret string) corev1.Volume {
	mode, optional := readableByGroup, true
	return corev1.Volume{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
		SecretName: secret, DefaultMode: &mode, Optional: &optional,
		Items: []corev1.KeyToPath{{Key: corev1.TLSCertKey, Path: corev1.TLSCertKey}, {Key: corev1.TLSPrivateKeyKey, Path: corev1.TLSPrivateKeyKey}},
	}}}
}

func pullSecrets(names []string) []corev1.LocalObjectReference {
	references := make([]corev1.LocalObjectReference, 0, len(names))
	for _, name := range names {
		references = append(references, corev1.LocalObjectReference{Name: name})
	}
	return references
}

// spread fills in which pods a constraint counts, where the configuration left it out.
func spread(constraints []corev1.TopologySpreadConstraint) []corev1.TopologySpreadConstraint {
	filled := make([]corev1.TopologySpreadConstraint, 0, len(constraints))
	for _, constraint := range constraints {
		if constraint.LabelSelector == nil {
			constraint.LabelSelector = platform.ProxySelector()
		}
		filled = append(filled, constraint)
	}
	return filled
}

// disruptionBudget lets nodes be drained one proxy at a time, and pods that are not ready at once.
func disruptionBudget(s settings) *policyv1.PodDisruptionBudget {
	one, policy := intstr.FromInt32(1), policyv1.AlwaysAllow
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   typeMeta(policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget")),
		ObjectMeta: s.meta(v1alpha1.ProxyName),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: &one, Selector: platform.ProxySelector(), UnhealthyPodEvictionPolicy: &policy,
		},
	}
}

// autoscaler chooses the number of replicas by CPU.
func autoscaler(s settings) *autoscalingv2.HorizontalPodAutoscaler {
	scaling := s.proxy.Autoscaling
	least, target := scaling.MinReplicas, scaling.TargetCPUPercent
	return &autoscalingv2.HorizontalPodAutoscaler{
		TypeMeta:   typeMeta(autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler")),
		ObjectMeta: s.meta(v1alpha1.ProxyName),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: v1alpha1.ProxyName},
			MinReplicas:    &least,
			MaxReplicas:    scaling.MaxReplicas,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{
					Name:   corev1.ResourceCPU,
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &target},
				},
			}},
		},
	}
}
