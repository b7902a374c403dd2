package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/inject"
)

const withWebhook = "webhook: {enabled: true}"

// TestWebhookIsOptIn: the chart has what belongs to the webhook once it is enabled, and nothing of it before.
func TestWebhookIsOptIn(t *testing.T) {
	without, with := keys(render(t, "")), keys(render(t, withWebhook))
	added := slices.DeleteFunc(slices.Clone(with), func(key string) bool { return slices.Contains(without, key) })
	want := []string{
		"ClusterRole/signalbox-webhook", "ClusterRoleBinding/signalbox-webhook", "MutatingWebhookConfiguration/" + inject.ConfigurationName,
		"Role/signalbox-webhook", "RoleBinding/signalbox-webhook", "Secret/" + inject.Name, "Service/" + inject.Name,
	}
	if diff := cmp.Diff(want, added); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	deployment := convert[appsv1.Deployment](t, render(t, ""), "Deployment/signalbox-manager")
	for _, arg := range deployment.Spec.Template.Spec.Containers[0].Args {
		if strings.Contains(arg, "webhook") {
			t.Errorf("the manager has %s without it", arg)
		}
	}
}

// TestWebhookAsksForLittle: it is asked about new pods with the label only, outside kube-system and the manager's namespace, and keeps none from starting.
func TestWebhookAsksForLittle(t *testing.T) {
	configuration := convert[admissionregistrationv1.MutatingWebhookConfiguration](t, render(t, withWebhook), "MutatingWebhookConfiguration/"+inject.ConfigurationName)
	if len(configuration.Webhooks) != 1 {
		t.Fatalf("%d webhooks", len(configuration.Webhooks))
	}
	hook := configuration.Webhooks[0]
	for name, tc := range map[string]struct {
		namespace string
		pod       labels.Set
		want      bool
	}{
		"labelled":                   {"team-a", labels.Set{v1alpha1.LabelInject: "true"}, true},
		"not labelled":               {"team-a", labels.Set{"app": "shop"}, false},
		"another value":              {"team-a", labels.Set{v1alpha1.LabelInject: "false"}, false},
		"in kube-system":             {"kube-system", labels.Set{v1alpha1.LabelInject: "true"}, false},
		"in the manager's namespace": {"signalbox-system", labels.Set{v1alpha1.LabelInject: "true"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := labels.Set{"kubernetes.io/metadata.name": tc.namespace}
			if got := selects(t, hook.NamespaceSelector, namespace) && selects(t, hook.ObjectSelector, tc.pod); got != tc.want {
				t.Errorf("asked = %t, want %t", got, tc.want)
			}
		})
	}
	hook.NamespaceSelector, hook.ObjectSelector = nil, nil
	want := admissionregistrationv1.MutatingWebhook{
		Name: "inject.signalbox.dev", AdmissionReviewVersions: []string{"v1"},
		ClientConfig: admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{
			Name: inject.Name, Namespace: "signalbox-system", Path: ptr.To(inject.Path),
		}},
		Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule: admissionregistrationv1.Rule{
				APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}, Scope: ptr.To(admissionregistrationv1.NamespacedScope),
			},
		}},
		FailurePolicy: ptr.To(admissionregistrationv1.Ignore), MatchPolicy: ptr.To(admissionregistrationv1.Equivalent),
		ReinvocationPolicy: ptr.To(admissionregistrationv1.IfNeededReinvocationPolicy), SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds: ptr.To[int32](5),
	}
	if diff := cmp.Diff(want, hook); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWebhookMayDoLittle: it changes one Secret and one configuration, by their names, and the manager alone may.
func TestWebhookMayDoLittle(t *testing.T) {
	objects := render(t, withWebhook)
	manager := []rbacv1.Subject{{Kind: "ServiceAccount", Name: "signalbox-manager", Namespace: "signalbox-system"}}
	role, cluster := convert[rbacv1.Role](t, objects, "Role/signalbox-webhook"), convert[rbacv1.ClusterRole](t, objects, "ClusterRole/signalbox-webhook")
	bound, everywhere := convert[rbacv1.RoleBinding](t, objects, "RoleBinding/signalbox-webhook"), convert[rbacv1.ClusterRoleBinding](t, objects, "ClusterRoleBinding/signalbox-webhook")
	for name, tc := range map[string]struct{ want, got any }{
		"the Role": {[]rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{inject.Name}, Verbs: []string{"get", "update"}}}, role.Rules},
		"the ClusterRole": {[]rbacv1.PolicyRule{{
			APIGroups: []string{admissionregistrationv1.GroupName}, Resources: []string{"mutatingwebhookconfigurations"},
			ResourceNames: []string{inject.ConfigurationName}, Verbs: []string{"get", "patch"},
		}}, cluster.Rules},
		"who has the Role":        {manager, bound.Subjects},
		"who has the ClusterRole": {manager, everywhere.Subjects},
		"the binding":             {"Role/signalbox-webhook", bound.RoleRef.Kind + "/" + bound.RoleRef.Name},
		"the cluster's binding":   {"ClusterRole/signalbox-webhook", everywhere.RoleRef.Kind + "/" + everywhere.RoleRef.Name},
		"what is in the Secret":   {0, len(convert[corev1.Secret](t, objects, "Secret/"+inject.Name).Data)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWebhookIsReached follows a call of the API server to the port that the manager is told to serve.
func TestWebhookIsReached(t *testing.T) {
	objects := render(t, withWebhook)
	service := convert[corev1.Service](t, objects, "Service/"+inject.Name)
	pod := convert[appsv1.Deployment](t, objects, "Deployment/signalbox-manager").Spec.Template
	if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels)) {
		t.Error("the Service does not select the manager")
	}
	if len(service.Spec.Ports) != 1 || service.Spec.Ports[0].Port != 443 || service.Spec.Ports[0].TargetPort != intstr.FromString("webhook") {
		t.Errorf("the ports of the Service are %v", service.Spec.Ports)
	}
	container := pod.Spec.Containers[0]
	if !slices.Contains(container.Ports, corev1.ContainerPort{Name: "webhook", ContainerPort: 9443}) || !slices.Contains(container.Args, "--webhook-port=9443") {
		t.Errorf("the manager has %v and %v", container.Ports, container.Args)
	}
	policy := convert[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy/signalbox-manager")
	for port, want := range map[string]bool{"webhook": true, "metrics": false, "health": false} {
		if got := reaches(t, policy, app, intstr.FromString(port)); got != want {
			t.Errorf("port %s: reaches = %t, want %t", port, got, want)
		}
	}
}
