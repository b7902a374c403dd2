package chart

import (
	"os"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"signalbox.dev/signalbox/controllers/platform"
)

// peer is a pod that tries to reach another one.
type peer struct {
	namespace       string
	namespaceLabels labels.Set
	labels          labels.Set
}

func selects(t *testing.T, selector *metav1.LabelSelector, set labels.Set) bool {
	t.Helper()
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Matches(set)
}

// reaches says what the ingress rules of a policy say, as the NetworkPolicy reference defines them: without from every peer, without ports every port, a
// podSelector alone means the policy's namespace.
func reaches(t *testing.T, policy networkingv1.NetworkPolicy, from peer, port intstr.IntOrString) bool {
	t.Helper()
	for _, rule := range policy.Spec.Ingress {
		if opens(rule.Ports, port) && admits(t, policy.Namespace, rule.From, from) {
			return true
		}
	}
	return false
}

func opens(ports []networkingv1.NetworkPolicyPort, port intstr.IntOrString) bool {
	for _, p := range ports {
		if p.Port != nil && *p.Port == port {
			return true
		}
	}
	return len(ports) == 0
}

func admits(t *testing.T, namespace string, peers []networkingv1.NetworkPolicyPeer, from peer) bool {
	t.Helper()
	for _, p := range peers {
		sameNamespace := p.NamespaceSelector == nil && from.namespace == namespace
		if !sameNamespace && (p.NamespaceSelector == nil || !selects(t, p.NamespaceSelector, from.namespaceLabels)) {
			continue
		}
		if p.PodSelector == nil || selects(t, p.PodSelector, from.labels) {
			return true
		}
	}
	return len(peers) == 0
}

var (
	app       = peer{"team-a", labels.Set{"kubernetes.io/metadata.name": "team-a"}, labels.Set{"app": "shop"}}
	labelled  = peer{"team-b", labels.Set{"kubernetes.io/metadata.name": "team-b", "apps": "true"}, labels.Set{"app": "shop"}}
	proxy     = peer{"team-a", app.namespaceLabels, labels.Set{"app.kubernetes.io/name": "signalbox-proxy", "app.kubernetes.io/component": "proxy"}}
	otherTeam = peer{"team-b", labels.Set{"kubernetes.io/metadata.name": "team-b"}, proxy.labels}
	manager   = peer{"signalbox-system", labels.Set{"kubernetes.io/metadata.name": "signalbox-system"}, labels.Set{"app.kubernetes.io/name": "signalbox-manager"}}
	impostor  = peer{"team-b", otherTeam.namespaceLabels, manager.labels}
	monitor   = peer{"team-a", app.namespaceLabels, labels.Set{"app": "prometheus"}}
)

// TestWhoMayReachAProxy reads the policies that the manager makes, from the golden objects of its own tests.
func TestWhoMayReachAProxy(t *testing.T) {
	const data, control, metrics, tls = 8080, 8443, 9090, int(platform.TLSPort)
	cases := map[string]struct {
		golden string
		from   peer
		port   int
		want   bool
	}{
		"an app calls":                                {"plain", app, data, true},
		"another namespace calls":                     {"plain", labelled, data, true},
		"an app has no business on the control port":  {"plain", app, control, false},
		"the manager asks":                            {"plain", manager, control, true},
		"a proxy asks its peer":                       {"plain", proxy, control, true},
		"a proxy of another namespace does not":       {"plain", otherTeam, control, false},
		"nobody plays the manager":                    {"plain", impostor, control, false},
		"nobody scrapes unless allowed":               {"plain", monitor, metrics, false},
		"nobody asks for TLS where there is none":     {"plain", app, tls, false},
		"an app calls with TLS":                       {"tls", app, tls, true},
		"an app calls without TLS":                    {"tls", app, data, true},
		"an app calls with TLS alone":                 {"tls-alone", app, tls, true},
		"nobody calls without TLS where TLS is alone": {"tls-alone", app, data, false},
		"restricted: an app of no labelled namespace": {"full", app, data, false},
		"restricted: an app of a labelled namespace":  {"full", labelled, data, true},
		"restricted: the monitor scrapes":             {"full", monitor, metrics, true},
		"restricted: an app does not":                 {"full", app, metrics, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile("../../controllers/proxydeployment/testdata/" + tc.golden + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			policy := convert[networkingv1.NetworkPolicy](t, parse(t, string(text)), "NetworkPolicy/signalbox@team-a")
			if !selects(t, &policy.Spec.PodSelector, proxy.labels) {
				t.Fatal("the policy does not select the proxies")
			}
			if got := reaches(t, policy, tc.from, intstr.FromInt(tc.port)); got != tc.want {
				t.Errorf("reaches = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestWhoMayReachTheManager(t *testing.T) {
	const scraping = "manager: {networkPolicy: {metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: team-a}}, podSelector: {matchLabels: {app: prometheus}}}]}}"
	cases := map[string]struct {
		values string
		from   peer
		want   bool
	}{
		"nobody by default":    {"", monitor, false},
		"the monitor if named": {scraping, monitor, true},
		"an app never":         {scraping, app, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			policy := convert[networkingv1.NetworkPolicy](t, render(t, tc.values), "NetworkPolicy/signalbox-manager")
			if got := reaches(t, policy, tc.from, intstr.FromString("metrics")); got != tc.want {
				t.Errorf("reaches = %t, want %t", got, tc.want)
			}
		})
	}
}
