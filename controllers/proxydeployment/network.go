package proxydeployment

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
)

// dataService is what apps call.
func dataService(s settings) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   typeMeta(corev1.SchemeGroupVersion.WithKind("Service")),
		ObjectMeta: s.meta(v1alpha1.ProxyName),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: platform.ProxySelector().MatchLabels,
			Ports:    dataPorts(s.proxy),
		},
	}
}

func dataPorts(proxy platform.Proxy) []corev1.ServicePort {
	var ports []corev1.ServicePort
	add := func(name string, port int32) {
		ports = append(ports, corev1.ServicePort{Name: name, Protocol: corev1.ProtocolTCP, Port: port, TargetPort: intstr.FromString(name)})
	}
	if proxy.SpeaksPlain() {
		add(platform.DataPortName, platform.ServicePort)
	}
	if proxy.SpeaksTLS() {
		add(platform.TLSPortName, platform.ServiceTLSPort)
	}
	return ports
}

// controlService names the pods for each other, those that are not ready too: they have to be found while they start and while they drain.
func controlService(s settings) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   typeMeta(corev1.SchemeGroupVersion.WithKind("Service")),
		ObjectMeta: s.meta(platform.ControlService),
		Spec: corev1.ServiceSpec{
			Type:                     corev1.ServiceTypeClusterIP,
			ClusterIP:                corev1.ClusterIPNone,
			PublishNotReadyAddresses: true,
			Selector:                 platform.ProxySelector().MatchLabels,
			Ports: []corev1.ServicePort{{
				Name: platform.ControlPortName, Protocol: corev1.ProtocolTCP, Port: platform.ControlPort,
				TargetPort: intstr.FromString(platform.ControlPortName),
			}},
		},
	}
}

// networkPolicy opens the data port to those who may call, the control port to the manager and the other proxies of the namespace, and the metrics
// port to those who scrape. Where egress is restricted, the control ports of the other proxies stay open besides.
func networkPolicy(s settings) *networkingv1.NetworkPolicy {
	var data []networkingv1.NetworkPolicyPort
	if s.proxy.SpeaksPlain() {
		data = policyPort(platform.DataPort)
	}
	if s.proxy.SpeaksTLS() {
		data = append(data, policyPort(platform.TLSPort)...)
	}
	ingress := []networkingv1.NetworkPolicyIngressRule{
		{From: s.network.DataFrom, Ports: data},
		{From: s.controlPeers(), Ports: policyPort(platform.ControlPort)},
	}
	if len(s.network.MetricsFrom) > 0 {
		ingress = append(ingress, networkingv1.NetworkPolicyIngressRule{From: s.network.MetricsFrom, Ports: policyPort(platform.MetricsPort)})
	}
	types := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	var egress []networkingv1.NetworkPolicyEgressRule
	if len(s.network.Egress) > 0 {
		types = append(types, networkingv1.PolicyTypeEgress)
		egress = append(slices.Clone(s.network.Egress), networkingv1.NetworkPolicyEgressRule{
			To: []networkingv1.NetworkPolicyPeer{{PodSelector: platform.ProxySelector()}}, Ports: policyPort(platform.ControlPort),
		})
	}
	return &networkingv1.NetworkPolicy{
		TypeMeta:   typeMeta(networkingv1.SchemeGroupVersion.WithKind(kindNetworkPolicy)),
		ObjectMeta: s.meta(v1alpha1.ProxyName),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: *platform.ProxySelector(),
			PolicyTypes: types,
			Ingress:     ingress,
			Egress:      egress,
		},
	}
}

// controlPeers are the proxies of the namespace and, inside a cluster, the manager.
func (s settings) controlPeers() []networkingv1.NetworkPolicyPeer {
	peers := []networkingv1.NetworkPolicyPeer{{PodSelector: platform.ProxySelector()}}
	if s.managerNamespace == "" {
		return peers
	}
	return append(peers, networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: s.managerNamespace}},
		PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{platform.LabelName: platform.ManagerApp}},
	})
}

func policyPort(port int32) []networkingv1.NetworkPolicyPort {
	protocol, number := corev1.ProtocolTCP, intstr.FromInt32(port)
	return []networkingv1.NetworkPolicyPort{{Protocol: &protocol, Port: &number}}
}
