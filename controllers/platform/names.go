package platform

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// Names of the objects that the manager keeps in a namespace.
const (
	// TableSecret is the Secret that holds the routing table.
	TableSecret = "signalbox-table"
	// TableKey is its data key that holds the encoded table.
	TableKey = "table"
	// ReportKey is its data key that holds the encoded report.
	ReportKey = "report"
	// ControlService is the headless Service of the control ports.
	ControlService = "signalbox-control"
	// ProxyContainer is the name of the container in a proxy's pod.
	ProxyContainer = "proxy"
)

// Names of the ports of a proxy's container.
const (
	// DataPortName is the port of the API that apps call.
	DataPortName = "http"
	// TLSPortName is the same port with TLS.
	TLSPortName = "https"
	// ControlPortName is the control port.
	ControlPortName = "control"
	// MetricsPortName is the port of metrics and health.
	MetricsPortName = "metrics"
)

// Ports of a proxy's container.
const (
	// DataPort is the port of the API that apps call.
	DataPort int32 = 8080
	// TLSPort is the same port with TLS.
	TLSPort int32 = 8444
	// ControlPort is the control port.
	ControlPort int32 = 8443
	// MetricsPort is the port of metrics and health.
	MetricsPort int32 = 9090
	// ServicePort is the port of the Service in front of DataPort.
	ServicePort int32 = 80
	// ServiceTLSPort is the port of the Service in front of TLSPort.
	ServiceTLSPort int32 = 443
)

// Labels of pods.
const (
	// LabelName is the standard label that names an application.
	LabelName = "app.kubernetes.io/name"
	// ProxyApp is the value of LabelName on proxies.
	ProxyApp = "signalbox-proxy"
	// ManagerApp is the value of LabelName on the manager.
	ManagerApp = "signalbox-manager"
)

// AnnotationRevision on the table Secret is the revision of the table in it.
const AnnotationRevision = "signalbox.dev/revision"

// ProxyLabels are the labels of everything that belongs to a proxy, its pods among them.
func ProxyLabels() map[string]string {
	return map[string]string{
		LabelName:               ProxyApp,
		v1alpha1.LabelComponent: v1alpha1.ComponentProxy,
		v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue,
	}
}

// ProxySelector selects the pods of proxies.
func ProxySelector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{
		LabelName:               ProxyApp,
		v1alpha1.LabelComponent: v1alpha1.ComponentProxy,
	}}
}
